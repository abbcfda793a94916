"""Understands what people write for a duration, a size, a share or a count: ``10m``, ``8GiB``, ``250%``, ``1000``."""

from __future__ import annotations

import math
import re

_NUMBER = re.compile(r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:e([0-9]{1,2}))?\s*([A-Za-z%/]*)")
_SECONDS = {"": 1.0, "ms": 0.001, "s": 1.0, "sec": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86400.0}
_BYTES = {
    "": 1, "b": 1, "k": 1000, "kb": 1000, "m": 1000**2, "mb": 1000**2, "g": 1000**3, "gb": 1000**3, "t": 1000**4,
    "tb": 1000**4, "kib": 1024, "mib": 1024**2, "gib": 1024**3, "tib": 1024**4,
    "ki": 1024, "mi": 1024**2, "gi": 1024**3, "ti": 1024**4,
}  # fmt: skip


def seconds(text: str) -> float | None:
    """A duration: a number of seconds, or with the unit ms, s, m, h or d; None if it is none."""
    return _with_unit(text, _SECONDS)


def size(text: str) -> float | None:
    """Bytes: a number, or with the unit B, kB, MB, GB, TB (1000) or KiB, MiB, GiB, TiB (1024); None if it is none."""
    return _with_unit(text, _BYTES)


def rate(text: str) -> float | None:
    """Bytes a second, as ``50MB/s`` or ``50MB``; None if it is none."""
    return size(text.strip().removesuffix("/s"))


def percent(text: str) -> float | None:
    """Percent of one CPU, as ``250%`` or ``250``; None if it is none."""
    return _with_unit(text, {"": 1.0, "%": 1.0})


def count(text: str) -> float | None:
    """A whole number; None if it is none."""
    return float(text) if text.strip().isascii() and text.strip().isdigit() else None


def _with_unit(text: str, units: dict[str, float] | dict[str, int]) -> float | None:
    found = _NUMBER.fullmatch(text.strip())
    if found is None:
        return None
    factor = units.get(found[3].lower())
    if factor is None:
        return None
    value = float(found[1]) * 10.0 ** int(found[2] or 0) * factor
    return value if math.isfinite(value) else None
