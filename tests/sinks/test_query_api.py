"""Prometheus' HTTP API over a store: Grafana's requests, what clients get wrong, and how values are written."""

from __future__ import annotations

import gzip
import json
import math
import subprocess
import sys
import threading
import time
import urllib.parse
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bongsu.model.errors import BadInput
from bongsu.model.message import Message
from bongsu.sinks import query_json
from bongsu.sinks.http_message import Request, Response
from bongsu.sinks.query_api import Refused, Turns, answer
from bongsu.store.promql.values import PromqlError
from bongsu.store.series import Described
from store.promql.memory_source import MemorySource

FORM = {"content-type": "application/x-www-form-urlencoded"}
T0 = 1_750_000_000  # Unix seconds


class Described3(MemorySource):
    """A source that knows what its metrics are, one of them twice."""

    def describe(self) -> Mapping[str, Sequence[Described]]:
        """See ``Source``."""
        return {
            "c_total": [Described("counter", "Things done.", ""), Described("unknown", "", "")],
            "load": [Described("gauge", "How much.", "ratio")],
        }


def source() -> MemorySource:
    """One gauge and two counters, a sample each 15 s for an hour."""
    made = Described3()
    made.add("load{job='n'}", 15, " ".join(str(n / 4) for n in range(241)), start=T0)
    made.add("c_total{cpu='0',job='n'}", 15, " ".join(str(n * 7) for n in range(241)), start=T0)
    made.add("c_total{cpu='1',job='n'}", 15, " ".join(str(n) for n in range(241)), start=T0)
    return made


def ask(path: str, form: Mapping[str, object] | None = None, *, post: bool = False, **headers: str) -> Response:
    """The answer to one request."""
    encoded = urllib.parse.urlencode(form or {}, doseq=True)
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    if post:
        request = Request("POST", f"/api/v1/{path}", "", {**FORM, **sent}, body=encoded.encode())
    else:
        request = Request("GET", f"/api/v1/{path}", encoded, sent)
    return answer(request, source(), version="1.2.3", clock=lambda: T0 + 1800.0)


def data(response: Response) -> Any:
    """What a good answer holds."""
    said = json.loads(response.body)
    assert (response.status, said["status"]) == (200, "success"), said
    return said["data"]


def error(response: Response) -> tuple[int, str, str]:
    """Status, errorType and sentence of a refusal."""
    said = json.loads(response.body)
    assert said["status"] == "error"
    assert response.header("Content-Type") == "application/json"
    return response.status, said["errorType"], said["error"]


# Grafana 11 and 12, its Prometheus data source: what it sends when it is saved and tested, when a dashboard is drawn,
# when a query is built, and when a variable is filled (grafana/pkg/promlib and packages/grafana-prometheus).


def test_grafana_saves_and_tests_the_data_source() -> None:
    """The health check asks for 1+1 at 4 s after 1970, then for the build to tell Prometheus from Mimir."""
    health = data(ask("query", {"query": "1+1", "time": "4"}, post=True))
    assert health == {"resultType": "scalar", "result": [4, "2"]}
    build = data(ask("status/buildinfo"))
    assert build["version"].startswith("3.")
    assert "features" not in build  # which would make it a Mimir
    assert build["revision"] == "bongsu 1.2.3"
    assert (
        data(ask("query_exemplars", {"query": "test", "start": "1750000000000", "end": "1750001800000"}, post=True))
        == []
    )
    assert data(ask("rules")) == {"groups": []}


@pytest.mark.parametrize("post", [True, False])
def test_grafana_draws_a_panel(post: bool) -> None:
    """A range query aligned to its step, with a step in seconds as Go writes floats."""
    form = {"query": 'c_total{job="n"}', "start": f"{T0}", "end": f"{T0 + 60}", "step": "15", "timeout": "60s"}
    drawn = data(ask("query_range", form, post=post))
    assert drawn["resultType"] == "matrix"
    assert [series["metric"]["cpu"] for series in drawn["result"]] == ["0", "1"]
    assert drawn["result"][0]["values"] == [
        [T0, "0"],
        [T0 + 15, "7"],
        [T0 + 30, "14"],
        [T0 + 45, "21"],
        [T0 + 60, "28"],
    ]
    halves = data(ask("query_range", {**form, "end": f"{T0 + 1}.5", "step": "0.5"}, post=post))
    assert [at for at, _ in halves["result"][0]["values"]] == [T0, T0 + 0.5, T0 + 1, T0 + 1.5]


@pytest.mark.parametrize("post", [True, False])
def test_grafana_asks_at_one_moment(post: bool) -> None:
    """An instant query, as tables and stat panels send it."""
    drawn = data(ask("query", {"query": "load", "time": f"{T0 + 60}.25"}, post=post))
    assert drawn == {
        "resultType": "vector",
        "result": [{"metric": {"__name__": "load", "job": "n"}, "value": [T0 + 60.25, "1"]}],
    }


def test_grafana_fills_its_query_builder() -> None:
    """Metric names, label names and values with their match[], limit and times; metadata with its limit."""
    times = {"start": T0, "end": T0 + 3600}
    everything = {"match[]": '{__name__!=""}', "limit": 40000, **times}
    assert data(ask("label/__name__/values", everything)) == ["c_total", "load"]
    assert data(ask("label/__name__/values", {**times, "match[]": '{__name__=~"(?i).*tot.*"}'})) == ["c_total"]
    assert data(ask("labels", {"match[]": "c_total", "limit": 40000, **times}, post=True)) == ["__name__", "cpu", "job"]
    assert data(ask("label/cpu/values", {"match[]": 'c_total{job="n"}', "limit": 40000, **times})) == ["0", "1"]
    assert len(data(ask("series", {"match[]": ["c_total", "load"], **times}, post=True))) == 3
    assert data(ask("metadata", {"limit": 40000}))["load"] == [{"type": "gauge", "help": "How much.", "unit": "ratio"}]


def test_grafana_goes_on_after_a_405() -> None:
    """Values of a label are asked for by GET only, as Prometheus has it; who tries POST is told so and asks again."""
    refused = ask("label/cpu/values", {"match[]": "c_total"}, post=True)
    assert error(refused)[0] == 405
    assert "GET" in refused.header("Allow")


def test_metadata_can_be_limited() -> None:
    """By metric, by number of metrics, and by number of entries of one metric."""
    assert list(data(ask("metadata"))) == ["c_total", "load"]
    assert list(data(ask("metadata", {"limit": 1}))) == ["c_total"]
    assert data(ask("metadata", {"metric": "load"})) == {
        "load": [{"type": "gauge", "help": "How much.", "unit": "ratio"}]
    }
    assert data(ask("metadata", {"metric": "nothing"})) == {}
    assert len(data(ask("metadata"))["c_total"]) == 2
    assert len(data(ask("metadata", {"limit_per_metric": 1}))["c_total"]) == 1


def test_what_there_is_none_of_is_answered_as_empty() -> None:
    """Clients that look for rules, alerts and targets find none, and go on."""
    for path in (
        "alerts",
        "alertmanagers",
        "targets",
        "targets/metadata",
        "scrape_pools",
        "notifications",
        "status/config",
    ):
        assert ask(path).status == 200
    assert data(ask("status/flags"))["query.lookback-delta"] == "300s"
    assert data(ask("status/runtimeinfo"))["serverTime"] == "2025-06-15T15:36:40.000Z"


def test_the_number_of_series_is_told() -> None:
    """status/tsdb says which names and labels have the most."""
    told = data(ask("status/tsdb", {"limit": 1}))
    assert told["headStats"]["numSeries"] == 3
    assert told["seriesCountByMetricName"] == [{"name": "c_total", "value": 2}]
    assert told["labelValueCountByLabelName"] == [{"name": "__name__", "value": 2}]
    assert told["seriesCountByLabelValuePair"] == [{"name": "job=n", "value": 3}]


def test_a_query_that_names_no_time_is_answered_for_now() -> None:
    """The clock is what it was given."""
    assert data(ask("query", {"query": "load"}))["result"][0]["value"] == [T0 + 1800, "30"]


# What goes wrong.


def test_a_body_of_another_kind_is_refused() -> None:
    """A form is what is read; JSON gets 415 and is told what to send."""
    for kind in ("application/json", "text/plain", ""):
        request = Request("POST", "/api/v1/query", "query=1", {"content-type": kind}, body=b'{"query": "1"}')
        status, _, text = error(answer(request, source()))
        assert status == 415
        assert "application/x-www-form-urlencoded" in text
    without_body = Request("POST", "/api/v1/query", "query=1", {"content-type": "application/json"})
    assert answer(without_body, source()).status == 200


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS"])
def test_other_methods_are_refused(method: str) -> None:
    """Nothing can be changed."""
    assert error(answer(Request(method, "/api/v1/query", "query=1"), source()))[0] == 405


@pytest.mark.parametrize("query", ["query=%zz", "query=1;time=3", "&".join(f"a{n}=1" for n in range(2000))])
def test_parameters_that_are_not_well_formed_are_refused(query: str) -> None:
    """Half of a percent sign or a semicolon would be guessed at otherwise."""
    assert error(answer(Request("GET", "/api/v1/query", query), source()))[:2] == (400, "bad_data")


def test_head_has_the_length_and_no_body() -> None:
    """HEAD counts what GET would have sent."""
    got = answer(Request("GET", "/api/v1/query", "query=1&time=1"), source())
    head = answer(Request("HEAD", "/api/v1/query", "query=1&time=1"), source())
    assert head.body == b""
    assert head.header("Content-Length") == got.header("Content-Length") == str(len(got.body))


def test_without_a_store_the_cure_is_said() -> None:
    """503 and a sentence, whatever is asked."""
    cure = Message("pip install it")
    for path in ("query", "labels", "status/buildinfo"):
        refused = answer(Request("GET", f"/api/v1/{path}", "query=1"), None, without=cure)
        assert error(refused) == (503, "unavailable", "pip install it")
    assert "--no-store" in error(answer(Request("GET", "/api/v1/query"), None))[2]


def test_without_the_packages_the_cure_is_said() -> None:
    """Where numpy or the parser is not installed, the answer names it and what to install."""
    program = (
        "import sys; sys.modules['promql_parser'] = None\n"
        "from bongsu.sinks.query_api import answer\nfrom bongsu.sinks.http_message import Request\n"
        "assert 'numpy' not in sys.modules\n"
        "got = answer(Request('GET', '/api/v1/query', 'query=1'), object())\nprint(got.status, got.body.decode())"
    )
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert said.startswith("503 ")
    assert "promql_parser" in said
    assert "pip install 'bongsu[store]'" in said


class Broken(MemorySource):
    """A source that fails."""

    def __init__(self, failure: Exception) -> None:
        super().__init__()
        self.failure = failure

    def _fail(self, *_arguments: object, **_hints: object) -> NoReturn:
        raise self.failure

    select = find = _fail


def test_a_failure_below_is_an_answer_without_its_secrets(caplog: pytest.LogCaptureFixture) -> None:
    """500 in words, the rest in the log; a pattern that cannot be understood is the client's fault."""
    for path in ("query", "labels"):
        request = Request("GET", f"/api/v1/{path}", "query=load")
        status, kind, text = error(answer(request, Broken(RuntimeError("secret"))))
        assert (status, kind) == (500, "internal")
        assert "secret" not in text
        assert "secret" in caplog.text
        bad = BadInput(Message("this pattern\nis wrong"))
        assert error(answer(request, Broken(bad))) == (400, "bad_data", "this pattern is wrong")


def test_what_is_not_supported_is_named() -> None:
    """Valid PromQL that is not evaluated gets 422 and an errorType that clients know."""
    unsupported = PromqlError("unsupported", Message("native histograms are not stored here"))
    refused = answer(Request("GET", "/api/v1/query", "query=load"), Broken(unsupported))
    assert error(refused) == (422, "execution", "native histograms are not stored here")


def test_a_text_that_is_no_utf8_makes_valid_json() -> None:
    """Bytes of a label that came as lone surrogates are written as JSON escapes."""
    made = MemorySource()
    made.put((("__name__", "x"), ("path", "a\udc80b")), [T0 * 1000], [1.0])
    got = answer(Request("GET", "/api/v1/query", f"query=x&time={T0}"), made)
    assert json.loads(got.body)["data"]["result"][0]["metric"]["path"] == "a\udc80b"


def test_a_long_answer_is_compressed_where_that_is_wanted() -> None:
    """Compressed only for who takes it, and only where it saves packets."""
    form = {"query": "load", "start": T0, "end": T0 + 3600, "step": 15}
    plain, packed = ask("query_range", form), ask("query_range", form, accept_encoding="gzip, deflate")
    assert plain.header("Content-Encoding") == ""
    assert packed.header("Content-Encoding") == "gzip"
    assert len(packed.body) < len(plain.body) / 3
    assert gzip.decompress(packed.body) == plain.body
    assert ask("query_range", form, accept_encoding="gzip;q=0").header("Content-Encoding") == ""
    assert ask("query", {"query": "1"}, accept_encoding="gzip").header("Content-Encoding") == ""


# How many at a time.


def test_so_many_run_some_wait_and_others_are_turned_away() -> None:
    """One turn, one place to wait: the third is refused at once, the second when its time is over."""
    turns = Turns(at_once=1, waiting=1)
    with turns.take(1.0):
        began = threading.Event()
        said: list[str] = []

        def wait() -> None:
            began.set()
            try:
                with turns.take(5.0):
                    said.append("ran")
            except Refused as refused:
                said.append(refused.kind)

        second = threading.Thread(target=wait)
        second.start()
        began.wait(100.0)
        while turns._here < 2:
            time.sleep(0.001)
        with pytest.raises(Refused) as turned_away, turns.take(100.0):
            pass
        assert turned_away.value.kind == "unavailable"
        second.join(100.0)
        assert said == ["timeout"]
    with turns.take(0.0):
        pass


def test_a_query_waits_for_its_turn_within_its_timeout() -> None:
    """While all turns are taken a query ends with 503 when its own timeout is over; what reads nothing needs no turn."""
    turns = Turns(at_once=1, waiting=5)
    with turns.take(0.0):
        waiting = Request("GET", "/api/v1/query", "query=1&timeout=50ms")
        assert error(answer(waiting, source(), turns=turns))[:2] == (503, "timeout")
        assert answer(Request("GET", "/api/v1/status/buildinfo"), source(), turns=turns).status == 200
    assert answer(Request("GET", "/api/v1/query", "query=1"), source(), turns=turns).status == 200


def test_a_timeout_can_only_be_shortened() -> None:
    """What remains of the time is what the query gets."""
    slow = Request("GET", "/api/v1/query_range", f"query=load&start={T0}&end={T0 + 3600}&step=1&timeout=0")
    assert error(answer(slow, source()))[:2] == (503, "timeout")
    generous = Request("GET", "/api/v1/query_range", f"query=load&start={T0}&end={T0 + 3600}&step=1&timeout=1h")
    assert error(answer(generous, source(), timeout_seconds=0.0))[:2] == (503, "timeout")


# How values are written.


@given(st.lists(st.floats(width=64), max_size=40))
@example([1e20, 1e21, 9.999e20, 1e-6, 9.99e-7, 1e-4, 1e16, 123456789012345678.0, 5e-324, -0.0, math.inf, math.nan])
@settings(deadline=None)
def test_values_are_written_one_by_one_as_all_at_once(values: list[float]) -> None:
    """Both ways give the same text, it reads back as the same float, and has an exponent only where Go writes one."""
    texts = query_json.numbers(np.array(values))
    assert texts == [query_json.number(value) for value in values]
    for text, value in zip(texts, values, strict=True):
        back = float(text)
        assert back == value or (math.isnan(back) and math.isnan(value))
        if math.isfinite(value):
            assert ("e" in text) == (value != 0 and not 1e-6 <= abs(value) < 1e21)
            assert not text.endswith((".0", "."))


@given(st.integers(-(2**53), 2**53))
@example(-1)
@example(-1500)
def test_times_are_written_exactly(milliseconds: int) -> None:
    """Seconds with three decimals or none; no float comes between."""
    text = query_json.seconds(milliseconds)
    whole, _, rest = text.partition(".")
    assert len(rest) in {0, 3}
    assert int(whole + (rest or "000")) == milliseconds or milliseconds > -1000


@given(
    st.sampled_from(["query", "query_range", "labels", "label/a/values", "series", "metadata", "format_query", "x/../y"]),
    st.dictionaries(
        st.sampled_from(["query", "time", "start", "end", "step", "timeout", "limit", "match[]", "lookback_delta", "metric"]),
        st.text(max_size=12)
        | st.sampled_from(["1", "load", "c_total[5m]", "1e309", "-1", "nan", "inf", "1y2w3d4h5m6s7ms", "0", "9" * 30,
                           "9999-12-31T23:59:59Z", "0000-01-01T00:00:00Z", "2024-02-29T24:00:00Z", "1e15", "-1e15",
                           "2026-01-01T00:00:00.1+24:60", "\ud800", "load{", "{}", '{a=~"("}', "1m1h"]),
        max_size=6,
    ),
)  # fmt: skip
@settings(deadline=None, max_examples=300)
def test_any_parameters_get_an_answer(path: str, form: dict[str, str]) -> None:
    """Whatever is sent, the answer is JSON that says success, or what is wrong in one line; never a fault of ours."""
    encoded = urllib.parse.urlencode(form, errors="surrogatepass")
    got = answer(Request("GET", f"/api/v1/{path}", encoded), source())
    said = json.loads(got.body)
    assert got.status in {200, 400, 404, 405, 422, 503}, said
    if got.status != 200:
        assert set(said) == {"status", "errorType", "error"}
        assert "\n" not in said["error"]
