"""Straight lines through the samples of a window: deriv and predict_linear."""

from __future__ import annotations

import numpy as np

from bongsu.store.promql.call import Call
from bongsu.store.promql.sums import add, add_wild, tame
from bongsu.store.promql.values import Block, Context, Index, Mask, Vector
from bongsu.store.promql.windows import Walk, over_windows
from bongsu.store.series import Times, Values


def deriv(context: Context, call: Call) -> Vector:
    """The slope per second by least squares."""

    def kernel(block: Block, _: Index) -> tuple[Values, Mask]:
        slope, _intercept = _line(block, block.times[block.first])
        return slope, np.ones(len(block.first), np.bool_)

    return over_windows(context, call.matrix(0), kernel, least=2)


def predict_linear(context: Context, call: Call) -> Vector:
    """Where the line will be so many seconds after the step."""
    ahead = call.scalar(1).values
    moments = context.steps.times

    def kernel(block: Block, steps: Index) -> tuple[Values, Mask]:
        slope, intercept = _line(block, moments[steps])
        with np.errstate(all="ignore"):
            return slope * ahead[steps] + intercept, np.ones(len(block.first), np.bool_)

    return over_windows(context, call.matrix(0), kernel, least=2)


def _line(block: Block, origins: Times) -> tuple[Values, Values]:
    """Slope per second and value at the origin of each window's line, both (S, T).

    The arithmetic follows Prometheus' step by step: what is left of large sums after their difference
    depends on how each was rounded.
    """
    walk = Walk(block)
    slope = np.empty((len(block.labels), len(block.first)))
    intercept = np.empty_like(slope)
    count = walk.counts[:, None].astype(np.float64)
    origin = origins[walk.order]
    with np.errstate(all="ignore"):
        x = _sums_of_times(walk, block, origin)
        spread = x.squares - x.sum * x.sum / count
        for rows, samples in walk.chunks():
            y, xy, constant = _sums_of_values(walk, block, origin, samples)
            steep = (xy - x.sum * y / count) / spread
            at_origin = y / count - steep * x.sum / count
            start = samples[walk.first]
            # 0, but NaN where the constant is infinite
            slope[rows] = walk.back(np.where(constant, start * 0.0, steep))
            intercept[rows] = walk.back(np.where(constant, start, at_origin))
    return slope, intercept


class _Times:
    """Sums over the times of each window, (windows, 1)."""

    def __init__(self, windows: int) -> None:
        self.sum = np.zeros((windows, 1))
        self.squares = np.zeros((windows, 1))


def _seconds(times: Times, origin: Times) -> Values:
    return ((times - origin).astype(np.float64) / 1000)[:, None]


def _sums_of_times(walk: Walk, block: Block, origin: Times) -> _Times:
    sums = _Times(len(origin))
    carry = _Times(len(origin))
    for n, at in walk.positions():
        x = _seconds(block.times[at], origin[:n])
        add(sums.sum[:n], carry.sum[:n], x)
        add(sums.squares[:n], carry.squares[:n], x * x)
    sums.sum += carry.sum
    sums.squares += carry.squares
    return sums


def _sums_of_values(walk: Walk, block: Block, origin: Times, samples: Values) -> tuple[Values, Values, Mask]:
    """Sums of the values and of their products with the times, and which windows hold one value only."""
    shape = (len(origin), samples.shape[1])
    y, y_lost, xy, xy_lost = (np.zeros(shape) for _ in range(4))
    constant = np.ones(shape, np.bool_)
    start = samples[walk.first]
    is_tame = tame(samples)
    for position, (n, at) in enumerate(walk.positions()):
        value = samples[at]
        product = value * _seconds(block.times[at], origin[:n])
        if position:
            constant[:n] &= value == start[:n]
        if is_tame:
            add(y[:n], y_lost[:n], value)
            add(xy[:n], xy_lost[:n], product)
        else:
            y[:n], y_lost[:n] = add_wild(y[:n], y_lost[:n], value)
            xy[:n], xy_lost[:n] = add_wild(xy[:n], xy_lost[:n], product)
    return y + y_lost, xy + xy_lost, constant
