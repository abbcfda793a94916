"""Which GPUs a machine has, for the one sentence that says why none is read."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator

from bongsu.model.batch import Sample
from bongsu.model.errors import NoData
from bongsu.model.message import Message
from bongsu.model.metric import MetricSpec
from bongsu.sources import nvidia
from bongsu.sources.root import Machine
from bongsu.sources.sysfs import pci

_VENDORS = {0x10DE: "NVIDIA", 0x1002: "AMD", 0x8086: "Intel"}  # by the PCI ID repository
_LOOK_EVERY = 10.0  # s; devices do not come more often


class GpuCollector:
    """Whether there are GPUs and a driver for them; this version reads nothing of them yet."""

    name = "gpu"
    specs: tuple[MetricSpec, ...] = ()
    may_block = False
    on_by_default = True

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._said: NoData | None = None
        self._looked = 0.0  # monotonic

    def collect(self) -> Iterator[Sample]:
        """Gives nothing. Raises NoData, which says what of a GPU there is."""
        now = time.monotonic()
        if self._said is None or now - self._looked >= _LOOK_EVERY:
            self._said, self._looked = self._look(), now
        raise NoData(self._said.message, self._said.cure)

    def _look(self) -> NoData:
        found = Counter(_VENDORS[each.vendor] for each in pci.displays(self._machine.sys) if each.vendor in _VENDORS)
        nodes = len(nvidia.nodes(self._machine.rootfs))
        found["NVIDIA"] = max(found["NVIDIA"], nodes)  # a container may see only one of the two
        text = ", ".join(f"{count} {vendor}" for vendor, count in sorted((+found).items()))
        if not text:
            return NoData(
                Message("no GPU here: no PCI display or 3D device of NVIDIA, AMD or Intel, and no /dev/nvidia0")
            )
        if found["NVIDIA"] and not nvidia.has_library(self._machine.rootfs):
            return NoData(
                Message("no GPU driver for {found}: {library} is not installed", found=text, library=nvidia.LIBRARY),
                Message("install NVIDIA's driver on this machine"),
            )
        return NoData(Message("{found}: this version reads no GPUs yet", found=text))
