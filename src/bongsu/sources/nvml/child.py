"""Looks at the GPUs in the child process: one thread makes all calls, and what one call says hides nothing of the others.

Imports nothing of Bongsu but its neighbours that the child needs too: each module costs every agent memory.
"""

from __future__ import annotations

import ctypes
import time
from typing import Any, NamedTuple

from bongsu.sources.nvml import accounting, answers, mig
from bongsu.sources.nvml.calls import Gap, Library, NotUsable, Number
from bongsu.sources.nvml.device import Device
from bongsu.sources.nvml.gpm import LEAST_SECONDS, Gpm
from bongsu.sources.nvml.processes import Buffers, Processes
from bongsu.sources.nvml.values import GPM
from bongsu.sources.nvml.xid import Xids

_ARCHITECTURES = {
    2: "kepler", 3: "maxwell", 4: "pascal", 5: "volta", 6: "turing", 7: "ampere", 8: "ada", 9: "hopper",
    10: "blackwell", 11: "dla", 13: "rubin",
}  # fmt: skip
_VERSIONS = ("nvmlSystemGetDriverVersion", "nvmlSystemGetNVMLVersion")


class _Identity(NamedTuple):
    uuid: str
    number: int  # NVML's index
    name: str
    pci: str
    minor: int | None
    architecture: str


_UNKNOWN = _Identity("", 0, "", "", None, "")


class _Known:
    """A device that has been seen, with what its readers remember of it."""

    def __init__(self, library: Library, buffers: Buffers, handle: Any, address: int, identity: _Identity) -> None:
        self.identity = identity
        self.device = Device(library, handle, address)
        self.processes = Processes(library, buffers)
        self.accounting = accounting.Accounting(library)


class Looker:
    """The library and all devices, for as long as this process lives."""

    def __init__(self) -> None:
        self._library = Library()
        library = self._library
        texts = [library.text(call) for call in _VERSIONS]
        self._driver, self._nvml = (text if isinstance(text, str) else "" for text in texts)
        cuda = library.unsigned(library.first_of("nvmlSystemGetCudaDriverVersion_v2", "nvmlSystemGetCudaDriverVersion"))
        self._cuda = "" if isinstance(cuda, tuple) else f"{cuda // 1000}.{cuda % 1000 // 10}"
        self._known: dict[int, _Known] = {}  # by the address of the handle
        self._by_place: dict[Any, int] = {}  # NVML's index or the PCI address -> the address of the handle
        self._buffers = Buffers()
        self._gpm = Gpm(library)
        self._xids = Xids(library)

    def look(self, awake: tuple[str, ...]) -> tuple[Any, ...]:
        """One look at all devices; with ``awake`` (PCI addresses) only at those, since some others sleep.

        Raises:
            NotUsable: the driver as a whole does not answer.
        """
        library = self._library
        places: Any = awake
        if not awake:
            places = library.unsigned("nvmlDeviceGetCount_v2")
            if isinstance(places, tuple):
                raise NotUsable(*places)
            places = range(places)
        self._gpm.begin()
        gpus: list[tuple[Any, ...]] = []
        processes: list[tuple[Any, ...]] = []
        gaps: list[tuple[str, Gap]] = []
        ended: list[tuple[Any, ...]] = []
        for place in places:
            known = self._find(place)
            if isinstance(known, tuple):
                lost = self._known.get(self._by_place.get(place, 0))
                identity = lost.identity if lost else _UNKNOWN._replace(number=place if isinstance(place, int) else 0)
                gpus.append((*identity, None, None, (), known))
                gaps.append((identity.uuid, known))
                continue
            gpus.append(self._one(known, processes, gaps, ended))
        self._gpm.end()
        uuids = {address: known.identity.uuid for address, known in self._known.items()}
        seconds, library.seconds = library.seconds, 0.0
        xids = self._xids.read(uuids)
        return (time.time(), self._driver, self._cuda, self._nvml, gpus, processes, gaps, ended, xids, seconds)

    def wait_for_activity(self) -> None:
        """After the first look: where activity can be read, long enough for the next to have it, so that one question suffices."""
        if self._gpm.in_use:
            time.sleep(LEAST_SECONDS)

    def _one(
        self, known: _Known, processes: list[tuple[Any, ...]], gaps: list[tuple[str, Gap]], ended: list[tuple[Any, ...]]
    ) -> tuple[Any, ...]:
        library, device, uuid = self._library, known.device, known.identity.uuid
        device.mig = mig.mode(library, device.handle)
        values = device.read()
        if device.failed is not None and device.failed[0] == answers.GPU_IS_LOST:
            gaps.append((uuid, device.failed))
            values += [device.failed] * len(GPM)
            return (*known.identity, device.mig, values, (), device.failed)
        self._xids.register(device.handle, device.address)
        values += self._gpm.read(device.handle, device.address, (device.address,))
        instances, failed = mig.instances(library, device.handle) if device.mig else ([], None)
        if failed is not None:
            gaps.append((uuid, failed))
        parts = [
            (
                each.uuid, each.gi, each.ci, each.profile, each.slices, each.total, each.used,
                self._activity(device, each, instances),
            )
            for each in instances
        ]  # fmt: skip
        handles = [(each.handle, each.gi, each.ci) for each in instances] if device.mig else None
        rows, gap = known.processes.read(device.handle, handles)
        if gap is not None:
            gaps.append((uuid, gap))
        processes.extend((uuid, *row) for row in rows)
        ended.extend((uuid, *row) for row in known.accounting.read(device.handle, {row[0] for row in rows}))
        return (*known.identity, device.mig, values, parts, device.failed)

    def _activity(self, device: Device, one: mig.Found, instances: list[mig.Found]) -> list[Number]:
        """How busy a GPU instance was, told of its compute instance only where that is its only one: they share the units counted."""
        alone = sum(each.gi == one.gi for each in instances) == 1
        if not alone:
            return [(answers.NOT_SUPPORTED, "nvmlGpmMigSampleGet")] * len(GPM)
        return self._gpm.read(device.handle, device.address, (device.address, one.gi, one.uuid, one.profile), one.gi)

    def _find(self, place: Any) -> _Known | Gap:
        library = self._library
        handle = library.binding.c_nvmlDevice_t()
        if isinstance(place, int):
            call = "nvmlDeviceGetHandleByIndex_v2"
            code = library(call, ctypes.c_uint(place), ctypes.byref(handle))
        else:
            call = "nvmlDeviceGetHandleByPciBusId_v2"
            code = library(call, place.encode(), ctypes.byref(handle))
        if code:
            return (code, call)
        address = ctypes.cast(handle, ctypes.c_void_p).value or 0
        known = self._known.get(address)
        if known is None:
            identity = self._identity(handle, place)
            if not isinstance(identity, _Identity):
                return identity
            known = self._known[address] = _Known(library, self._buffers, handle, address, identity)
        self._by_place[place] = address
        return known

    def _identity(self, handle: Any, place: Any) -> _Identity | Gap:
        library = self._library
        uuid = library.text("nvmlDeviceGetUUID", handle)
        if isinstance(uuid, tuple):
            return uuid
        index = place if isinstance(place, int) else library.unsigned("nvmlDeviceGetIndex", handle)
        name = library.text("nvmlDeviceGetName", handle)
        minor = library.unsigned("nvmlDeviceGetMinorNumber", handle)
        architecture = library.unsigned("nvmlDeviceGetArchitecture", handle)
        pci = library.binding.nvmlPciInfo_t()
        call = library.first_of("nvmlDeviceGetPciInfo_v3", "nvmlDeviceGetPciInfo_v2")
        failed = library(call, handle, ctypes.byref(pci))
        return _Identity(
            uuid,
            0 if isinstance(index, tuple) else index,
            name if isinstance(name, str) else "",
            "" if failed else str(pci.busId),
            None if isinstance(minor, tuple) else minor,
            "" if isinstance(architecture, tuple) else _ARCHITECTURES.get(architecture, ""),
        )


_looker: Looker | None = None


def look(awake: tuple[str, ...]) -> tuple[Any, ...]:
    """The service of the worker: a look as `decode` reads it, or ``(code, call)`` where the driver as a whole does not answer."""
    global _looker  # noqa: PLW0603  the process exists for this one state
    try:
        if _looker is None:
            looker = Looker()
            looker.look(awake)
            looker.wait_for_activity()
            _looker = looker
        return _looker.look(awake)
    except NotUsable as error:
        return error.gap
