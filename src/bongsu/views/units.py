"""Values as people read them: short, in units that fit, and a dash for what is not known."""

from __future__ import annotations

import math
import time

UNKNOWN = "-"
_BINARY = ("B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB")
_DECIMAL = ("", "k", "M", "G", "T", "P", "E")
_SPANS = ((86400, "d"), (3600, "h"), (60, "min"), (1, "s"))
_SMALL = ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs"), (1e-9, "ns"))


def bytes_text(n: float | None) -> str:
    """Bytes in steps of 1024: ``1.5 GiB``."""
    return _scaled(n, _BINARY, 1024)


def rate_text(n: float | None) -> str:
    """Bytes per second: ``1.5 MiB/s``."""
    text = bytes_text(n)
    return text if text == UNKNOWN else f"{text}/s"


def short_bytes(n: float | None) -> str:
    """Bytes in at most five characters, for narrow columns: ``1.5G`` (steps of 1024, as ``ls -h``)."""
    text = bytes_text(n)
    if text == UNKNOWN:
        return text
    number, _, unit = text.partition(" ")
    return f"{number}{unit[0]}" if unit != "B" else number


def count_text(n: float | None) -> str:
    """A number of things: ``9,999``, then in steps of 1000: ``12.3 k``."""
    if n is None or math.isnan(n) or math.isinf(n) or abs(n) >= 10_000:
        return _scaled(n, _DECIMAL, 1000)
    return f"{n:,.0f}" if float(n).is_integer() or abs(n) >= 999.5 else f"{n:,.3g}"


def ratio_text(n: float | None) -> str:
    """A ratio as a percentage: 0.123 is ``12.3 %``."""
    if n is None or math.isnan(n) or math.isinf(n):
        return UNKNOWN
    percent = n * 100
    if 0 < percent < 0.05:
        return "< 0.1 %"
    return f"{percent:.0f} %" if abs(percent) >= 99.95 or percent == 0 else f"{percent:.1f} %"


def seconds_text(n: float | None) -> str:
    """A length of time: ``250 µs``, ``1.50 s``, ``2 min 5 s``, ``3 d 4 h``."""
    if n is None or math.isnan(n) or math.isinf(n):
        return UNKNOWN
    if n < 0:
        return f"-{seconds_text(-n)}"
    if n == 0:
        return "0 s"
    if n < 59.995:
        for size, unit in _SMALL:
            if n >= size * 0.9995 or unit == "ns":
                return f"{_three(n / size)} {unit}"
    whole = round(n)
    for place, (size, unit) in enumerate(_SPANS[:-1]):
        if whole >= size:
            smaller, smaller_unit = _SPANS[place + 1]
            rest = whole % size // smaller
            return f"{whole // size} {unit} {rest} {smaller_unit}" if rest else f"{whole // size} {unit}"
    return f"{whole} s"


def clock_text(n: float | None) -> str:
    """CPU time as process lists show it: ``0:03.21``, ``12:34``, ``5h07``, ``3d04h``."""
    if n is None or math.isnan(n) or math.isinf(n) or n < 0:
        return UNKNOWN
    whole = int(n)
    if whole < 600:
        return f"{whole // 60}:{whole % 60:02d}.{int(n * 100) % 100:02d}"
    if whole < 6000:
        return f"{whole // 60}:{whole % 60:02d}"
    if whole < 86400:
        return f"{whole // 3600}h{whole % 3600 // 60:02d}"
    return f"{whole // 86400}d{whole % 86400 // 3600:02d}h"


def when_text(at: float | None, now: float | None = None) -> str:
    """A Unix time in the local zone, as short as it stays clear: ``14:03:22``, ``3 Aug 14:03``, ``2025-08-03``."""
    if at is None or math.isnan(at):
        return UNKNOWN
    try:
        then = time.localtime(at)
    except (OverflowError, ValueError, OSError):
        return UNKNOWN
    today = time.localtime(time.time() if now is None else now)
    if then[:3] == today[:3]:
        return time.strftime("%H:%M:%S", then)
    if then[0] == today[0]:
        return f"{then.tm_mday} {time.strftime('%b %H:%M', then)}"
    return time.strftime("%Y-%m-%d", then)


def span_text(start: float, end: float, now: float | None = None) -> str:
    """From one Unix time to another in the local zone: ``13:03 to 14:03``, with days and years where they matter."""
    today = time.localtime(time.time() if now is None else now)
    first, last = time.localtime(start), time.localtime(end)
    words = []
    for then, known in ((first, today[:3]), (last, first[:3])):
        day = "" if then[:3] == known else f"{then.tm_mday} {time.strftime('%b', then)} "
        year = "" if then[0] in {today[0], known[0]} else f"{then.tm_year} "
        words.append(f"{day}{year}{time.strftime('%H:%M:%S' if end - start < 600 else '%H:%M', then)}")
    return " to ".join(words)


def _scaled(n: float | None, units: tuple[str, ...], step: int) -> str:
    if n is None or math.isnan(n):
        return UNKNOWN
    if math.isinf(n):
        return "∞" if n > 0 else "-∞"
    place = 0
    while abs(n) >= step * 0.9995 and place < len(units) - 1:
        n /= step
        place += 1
    number = _three(n) if place or not float(n).is_integer() else f"{n:.0f}"
    return f"{number} {units[place]}".rstrip()


def _three(n: float) -> str:
    """Three figures, without an exponent and without zeros that say nothing."""
    size = abs(n)
    if size >= 99.95:
        return f"{n:.0f}"
    if size >= 9.995:
        return f"{n:.1f}".removesuffix(".0")
    return f"{n:.2f}".rstrip("0").rstrip(".")
