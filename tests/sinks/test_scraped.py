"""What the whole house exposes, read by the programs that will read it: promtool, the parsers, a real Prometheus."""

from __future__ import annotations

import json
import math
import os
import signal
import subprocess
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import bcrypt
import pytest

import node_exporter as ne
from bongsu.collectors import COLLECTORS
from bongsu.model.batch import Batch, Sample
from bongsu.model.metric import Kind, MetricSpec, Vocabulary
from bongsu.pipeline import Gatherer
from bongsu.sinks import web_config
from bongsu.sinks.exposition import OPENMETRICS_TYPE, TEXT_TYPE, Exposition
from bongsu.sinks.http import MetricsServer, Request, Response, answer
from bongsu.sources.root import Machine
from certificates import Authority
from exposed import as_text, batch, got_openmetrics, got_text, promtool, wanted

IPV6 = os.path.exists("/proc/net/if_inet6")
PROMETHEUS = "/usr/bin/prometheus"
TICKS = MetricSpec("bongsu_ticks_total", Kind.COUNTER, 'Ticks \\ of a "clock".', ("clock",))
ODD = MetricSpec("node_odd", Kind.GAUGE, "Odd\nlabels.", ("name",), vocabulary=Vocabulary.NODE_EXPORTER)
VALUES = {
    'quote " backslash \\ newline \n end': 1.5, "바다": 2**53, "bytes \udcff\udcfe": -0.25, "nul \0": 1e-300, "": 7,
    "tab\t\r\x1b": math.inf, "minus": -math.inf, "nan": math.nan, "{a=1,b='2'} # 3": 3, "large": 1.7976931348623157e308,
}  # fmt: skip


@pytest.fixture(scope="module")
def machine_batch() -> Batch:
    """A real gather over every collector that there is."""
    machine = Machine.at()
    gatherer = Gatherer([cls(machine) for cls in COLLECTORS])
    gathered = gatherer.gather()
    gatherer.close()
    return gathered


def test_promtool_reads_what_this_machine_says(machine_batch: Batch) -> None:
    """The syntax is right for all of it, and the linter finds nothing in our own names (others' are as they are)."""
    code, said = promtool(Exposition().text(machine_batch))
    assert code in {0, 3}, said
    ours = {s.spec.name for s in machine_batch.samples if s.spec.vocabulary is Vocabulary.BONGSU}
    assert len(ours) > 5
    assert [line for line in said.splitlines() if line.split(" ")[0] in ours] == []


def test_both_parsers_read_what_this_machine_says(machine_batch: Batch) -> None:
    """All series of a real gather come back from both formats with equal values."""
    exposition = Exposition()
    series = wanted(machine_batch)
    assert len(series) > 300
    assert got_text(exposition.text(machine_batch)) == as_text(machine_batch)
    assert got_openmetrics(exposition.text(machine_batch, openmetrics=True)) == series


def test_metrics_hold_no_command_lines(machine_batch: Batch) -> None:
    """The arguments of a process are in no series: neither those of this one nor of a child with a secret."""
    with subprocess.Popen(["sleep", "60.0987"]) as child:
        gatherer = Gatherer([cls(Machine.at()) for cls in COLLECTORS])
        rendered = Exposition().text(gatherer.gather())
        gatherer.close()
        child.kill()
    assert b"60.0987" not in rendered
    assert b"test_scraped.py" not in rendered


def odd_batch(ticks: int) -> Batch:
    """Labels and values that break careless writers."""
    samples = [Sample(ODD, (name,), value) for name, value in VALUES.items()]
    return batch([Sample(TICKS, ("wall",), ticks), *samples])


class Served:
    """Servers of the odd batch: plain, one that gives only text, one with TLS and a user."""

    def __init__(self, directory: Path) -> None:
        self.types: dict[str, set[str]] = {}
        self._exposition = Exposition()
        authority = Authority(directory)
        authority.sign("server")
        hashed = bcrypt.hashpw(b"open sesame", bcrypt.gensalt(4)).decode()
        (directory / "web.yml").write_text(
            "tls_server_config:\n  cert_file: server.pem\n  key_file: server.key\n"
            f"basic_auth_users:\n  prometheus: {hashed}\n"
        )
        config = web_config.load(str(directory / "web.yml"))
        self.servers = {
            "openmetrics": MetricsServer("127.0.0.1", 0, self._handler("openmetrics")),
            "text": MetricsServer("::1" if IPV6 else "127.0.0.1", 0, self._handler("text")),
            "secured": MetricsServer("127.0.0.1", 0, self._handler("secured"), config),
        }
        for server in self.servers.values():
            server.start()

    def stop(self) -> None:
        """Stop them all."""
        for server in self.servers.values():
            server.stop()

    def _handler(self, job: str) -> Callable[[Request], Response]:
        def gather(*, max_age: float = 0.0, only: Iterable[str] | None = None) -> Batch:
            return odd_batch(1000)

        def handle(request: Request) -> Response:
            headers = dict(request.headers)
            if job == "text":
                headers["accept"] = "text/plain;version=0.0.4"
            asked = Request(request.method, request.path, request.query, headers)
            response = answer(asked, gather=gather, names=("clock",), exposition=self._exposition)
            self.types.setdefault(job, set()).add(response.header("Content-Type"))
            return response

        return handle


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    """The servers, for one test."""
    servers = Served(tmp_path)
    yield servers
    servers.stop()


def query(port: int, expression: str) -> list[dict[str, Any]]:
    """The result vector of an instant query."""
    url = f"http://127.0.0.1:{port}/api/v1/query?" + urllib.parse.urlencode({"query": expression})
    with urllib.request.urlopen(url, timeout=60) as response:
        found = json.load(response)["data"]["result"]
    assert isinstance(found, list)
    return found


def test_prometheus_scrapes_all_and_answers_with_the_right_values(served: Served, tmp_path: Path) -> None:
    """Debian's Prometheus reads both formats, over IPv6, over TLS with a user; every odd label and value is what was sent."""
    jobs = "".join(
        f"- job_name: {job}\n  scrape_interval: 1s\n  scrape_timeout: 1s\n"
        f"  static_configs: [{{targets: ['{urllib.parse.urlsplit(server.url).netloc}']}}]\n"
        + (
            "  scheme: https\n  tls_config: {ca_file: authority.pem}\n"
            "  basic_auth: {username: prometheus, password: open sesame}\n"
            if job == "secured"
            else ""
        )
        for job, server in served.servers.items()
    )
    (tmp_path / "prometheus.yml").write_text(f"scrape_configs:\n{jobs}")
    port = ne.free_port()
    log = (tmp_path / "log").open("wb")
    with log, subprocess.Popen(
        [PROMETHEUS, f"--config.file={tmp_path}/prometheus.yml", f"--storage.tsdb.path={tmp_path}/data",
         f"--web.listen-address=127.0.0.1:{port}", "--storage.tsdb.retention.time=1h"],
        stdout=log, stderr=log, env={"PATH": os.environ["PATH"]},
    ) as process:  # fmt: skip
        try:
            deadline = time.monotonic() + 120
            up: list[dict[str, Any]] = []
            while time.monotonic() < deadline and len(up) < 3:
                time.sleep(0.2)
                try:
                    up = query(port, "sum_over_time(up[3m]) > 2")
                except OSError:
                    assert process.poll() is None, (tmp_path / "log").read_text()
            failures = (tmp_path / "log").read_text()[-3000:]
            assert len(up) == 3, failures
            ticks = query(port, "last_over_time(bongsu_ticks_total[3m])")
            odd = query(port, "last_over_time(node_odd[3m])")
            scraped = {
                r["metric"]["job"]: r["value"][1] for r in query(port, "max_over_time(scrape_samples_scraped[3m])")
            }
            kinds = _types(port)
        finally:
            process.send_signal(signal.SIGKILL)
    assert {r["value"][1] for r in ticks} == {"1000"}
    assert len(ticks) == 3
    assert scraped == dict.fromkeys(served.servers, str(len(VALUES) + 1))
    expected = {name.replace("\udcff\udcfe", "\ufffd\ufffd"): repr(float(v)) for name, v in VALUES.items()}
    for job in served.servers:
        got = {
            r["metric"].get("name", ""): repr(float(r["value"][1])) for r in odd if r["metric"]["job"] == job
        }  # fmt: skip
        assert got == expected, job
    assert kinds["node_odd"] == "gauge"
    assert kinds.get("bongsu_ticks_total", kinds.get("bongsu_ticks")) == "counter"
    assert served.types == {"openmetrics": {OPENMETRICS_TYPE}, "text": {TEXT_TYPE}, "secured": {OPENMETRICS_TYPE}}


def _types(port: int) -> dict[str, str]:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/v1/metadata", timeout=60) as response:
        return {name: found[0]["type"] for name, found in json.load(response)["data"].items()}
