"""When a run is read: on a grid of times, and some times before the first of those."""

from __future__ import annotations

import math

import pytest

from bongsu.runs import readings
from bongsu.runs.readings import Readings


class _Clock:
    """A monotonic clock that stands still until it is told to go on."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


class _Recorder:
    """Notes when it was asked to read."""

    def __init__(self, clock: _Clock, *, group_tells: bool = False) -> None:
        self.group_tells = group_tells
        self.at: list[float] = []
        self.latest: dict[str, float | None] = {}
        self._clock = clock

    def sample(self) -> None:
        self.at.append(round(self._clock.now - 1000.0, 3))


class _Limits:
    """Notes how often limits were compared."""

    def __init__(self) -> None:
        self.compared = 0

    def wait(self, _now: float) -> float:
        return math.inf

    def tick(self) -> None:
        pass

    def sampled(self, _sample: object) -> None:
        self.compared += 1


def _read(
    monkeypatch: pytest.MonkeyPatch, interval: float, until: float, *, group_tells: bool = False
) -> tuple[list[float], int]:
    """When a run of so long was read by one who wakes just when it asks to be woken, and how often limits were compared."""
    clock = _Clock()
    monkeypatch.setattr(readings, "time", clock)
    recorder, limits = _Recorder(clock, group_tells=group_tells), _Limits()
    made = Readings(recorder, interval, limits)  # type: ignore[arg-type]  # they stand in for what is large
    while True:
        clock.now += made.patience() / 1000
        if clock.now - 1000.0 > until:
            return recorder.at, limits.compared
        made.take()
        assert made.trouble == ""


def test_a_young_run_is_read_early(monkeypatch: pytest.MonkeyPatch) -> None:
    """A program that ends within the first interval has held memory; without a group nothing tells of it afterwards."""
    at, compared = _read(monkeypatch, 1.0, 3.5)
    assert at == pytest.approx([0.2, 1.0, 2.0, 3.0], abs=0.02)
    assert compared == 3, "a rate over some tenths of a second crosses no limit"
    assert _read(monkeypatch, 10.0, 12.0)[0] == pytest.approx([0.2, 0.8, 3.2, 10.0], abs=0.05)
    assert _read(monkeypatch, 1.0, 3.5, group_tells=True)[0] == pytest.approx([1.0, 2.0, 3.0], abs=0.02)


@pytest.mark.parametrize(("interval", "first"), [(0.02, 0.02), (0.3, 0.3), (60.0, 60.0)])
def test_short_intervals_need_no_early_reading_and_long_ones_ask_for_few(
    monkeypatch: pytest.MonkeyPatch, interval: float, first: float
) -> None:
    """Where the grid is as near, or somebody asks to be left alone for a minute, it begins with the grid."""
    at, compared = _read(monkeypatch, interval, 2.5 * interval)
    assert at[0] == pytest.approx(first, abs=0.003)
    assert len(at) == compared == 2


def test_a_monitor_that_was_late_reads_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """What lies in the past is not read again and again, nor is the grid left."""
    clock = _Clock()
    monkeypatch.setattr(readings, "time", clock)
    recorder = _Recorder(clock)
    made = Readings(recorder, 10.0, _Limits())  # type: ignore[arg-type]  # as above
    for now in (0.7, 0.71, 2.81, 25.0, 25.1, 30.01):
        clock.now = 1000.0 + now
        made.take()
    assert recorder.at == [0.7, 2.81, 25.0, 30.01]
