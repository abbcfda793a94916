"""Figures of processes on GPUs in the few characters that a column of `bongsu top` has, and their order."""

from __future__ import annotations

from bongsu.views.units import UNKNOWN

_UNITS = ((86400, "d"), (3600, "h"), (60, "m"), (1, "s"))


def percent(ratio: float | None) -> str:
    """0.5 is ``50``; eight busy GPUs are ``800``."""
    return UNKNOWN if ratio is None else f"{ratio * 100:.0f}"


def age_text(seconds: float | None) -> str:
    """A length of time in its largest unit: ``45s``, ``12m``, ``3h``, ``9d``."""
    if seconds is None:
        return UNKNOWN
    size, unit = next((pair for pair in _UNITS if seconds >= pair[0]), _UNITS[-1])
    return f"{seconds / size:.0f}{unit}" if seconds < 10 * size or unit == "s" else f"{seconds // size:.0f}{unit}"


def rank(value: float | None) -> float:
    """What a figure is ordered by: one that is not known is less than none."""
    return -1.0 if value is None else value
