"""Time and calendar."""

from __future__ import annotations

import datetime as dt

import pytest

from store.promql.asking import ask, ask_range
from store.promql.memory_source import MemorySource

PARTS = ["minute", "hour", "day_of_week", "day_of_month", "day_of_year", "days_in_month", "month", "year"]


def _parts(seconds: str) -> list[float | None]:
    return [ask(MemorySource(), f"{part}(vector({seconds}))", 0)["{}"] for part in PARTS]


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        ("0", [0, 0, 4, 1, 1, 31, 1, 1970]),
        ("-1", [59, 23, 3, 31, 365, 31, 12, 1969]),
        ("951868799.9", [59, 23, 2, 29, 60, 29, 2, 2000]),
        ("1735689599", [59, 23, 2, 31, 366, 31, 12, 2024]),
        ("4107542400", [0, 0, 1, 1, 60, 31, 3, 2100]),
        ("-62135596801", [59, 23, 0, 31, 366, 31, 12, 0]),
        ("-9.2e18", [26, 12, 2, 3, 123, 31, 5, -291536392293]),
        ("9.2e18", [33, 11, 5, 31, 244, 31, 8, 291536396232]),
        ("-0.5", [0, 0, 4, 1, 1, 31, 1, 1970]),
    ],
)
def test_parts_of_a_date(seconds: str, expected: list[int]) -> None:
    """In UTC, by the Gregorian calendar also before it began; fractions are cut off towards 1970."""
    assert _parts(seconds) == expected


def test_a_number_that_is_no_date_gives_what_go_makes_of_it() -> None:
    """NaN becomes the least integer, and its date wraps around: these are Prometheus 3.5's answers on amd64."""
    assert _parts("NaN") == _parts("Inf") == _parts("-1e300") == [30, 15, 0, 4, 339, 31, 12, 292277026596]


def test_without_an_argument_the_step_is_meant() -> None:
    """A vector without labels."""
    start = dt.datetime(2025, 3, 9, 23, 30, tzinfo=dt.UTC).timestamp()
    assert ask_range(MemorySource(), "hour()", start, start + 3600, 1800) == {"{}": [23.0, 0.0, 0.0]}
    assert ask_range(MemorySource(), "day_of_week()", start, start + 3600, 3600) == {"{}": [0.0, 1.0]}


def test_time_is_the_step_s() -> None:
    """With its milliseconds."""
    assert ask(MemorySource(), "time()", 1234.567) == {"": 1234.567}


def test_a_selector_s_timestamps_are_those_of_its_samples() -> None:
    """Also in parentheses and with an offset; of anything computed it is the step's time."""
    source = MemorySource()
    source.add("g", 10, "1 2 3")
    asked = {
        query: ask(source, query, 17.5).get("{}")
        for query in ("timestamp(g)", "timestamp((g))", "timestamp(g offset 8s)", "timestamp(g + 0)", "timestamp(-g)")
    }
    assert asked == {
        "timestamp(g)": 10.0, "timestamp((g))": 10.0, "timestamp(g offset 8s)": 0.0, "timestamp(g + 0)": 17.5,
        "timestamp(-g)": 17.5,
    }  # fmt: skip
