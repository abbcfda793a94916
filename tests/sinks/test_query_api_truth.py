"""Prometheus' HTTP API: our answers to raw requests are those of a real Prometheus that holds the same samples."""

from __future__ import annotations

import http.client
import json
import math
import urllib.parse
from collections.abc import Iterator

import pytest

from bongsu.sinks import query_api
from bongsu.sinks.http_message import Request
from prometheus import Prometheus, seconds
from store.promql.memory_source import MemorySource

T0 = 1_750_000_000_000  # Unix milliseconds, on a grid of 15 s from here
AT = seconds(T0 + 1_800_000)
END = seconds(T0 + 1_860_000)
ODD = {
    "nan": math.nan, "inf": math.inf, "ninf": -math.inf, "e20": 1e20, "e21": 1e21, "huge": 1.5e300, "small": 1e-7,
    "micro": 1e-6, "tiny": 5e-324, "third": 1 / 3, "neg0": -0.0, "int": 123456789012345678.0, "neg": -2.5e-5, "ten": 10.0,
}  # fmt: skip


def source() -> MemorySource:
    """An hour of a gauge, three counters, and values that are hard to write."""
    made = MemorySource()
    times = [T0 + step * 15_000 for step in range(241)]
    made.put((("__name__", "load"), ("instance", "a"), ("job", "n")), times, [0.5 + n / 100 for n in range(241)])
    for cpu in ("0", "1", "10"):
        labels = (("__name__", "c_total"), ("cpu", cpu), ("instance", "a"), ("job", "n"))
        made.put(labels, times, [float(n * 7) for n in range(241)])
    later = [at + 500 for at in times]
    for kind, value in ODD.items():
        made.put((("__name__", "odd"), ("kind", kind)), later, [value] * 241)
    made.put((("__name__", "text"), ("path", '/é"<&>\n\\')), times, [1.0] * 241)
    made.put((("__name__", "short"), ("job", "n")), times[100:121], [float(n) for n in range(21)])
    return made


@pytest.fixture(scope="module")
def both() -> Iterator[tuple[Prometheus, MemorySource]]:
    """A real Prometheus and a source of ours with the same samples."""
    with Prometheus() as prometheus:
        if not prometheus.left_open:
            pytest.skip("this Prometheus is older than 3.0: make debian fetches a newer one")
        ours = source()
        prometheus.write(ours.series)
        yield prometheus, ours


def _ask(port: int, method: str, path: str, form: dict[str, object]) -> tuple[int, str]:
    encoded = urllib.parse.urlencode(form, doseq=True)
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        if method == "POST":
            kind = {"Content-Type": "application/x-www-form-urlencoded"}
            connection.request("POST", path, encoded, kind)
        else:
            connection.request(method, f"{path}?{encoded}")
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


def _ours(ours: MemorySource, method: str, path: str, form: dict[str, object]) -> tuple[int, str]:
    encoded = urllib.parse.urlencode(form, doseq=True)
    if method == "POST":
        kind = {"content-type": "application/x-www-form-urlencoded"}
        request = Request(method, path, "", kind, body=encoded.encode())
    else:
        request = Request(method, path, encoded)
    answer = query_api.answer(request, ours)
    return answer.status, answer.body.decode()


def _query(text: str, **more: object) -> tuple[str, dict[str, object]]:
    return "query", {"query": text, "time": AT, **more}


def _over(text: str, **more: object) -> tuple[str, dict[str, object]]:
    return "query_range", {"query": text, "start": AT, "end": END, "step": "15", **more}


ALIKE: list[tuple[str, dict[str, object]]] = [
    _query("1.5"), _query("1/0"), _query('"a\\"b é"'), _query("load"), _query("c_total"), _query("odd"), _query("-odd"),
    _query("c_total[1m]"), _query("odd[20s]"), _query("nothing"), _query("nothing[5m]"), _query("sum(c_total)"),
    _query("text"), _query("short"), _query("vector(1e20)"), _query("c_total", time="2025-06-15T15:36:40.1239Z"),
    _query("vector(time())", time="1750001800.1235"), _query("vector(time())", time="1750001800.0005"),
    _query("time()", time="2025-06-16T00:36:40+09:00"), _query("time()", time="-5.5"), _query("time()", time="1.75e9"),
    _query("load", lookback_delta="1m"), _query("load", lookback_delta="30"), _query("load", time=seconds(T0 + 3_800_000)),
    _query("load", time=seconds(T0 + 3_800_000), lookback_delta="1m"), _query("1", timeout="5"), _query("1", timeout="1m"),
    _query("topk(2, c_total)"), _query('"x"', time="0.5"), _query("load[1m]", time="1750001800.25"), _query("sort_desc(load)"), _query("c_total", limit="0"), _query("c_total", limit="3"),
    _over("1"), _over("1/3"), _over("load"), _over("c_total"), _over("nothing"), _over("odd"), _over("text"),
    _over("short", start=seconds(T0 + 1_400_000), end=seconds(T0 + 2_300_000)), _over("load", step="1m"),
    _over("load", step="1.5"), _over("load", step="0.5"), _over("load", step="90s500ms"), _over("time()", step="7.001"),
    _over('count_values("a", c_total)'), _over("rate(c_total[1m])"), _over("load", end=AT), _over("load > 1.71"),
    _over("load", start="2025-06-15T15:36:40Z", end="2025-06-15T15:37:40.999999Z", step="0.25"),
    _over("load", start=seconds(T0), end=seconds(T0 + 11_000_000), step="1"),
    ("labels", {}), ("labels", {"match[]": "c_total"}), ("labels", {"match[]": ["c_total", "odd"]}),
    ("labels", {"match[]": "nothing"}), ("labels", {"limit": "0"}),
    ("labels", {"start": "-292273086-05-16T16:47:06Z", "end": "292277025-08-18T07:12:54.999999999Z"}),
    ("label/cpu/values", {}), ("label/__name__/values", {}), ("label/__name__/values", {"match[]": '{job="n"}'}),
    ("label/cpu/values", {"match[]": 'c_total{cpu=~"1.*"}'}), ("label/nothing/values", {}), ("label/U__cpu/values", {}),
    ("label/__name__/values", {"start": "1", "end": "2"}), ("label/a-b/values", {}), ("label/U___5f__name__/values", {}),
    ("series", {"match[]": "c_total"}), ("series", {"match[]": ["c_total", 'c_total{cpu="0"}', "load"]}),
    ("series", {"match[]": "c_total", "start": "1", "end": "2"}), ("series", {"match[]": "text"}),
    ("series", {"match[]": '{job="n",__name__!~"c.*"}'}), ("query_exemplars", {"query": "load", "start": AT, "end": END}),
    ("query_exemplars", {"query": "test", "start": "1750001800000", "end": "1750003600000"}),
    ("rules", {}), ("alerts", {}), ("alertmanagers", {}), ("targets/metadata", {}), ("scrape_pools", {}),
    ("notifications", {}), ("format_query", {"query": "sum   by(a)(rate(b{c='d'}[5m]))"}), ("metadata", {"metric": "no"}),
    ("format_query", {"query": "a/on(b)group_left c"}),
]  # fmt: skip


@pytest.mark.parametrize(("path", "form"), ALIKE, ids=[f"{path} {form}" for path, form in ALIKE])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_answers_are_the_same_to_the_byte(
    both: tuple[Prometheus, MemorySource], method: str, path: str, form: dict[str, object]
) -> None:
    """Status, shape, order, values and times are written as Prometheus writes them, asked by GET and by POST."""
    prometheus, ours = both
    status, said = _ask(prometheus.port, method, f"/api/v1/{path}", form)
    own_status, own = _ours(ours, method, f"/api/v1/{path}", form)
    assert own_status == status
    if status == 405:
        return
    # Go writes these characters as escapes; both are the same JSON.
    for character, escape in (("<", "\\u003c"), (">", "\\u003e"), ("&", "\\u0026")):
        said = said.replace(escape, character)
    assert own == said


REFUSED: list[tuple[str, dict[str, object]]] = [
    _query(""), ("query", {}), _query("sum("), _query("1", time="abc"), _query("1", time="2026-01-01"),
    _query("1", time="2026-02-30T00:00:00Z"), _query("1", timeout="abc"), _query("c_total", limit="-1"),
    _query("c_total", limit="x"), _query("c_total", lookback_delta="-1m"), _query("c_total", lookback_delta="bad"),
    _query("c_total + on() c_total"), _query('label_replace(c_total, "a", "$1", "cpu", "(")'), _query("rate(c_total)"),
    _query("nofunc(c_total)"), _query('{__name__=~".*"}'), _query('{a="b'), _query('load{a=~"("}'), _query("1", timeout="1x"),
    _over("c_total[1m]"), _over('"x"'), _over("1", start=END, end=AT), _over("1", step="0"), _over("1", step="-1"),
    _over("1", step="abc"), _over("1", step=""), _over("1", start=""), _over("1", end=""), _over("1", start="0", step="1"),
    _over("1", step="0.0001"), _over("1", step="NaN"), _over("1", step="1e30"), _over("1", step="1m30"), _over("sum("),
    _over("load", start=seconds(T0), end=seconds(T0 + 11_001_000), step="1"),
    ("labels", {"match[]": "c_total{"}), ("labels", {"match[]": "{}"}), ("labels", {"match[]": "sum(c_total)"}),
    ("labels", {"match[]": "c_total[5m]"}), ("labels", {"match[]": "c_total offset 5m"}), ("labels", {"start": "x"}),
    ("labels", {"limit": "x"}), ("label/cpu/values", {"limit": "-1"}), ("label/cpu/values", {"end": "x"}),
    ("label/cpu/values", {"match[]": "1"}), ("series", {}), ("series", {"match[]": '{__name__=~".*"}'}),
    ("series", {"match[]": "c_total", "limit": "x"}), ("metadata", {"limit": "x"}), ("metadata", {"limit_per_metric": "x"}),
    ("format_query", {}), ("format_query", {"query": "sum("}), ("query_exemplars", {}), ("query_exemplars", {"query": "sum("}),
]  # fmt: skip


@pytest.mark.parametrize(("path", "form"), REFUSED, ids=[f"{path} {form}" for path, form in REFUSED])
def test_what_prometheus_refuses_is_refused_alike(
    both: tuple[Prometheus, MemorySource], path: str, form: dict[str, object]
) -> None:
    """The same status and errorType, with one line of our own for the person."""
    prometheus, ours = both
    status, said = _ask(prometheus.port, "GET", f"/api/v1/{path}", form)
    own_status, own = _ours(ours, "GET", f"/api/v1/{path}", form)
    theirs, mine = json.loads(said), json.loads(own)
    assert status >= 400, "the request is not one that Prometheus refuses"
    assert (own_status, mine["status"], mine["errorType"]) == (status, "error", theirs["errorType"])
    assert mine["error"].strip()
    assert "\n" not in mine["error"]


@pytest.mark.parametrize("path", ["nosuch", "status/nosuch", "", "label", "label/values", "query/x"])
def test_other_paths_are_not_there(both: tuple[Prometheus, MemorySource], path: str) -> None:
    """What Prometheus does not know is 404 here too, as JSON."""
    prometheus, ours = both
    status, _ = _ask(prometheus.port, "GET", f"/api/v1/{path}", {})
    own_status, own = _ours(ours, "GET", f"/api/v1/{path}", {})
    assert own_status == status == 404
    assert json.loads(own)["errorType"] == "not_found"


@pytest.mark.parametrize(
    ("path", "form"),
    [_query("c_total", limit="1"), _over("c_total", limit="2"), ("labels", {"limit": "1"}), ("label/cpu/values", {"limit": "2"}),
     ("series", {"match[]": "c_total", "limit": "1"})],
)  # fmt: skip
def test_a_limit_cuts_where_prometheus_cuts(
    both: tuple[Prometheus, MemorySource], path: str, form: dict[str, object]
) -> None:
    """The same series or names are left, and a warning says that there are more."""
    prometheus, ours = both
    theirs = json.loads(_ask(prometheus.port, "GET", f"/api/v1/{path}", form)[1])
    mine = json.loads(_ours(ours, "GET", f"/api/v1/{path}", form)[1])
    assert mine["data"] == theirs["data"]
    assert len(mine["warnings"]) == len(theirs["warnings"]) == 1


def test_the_body_stands_before_the_url(both: tuple[Prometheus, MemorySource]) -> None:
    """Where a parameter is in both, the form's counts; what only the URL has counts too."""
    prometheus, ours = both
    path = f"/api/v1/query?query=2&time={AT}"
    status, said = _ask(prometheus.port, "POST", path, {"query": "3"})
    kind = {"content-type": "application/x-www-form-urlencoded; charset=utf-8"}
    mine = query_api.answer(Request("POST", "/api/v1/query", path.partition("?")[2], kind, body=b"query=3"), ours)
    assert (mine.status, mine.body.decode()) == (status, said)
