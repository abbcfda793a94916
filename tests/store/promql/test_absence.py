"""What absent() says is missing."""

from __future__ import annotations

import pytest

from store.promql.asking import ask, ask_range
from store.promql.memory_source import MemorySource


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("absent(nothing{a='b', c='d'})", "{a=b,c=d}"),
        ("absent((nothing{a='b'}))", "{a=b}"),
        ("absent(nothing{a='b', c!='d', e=~'f'})", "{a=b}"),
        ("absent(nothing{a='b', a='b'})", "{}"),
        ("absent(nothing{a='b', a!='c'})", "{}"),
        ("absent(nothing{a=''})", "{}"),
        ("absent({__name__='nothing', a='b'})", "{a=b}"),
        ("absent(sum(nothing{a='b'}))", "{}"),
        ("absent_over_time(nothing{a='b'}[5m])", "{a=b}"),
        ("absent_over_time((nothing{a='b'}[5m]))", "{a=b}"),
        ("absent_over_time(nothing{a='b'}[5m:1m])", "{}"),
    ],
)
def test_labels_are_what_was_asked_to_be_equal(query: str, expected: str) -> None:
    """Each only if it was asked for once, and only of plain selectors."""
    assert ask(MemorySource(), query, 0) == {expected: 1.0}


def test_it_is_there_at_the_steps_where_nothing_is() -> None:
    """One of two series is enough to be present."""
    source = MemorySource()
    source.add("g{a='1'}", 10, "1 stale stale 4")
    source.add("g{a='2'}", 10, "_ 5 stale stale")
    assert ask_range(source, "absent(g)", 0, 30, 10) == {"{}": [None, None, 1.0, None]}
    assert ask_range(source, "absent_over_time(g[15s])", 0, 60, 10) == {"{}": [None] * 5 + [1.0, 1.0]}
    assert ask(source, "absent(g)", 0) == {}
