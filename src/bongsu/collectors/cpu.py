"""CPU time per core and state, throttling by heat, and what the CPUs are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from operator import gt

from bongsu.model.batch import Sample
from bongsu.model.filter import NameFilter
from bongsu.model.metric import Kind, MetricSpec, Vocabulary
from bongsu.sources.procfs import cpuinfo, stat
from bongsu.sources.root import Machine
from bongsu.sources.sysfs import cpu

CPU_SECONDS = MetricSpec(
    "node_cpu_seconds_total", Kind.COUNTER,
    "Time that each CPU spent in each mode since boot; user and nice include time given to guests.",
    ("cpu", "mode"), "seconds", Vocabulary.NODE_EXPORTER,
)  # fmt: skip
GUEST_SECONDS = MetricSpec(
    "node_cpu_guest_seconds_total", Kind.COUNTER,
    "Time that each CPU ran virtual machines; also part of the modes user and nice.",
    ("cpu", "mode"), "seconds", Vocabulary.NODE_EXPORTER,
)  # fmt: skip
CORE_THROTTLES = MetricSpec(
    "node_cpu_core_throttles_total", Kind.COUNTER, "Times that the core was slowed down because it was too hot.",
    ("package", "core"), vocabulary=Vocabulary.NODE_EXPORTER,
)  # fmt: skip
PACKAGE_THROTTLES = MetricSpec(
    "node_cpu_package_throttles_total", Kind.COUNTER,
    "Times that the whole package was slowed down because it was too hot.",
    ("package",), vocabulary=Vocabulary.NODE_EXPORTER,
)  # fmt: skip
INFO = MetricSpec(
    "node_cpu_info", Kind.INFO, "What each CPU says of itself in /proc/cpuinfo.",
    ("package", "core", "cpu", "vendor", "family", "model", "model_name", "microcode", "stepping", "cachesize"),
    vocabulary=Vocabulary.NODE_EXPORTER,
)  # fmt: skip
FLAG_INFO = MetricSpec(
    "node_cpu_flag_info", Kind.INFO, "A feature of the first CPU, as /proc/cpuinfo calls it.",
    ("flag",), vocabulary=Vocabulary.NODE_EXPORTER,
)  # fmt: skip
BUG_INFO = MetricSpec(
    "node_cpu_bug_info", Kind.INFO, "A hardware weakness that the kernel works around on the first CPU.",
    ("bug",), vocabulary=Vocabulary.NODE_EXPORTER,
)  # fmt: skip

_IDLE = stat.MODES.index("idle")
_GUEST = stat.MODES.index("guest")
# A CPU that was taken out and put back counts from zero; a smaller step back is the kernel's arithmetic.
_REPLUGGED_TICKS = 3 * stat.TICKS_PER_SECOND


class CpuCollector:
    """CPU time by core and mode, and throttling.

    ``guest`` adds the time given to virtual machines, ``info`` what each CPU is. The two regular
    expressions choose features and weaknesses of the first CPU, and switch ``info`` on.
    """

    name = "cpu"
    specs = (CPU_SECONDS, GUEST_SECONDS, CORE_THROTTLES, PACKAGE_THROTTLES, INFO, FLAG_INFO, BUG_INFO)
    may_block = False
    on_by_default = True

    def __init__(
        self,
        machine: Machine,
        *,
        guest: bool = True,
        info: bool = False,
        info_flags_include: str = "",
        info_bugs_include: str = "",
    ) -> None:
        self._proc = machine.proc
        self._throttles = cpu.CpuFiles(machine.sys, cpu.throttle_files)
        self._guest = guest
        self._info = info or bool(info_flags_include) or bool(info_bugs_include)
        self._flags = NameFilter("collector.cpu.info-flags", include=info_flags_include)
        self._bugs = NameFilter("collector.cpu.info-bugs", include=info_bugs_include)
        self._with_flags = bool(info_flags_include)
        self._with_bugs = bool(info_bugs_include)
        self._highest: dict[bytes, Sequence[int]] = {}
        self._series: dict[bytes, tuple[tuple[MetricSpec, ...], tuple[tuple[str, str], ...]]] = {}
        self._places: dict[cpu.Place, tuple[MetricSpec, tuple[str, ...]]] = {}

    def collect(self) -> Iterator[Sample]:
        """A sample per CPU and mode, and one per throttle counter."""
        highest: dict[bytes, Sequence[int]] = {}
        for number, ticks in stat.cpus(self._proc):
            before = self._highest.get(number)
            if before is not None and any(map(gt, before, ticks)):
                ticks = _never_back(before, ticks)  # noqa: PLW2901  the corrected reading replaces it
            highest[number] = ticks
            specs, labels = self._series.get(number) or self._name(number)
            # An old kernel has fewer modes, and map() ends with them.
            yield from map(Sample, specs, labels, [tick / stat.TICKS_PER_SECOND for tick in ticks])
        self._highest = highest
        for place, count in self._throttles.read():
            throttled, at = self._places.get(place) or self._name_place(place)
            yield Sample(throttled, at, count)
        if self._info:
            yield from self._describe()

    def _name(self, number: bytes) -> tuple[tuple[MetricSpec, ...], tuple[tuple[str, str], ...]]:
        text = str(int(number))
        modes = stat.MODES[:_GUEST]
        guest_modes = ("user", "nice") if self._guest else ()
        specs = (CPU_SECONDS,) * len(modes) + (GUEST_SECONDS,) * len(guest_modes)
        series = self._series[number] = specs, tuple((text, mode) for mode in (*modes, *guest_modes))
        return series

    def _name_place(self, place: cpu.Place) -> tuple[MetricSpec, tuple[str, ...]]:
        if place.core is None:
            named: tuple[MetricSpec, tuple[str, ...]] = PACKAGE_THROTTLES, (str(place.package),)
        else:
            named = CORE_THROTTLES, (str(place.package), str(place.core))
        self._places[place] = named
        return named

    def _describe(self) -> Iterator[Sample]:
        found = cpuinfo.read(self._proc)
        for one in found:
            labels = (
                one.package, one.core, one.number, one.vendor, one.family, one.model, one.model_name,
                one.microcode, one.stepping, one.cache_size,
            )  # fmt: skip
            yield Sample(INFO, labels, 1)
        if self._with_flags:
            yield from (
                Sample(FLAG_INFO, (flag,), 1) for flag in dict.fromkeys(found[0].flags) if self._flags.passes(flag)
            )
        if self._with_bugs:
            yield from (Sample(BUG_INFO, (bug,), 1) for bug in dict.fromkeys(found[0].bugs) if self._bugs.passes(bug))


def _never_back(before: Sequence[int], now: Sequence[int]) -> Sequence[int]:
    """The larger of both for each mode: idle and iowait may step back a little (proc(5)), and are no resets."""
    if len(before) != len(now) or before[_IDLE] - now[_IDLE] >= _REPLUGGED_TICKS:
        return now
    return [max(pair) for pair in zip(before, now, strict=True)]
