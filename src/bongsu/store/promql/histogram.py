"""Classic histograms: histogram_quantile() and histogram_fraction() over series with the label ``le``.

Within a bucket, observations are taken to be spread evenly.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from bongsu.model.message import Message
from bongsu.store.promql.call import Call
from bongsu.store.promql.labels import without_name
from bongsu.store.promql.quantiles import check_quantiles
from bongsu.store.promql.values import Context, Index, Mask, Vector
from bongsu.store.series import Labels, Values

_BOUND = "le"
_SAME = 1e-12  # counts that differ by less, relative to their sum, differ by rounding only
_LEAST_NORMAL = 2.0**-1022
_DECIMAL = re.compile(r"[+-]?(\d+(_\d+)*(\.(\d+(_\d+)*)?)?|\.\d+(_\d+)*)(e[+-]?\d+(_\d+)*)?", re.ASCII | re.IGNORECASE)
_HEXADECIMAL = re.compile(r"[+-]?0x([0-9a-f]+\.?[0-9a-f]*|\.[0-9a-f]+)p[+-]?\d+", re.ASCII | re.IGNORECASE)

Bounds = tuple[float, ...]
Counts = Values  # (buckets, columns): a column is one histogram at one step
OfColumns = Callable[[Bounds, Counts, Index], Values]
"""Takes the ascending bounds, the counts and the step of each column."""


def histogram_quantile(context: Context, call: Call) -> Vector:
    """Below which value the wanted part of the observations lies."""
    wanted = call.scalar(0).values
    check_quantiles(context, wanted)

    def quantiles(bounds: Bounds, counts: Counts, steps: Index) -> Values:
        found, forced = _quantiles(bounds, counts, wanted[steps])
        if forced:
            message = Message("buckets of a histogram that hold less than the one below were taken for equal to it")
            context.infos[str(message)] = message
        return found

    return _of_histograms(context, call.vector(1), quantiles)


def histogram_fraction(context: Context, call: Call) -> Vector:
    """Which part of the observations lies between two values."""
    lower, upper = call.scalar(0).values, call.scalar(1).values

    def fractions(bounds: Bounds, counts: Counts, steps: Index) -> Values:
        return _fractions(bounds, counts, lower[steps], upper[steps])

    return _of_histograms(context, call.vector(2), fractions)


@dataclass(slots=True)
class _Histogram:
    """The rows of a vector that are one histogram's buckets."""

    rows: list[tuple[float, int]] = field(default_factory=list)  # upper bound, row


def _of_histograms(context: Context, vector: Vector, result: OfColumns) -> Vector:
    histograms = _grouped(context, vector)
    steps: int = vector.values.shape[1]
    values, present = np.zeros((len(histograms), steps)), np.zeros((len(histograms), steps), np.bool_)
    alike: dict[Bounds, list[int]] = {}
    for number, histogram in enumerate(histograms.values()):
        histogram.rows.sort()
        alike.setdefault(tuple(bound for bound, _ in histogram.rows), []).append(number)
    everything = list(histograms.values())
    for bounds, numbers in alike.items():
        rows = np.array([[row for _, row in everything[number].rows] for number in numbers])
        here = vector.present[rows].transpose(1, 0, 2).reshape(len(bounds), -1)
        counts = vector.values[rows].transpose(1, 0, 2).reshape(len(bounds), -1)
        found = np.zeros(counts.shape[1])
        for some, columns in _by_presence(here):
            buckets = np.flatnonzero(some)
            with np.errstate(all="ignore"):
                found[columns] = result(
                    tuple(bounds[bucket] for bucket in buckets.tolist()),
                    counts[np.ix_(buckets, columns)],
                    columns % steps,
                )
        values[numbers] = found.reshape(len(numbers), steps)
        present[numbers] = here.any(axis=0).reshape(len(numbers), steps)
    return Vector([without_name(labels) for labels in histograms], values, present)


def _grouped(context: Context, vector: Vector) -> dict[Labels, _Histogram]:
    """Histograms by their labels."""
    found: dict[Labels, _Histogram] = {}
    for row in np.flatnonzero(vector.present.any(axis=1)).tolist():
        labels = vector.labels[row]
        text = dict(labels).get(_BOUND, "")
        bound = _number(text)
        if bound is None:
            message = Message('the label le="{value}" of a bucket is not a number', value=text)
            context.warnings[str(message)] = message
            continue
        key = tuple(label for label in labels if label[0] != _BOUND)
        found.setdefault(key, _Histogram()).rows.append((bound, row))
    return found


def _number(text: str) -> float | None:
    """A bucket's bound as Go reads numbers: stricter than Python on spaces and overflow."""
    if text.lstrip("+-").lower() in ("inf", "infinity") and len(text) - len(text.lstrip("+-")) <= 1:
        return -math.inf if text[0] == "-" else math.inf
    if _DECIMAL.fullmatch(text):
        number = float(text)
    elif _HEXADECIMAL.fullmatch(text):
        try:
            number = float.fromhex(text)
        except OverflowError:
            return None
    else:
        return None
    return None if math.isinf(number) else number


def _by_presence(present: Mask) -> Iterator[tuple[Mask, Index]]:
    """Columns that have the same rows, and which; columns that have none are left out."""
    if present.all():
        if present.size:
            yield present[:, 0], np.arange(present.shape[1])
        return
    patterns, which = np.unique(present, axis=1, return_inverse=True)
    which = which.reshape(-1)
    for number in range(patterns.shape[1]):
        if patterns[:, number].any():
            yield patterns[:, number], np.flatnonzero(which == number)


def _merged(bounds: Bounds, counts: Counts) -> tuple[Values, Counts]:
    """Buckets with the same bound made one."""
    kept: list[float] = []
    sums: list[Values] = []
    for bound, count in zip(bounds, counts, strict=True):
        if kept and kept[-1] == bound:
            sums[-1] = sums[-1] + count
        else:
            kept.append(bound)
            sums.append(count)
    return np.array(kept), np.array(sums)


def _quantiles(some_bounds: Bounds, some_counts: Counts, wanted: Values) -> tuple[Values, bool]:
    """The quantiles, and whether counts had to be corrected for them."""
    outside: Values = np.where(wanted < 0, -np.inf, np.where(wanted > 1, np.inf, np.nan))
    inside = (wanted >= 0) & (wanted <= 1)
    if not inside.any() or some_bounds[-1] != math.inf:
        return np.where(inside, np.nan, outside), False
    bounds, counts = _merged(some_bounds, some_counts)
    forced = _made_ascending(counts, inside)
    last = len(bounds) - 1
    if last < 1:
        return np.where(inside, np.nan, outside), False
    rank = wanted * counts[last]
    bucket = _first_reaching(counts, rank, last)
    columns = np.arange(len(wanted))
    below = np.maximum(bucket - 1, 0)
    before = np.where(bucket > 0, counts[below, columns], 0.0)
    start = np.where(bucket > 0, bounds[below], 0.0)
    share = (rank - before) / (counts[bucket, columns] - before)
    values = start + (bounds[bucket] - start) * share
    values = np.where((bucket == 0) & (bounds[0] <= 0), bounds[0], values)
    values = np.where(bucket == last, bounds[last - 1], values)
    values = np.where(counts[last] == 0, np.nan, values)
    return np.where(inside, values, outside), forced


def _made_ascending(counts: Counts, asked: Mask) -> bool:
    """Lifts, in place, counts that are below the bucket before to that; whether by more than rounding explains."""
    forced = False
    for bucket in range(1, len(counts)):
        before, count = counts[bucket - 1], counts[bucket]
        least = (before == 0) | (count == 0) | (np.abs(before) + np.abs(count) < _LEAST_NORMAL)
        difference = np.abs(before - count)
        relative = difference / np.minimum(np.abs(before) + np.abs(count), np.finfo(np.float64).max)
        same = (before == count) | np.where(least, difference < _SAME * _LEAST_NORMAL, relative < _SAME)
        less = (count < before) & ~same
        forced = forced or bool((less & asked).any())
        counts[bucket] = np.where(same | less, before, count)
    return forced


def _first_reaching(counts: Counts, rank: Values, last: int) -> Index:
    """The first bucket whose count reaches the rank, by bisection: that settles what NaN counts lead to."""
    low, high = np.zeros(len(rank), np.intp), np.full(len(rank), last, np.intp)
    columns = np.arange(len(rank))
    while (low < high).any():
        middle = (low + high) // 2
        open_still = low < high
        reached = counts[np.minimum(middle, last), columns] >= rank
        high = np.where(open_still & reached, middle, high)
        low = np.where(open_still & ~reached, middle + 1, low)
    return low


def _fractions(some_bounds: Bounds, some_counts: Counts, lower: Values, upper: Values) -> Values:
    if some_bounds[-1] != math.inf:
        return np.full(len(lower), np.nan)
    bounds, counts = _merged(some_bounds, some_counts)
    total = counts[-1]
    low, high = (_rank_of(limit, bounds.tolist(), counts) for limit in (lower, upper))
    result = np.where(lower >= upper, 0.0, (high - low) / total)
    return np.where((total == 0) | np.isnan(lower) | np.isnan(upper), np.nan, result)


def _rank_of(limit: Values, bounds: list[float], counts: Counts) -> Values:
    """How many observations lie below the limits; the lowest bucket has no lower end, so nothing is known within it."""
    found, missing = counts[-1].copy(), np.ones(len(limit), np.bool_)
    rank, start = np.zeros(len(limit)), -math.inf
    for end, count in zip(bounds, counts, strict=True):
        before, within = missing & (start >= limit), missing & (start < limit) & (end > limit)
        inside = rank + (count - rank) * (limit - start) / (end - start)
        found = np.where(before, rank, np.where(within, inside, found))
        missing &= ~(before | within)
        rank, start = count, end
    ranks: Values = np.where(found > counts[-1], counts[-1], found)
    return ranks


__all__: Sequence[str] = ["histogram_fraction", "histogram_quantile"]
