"""Counters that never fall, made of the kernel's own, which begin anew when a cgroup is made again."""

from __future__ import annotations

from typing import TypeVar

Numbers = tuple[float | None, ...]
N = TypeVar("N", bound=float)


class Rising:
    """Counters that begin anew together. The first tells whether they did: it must be exact.

    The others may tremble (the kernel makes user and system time from samples): they keep their
    highest value. None is not known, and keeps what was.
    """

    __slots__ = ("_base", "_last")

    def __init__(self) -> None:
        self._base: Numbers | None = None
        self._last: Numbers | None = None

    def take(self, *raw: float | None) -> Numbers:
        """The counters after a new reading."""
        last = self._last
        if last is not None and raw != last:
            first, before = raw[0], last[0]
            if first is not None and before is not None and first < before:
                self._base = last if self._base is None else tuple(map(total, self._base, last))
            else:
                raw = tuple(map(highest, raw, last))
        self._last = raw
        return raw if self._base is None else tuple(map(total, self._base, raw))


def highest(one: N | None, other: N | None) -> N | None:
    """The larger of two; the one that is known where only one is."""
    if one is None or other is None:
        return other if one is None else one
    return max(one, other)


def least(one: N | None, other: N | None) -> N | None:
    """The smaller of two limits; None is none."""
    if one is None or other is None:
        return other if one is None else one
    return min(one, other)


def total(one: N | None, other: N | None) -> N | None:
    """The sum; what is known where only one is."""
    if one is None or other is None:
        return other if one is None else one
    return one + other  # type: ignore[return-value]  # the sum of two of a kind is of that kind
