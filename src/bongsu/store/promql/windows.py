"""The windows of a range vector, worked through for all steps and series at once in bounded memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from bongsu.store.promql.labels import without_name
from bongsu.store.promql.values import Block, Context, Index, Mask, Matrix, Vector
from bongsu.store.series import Labels, Values

# Numbers worked on at a time: a few arrays of this size stay in the processor's second-level cache.
_AT_ONCE = 16_384
# Numbers a kernel is given at a time: it may make a dozen arrays of this size.
_NUMBERS_A_TIME = 500_000

Number = TypeVar("Number", np.float64, np.bool_)

Kernel = Callable[[Block, Index], tuple[Values, Mask]]
"""Takes a block and which of the steps it covers; gives values (S, t) and presence (t,) or (S, t)."""


class Walk:
    """Goes through the windows of a block from their first samples to their last, all windows abreast.

    Windows are in the order of their sizes, the longest first, so that those that still go on at
    position k are the first ones: ``order`` says which step each is. Arrays are (windows, series).
    """

    def __init__(self, block: Block) -> None:
        counts = block.last - block.first
        self.order: Index = np.argsort(-counts, kind="stable")
        self.counts: Index = counts[self.order]
        self.first: Index = block.first[self.order]
        self._block = block

    def chunks(self) -> Iterator[tuple[slice, Values]]:
        """Rows of the block, few enough at a time, and their values as (samples, series)."""
        rows = max(1, _AT_ONCE // max(1, len(self.order)))
        for begin in range(0, len(self._block.labels), rows):
            part = slice(begin, begin + rows)
            yield part, np.ascontiguousarray(self._block.values[part].T)

    def positions(self, start: int = 0) -> Iterator[tuple[int, Index]]:
        """For each position from ``start``: how many windows have a sample there, and at which index of the block."""
        if not len(self.counts):
            return
        ends = np.searchsorted(-self.counts, -np.arange(start, self.counts[0]), side="left")
        for position, windows in enumerate(ends.tolist(), start):
            yield windows, self.first[:windows] + position

    def back(self, sorted_values: Values) -> Values:
        """Results (windows, series) as (series, steps) in the order of the steps."""
        result = np.empty(sorted_values.shape[::-1])
        result[:, self.order] = sorted_values.T
        return result


def over_windows(
    context: Context, matrix: Matrix, kernel: Kernel, *, keep_name: bool = False, least: int = 1
) -> Vector:
    """What the kernel makes of each window of at least ``least`` samples; the metric's name goes unless kept."""
    steps = context.steps.count
    labels: list[Labels] = []
    values: list[Values] = []
    present: list[Mask] = []
    for block in matrix.blocks:
        enough = block.last - block.first >= least
        if not enough.any():
            continue
        chosen: Index = enough.nonzero()[0]
        rows = max(1, _NUMBERS_A_TIME // max(len(block.times), steps))
        for begin in range(0, len(block.labels), rows):
            context.spend(0)  # looks at the clock
            part = Block(
                block.labels[begin : begin + rows], block.times, block.values[begin : begin + rows],
                block.first[chosen], block.last[chosen], block.starts[chosen], block.ends[chosen],
            )  # fmt: skip
            found, there = kernel(part, chosen)
            there = np.broadcast_to(there, found.shape)
            if len(chosen) < steps:
                found, there = _spread(found, chosen, steps), _spread(there, chosen, steps)
            if not (some := there.any(axis=1)).all():
                part.labels = [part.labels[row] for row in np.flatnonzero(some).tolist()]
                found, there = found[some], there[some]
            labels.extend(part.labels if keep_name else map(without_name, part.labels))
            values.append(found)
            present.append(there)
    if not labels:
        return Vector((), np.empty((0, steps)), np.empty((0, steps), dtype=np.bool_))
    if len(values) == 1:
        return Vector(labels, values[0], present[0])
    return Vector(labels, np.concatenate(values), np.concatenate(present))


def _spread(found: NDArray[Number], chosen: Index, steps: int) -> NDArray[Number]:
    """Results of some of the steps, at their places among all."""
    result = np.zeros((len(found), steps), dtype=found.dtype)
    result[:, chosen] = found
    return result
