"""The tables on the page of a run: its processes as bars over time, in groups where they are many, and its functions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bongsu.model.run import FunctionStat, ProcessRow, RunReport
from bongsu.views.printable import printable
from bongsu.views.run_rows import how_many

MOST_PROCESSES = 1000
MOST_FUNCTIONS = 500
_LONGEST = 400  # characters of a command line
_BINS = 120  # of a group's strip
PROCESSES = (
    "index", "pid", "parent", "command", "executable", "user", "start", "end", "exit", "signal", "cpu", "share", "memory", "threads",
    "read", "write", "count",
)  # fmt: skip
GROUPS = ("executable", "count", "failed", "cpu", "memory", "start", "end", "alive")
FUNCTIONS = (
    "name", "task", "kind", "count", "total", "self", "average", "longest", "cpu", "cpuError", "errors", "running", "processes",
)  # fmt: skip


def processes(report: RunReport, since: float, until: float) -> dict[str, Any]:
    """Rows in the order of `PROCESSES`, those that used most CPU if there are too many, and the groups of all by program.

    Of a group, ``alive`` is how many of its processes lived at most in each of equal parts of the time asked for.
    """
    rows = report.processes
    shown = sorted(rows, key=lambda row: -(row.cpu_seconds or 0.0))[:MOST_PROCESSES]
    by_program: dict[str, list[ProcessRow]] = {}
    for row in rows:
        by_program.setdefault(row.executable, []).append(row)
    return {
        "columns": PROCESSES,
        "rows": [_process(row) for row in sorted(shown, key=lambda row: (row.start_seconds, row.index))],
        "groupColumns": GROUPS,
        "groups": [_group(name, group, since, until) for name, group in by_program.items()],
        "total": how_many(rows),
    }


def functions(stats: dict[str, FunctionStat]) -> dict[str, Any]:
    """Rows in the order of `FUNCTIONS`, those with most time first."""
    ranked = sorted(stats.items(), key=lambda item: (-item[1].total_time, item[0]))
    return {
        "columns": FUNCTIONS,
        "rows": [
            [
                printable(name), printable(one.task), one.kind, one.count, one.total_time, one.self_time, one.avg_time,
                one.max_time, one.cpu_time, one.cpu_error, one.errors, one.running, one.processes,
            ]
            for name, one in ranked[:MOST_FUNCTIONS]
        ],
        "total": len(ranked),
    }  # fmt: skip


def _process(row: ProcessRow) -> list[Any]:
    return [
        row.index, row.pid, row.parent, printable(row.command[:_LONGEST]), printable(row.executable), printable(row.user),
        _round(row.start_seconds), _round(row.end_seconds), row.exit_code, printable(row.signal), _round(row.cpu_seconds),
        row.cpu_share_ratio, row.peak_rss_bytes, row.threads, row.read_bytes, row.write_bytes, row.count,
    ]  # fmt: skip


def _group(name: str, rows: Sequence[ProcessRow], since: float, until: float) -> list[Any]:
    ends = [row.end_seconds for row in rows]
    known = [end for end in ends if end is not None]
    spent = [row.cpu_seconds for row in rows if row.cpu_seconds is not None]
    sizes = [row.peak_rss_bytes for row in rows if row.peak_rss_bytes is not None]
    return [
        printable(name), how_many(rows), sum(1 for row in rows if row.exit_code or row.signal), _round(sum(spent)) if spent else None,
        max(sizes, default=None), _round(min(row.start_seconds for row in rows)),
        _round(max(known)) if len(known) == len(ends) else None, _alive(rows, since, until),
    ]  # fmt: skip


def _alive(rows: Sequence[ProcessRow], since: float, until: float) -> list[int]:
    width = (until - since) / _BINS
    if width <= 0:
        return []
    changes = [0] * (_BINS + 1)
    for row in rows:
        end = until if row.end_seconds is None else row.end_seconds
        many = 1
        if row.lived_seconds is not None and end > row.start_seconds:  # as many as that makes on average
            many = max(1, round(row.lived_seconds / (end - row.start_seconds)))
        if end < since or row.start_seconds > until:
            continue
        changes[min(_BINS - 1, max(0, int((row.start_seconds - since) / width)))] += many
        changes[min(_BINS - 1, max(0, int((end - since) / width))) + 1] -= many
    alive, now = [], 0
    for change in changes[:_BINS]:
        now += change
        alive.append(now)
    return alive


def _round(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 4)
