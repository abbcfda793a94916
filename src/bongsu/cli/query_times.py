"""Times and lengths of time as people type them: 1h30m, 14:30, yesterday, 2026-01-31T08:00."""

from __future__ import annotations

import math
import re
import time
from datetime import datetime, timedelta

from bongsu.model.errors import BadInput
from bongsu.model.message import Message

_SECONDS = {
    "ms": 0.001,
    "s": 1.0,
    "m": 60.0,
    "min": 60.0,
    "h": 3600.0,
    "d": 86400.0,
    "w": 7 * 86400.0,
    "y": 365 * 86400.0,
}
_PIECE = re.compile(r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+) ?(ms|min|[smhdwy])", re.ASCII)
_NUMBER = re.compile(r"[0-9]+(?:\.[0-9]*)?|\.[0-9]+", re.ASCII)
_CLOCK = re.compile(r"([0-9]{1,2}):([0-9]{2})(?::([0-9]{2}))?", re.ASCII)
_SINCE_1970 = 100_000_000.0  # a plain number from here on is Unix seconds (1973), below it nothing that is understood
_FARTHEST = 253_402_300_800.0  # the year 10000


def span(option: str, text: str) -> float:
    """A length of time in seconds, above zero.

    Raises:
        BadInput: it is none.
    """
    seconds = _span(text)
    if seconds is None or not 0 < seconds <= _FARTHEST:
        raise BadInput(
            Message("{option} {text!r}: this is no length of time; give such as 30s, 15m, 1h30m, 7d",
                    option=option, text=text)
        )  # fmt: skip
    return seconds


def moment(option: str, text: str, now: float) -> float:
    """A time as Unix seconds. What names no zone is local; a bare clock time is the latest that has been.

    Raises:
        BadInput: it is none.
    """
    at = _moment(text.strip(), now)
    if at is None or not (math.isfinite(at) and 0 <= at <= _FARTHEST):
        raise BadInput(
            Message("{option} {text!r}: this is no time; give such as 14:30, 'yesterday 14:30', '2026-01-31 08:00', "
                    "2026-01-31T08:00:00Z, '2h ago', now, or Unix seconds", option=option, text=text)
        )  # fmt: skip
    return at


def _span(text: str) -> float | None:
    text = text.strip()
    if _NUMBER.fullmatch(text):
        return float(text)
    seconds, at = 0.0, 0
    for piece in _PIECE.finditer(text):
        if text[at : piece.start()].strip():
            return None
        seconds += float(piece[1]) * _SECONDS[piece[2]]
        at = piece.end()
    return seconds if at and not text[at:].strip() else None


def _moment(text: str, now: float) -> float | None:
    if text == "now":
        return now
    if text.startswith("-") or text.endswith(" ago"):
        back = _span(text.removeprefix("-").removesuffix(" ago"))
        return None if back is None else now - back
    if _NUMBER.fullmatch(text):
        return float(text) if float(text) >= _SINCE_1970 else None
    today = datetime.fromtimestamp(now)  # noqa: DTZ006  what people type is local
    word, _, rest = text.partition(" ")
    if word in {"today", "yesterday"}:
        day = today - timedelta(days=word == "yesterday")
        return _on(day, rest.strip() or "00:00")
    clock = _on(today, text)
    if clock is not None:
        return clock if clock <= now else _on(today - timedelta(days=1), text)
    try:
        return datetime.fromisoformat(text).timestamp()
    except (ValueError, OverflowError, OSError):
        return None


def _on(day: datetime, text: str) -> float | None:
    """That clock time on that local day."""
    matched = _CLOCK.fullmatch(text)
    if matched is None:
        return None
    hour, minute, second = (int(group or 0) for group in matched.groups())
    if hour > 23 or minute > 59 or second > 59:
        return None
    return time.mktime((day.year, day.month, day.day, hour, minute, second, 0, 0, -1))
