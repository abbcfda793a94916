"""What a run did over time, from its samples: rates of what adds up and levels of what does not, for any division of the time."""

from __future__ import annotations

import bisect
import math
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import NamedTuple

from bongsu.model.run import Point, RunReport

Values = list[float | None]


class Track(NamedTuple):
    """What is known of one figure: times in seconds since the start and values; an unknown value is not in it."""

    times: list[float]
    values: list[float]


def length(report: RunReport) -> float:
    """How long the record goes, in seconds: to the end of the run, else to the last that is known; 0 if nothing is."""
    ends = [report.summary.wall_seconds or 0.0]
    ends += [point.at_seconds for point in report.samples[-1:]]
    ends += [max(row.start_seconds, row.end_seconds or 0.0) for row in report.processes]
    return max(0.0, *ends)


def adding_up(
    samples: Sequence[Point],
    of: Callable[[Point], float | None],
    end: tuple[float, float] | None = None,
    apart: float = 0.0,
) -> Track:
    """A figure that only grows, with 0 at the start and, where it is known, its value at the end.

    Samples nearer to one another than ``apart`` seconds are passed over: clocks tick too coarsely for a rate between them.
    """
    times, values = [0.0], [0.0]
    for point in samples:
        value = of(point)
        if value is not None and point.at_seconds > times[-1] and point.at_seconds - times[-1] >= apart:
            times.append(point.at_seconds)
            values.append(max(float(value), values[-1]))  # a counter that fell was read from another place
    if end is not None and len(times) > 1 and 0 < end[0] - times[-1] < apart:
        del times[-1], values[-1]
    if end is not None and end[0] > times[-1] and end[1] >= values[-1]:
        times.append(end[0])
        values.append(end[1])
    return Track(times, values) if len(times) > 1 else Track([], [])


def level(samples: Sequence[Point], of: Callable[[Point], float | None]) -> Track:
    """A figure that goes up and down."""
    known = [(point.at_seconds, value) for point in samples if (value := of(point)) is not None]
    return Track([at for at, _ in known], [float(value) for _, value in known])


def cpu(report: RunReport) -> Track:
    """CPU seconds of the whole tree since the start; where nothing counted the tree, those of the processes that were read."""
    wall, use, apart = report.summary.wall_seconds, report.summary.cpu, report.metadata.interval_seconds / 2
    end = (wall, use.total_seconds) if wall is not None and use.total_seconds is not None else None
    if any(point.cpu_seconds is not None for point in report.samples):
        return adding_up(report.samples, lambda point: point.cpu_seconds, end, apart)
    if any(point.attributed_cpu_seconds is not None for point in report.samples):  # another way's total would be a leap
        return adding_up(report.samples, _read, end if use.source == "sampled" else None, apart)
    return adding_up((), _read, end)


def busy(report: RunReport, edges: Sequence[float]) -> Values:
    """How many CPUs were busy between each two edges; no more than there are, though a dead child's time comes at once."""
    most = report.metadata.cpus or math.inf
    return [None if value is None else min(value, most) for value in rates(cpu(report), edges)]


def memory(report: RunReport) -> tuple[str, Track]:
    """The memory of the tree by the best measure that was read often enough to draw, and which that is."""
    tracks = {
        "PSS": level(report.samples, lambda point: point.pss_bytes),
        "cgroup": level(report.samples, lambda point: point.cgroup_bytes),
        "RSS": level(report.samples, lambda point: point.rss_bytes),
    }
    enough = max(map(len, (track.times for track in tracks.values()))) / 2
    return next((name, track) for name, track in tracks.items() if len(track.times) >= enough)


def rates(track: Track, edges: Sequence[float]) -> Values:
    """What was added per second between each two edges: exact where samples lie on them, else as evenly as can be."""
    at = [_between(track, edge) for edge in edges]
    return [
        None if a is None or b is None or end <= begin else max(0.0, b - a) / (end - begin)
        for (begin, end), (a, b) in zip(pairwise(edges), pairwise(at), strict=True)
    ]


def highest(track: Track, edges: Sequence[float]) -> Values:
    """The highest value between each two edges, else the last before them; None before the first and after the last."""
    found: Values = []
    for begin, end in pairwise(edges):
        first = bisect.bisect_left(track.times, begin)
        behind = bisect.bisect_left(track.times, end)
        inside = track.values[first:behind]
        if inside:
            found.append(max(inside))
        elif first and first < len(track.times):
            found.append(track.values[first - 1])
        else:
            found.append(None)
    return found


def edges(seconds: float, count: int) -> list[float]:
    """The ends of so many equal parts of the time."""
    return [seconds * n / count for n in range(count + 1)]


def fewer(times: Sequence[float], columns: Sequence[Sequence[float | None]], most: int) -> list[int]:
    """Which samples to keep of many, so that the highest and the lowest of each column stay in each part of the time.

    At most about ``most`` of them, but never fewer than two for each column and part.
    """
    if len(times) <= most:
        return list(range(len(times)))
    parts = max(1, most // max(1, 2 * len(columns)))
    kept = {0, len(times) - 1}
    for part in range(parts):
        span = range(part * len(times) // parts, (part + 1) * len(times) // parts)
        for column in columns:
            known = [n for n in span if column[n] is not None]
            if known:
                kept.add(max(known, key=lambda n: _or(column[n])))
                kept.add(min(known, key=lambda n: _or(column[n])))
    return sorted(kept)


def _read(point: Point) -> float | None:
    """CPU time of what was read of processes, and of the children that they waited for."""
    known = point.attributed_cpu_seconds
    return None if known is None else known + (point.unseen_cpu_seconds or 0.0)


def _or(value: float | None) -> float:
    return math.nan if value is None else value


def _between(track: Track, at: float) -> float | None:
    """The value at a time, on the straight line between the two samples around it."""
    n = bisect.bisect_left(track.times, at)
    if n < len(track.times) and track.times[n] == at:
        return track.values[n]
    if n == 0 or n == len(track.times):
        return None
    before, after = track.times[n - 1], track.times[n]
    return track.values[n - 1] + (track.values[n] - track.values[n - 1]) * (at - before) / (after - before)
