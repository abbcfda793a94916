"""Functions of each value by itself."""

from __future__ import annotations

import math

import pytest

from store.promql.asking import ask, ask_range
from store.promql.memory_source import MemorySource

NAN, INF = math.nan, math.inf


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("abs(vector(-2))", 2), ("ceil(vector(1.2))", 2), ("floor(vector(-1.2))", -2), ("sqrt(vector(9))", 3),
        ("sqrt(vector(-1))", NAN), ("ln(vector(0))", -INF), ("ln(vector(-1))", NAN), ("exp(vector(1))", math.e),
        ("log2(vector(8))", 3), ("log10(vector(1000))", 3), ("sgn(vector(-7))", -1), ("sgn(vector(0))", 0),
        ("sgn(vector(NaN))", NAN), ("deg(vector(pi()))", 180), ("rad(vector(180))", math.pi), ("sin(vector(pi() / 2))", 1),
        ("cos(vector(0))", 1), ("tan(vector(0.5))", math.tan(0.5)), ("asin(vector(2))", NAN), ("acos(vector(1))", 0),
        ("atan(vector(1))", math.pi / 4), ("sinh(vector(1))", math.sinh(1)), ("cosh(vector(1))", math.cosh(1)),
        ("tanh(vector(1))", math.tanh(1)), ("asinh(vector(1))", math.asinh(1)), ("acosh(vector(1))", 0),
        ("atanh(vector(1))", INF), ("round(vector(2.5))", 3), ("round(vector(-2.5))", -2), ("round(vector(7), 5)", 5),
        ("round(vector(0.37), 0.1)", 0.4), ("round(vector(1), 0)", NAN), ("round(vector(Inf))", INF),
        ("clamp(vector(5), 1, 3)", 3), ("clamp(vector(NaN), 1, 3)", NAN), ("clamp(vector(5), NaN, 3)", NAN),
        ("clamp_min(vector(-5), 0)", 0), ("clamp_max(vector(-5), 0)", -5), ("clamp_min(vector(NaN), Inf)", INF),
        ("clamp_max(vector(NaN), -Inf)", -INF), ("pi()", math.pi), ("vector(scalar(vector(4)))", 4),
        ("scalar(nothing)", NAN),
    ],
)  # fmt: skip
def test_values(query: str, expected: float) -> None:
    """Halves are rounded upwards; NaN is kept, except that an infinite limit beats it."""
    assert list(ask(MemorySource(), query, 0).values()) == [pytest.approx(expected, nan_ok=True)]


def test_a_lower_limit_above_the_upper_leaves_nothing() -> None:
    """At the steps where it is so."""
    assert ask_range(MemorySource(), "clamp(vector(5), time(), 10)", 0, 20, 10) == {"{}": [5.0, 10.0, None]}


def test_a_scalar_is_the_value_of_the_only_series() -> None:
    """At steps with none, or with two, it is NaN."""
    source = MemorySource()
    source.add("g{a='1'}", 10, "1 2 stale stale")
    source.add("g{a='2'}", 10, "_ 5 6 stale")
    found = ask_range(source, "scalar(g)", 0, 30, 10)[""]
    assert found == pytest.approx([1, NAN, 6, NAN], nan_ok=True)


def test_names_go() -> None:
    """The absolute temperature is no temperature_celsius any more."""
    source = MemorySource()
    source.add("temperature{room='a'}", 10, "-3")
    assert ask(source, "abs(temperature)", 0) == {"{room=a}": 3.0}
