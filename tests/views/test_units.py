"""Values as people read them."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bongsu.views import units


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0 B"), (999, "999 B"), (1023, "1023 B"), (1024, "1 KiB"), (1536, "1.5 KiB"), (1023.9 * 1024, "1 MiB"),
        (150 * 2**30, "150 GiB"), (2**80, "1048576 EiB"), (-2048, "-2 KiB"), (math.inf, "∞"), (math.nan, "-"),
        (None, "-"),
    ],
)  # fmt: skip
def test_bytes(value: float | None, text: str) -> None:
    """Bytes go in steps of 1024 with three figures; zero and unknown are told apart."""
    assert units.bytes_text(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0 s"), (2.5e-9, "2.5 ns"), (250e-6, "250 µs"), (0.0015, "1.5 ms"), (1.5, "1.5 s"), (59.9, "59.9 s"),
        (59.999, "1 min"), (125, "2 min 5 s"), (3600, "1 h"), (7500, "2 h 5 min"), (100_000, "1 d 3 h"), (None, "-"),
        (-5, "-5 s"),
    ],
)  # fmt: skip
def test_seconds(value: float | None, text: str) -> None:
    """Lengths of time use the two largest units that say something."""
    assert units.seconds_text(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0 %"), (0.0001, "< 0.1 %"), (0.123, "12.3 %"), (1.0, "100 %"), (12.5, "1250 %"), (None, "-")],
)
def test_ratio(value: float | None, text: str) -> None:
    """A ratio is shown as a percentage, and a little is not shown as nothing."""
    assert units.ratio_text(value) == text


def test_counts_rates_and_clock() -> None:
    """Counts, bytes per second and CPU time each have their usual short form."""
    assert [units.count_text(n) for n in (0, 12, 9999, 12_345, 1.25e6)] == ["0", "12", "9,999", "12.3 k", "1.25 M"]
    assert units.rate_text(1536) == "1.5 KiB/s"
    assert units.rate_text(None) == "-"
    assert [units.short_bytes(n) for n in (5, 1536, 3 * 2**30)] == ["5", "1.5K", "3G"]
    assert [units.clock_text(n) for n in (3.217, 754, 18_420, 273_600)] == ["0:03.21", "12:34", "5h07", "3d04h"]


def test_when(time_zone: Callable[[str], None]) -> None:
    """A time of today shows the clock, of this year the day too, of another year the date."""
    time_zone("UTC")
    now = 1_785_000_000.0  # 2026-07-25 17:20:00 UTC
    assert units.when_text(now - 60, now) == "17:19:00"
    assert units.when_text(now - 5 * 86400, now) == "20 Jul 17:20"
    assert units.when_text(0, now) == "1970-01-01"
    assert units.when_text(None) == "-"


@given(st.floats())
def test_every_float_has_a_text(value: float) -> None:
    """No value, however odd, fails to be shown or comes out empty."""
    for text in (units.bytes_text, units.rate_text, units.seconds_text, units.ratio_text, units.count_text):
        assert text(value)
    assert units.when_text(value)
    assert units.clock_text(value)


@given(st.floats(min_value=0, max_value=2**60))
def test_short_bytes_fit(value: float) -> None:
    """The narrow form never needs more than five characters."""
    assert len(units.short_bytes(round(value))) <= 5
