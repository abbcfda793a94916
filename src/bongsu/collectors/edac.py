"""Memory errors that the hardware found."""

from __future__ import annotations

from collections.abc import Iterator

from bongsu.collectors.device_file import absence
from bongsu.model.batch import Absence, Sample
from bongsu.model.errors import NoData
from bongsu.model.message import Message
from bongsu.model.metric import Kind, MetricSpec, Vocabulary
from bongsu.sources.root import Machine
from bongsu.sources.sysfs import edac


def _spec(name: str, text: str, *labels: str) -> MetricSpec:
    return MetricSpec(
        f"node_edac_{name}_total", Kind.COUNTER, text, ("controller", *labels), vocabulary=Vocabulary.NODE_EXPORTER
    )


CORRECTED = _spec("correctable_errors", "Memory errors that were corrected.")
UNCORRECTED = _spec("uncorrectable_errors", "Memory errors that could not be corrected: data was lost.")
ROW_CORRECTED = _spec(
    "csrow_correctable_errors", "Corrected memory errors of one row of chips; unknown: the row is not known.", "csrow"
)
ROW_UNCORRECTED = _spec(
    "csrow_uncorrectable_errors", "Uncorrected memory errors of one row of chips; unknown: the row is not known.",
    "csrow",
)  # fmt: skip


class EdacCollector:
    """Corrected and uncorrected memory errors by controller and row of chips."""

    name = "edac"
    specs = (CORRECTED, UNCORRECTED, ROW_CORRECTED, ROW_UNCORRECTED)
    may_block = False
    on_by_default = True

    def __init__(self, machine: Machine) -> None:
        self._sys = machine.sys
        self._controllers: list[tuple[str, str]] = []
        self._counters: list[tuple[MetricSpec, tuple[str, ...], str]] = []

    def collect(self) -> Iterator[Sample | Absence]:
        """Four counters a controller and two a row."""
        controllers = edac.controllers(self._sys)
        if not controllers:
            raise NoData(Message("no memory controller reports errors: no ECC memory, no driver, or a virtual machine"))
        if controllers != self._controllers:
            self._controllers = controllers
            self._counters = list(self._learn())
        for spec, labels, path in self._counters:
            try:
                yield Sample(spec, labels, edac.count(self._sys, path))
            except (OSError, ValueError) as error:
                yield absence(spec, labels, error, path.removeprefix(f"{edac.AT}/"))
                self._controllers = []  # its rows may have changed

    def _learn(self) -> Iterator[tuple[MetricSpec, tuple[str, ...], str]]:
        for folder, number in self._controllers:
            yield CORRECTED, (number,), f"{folder}/ce_count"
            yield ROW_CORRECTED, (number, "unknown"), f"{folder}/ce_noinfo_count"
            yield UNCORRECTED, (number,), f"{folder}/ue_count"
            yield ROW_UNCORRECTED, (number, "unknown"), f"{folder}/ue_noinfo_count"
            for row_folder, row in edac.rows(self._sys, folder):
                yield ROW_CORRECTED, (number, row), f"{row_folder}/ce_count"
                yield ROW_UNCORRECTED, (number, row), f"{row_folder}/ue_count"
