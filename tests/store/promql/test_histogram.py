"""Quantiles and fractions of classic histograms."""

from __future__ import annotations

import math
from collections.abc import Mapping

import pytest

from bongsu.store.promql import engine
from bongsu.store.promql.values import PromqlError
from store.promql.asking import ask, ask_range
from store.promql.memory_source import MemorySource

NAN, INF = math.nan, math.inf
EVEN = {"1": "10", "2": "20", "4": "30", "+Inf": "40"}


def _source(buckets: Mapping[str, str]) -> MemorySource:
    source = MemorySource()
    for bound, counts in buckets.items():
        source.add(f"h_bucket{{job='x', le='{bound}'}}", 10, counts)
    return source


def _quantile(wanted: float, buckets: Mapping[str, str]) -> float | None:
    return ask(_source(buckets), f"histogram_quantile({wanted}, h_bucket)", 0).get("{job=x}")


@pytest.mark.parametrize(
    ("wanted", "expected"), [(0.125, 0.5), (0.25, 1), (0.5, 2), (0.625, 3), (0.75, 4), (0.9, 4), (1, 4), (0, 0)]
)
def test_observations_lie_evenly_within_a_bucket(wanted: float, expected: float) -> None:
    """The lowest begins at 0; of those above the last bound only that they are above it is known."""
    assert _quantile(wanted, EVEN) == pytest.approx(expected)


@pytest.mark.parametrize(("wanted", "expected"), [(-0.1, -INF), (1.1, INF), (NAN, NAN)])
def test_quantiles_that_are_none(wanted: float, expected: float) -> None:
    """Infinite, and warned of."""
    assert _quantile(wanted, EVEN) == pytest.approx(expected, nan_ok=True)
    result = engine.instant(_source(EVEN), f"histogram_quantile({wanted}, h_bucket)", 0)
    assert len(result.warnings) == 1


@pytest.mark.parametrize(
    ("buckets", "expected"),
    [
        ({"1": "10", "2": "20"}, NAN), ({"+Inf": "10"}, NAN), ({"1": "0", "+Inf": "0"}, NAN),
        ({"-1": "10", "+Inf": "12"}, -1), ({"-3": "1", "-1": "9", "+Inf": "10"}, -2),
        ({"-1": "0", "+Inf": "0"}, NAN),
        ({"0.5": "2", "1": "10", "1.0": "2", "+Inf": "12"}, 0.7),
    ],
    ids=["no +Inf", "only +Inf", "no observations", "lowest below zero", "all below zero", "none below zero", "one bound twice"],
)  # fmt: skip
def test_unusual_histograms(buckets: Mapping[str, str], expected: float) -> None:
    """The median; without the bucket of all observations nothing is known."""
    assert _quantile(0.5, buckets) == pytest.approx(expected, nan_ok=True)


def test_the_least_observation_where_none_is_below_zero() -> None:
    """The bound of the lowest bucket, even if that is empty."""
    assert _quantile(0, {"0": "0", "1": "5", "+Inf": "5"}) == 0


def test_a_bucket_below_its_neighbour_is_lifted() -> None:
    """By more than rounding explains, that is remarked on; 20 and 20·(1 - 1e-14) are equal without a word."""
    dented = {"1": "10", "2": "20", "4": "15", "8": "30", "+Inf": "40"}
    assert _quantile(0.6, dented) == pytest.approx(4 + 4 * 0.4)
    assert len(engine.instant(_source(dented), "histogram_quantile(0.6, h_bucket)", 0).infos) == 1
    rounded = {**EVEN, "4": repr(20 * (1 - 1e-14))}
    assert _quantile(0.5, rounded) == pytest.approx(2)
    assert not engine.instant(_source(rounded), "histogram_quantile(0.5, h_bucket)", 0).infos


@pytest.mark.parametrize("bound", ["", "x", " 2", "1e999", "0x", "+-1", "1__0", "1_"])
def test_bounds_that_are_no_numbers_are_left_out_with_a_warning(bound: str) -> None:
    """As Go reads numbers, which is not quite as Python does."""
    result = engine.instant(_source({**EVEN, bound: "35"}), "histogram_quantile(0.5, h_bucket)", 0)
    assert f'le="{bound}"' in str(result.warnings[0])
    assert ask(_source({**EVEN, bound: "35"}), "histogram_quantile(0.5, h_bucket)", 0) == {"{job=x}": 2.0}


@pytest.mark.parametrize("bound", ["2", "2.0", "2.", "+2e0", "0x1p1", "2_0e-1", ".2e1"])
def test_bounds_are_numbers_as_go_writes_them(bound: str) -> None:
    """All of these are two."""
    assert _quantile(0.5, {"1": "10", bound: "20", "4": "30", "Inf": "40"}) == 2


def test_each_step_has_the_buckets_that_are_present_then() -> None:
    """The bucket of 2 is there from 400 s on, that of all observations until 900 s (and 5 minutes longer)."""
    source = MemorySource()
    source.add("h_bucket{le='1'}", 100, " ".join(["10"] * 20))
    source.add("h_bucket{le='2'}", 100, " ".join(["30"] * 16), start=400)
    source.add("h_bucket{le='4'}", 100, " ".join(["40"] * 20))
    source.add("h_bucket{le='+Inf'}", 100, " ".join(["40"] * 10))
    found = ask_range(source, "histogram_quantile(0.5, h_bucket)", 0, 1600, 800)["{}"]
    assert found == [pytest.approx(2.0), pytest.approx(1.5), pytest.approx(NAN, nan_ok=True)]


def test_metrics_are_not_mixed() -> None:
    """Two histograms that differ by name only would have one answer's labels."""
    source = _source(EVEN)
    source.add("other_bucket{job='x', le='1'}", 10, "1")
    with pytest.raises(PromqlError):
        ask(source, "histogram_quantile(0.5, {__name__=~'h_bucket|other_bucket'})", 0)


@pytest.mark.parametrize(
    ("lower", "upper", "expected"),
    [
        ("1", "2", 0.25), ("1.5", "3", 0.25), ("1", "+Inf", 0.75), ("-Inf", "4", 0.75), ("2", "1", 0), ("5", "+Inf", 0.25),
        ("0", "1", NAN), ("NaN", "1", NAN), ("8", "9", 0),
    ],
)  # fmt: skip
def test_fractions(lower: str, upper: str, expected: float) -> None:
    """Prometheus 3.5 knows no lower end of the lowest bucket, so nothing of limits within it."""
    found = ask(_source(EVEN), f"histogram_fraction({lower}, {upper}, h_bucket)", 0)
    assert found == {"{job=x}": pytest.approx(expected, nan_ok=True)}


def test_a_fraction_is_at_most_one() -> None:
    """A bucket that holds more than there are observations counts as all of them."""
    buckets = {"1": "10", "2": "20", "+Inf": "15"}
    assert ask(_source(buckets), "histogram_fraction(1, 2, h_bucket)", 0) == {"{job=x}": pytest.approx(5 / 15)}
