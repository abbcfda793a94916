"""What the page of a run is told: its samples, processes and functions, few enough for a browser, every text safe to show."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

from bongsu.model.run import Point, ProcessRow, RunReport
from bongsu.views import run_series as series
from bongsu.views.printable import printable
from bongsu.views.run_rows import how_many, program
from bongsu.views.units import count_text

MOST_SAMPLES = 3000
MOST_PROCESSES = 10_000
MOST_EVENTS = 1000
_LONGEST = 400  # characters of a command

PROCESS_KEYS = (
    "pid", "start", "end", "command", "program", "user", "exit", "signal", "cpu", "share", "rss", "pss", "threads", "count",
)  # fmt: skip
FUNCTION_KEYS = ("name", "calls", "total", "self", "mean", "longest", "cpu", "error", "errors", "running")


class _Line(NamedTuple):
    legend: str
    values: list[float | None]
    seldom: bool = False  # read less often than the others


def document(report: RunReport) -> dict[str, Any]:
    """What the page's script reads: ``seconds``, ``charts``, ``processes``, ``functions``, ``events``, ``notes``."""
    notes: list[str] = []
    charts = _charts(report, notes)
    return {
        "seconds": series.length(report), "charts": charts, "processes": _processes(report, notes),
        "functions": _functions(report), "events": _events(report, notes), "notes": notes,
    }  # fmt: skip


def _charts(report: RunReport, notes: list[str]) -> list[dict[str, Any]]:
    points = _with_ends(report)
    times = [point.at_seconds for point in points]
    charts = [
        ("CPU", "ratio", "steps", [
            _Line("all", _busy(report, points, lambda point: point.cpu_seconds)),
            _Line("processes seen by name", _busy(report, points, lambda point: point.attributed_cpu_seconds)),
        ]),
        ("Memory", "bytes", "lines", [
            _level("RSS", points, lambda point: point.rss_bytes), _level("PSS", points, lambda point: point.pss_bytes),
            _level("USS", points, lambda point: point.uss_bytes), _level("cgroup", points, lambda point: point.cgroup_bytes),
        ]),
        ("Storage", "bytes/s", "steps", [
            _Line("read", _rates(points, lambda point: point.read_bytes)),
            _Line("written", _rates(points, lambda point: point.write_bytes)),
        ]),
        ("Processes and threads", "count", "steps", [
            _level("processes", points, lambda point: point.processes), _level("threads", points, lambda point: point.threads),
        ]),
    ]  # fmt: skip
    known = [
        (title, unit, how, [line for line in lines if any(value is not None for value in line.values)])
        for title, unit, how, lines in charts
    ]
    kept = series.fewer(times, [line.values for _, _, _, lines in known for line in lines], MOST_SAMPLES)
    if len(kept) < len(times):
        notes.append(
            f"Of {count_text(len(times))} samples the charts show {count_text(len(kept))}: in each part of the time the "
            "highest and the lowest value of every line."
        )
    return [
        {
            "title": title, "unit": unit, "how": how, "times": [times[n] for n in kept],
            "lines": [
                {"legend": line.legend, "seldom": line.seldom, "values": [line.values[n] for n in kept]} for line in lines
            ],
        }
        for title, unit, how, lines in known
    ]  # fmt: skip


def _with_ends(report: RunReport) -> list[Point]:
    """The samples, and what is known of the start and the end: nothing was used yet, and the total."""
    wall, total = report.summary.wall_seconds, report.summary.cpu.total_seconds
    points = [point for point in report.samples if point.at_seconds > 0]
    if wall is not None and total is not None and wall > (points[-1].at_seconds if points else 0.0):
        points.append(Point(at_seconds=wall, cpu_seconds=total))
    return [Point(at_seconds=0.0), *points] if points else []


def _busy(report: RunReport, points: Sequence[Point], of: Callable[[Point], float | None]) -> list[float | None]:
    """How many CPUs were busy; no more than there are, though the time of a dead child comes all at once."""
    most = report.metadata.cpus or math.inf
    found = _rates(points, of, report.metadata.interval_seconds / 2)
    return [None if value is None else min(value, most) for value in found]


def _rates(points: Sequence[Point], of: Callable[[Point], float | None], apart: float = 0.0) -> list[float | None]:
    """At each sample, what was added per second since the one before it; at the start, the same as after it.

    Samples nearer than ``apart`` seconds say what the stretch before them says: clocks tick too coarsely for a rate.
    """
    found: list[float | None] = []
    before: tuple[float, float] | None = (0.0, 0.0)
    for point in points[1:]:
        value = of(point)
        if value is None:
            found.append(None)
            before = None
            continue
        lasts = 0.0 if before is None else point.at_seconds - before[0]
        if before is not None and lasts < apart and found:
            found.append(found[-1])
            continue
        found.append(max(0.0, value - before[1]) / lasts if before is not None and lasts > 0 else None)
        before = (point.at_seconds, float(value))
    return [*found[:1], *found]


def _level(legend: str, points: Sequence[Point], of: Callable[[Point], float | None]) -> _Line:
    values = [of(point) for point in points]
    known = [n for n, value in enumerate(values) if value is not None]
    seldom = bool(known) and any(after - at > 1 for at, after in pairwise(known))
    return _Line(legend, [None if value is None else float(value) for value in values], seldom)


def _processes(report: RunReport, notes: list[str]) -> list[list[Any]]:
    rows = sorted(report.processes, key=lambda row: (row.start_seconds, row.index))
    if len(rows) > MOST_PROCESSES:
        chosen = sorted(rows, key=lambda row: -(row.cpu_seconds or 0.0))[:MOST_PROCESSES]
        notes.append(
            f"Of {count_text(how_many(rows))} processes the {count_text(how_many(chosen))} that used most CPU time are in this page; "
            "`bongsu report export` to .json or .csv gives all."
        )
        rows = sorted(chosen, key=lambda row: (row.start_seconds, row.index))
    return [_process(row) for row in rows]


def _process(row: ProcessRow) -> list[Any]:
    return [
        row.pid, row.start_seconds, row.end_seconds, printable(row.command[:_LONGEST]), printable(program(row.executable)[:_LONGEST]) if row.executable else "",
        printable(row.user), row.exit_code, printable(row.signal), row.cpu_seconds, row.cpu_share_ratio, row.peak_rss_bytes,
        row.peak_pss_bytes, row.threads, row.count,
    ]  # fmt: skip


def _functions(report: RunReport) -> list[list[Any]]:
    return [
        [
            printable(name), one.count, one.total_time, one.self_time, one.avg_time,
            one.max_time, one.cpu_time, one.cpu_error, one.errors, one.running,
        ]
        for name, one in sorted(report.function_stats.items(), key=lambda item: -item[1].total_time)
    ]  # fmt: skip


def _events(report: RunReport, notes: list[str]) -> list[list[Any]]:
    if len(report.events) > MOST_EVENTS:
        notes.append(
            f"Of {count_text(len(report.events))} events the first {count_text(MOST_EVENTS)} are in this page."
        )
    return [[one.at_seconds, printable(one.what), printable(one.text)] for one in report.events[:MOST_EVENTS]]
