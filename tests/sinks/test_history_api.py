"""The page's own API over the store: what it says, and what it says of a question that cannot be answered."""

from __future__ import annotations

import json
import math
import subprocess
import sys
import urllib.parse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bongsu.model.metric import Kind, MetricSpec
from bongsu.sinks import history_api
from bongsu.sinks.http_message import Request, Response
from bongsu.store.reading.history import History
from bongsu.store.reading.reader import Reader
from readings import HEAT, WORK
from stored import Store, labels

T = 1_700_000_400_000
S = T // 1000
NEVER = MetricSpec("bongsu_test_never_seconds", Kind.GAUGE, "What never was.", ("room",), "seconds")


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> Iterator[History]:
    """Two hours of two rooms and a counter."""
    series = [
        labels(HEAT.name, room="a", job="bongsu"), labels(HEAT.name, room="b", job="bongsu"),
        labels(WORK.name, core="0", kind="x", job="bongsu"),
    ]  # fmt: skip
    store = Store(tmp_path_factory.mktemp("store"), series, {WORK.name: "counter"})
    times = np.arange(T - 7200_000 + 1000, T + 1, 1000, dtype=np.int64)
    seconds = (times - T) / 1000.0
    store.fill([1, 2, 3], times, np.stack([seconds % 10, 100 + seconds % 10, 3 * seconds + 1e6]))
    reader = Reader(store.path)
    yield History(reader)
    reader.close()
    store.close()


def ask(history: History | None, method: str = "GET", **parameters: object) -> Response:
    """The answer; a name is written with `__` for the dot."""
    query = urllib.parse.urlencode({name.replace("__", "."): value for name, value in parameters.items()})
    return history_api.answer(Request(method, history_api.PATH, query), history, [HEAT, WORK, NEVER], clock=lambda: S)


def said(response: Response) -> Any:
    """The decoded body."""
    assert response.status == 200, response.body
    assert response.header("content-type") == "application/json"
    assert int(response.header("content-length")) == len(response.body)
    return json.loads(response.body)


def test_a_metric_is_a_line_with_a_band(history: History) -> None:
    """The hour before now in 900 points, summed over all labels, where nothing else is asked."""
    body = said(ask(history, metric=HEAT.name))
    series = body.pop("series")
    times = body.pop("times")
    assert body == {
        "metric": HEAT.name, "kind": "gauge", "unit": "", "fold": "avg", "interval": 5.0, "tier": "raw", "band": "exact",
    }  # fmt: skip
    assert times == list(range(S - 3600 + 5, S + 1, 5))
    (line,) = series
    assert line["labels"] == {}
    assert set(line["values"]) <= {106, 116, 108, 112}
    assert (min(line["low"]), max(line["high"])) == (100, 118)


def test_labels_pick_and_part(history: History) -> None:
    """`by`, `where.` and `not.` are those of the query."""
    body = said(ask(history, metric=HEAT.name, by="room,job", points=10, fold="last", start=S - 100, end=S))
    assert [line["labels"] for line in body["series"]] == [
        {"room": "a", "job": "bongsu"}, {"room": "b", "job": "bongsu"},
    ]  # fmt: skip
    assert [line["values"][-1] for line in body["series"]] == [0, 100]
    body = said(ask(history, metric=HEAT.name, by="room", where__room="b", points=10))
    assert [line["labels"]["room"] for line in body["series"]] == ["b"]
    body = said(ask(history, metric=HEAT.name, by="room", not__room="b", points=10))
    assert [line["labels"]["room"] for line in body["series"]] == ["a"]


def test_a_counter_is_shown_as_its_rate(history: History) -> None:
    """And only a counter has one."""
    body = said(ask(history, metric=WORK.name, points=60, end="2023-11-14T22:20:00Z"))
    assert (body["fold"], body["kind"], body["tier"]) == ("rate", "counter", "1m")
    assert set(body["series"][0]["values"]) == {3}
    assert said(ask(history, metric=WORK.name, fold="last", points=60))["series"][0]["values"][-1] == 1e6
    assert ask(history, metric=HEAT.name, fold="rate").status == 400


def test_gaps_are_null_and_the_infinite_is_spelt(tmp_path: Path) -> None:
    """JSON has no such numbers."""
    store = Store(tmp_path, [labels(HEAT.name, room="a")])
    store.insert({1: [(T - 3000, 1.0), (T - 2000, math.nan), (T - 1000, math.inf), (T, -math.inf)]})
    reader = Reader(store.path)
    body = said(ask(History(reader), metric=HEAT.name, fold="last", start=S - 4, points=100))
    assert body["series"][0]["values"] == [1, None, "+Inf", "-Inf"]
    reader.close()
    store.close()


def test_what_is_known_but_not_stored_is_empty(history: History) -> None:
    """Unknown and not there yet are two answers."""
    assert said(ask(history, metric=NEVER.name))["series"] == []
    response = ask(history, metric="nonsense")
    assert response.status == 404
    assert "nonsense" in json.loads(response.body)["error"]


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({}, "metric is missing"),
        ({"metric": HEAT.name, "by": "colour"}, "has no label 'colour'; it has job, room"),
        ({"metric": HEAT.name, "where__colour": "x"}, "has no label"),
        ({"metric": HEAT.name, "fold": "median"}, "is none of last, rate, avg, max"),
        ({"metric": HEAT.name, "points": 0}, "from 1 to 11000"),
        ({"metric": HEAT.name, "points": 11001}, "from 1 to 11000"),
        ({"metric": HEAT.name, "points": "many"}, "points"),
        ({"metric": HEAT.name, "start": "yesterday"}, "is no time"),
        ({"metric": HEAT.name, "start": S, "end": S - 1}, "is not before"),
        ({"metric": HEAT.name, "end": "1e99"}, "is no time"),
        ({"metric": HEAT.name, "step": 1}, "no parameter 'step'"),
    ],
)
def test_a_question_that_makes_no_sense_is_refused_in_one_line(
    history: History, parameters: dict[str, Any], words: str
) -> None:
    """400, what is wrong, and what would be right."""
    response = ask(history, **parameters)
    assert response.status == 400, response.body
    (key,) = body = json.loads(response.body)
    assert key == "error"
    assert words in body["error"]
    assert "\n" not in body["error"]


def test_only_reading(history: History) -> None:
    """HEAD has the length of what GET gives; nothing else is understood."""
    whole = ask(history, metric=HEAT.name)
    head = ask(history, "HEAD", metric=HEAT.name)
    assert (head.status, head.body, head.header("content-length")) == (200, b"", str(len(whole.body)))
    assert ask(history, "POST", metric=HEAT.name).status == 405


def test_without_a_history_it_says_so(tmp_path: Path) -> None:
    """As does a file that is no history: one line, and the server goes on."""
    assert ask(None, metric=HEAT.name).status == 503
    path = tmp_path / "history.db"
    path.write_bytes(b"SQLite format 3\0" + b"x" * 5000)
    response = ask(History(Reader(str(path))), metric=HEAT.name)
    assert response.status in {400, 503}
    assert str(path) in json.loads(response.body)["error"]


def test_any_time_can_be_asked_for(history: History) -> None:
    """Very long, very old, of the future: an answer without an endless list."""
    for start, end in ((-9e12, 9e12), (0, 1), (S + 1e9, S + 2e9), (-1e6, S)):
        body = said(ask(history, metric=HEAT.name, start=start, end=end, points=500))
        assert len(body["times"]) <= 501


def test_the_module_is_light() -> None:
    """Who runs without a history does not load numpy."""
    code = "import sys, bongsu.sinks.history_api; sys.exit('numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
