"""What is read from a store: series of samples, how they are picked, and what a source of them must offer."""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from bongsu.model.message import Message

Labels = tuple[tuple[str, str], ...]  # sorted by name, the metric's name under "__name__"; no empty values
Times = NDArray[np.int64]  # Unix milliseconds
Values = NDArray[np.float64]

NAME = "__name__"
# The NaN that says "this series ended here" (prometheus/model/value: StaleNaN). Told from other NaNs by its bits only.
STALE_BITS = 0x7FF0000000000002
STALE = float(np.array([STALE_BITS], dtype=np.uint64).view(np.float64)[0])


def is_stale(values: Values) -> NDArray[np.bool_]:
    """Which values are stale marks; the array must be contiguous in its last axis."""
    found: NDArray[np.bool_] = values.view(np.uint64) == STALE_BITS
    return found


class Op(enum.Enum):
    """How a label is compared. Patterns are RE2's and match the whole value; an absent label is the empty text."""

    EQUAL = "="
    NOT_EQUAL = "!="
    MATCH = "=~"
    NOT_MATCH = "!~"


@dataclass(frozen=True, slots=True)
class Matcher:
    """One condition on a label; ``name`` may be ``__name__``."""

    name: str
    op: Op
    value: str


@dataclass(frozen=True, slots=True, eq=False)
class Series:
    """The samples of one series. ``times`` ascend strictly; ``values`` may hold stale marks.

    Series that were read at the same times share one ``times`` object, so that work on times is done once.
    """

    labels: Labels
    times: Times
    values: Values


class Tier(enum.Enum):
    """Which of the stored resolutions."""

    RAW = "raw"
    MINUTES = "1m"


@dataclass(frozen=True, slots=True)
class Selected:
    """What a source found. ``notes`` are warnings for whoever asked, such as which coarser tier answered."""

    series: Sequence[Series]
    notes: tuple[Message, ...] = ()


@dataclass(frozen=True, slots=True)
class Described:
    """What is known of a metric's name; ``kind`` is Prometheus' word (counter, gauge, unknown …)."""

    kind: str
    help: str
    unit: str


class Source(Protocol):
    """Where PromQL finds its samples. Times are Unix milliseconds, both ends belong to the range."""

    def select(self, matchers: Sequence[Matcher], start: int, end: int, *, step: int = 0, window: int = 0) -> Selected:
        """The series that fit all matchers, each with at least one sample in the range.

        ``step`` (0 for an instant query) and ``window`` (the range of a range selector, 0 for an instant
        selector), in ms, are hints: a source may answer from a coarser tier where both are wide enough.

        Raises:
            BadInput: a pattern is not understood.
        """
        ...

    def find(self, any_of: Sequence[Sequence[Matcher]], start: int, end: int) -> Sequence[Labels]:
        """The labels of the series that fit one of the groups (no group: all series) and have samples in the range."""
        ...

    def describe(self) -> Mapping[str, Sequence[Described]]:
        """What is known of each metric, by name."""
        ...
