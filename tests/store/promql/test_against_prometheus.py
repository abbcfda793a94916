"""Bongsu answers every query as a real Prometheus does that holds the same samples."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import pytest

import promql_hour
from prometheus import Prometheus
from promql_compare import FIXTURES, Asked, Ours, Tally, corpus, judge, moments, theirs
from promql_stored import own, stored

SAMPLES = promql_hour.everything()
START, END = promql_hour.bounds(SAMPLES)
ORIGIN = -(-START // 60_000) * 60_000
CORPUS = corpus(FIXTURES / "queries.txt", ORIGIN)
CHANGED = set(corpus(FIXTURES / "changed_since_2.txt", ORIGIN)[""])
# What is not answered here, and says so with 422. Nothing else may be. Native histograms are not stored.
UNSUPPORTED = {
    "edge_gauge @ -1",
    "histogram_count(edge_histogram_bucket)",
    "histogram_sum(up)",
    "histogram_avg(up)",
    "histogram_stddev(up)",
}


class Sides(NamedTuple):
    """The two that are asked."""

    server: Prometheus
    ours: Ours


@pytest.fixture(scope="module")
def sides(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sides]:
    """A real Prometheus, and our API over a store that a writer has filled: part sealed, part hot, part in memory."""
    with Prometheus() as server, stored(tmp_path_factory.mktemp("store"), SAMPLES) as reader:
        server.write([*SAMPLES, own(SAMPLES)])
        yield Sides(server, Ours(reader))


def _compare(sides: Sides, queries: Sequence[str]) -> Tally:
    """Ask both, at times on samples too; where there is only an older Prometheus, what both versions answer alike."""
    if not sides.server.left_open:
        queries = [query for query in queries if query not in CHANGED]
    tally = Tally(queries=len(queries))
    for query in queries:
        for start, end, step in moments(START, END, left_open=sides.server.left_open):
            asked = Asked(query, start, end, step)
            judge(tally, asked, theirs(sides.server, asked), sides.ours.ask(asked))
    return tally


@pytest.mark.parametrize("category", CORPUS)
def test_answers_are_those_of_prometheus(
    category: str, sides: Sides, record_property: Callable[[str, object], None]
) -> None:
    """The same series at the same steps with the same values; an error where it gives one, of the same kind."""
    tally = _compare(sides, CORPUS[category])
    version = ".".join(map(str, sides.server.version))
    record_property("table", (f"Bongsu beside Prometheus {version}, the same samples", category, tally.row()))
    assert not tally.wrong, "\n".join(tally.wrong[:20])
    assert set(tally.unsupported) <= UNSUPPORTED, "answered with 422, and not listed"
