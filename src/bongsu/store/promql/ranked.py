"""Aggregations that look at the order or the equality of values: topk, bottomk, quantile, count_values."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

import numpy as np

from bongsu.model.message import Message
from bongsu.store.promql.labels import leave_out, only
from bongsu.store.promql.values import Mask, PromqlError, Vector
from bongsu.store.series import Labels, Values


def topmost(vector: Vector, groups: Sequence[Sequence[int]], wanted: Values, *, largest: bool) -> Vector:
    """The ``wanted`` (at each step) largest or smallest series of each group; NaN only where numbers run out.

    At a single step the rows come best first, as Prometheus answers instant queries.

    Raises:
        PromqlError: where there are series, their wanted number is NaN or beyond 63 bits (execution).
    """
    present = np.zeros_like(vector.present)
    if wanted.max() < 1:
        return Vector(vector.labels, vector.values, present)
    asked = wanted[vector.present.any(axis=0)]
    if np.isnan(asked).any():
        raise PromqlError("execution", Message("the number of series is NaN; it must be a number at each step"))
    if (np.abs(asked) >= 2.0**63).any():
        raise PromqlError("execution", Message("the number of series is too large; it must fit into 64 bits"))
    limits = np.trunc(wanted)
    best: list[int] = []
    for members in groups:
        rows = np.array(members, dtype=np.intp)
        values, there = vector.values[rows], vector.present[rows]
        keys = -values if largest else values
        order = np.lexsort((keys, ~there), axis=0)  # NaN comes after all numbers
        ranks = np.empty_like(order)
        np.put_along_axis(ranks, order, np.arange(len(rows))[:, np.newaxis], axis=0)
        present[rows] = there & (ranks < limits)
        if vector.values.shape[1] == 1:
            best += [int(row) for row in rows[order[:, 0]]]
    if vector.values.shape[1] == 1:
        chosen = [row for row in best if present[row, 0]]
        return Vector([vector.labels[row] for row in chosen], vector.values[chosen], present[chosen])
    return Vector(vector.labels, vector.values, present)


def quantile(vector: Vector, labels: Sequence[Labels], groups: Sequence[Sequence[int]], wanted: Values) -> Vector:
    """The ``wanted`` quantile (at each step) of each group, between neighbours in proportion; NaN sorts first."""
    steps = vector.values.shape[1]
    values = np.empty((len(groups), steps))
    present = np.empty((len(groups), steps), dtype=np.bool_)
    for number, members in enumerate(groups):
        rows = np.array(members, dtype=np.intp)
        there = vector.present[rows]
        present[number] = there.any(axis=0)
        values[number] = quantiles(vector.values[rows], there, wanted)
    return Vector(labels, values, present)


def quantiles(values: Values, there: Mask, wanted: Values) -> Values:
    """The quantile of each column of ``values`` (S, T) over the rows that are ``there``, NaN where none is."""
    order = np.lexsort((values, ~np.isnan(values), ~there), axis=0)
    ordered = np.take_along_axis(values, order, axis=0)
    counts = there.sum(axis=0)
    ranks = np.where(np.isfinite(wanted), wanted, 0.0) * (counts - 1)
    low = np.clip(np.floor(ranks), 0, np.maximum(counts - 1, 0)).astype(np.intp)
    high = np.minimum(low + 1, np.maximum(counts - 1, 0))
    weight = ranks - np.floor(ranks)
    columns = np.arange(values.shape[1])
    found = ordered[low, columns] * (1 - weight) + ordered[high, columns] * weight
    found = np.where(wanted < 0, -np.inf, np.where(wanted > 1, np.inf, found))
    return np.where(np.isnan(wanted) | (counts == 0), np.nan, found)


def count_values(vector: Vector, label: str, names: Sequence[str], *, without: bool) -> Vector:
    """How many series of each group have each value; the value is written into ``label``.

    Raises:
        PromqlError: ``label`` cannot be a label's name (execution).
    """
    if not label:
        raise PromqlError("execution", Message("invalid label name: count_values needs a name that is not empty"))
    key = leave_out(names) if without else only([*names, label])
    ids: dict[Labels, int] = {}
    rows: list[Values] = []
    for row, labels in enumerate(vector.labels):
        others = tuple(pair for pair in labels if pair[0] != label)
        there = vector.present[row]
        bits = vector.values[row].view(np.uint64)
        for value in np.unique(bits[there]):
            written = written_out(float(value.view(np.float64)))
            found = key(tuple(sorted((*others, (label, written)))))
            number = ids.setdefault(found, len(rows))
            if number == len(rows):
                rows.append(np.zeros(vector.values.shape[1]))
            rows[number] += there & (bits == value)
    values = np.array(rows).reshape(len(rows), vector.values.shape[1])
    return Vector(list(ids), values, values > 0)


def written_out(value: float) -> str:
    """A number in its shortest exact digits without an exponent, as count_values writes it."""
    if value != value:  # noqa: PLR0124  # the test for NaN
        return "NaN"
    if value in {float("inf"), float("-inf")}:
        return "+Inf" if value > 0 else "-Inf"
    text = format(Decimal(repr(value)), "f")
    return text.removesuffix(".0") if "." in text else text
