"""How fast each CPU runs, and between which limits."""

from __future__ import annotations

from collections.abc import Iterator

from bongsu.model.batch import Absence, Sample, Why
from bongsu.model.errors import NoData
from bongsu.model.message import Message
from bongsu.model.metric import Kind, MetricSpec, Vocabulary
from bongsu.sources.root import Machine
from bongsu.sources.sysfs import cpufreq
from bongsu.sources.sysfs.cpu import CpuFiles


def _spec(name: str, text: str) -> MetricSpec:
    return MetricSpec(name, Kind.GAUGE, text, ("cpu",), "hertz", Vocabulary.NODE_EXPORTER)


HERTZ = _spec("node_cpu_frequency_hertz", "Frequency at which the hardware says the CPU runs; only root may read it.")
MIN_HERTZ = _spec("node_cpu_frequency_min_hertz", "Lowest frequency of the hardware.")
MAX_HERTZ = _spec("node_cpu_frequency_max_hertz", "Highest frequency of the hardware.")
SCALING_HERTZ = _spec("node_cpu_scaling_frequency_hertz", "Frequency that the kernel's driver last set or measured.")
SCALING_MIN_HERTZ = _spec("node_cpu_scaling_frequency_min_hertz", "Lowest frequency that the present policy allows.")
SCALING_MAX_HERTZ = _spec("node_cpu_scaling_frequency_max_hertz", "Highest frequency that the present policy allows.")

_BY_FILE = (HERTZ, MIN_HERTZ, MAX_HERTZ, SCALING_HERTZ, SCALING_MIN_HERTZ, SCALING_MAX_HERTZ)


class CpufreqCollector:
    """CPU frequencies and their limits."""

    name = "cpufreq"
    specs = _BY_FILE
    may_block = False
    on_by_default = True

    def __init__(self, machine: Machine) -> None:
        self._sys = machine.sys
        self._files = CpuFiles(machine.sys, cpufreq.files)
        self._forbidden: bool | None = None  # asked once: what we may read does not change while we run
        self._series: dict[cpufreq.Which, tuple[MetricSpec, tuple[str]]] = {}

    def collect(self) -> Iterator[Sample | Absence]:
        """A sample per CPU and file that its driver offers."""
        readings = self._files.read()
        if not readings:
            raise NoData(
                Message("no CPU frequencies: the kernel has no frequency driver here, as in most virtual machines")
            )
        if self._forbidden is None:
            self._forbidden = cpufreq.is_forbidden(self._sys)
        if self._forbidden:
            yield Absence(
                HERTZ, ("",), Why.FORBIDDEN, Message("only root may ask the hardware for its frequency"),
                Message("use {name}, or run as root", name=SCALING_HERTZ.name),
            )  # fmt: skip
        for which, kilohertz in readings:
            series = self._series.get(which)
            if series is None:
                series = self._series[which] = (_BY_FILE[which.file], (which.cpu,))
            yield Sample(*series, kilohertz * 1000)
