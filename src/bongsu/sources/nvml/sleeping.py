"""Lets GPUs of laptops sleep: asking NVIDIA's driver wakes a suspended device, and having asked keeps it awake.

The kernel tells without waking it (Documentation/ABI/testing/sysfs-devices-power: power/control is ``auto`` where a
device may be suspended while nobody uses it, power/runtime_status says whether it is).
"""

from __future__ import annotations

import time

import msgspec

from bongsu.sources.nvml.reading import Gpu, Snapshot
from bongsu.sources.root import Root
from bongsu.sources.sysfs import pci

_NVIDIA = 0x10DE
_AT = "bus/pci/devices"
_LIST_EVERY = 10.0  # s; a device that is new, or newly allowed to sleep, is noticed after so long
_IDLE = 30.0  # s without work, after which we let go of a device that may sleep
_LEFT_ALONE = 15.0  # s for the kernel to suspend it; if it does not, another holds it
_NEXT_TRY = 300.0  # s


class Sleep:
    """Which devices sleep. They are left out of the question, and shown as asleep with what is known of them."""

    def __init__(self, sys: Root) -> None:
        self._sys = sys
        self._addresses: tuple[str, ...] = ()
        self._may_sleep: tuple[str, ...] = ()
        self._list_again = 0.0
        self._held_back: frozenset[str] = frozenset()
        self._idle_since: float | None = None
        self._alone_until = 0.0
        self._try_again = 0.0

    def look_around(self, now: float) -> None:
        """See which sleep now (``now``: monotonic s)."""
        if now >= self._list_again:
            self._list_again = now + _LIST_EVERY
            self._addresses = tuple(each.address for each in pci.displays(self._sys) if each.vendor == _NVIDIA)
            self._may_sleep = tuple(each for each in self._addresses if self._power(each, "control") == "auto")
        if not self._may_sleep:
            self._held_back = frozenset()
        elif now < self._alone_until:
            self._held_back = frozenset(self._may_sleep)
        else:
            asleep = (each for each in self._may_sleep if self._power(each, "runtime_status") == "suspended")
            self._held_back = frozenset(asleep)

    @property
    def all_asleep(self) -> bool:
        """Whether there is no device to ask."""
        return bool(self._held_back) and len(self._held_back) == len(self._addresses)

    @property
    def awake(self) -> tuple[str, ...]:
        """The PCI addresses of those to ask; empty where all are to be asked."""
        return tuple(each for each in self._addresses if each not in self._held_back) if self._held_back else ()

    def look(self, good: Snapshot | None) -> Snapshot:
        """A look where all sleep; ``good`` is the last at devices that did not."""
        versions = good or Snapshot(time=0.0)
        return Snapshot(
            time=time.time(), driver_version=versions.driver_version, cuda_version=versions.cuda_version,
            nvml_version=versions.nvml_version, gpus=self._sleepers(good), xids=versions.xids,
        )  # fmt: skip

    def add(self, look: Snapshot, good: Snapshot | None) -> Snapshot:
        """A look at those that are awake, with those that sleep."""
        if not self._held_back:
            return look
        gpus = tuple(sorted((*look.gpus, *self._sleepers(good)), key=lambda gpu: gpu.index))
        return msgspec.structs.replace(look, gpus=gpus)

    def wants_rest(self, look: Snapshot, now: float) -> bool:
        """Whether those that may sleep have had no work for so long that we should let go of them; then they are left alone."""
        candidates = set(self._may_sleep) - self._held_back
        if not candidates or now < self._try_again:
            return False
        working = {each.uuid for each in look.processes if "compute" in each.kinds}
        for gpu in look.gpus:
            if _address(gpu) in candidates and (gpu.uuid in working or not _idle(gpu)):
                self._idle_since = None
                return False
        self._idle_since = self._idle_since or now
        if now - self._idle_since < _IDLE:
            return False
        self._idle_since = None
        self._alone_until = now + _LEFT_ALONE
        self._try_again = now + _NEXT_TRY
        return True

    def _sleepers(self, good: Snapshot | None) -> tuple[Gpu, ...]:
        known = {_address(gpu): gpu for gpu in good.gpus} if good else {}
        return tuple(
            msgspec.structs.replace(known[address], values=(), instances=(), failed=None, asleep=True)
            if address in known
            else Gpu(uuid="", index=place, pci_bus_id=address, asleep=True)  # the driver numbers them in this order
            for place, address in enumerate(self._addresses)
            if address in self._held_back
        )

    def _power(self, address: str, name: str) -> str | None:
        try:
            return self._sys.attribute(f"{_AT}/{address}/power/{name}")
        except OSError:
            return None


def _address(gpu: Gpu) -> str:
    """As sysfs writes it; NVML's domain has eight digits."""
    domain, _, rest = gpu.pci_bus_id.partition(":")
    return f"{domain[-4:]}:{rest}".lower()


def _idle(gpu: Gpu) -> bool:
    return any(value.name == "gpu_utilization_ratio" and value.value == 0.0 for value in gpu.values)
