"""Which functions there are, and what is said of the others."""

from __future__ import annotations

import numpy as np
import pytest

from bongsu.store.promql import engine, functions
from bongsu.store.promql.call import Call
from bongsu.store.promql.values import Context, PromqlError, Steps, Vector
from store.promql.memory_source import MemorySource


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("histogram_avg", "native histograms"), ("mad_over_time", "experimental in Prometheus 3.5"),
        ("double_exponential_smoothing", "experimental"), ("histogram_quantiles", "does not know"),
    ],
)  # fmt: skip
def test_what_is_not_answered_is_named_with_the_reason(name: str, reason: str) -> None:
    """Valid PromQL that has no answer here is unsupported, never something else."""
    with pytest.raises(PromqlError) as caught:
        functions.find(name)
    assert caught.value.kind == "unsupported"
    assert name in str(caught.value)
    assert reason in str(caught.value)


def test_equal_values_come_in_the_order_of_their_labels() -> None:
    """In whatever order they were computed."""
    labels = [(("a", letter),) for letter in "dbca"]
    vector = Vector(labels, np.array([[1.0], [2.0], [1.0], [2.0]]), np.ones((4, 1), dtype=np.bool_))
    context = Context(MemorySource(), Steps(0, 0, 0), 300_000)
    for name, expected in (("sort", "cdab"), ("sort_desc", "abcd")):
        answer = functions.find(name).evaluate(context, Call(name, (), [vector]))
        assert isinstance(answer, Vector)
        assert "".join(dict(labels)["a"] for labels in answer.labels) == expected


def test_sorted_answers_come_in_order() -> None:
    """NaN last both ways; equal values in the order of their labels."""
    source = MemorySource()
    for letter, value in (("d", "2"), ("b", "NaN"), ("c", "-1"), ("a", "2"), ("e", "Inf")):
        source.add(f"g{{a='{letter}'}}", 10, value)
    found: dict[str, list[str]] = {}
    for query in ("sort(g)", "sort_desc(g)"):
        answer = engine.instant(source, query, 0).value
        assert isinstance(answer, Vector)
        found[query] = [dict(labels)["a"] for labels in answer.labels]
    assert found == {"sort(g)": ["c", "a", "d", "e", "b"], "sort_desc(g)": ["e", "a", "d", "c", "b"]}
