"""Writes samples, processes or functions of a report as CSV for spreadsheets."""

from __future__ import annotations

import contextlib
import csv
import datetime as dt
import io
from collections.abc import Iterator, Sequence
from typing import Any

from bongsu.model.run import FunctionStat, Point, ProcessRow, RunReport
from bongsu.model.utf8 import valid_text
from bongsu.runs.summary import MEGABYTE, percents, used_by

WHAT = ("samples", "processes", "functions")
#: The source document's names of what a sample holds; ours follow in their own columns.
DOCUMENT = (
    "timestamp", "elapsed_time", "cpu_percent", "cpu_time_total", "memory_rss_mb", "memory_vms_mb", "num_threads",
    "children_count", "children_cpu_percent", "children_memory_mb",
)  # fmt: skip
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")  # a spreadsheet would compute a text that begins so


def text(report: RunReport, what: str = "samples") -> str:
    """The table of what was asked for (one of `WHAT`); an empty cell is not known.

    Lines end in CR LF (RFC 4180). A text that a spreadsheet would take for a formula gets an apostrophe before it.
    """
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerows([_safe(cell) for cell in row] for row in _TABLES[what](report))
    return out.getvalue()


def _samples(report: RunReport) -> Iterator[Sequence[Any]]:
    fields = Point.__struct_fields__
    points, known = report.samples, report.metadata
    yield (*DOCUMENT, *fields)
    tree = percents(points, used_by, known.interval_seconds)
    children = percents(points, lambda point: point.children_cpu_seconds, known.interval_seconds)
    for point, percent, of_children in zip(points, tree, children, strict=True):
        yield (
            _iso(known.started + point.at_seconds, known.zone) if known.started else None,
            point.at_seconds,
            _round(percent),
            used_by(point),
            _megabytes(point.rss_bytes),
            _megabytes(point.vms_bytes),
            point.threads,
            None if point.processes is None else max(0, point.processes - 1),
            _round(of_children),
            _megabytes(point.children_rss_bytes),
            *(getattr(point, field) for field in fields),
        )


def _processes(report: RunReport) -> Iterator[Sequence[Any]]:
    fields = [field for field in ProcessRow.__struct_fields__ if field != "uses"]
    yield fields
    for row in report.processes:
        yield [getattr(row, field) for field in fields]


def _functions(report: RunReport) -> Iterator[Sequence[Any]]:
    fields = FunctionStat.__struct_fields__
    yield ("function", *fields)
    for name, one in report.function_stats.items():
        yield (name, *(getattr(one, field) for field in fields))


_TABLES = {"samples": _samples, "processes": _processes, "functions": _functions}


def _safe(cell: Any) -> Any:
    if not isinstance(cell, str):
        return cell
    cell = valid_text(cell).replace("\0", "\ufffd")
    return f"'{cell}" if cell.startswith(_FORMULA) else cell


def _iso(at: float, zone: str) -> str | None:
    """ISO 8601 in the zone of the machine that recorded, as "+0900"; None beyond the year 9999."""
    there: dt.tzinfo | None = dt.UTC
    with contextlib.suppress(ValueError):
        there = dt.datetime.strptime(zone, "%z").tzinfo
    try:
        return dt.datetime.fromtimestamp(at, there).isoformat(timespec="milliseconds")
    except (ValueError, OverflowError, OSError):
        return None


def _megabytes(value: int | None) -> float | None:
    return None if value is None else round(value / MEGABYTE, 6)


def _round(value: float | None) -> float | None:
    return None if value is None else round(value, 2)
