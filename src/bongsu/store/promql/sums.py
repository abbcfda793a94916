"""Sums of windows that keep the digits which plain addition would lose.

Prometheus carries the rounding error of each addition along (Kahan's sum as Neumaier improved it). So do
we, in the same order, since means, deviations and slopes of large numbers show the difference.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from bongsu.store.promql.values import Block
from bongsu.store.promql.windows import Walk
from bongsu.store.series import Values

_NO_OVERFLOW = 1e140  # of as many smaller numbers as a window can have, even the squares have a finite sum

_Kind = Callable[[Walk, Values], Values]


def tame(values: Values) -> bool:
    """Whether all are finite and no sum of them or of their products can overflow."""
    return bool((np.abs(values) < _NO_OVERFLOW).all())


def add(total: Values, carry: Values, more: Values) -> None:
    """Adds to tame totals in place; ``carry`` takes what each rounding lost, exactly (Knuth's two-sum)."""
    new = total + more
    share = new - total
    more = more - share
    share -= new
    share += total
    share += more
    carry += share
    total[...] = new


def add_wild(total: Values, carry: Values, more: Values) -> tuple[Values, Values]:
    """The same for any numbers: from an infinite total no loss is carried on."""
    new = total + more
    lost = np.where(np.abs(total) >= np.abs(more), (total - new) + more, (more - new) + total)
    return new, np.where(np.isinf(new), 0.0, carry + lost)


def window_sums(block: Block) -> Values:
    """The sum of each window, (S, T)."""
    return _walked(block, _tame_sums, _wild_sums)


def window_means(block: Block) -> Values:
    """The mean of each window, (S, T); of numbers whose sum overflows too."""
    return _walked(block, _tame_means, _wild_means)


def window_variances(block: Block) -> Values:
    """The population variance of each window, (S, T), by Welford's recurrence."""
    return _walked(block, _tame_variances, _wild_variances)


def _walked(block: Block, tame_kind: _Kind, wild_kind: _Kind) -> Values:
    walk = Walk(block)
    result = np.empty((len(block.labels), len(block.first)))
    with np.errstate(all="ignore"):
        for rows, samples in walk.chunks():
            result[rows] = walk.back((tame_kind if tame(samples) else wild_kind)(walk, samples))
    return result


def _zeros(walk: Walk, samples: Values) -> Values:
    return np.zeros((len(walk.counts), samples.shape[1]))


def _tame_sums(walk: Walk, samples: Values) -> Values:
    total, carry = _zeros(walk, samples), _zeros(walk, samples)
    for windows, at in walk.positions():
        add(total[:windows], carry[:windows], samples[at])
    total += carry
    return total


def _wild_sums(walk: Walk, samples: Values) -> Values:
    total, carry = _zeros(walk, samples), _zeros(walk, samples)
    for windows, at in walk.positions():
        total[:windows], carry[:windows] = add_wild(total[:windows], carry[:windows], samples[at])
    return total + carry


def _tame_means(walk: Walk, samples: Values) -> Values:
    counts = walk.counts[:, None].astype(np.float64)
    total, carry = _zeros(walk, samples), _zeros(walk, samples)
    for windows, at in walk.positions():
        add(total[:windows], carry[:windows], samples[at])
    return total / counts + carry / counts


def _wild_means(walk: Walk, samples: Values) -> Values:
    """Sums as long as they are finite; from the sample that would overflow on, means of means."""
    counts = walk.counts[:, None].astype(np.float64)
    total, carry = samples[walk.first].copy(), _zeros(walk, samples)
    stepwise = np.zeros(total.shape, np.bool_)
    for count, (windows, at) in enumerate(walk.positions(1), 2):
        more, sum_so_far, lost, already = samples[at], total[:windows], carry[:windows], stepwise[:windows]
        new_sum, new_lost = add_wild(sum_so_far, lost, more)
        turns = ~already & np.isinf(new_sum)
        mean = np.where(turns, sum_so_far / (count - 1), sum_so_far)
        lost_of_mean = np.where(turns, lost / (count - 1), lost)
        share = (count - 1) / count
        new_mean, new_mean_lost = add_wild(share * mean, share * lost_of_mean, more / count)
        already |= turns
        total[:windows] = np.where(already, new_mean, new_sum)
        carry[:windows] = np.where(already, new_mean_lost, new_lost)
    return np.where(stepwise, total + carry, total / counts + carry / counts)


def _tame_variances(walk: Walk, samples: Values) -> Values:
    mean, mean_lost, squares, squares_lost = (_zeros(walk, samples) for _ in range(4))
    for count, (windows, at) in enumerate(walk.positions(), 1):
        more = samples[at]
        off = more - (mean[:windows] + mean_lost[:windows])
        add(mean[:windows], mean_lost[:windows], off / count)
        add(squares[:windows], squares_lost[:windows], off * (more - (mean[:windows] + mean_lost[:windows])))
    return (squares + squares_lost) / walk.counts[:, None]


def _wild_variances(walk: Walk, samples: Values) -> Values:
    mean, mean_lost, squares, squares_lost = (_zeros(walk, samples) for _ in range(4))
    for count, (n, at) in enumerate(walk.positions(), 1):
        more = samples[at]
        off = more - (mean[:n] + mean_lost[:n])
        mean[:n], mean_lost[:n] = add_wild(mean[:n], mean_lost[:n], off / count)
        product = off * (more - (mean[:n] + mean_lost[:n]))
        squares[:n], squares_lost[:n] = add_wild(squares[:n], squares_lost[:n], product)
    return (squares + squares_lost) / walk.counts[:, None]
