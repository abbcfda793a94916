"""Compares groups of runs, metric by metric; the unit is the run, never the sample."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from statistics import median
from typing import NamedTuple

from bongsu.model.comparison import Comparison, Difference, Group, Metric, Row, Side, Verdict
from bongsu.model.errors import BadInput
from bongsu.model.message import Message
from bongsu.model.run import Metadata, RunReport
from bongsu.records.run_folder import LOST
from bongsu.runs import comparable
from bongsu.runs.statistics import (
    ALPHA,
    holm,
    least_p,
    mann_whitney,
    median_interval,
    noise_floor,
    ratio_interval,
    runs_needed,
)

FUNCTION = "function:"  # before a function's name: its total time is a metric too, where it is asked for

METRICS = {
    metric.name: metric
    for metric in (
        Metric("wall", "wall time", "seconds", "slower", "faster"),
        Metric("cpu", "CPU time", "seconds"),
        Metric("pss", "peak PSS", "bytes"),
        Metric("rss", "peak RSS", "bytes"),
        Metric("largest", "largest RSS", "bytes"),
        Metric("read", "disk read", "bytes"),
        Metric("write", "disk written", "bytes"),
        Metric("processes", "processes", "count"),
        Metric("waits", "waits", "count"),
        Metric("preemptions", "preemptions", "count"),
    )
}
WALL = METRICS["wall"]


class Measured(NamedTuple):
    """One run as far as a comparison looks at it."""

    metadata: Metadata
    cpu_source: str
    values: dict[str, float | None]


def metrics_of(report: RunReport) -> dict[str, float | None]:
    """A run's numbers by the names of `METRICS`, and ``function:NAME`` for each function that was timed."""
    summary = report.summary
    numbers: dict[str, float | None] = {
        "wall": summary.wall_seconds,
        "cpu": summary.cpu.total_seconds,
        "pss": summary.memory.peak_pss_bytes,
        "rss": summary.memory.peak_rss_bytes,
        "largest": summary.memory.largest_process_rss_bytes,
        "read": summary.io.read_bytes,
        "write": summary.io.write_bytes,
        "processes": summary.children.started,
        "waits": summary.voluntary_switches,
        "preemptions": summary.involuntary_switches,
    }
    numbers.update({FUNCTION + name: stat.total_time for name, stat in report.function_stats.items()})
    return {name: None if value is None or not math.isfinite(value) else value for name, value in numbers.items()}


def measured(report: RunReport) -> Measured:
    """What of a report is compared. Of a run whose end nobody saw nothing is: its figures are those of a part of it."""
    values = metrics_of(report)
    if report.metadata.state == LOST:
        values = dict.fromkeys(values)
    return Measured(report.metadata, report.summary.cpu.source, values)


def metric_of(name: str) -> Metric:
    """The metric of this name.

    Raises:
        BadInput: there is none.
    """
    if name.startswith(FUNCTION) and name != FUNCTION:
        return Metric(name, name.removeprefix(FUNCTION), "seconds", "slower", "faster")
    if name not in METRICS:
        raise BadInput(
            Message(
                "there is no metric {name!r} of a run; there are: {all}, and function:NAME",
                name=name, all=", ".join(METRICS),
            )
        )  # fmt: skip
    return METRICS[name]


def compare(groups: Mapping[str, Sequence[Measured]], primary: Metric = WALL) -> Comparison:
    """Set each group against the first.

    The p-values of the primary metric are adjusted for the number of groups only, those of all others together for
    being many. Of a metric without a value, or with the same value in all runs, nothing is tested.

    Args:
        groups: runs by label, the baseline first.
        primary: what was to be compared; the others are looked at besides.

    Raises:
        BadInput: there is nothing to compare, or these runs cannot be.
    """
    ordered = {
        label: sorted(runs, key=lambda run: (run.metadata.started, run.metadata.id)) for label, runs in groups.items()
    }
    comparable.check({label: [run.metadata for run in runs] for label, runs in ordered.items()})
    labels = list(ordered)
    columns = {
        metric: [[run.values.get(metric.name) for run in ordered[label]] for label in labels]
        for metric in (primary, *(other for other in METRICS.values() if other != primary))
    }
    if not any(value is not None for values in columns[primary] for value in values):
        raise BadInput(Message("none of these runs has a value for {title}", title=primary.title))
    families = [[primary], [metric for metric in list(columns)[1:] if _known(columns[metric])]]
    rows = []
    for family in families:
        drawn = [(metric, _sides(labels, columns[metric])) for metric in family]
        rows += _judged(drawn)
    return Comparison(
        groups=tuple(
            Group(
                label=label,
                runs=tuple(run.metadata.id for run in runs),
                command=comparable.command(runs[0].metadata),
            )
            for label, runs in ordered.items()
        ),
        rows=tuple(rows),
        warnings=(
            *comparable.warnings({label: [run.metadata for run in runs] for label, runs in ordered.items()}),
            *comparable.cpu_warnings({label: [run.cpu_source for run in runs] for label, runs in ordered.items()}),
            *comparable.scatter(
                primary,
                [(run.metadata, run.values.get(primary.name), label) for label in labels for run in ordered[label]],
            ),
        ),
    )


def _known(columns: Sequence[Sequence[float | None]]) -> bool:
    """Whether some run has a value."""
    return any(value is not None for values in columns for value in values)


def _sides(labels: Sequence[str], columns: Sequence[Sequence[float | None]]) -> list[Side]:
    sides = []
    for label, values in zip(labels, columns, strict=True):
        known = [value for value in values if value is not None]
        low, high = (median_interval(known) if known else None) or (None, None)
        sides.append(
            Side(
                group=label,
                values=tuple(values),
                median=median(known) if known else None,
                median_low=low,
                median_high=high,
                noise_ratio=noise_floor(known),
            )
        )
    return sides


def _judged(drawn: Sequence[tuple[Metric, Sequence[Side]]]) -> list[Row]:
    """The rows of one family: what Holm adjusts together."""
    tested: dict[tuple[str, str], float] = {}
    for metric, sides in drawn:
        base = _values(sides[0])
        for side in sides[1:]:
            values = _values(side)
            if base and values and len({*base, *values}) > 1 and len(base) > 1 and len(values) > 1:
                tested[metric.name, side.group] = mann_whitney(base, values)
    adjusted = dict(zip(tested, holm(list(tested.values())), strict=True))
    return [
        Row(
            metric=metric,
            sides=tuple(sides),
            differences=tuple(
                _difference(
                    sides[0], side, tested.get((metric.name, side.group)), adjusted.get((metric.name, side.group)),
                    len(tested),
                )
                for side in sides[1:]
            ),
        )
        for metric, sides in drawn
    ]  # fmt: skip


def _difference(base: Side, side: Side, p: float | None, adjusted: float | None, tests: int) -> Difference:
    one, other = _values(base), _values(side)
    if not one or not other:
        return Difference(group=side.group, verdict=Verdict.NOT_KNOWN)
    middle = median(one)
    ratio = median(other) / middle if middle else None
    if len({*one, *other}) == 1:
        return Difference(group=side.group, verdict=Verdict.SAME, ratio=ratio)
    if p is None or adjusted is None:
        return Difference(group=side.group, verdict=Verdict.DESCRIBED, ratio=ratio, runs_needed=runs_needed())
    interval = _interval(one, other, ratio)
    needed = None
    if least_p(len(one), len(other)) * tests > ALPHA:
        verdict, needed = Verdict.MORE_RUNS, runs_needed(tests)
    elif adjusted > ALPHA:
        verdict = Verdict.NOT_SHOWN
    else:
        verdict = _direction(one, other, ratio)
    low, high = [end if math.isfinite(end) else None for end in interval] if interval else (None, None)
    return Difference(
        group=side.group,
        verdict=verdict,
        ratio=ratio,
        ratio_low=low,
        ratio_high=high,
        p=p,
        adjusted_p=adjusted,
        runs_needed=needed,
    )


def _direction(one: list[float], other: list[float], ratio: float | None) -> Verdict:
    """Which way a difference that the test has shown goes; none is claimed where ranks and medians disagree on that."""
    ranks = sum((b > a) - (b < a) for a in one for b in other)
    if ranks > 0 and (ratio is None or ratio > 1):
        return Verdict.HIGHER
    if ranks < 0 and (ratio is None or ratio < 1):
        return Verdict.LOWER
    return Verdict.NOT_SHOWN


def _interval(one: list[float], other: list[float], ratio: float | None) -> tuple[float, float] | None:
    """The interval, and never one that the ratio of medians lies outside of: it takes that in, and says less."""
    interval = ratio_interval(one, other)
    if interval is None or ratio is None:
        return interval
    return min(interval[0], ratio), max(interval[1], ratio)


def _values(side: Side) -> list[float]:
    return [value for value in side.values if value is not None]
