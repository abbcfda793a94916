"""Folds over windows, and the sums behind them."""

from __future__ import annotations

import math
import statistics

import pytest

from bongsu.store.promql import engine
from store.promql.asking import ask, ask_range
from store.promql.memory_source import MemorySource

NAN = math.nan
INF = math.inf


def _of(function: str, samples: str, *, window: str = "10m", first: str = "") -> float | None:
    source = MemorySource()
    source.add("g{a='b'}", 10, samples)
    found = ask(source, f"{function}({first}g[{window}])", 10.0 * (len(samples.split()) - 1))
    return found.get("{a=b}", found.get("g{a=b}"))


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        ("sum_over_time", 15.5), ("avg_over_time", 3.1), ("min_over_time", -1), ("max_over_time", 7.5),
        ("count_over_time", 5), ("last_over_time", 4), ("present_over_time", 1), ("changes", 3), ("resets", 1),
        ("stdvar_over_time", statistics.pvariance([2, 3, -1, 7.5, 4])),
        ("stddev_over_time", statistics.pstdev([2, 3, -1, 7.5, 4])),
    ],
)  # fmt: skip
def test_plain_numbers(function: str, expected: float) -> None:
    """Of 2, 3, -1, 7.5, 4 (for changes and resets: 2, 2, 3, 3, 1, 5)."""
    samples = "2 2 3 3 1 5" if function in {"changes", "resets"} else "2 3 -1 7.5 4"
    assert _of(function, samples) == pytest.approx(expected, rel=1e-14)


@pytest.mark.parametrize(
    ("function", "samples", "expected"),
    [
        ("min_over_time", "NaN 3 NaN 2", 2), ("max_over_time", "NaN 3 NaN 2", 3), ("max_over_time", "NaN NaN", NAN),
        ("max_over_time", "NaN -Inf", -INF), ("sum_over_time", "1 NaN 2", NAN), ("avg_over_time", "1 Inf 2", INF),
        ("avg_over_time", "-Inf 1 Inf", NAN), ("sum_over_time", "1 -Inf 2", -INF), ("changes", "NaN NaN 1 NaN", 2),
        ("resets", "3 NaN 2", 0), ("stddev_over_time", "1 NaN", NAN), ("stdvar_over_time", "1 Inf", NAN),
        ("changes", "-0 0", 0), ("count_over_time", "NaN stale 1", 2), ("last_over_time", "1 NaN", NAN),
    ],
)  # fmt: skip
def test_nan_and_infinity(function: str, samples: str, expected: float) -> None:
    """NaN is a value as any other, except that min and max take a number where there is one; stale marks are none."""
    assert _of(function, samples) == pytest.approx(expected, nan_ok=True)


def test_sums_keep_small_numbers_beside_large_ones() -> None:
    """1e100 and -1e100 cancel out exactly; the ones stay."""
    assert _of("sum_over_time", "1 1e100 1 -1e100") == 2
    assert _of("avg_over_time", "1 1e100 1 -1e100") == 0.5
    assert _of("sum_over_time", " ".join(["0.1"] * 10)) == 1.0


def test_a_mean_is_right_where_the_sum_overflows() -> None:
    """The sum itself is infinite."""
    assert _of("avg_over_time", "1.5e308 1.7e308 1.6e308") == pytest.approx(1.6e308, rel=1e-12)
    assert _of("sum_over_time", "1.5e308 1.7e308 1.6e308") == INF


def test_the_deviation_of_a_constant_is_exactly_zero() -> None:
    """Also of numbers that have no exact binary form."""
    assert _of("stddev_over_time", " ".join(["0.1"] * 30)) == 0


@pytest.mark.parametrize(
    ("wanted", "samples", "expected"),
    [
        ("0.5", "4 1 3 2", 2.5), ("0", "4 1 3", 1), ("1", "4 1 3", 4), ("0.25", "10 20", 12.5), ("0.9", "7", 7),
        ("-0.1", "1 2", -INF), ("1.1", "1 2", INF), ("NaN", "1 2", NAN), ("0", "NaN 1 2", NAN), ("1", "NaN 1 2", 2),
        ("0.75", "NaN 1 2", 1.5), ("1", "1 Inf", NAN), ("0", "1 Inf", NAN), ("0.5", "Inf Inf", INF),
    ],
)  # fmt: skip
def test_quantiles(wanted: str, samples: str, expected: float) -> None:
    """Between neighbours in proportion; NaN is the smallest value; an infinite neighbour of weight 0 gives NaN."""
    assert _of("quantile_over_time", samples, first=f"{wanted}, ") == pytest.approx(expected, nan_ok=True)


def test_a_quantile_may_be_another_at_each_step() -> None:
    """The parameter is an expression; impossible ones are warned of, where there is something to take them of."""
    source = MemorySource()
    source.add("g", 10, "0 10 20 30 40")
    assert ask_range(source, "quantile_over_time(time() / 40, g[1m])", 0, 40, 20) == {"{}": [0.0, 10.0, 40.0]}
    said = [str(warning) for warning in engine.instant(source, "quantile_over_time(2, g[1m])", 40_000).warnings]
    assert said == ["a quantile should be between 0 and 1, and is 2"]
    assert not engine.instant(source, "quantile_over_time(2, nothing[1m])", 40_000).warnings


def test_the_last_value_keeps_the_metric_s_name() -> None:
    """It is a sample of that metric; a mean is not."""
    source = MemorySource()
    source.add("g", 10, "1 2")
    assert ask(source, "last_over_time(g[1m])", 10) == {"g{}": 2.0}
    assert ask(source, "max_over_time(g[1m])", 10) == {"{}": 2.0}


def test_steps_whose_window_is_empty_have_no_value() -> None:
    """The series is there before and after."""
    source = MemorySource()
    source.add("g", 10, "1 2 _ _ _ _ 7 8")
    for function in ("sum_over_time", "max_over_time", "count_over_time", "changes", "stddev_over_time"):
        found = ask_range(source, f"{function}(g[20s])", 0, 70, 10)["{}"]
        assert [value is None for value in found] == [False, False, False, True, True, True, False, False]
