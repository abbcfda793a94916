"""A run as JSON of the Trace Event Format, which Perfetto and chrome://tracing open: counters, a bar for each process, marks.

Fields are those of the document "Trace Event Format": ``ph`` X (complete), C (counter), i (instant), M (metadata);
``ts`` and ``dur`` in microseconds. https://docs.google.com/document/d/1CvAClvFfyA5R-PhYUmn5OOQtYMH4h6I0nSsKchNAySU
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

from bongsu.model.run import ProcessRow, RunReport
from bongsu.views import run_series as series
from bongsu.views.json_text import json_text
from bongsu.views.run_report import command, name

_MOST_FUNCTIONS = 100  # on the bar of the first process
_LONGEST = 2000  # characters of a command
_PID_MAX_LIMIT = 4_194_304  # of Linux (proc_sys_kernel(5))

Event = dict[str, Any]


def text(report: RunReport) -> str:
    """The document as JSON."""
    return json_text(document(report))


def document(report: RunReport) -> dict[str, Any]:
    """The document: ``traceEvents`` and, for who reads the file otherwise, ``otherData``."""
    meta, cpu = report.metadata, report.summary.cpu
    about = {
        "run": meta.id, "command": command(meta), "host": meta.host, "user": meta.user, "started": meta.started,
        "exit_code": meta.exit_code, "cpu_seconds": cpu.total_seconds, "cpu_source": cpu.source,
        "residual_seconds": cpu.residual_seconds, "bongsu": meta.version,
    }  # fmt: skip
    return {
        "displayTimeUnit": "ms",
        "otherData": {key: str(value) for key, value in about.items() if value is not None and value != ""},
        "traceEvents": list(_events(report)),
    }


def _events(report: RunReport) -> Iterator[Event]:
    first = _first(report)
    seconds = series.length(report)
    yield from _names(report, first)
    yield from _counters(report, first)
    for row in report.processes:
        yield _bar(row, seconds, _functions(report) if row.index == 0 else {})
    for event in report.events:
        yield {
            "ph": "i", "s": "g", "name": event.what or "event", "cat": "event", "ts": _micros(event.at_seconds),
            "pid": first, "tid": first, "args": {"text": event.text},
        }  # fmt: skip


def _first(report: RunReport) -> int:
    """The process that counters and marks stand at: the run's first."""
    known = [row.pid for row in report.processes if row.index == 0]
    return known[0] if known else report.metadata.pid or 1


def _names(report: RunReport, first: int) -> Iterator[Event]:
    """What rows are called, in the order in which processes began. A number that the kernel gave twice is one row."""
    called: dict[int, list[str]] = {first: []}
    for row in sorted(report.processes, key=lambda one: (one.start_seconds, one.index)):
        called.setdefault(_row(row), []).append(row.executable or row.command[:80])
    for order, (pid, names) in enumerate(called.items()):
        words = ", then ".join(dict.fromkeys(filter(None, names))) or (name(report.metadata) if pid == first else "?")
        for kind, args in (
            ("process_name", {"name": words}), ("thread_name", {"name": words}), ("process_sort_index", {"sort_index": order}),
        ):  # fmt: skip
            yield {"ph": "M", "name": kind, "pid": pid, "tid": pid, "args": args}


def _row(row: ProcessRow) -> int:
    """The row of a process: its number; many that share a bar have none, and get one that Linux gives to nobody."""
    return row.pid if row.count == 1 else _PID_MAX_LIMIT + row.index


def _counters(report: RunReport, pid: int) -> Iterator[Event]:
    samples = report.samples
    rates = (
        ("CPU (% of one)", "busy", series.cpu(report), 100.0),
        ("storage read (bytes/s)", "read", series.adding_up(samples, lambda point: point.read_bytes), 1.0),
        ("storage written (bytes/s)", "written", series.adding_up(samples, lambda point: point.write_bytes), 1.0),
    )
    for title, key, track, scale in rates:
        last = None
        for (at, a), (end, b) in pairwise(zip(track.times, track.values, strict=True)):
            last = scale * (b - a) / (end - at)
            yield _counter(title, pid, at, key, last)  # a counter holds until its next value
        if last is not None:
            yield _counter(title, pid, track.times[-1], key, last)
    levels = (
        ("memory RSS (bytes)", "rss", series.level(samples, lambda point: point.rss_bytes)),
        ("memory PSS (bytes)", "pss", series.level(samples, lambda point: point.pss_bytes)),
        ("memory cgroup (bytes)", "cgroup", series.level(samples, lambda point: point.cgroup_bytes)),
        ("processes", "processes", series.level(samples, lambda point: point.processes)),
        ("threads", "threads", series.level(samples, lambda point: point.threads)),
    )
    for title, key, track in levels:
        for at, value in zip(track.times, track.values, strict=True):
            yield _counter(title, pid, at, key, value)


def _counter(title: str, pid: int, at: float, key: str, value: float) -> Event:
    return {"ph": "C", "name": title, "pid": pid, "tid": pid, "ts": _micros(at), "args": {key: value}}


def _bar(row: ProcessRow, seconds: float, more: dict[str, Any]) -> Event:
    """A process from its start, or that of the record, to its end, or that of the record."""
    begin = max(0.0, row.start_seconds)
    end = max(begin, seconds if row.end_seconds is None else row.end_seconds)
    known = {
        "pid": row.pid if row.count == 1 else None, "processes": row.count if row.count > 1 else None,
        "lived_seconds_in_sum": row.lived_seconds, "command": row.command[:_LONGEST], "user": row.user, "exit_code": row.exit_code, "signal": row.signal,
        "cpu_seconds": row.cpu_seconds, "cpu_share_ratio": row.cpu_share_ratio, "peak_rss_bytes": row.peak_rss_bytes,
        "peak_pss_bytes": row.peak_pss_bytes, "threads": row.threads, "read_bytes": row.read_bytes,
        "write_bytes": row.write_bytes, **more,
    }  # fmt: skip
    args = {key: value for key, value in known.items() if value is not None and value != ""}
    if row.start_seconds < 0:
        args["began_before_seconds"] = -row.start_seconds
    if row.end_seconds is None:
        args["end"] = "lived when the record ended"
    called = row.executable or row.command[:80] or "?"
    return {
        "ph": "X", "name": called if row.count == 1 else f"{called} ({row.count} short processes)", "cat": "process", "ts": _micros(begin),
        "dur": _micros(end) - _micros(begin), "pid": _row(row), "tid": _row(row), "args": args,
    }  # fmt: skip


def _functions(report: RunReport) -> dict[str, Any]:
    ranked = sorted(report.function_stats.items(), key=lambda item: -item[1].total_time)[:_MOST_FUNCTIONS]
    if not ranked:
        return {}
    return {
        "functions": {
            key: {"calls": one.count, "total_seconds": one.total_time, "cpu_seconds": one.cpu_time, "self_seconds": one.self_time}
            for key, one in ranked
        }
    }  # fmt: skip


def _micros(seconds: float) -> int:
    return max(0, round(seconds * 1e6))
