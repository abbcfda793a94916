"""Understands the times and lengths of time that a person gives to a command."""

from __future__ import annotations

import math
import re
import time
from datetime import datetime

from bongsu.model.errors import BadInput
from bongsu.model.message import Message

_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)")
_PART = re.compile(r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)(ms|s|m|h|d|w|y)")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0, "y": 365 * 86400.0}
_FARTHEST_MS = 2**53


def length(option: str, text: str) -> float:
    """Seconds of a length of time such as ``90``, ``5m``, ``1h30m``, ``7d``. Raises BadInput."""
    seconds = _length(text)
    if seconds is None or not 0 < seconds < _FARTHEST_MS / 1000:
        raise BadInput(
            Message("{option} {text}: this is no length of time; give seconds, or units such as 30s, 5m, 1h30m, 7d",
                    option=option, text=text)
        )  # fmt: skip
    return seconds


def moment(option: str, text: str, now: float | None = None) -> int:
    """Unix milliseconds of a time: Unix seconds, ``now``, ``-2h``, or a date and time of day.

    A date without an offset from UTC is of this machine's time zone.

    Raises:
        BadInput: it is none of these.
    """
    now = time.time() if now is None else now
    found: float | None = None
    word = text.strip()
    if word == "now":
        found = now
    elif _NUMBER.fullmatch(word) and not word.startswith(("-", "+")):
        found = float(word)
    elif word.startswith("-"):
        back = _length(word[1:])
        found = None if back is None else now - back
    else:
        found = _date(word)
    if found is None or not math.isfinite(found) or abs(found * 1000) > _FARTHEST_MS:
        raise BadInput(
            Message("{option} {text}: this is no time; give 2026-01-31T08:00:00Z, 2026-01-31 08:00 (this machine's "
                    "time), Unix seconds, or -2h for two hours ago", option=option, text=text)
        )  # fmt: skip
    return round(found * 1000)


def _length(text: str) -> float | None:
    word = text.replace(" ", "")
    if _NUMBER.fullmatch(word):
        return float(word)
    place, seconds = 0, 0.0
    while place < len(word):
        part = _PART.match(word, place)
        if part is None:
            return None
        seconds += float(part[1]) * _SECONDS[part[2]]
        place = part.end()
    return seconds if word else None


def _date(text: str) -> float | None:
    try:
        return datetime.fromisoformat(text).timestamp()  # without an offset: local time
    except (ValueError, OverflowError, OSError):
        return None
