"""What others wrote for Prometheus is answered by Bongsu, and alike: public rules, alerts and dashboards."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

import promql_hour
from prometheus import Prometheus
from promql_compare import Asked, Ours, Tally, judge, theirs
from promql_public import collections, filled_in
from store.promql.memory_source import MemorySource

SAMPLES = promql_hour.everything()
START, END = promql_hour.bounds(SAMPLES)
PUBLIC = collections()
SHARE = 0.97


@pytest.fixture(scope="module")
def server() -> Iterator[Prometheus]:
    """A real Prometheus with the hour's samples."""
    with Prometheus() as running:
        running.write(SAMPLES)
        yield running


@pytest.mark.parametrize("collection", PUBLIC)
def test_public_queries_are_answered(
    collection: str, server: Prometheus, record_property: Callable[[str, object], None]
) -> None:
    """At least 97 of 100 expressions that Prometheus takes are answered, none otherwise than there."""
    source = MemorySource()
    source.series = SAMPLES
    ours = Ours(source)
    tally, answered, refused, with_series = Tally(), 0, 0, 0
    middle = (START + END) // 2 // 1000 * 1000 + 457
    for expression in PUBLIC[collection]:
        query = filled_in(expression)
        now, over = Asked(query, middle), Asked(query, middle, END, 127_000)
        his = theirs(server, now)
        if his.status == 400:
            refused += 1
            continue
        mine = ours.ask(now)
        answered += mine.status == 200 or his.status != 200
        with_series += bool(mine.body.get("data", {}).get("result"))
        if server.left_open:  # 2.x counts otherwise where a counter is near 0
            judge(tally, now, his, mine)
            judge(tally, over, theirs(server, over), ours.ask(over))
    asked = len(PUBLIC[collection]) - refused
    row = {
        "expressions": len(PUBLIC[collection]), "refused there": refused, "answered": answered, "with series": with_series,
        "equal": tally.equal, "wrong": len(tally.wrong),
    }  # fmt: skip
    record_property("table", ("Public rules and dashboards: what Bongsu answers", collection, row))
    assert not tally.wrong, "\n".join(tally.wrong[:20])
    assert answered >= SHARE * asked
    assert refused <= 0.03 * len(PUBLIC[collection]) or not server.left_open, (
        "Prometheus refuses much of it: was it taken over rightly?"
    )
