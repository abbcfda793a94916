"""CSV for spreadsheets: one table of what was asked for, which computes nothing by itself."""

from __future__ import annotations

import csv
import io
from typing import Any

import msgspec
import pytest

import run_reports
from bongsu.model.run import RunReport
from bongsu.runs.export_csv import DOCUMENT, WHAT, text


def table(report: RunReport, what: str = "samples") -> list[dict[str, str]]:
    """The rows by their columns."""
    return list(csv.DictReader(io.StringIO(text(report, what))))


def test_the_documents_columns_come_first_and_agree_with_ours() -> None:
    """Percent between samples, MB of a million bytes, times in the zone of the machine; not known is empty."""
    made = run_reports.training()
    made = msgspec.structs.replace(made, metadata=msgspec.structs.replace(made.metadata, zone="+0900"))
    first, second, *_ = table(made)
    assert tuple(first)[: len(DOCUMENT)] == DOCUMENT
    assert first["timestamp"] == "2026-01-01T09:01:00.000+09:00"
    assert (second["elapsed_time"], second["cpu_percent"], second["cpu_time_total"]) == ("120.0", "250.0", "300.0")
    assert float(first["memory_rss_mb"]) == pytest.approx(int(first["rss_bytes"]) / 1e6)
    assert (first["num_threads"], first["children_count"], first["memory_vms_mb"]) == ("48", "4", "")
    assert (first["children_cpu_percent"], first["children_memory_mb"]) == ("", "")


def test_processes_and_functions() -> None:
    """One row each, with all that is known."""
    made = run_reports.training()
    assert [row["function"] for row in table(made, "functions")] == list(made.function_stats)
    rows = table(made, "processes")
    assert [row["command"] for row in rows] == [row.command for row in made.processes]
    assert "uses" not in rows[0]


@pytest.mark.parametrize("what", WHAT)
@pytest.mark.parametrize("make", run_reports.ALL, ids=lambda make: make.__name__)
def test_every_report_is_a_table_that_computes_nothing(make: Any, what: str) -> None:
    """Of all kinds of runs; every row has all columns, and no text begins as a formula does."""
    rows = list(csv.reader(io.StringIO(text(make(), what))))
    assert len({len(row) for row in rows}) == 1
    for row in rows[1:]:
        for cell in row:
            assert not cell.startswith(("=", "+", "@")), cell
            cell.encode("utf-8")


@pytest.mark.parametrize("command", ["=1+1", "+1", "-1", "@A1", "\t=1", "\n=1"])
def test_a_formula_is_disarmed(command: str) -> None:
    """A command may begin with an equals sign, or with what a spreadsheet passes over before one."""
    made = run_reports.sleeping()
    row = msgspec.structs.replace(made.processes[0], command=command)
    assert table(msgspec.structs.replace(made, processes=(row,)), "processes")[0]["command"] == f"'{command}"


def test_a_start_that_no_calendar_has_is_not_known() -> None:
    """Whatever stands in run.json, the rest of the table is there."""
    made = run_reports.sleeping()
    made = msgspec.structs.replace(made, metadata=msgspec.structs.replace(made.metadata, started=1e300))
    assert {row["timestamp"] for row in table(made)} == {""}


def test_a_row_of_many_processes_says_so() -> None:
    """How many, and how long they lived in sum."""
    first, many = table(run_reports.crowded(), "processes")
    assert (first["count"], many["count"], many["lived_seconds"]) == ("1", "50000", "40.0")
