"""How fast series change: rate, increase, delta, and irate and idelta of the last two samples.

A window's samples seldom lie at its very ends, so what lies between the first and last of them is
stretched to the window's ends, as Prometheus 3 does it: fully where the end is nearer than 1.1 times
the average distance of samples, else by half of that distance; a counter never further back than to zero.
"""

from __future__ import annotations

import numpy as np

from bongsu.model.message import Message
from bongsu.store.promql.call import Call
from bongsu.store.promql.values import Block, Context, Index, Mask, Matrix, Vector
from bongsu.store.promql.windows import Walk, over_windows
from bongsu.store.series import NAME, Times, Values

_NEAR = 1.1
_FALL_ALONE = 1_000  # one addition over a slice takes as long as so many within a large array
_COUNTERS_END = ("_total", "_sum", "_count", "_bucket")


def rate(context: Context, call: Call) -> Vector:
    """Per second, counter resets made up for."""
    _warn_of_gauges(context, call.matrix(0))
    return _extrapolated(context, call.matrix(0), counter=True, per_second=True)


def increase(context: Context, call: Call) -> Vector:
    """Over the whole window, counter resets made up for."""
    _warn_of_gauges(context, call.matrix(0))
    return _extrapolated(context, call.matrix(0), counter=True, per_second=False)


def delta(context: Context, call: Call) -> Vector:
    """The change of a gauge over the whole window."""
    return _extrapolated(context, call.matrix(0), counter=False, per_second=False)


def irate(context: Context, call: Call) -> Vector:
    """Per second between the last two samples of a counter."""
    return over_windows(context, call.matrix(0), lambda block, _: _last_two(block, counter=True), least=2)


def idelta(context: Context, call: Call) -> Vector:
    """The difference of the last two samples of a gauge."""
    return over_windows(context, call.matrix(0), lambda block, _: _last_two(block, counter=False), least=2)


def _warn_of_gauges(context: Context, matrix: Matrix) -> None:
    names = {
        labels[0][1]
        for block in matrix.blocks
        if (block.last - block.first > 1).any()
        for labels in block.labels
        if labels and labels[0][0] == NAME
    }
    for name in sorted(names):
        if not name.endswith(_COUNTERS_END):
            message = Message(
                "{metric} might not be a counter: its name does not end in _total, _sum, _count or _bucket", metric=name
            )
            context.infos[str(message)] = message


def _extrapolated(context: Context, matrix: Matrix, *, counter: bool, per_second: bool) -> Vector:
    seconds = matrix.range_ms / 1000 if per_second else 1.0

    def kernel(block: Block, _: Index) -> tuple[Values, Mask]:
        head, tail = block.values[:, block.first], block.values[:, block.last - 1]
        with np.errstate(all="ignore"):
            change = tail - head
            if counter:
                _make_up_for_resets(block, change)
            return change * _stretch(block, head, change, counter, seconds), np.ones(len(block.first), np.bool_)

    return over_windows(context, matrix, kernel, least=2)


def _make_up_for_resets(block: Block, change: Values) -> None:
    """Adds what a counter had reached before each fall, in the order of the falls, so that sums round alike."""
    falls = block.values[:, 1:] < block.values[:, :-1]
    fallen = np.flatnonzero(falls.any(axis=1))
    if not len(fallen):
        return
    adds_at_once = int((block.last - block.first).max()) * len(fallen) * len(block.first)
    if np.count_nonzero(falls) * _FALL_ALONE > adds_at_once:
        change[fallen] = _with_all_falls(block, fallen, falls, change)
        return
    for row in fallen.tolist():
        before = np.flatnonzero(falls[row])  # the samples that a smaller one follows
        # a fall counts for the windows that hold both of its samples: these steps, since windows move forward
        begins = np.searchsorted(block.last, before + 2, side="left").tolist()
        ends = np.searchsorted(block.first, before, side="right").tolist()
        sums = change[row]
        for value, begin, end in zip(block.values[row, before].tolist(), begins, ends, strict=True):
            sums[begin:end] += value


def _with_all_falls(block: Block, rows: Index, falls: Mask, change: Values) -> Values:
    """The same for series that fall often, such as gauges by mistake: one addition for each sample."""
    lost = np.zeros((len(rows), len(block.times)))
    lost[:, 1:] = np.where(falls[rows], block.values[rows, :-1], 0.0)
    labels = [block.labels[row] for row in rows.tolist()]
    part = Block(labels, block.times, lost, block.first, block.last, block.starts, block.ends)
    walk = Walk(part)
    result = change[rows]
    for some, samples in walk.chunks():
        sums = np.ascontiguousarray(result[some][:, walk.order].T)
        for windows, at in walk.positions(1):
            sums[:windows] += samples[at]
        result[some] = walk.back(sums)
    return result


def _stretch(block: Block, head: Values, change: Values, counter: bool, seconds: float) -> Values:
    """By what the change between first and last sample is multiplied."""
    first_time, last_time = block.times[block.first], block.times[block.last - 1]
    sampled = _seconds(last_time - first_time)
    distance = sampled / (block.last - block.first - 1)
    to_start, to_end = _seconds(first_time - block.starts), _seconds(block.ends - last_time)
    near = distance * _NEAR
    to_start = np.where(to_start >= near, distance / 2, to_start)
    to_end = np.where(to_end >= near, distance / 2, to_end)
    if not counter:
        factor: Values = (sampled + to_start + to_end) / sampled
        return factor / seconds
    to_zero = sampled * (head / change)
    limited = (change > 0) & (head >= 0) & (to_zero < to_start)
    back = np.where(limited, to_zero, to_start)
    counted: Values = (sampled + back + to_end) / sampled
    return counted / seconds


def _seconds(milliseconds: Times) -> Values:
    return milliseconds.astype(np.float64) / 1000


def _last_two(block: Block, *, counter: bool) -> tuple[Values, Mask]:
    last, before = block.values[:, block.last - 1], block.values[:, block.last - 2]
    with np.errstate(all="ignore"):
        difference = last - before
        if counter:
            difference = np.where(last < before, last, difference)
            difference = difference / _seconds(block.times[block.last - 1] - block.times[block.last - 2])
    return difference, np.ones(len(block.first), np.bool_)
