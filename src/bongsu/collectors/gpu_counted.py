"""What is counted of GPU processes, look by look, for as long as their reader lives: a reload makes collectors anew."""

from __future__ import annotations

import threading
import weakref
from typing import Protocol

from bongsu.collectors.gpu_energy import Energy
from bongsu.collectors.gpu_workload import Workloads
from bongsu.sources.nvml.reading import Snapshot


class Reader(Protocol):
    """Who looks at the GPUs; shared with other collectors."""

    def read(self) -> Snapshot: ...  # noqa: D102  the newest look, within its patience


class Counted:
    """Counters of one reader's looks. Whoever looks and counts holds ``lock`` meanwhile, so that looks come in order.

    For a moment after a reload, a collector of before and its successor may both be at it.
    """

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.energy = Energy()
        self.workloads = Workloads()
        self.dropped = 0  # series


_lock = threading.Lock()
_all: weakref.WeakKeyDictionary[Reader, Counted] = weakref.WeakKeyDictionary()


def counted_of(reader: Reader) -> Counted:
    """The one that goes with a reader, whoever asks for it."""
    with _lock:
        return _all.setdefault(reader, Counted())
