"""What owners do per second: what their counters gained between two looks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from bongsu.model.owner import OwnerKind
from bongsu.model.usage import OwnerRow, Usage, Waits


class OwnerRates(NamedTuple):
    """What an owner does per second; None where it is not known (yet, or not here)."""

    cores: float | None = None  # CPU seconds per second: 1.0 is one core
    throttled: float | None = None  # of the periods in which it wanted to run, the share in which it was stopped
    read_bytes: float | None = None
    write_bytes: float | None = None
    cpu_waiting: float | None = None  # shares of the time in which some task of it waited
    memory_waiting: float | None = None
    io_waiting: float | None = None
    oom_kills: int = 0  # since the look before


NO_OWNER_RATES = OwnerRates()


def owner_rates(
    before: Sequence[OwnerRow], rows: Sequence[OwnerRow], seconds: float, since: float
) -> dict[tuple[OwnerKind, str, str], OwnerRates]:
    """The rates over ``seconds`` by the owner's key; what began after ``since`` (Unix s) did all that it has done."""
    known = {row.owner.key: row.usage for row in before}
    found = {}
    for row in rows:
        last = known.get(row.owner.key)
        if last is not None:
            found[row.owner.key] = _rates(last, row.usage, seconds)
        elif row.usage.since >= since - 1.0:
            found[row.owner.key] = _rates(_NOTHING, row.usage, seconds)
    return found


_NOTHING = Usage(
    0, 0.0, cpu_seconds=0.0, cpu_periods=0, cpu_throttled_periods=0, io=(), oom_kills=0,
    cpu_waits=Waits(0.0), memory_waits=Waits(0.0), io_waits=Waits(0.0),
)  # fmt: skip


def _rates(last: Usage, now: Usage, seconds: float) -> OwnerRates:
    periods = _gain(last.cpu_periods, now.cpu_periods, 1.0)
    stopped = _gain(last.cpu_throttled_periods, now.cpu_throttled_periods, 1.0)
    return OwnerRates(
        _gain(last.cpu_seconds, now.cpu_seconds, seconds),
        min(1.0, stopped / periods) if periods and stopped is not None else None,
        _gain(last.read_bytes, now.read_bytes, seconds),
        _gain(last.written_bytes, now.written_bytes, seconds),
        _waiting(last.cpu_waits, now.cpu_waits, seconds),
        _waiting(last.memory_waits, now.memory_waits, seconds),
        _waiting(last.io_waits, now.io_waits, seconds),
        int(_gain(last.oom_kills, now.oom_kills, 1.0) or 0),
    )


def _waiting(last: Waits | None, now: Waits | None, seconds: float) -> float | None:
    return None if last is None or now is None else _gain(last.some_seconds, now.some_seconds, seconds)


def _gain(before: float | None, after: float | None, seconds: float) -> float | None:
    if before is None or after is None or after < before:
        return None
    return (after - before) / seconds
