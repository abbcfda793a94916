"""Operators: arithmetic, comparison, sets, and how series of both sides find each other."""

from __future__ import annotations

import math

import pytest

from bongsu.store.promql.values import PromqlError
from store.promql.answers import at, steps
from store.promql.memory_source import MemorySource


@pytest.fixture
def source() -> MemorySource:
    """CPU of two hosts by mode, memory of three, and one label set that changes its version."""
    made = MemorySource()
    made.add("cpu{host='a',mode='user'}", 60, "1 2 3 4")
    made.add("cpu{host='a',mode='sys'}", 60, "10 20 30 40")
    made.add("cpu{host='b',mode='user'}", 60, "5 6 7 8")
    made.add("mem{host='a'}", 60, "2 2 2 2")
    made.add("mem{host='b'}", 60, "4 4 stale 4")
    made.add("mem{host='c'}", 60, "8 8 8 8")
    made.add("build{host='a',version='1'}", 60, "1 1 stale")
    made.add("build{host='a',version='2'}", 60, "_ _ 1 1")
    return made


@pytest.mark.parametrize(
    ("query", "value"),
    [
        ("1 + 2 * 3 ^ 2 ^ 0.5", 1 + 2 * 3 ** (2**0.5)),
        ("-2 ^ 2", -4),
        ("2 ^ -1", 0.5),
        ("1 - 2 - 3", -4),
        ("7 % -3", 1),
        ("-7 % 3", -1),
        ("5 % 0", math.nan),
        ("1 / 0", math.inf),
        ("-1 / 0", -math.inf),
        ("0 / 0", math.nan),
        ("1 atan2 -1", math.atan2(1, -1)),
        ("1 == bool 1", 1),
        ("NaN == bool NaN", 0),
        ("NaN != bool NaN", 1),
        ("1 < bool 2 < bool 1", 0),
        ("2 > bool 1 + 1", 0),
        ("5m", 300),
        ("0x1F + 1_000", 1031),
    ],
)
def test_numbers(query: str, value: float) -> None:
    """Operators bind as in Prometheus, ``^`` to the right; % is the remainder with the sign of the left side."""
    found = at(MemorySource(), query, 0)[""]
    assert found == value or (math.isnan(found) and math.isnan(value))


def test_arithmetic_drops_the_name_and_comparison_keeps_it(source: MemorySource) -> None:
    """What is no longer the metric does not bear its name; ``bool`` makes numbers of comparisons."""
    assert at(source, "mem * 2", 0) == {"{host=a}": 4, "{host=b}": 8, "{host=c}": 16}
    assert at(source, "2 ^ mem", 0) == {"{host=a}": 4, "{host=b}": 16, "{host=c}": 256}
    assert at(source, "mem > 3", 0) == {"mem{host=b}": 4, "mem{host=c}": 8}
    assert at(source, "3 < mem", 0) == {"mem{host=b}": 4, "mem{host=c}": 8}
    assert at(source, "mem > bool 3", 0) == {"{host=a}": 0, "{host=b}": 1, "{host=c}": 1}
    assert at(source, "mem{host='a'} == on(host) mem", 0) == {"{host=a}": 2}


def test_one_to_one_matches_all_labels_but_the_name(source: MemorySource) -> None:
    """Only pairs give a value, at steps where both are there; with on() the result has those labels only."""
    assert at(source, "cpu + mem", 0) == {}
    assert at(source, "cpu{mode='user'} + ignoring(mode) mem", 0) == {"{host=a}": 3, "{host=b}": 9}
    assert at(source, "cpu{mode='user'} - on(host) mem", 0) == {"{host=a}": -1, "{host=b}": 1}
    assert steps(source, "mem / mem", 0, 180, 60)["{host=b}"] == [1, 1, None, 1]


def test_many_to_one_takes_labels_from_the_one(source: MemorySource) -> None:
    """group_left keeps the labels of the left side and adds the named ones; group_right is its mirror."""
    assert at(source, "cpu / on(host) group_left mem", 0) == {
        "{host=a,mode=user}": 0.5,
        "{host=a,mode=sys}": 5,
        "{host=b,mode=user}": 1.25,
    }
    assert at(source, "mem / on(host) group_right cpu{mode='user'}", 0) == {
        "{host=a,mode=user}": 2,
        "{host=b,mode=user}": 0.8,
    }
    assert at(source, "mem * on(host) group_left(version) build", 0) == {"{host=a,version=1}": 2}
    assert at(source, "cpu{host='b'} * on(host) group_left(mode) mem", 0) == {"{host=b}": 20}


def test_matches_are_made_at_each_step(source: MemorySource) -> None:
    """Two series of one match group are fine as long as only one is there at a time."""
    assert steps(source, "mem * on(host) group_left(version) build", 0, 180, 60) == {
        "{host=a,version=1}": [2, 2, None, None],
        "{host=a,version=2}": [None, None, 2, 2],
    }
    assert steps(source, "mem * on(host) build", 0, 180, 60) == {"{host=a}": [2, 2, 2, 2]}


@pytest.mark.parametrize(
    ("query", "problem"),
    [
        ("mem + on(host) cpu", "on the right hand-side"),
        ("cpu + on(host) mem", "many-to-one matching must be explicit"),
        ("cpu + on(host) group_left cpu", "on the right hand-side"),
        ("cpu + on(host) group_right cpu", "on the left hand-side"),
        ("cpu * on(host) group_left(mode) mem", "grouping labels must ensure unique matches"),
        ("-{__name__=~'mem|build', host='a'} or cpu", None),
        ("{__name__=~'mem|other', host='a'} * 2", None),
        ("{__name__=~'mem|twin'} + 1", "same labelset"),
        ("-{__name__=~'mem|twin'}", "same labelset"),
        ("{__name__=~'mem|twin'} > bool 1", "same labelset"),
        ("{__name__=~'mem|twin'} > 1", None),
    ],
)
def test_series_that_match_twice_are_refused(source: MemorySource, query: str, problem: str | None) -> None:
    """Results with the same labels, or an operand that is not the only one, are errors; else nothing is said."""
    source.add("twin{host='a'}", 60, "1 1 1")
    if problem is None:
        at(source, query, 0)
        return
    with pytest.raises(PromqlError, match=problem) as caught:
        at(source, query, 0)
    assert caught.value.kind == "execution"


def test_several_on_the_one_side_are_nothing_where_the_other_is_empty(source: MemorySource) -> None:
    """At a step where one side has no series at all nothing is matched, and so nothing is refused."""
    assert at(source, "nosuch + on(host) cpu", 0) == {}
    assert at(source, "(mem > 100) + on(host) cpu", 0) == {}


def test_comparison_of_two_vectors_keeps_the_left_value(source: MemorySource) -> None:
    """Also where the left side is the one of group_right."""
    assert at(source, "cpu > on(host) group_left mem", 0) == {"cpu{host=a,mode=sys}": 10, "cpu{host=b,mode=user}": 5}
    assert at(source, "mem < on(host) group_right cpu", 0) == {"cpu{host=a,mode=sys}": 2, "cpu{host=b,mode=user}": 4}


def test_and_or_unless_look_at_what_is_there_at_each_step(source: MemorySource) -> None:
    """Values are those of the side a series comes from; an absent match is judged step by step."""
    assert steps(source, "cpu and on(host) mem", 0, 120, 60)["cpu{host=b,mode=user}"] == [5, 6, None]
    assert steps(source, "cpu unless on(host) mem", 0, 180, 60) == {"cpu{host=b,mode=user}": [None, None, 7, None]}
    assert steps(source, "mem{host='b'} or on(host) cpu{mode='user'}", 0, 180, 60) == {
        "cpu{host=a,mode=user}": [1, 2, 3, 4],
        "cpu{host=b,mode=user}": [None, None, 7, None],
        "mem{host=b}": [4, 4, None, 4],
    }
    assert at(source, "mem and on() nosuch", 0) == {}
    assert at(source, "mem unless nosuch", 0) == {"mem{host=a}": 2, "mem{host=b}": 4, "mem{host=c}": 8}


def test_or_joins_the_times_of_equal_series(source: MemorySource) -> None:
    """The same labels from both sides at different steps are one series."""
    assert steps(source, "mem{host='b'} or mem{host='b'} offset 1m", 0, 180, 60) == {"mem{host=b}": [4, 4, 4, 4]}


def test_series_of_one_name_less_may_take_turns_except_under_a_sign(source: MemorySource) -> None:
    """Operators join series that become equal and are never there together; a minus or a range function refuses."""
    source.add("before{host='a'}", 60, "1 stale")
    source.add("after{host='a'}", 60, "_ _ 3 4")
    both = "{__name__=~'before|after'}"
    assert steps(source, f"{both} + 1", 0, 180, 60) == {"{host=a}": [2, None, 4, 5]}
    assert steps(source, f"{both} > bool 1", 0, 180, 60) == {"{host=a}": [0, None, 1, 1]}
    for query in (f"-{both}", f"sum_over_time({both}[1m])"):
        with pytest.raises(PromqlError, match="same labelset"):
            steps(source, query, 0, 180, 60)


def test_long_chains_do_not_use_up_the_stack() -> None:
    """A thousand operators are fine."""
    assert at(MemorySource(), "1" + " + 1" * 1000, 0) == {"": 1001}
