"""Which GPUs were here, for as long as their reader lives: a reload makes collectors anew, and what has gone since is a failure."""

from __future__ import annotations

import threading
import weakref

from bongsu.collectors.gpu_counted import Reader
from bongsu.collectors.gpu_device import Device
from bongsu.sources.nvml.reading import Snapshot


class Known:
    """The devices that one reader showed. Whoever uses ``devices`` holds ``lock`` meanwhile: see `gpu_counted.Counted`."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.devices: dict[str, Device] = {}  # by UUID, or index where a device never told one
        self.any = False  # whether the driver ever listed a device

    def see(self, look: Snapshot) -> None:
        """Remember that there are some, whoever wants to read them."""
        self.any = self.any or bool(look.gpus)


_lock = threading.Lock()
_all: weakref.WeakKeyDictionary[Reader, Known] = weakref.WeakKeyDictionary()


def known_of(reader: Reader) -> Known:
    """The one that goes with a reader, whoever asks for it."""
    with _lock:
        return _all.setdefault(reader, Known())
