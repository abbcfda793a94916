"""Runs that were never recorded, behind what the page asks for runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bongsu.model.run import RunReport
from bongsu.records.run_list import RunRow
from bongsu.runs.reporting import row_of


class Shelf:
    """Holds reports; what is put there or changed is seen at the next look."""

    directory = "/home/alice/.local/state/bongsu/runs"

    def __init__(self, reports: Sequence[RunReport]) -> None:
        self.reports = {report.metadata.id: report for report in reports}
        self.alive: dict[int, tuple[float, str]] = {}

    def listed(self) -> Sequence[RunRow]:
        """A row for each."""
        return [row_of(name, one.metadata, one.summary) for name, one in self.reports.items()]

    def report(self, run: str) -> RunReport | None:
        """One of them."""
        return self.reports.get(run)

    def members(self) -> Mapping[int, tuple[float, str]]:
        """Processes of runs that go on."""
        return self.alive
