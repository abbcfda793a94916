"""Minute buckets: what the coarser tier keeps of the samples of one minute."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bongsu.store.layout import codec
from bongsu.store.layout.schema import MINUTE_MS
from bongsu.store.layout.segments import Flags, Group, Ids
from bongsu.store.series import Times, Values

# A counter's rate is told between samples that are no farther apart; PromQL's lookback.
FARTHEST_MS = 300_000
LAST, LOW, HIGH, TOTAL = range(4)  # rows of Buckets.fields
FIELDS = 4


class Shape(NamedTuple):
    """When buckets are and what went into them; the same for many series. All arrays are (B,).

    ``ends`` name the buckets: ``(end - MINUTE_MS, end]``, ascending. ``at`` is when each one's last sample was,
    ``counts`` how many went into it that are not NaN. ``covered`` (counters) is the time, ms, between the samples that
    the increase and the rates are told from.
    """

    counter: bool
    ends: Times
    at: Times
    counts: Times
    covered: Times


class Buckets(NamedTuple):
    """Buckets of series of one shape; ``fields`` is (FIELDS, S, B), rows in the order of ``ids``.

    LAST is the last sample as it was, stale mark or NaN too. Of counters LOW and HIGH are the lowest and highest rate
    per second from one sample to the next (to 7 digits, LOW rounded down and HIGH up), TOTAL the increase, both from
    the last sample before the bucket on; a value below the one before is a reset, after which counting began at 0.
    They are NaN where no two samples could be compared: farther apart than FARTHEST_MS, or one not a finite number (a
    stale mark ends a series). Of others they are minimum, maximum and sum of what is not NaN; NaN where all is.
    """

    shape: Shape
    ids: Ids
    fields: Values


class Before(NamedTuple):
    """The newest sample of a series before a window."""

    at: int
    value: float


NOTHING = Before(0, float("nan"))


def build(groups: Sequence[Group], counters: Ids, before: Mapping[int, Before]) -> Iterator[Buckets]:
    """The buckets of one window. ``counters`` are the series that count; ``before`` is known of those."""
    for group in groups:
        counting = np.isin(group.ids, counters)
        for rows, of_one in ((np.flatnonzero(~counting), _others), (np.flatnonzero(counting), None)):
            if not rows.size:
                continue
            values = group.values if rows.size == group.ids.size else group.values[rows]
            ids = group.ids[rows]
            if of_one is not None:
                for some, valid in _by_mask(np.isnan(values)):
                    yield of_one(ids[some], group.times, values[some], valid)
                continue
            bases = [before.get(one, NOTHING) for one in ids.tolist()]
            at = np.array([base.at for base in bases], dtype=np.int64)
            base_values = np.array([base.value for base in bases])
            at[~np.isfinite(base_values)] = 0
            for some, valid in _by_mask(~np.isfinite(values)):
                for base_at in np.unique(at[some]).tolist():
                    these = some[at[some] == base_at]
                    yield _counters(ids[these], group.times, values[these], valid, base_at, base_values[these])


def _by_mask(invalid: Flags) -> Iterator[tuple[NDArray[np.intp], Flags | None]]:
    """Rows by where they are not valid, and where they are; None for everywhere."""
    bad = invalid.any(axis=1)
    good = np.flatnonzero(~bad)
    if good.size:
        yield good, None
    rows = np.flatnonzero(bad)
    if rows.size:
        _, first, which = np.unique(np.packbits(invalid[rows], axis=1), axis=0, return_index=True, return_inverse=True)
        for number, one in enumerate(first.tolist()):
            yield rows[which.ravel() == number], ~invalid[rows[one]]


def _places(times: Times) -> tuple[Times, NDArray[np.intp], NDArray[np.intp]]:
    """The buckets' ends, and where in ``times`` each one starts and ends."""
    names = -(-times // MINUTE_MS) * MINUTE_MS
    starts = np.flatnonzero(np.diff(names, prepend=names[0] - 1))
    return names[starts], starts, np.append(starts[1:], times.size) - 1


def _others(ids: Ids, times: Times, values: Values, valid: Flags | None) -> Buckets:
    ends, starts, lasts = _places(times)
    last = values[:, lasts]
    if valid is None:
        count = lasts - starts + 1
        low = np.minimum.reduceat(values, starts, axis=1)
        high = np.maximum.reduceat(values, starts, axis=1)
        with np.errstate(invalid="ignore", over="ignore"):
            total = np.add.reduceat(values, starts, axis=1)
    else:
        count = np.add.reduceat(valid.astype(np.int64), starts)
        low = np.minimum.reduceat(np.where(valid, values, np.inf), starts, axis=1)
        high = np.maximum.reduceat(np.where(valid, values, -np.inf), starts, axis=1)
        with np.errstate(invalid="ignore", over="ignore"):
            total = np.add.reduceat(np.where(valid, values, 0.0), starts, axis=1)
        for field in (low, high, total):
            field[:, count == 0] = np.nan
    fields = np.stack([last, low, high, _tidy(total, np.concatenate([low, high], axis=1))])
    shape = Shape(False, ends, times[lasts], count.astype(np.int64), np.zeros(ends.size, np.int64))
    return Buckets(shape, ids, fields)


def _tidy(totals: Values, values: Values) -> Values:
    """Sums of decimals without the last bits that adding them up made, where the sum is the same but for these."""
    scaled = codec.scale(values)
    for scale in np.unique(scaled.scale).tolist():
        if 0 < scale < 10:
            rows = np.flatnonzero(scaled.scale == scale)
            power = 10.0**scale
            with np.errstate(invalid="ignore", over="ignore"):
                near = np.rint(totals[rows] * power) / power
                totals[rows] = np.where(np.abs(near - totals[rows]) <= np.abs(near) * 1e-13, near, totals[rows])
    return totals


def _counters(ids: Ids, times: Times, values: Values, valid: Flags | None, base_at: int, base: Values) -> Buckets:
    ends, starts, lasts = _places(times)
    values = np.concatenate([base[:, None], values], axis=1)
    times = np.append(np.int64(base_at), times)
    fine = np.ones(times.size, np.bool_)
    fine[0] = base_at > 0
    if valid is not None:
        fine[1:] = valid
    spans = np.diff(times)
    pairs = fine[1:] & fine[:-1] & (spans <= FARTHEST_MS) & (spans > 0)
    with np.errstate(invalid="ignore", over="ignore", divide="ignore"):
        steps = np.diff(values, axis=1)
        reset = steps < 0
        resets = bool(reset.any())
        if resets:
            np.copyto(steps, values[:, 1:], where=reset)
        rates = steps / (spans / 1000.0)
        low, high = rates, rates
        if not pairs.all():
            low, high = np.where(pairs, rates, np.inf), np.where(pairs, rates, -np.inf)
        low = np.minimum.reduceat(low, starts, axis=1)
        high = np.maximum.reduceat(high, starts, axis=1)
        total = values[:, lasts + 1] - values[:, starts]  # one difference is more exact than a sum of them
        whole = np.logical_and.reduceat(pairs, starts)
        if not whole.all():
            total = np.where(whole, total, np.add.reduceat(np.where(pairs, steps, 0.0), starts, axis=1))
        if resets:
            again = np.logical_or.reduceat(reset, starts, axis=1)
            total = np.where(again, np.add.reduceat(np.where(pairs, steps, 0.0), starts, axis=1), total)
    covered = np.add.reduceat(np.where(pairs, spans, 0), starts)
    for field in (low, high, total):
        field[:, covered == 0] = np.nan
    count = np.add.reduceat(fine[1:].astype(np.int64), starts)
    fields = np.stack([values[:, lasts + 1], _outward(low, -np.inf), _outward(high, np.inf), total])
    return Buckets(Shape(True, ends, times[lasts + 1], count, covered), ids, fields)


def _outward(rates: Values, direction: float) -> Values:
    """The next number of 24 bits: 7 digits are enough for the edge of a band, and take half the room."""
    with np.errstate(over="ignore", invalid="ignore"):
        short = rates.astype(np.float32)
        wrong = short > rates if direction < 0 else short < rates
        short[wrong] = np.nextafter(short[wrong], np.float32(direction))
    return short.astype(np.float64)


def newest_before(buckets: Sequence[Buckets], start: int) -> dict[int, Before]:
    """The last sample of each counter in these buckets, which are in order of time, if not too far before ``start``."""
    found: dict[int, Before] = {}
    for one in buckets:
        if one.shape.counter and one.shape.at[-1] >= start - FARTHEST_MS:
            at = int(one.shape.at[-1])
            for series, value in zip(one.ids.tolist(), one.fields[LAST, :, -1].tolist(), strict=True):
                if at >= found.get(series, NOTHING).at:
                    found[series] = Before(at, value)
    return found


def combined(shape: Shape, fields: Values) -> tuple[Shape, Values]:
    """Buckets in the order in which they were written: in order of time, and of each minute the one written last.

    Who writes one of a minute that has one already makes it from all samples (`writing.rebuild`).
    """
    order = np.argsort(shape.ends, kind="stable")
    ends = shape.ends[order]
    newest = order[np.append(ends[1:] != ends[:-1], np.True_)]
    return Shape(shape.counter, *(column[newest] for column in shape[1:])), fields[:, :, newest]
