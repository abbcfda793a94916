"""Operators between two values: arithmetic, comparison and sets, with the matching of series."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import promql_parser as ast

from bongsu.model.message import Message
from bongsu.store.promql.labels import distinct, leave_out, only, shown, without_name
from bongsu.store.promql.values import Mask, PromqlError, Scalar, Value, Vector
from bongsu.store.series import Labels, Values


def _power(left: Values, right: Values) -> Values:
    """Left to the power of right; numpy takes the square root for 0.5, which has no answer for -Inf and keeps -0."""
    found: Values = np.power(left, right)
    half = right == 0.5
    return np.where(half & np.isneginf(left), np.inf, np.where(half & (left == 0), 0.0, found)) if half.any() else found


ARITHMETIC: Mapping[str, Callable[[Values, Values], Values]] = {
    "+": np.add,
    "-": np.subtract,
    "*": np.multiply,
    "/": np.divide,
    "%": np.fmod,
    "^": _power,
    "atan2": np.arctan2,
}
COMPARISON: Mapping[str, Callable[[Values, Values], Mask]] = {
    "==": np.equal,
    "!=": np.not_equal,
    "<": np.less,
    "<=": np.less_equal,
    ">": np.greater,
    ">=": np.greater_equal,
}


def evaluate(node: ast.BinaryExpr, left: Value, right: Value) -> Value:
    """What the operator of ``node`` makes of both sides.

    Raises:
        PromqlError: series that match more than once at a step (execution).
    """
    op = str(node.op)
    true_false = node.modifier is not None and node.modifier.return_bool
    if isinstance(left, Scalar) and isinstance(right, Scalar):
        values, kept = _apply(op, left.values, right.values)
        return Scalar(values if kept is None else kept.astype(np.float64))
    if isinstance(left, Vector) and isinstance(right, Scalar):
        return _with_scalar(op, left, left.values, right.values, true_false)
    if isinstance(left, Scalar) and isinstance(right, Vector):
        return _with_scalar(op, right, left.values, right.values, true_false)
    assert isinstance(left, Vector)
    assert isinstance(right, Vector)
    if op in {"and", "or", "unless"}:
        return _set(op, _Matching(node.modifier), left, right)
    return _matched(op, _Matching(node.modifier), left, right, true_false)


def _apply(op: str, left: Values, right: Values) -> tuple[Values, Mask | None]:
    """The value of an operator and, for a comparison, where it holds (its value is the left side)."""
    arithmetic = ARITHMETIC.get(op)
    if arithmetic is not None:
        return arithmetic(left, right), None
    return left, COMPARISON[op](left, right)


def _with_scalar(op: str, vector: Vector, left: Values, right: Values, true_false: bool) -> Vector:
    """A vector and a number; a comparison keeps the vector's values whichever side they are on."""
    values, kept = _apply(op, left, right)
    labels: Sequence[Labels] = vector.labels
    if kept is None:
        return distinct(Vector([without_name(each) for each in labels], values, vector.present))
    if true_false:
        return distinct(Vector([without_name(each) for each in labels], kept.astype(np.float64), vector.present))
    return Vector(labels, vector.values, vector.present & kept)


class _Matching:
    """How series of both sides find each other; ``many`` is the side with several (none: one to one)."""

    def __init__(self, modifier: ast.BinModifier | None) -> None:
        matching = modifier.matching if modifier is not None else None
        names = list(matching.labels) if matching is not None else []
        self.on = matching is not None and matching.type == ast.LabelModifierType.Include
        self.key = only(names) if self.on else leave_out(names)
        self.names = frozenset(names)
        card = modifier.card if modifier is not None else ast.VectorMatchCardinality.OneToOne
        self.many = "left" if card == ast.VectorMatchCardinality.ManyToOne else None
        if card == ast.VectorMatchCardinality.OneToMany:
            self.many = "right"
        self.included = tuple((modifier.group_labels or ()) if modifier is not None else ())

    def result(self, op: str, many: Labels, one: Labels, true_false: bool) -> Labels:
        """The labels of what an operator makes of two series."""
        labels = without_name(many) if op in ARITHMETIC else many
        if self.many is None:
            labels = tuple(pair for pair in labels if (pair[0] in self.names) == self.on)
        if self.included:
            merged = dict(labels)
            there = dict(one)
            for name in self.included:
                if name in there:
                    merged[name] = there[name]
                else:
                    merged.pop(name, None)
            labels = tuple(sorted(merged.items()))
        return without_name(labels) if true_false else labels


def _matched(op: str, matching: _Matching, left: Vector, right: Vector, true_false: bool) -> Vector:
    """Arithmetic or comparison of the series that match; ``one`` must have one series a match and step."""
    many, one = (right, left) if matching.many == "right" else (left, right)
    anything: Mask = np.logical_and(many.present.any(axis=0), one.present.any(axis=0))
    rows_of_one = _by_key(matching, one.labels)
    _refuse_twice(matching, one, rows_of_one, anything)
    pairs: list[tuple[int, int]] = []
    met: dict[Labels, list[int]] = {}
    for row, labels in enumerate(many.labels):
        key = matching.key(labels)
        for other in rows_of_one.get(key, ()):
            met.setdefault(key, []).append(len(pairs))
            pairs.append((row, other))
    indices = np.array(pairs, dtype=np.intp).reshape(-1, 2)
    many_rows, one_rows = indices[:, 0], indices[:, 1]
    present = many.present[many_rows] & one.present[one_rows]
    sides = many.values[many_rows], one.values[one_rows]
    values, kept = _apply(op, *(reversed(sides) if matching.many == "right" else sides))
    if kept is not None and true_false:
        values = kept.astype(np.float64)
    elif kept is not None:
        present &= kept
    results = [matching.result(op, many.labels[row], one.labels[other], true_false) for row, other in pairs]
    for places in met.values():
        if len(places) > 1:
            _refuse_several(matching, [results[place] for place in places], present[places])
    return distinct(Vector(results, values, present))


def _by_key(matching: _Matching, all_labels: Sequence[Labels]) -> dict[Labels, list[int]]:
    """The rows of each match group."""
    rows: dict[Labels, list[int]] = {}
    for row, labels in enumerate(all_labels):
        rows.setdefault(matching.key(labels), []).append(row)
    return rows


def _refuse_twice(
    matching: _Matching, one: Vector, rows_of_one: Mapping[Labels, Sequence[int]], anything: Mask
) -> None:
    """Two series of one match group at the same step on the side that may have only one."""
    for key, rows in rows_of_one.items():
        if len(rows) < 2:
            continue
        twice = (one.present[rows].sum(axis=0) > 1) & anything
        if twice.any():
            step = int(np.argmax(twice))
            first, second = [one.labels[row] for row in rows if one.present[row, step]][:2]
            raise PromqlError(
                "execution",
                Message(
                    "found duplicate series for the match group {group} on the {side} hand-side of the operation: "
                    "{first} and {second}; matching labels must be unique on one side",
                    group=shown(key),
                    side="left" if matching.many == "right" else "right",
                    first=shown(first),
                    second=shown(second),
                ),
            )


def _refuse_several(matching: _Matching, labels: Sequence[Labels], present: Mask) -> None:
    """Several results of one match group at the same step that the grouping does not allow."""
    if matching.many is None:
        if (present.sum(axis=0) > 1).any():
            raise PromqlError(
                "execution",
                Message(
                    "multiple matches for labels: many-to-one matching must be explicit (group_left/group_right); "
                    "one of them is {labels}",
                    labels=shown(labels[0]),
                ),
            )
        return
    places: dict[Labels, list[int]] = {}
    for place, each in enumerate(labels):
        places.setdefault(each, []).append(place)
    for each, same in places.items():
        if len(same) > 1 and (present[same].sum(axis=0) > 1).any():
            raise PromqlError(
                "execution",
                Message(
                    "multiple matches for labels: grouping labels must ensure unique matches; {labels} is there twice",
                    labels=shown(each),
                ),
            )


def _set(op: str, matching: _Matching, left: Vector, right: Vector) -> Vector:
    """``and``, ``unless`` and ``or``, step by step on what is present there."""
    ids: dict[Labels, int] = {}
    left_ids = [ids.setdefault(matching.key(labels), len(ids)) for labels in left.labels]
    right_ids = [ids.setdefault(matching.key(labels), len(ids)) for labels in right.labels]
    if op == "or":
        taken = _any_of(left, left_ids, len(ids))
        added = right.present & ~taken[right_ids]
        return distinct(
            Vector(
                [*left.labels, *right.labels],
                np.concatenate((left.values, right.values)),
                np.concatenate((left.present, added)),
            )
        )
    there = _any_of(right, right_ids, len(ids))[left_ids]
    return Vector(left.labels, left.values, left.present & (there if op == "and" else ~there))


def _any_of(vector: Vector, ids: Sequence[int], count: int) -> Mask:
    """Whether any series of a match group is present, of shape (groups, T)."""
    found = np.zeros((count, vector.present.shape[1]), dtype=np.bool_)
    np.logical_or.at(found, np.array(ids, dtype=np.intp), vector.present)
    return found
