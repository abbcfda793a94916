"""What is answered to a request for metrics."""

from __future__ import annotations

import gzip
import threading
from collections.abc import Iterable

import pytest

from bongsu.model.batch import Batch, Outcome, Part, Sample
from bongsu.model.metric import Kind, MetricSpec
from bongsu.sinks.exposition import OPENMETRICS_TYPE, TEXT_TYPE, Exposition
from bongsu.sinks.http import MAX_AGE, Request, Response, answer

TICKS = MetricSpec("bongsu_ticks_total", Kind.COUNTER, "Ticks.", ("clock",))
NAMES = ("cpu", "disk", "net")
PROMETHEUS_2 = (
    "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,"
    "text/plain;version=0.0.4;q=0.5,*/*;q=0.1"
)
PROMETHEUS_3 = (
    "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,"
    "application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,"
    "text/plain;version=0.0.4;q=0.3,*/*;q=0.2"
)
PROMETHEUS_PROTOBUF = (
    "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited,"
    "application/openmetrics-text;version=1.0.0;q=0.8,text/plain;version=0.0.4;q=0.5,*/*;q=0.3"
)
BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"


class Gathered:
    """Stands for a gatherer and remembers how it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[float, list[str] | None]] = []

    def __call__(self, *, max_age: float = 0.0, only: Iterable[str] | None = None) -> Batch:
        self.asked.append((max_age, None if only is None else list(only)))
        samples = tuple(Sample(TICKS, (name,), 1) for name in (only if only is not None else NAMES) for _ in "ab")
        return Batch(0.0, 0.0, (Part("clock", 0.0, 0.0, samples, (), (), Outcome("clock", 0.0, 0.0)),))


def ask(
    path: str = "/metrics", query: str = "", method: str = "GET", *, gather: Gathered | None = None,
    scrapes: threading.Semaphore | None = None, allowed_hosts: Iterable[str] | None = None, **headers: str,
) -> Response:  # fmt: skip
    """The answer to a request with these headers (underscores for dashes)."""
    request = Request(method, path, query, {k.replace("_", "-").lower(): v for k, v in headers.items()})
    return answer(
        request, gather=gather or Gathered(), names=NAMES, exposition=Exposition(), scrapes=scrapes,
        allowed_hosts=None if allowed_hosts is None else frozenset(allowed_hosts),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("accept", "openmetrics"),
    [
        ("", False), ("*/*", False), ("text/plain", False), (BROWSER, False), ("image/png", False),
        (PROMETHEUS_2, True), (PROMETHEUS_3, True), (PROMETHEUS_PROTOBUF, True),
        ("application/openmetrics-text", True), ("Application/OpenMetrics-Text ; Version=1.0.0", True),
        ("application/openmetrics-text;version=2.0.0", False),
        ("application/openmetrics-text;q=0", False), ("application/openmetrics-text;q=0, */*", False),
        ("application/openmetrics-text;q=0.4,text/plain;q=0.5", False),
        ("application/openmetrics-text;q=0.5,text/plain;q=0.5", True),
        ("application/openmetrics-text;q=0.5,text/plain;q=0.1,*/*", True),
        ("application/openmetrics-text;q=high,text/plain", False),
        (";;;,=,q=", False),
    ],
)  # fmt: skip
def test_openmetrics_is_given_to_those_who_name_it(accept: str, openmetrics: bool) -> None:
    """Text is the default; OpenMetrics needs to be named in Accept with at least the weight of text."""
    response = ask(accept=accept)
    assert response.status == 200
    assert response.header("Content-Type") == (OPENMETRICS_TYPE if openmetrics else TEXT_TYPE)
    assert response.body.endswith(b"# EOF\n") is openmetrics
    assert "Accept" in response.header("Vary")


@pytest.mark.parametrize(
    ("accepted", "compressed"),
    [
        ("gzip", True), ("GZIP", True), ("gzip, deflate, br", True), ("x-gzip", True), ("*", True),
        ("gzip;q=0.5, identity;q=0.1", True), ("deflate, gzip;q=1.0, *;q=0.5", True),
        ("", False), ("gzip;q=0", False), ("*;q=0, gzip;q=0.0", False), ("gzip;q=0, *", False), ("deflate", False),
        ("gzip;q=0.5, identity", False), ("gzip;q=2", False),
    ],
)  # fmt: skip
def test_a_body_is_compressed_only_for_those_who_allow_it(accepted: str, compressed: bool) -> None:
    """Compression is used where Accept-Encoding allows it with a weight above 0; Content-Length is of what is sent."""

    def many(*, max_age: float = 0.0, only: Iterable[str] | None = None) -> Batch:
        samples = tuple(Sample(TICKS, (str(i),), i) for i in range(100))
        return Batch(0.0, 0.0, (Part("clock", 0.0, 0.0, samples, (), (), Outcome("clock", 0.0, 0.0)),))

    request = Request("GET", "/metrics", "", {"accept-encoding": accepted})
    response = answer(request, gather=many, names=NAMES, exposition=Exposition())
    assert (response.header("Content-Encoding") == "gzip") is compressed
    assert response.header("Content-Length") == str(len(response.body))
    body = gzip.decompress(response.body) if compressed else response.body
    assert body.count(b"\n") == 102


def test_head_has_the_headers_of_get_and_no_body() -> None:
    """HEAD answers with the headers of GET, Content-Length too, and nothing else."""
    for path in ("/metrics", "/", "/-/healthy", "/nowhere"):
        got, head = ask(path), ask(path, method="HEAD")
        assert (head.status, head.headers, head.body) == (got.status, got.headers, b"")
        assert int(head.header("Content-Length")) == len(got.body) > 0


@pytest.mark.parametrize(
    ("query", "only"),
    [
        ("", None), ("collect[]=cpu", ["cpu"]), ("collect%5B%5D=cpu&collect[]=net", ["cpu", "net"]),
        ("exclude[]=cpu", ["disk", "net"]), ("exclude[]=cpu&exclude[]=nosuch", ["disk", "net"]),
        ("exclude[]=cpu&exclude[]=disk&exclude[]=net", []), ("foo=bar", None), ("&&&", None),
    ],
)  # fmt: skip
def test_collectors_are_picked_by_the_query(query: str, only: list[str] | None) -> None:
    """``collect[]`` names collectors to ask, ``exclude[]`` those to leave out; parts younger than a second do."""
    gather = Gathered()
    assert ask(query=query, gather=gather).status == 200
    assert gather.asked == [(MAX_AGE, only)]


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("collect[]=gpu", "known: cpu, disk, net"), ("collect[]=", "known: cpu, disk, net"),
        ("collect[]=cpu&exclude[]=net", "not both"), ("&".join(["a=1"] * 400), "more than 300"),
        ("collect[]=%0A%1B[31m%00<script>", "'\\n\\x1b[31m\\x00<script>'"),
        ("collect[]=%ff%fe", "known"),
    ],
)  # fmt: skip
def test_a_query_that_cannot_be_answered_is_refused_with_the_cure(query: str, said: str) -> None:
    """An unknown collector is 400 and the answer names those there are; control characters are not echoed."""
    gather = Gathered()
    response = ask(query=query, gather=gather)
    assert response.status == 400
    assert said in response.body.decode()
    assert response.header("Content-Type") == "text/plain; charset=utf-8"
    assert gather.asked == []


def test_only_get_and_head_are_allowed() -> None:
    """Another method is 405 with Allow; on an unknown path it is 404."""
    for method in ("POST", "PUT", "DELETE", "OPTIONS", "TRACE", "get"):
        for path in ("/metrics", "/", "/-/ready"):
            response = ask(path, method=method)
            assert (response.status, response.header("Allow")) == (405, "GET, HEAD")
        assert ask("/nowhere", method=method).status == 404


def test_scrapes_beyond_the_limit_are_told_to_come_back() -> None:
    """When the limit of concurrent scrapes is reached the answer is 503, and a slot is given back after each."""
    scrapes = threading.Semaphore(1)
    for _ in range(3):
        assert ask(scrapes=scrapes).status == 200
    assert ask(query="collect[]=nosuch", scrapes=scrapes).status == 400
    with scrapes:
        response = ask(scrapes=scrapes)
        assert (response.status, response.header("Retry-After")) == (503, "1")
        assert ask("/-/healthy", scrapes=scrapes).status == 200
    assert ask(scrapes=scrapes).status == 200


def test_a_failing_scrape_is_500_and_frees_its_slot() -> None:
    """Whatever goes wrong while gathering, the answer is 500 without inner details."""

    def broken(*, max_age: float = 0.0, only: Iterable[str] | None = None) -> Batch:
        raise RuntimeError("secret")

    scrapes = threading.Semaphore(1)
    for _ in range(2):
        response = answer(
            Request("GET", "/metrics"), gather=broken, names=NAMES, exposition=Exposition(), scrapes=scrapes
        )
        assert response.status == 500
        assert b"secret" not in response.body


def test_the_page_links_to_the_metrics_and_escapes_names() -> None:
    """The landing page links to /metrics and to each collector; nothing in it is taken as HTML."""
    page = ask("/")
    assert page.header("Content-Type").startswith("text/html")
    assert b'href="metrics"' in page.body
    assert b"collect%5B%5D=disk" in page.body
    odd = answer(Request("GET", "/"), gather=Gathered(), names=('<b>"',), exposition=Exposition(), title="<x>")
    assert b"<b>" not in odd.body
    assert b"<x>" not in odd.body


def test_health_and_readiness() -> None:
    """Healthy once it answers; ready when the caller says so."""
    assert ask("/-/healthy").status == 200
    assert ask("/-/ready").status == 200
    for is_ready, status in ((True, 200), (False, 503)):
        response = answer(
            Request("GET", "/-/ready"), gather=Gathered(), names=NAMES, exposition=Exposition(),
            ready=is_ready.__bool__,
        )  # fmt: skip
        assert response.status == status


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost", 200), ("LOCALHOST:9420", 200), ("localhost.", 200), ("a.localhost:1", 200), ("127.0.0.1:9420", 200),
        ("[::1]:9420", 200), ("::1", 200), ("192.0.2.7", 200), ("node7:9420", 200), ("NODE7", 200),
        ("evil.example", 421), ("localhost.evil.example:9420", 421), ("127.0.0.1.evil.example", 421), ("", 421),
        ("node7.evil.example", 421), ("[evil.example]", 421),
    ],
)  # fmt: skip
def test_a_foreign_host_name_is_refused(host: str, status: int) -> None:
    """Where allowed hosts are given, addresses, localhost and the listed names pass; others are 421 on each path."""
    for path in ("/metrics", "/", "/-/healthy"):
        assert ask(path, allowed_hosts=["node7"], host=host).status == status
        assert ask(path, host=host).status == 200
        assert ask(path, allowed_hosts=["node7"]).status == 200
