"""Aggregations: one value a group and step, of all series of the group that are present there."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import promql_parser as ast
from numpy.typing import NDArray

from bongsu.model.message import Message
from bongsu.store.promql import ranked
from bongsu.store.promql.labels import leave_out, only
from bongsu.store.promql.quantiles import check_quantiles
from bongsu.store.promql.values import Context, Mask, PromqlError, Scalar, Text, Value, Vector
from bongsu.store.series import Labels, Values


@dataclass(frozen=True, slots=True)
class Groups:
    """Series sorted by group: those of group g are rows ``starts[g]`` up to ``starts[g + 1]`` of the arrays."""

    labels: Sequence[Labels]  # of the groups
    starts: NDArray[np.intp]  # (G,)
    sizes: NDArray[np.intp]  # (G,)
    values: Values  # (S, T)
    present: Mask  # (S, T)

    @property
    def counts(self) -> NDArray[np.intp]:
        """How many series are present in each group and step."""
        counted: NDArray[np.intp] = np.add.reduceat(self.present, self.starts, axis=0, dtype=np.intp)
        return counted


def evaluate(context: Context, node: ast.AggregateExpr, parameter: Value | None, vector: Vector) -> Vector:
    """What the aggregation ``node`` makes of a vector.

    Raises:
        PromqlError: a parameter out of its range, or an aggregation that is not supported.
    """
    op = str(node.op)
    names = list(node.modifier.labels) if node.modifier is not None else []
    without = node.modifier is not None and node.modifier.type == ast.AggModifierType.Without
    if op == "count_values":
        assert isinstance(parameter, Text)
        return ranked.count_values(vector, parameter.value, names, without=without)
    key = leave_out(names) if without else only(names)
    if op in {"topk", "bottomk", "quantile"}:
        assert isinstance(parameter, Scalar)
        ids: dict[Labels, int] = {}
        rows: list[list[int]] = []
        for row, labels in enumerate(vector.labels):
            number = ids.setdefault(key(labels), len(rows))
            if number == len(rows):
                rows.append([])
            rows[number].append(row)
        if op == "quantile":
            check_quantiles(context, parameter.values)
            return ranked.quantile(vector, list(ids), rows, parameter.values)
        return ranked.topmost(vector, rows, parameter.values, largest=op == "topk")
    fold = _FOLDS.get(op)
    if fold is None:
        raise PromqlError("unsupported", Message("the aggregation {name} is not supported", name=op))
    if not vector.labels:
        return vector
    groups = _grouped(vector, key)
    values = fold(groups)
    return Vector(groups.labels, values, groups.counts > 0)


def _grouped(vector: Vector, key: Callable[[Labels], Labels]) -> Groups:
    """The series of a vector in the order of their groups."""
    ids: dict[Labels, int] = {}
    numbers = np.array([ids.setdefault(key(labels), len(ids)) for labels in vector.labels], dtype=np.intp)
    order = np.argsort(numbers, kind="stable")
    sizes = np.bincount(numbers, minlength=len(ids))
    starts = np.concatenate(([0], np.cumsum(sizes)[:-1]))
    if len(ids) == 1:
        return Groups(list(ids), starts, sizes, vector.values, vector.present)
    return Groups(list(ids), starts, sizes, vector.values[order], vector.present[order])


def _sum(groups: Groups) -> Values:
    """The sum, its rounding errors summed apart (Prometheus too loses none of them).

    Neighbours are added pairwise until one number a group is left; -0 is what an absent series adds.
    """
    return _sum_of(groups, np.where(groups.present, groups.values, -0.0))


def _sum_of(groups: Groups, values: Values) -> Values:
    """The compensated sum of each group over rows in which the absent are -0."""
    errors = np.zeros_like(values)
    starts, sizes = groups.starts, groups.sizes
    while (sizes > 1).any():
        places = np.arange(len(values)) - np.repeat(starts, sizes)  # of a row in its group
        firsts = np.flatnonzero(places % 2 == 0)
        paired = places[firsts] + 1 < np.repeat(sizes, sizes)[firsts]
        left, right = firsts[paired], firsts[paired] + 1
        a, b = values[left], values[right]
        total = a + b
        apart = total - a
        lost = (a - (total - apart)) + (b - apart)
        lost[~np.isfinite(lost)] = 0.0
        values[left] = total
        errors[left] += errors[right] + lost
        values, errors = values[firsts], errors[firsts]
        sizes = (sizes + 1) // 2
        starts = np.concatenate(([0], np.cumsum(sizes)[:-1]))
    return values + errors  # and so -0 becomes 0, as there


def _mean(groups: Groups) -> Values:
    """The mean; where the sum, or a part of it, is too large for a float, of values divided before they are added."""
    counts = groups.counts
    total = _sum(groups)
    means = total / counts
    over = ~np.isfinite(total)
    if over.any():
        each = np.repeat(counts, groups.sizes, axis=0)
        apart = _sum_of(groups, np.where(groups.present, groups.values / each, -0.0))
        means = np.where(over, apart, means)
    return means


def _least(groups: Groups) -> Values:
    """The least value that is a number; NaN where none is."""
    found: Values = np.fmin.reduceat(np.where(groups.present, groups.values, np.nan), groups.starts, axis=0)
    return found


def _most(groups: Groups) -> Values:
    """The greatest value that is a number; NaN where none is."""
    found: Values = np.fmax.reduceat(np.where(groups.present, groups.values, np.nan), groups.starts, axis=0)
    return found


def _count(groups: Groups) -> Values:
    return groups.counts.astype(np.float64)


def _one(groups: Groups) -> Values:
    return np.ones((len(groups.labels), groups.values.shape[1]))


def _variance(groups: Groups) -> Values:
    """The population variance, one series after the other as Prometheus has it (Welford).

    Of large numbers that lie close together it is not the most exact way, but the one to be equal with.
    """
    shape = (len(groups.labels), groups.values.shape[1])
    counts, mean, squares = np.zeros(shape), np.zeros(shape), np.zeros(shape)
    for place in range(int(groups.sizes.max())):
        members = np.flatnonzero(groups.sizes > place)
        rows = groups.starts[members] + place
        there, values = groups.present[rows], groups.values[rows]
        first = there & (counts[members] == 0)
        counts[members] += there
        old = np.where(first, values, mean[members])
        off = values - old
        new = np.where(first, values, old + off / counts[members])
        mean[members] = np.where(there, new, mean[members])
        added = np.where(first, np.where(np.isfinite(values), 0.0, np.nan), off * (values - new))
        squares[members] += np.where(there, added, 0.0)
    return squares / counts


def _deviation(groups: Groups) -> Values:
    found: Values = np.sqrt(_variance(groups))
    return found


_FOLDS: dict[str, Callable[[Groups], Values]] = {
    "sum": _sum,
    "avg": _mean,
    "min": _least,
    "max": _most,
    "count": _count,
    "group": _one,
    "stddev": _deviation,
    "stdvar": _variance,
}
