"""Functions of the values in a window: avg_over_time and its kin, changes and resets."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from bongsu.store.promql.call import Call
from bongsu.store.promql.quantiles import check_quantiles, quantile_of_sorted
from bongsu.store.promql.sums import window_means, window_sums, window_variances
from bongsu.store.promql.values import Block, Context, Index, Mask, Vector
from bongsu.store.promql.windows import Kernel, over_windows
from bongsu.store.series import Values

_AT_ONCE = 1_000_000  # samples sorted at a time


def _of_values(result: Callable[[Block], Values]) -> Kernel:
    def kernel(block: Block, _: Index) -> tuple[Values, Mask]:
        return result(block), np.ones(len(block.first), np.bool_)

    return kernel


def sum_over_time(context: Context, call: Call) -> Vector:
    """The sum."""
    return over_windows(context, call.matrix(0), _of_values(window_sums))


def avg_over_time(context: Context, call: Call) -> Vector:
    """The mean."""
    return over_windows(context, call.matrix(0), _of_values(window_means))


def stdvar_over_time(context: Context, call: Call) -> Vector:
    """The population variance."""
    return over_windows(context, call.matrix(0), _of_values(window_variances))


def stddev_over_time(context: Context, call: Call) -> Vector:
    """The population standard deviation."""
    return over_windows(context, call.matrix(0), _of_values(lambda block: np.sqrt(window_variances(block))))


def min_over_time(context: Context, call: Call) -> Vector:
    """The least value; NaN only where there is nothing else."""
    return over_windows(context, call.matrix(0), _of_values(lambda block: _extremes(block, np.fmin)))


def max_over_time(context: Context, call: Call) -> Vector:
    """The greatest value; NaN only where there is nothing else."""
    return over_windows(context, call.matrix(0), _of_values(lambda block: _extremes(block, np.fmax)))


def count_over_time(context: Context, call: Call) -> Vector:
    """How many samples."""
    return over_windows(context, call.matrix(0), _of_values(lambda block: _for_all(block, block.last - block.first)))


def present_over_time(context: Context, call: Call) -> Vector:
    """1 where there is a sample."""
    return over_windows(context, call.matrix(0), _of_values(lambda block: _for_all(block, np.ones_like(block.first))))


def last_over_time(context: Context, call: Call) -> Vector:
    """The last value, under the metric's own name."""
    return over_windows(
        context, call.matrix(0), _of_values(lambda block: block.values[:, block.last - 1]), keep_name=True
    )


def changes(context: Context, call: Call) -> Vector:
    """How often a value differs from the one before; one NaN is like another."""

    def differs(block: Block) -> Mask:
        left, right = block.values[:, :-1], block.values[:, 1:]
        different: Mask = (left != right) & ~(np.isnan(left) & np.isnan(right))
        return different

    return over_windows(context, call.matrix(0), _of_values(lambda block: _pairs(block, differs(block))))


def resets(context: Context, call: Call) -> Vector:
    """How often a value is less than the one before."""
    return over_windows(
        context, call.matrix(0), _of_values(lambda block: _pairs(block, block.values[:, 1:] < block.values[:, :-1]))
    )


def quantile_over_time(context: Context, call: Call) -> Vector:
    """The quantile of the values, between two of them in proportion."""
    wanted = call.scalar(0).values

    def kernel(block: Block, steps: Index) -> tuple[Values, Mask]:
        check_quantiles(context, wanted[steps])
        result = np.empty((len(block.labels), len(block.first)))
        counts = block.last - block.first
        for count in np.unique(counts).tolist():
            windows = np.flatnonzero(counts == count)
            most = max(1, _AT_ONCE // (count * len(block.labels)))
            for begin in range(0, len(windows), most):
                some = windows[begin : begin + most]
                samples = block.values[:, block.first[some][:, None] + np.arange(count)]
                samples.sort(axis=-1)
                result[:, some] = quantile_of_sorted(wanted[steps[some]], samples)
        return result, np.ones(len(block.first), np.bool_)

    return over_windows(context, call.matrix(1), kernel)


def _for_all(block: Block, values: Index) -> Values:
    return np.broadcast_to(values.astype(np.float64), (len(block.labels), len(values)))


def _pairs(block: Block, found: Mask) -> Values:
    """How many neighbours within each window were found; whole numbers, so differences of sums are exact."""
    before = np.zeros((len(block.labels), len(block.times)), dtype=np.int64)
    np.cumsum(found, axis=1, out=before[:, 1:])
    return (before[:, block.last - 1] - before[:, block.first]).astype(np.float64)


def _extremes(block: Block, better: np.ufunc) -> Values:
    """Best of each window from the best of the two stretches of a power of two that cover it."""
    counts = block.last - block.first
    levels = np.frexp(counts)[1] - 1  # floor(log2(count))
    result = np.empty((len(block.labels), len(block.first)))
    best = block.values  # of the 2**level samples from here on
    for level in range(int(levels.max()) + 1):
        if level:
            half = 1 << (level - 1)
            best = better(best[:, :-half], best[:, half:])
        here = np.flatnonzero(levels == level)
        if len(here):
            result[:, here] = better(best[:, block.first[here]], best[:, block.last[here] - (1 << level)])
    return result
