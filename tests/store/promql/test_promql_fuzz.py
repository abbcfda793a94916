"""Random queries never break the query API, and never get another answer than from a real Prometheus."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import promql_hour
from prometheus import Answer, Prometheus, seconds
from promql_compare import Asked, Ours, difference, theirs
from promql_grammar import near_misses, queries
from store.promql.memory_source import MemorySource

SAMPLES = [one for one in promql_hour.everything() if not dict(one.labels)["__name__"].startswith("scrape_")]
START, END = promql_hour.bounds(SAMPLES)
_RARELY = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
_SECONDS = st.integers(0, (END - START) // 1000 + 400)


@pytest.fixture(scope="module")
def server() -> Iterator[Prometheus]:
    """A real Prometheus with the hour's samples."""
    with Prometheus() as running:
        running.write(SAMPLES)
        yield running


@pytest.fixture(scope="module")
def ours() -> Ours:
    """Our API over the same samples."""
    source = MemorySource()
    source.series = SAMPLES
    return Ours(source)


def _asked(text: str, at: int, steps: int, step: int, server: Prometheus) -> Asked:
    """The question at a time on the samples' grid, or, where versions differ there, off it."""
    first = -(-START // 60_000) * 60_000 + (0 if server.left_open else 457)
    start = first + at * 1000
    query = text.replace("AT", seconds(first + 900_000))
    return Asked(query, start, start + steps * step * 1000, step * 1000) if steps else Asked(query, start)


def _told(answer: Answer) -> bool:
    return answer.status in {200, 400, 422} and answer.body.get("status") in {"success", "error"}


@settings(parent=_RARELY, max_examples=1000)
@given(text=queries(), at=_SECONDS, steps=st.integers(0, 12), step=st.sampled_from((1, 15, 37, 60, 300)))
def test_agrees_with_prometheus(server: Prometheus, ours: Ours, text: str, at: int, steps: int, step: int) -> None:
    """What both answer is equal; what one refuses the other refuses, or it is not supported here and said so."""
    asked = _asked(text, at, steps, step, server)
    mine, his = ours.ask(asked), theirs(server, asked)
    assert _told(mine), mine
    if mine.status == 422 and "not supported" in mine.body["error"]:
        return
    if not server.left_open:
        return  # 2.x differs in too much
    if "timestamp(" in text and " @ " in text and " offset " in text:
        return  # Prometheus 3.5 forgets the offset there
    assert not difference(his, mine, tied=text.startswith(("topk", "bottomk"))), str(asked)


@settings(parent=_RARELY, max_examples=1000)
@given(text=near_misses() | st.text(max_size=40), at=_SECONDS)
def test_takes_nothing_that_prometheus_refuses(server: Prometheus, ours: Ours, text: str, at: int) -> None:
    """What is no query there is none here, and nothing breaks.

    The other way round a few odd spellings are refused here: a line break within a duration, a colon in a label's name,
    a range after ``@ end()``.
    """
    asked = _asked(text, at, 0, 0, server)
    mine, his = ours.ask(asked), theirs(server, asked)
    assert _told(mine), mine
    if not server.left_open or (his.status == 200 and mine.status == 400):
        return
    if mine.status == 422 and "not supported" in mine.body["error"]:
        return
    assert (his.status, his.body.get("errorType")) == (mine.status, mine.body.get("errorType")), (
        f"{asked}: theirs {his.body.get('error')!r}, ours {mine.body.get('error')!r}"
    )
