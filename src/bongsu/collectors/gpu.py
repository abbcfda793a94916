"""GPUs of NVIDIA: what each is, does and suffers, and, where none is read, the one sentence that says why."""

from __future__ import annotations

import contextlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator

from bongsu.collectors import gpu_dcgm, gpu_dcgm_file
from bongsu.collectors import gpu_values as values
from bongsu.collectors.gpu_allocation import holders_of
from bongsu.collectors.gpu_counted import Reader
from bongsu.collectors.gpu_device import Device
from bongsu.collectors.gpu_gaps import FRESH_SECONDS, cure, reason
from bongsu.collectors.gpu_known import known_of
from bongsu.collectors.gpu_none import WhyNone
from bongsu.collectors.gpu_selection import Selection
from bongsu.model.batch import Absence, Sample, Why
from bongsu.model.errors import BadInput, NoData, NotKnown
from bongsu.model.message import Message
from bongsu.model.owner import Owner
from bongsu.sources.nvml.reader import reader_of
from bongsu.sources.nvml.reading import Gap, Gpu, Snapshot, Xid
from bongsu.sources.procfs import uname
from bongsu.sources.root import Machine

_SOURCE = ("nvml",)

OwnerOf = Callable[[str], Owner | None]  # whose the whole device of a UUID is


class GpuCollector:
    """GPUs of NVIDIA: use, memory, temperature, power, clocks, links, errors, instances (MIG).

    ``devices`` are those to read, as `0,2` or by UUID; without it all. ``count`` is how many the machine should have,
    read or not: with fewer, that is said; 0 is no expectation. ``profile`` dcgm adds the readings under dcgm-exporter's
    names and units; ``fields``, a CSV file in its format, does too and selects which.

    Raises:
        BadInput: an option cannot be used.
    """

    name = "gpu"
    specs = (*values.VALUES.values(), *values.OTHERS, *gpu_dcgm.SPECS)
    may_block = True  # the driver may hang; whoever reads it waits a little
    on_by_default = True

    def __init__(
        self, machine: Machine, reader: Reader | None = None, owner_of: OwnerOf | None = None, *,
        devices: str = "", count: int = 0, profile: str = "", fields: str = "",
    ) -> None:  # fmt: skip
        if count < 0:
            raise BadInput(
                Message("{option}: {count} is negative; give 0 or more", option="--collector.gpu.count", count=count)
            )
        self._machine = machine
        self._reader: Reader = reader or reader_of(machine)
        self._owner_of = owner_of or holders_of(machine).of
        self._selection = Selection(devices, "--collector.gpu.devices")
        self._aliases = _aliases(profile, fields)
        self._hostname = ""
        self._count = count
        self._known = known_of(self._reader)
        self._why_none = WhyNone(machine)

    def collect(self) -> Iterator[Sample | Absence]:
        """The series of every GPU; what it does not tell is absent, with the reason.

        Raises:
            NoData: there is no GPU, driver or package to read it; says which.
            NotKnown: the driver fails or hangs.
        """
        with self._known.lock:
            yield from self._look()

    def _look(self) -> Iterator[Sample | Absence]:
        look = self._reader.read()
        self._known.see(look)
        if self._count:
            yield from self._counted(look)
        if look.error is not None:
            yield from self._failed(look, look.error)
        elif look.stale_seconds > FRESH_SECONDS:
            yield from self._hanging(look)
        else:
            yield Sample(values.SOURCE_UP, _SOURCE, 1.0)
            yield Sample(values.SOURCE_STALE, _SOURCE, look.stale_seconds)
            yield from self._gpus(look)

    def _counted(self, look: Snapshot) -> Iterator[Sample | Absence]:
        """How many there should be and how many answer, whichever of them are read; a suspended one is there."""
        told = look.error is None and look.stale_seconds <= FRESH_SECONDS
        answering = sum(gpu.failed is None for gpu in look.gpus) if told else 0
        yield Sample(values.EXPECTED, (), self._count)
        yield Sample(values.ANSWERING, (), answering)
        if told and answering < self._count:
            yield Absence(
                values.EXPECTED, (), Why.LOST,
                Message("{answering} of {expected} GPUs answer", answering=answering, expected=self._count),
                Message("see `nvidia-smi -L`, `lspci -d 10de:` and dmesg for the others"),
            )  # fmt: skip

    def _gpus(self, look: Snapshot) -> Iterator[Sample | Absence]:
        xids: defaultdict[str, list[Xid]] = defaultdict(list)
        for xid in look.xids:
            xids[xid.uuid].append(xid)
        versions = (look.driver_version, look.cuda_version)
        listed: set[str] = set()
        for gpu in look.gpus:
            if gpu not in self._selection:
                continue
            identity = gpu.uuid or str(gpu.index)  # one that was lost before we came tells no UUID
            listed.add(identity)
            device = self._known.devices.get(identity)
            if device is None or device.base[0] != str(gpu.index):
                device = self._known.devices[identity] = Device(gpu)
            owner = self._owner_of(gpu.uuid)
            yield from device.series(gpu, versions, xids[gpu.uuid], owner, look.time)
            if self._aliases is not None:
                yield from self._aliases.of(gpu, self._host(), look.driver_version, xids[gpu.uuid], owner)
        for identity, device in self._wanted():
            if identity not in listed:
                yield from device.unlisted()
        yield from self._lacking(look.gpus)
        if self._aliases is not None:
            yield from self._aliases.unread()
        if not look.gpus and not self._known.any:
            raise NoData(Message("NVIDIA's driver is here and lists no GPU"))

    def _wanted(self) -> Iterator[tuple[str, Device]]:
        """All that were ever here, of those that are to be read."""
        for identity, device in self._known.devices.items():
            if self._selection.wants(*device.base):
                yield identity, device

    def _host(self) -> str:
        if not self._hostname:
            with contextlib.suppress(OSError):  # a captured tree may lack it
                self._hostname = uname.names(self._machine.proc)[0]
        return self._hostname

    def _lacking(self, gpus: Iterable[Gpu]) -> Iterator[Absence]:
        """GPUs that were asked for and are not there."""
        for name in self._selection.lacking(gpus):
            labels = (name, "") if name.isdigit() else ("", name)
            yield Absence(
                values.UP, labels, Why.MISSING,
                Message("{option}: the driver lists no GPU {name}", option="--collector.gpu.devices", name=name),
                Message("see `nvidia-smi -L` for those that it lists"),
            )  # fmt: skip

    def _failed(self, look: Snapshot, error: Gap) -> Iterator[Sample | Absence]:
        because = look.finding or reason(error)
        helps = look.cure or cure(error)
        none = self._why_none.of(error, because, helps) if error.why is Why.MISSING and not self._known.any else None
        if none is None or none.cure is not None:
            yield Sample(values.SOURCE_UP, _SOURCE, 0.0)  # a machine without GPUs has no such source
        yield from self._unknown(error.why, because, helps)
        if none is not None:
            raise none
        raise NotKnown(because if helps is None else Message("{what}; {cure}", what=because, cure=helps))

    def _hanging(self, look: Snapshot) -> Iterator[Sample | Absence]:
        yield Sample(values.SOURCE_UP, _SOURCE, 0.0)
        yield Sample(values.SOURCE_STALE, _SOURCE, look.stale_seconds)
        because = look.finding or Message("the driver does not answer: it hangs")
        helps = look.cure or Message("`dmesg | grep -i -e nvrm -e xid` may say why; a hanging driver needs a reboot")
        yield from self._unknown(Why.FAILED, because, helps)
        raise NotKnown(Message("{what}; {cure}", what=because, cure=helps))

    def _unknown(self, why: Why, because: Message, helps: Message | None) -> Iterator[Absence]:
        for _, device in self._wanted():
            yield from device.unknown(why, because, helps)


def _aliases(profile: str, fields: str) -> gpu_dcgm.Aliases | None:
    if profile not in {"", "dcgm"}:
        raise BadInput(
            Message(
                "{option}: there is no profile {profile!r}; give dcgm, or leave it out",
                option="--collector.gpu.profile", profile=profile,
            )
        )  # fmt: skip
    if fields:
        return gpu_dcgm.Aliases(gpu_dcgm_file.fields(fields, "--collector.gpu.fields"))
    return gpu_dcgm.Aliases() if profile else None
