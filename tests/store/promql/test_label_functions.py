"""Labels made of other labels."""

from __future__ import annotations

import pytest

from bongsu.store.promql.values import PromqlError
from store.promql.asking import ask, ask_range
from store.promql.memory_source import MemorySource


@pytest.fixture
def source() -> MemorySource:
    """One series, and two that differ by one label."""
    source = MemorySource()
    source.add("up{host='node-17'}", 10, "1")
    source.add("pair{n='1'}", 10, "1")
    source.add("pair{n='2'}", 10, "2")
    return source


@pytest.mark.parametrize(
    ("template", "expression", "expected"),
    [
        ("$1", "node-(.*)", "17"), ("${1}", "node-(.*)", "17"), ("$1a", "node-(.*)", None), ("${1}a", "node-(.*)", "17a"),
        ("$0", ".*", "node-17"), ("$$1", "node-(.*)", "$1"), ("$", ".*", "$"), ("a$", ".*", "a$"), ("$-x", ".*", "$-x"),
        ("${", ".*", "${"), ("${1", "(.*)", "${1"), ("${}", ".*", "${}"), ("$2", "(.*)", None), ("$01", "(.*)", None),
        ("$n", "(?P<n>node)-.*", "node"), ("$n-$1", "(?<n>node).*", "node-node"), ("$1", "node|(no).*", "no"),
        ("fixed", "node-17", "fixed"), ("$1", "ode", None), ("$1", "node", None), ("", ".*", None),
    ],
)  # fmt: skip
def test_replacements_are_written_as_in_go(
    source: MemorySource, template: str, expression: str, expected: str | None
) -> None:
    """Patterns fit the whole value; a name goes as far as letters, digits and underscores do."""
    found = ask(source, f"label_replace(up, 'x', '{template}', 'host', '{expression}')", 0)
    assert found == {"up{host=node-17" + ("" if expected is None else f",x={expected}") + "}": 1.0}


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("label_replace(up, 'host', '', 'host', '.*')", "up{}"),
        ("label_replace(up, 'host', 'a', 'nope', '')", "up{host=a}"),
        ("label_replace(up, '__name__', 'seen', 'host', '.*')", "seen{host=node-17}"),
        ("label_replace(up, '__name__', '', 'host', '.*')", "{host=node-17}"),
        ("label_replace(up, 'm', '$1', '__name__', '(.*)')", "up{host=node-17,m=up}"),
        ("label_join(up, 'x', '-', 'host', '__name__', 'nope')", "up{host=node-17,x=node-17-up-}"),
        ("label_join(up, 'host', '-')", "up{}"),
        ("label_join(up, 'host', ',', 'nope')", "up{}"),
    ],
)
def test_labels_set_and_taken_away(source: MemorySource, query: str, expected: str) -> None:
    """An empty value takes the label away; the name is a label as any other."""
    assert ask(source, query, 0) == {expected: 1.0}


@pytest.mark.parametrize(
    "query",
    [
        "label_replace(pair, 'n', 'same', 'n', '.*')", "label_join(pair, 'n', '')", "label_replace(up, 'x', '', 'host', '(')",
        "label_replace(up, '', 'a', 'host', '.*')", "label_join(up, '', '-', 'host')", "label_join(up, 'x', '-', '')",
    ],
)  # fmt: skip
def test_what_cannot_be_done(source: MemorySource, query: str) -> None:
    """Series that become alike, patterns that are none, labels without a name."""
    with pytest.raises(PromqlError) as caught:
        ask(source, query, 0)
    assert caught.value.kind == "execution"


@pytest.mark.parametrize("query", ["label_replace(p, 'n', '', 'n', '.*')", "label_join(p, 'n', '')"])
def test_series_may_not_become_alike_even_at_different_times(query: str) -> None:
    """Prometheus refuses that too, though no moment would have both."""
    source = MemorySource()
    source.add("p{n='1'}", 10, "1 stale stale")
    source.add("p{n='2'}", 10, "_ _ 2")
    with pytest.raises(PromqlError):
        ask_range(source, query, 0, 20, 10)


def test_groups_of_one_name_are_refused(source: MemorySource) -> None:
    """Go takes the one that took part; RE2 here cannot tell, so there is no answer rather than a wrong one."""
    with pytest.raises(PromqlError) as caught:
        ask(source, "label_replace(up, 'x', '$a', 'host', '(?P<a>z)|(?P<a>node.*)')", 0)
    assert caught.value.kind == "unsupported"
