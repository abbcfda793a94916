"""Why no GPU of NVIDIA is read, in one sentence: by what of a GPU the machine has."""

from __future__ import annotations

import time
from collections import Counter
from importlib.util import find_spec

from bongsu.model.errors import NoData
from bongsu.model.message import Message
from bongsu.sources import nvidia
from bongsu.sources.nvml.answers import NOT_THIS_MACHINE, OURS
from bongsu.sources.nvml.reading import Gap
from bongsu.sources.root import Machine
from bongsu.sources.sysfs import pci

_VENDORS = {0x10DE: "NVIDIA", 0x1002: "AMD", 0x8086: "Intel"}  # by the PCI ID repository
_LOOK_EVERY = 10.0  # s; devices do not come more often
_NO_LIBRARY = "NVML_ERROR_LIBRARY_NOT_FOUND"
_NOT_LOADED = "NVML_ERROR_DRIVER_NOT_LOADED"


class WhyNone:
    """The sentence for a machine, which every collector of GPUs says alike; looked for every 10 s at most."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._said: tuple[Gap, NoData] | None = None
        self._looked = 0.0  # monotonic

    def of(self, error: Gap, because: Message, helps: Message | None) -> NoData:
        """Why nothing is read: ``because``, but without a driver's library here what of a GPU the machine has."""
        if error.error == _NOT_LOADED:
            return self._not_loaded(because, helps)
        if error.error not in {_NO_LIBRARY, OURS[NOT_THIS_MACHINE]}:
            return NoData(because, helps)
        now = time.monotonic()
        if self._said is None or self._said[0] != error or now - self._looked >= _LOOK_EVERY:
            self._said, self._looked = (error, self._look(because, helps)), now
        return NoData(self._said[1].message, self._said[1].cure)

    def _not_loaded(self, because: Message, helps: Message | None) -> NoData:
        """The library found no driver: with the device files that it looks for and that are not there."""
        nodes = nvidia.nodes(self._machine.rootfs)
        lacking = [] if self._machine.rootfs.exists("dev/nvidiactl") else ["/dev/nvidiactl"]
        lacking += [] if nodes else ["/dev/nvidia0"]
        if not lacking:
            return NoData(because, helps)
        if self._machine.sys.exists("module/nvidia"):
            helps = Message(
                "its module is loaded, so on a plain machine `nvidia-smi` as root makes these files; a container gets them "
                "from NVIDIA's runtime: start it in Docker with `--gpus all --pid host`; in a pod see gpu.access in the "
                "chart's values"
            )
        return NoData(Message("{because}; there is no {files}", because=because, files=" and no ".join(lacking)), helps)

    def _look(self, because: Message, helps: Message | None) -> NoData:
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
                # Our own files may be a container's, which lacks the library that its machine has.
                _and_binding(
                    helps if self._machine.rootfs.path == "/" else Message("install NVIDIA's driver on this machine")
                ),
            )
        if found["NVIDIA"]:
            return NoData(Message("{found}: {because}", found=text, because=because), helps)
        return NoData(Message("{found}: this version reads GPUs of NVIDIA only", found=text))


def _and_binding(helps: Message | None) -> Message | None:
    """With what reads the driver, where that is missing too."""
    if helps is None or find_spec("pynvml") is not None:
        return helps
    return Message("{cure}; what reads it is missing too: pip install 'bongsu[gpu]'", cure=helps)
