"""When something runs out: what may be foretold, and what may not."""

from __future__ import annotations

import math
import threading
from array import array
from collections.abc import Sequence

import pytest

from bongsu.boards.board import Left
from bongsu.model.errors import NotKnown
from bongsu.model.message import Message
from bongsu.model.query import Query
from bongsu.store.recent import Window
from bongsu.views.web import forecast
from bongsu.views.web.forecast import Forecasts, forecast_of
from readings import HEAT

LEFT = Left(Query(HEAT, by=("room",)), Message("{room} {span} {past}"))
MINUTES = [60.0 * minute for minute in range(60)]


def seconds_left(times: Sequence[float], values: Sequence[float]) -> float | None:
    """The seconds of a forecast, if there is one."""
    made = forecast_of(times, values)
    return None if made is None else made.seconds


def test_a_forecast_says_how_long_it_has_watched() -> None:
    """Half an hour of readings is not called six hours."""
    made = forecast_of(MINUTES[:31], [100.0 - t / 60 for t in MINUTES[:31]])
    assert made
    assert str(made.text(LEFT, ("attic",))) == "attic 1 h 10 min 30 min"


def test_a_straight_fall_ends_where_it_comes_to_0() -> None:
    """Also with gaps, and with some noise."""
    assert seconds_left(MINUTES, [100.0 - t / 60 for t in MINUTES]) == pytest.approx(41 * 60)
    gaps = [math.nan if i % 7 == 2 else 100.0 - t / 60 for i, t in enumerate(MINUTES)]
    assert seconds_left(MINUTES, gaps) == pytest.approx(41 * 60)
    noisy = [100.0 - t / 60 + (5 if i % 2 else -5) for i, t in enumerate(MINUTES)]
    assert seconds_left(MINUTES, noisy) == pytest.approx(41 * 60, rel=0.2)


@pytest.mark.parametrize(
    "values",
    [
        [100.0] * 60,
        [100.0 + i for i in range(60)],
        [100.0 if i < 30 else 50.0 for i in range(60)],
        [100.0 - (i % 10) for i in range(60)],
        [1e15 - i for i in range(60)],
        [math.nan] * 60,
    ],
    ids=["still", "rises", "one step", "saw", "in a million years", "not known"],
)
def test_what_does_not_run_out_is_not_said_to(values: list[float]) -> None:
    """A file that was written once says nothing about the next hours."""
    assert seconds_left(MINUTES, values) is None


def test_little_is_no_ground_for_a_forecast() -> None:
    """Ten readings and a quarter of an hour are the least."""
    assert seconds_left(MINUTES[:9], [100.0 - i for i in range(9)]) is None
    assert seconds_left([float(i) for i in range(60)], [100.0 - i for i in range(60)]) is None


def falling(*rooms: str) -> Window:
    return Window(
        array("d", MINUTES),
        {(r,): array("d", [100.0 * (i + 1) - t / 60 for t in MINUTES]) for i, r in enumerate(rooms)},
    )


def test_the_soonest_comes_first_and_is_remembered() -> None:
    """The disk is asked once a minute, for the hours that count."""
    asked: list[float] = []

    def read(left: Left, since: float, until: float) -> Window:
        asked.append(until - since)
        return falling("soon", "late")

    forecasts = Forecasts(read)
    assert forecasts.known(LEFT) == {}
    assert [group for group, _ in forecasts.of(LEFT).items()] == [("soon",), ("late",)]
    assert forecasts.of(LEFT) == forecasts.known(LEFT)
    assert asked == [6 * 3600.0]


def test_a_history_that_cannot_be_read_foretells_nothing() -> None:
    """And no page fails for it."""

    def read(*_: object) -> Window:
        raise NotKnown(Message("gone"))

    assert Forecasts(read).of(LEFT) == {}


def test_what_is_old_is_looked_for_meanwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    """A tick never waits for the disk: it tells what was known, and the next one what is new."""
    monkeypatch.setattr(forecast, "_STANDS_FOR", -1.0)
    windows = [falling("old"), falling("new")]
    done = threading.Semaphore(0)

    def read(*_: object) -> Window:
        done.release()
        return windows.pop(0)

    forecasts = Forecasts(read)
    forecasts._look(LEFT)
    assert done.acquire(timeout=60)
    assert list(forecasts.known(LEFT)) == [("old",)]
    assert done.acquire(timeout=60)
    monkeypatch.setattr(forecast, "_STANDS_FOR", 60.0)
    for _ in range(6000):
        if list(forecasts.known(LEFT)) == [("new",)]:
            break
        threading.Event().wait(0.01)
    assert list(forecasts.known(LEFT)) == [("new",)]
