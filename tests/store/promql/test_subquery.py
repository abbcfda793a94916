"""Subqueries: expressions as range vectors."""

from __future__ import annotations

from store.promql.answers import at, samples, steps
from store.promql.memory_source import MemorySource


def _counting() -> MemorySource:
    source = MemorySource()
    source.add("count", 10, " ".join(str(number) for number in range(100)))
    return source


def test_steps_are_multiples_of_the_step_since_1970() -> None:
    """They do not move with the time asked for, and the window is open on its left."""
    expected = [(60.0, 6.0), (90.0, 9.0), (120.0, 12.0)]
    assert samples(_counting(), "count[90s:30s]", 120)["count"] == expected
    assert samples(_counting(), "count[90s:30s]", 149)["count"] == expected
    assert samples(_counting(), "count[90s:30s]", 150)["count"] == [(90.0, 9.0), (120.0, 12.0), (150.0, 15.0)]


def test_a_step_that_is_not_written_is_a_minute() -> None:
    """Prometheus' default evaluation interval."""
    assert samples(_counting(), "count[5m:]", 300) == {"count": [(60, 6), (120, 12), (180, 18), (240, 24), (300, 30)]}


def test_offset_and_at_move_the_window() -> None:
    """Of the subquery, and of what is inside, each by itself."""
    assert samples(_counting(), "count[1m:30s] offset 1m", 200)["count"] == [(90, 9), (120, 12)]
    assert samples(_counting(), "count[1m:30s] @ 120", 500)["count"] == [(90, 9), (120, 12)]
    assert samples(_counting(), "(count offset 30s)[1m:30s]", 120)["count"] == [(90, 6), (120, 9)]
    assert samples(_counting(), "(count @ 50)[1m:30s]", 120)["count"] == [(90, 5), (120, 5)]


def test_start_and_end_inside_are_those_of_the_whole_query() -> None:
    """Not those of the subquery's own steps."""
    assert steps(_counting(), "max_over_time((count @ end())[1m:30s])", 60, 120, 30) == {"": [12, 12, 12]}
    assert steps(_counting(), "max_over_time((count @ start())[1m:30s])", 60, 120, 30) == {"": [6, 6, 6]}


def test_gaps_in_what_is_inside_are_gaps_in_the_window() -> None:
    """Where the expression has no value there is no sample."""
    source = _counting()
    assert samples(source, "(count > 9)[1m:20s]", 120) == {"count": [(100, 10), (120, 12)]}
    assert samples(source, "(count > 100)[1m:20s]", 120) == {}
    assert at(source, "count_over_time((count != 9)[2m:30s])", 120) == {"": 3}


def test_subqueries_nest() -> None:
    """The inner one is evaluated at the steps of the outer one."""
    assert at(_counting(), "max_over_time(min_over_time(count[1m:10s])[1m:30s])", 120) == {"": 7}
    assert steps(_counting(), "sum_over_time(count[1m:30s])", 60, 120, 30) == {"": [9, 15, 21]}
