"""What a query's parameters mean: times, durations and limits, understood as Prometheus understands them."""

from __future__ import annotations

import calendar
import math
import re
import urllib.parse
from collections.abc import Mapping, Sequence

from bongsu.model.message import Message
from bongsu.store.promql.values import PromqlError

FARTHEST_MS = 2**53  # the farthest time, either way, that is asked about; floats count to it in steps of one
_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_DURATION = re.compile(
    r"(?:([0-9]+)y)?(?:([0-9]+)w)?(?:([0-9]+)d)?(?:([0-9]+)h)?(?:([0-9]+)m)?(?:([0-9]+)s)?(?:([0-9]+)ms)?", re.ASCII
)
_UNITS_MS = (365 * 86_400_000, 7 * 86_400_000, 86_400_000, 3_600_000, 60_000, 1000, 1)
_INSTANT = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})T([0-9]{2}):([0-9]{2}):([0-9]{2})(\.[0-9]+)?(?:Z|([+-])([0-9]{2}):([0-9]{2}))"
)
# How clients of Prometheus write "from the beginning" and "to the end" (client_golang's MinTime and MaxTime).
_ENDS = {
    "-292273086-05-16T16:47:06Z": -FARTHEST_MS,
    "292277025-08-18T07:12:54.999999999Z": FARTHEST_MS,
    "+292277025-08-18T07:12:54.999999999Z": FARTHEST_MS,
}
_NO_BYTE = re.compile("%(?![0-9A-Fa-f]{2})")
_MOST_NANOSECONDS = 2**63
_MOST_FIELDS = 1000

Parameters = Mapping[str, Sequence[str]]


def form(text: str) -> dict[str, list[str]]:
    """The fields of a URL's query or of a form, by name.

    Raises:
        PromqlError: it is not well formed, or there are too many fields.
    """
    if not text:
        return {}
    if ";" in text or ("%" in text and _NO_BYTE.search(text)):
        raise PromqlError(
            "bad_data", Message("The parameters are not well formed: write `;` as %3B and `%` as %25 in their values.")
        )
    if text.count("&") >= _MOST_FIELDS:
        raise PromqlError("bad_data", Message("There are more than {most} parameters.", most=_MOST_FIELDS))
    found: dict[str, list[str]] = {}
    for field in text.split("&"):
        if field:
            name, _, value = field.partition("=")
            found.setdefault(_plain(name), []).append(_plain(value))
    return found


def _plain(text: str) -> str:
    text = text.replace("+", " ")
    return urllib.parse.unquote(text) if "%" in text else text


def first(parameters: Parameters, name: str) -> str:
    """The parameter's first value, "" where it is not given."""
    values = parameters.get(name)
    return values[0] if values else ""


def moment(parameters: Parameters, name: str, default: int | None = None) -> int:
    """A time as Unix milliseconds: given as Unix seconds, or as RFC 3339 has it.

    Raises:
        PromqlError: it is neither, or it is missing and there is no ``default``.
    """
    text = first(parameters, name)
    if not text:
        if default is not None:
            return default
        raise _bad(name, text, "is missing: give Unix seconds, or a time such as 2026-01-31T08:00:00Z")
    if text in _ENDS:
        return _ENDS[text]
    milliseconds = _seconds(text) if _NUMBER.fullmatch(text) else _instant(text)
    if milliseconds is None or abs(milliseconds) > FARTHEST_MS:
        raise _bad(name, text, "is no time: give Unix seconds, or a time such as 2026-01-31T08:00:00Z")
    return milliseconds


def duration(parameters: Parameters, name: str) -> int | None:
    """A length of time in nanoseconds: seconds, or units such as 1h30m; None where it is not given.

    Raises:
        PromqlError: it is neither.
    """
    text = first(parameters, name)
    if not text:
        return None
    nanoseconds = None
    if _NUMBER.fullmatch(text):
        seconds = float(text)
        if math.isfinite(seconds):
            nanoseconds = int(seconds * 1e9)
    else:
        matched = _DURATION.fullmatch(text)
        if matched:
            counts = (int(count or 0) for count in matched.groups())
            nanoseconds = 1_000_000 * sum(count * unit for count, unit in zip(counts, _UNITS_MS, strict=True))
    if nanoseconds is None or abs(nanoseconds) >= _MOST_NANOSECONDS:
        raise _bad(name, text, "is no length of time: give seconds, or units such as 30s, 5m, 1h30m")
    return nanoseconds


def limit(parameters: Parameters, name: str = "limit") -> int:
    """How many are wanted at most; 0 is all.

    Raises:
        PromqlError: it is not a whole number, or a negative one.
    """
    text = first(parameters, name)
    if not text:
        return 0
    wanted = whole(parameters, name, 0)
    if wanted < 0:
        raise _bad(name, text, "is negative: give how many are wanted at most, 0 for all")
    return wanted


def whole(parameters: Parameters, name: str, default: int) -> int:
    """A whole number.

    Raises:
        PromqlError: it is not one.
    """
    text = first(parameters, name)
    if not text:
        return default
    if not re.fullmatch(r"[+-]?[0-9]{1,18}", text):
        raise _bad(name, text, "is no whole number")
    return int(text)


def _seconds(text: str) -> int | None:
    seconds = float(text)
    if not abs(seconds) <= FARTHEST_MS:  # NaN too
        return None
    fraction, whole_seconds = math.modf(seconds)
    # Rounded to milliseconds first, and what is left cut off, as Prometheus does it: half a millisecond must not differ.
    rounded = math.floor(abs(fraction) * 1000 + 0.5) / 1000
    nanoseconds = int(math.copysign(rounded, fraction) * 1e9)
    return (int(whole_seconds) * 1_000_000_000 + nanoseconds) // 1_000_000


def _instant(text: str) -> int | None:
    matched = _INSTANT.fullmatch(text)
    if matched is None:
        return None
    year, month, day, hour, minute, second = (int(group) for group in matched.groups()[:6])
    fraction, sign, hours, minutes = matched.groups()[6:]
    if not (1 <= month <= 12 and hour < 24 and minute < 60 and second < 60):
        return None
    if not 1 <= day <= calendar.monthrange(max(year, 1), month)[1] or int(hours or 0) > 24 or int(minutes or 0) > 60:
        return None
    since = calendar.timegm((year, month, day, hour, minute, second)) if year else None
    if since is None:
        return None
    away = (int(hours or 0) * 60 + int(minutes or 0)) * 60
    since += -away if sign == "+" else away
    return since * 1000 + int((fraction or ".0")[1:4].ljust(3, "0"))


def _bad(name: str, text: str, what: str) -> PromqlError:
    shown = repr(text[:100]) if text else "this"
    return PromqlError(
        "bad_data", Message("invalid parameter {name}: {shown} {what}", name=repr(name), shown=shown, what=what)
    )
