"""A question simple enough for every back end: one metric, one fold, a few labels kept."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from bongsu.model.metric import MetricSpec


class Fold(enum.Enum):
    """What is made of a series before it is summed over the labels that are not kept."""

    LAST = "last"
    RATE = "rate"  # per second, counter resets taken into account
    AVG = "avg"
    MAX = "max"


@dataclass(frozen=True, slots=True)
class Query:
    """``fold`` of ``spec`` where the labels match, summed by the labels in ``by``.

    ``where`` and ``where_not`` hold (label, value) pairs that must, or must not, be equal.
    """

    spec: MetricSpec
    fold: Fold = Fold.LAST
    by: tuple[str, ...] = ()
    where: tuple[tuple[str, str], ...] = ()
    where_not: tuple[tuple[str, str], ...] = ()
