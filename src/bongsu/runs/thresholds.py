"""Limits that a run is not to cross: what they are of, how they are written, and when one has been crossed.

Standard library only, as all that the monitor imports.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

_UNITS = ("B", "KiB", "MiB", "GiB", "TiB")
WARN, RUN, END = "warn", "run", "end"


class Threshold(NamedTuple):
    """One limit. ``action`` is `WARN`, `RUN` (of ``argv``) or `END`."""

    what: str  # of KINDS
    above: float
    action: str = WARN
    argv: tuple[str, ...] = ()


class Crossing(NamedTuple):
    """A limit that has just been crossed."""

    threshold: Threshold
    value: float


class _Kind(NamedTuple):
    column: str  # of columns.SAMPLE
    unit: str
    growth: bool = False  # the limit is on how much it grows in a second


KINDS = {
    "rss": _Kind("rss_bytes", "size"),
    "pss": _Kind("pss_bytes", "size"),
    "uss": _Kind("uss_bytes", "size"),
    "vms": _Kind("vms_bytes", "size"),
    "memory": _Kind("cgroup_bytes", "size"),
    "cpu": _Kind("cpu_seconds", "percent", growth=True),
    "cpu-time": _Kind("cpu_seconds", "duration"),
    "wall": _Kind("at_seconds", "duration"),
    "processes": _Kind("processes", "count"),
    "threads": _Kind("threads", "count"),
    "open-files": _Kind("open_files", "count"),
    "read": _Kind("read_bytes", "rate", growth=True),
    "write": _Kind("write_bytes", "rate", growth=True),
    "read-total": _Kind("read_bytes", "size"),
    "write-total": _Kind("write_bytes", "size"),
}


class Guard:
    """Tells at each sample which limits were crossed; each once, and again only after it was kept for a sample."""

    def __init__(self, thresholds: tuple[Threshold, ...]) -> None:
        self._thresholds = thresholds
        self._crossed: set[Threshold] = set()
        self._before: dict[str, float] = {}

    def crossed(self, sample: Mapping[str, float | None]) -> Iterator[Crossing]:
        """What this sample, by the names of `columns.SAMPLE`, has crossed; what is not known crosses nothing."""
        for one in self._thresholds:
            value = self._value(KINDS[one.what], sample)
            if value is None:
                continue
            if value <= one.above:
                self._crossed.discard(one)
            elif one not in self._crossed:
                self._crossed.add(one)
                yield Crossing(one, value)
        self._before = {name: value for name, value in sample.items() if value is not None}

    def _value(self, kind: _Kind, sample: Mapping[str, float | None]) -> float | None:
        value = sample.get(kind.column)
        if value is None or not kind.growth:
            return value
        at, before, since = sample.get("at_seconds"), self._before.get(kind.column), self._before.get("at_seconds")
        if at is None or before is None or since is None or at <= since:
            return None
        return (value - before) / (at - since) * (100.0 if kind.unit == "percent" else 1.0)


def shown(what: str, value: float) -> str:
    """A value as it is read: ``8.2 GiB``, ``250 %``."""
    unit = KINDS[what].unit
    if unit in ("size", "rate"):
        power = next((n for n in range(4) if value < 1024 ** (n + 1)), 4)
        return f"{value / 1024**power:.4g} {_UNITS[power]}{'/s' if unit == 'rate' else ''}"
    return f"{value:.4g}{ {'percent': ' %', 'duration': ' s', 'count': ''}[unit] }"


def parsed(text: str, readers: Mapping[str, Callable[[str], float | None]]) -> tuple[str, float] | None:
    """What stands before and after the ``>`` of a limit; None if that is not how it is written.

    Args:
        text: as ``rss>8GiB``.
        readers: unit (size, duration, …) → what understands a value of it.
    """
    what, sign, value = text.partition(">")
    what = what.strip().lower().replace("_", "-")
    if not sign or what not in KINDS:
        return None
    above = readers[KINDS[what].unit](value)
    return None if above is None else (what, above)
