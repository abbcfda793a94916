"""What PromQL expressions evaluate to: every step of a query at once, one row for each series.

A query runs at T moments (one for an instant query). A series can be absent at some of them, which
NaN cannot say (it is a value), so each vector carries a mask of presence.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from bongsu.model.message import Message
from bongsu.store.series import Labels, Source, Times, Values

Mask = NDArray[np.bool_]
Index = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Steps:
    """The moments that are asked for: ``start``, ``start + step`` … up to ``end``, Unix milliseconds."""

    start: int
    end: int
    step: int  # 0 for an instant query, where start is end

    @property
    def count(self) -> int:
        """How many moments, T."""
        return 1 if self.step == 0 else (self.end - self.start) // self.step + 1

    @property
    def times(self) -> Times:
        """All moments, int64 of shape (T,)."""
        if self.step == 0:
            return np.array([self.start], dtype=np.int64)
        return np.arange(self.start, self.end + 1, self.step, dtype=np.int64)


@dataclass(slots=True)
class Vector:
    """An instant vector at each step: S series, ``values`` and ``present`` of shape (S, T)."""

    labels: Sequence[Labels]
    values: Values
    present: Mask


@dataclass(slots=True)
class Scalar:
    """A number at each step, shape (T,)."""

    values: Values


@dataclass(slots=True)
class Text:
    """A string literal."""

    value: str


@dataclass(slots=True)
class Block:
    """Range windows over S series that share their N sample times; stale marks are taken out before.

    The window of step i holds ``values[:, first[i]:last[i]]``, where ``starts[i] < times <= ends[i]``
    (left-open, as Prometheus 3 has it). ``times`` int64 (N,), ``values`` (S, N), the others (T,).
    """

    labels: Sequence[Labels]
    times: Times
    values: Values
    first: Index
    last: Index
    starts: Times
    ends: Times


@dataclass(slots=True)
class Matrix:
    """A range vector: what a range selector or a subquery gives."""

    blocks: Sequence[Block]
    range_ms: int


Value = Vector | Scalar | Text | Matrix


@dataclass(slots=True)
class Spent:
    """How much a query has read and made so far; all evaluations of one query share it."""

    samples: int = 0


@dataclass(slots=True)
class Context:
    """What one evaluation knows: where samples are, which moments, and what it has to say besides the values."""

    source: Source
    steps: Steps
    lookback: int  # milliseconds; Prometheus' --query.lookback-delta
    most_samples: int = 10_000_000
    deadline: float = np.inf  # time.monotonic() at which to give up
    query_start: int = 0  # of the outermost query, for `@ start()`
    query_end: int = 0
    warnings: dict[str, Message] = field(default_factory=dict)  # by their English text
    infos: dict[str, Message] = field(default_factory=dict)
    spent: Spent = field(default_factory=Spent)

    def spend(self, samples: int) -> None:
        """Count ``samples`` values about to be held in memory, and look at the clock.

        Raises:
            PromqlError: more than ``most_samples`` by now (execution), or the time is up (timeout).
        """
        self.spent.samples += samples
        if self.spent.samples > self.most_samples:
            raise PromqlError(
                "execution",
                Message(
                    "the query needs more than {most} samples at once; ask for fewer series, a shorter time or a larger step",
                    most=self.most_samples,
                ),
            )
        if time.monotonic() > self.deadline:
            raise PromqlError(
                "timeout", Message("the query took too long; ask for fewer series, a shorter time or a larger step")
            )


class PromqlError(Exception):
    """A query that cannot be answered. ``kind`` is the API's errorType, which settles the HTTP status.

    bad_data 400 (not understood), execution 422 (cannot be done with these samples), unsupported 422
    (valid PromQL that is not evaluated here; the message names it), timeout 503.
    """

    def __init__(self, kind: str, message: Message) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message

    def __str__(self) -> str:
        return str(self.message)
