"""What a check of a machine answers: how it stands, in a sentence, with the readings that say so and what helps."""

from __future__ import annotations

import enum

import msgspec

from bongsu.model.message import Message


class State(enum.Enum):
    """How it stands. What could not be found out is never fine."""

    OK = "ok"
    WARNING = "warning"  # it works, and somebody should look
    FAILED = "failed"
    UNKNOWN = "unknown"


class Evidence(msgspec.Struct, frozen=True):
    """One reading that a result rests on. ``value`` is None where there was none, in the metric's unit elsewhere."""

    metric: str
    labels: tuple[str, ...]  # beside the subject's, such as ("slowdown",) for the limit
    value: float | None


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """One answer of one check. ``time`` is when its readings were taken (Unix s)."""

    check: str
    subject: str  # "GPU"
    place: str = ""  # which: "3"; "" for all of them
    uuid: str = ""
    state: State
    message: Message
    cure: Message | None = None
    evidence: tuple[Evidence, ...] = ()
    time: float
