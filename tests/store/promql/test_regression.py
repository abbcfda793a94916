"""Straight lines through samples."""

from __future__ import annotations

import math

import pytest

from store.promql.asking import ask, ask_range
from store.promql.memory_source import MemorySource


def _source(samples: str, **options: float) -> MemorySource:
    source = MemorySource()
    source.add("g", 10, samples, **options)
    return source


def test_the_slope_is_per_second_by_least_squares() -> None:
    """Through (0, 0), (10, 20), (20, 10): sum of (x - 10)(y - 10) is 100, that of (x - 10)² is 200."""
    assert ask(_source("0 20 10"), "deriv(g[1m])", 20) == {"{}": pytest.approx(0.5)}


def test_a_prediction_counts_from_the_step_and_not_from_the_last_sample() -> None:
    """On the line y = 2 t; at t = 55 and 30 s ahead."""
    source = _source("0 20 40 60 80 100")
    assert ask(source, "predict_linear(g[1m], 30)", 55) == {"{}": pytest.approx(170.0)}
    assert ask(source, "predict_linear(g[1m] offset 20s, 30)", 55) == {"{}": pytest.approx(170.0)}


def test_the_time_ahead_may_be_another_at_each_step() -> None:
    """The parameter is an expression."""
    found = ask_range(_source("0 20 40 60 80 100"), "predict_linear(g[1m], time())", 40, 50, 10)
    assert found == {"{}": pytest.approx([160.0, 200.0])}


def test_a_constant_has_the_slope_zero_exactly() -> None:
    """And is predicted to stay, exactly; of a constant infinity nothing is known."""
    assert ask(_source("0.1 0.1 0.1"), "deriv(g[1m])", 20) == {"{}": 0.0}
    assert ask(_source("0.1 0.1 0.1"), "predict_linear(g[1m], 60)", 20) == {"{}": 0.1}
    for query in ("deriv(g[1m])", "predict_linear(g[1m], 60)"):
        assert ask(_source("Inf Inf"), query, 20) == {"{}": pytest.approx(math.nan, nan_ok=True)}


def test_late_and_large_samples_lose_no_digits() -> None:
    """Half a unit per second on top of 10¹², at times of this century."""
    source = _source(" ".join(str(1e12 + 5 * i) for i in range(30)), start=1_700_000_000)
    assert ask(source, "deriv(g[5m])", 1_700_000_290) == {"{}": pytest.approx(0.5, rel=1e-6)}
