"""What happens to the labels of a result: dropped, kept, told apart."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

import numpy as np

from bongsu.model.message import Message
from bongsu.store.promql.values import PromqlError, Vector
from bongsu.store.series import NAME, Labels

_OF_METRIC = frozenset({NAME, "__type__", "__unit__"})  # the last two are kept for what a metric is, since 3.5


def without_name(labels: Labels) -> Labels:
    """The labels without those of the metric itself: what most functions and operators answer with."""
    return tuple([pair for pair in labels if pair[0] not in _OF_METRIC])


def only(names: Collection[str]) -> Callable[[Labels], Labels]:
    """What keeps only the labels of these names, as ``by`` and ``on`` do."""
    kept = frozenset(names)
    return lambda labels: tuple(pair for pair in labels if pair[0] in kept)


def leave_out(names: Collection[str]) -> Callable[[Labels], Labels]:
    """What drops the labels of these names, and the metric's, as ``without`` and ``ignoring`` do."""
    dropped = frozenset((*names, NAME))
    return lambda labels: tuple(pair for pair in labels if pair[0] not in dropped)


def shown(labels: Labels) -> str:
    """Labels as PromQL writes them, for messages."""
    return "{" + ", ".join(f'{name}="{value}"' for name, value in labels) + "}"


def present_rows(vector: Vector) -> Vector:
    """The vector without the series that are absent at every step."""
    rows = vector.present.any(axis=1)
    if rows.all():
        return vector
    kept = np.flatnonzero(rows).tolist()
    return Vector([vector.labels[row] for row in kept], vector.values[kept], vector.present[kept])


def distinct(vector: Vector, *, ever: bool = False) -> Vector:
    """The vector with each label set once: series that are never present at the same step become one.

    With ``ever``, equal labels are refused also when they are present at different steps only.

    Raises:
        PromqlError: two series with the same labels at one step (execution).
    """
    if len(set(vector.labels)) == len(vector.labels):
        return vector
    vector = present_rows(vector)
    rows: dict[Labels, list[int]] = {}
    for row, labels in enumerate(vector.labels):
        rows.setdefault(labels, []).append(row)
    if len(rows) == len(vector.labels):
        return vector
    values, present = vector.values.copy(), vector.present.copy()
    for labels, members in rows.items():
        first = members[0]
        for row in members[1:]:
            here = vector.present[row]
            if ever or bool((present[first] & here).any()):
                raise PromqlError("execution", same_labels(labels))
            values[first, here] = vector.values[row, here]
            present[first] |= here
    kept: Sequence[int] = [members[0] for members in rows.values()]
    return Vector(list(rows), values[kept], present[kept])


def same_labels(labels: Labels) -> Message:
    """Why a result with twice the same labels is refused."""
    return Message(
        "vector cannot contain metrics with the same labelset: {labels} would be there twice; "
        "keep a label that tells them apart",
        labels=shown(labels),
    )
