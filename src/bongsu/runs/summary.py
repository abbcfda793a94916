"""Sums up a run: what its record says becomes a report. Pure: reads nothing, invents nothing."""

from __future__ import annotations

import itertools
import math
import operator
import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import msgspec

from bongsu.model.run import (
    ChildrenUse,
    CpuUse,
    FunctionStat,
    IoUse,
    MemoryUse,
    Metadata,
    MonitorUse,
    Point,
    RunReport,
    Summary,
)
from bongsu.records.run_reading import Record

MEGABYTE = 1_000_000  # the source document's "MB"
_SAMPLED, _NOT_SAID = "sampled", "unknown"
#: Events that tell of something that could not be read or written.
ERRORS = frozenset({"error", "full", "unreadable", "left out", "torn"})


def report(metadata: Metadata, record: Record, functions: Mapping[str, FunctionStat] | None = None) -> RunReport:
    """The report of a run. Of one that goes on or was lost, the last sample is what is known."""
    end, points = record.end, record.points
    wall = end.at_seconds if end else record.until_seconds
    if record.own is not None and record.own.started:
        metadata = msgspec.structs.replace(metadata, started=record.own.started)  # what was written before is earlier
    if end is not None:
        metadata = msgspec.structs.replace(
            metadata, ended=metadata.started + end.at_seconds if metadata.started else None,
            exit_code=end.exit_code, signal=end.signal or "",
        )  # fmt: skip
    cpu = _cpu(metadata, record, wall)
    total = cpu.total_seconds
    processes = tuple(
        msgspec.structs.replace(row, cpu_share_ratio=min(1.0, row.cpu_seconds / total))
        if total and row.cpu_seconds is not None
        else row
        for row in record.processes
    )
    summary = Summary(
        wall_seconds=wall, cpu=cpu, memory=_memory(record), children=_children(record, wall), io=_io(points),
        voluntary_switches=_last(points, "voluntary_switches"), involuntary_switches=_last(points, "involuntary_switches"),
        max_threads=_most(_alive(points), "threads"), max_open_files=_most(_alive(points), "open_files"), samples=len(points),
        survivors=record.survivors,
    )  # fmt: skip
    return RunReport(
        metadata=metadata, summary=summary, function_stats=dict(functions or {}), samples=points, processes=processes,
        monitor=_monitor(record, len(points)), events=record.events,
    )  # fmt: skip


def used_by(point: Point) -> float | None:
    """CPU time of the tree up to a point: by the exact source, else what sampling knows."""
    if point.cpu_seconds is not None or point.attributed_cpu_seconds is None:
        return point.cpu_seconds
    return point.attributed_cpu_seconds + (point.unseen_cpu_seconds or 0.0)


def percents(
    points: Sequence[Point], value: Callable[[Point], float | None], interval_seconds: float
) -> Iterator[float | None]:
    """CPU use between each point and the one before it, in percent of one CPU; None where that is not known.

    The first counts from the start of the run. Points that are closer than half an interval say what the stretch
    up to them says, since the clocks behind them tick too coarsely for less. Of a process that ran already the first
    is at the start, and says nothing of its use.
    """
    before_at, before, percent = 0.0, 0.0, None
    for number, point in enumerate(points):
        now = value(point)
        if now is None:
            yield None
            continue
        past = point.at_seconds - before_at
        long = past >= interval_seconds / 2
        if past > 0 and (long or (percent is None and (number or len(points) == 1))):
            percent = max(0.0, now - before) / past * 100
            before_at, before = point.at_seconds, now
        yield percent


def _cpu(metadata: Metadata, record: Record, wall: float | None) -> CpuUse:
    end, points = record.end, record.points
    sources = {way: used for way, used in ((end.sources if end else None) or {}).items() if used is not None}
    source = (end.cpu_source if end else None) or ""
    total = sources.get(source)
    attributed = _attributed(record)
    if total is None:
        exact = _last(points, "cpu_seconds")
        if exact is not None:
            total, source = exact, source or (record.own.cpu_source if record.own else None) or _NOT_SAID
        elif attributed is not None:
            total, source = attributed + (_last(points, "unseen_cpu_seconds") or 0.0), _SAMPLED
    known = [percent for percent in percents(points, used_by, metadata.interval_seconds) if percent is not None]
    average = total / wall * 100 if total is not None and wall else None
    highest = max(known, default=None)
    if highest is not None and average is not None:
        highest = max(highest, average)
    if highest is not None and metadata.cpus:
        highest = min(highest, 100.0 * metadata.cpus)  # what a dead child leaves its parent comes all at once
    return CpuUse(
        total_seconds=total, source=source or _NOT_SAID, sources=sources,
        residual_seconds=max(0.0, total - attributed) if total is not None and attributed is not None else None,
        user_seconds=end.user_cpu_seconds if end else None, system_seconds=end.system_cpu_seconds if end else None,
        avg_percent=average, max_percent=highest,
    )  # fmt: skip


def _attributed(record: Record) -> float | None:
    """CPU time of the processes that are known by name; their own last words are newer than the last sample."""
    used = [row.cpu_seconds for row in record.processes if row.cpu_seconds is not None]
    sampled: float | None = _last(record.points, "attributed_cpu_seconds")
    if not used:
        return sampled
    return max(sum(used), sampled or 0.0)


def _memory(record: Record) -> MemoryUse:
    """Peaks and averages while there was a process. The largest process's own peak is exact, and the tree's is no less."""
    points, end = _alive(record.points), record.end
    over = record.points[-1].at_seconds if record.points else 0.0
    largest = _largest(record)
    rss = _average(points, "rss_bytes", over)
    highest = max((size for size in (_most(points, "rss_bytes"), largest) if size is not None), default=None)
    cgroup_peak = (end.cgroup_peak_bytes if end else None) or _most(points, "cgroup_bytes")
    return MemoryUse(
        peak_rss_bytes=highest, avg_rss_bytes=rss, peak_pss_bytes=_most(points, "pss_bytes"),
        avg_pss_bytes=_average(points, "pss_bytes", over), peak_uss_bytes=_most(points, "uss_bytes"),
        cgroup_peak_bytes=cgroup_peak, cgroup_peak_anon_bytes=_most(points, "cgroup_anon_bytes"),
        largest_process_rss_bytes=largest, avg_rss_mb=None if rss is None else rss / MEGABYTE,
        max_rss_mb=None if highest is None else highest / MEGABYTE,
    )  # fmt: skip


def _largest(record: Record) -> int | None:
    """The peak of the largest process. What wait4 says of it holds the monitor too, whose copy each program begins as.

    (fs/exec.c: a process keeps its highest RSS across execve.) So a value that is no larger than the monitor is none.
    """
    told = record.end.maxrss_bytes if record.end else None
    own = record.own.rss_bytes if record.own else None
    seen = max((row.peak_rss_bytes for row in record.processes if row.peak_rss_bytes is not None), default=None)
    if told is None or (own is not None and told <= own):
        return seen
    return told if seen is None else max(told, seen)


def _children(record: Record, wall: float | None) -> ChildrenUse:
    points = record.points
    over = points[-1].at_seconds if points else 0.0
    first = next((row for row in record.processes if row.index == 0), None)
    gone = first.end_seconds if first is not None and first.end_seconds is not None else math.inf
    others = [n - (at < gone) for at, n in ((p.at_seconds, p.processes) for p in _alive(points)) if n is not None]
    started, exited = _last(points, "started"), _last(points, "exited")
    first_ended = gone <= over
    used, size = _last(points, "children_cpu_seconds"), _average(_alive(points), "children_rss_bytes", over)
    most = max(others, default=None)
    if most == 0 and started is not None and started > 1:
        most = None  # all that there were came and went between two readings
    return ChildrenUse(
        max_count=most, started=None if started is None else max(0, started - 1),
        exited=None if exited is None else max(0, exited - first_ended),
        counted_by=record.own.counted_by if record.own else None,
        avg_cpu_percent=used / wall * 100 if used is not None and wall else None,
        avg_memory_mb=None if size is None else size / MEGABYTE,
    )  # fmt: skip


def _io(points: Sequence[Point]) -> IoUse:
    return IoUse(**{name: _last(points, name) for name in IoUse.__struct_fields__})


def _monitor(record: Record, samples: int) -> MonitorUse:
    own = record.own
    errors = tuple(dict.fromkeys(event.text for event in record.events if event.what in ERRORS))
    if own is None:
        return MonitorUse(samples=samples, errors=errors)
    return MonitorUse(
        cpu_seconds=own.cpu_seconds, rss_bytes=own.rss_bytes, samples=max(samples, own.samples or 0),
        missed_samples=own.missed or 0, late_seconds=own.late_seconds, errors=errors,
    )  # fmt: skip


def _last(points: Sequence[Point], name: str) -> Any:
    return next((value for point in reversed(points) if (value := getattr(point, name)) is not None), None)


def _most(points: Sequence[Point], name: str) -> int | None:
    values = map(operator.attrgetter(name), points)  # a day has many points
    return max((value for value in values if value is not None), default=None)


def _alive(points: Sequence[Point]) -> Sequence[Point]:
    """The points at which there was a process: the others say nothing of what one held."""
    return [point for point in points if point.processes != 0]


def _average(points: Sequence[Point], name: str, over: float) -> float | None:
    """Over time: each value holds until the next one, the last until ``over``."""
    known = [(point.at_seconds, value) for point in points if (value := getattr(point, name)) is not None]
    if not known:
        return None
    span = over - known[0][0]
    if span <= 0:
        return statistics.fmean(value for _at, value in known)
    known.append((over, 0))
    area: float = sum(value * (after - at) for (at, value), (after, _next) in itertools.pairwise(known))
    return area / span
