"""What a query answers as a whole, and which are refused."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from bongsu.store.promql import engine
from bongsu.store.promql.values import Matrix, PromqlError, Scalar, Vector
from store.promql.answers import at, steps, text
from store.promql.memory_source import MemorySource


def _source() -> MemorySource:
    source = MemorySource()
    source.add("b", 60, "1 2 3")
    source.add("a{x='2'}", 60, "1 2 3")
    source.add("a{x='1'}", 60, "_ stale _")
    source.add("a{x='0'}", 60, "4 5 6")
    return source


def test_ranges_answer_by_labels_and_only_what_is_ever_there() -> None:
    """Series come sorted, without those that are absent at every step."""
    result = engine.over_range(_source(), '{__name__=~"a|b"}', 0, 120_000, 60_000)
    assert isinstance(result.value, Vector)
    assert [dict(labels).get("x") for labels in result.value.labels] == ["0", "2", None]
    assert result.steps.times.tolist() == [0, 60_000, 120_000]


def test_the_last_step_does_not_pass_the_end() -> None:
    """A range that is no multiple of the step ends at the step before."""
    assert steps(_source(), "b", 0, 119, 60) == {"b": [1, 2]}
    assert steps(_source(), "b", 60, 60, 1) == {"b": [2]}


def test_one_moment_answers_what_the_expression_is() -> None:
    """A number, a string, an instant vector in the order it was made, or samples of a range."""
    assert at(_source(), "2 * 3", 0) == {"": 6}
    assert text(_source(), r'"a\x41\u00e9\n\303\251"') == "aAé\né"
    assert text(_source(), r"`a\n`") == r"a\n"
    assert isinstance(engine.instant(_source(), "a[1m]", 0).value, Matrix)
    assert list(at(_source(), "sort_desc({__name__=~'a|b'})", 0).values()) == [4, 1, 1]


def test_a_number_over_a_range_is_one_at_each_step() -> None:
    """Scalars have no gaps and no labels."""
    result = engine.over_range(_source(), "time()", 0, 120_000, 60_000)
    assert isinstance(result.value, Scalar)
    assert result.value.values.tolist() == [0, 60, 120]


@pytest.mark.parametrize(
    ("ask", "problem"),
    [
        (lambda: engine.over_range(_source(), "a", 0, 1, 0), "above zero"),
        (lambda: engine.over_range(_source(), "a", 0, 1, -5), "above zero"),
        (lambda: engine.over_range(_source(), "a", 1, 0, 5), "before the start"),
        (lambda: engine.over_range(_source(), "a", 0, 11_001_000, 1000), "step of 1.001 s or more"),
        (lambda: engine.over_range(_source(), "a", 0, 10**15, 1), "11000"),
        (lambda: engine.over_range(_source(), "a[5m]", 0, 1, 5), "range vector"),
        (lambda: engine.over_range(_source(), '"a"', 0, 1, 5), "string"),
        (lambda: engine.instant(_source(), "a", 0, lookback_ms=0), "lookback"),
        (lambda: engine.instant(_source(), 'a{x=~"("}', 0), r"1:6: the regular expression .* is not understood"),
    ],
)
def test_what_makes_no_sense_is_refused(ask: Callable[[], object], problem: str) -> None:
    """Each with what is wrong, and how to put it right."""
    with pytest.raises(PromqlError, match=problem) as caught:
        ask()
    assert caught.value.kind == "bad_data"


def test_as_many_points_as_prometheus_allows() -> None:
    """11,000 steps of a series are answered."""
    result = engine.over_range(_source(), "1", 0, 11_000_000, 1000)
    assert isinstance(result.value, Scalar)
    assert len(result.value.values) == 11_001


def test_the_same_text_is_parsed_once() -> None:
    """A dashboard asks the same again and again."""
    assert engine.validate("sum(rate(a[5m]))") is engine.validate("sum(rate(a[5m]))")
    assert engine.validate("a[5m]").kind == "matrix"
