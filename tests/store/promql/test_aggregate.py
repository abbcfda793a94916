"""Aggregations over the series that are there at each step."""

from __future__ import annotations

import math

import pytest

from bongsu.store.promql import engine
from bongsu.store.promql.values import PromqlError
from store.promql.answers import at, steps
from store.promql.memory_source import MemorySource


@pytest.fixture
def source() -> MemorySource:
    """Five series of two hosts, one of which is there for a while only."""
    made = MemorySource()
    made.add("load{host='a',core='0'}", 60, "1 2 3")
    made.add("load{host='a',core='1'}", 60, "3 4 stale")
    made.add("load{host='b',core='0'}", 60, "5 -6 7")
    made.add("load{host='b',core='1'}", 60, "7 8 9")
    made.add("odd{kind='nan'}", 60, "NaN NaN NaN")
    made.add("odd{kind='number'}", 60, "2 NaN 2")
    return made


@pytest.mark.parametrize(
    ("query", "values"),
    [
        ("sum(load)", [16, 8, 19]),
        ("avg(load)", [4, 2, 19 / 3]),
        ("min(load)", [1, -6, 3]),
        ("max(load)", [7, 8, 9]),
        ("count(load)", [4, 4, 3]),
        ("group(load)", [1, 1, 1]),
        ("stdvar(load)", [5, 26, 56 / 9]),
        ("stddev(load)", [math.sqrt(5), math.sqrt(26), math.sqrt(56 / 9)]),
        ("quantile(0.5, load)", [4, 3, 7]),
        ("quantile(0.25, load)", [2.5, 0, 5]),
        ("quantile(2, load)", [math.inf] * 3),
        ("quantile(-1, load)", [-math.inf] * 3),
    ],
)
def test_one_group_of_all(source: MemorySource, query: str, values: list[float]) -> None:
    """Each step takes what is there; the variance is that of the population; quantiles lie between neighbours."""
    assert steps(source, query, 0, 120, 60)[""] == pytest.approx(values)


def test_groups_are_by_labels_or_without_them(source: MemorySource) -> None:
    """``by`` keeps the named labels, ``without`` the others but never the name; a missing one is as if empty."""
    assert at(source, "sum by (host) (load)", 0) == {"{host=a}": 4, "{host=b}": 12}
    assert at(source, "sum without (host) (load)", 0) == {"{core=0}": 6, "{core=1}": 10}
    assert at(source, "sum(load) by (host, nosuch)", 0) == {"{host=a}": 4, "{host=b}": 12}
    assert at(source, "count without () (load)", 0) == {
        "{core=0,host=a}": 1,
        "{core=1,host=a}": 1,
        "{core=0,host=b}": 1,
        "{core=1,host=b}": 1,
    }
    assert at(source, "count by (__name__) (load)", 0) == {"load": 4}
    assert at(source, "sum(nosuch)", 0) == {}


def test_a_group_is_there_only_while_a_series_is(source: MemorySource) -> None:
    """Where all of a group are gone there is no value, not 0."""
    assert steps(source, "sum by (core) (load{host='a'})", 0, 120, 60) == {
        "{core=0}": [1, 2, 3],
        "{core=1}": [3, 4, None],
    }


def test_min_and_max_pass_over_nan(source: MemorySource) -> None:
    """NaN is the answer only where there is nothing else; sums and means are NaN with any of it."""
    assert steps(source, "min(odd)", 0, 0, 60) == {"": [2]}
    assert math.isnan(at(source, "max(odd)", 60)[""])
    assert math.isnan(at(source, "sum(odd)", 0)[""])
    assert math.isnan(at(source, "stddev(odd)", 0)[""])


def test_sums_keep_what_rounding_would_lose() -> None:
    """Rounding errors are summed apart, for an odd number of series too; a mean is no infinity where none is in it."""
    source = MemorySource()
    for number, value in enumerate(["1e100", "1", "-1e100", "2", "3"]):
        source.add(f"wild{{n='{number}'}}", 60, value)
    for number in range(3):
        source.add(f"big{{n='{number}'}}", 60, "1.5e308")
    assert at(source, "sum(wild)", 0) == {"": 6}
    assert at(source, "avg(wild)", 0) == {"": 1.2}
    assert at(source, "sum(big)", 0) == {"": math.inf}
    assert at(source, "avg(big)", 0) == {"": pytest.approx(1.5e308)}


def test_equal_values_have_no_variance() -> None:
    """Exactly 0, however many and however hard to write in binary."""
    source = MemorySource()
    for number in range(7):
        source.add(f"same{{n='{number}'}}", 60, "0.1")
    assert at(source, "stdvar(same)", 0) == {"": 0}


def test_topk_and_bottomk_keep_whole_series_best_first(source: MemorySource) -> None:
    """All labels stay; at one moment the best comes first; over a range each step chooses anew."""
    assert list(at(source, "topk(2, load)", 0).items()) == [("load{core=1,host=b}", 7), ("load{core=0,host=b}", 5)]
    assert list(at(source, "bottomk(2, load)", 0).values()) == [1, 3]
    assert at(source, "topk by (host) (1, load)", 0) == {"load{core=1,host=a}": 3, "load{core=1,host=b}": 7}
    assert steps(source, "topk(1, load{core='0'})", 0, 120, 60) == {
        "load{core=0,host=a}": [None, 2, None],
        "load{core=0,host=b}": [5, None, 7],
    }
    assert at(source, "topk(0, load)", 0) == at(source, "topk(-Inf, load)", 0) == {}
    assert len(at(source, "topk(2.9, load)", 0)) == 2
    assert list(at(source, "topk(1, odd)", 0)) == list(at(source, "bottomk(1, odd)", 0)) == ["odd{kind=number}"]


def test_the_number_of_topk_must_be_one(source: MemorySource) -> None:
    """NaN and what 64 bits cannot count are refused, unless there is nothing to choose from."""
    for number in ("NaN", "Inf", "1e19"):
        with pytest.raises(PromqlError, match="the number of series"):
            at(source, f"topk({number}, load)", 0)
        assert at(source, f"topk({number}, nosuch)", 0) == {}


def test_parameters_may_change_with_the_step(source: MemorySource) -> None:
    """A parameter that is no constant is taken at each step."""
    source.add("wanted", 60, "1 2 4")
    found = steps(source, "count(topk(scalar(wanted), load))", 0, 120, 60)
    assert found == {"": [1, 2, 3]}
    assert steps(source, "quantile(scalar(wanted) - 1, load)", 0, 120, 60) == {"": [1, 8, math.inf]}


def test_a_quantile_outside_of_0_and_1_is_warned_of(source: MemorySource) -> None:
    """The value is Prometheus'; the warning says why it is odd."""
    warnings = engine.instant(source, "quantile(2, load)", 0).warnings
    assert ["between 0 and 1" in str(message) for message in warnings] == [True]


def test_count_values_writes_values_into_a_label(source: MemorySource) -> None:
    """Shortest digits without an exponent; the label takes the place of one of that name."""
    source.add("mixed{n='1',host='a'}", 60, "1e21")
    source.add("mixed{n='2',host='a'}", 60, "0.1")
    source.add("mixed{n='3',host='b'}", 60, "0.1")
    source.add("mixed{n='4',host='b'}", 60, "-Inf")
    assert at(source, 'count_values("v", mixed)', 0) == {
        "{v=1000000000000000000000}": 1,
        "{v=0.1}": 2,
        "{v=-Inf}": 1,
    }
    assert at(source, 'count_values by (host) ("v", mixed{n=~"2|3"})', 0) == {"{host=a,v=0.1}": 1, "{host=b,v=0.1}": 1}
    assert at(source, 'count_values without (n) ("host", mixed{n=~"2|3"})', 0) == {"{host=0.1}": 2}
    with pytest.raises(PromqlError, match="invalid label name"):
        at(source, 'count_values("", mixed)', 0)
