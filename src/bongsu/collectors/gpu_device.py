"""The series of one GPU and its instances, made from one look; labels and reasons are made once and kept."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from bongsu.collectors import gpu_values as specs
from bongsu.collectors.gpu_gaps import ASLEEP, absence, cure, reason
from bongsu.model.batch import Absence, Sample, Why
from bongsu.model.message import Message
from bongsu.model.metric import MetricSpec
from bongsu.model.owner import Owner
from bongsu.sources.nvml.reading import Gap, Gpu, Instance, Value, Xid

_UNLISTED = Message("the driver no longer lists this GPU")
_LOOK = Message("`dmesg | grep -i -e nvrm -e xid` says why")


class _Series:
    """One figure: its spec and labels, and the absence that was made of its newest gap."""

    __slots__ = ("absence", "gap", "labels", "spec")

    def __init__(self, spec: MetricSpec, labels: tuple[str, ...]) -> None:
        self.spec = spec
        self.labels = labels
        self.gap: Gap | None = None
        self.absence: Absence | None = None


class _Figures:
    """The figures of a device or instance, which come in the same order at every look."""

    __slots__ = ("_base", "_known")

    def __init__(self, base: tuple[str, str]) -> None:
        self._base = base
        self._known: dict[tuple[str, tuple[str, ...]], _Series] = {}

    def of(self, values: Iterable[Value]) -> Iterator[Sample | Absence]:
        known = self._known
        for value in values:
            key = (value.name, value.labels)
            series = known.get(key)
            if series is None:
                series = known[key] = _Series(specs.VALUES[value.name], (*self._base, *value.labels))
            number = value.value
            if not isinstance(number, Gap):
                yield Sample(series.spec, series.labels, number)
                continue
            if series.absence is None or series.gap != number:
                series.gap, series.absence = number, absence(series.spec, series.labels, number)
            yield series.absence


class Device:
    """What is known of one GPU from look to look. ``base`` is its index and UUID, as labels."""

    def __init__(self, gpu: Gpu) -> None:
        self.base = (str(gpu.index), gpu.uuid)
        self._figures = _Figures(self.base)
        self._instances: dict[tuple[str, int, int], _Figures] = {}
        self._last: tuple[Sample, ...] = ()  # what was read when it last answered
        self._last_time = 0.0

    def series(
        self, gpu: Gpu, info: tuple[str, ...], xids: Sequence[Xid], owner: Owner | None, time: float
    ) -> Iterator[Sample | Absence]:
        """All of it; ``info`` ends with driver and CUDA version. ``time``: Unix s, of the look."""
        labels = (
            *self.base, gpu.name, gpu.pci_bus_id, *info, "" if gpu.minor is None else str(gpu.minor),
            "" if gpu.mig is None else "on" if gpu.mig else "off", gpu.architecture,
        )  # fmt: skip
        yield Sample(specs.INFO, labels, 1.0)
        if owner is not None:
            whose = (owner.kind.value, owner.id, owner.name, owner.namespace, owner.container, owner.user)
            yield Sample(specs.OWNER_INFO, (*self.base, *whose), 1.0)
        for xid in xids:
            number = (*self.base, str(xid.xid))
            yield Sample(specs.XID_ERRORS, number, xid.count)
            yield Sample(specs.XID_LAST, number, xid.last_time)
        if gpu.failed is not None:
            yield Sample(specs.UP, self.base, 0.0)
            read = self._read(gpu)
            yield from self._lacking(read, gpu.failed.why, reason(gpu.failed), cure(gpu.failed))
            if not self._last:  # it was so when we came: nobody knows which labels it would have
                told = {item.spec for item in read}
                for spec in specs.VALUES.values():
                    if spec not in told and spec.labels == specs.DEVICE:
                        yield absence(spec, self.base, gpu.failed)
        elif gpu.asleep:
            yield Absence(specs.UP, self.base, Why.MISSING, ASLEEP)
            yield from self._lacking(self._read(gpu), Why.MISSING, ASLEEP, None)
        else:
            yield Sample(specs.UP, self.base, 1.0)
            read = self._read(gpu)
            self._last = tuple(item for item in read if isinstance(item, Sample))
            self._last_time = time
            yield from read

    def unlisted(self) -> Iterator[Sample | Absence]:
        """It was there at an earlier look and is not any more."""
        yield Sample(specs.UP, self.base, 0.0)
        yield from self._lacking([], Why.LOST, _UNLISTED, _LOOK)

    def unknown(self, why: Why, because: Message, helps: Message | None) -> Iterator[Absence]:
        """Nobody can say how it is: the driver as a whole does not answer."""
        yield Absence(specs.UP, self.base, why, because, helps)
        for item in self._lacking([], why, because, helps):
            if isinstance(item, Absence):
                yield item

    def _lacking(
        self, read: Iterable[Sample | Absence], why: Why, because: Message, helps: Message | None
    ) -> Iterator[Sample | Absence]:
        """What still answers; the rest is absent, with its last good value."""
        here, gaps = set(), []
        for item in read:
            if isinstance(item, Sample):
                here.add((item.spec, item.labels))
                yield item
            else:
                gaps.append(item)
        for last in self._last:
            if (last.spec, last.labels) not in here:
                here.add((last.spec, last.labels))
                yield Absence(last.spec, last.labels, why, because, helps, last.value, self._last_time)
        yield from (gap for gap in gaps if (gap.spec, gap.labels) not in here)

    def _read(self, gpu: Gpu) -> list[Sample | Absence]:
        read = list(self._figures.of(gpu.values))
        if gpu.mig is not None:
            read.append(Sample(specs.MIG_MODE, self.base, float(gpu.mig)))
        instances, self._instances = self._instances, {}
        counted: set[int] = set()
        for instance in gpu.instances:
            key = (instance.uuid, instance.gpu_instance, instance.compute_instance)
            base = (f"{gpu.index}_{instance.gpu_instance}_{instance.compute_instance}", instance.uuid)
            figures = self._instances[key] = instances.get(key) or _Figures(base)
            read += self._instance(instance, base, counted)
            read += figures.of(instance.values)
        return read

    def _instance(self, instance: Instance, base: tuple[str, str], counted: set[int]) -> Iterator[Sample | Absence]:
        number = str(instance.gpu_instance)
        yield Sample(
            specs.MIG_INFO, (*base, self.base[1], number, str(instance.compute_instance), instance.profile), 1.0
        )
        if instance.slices is not None:
            yield Sample(specs.MIG_SLICES, base, instance.slices)
        if instance.gpu_instance in counted:
            return  # the memory is the GPU instance's; its compute instances share it
        counted.add(instance.gpu_instance)
        labels = (*self.base, number)
        for spec, size in (
            (specs.MIG_MEMORY_TOTAL, instance.memory_total_bytes), (specs.MIG_MEMORY_USED, instance.memory_used_bytes),
        ):  # fmt: skip
            yield absence(spec, labels, size) if isinstance(size, Gap) else Sample(spec, labels, size)
