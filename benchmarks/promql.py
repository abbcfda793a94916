"""PromQL through HTTP: the queries of the differential test beside a real Prometheus with the same samples, in one run.

Wall time and CPU time of the server's processes; medians of rounds in which the two are asked in turns. Both keep their
connection open and are asked with POST, as Grafana does. The goal is for `bongsu agent --store`, a server without a page
like Prometheus' API; `bongsu up` answers the same through its page's server.
"""

from __future__ import annotations

import http.client
import statistics
import sys
import tempfile
import time
import urllib.parse
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from measure import BONGSU, cpu_seconds, fetch, free_port, running, spread, verdict

sys.path.append(str(Path(__file__).parent.parent / "tests"))

import promql_hour
from prometheus import Prometheus, seconds
from promql_compare import FIXTURES, Asked, corpus
from promql_stored import fill, own

ROUNDS, TEN_ROUNDS = 5, 40
GOAL = 2.0
TEN = 'node_cpu_seconds_total{instance="n2:9100",mode=~"user|system|idle|iowait|nice"}'


class Round(NamedTuple):
    """What one side took for all questions, and how it answered."""

    wall: float  # seconds
    cpu: float
    statuses: list[int]


class Asking:
    """One server, asked over a connection that stays open."""

    def __init__(self, port: int, pid: int) -> None:
        self.pid = pid
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)

    def ask(self, asked: Asked) -> int:
        """The status; the body is read."""
        form = {"query": asked.text, "time": seconds(asked.start)}
        if asked.step:
            form = {
                "query": asked.text,
                "start": seconds(asked.start),
                "end": seconds(asked.end),
                "step": seconds(asked.step),
            }
        self._connection.request(
            "POST",
            f"/api/v1/query{'_range' if asked.step else ''}",
            urllib.parse.urlencode(form),
            {"Content-Type": "application/x-www-form-urlencoded"},
        )
        answer = self._connection.getresponse()
        answer.read()
        return answer.status

    def all(self, questions: Sequence[Asked]) -> Round:
        """Wall seconds, CPU seconds, and the statuses."""
        before, start = cpu_seconds(self.pid), time.perf_counter()
        statuses = [self.ask(question) for question in questions]
        return Round(time.perf_counter() - start, cpu_seconds(self.pid) - before, statuses)


def compare(
    title: str, questions: Sequence[Asked], rounds: int, ours: Asking, theirs: Asking, goal: float | None
) -> None:
    """Ask both in turns, and print what it takes."""
    found: dict[str, list[Round]] = {"bongsu": [], "prometheus": []}
    for number in range(rounds + 1):
        for name, side in (("bongsu", ours), ("prometheus", theirs)):
            one = side.all(questions)
            if number:  # the first round warms both up
                found[name].append(one)
    ours_last, theirs_last = found["bongsu"][-1], found["prometheus"][-1]
    differing = sum(a != b for a, b in zip(ours_last.statuses, theirs_last.statuses, strict=True))
    print(f"{title}: {len(questions)} questions a round, {differing} with another status than Prometheus'")
    for name, measured in found.items():
        wall, cpu = [one.wall * 1000 for one in measured], [one.cpu * 1000 for one in measured]
        print(f"  {name}: {spread(wall)} ms, CPU {spread(cpu)} ms")
    walls = {name: statistics.median(one.wall for one in measured) for name, measured in found.items()}
    # CPU time comes in steps of 10 ms: sums, not medians, of short rounds.
    cpus = {name: statistics.fmean(one.cpu for one in measured) for name, measured in found.items()}
    for what, took in (("wall time", walls), ("CPU time", cpus)):
        ratio = took["bongsu"] / took["prometheus"]
        print(f"{title}: {what}: {f'ratio {ratio:.2f}' if goal is None else verdict(ratio, goal)}")


def main() -> None:
    """Print the ratios for the whole set and for ten series over an hour."""
    samples = promql_hour.everything()
    start, end = promql_hour.bounds(samples)
    first = -(-start // 60_000) * 60_000
    questions = [
        question
        for queries in corpus(FIXTURES / "queries.txt", first).values()
        for text in queries
        for question in (
            Asked(text, first + 1_203_457),
            Asked(text, first, end, 60_000),
            Asked(text, first + 600_457, first + 1_800_000, 15_000),
        )
    ]
    with tempfile.TemporaryDirectory() as folder, Prometheus() as server:
        server.write([*samples, own(samples)])
        fill(Path(folder), samples).close()
        version = ".".join(map(str, server.version))
        print(f"Prometheus {version}; {len(samples)} series, {sum(len(one.times) for one in samples)} samples")
        last = end // 1000 * 1000
        ten = [Asked(TEN, last - 3_600_000, last, 15_000), Asked(f"rate({TEN}[1m])", last - 3_600_000, last, 15_000)]
        theirs = Asking(server.port, server.pid)
        for command, more in (("agent", ["--store"]), ("up", ["--no-token", "--quiet"])):
            port = free_port()
            argv = [
                *BONGSU, command, *more, "--port", str(port), "--data-dir", folder, "--interval", "3600",
                "--retention", "3650d,3650d", "--collector.disable-defaults", "--collector.loadavg",
            ]  # fmt: skip
            with running(argv) as process:
                fetch(f"http://127.0.0.1:{port}/api/v1/status/buildinfo", 20)
                time.sleep(10)  # the first commit ends all of the hour's windows at once: a day's compressing
                ours = Asking(port, process.pid)
                goal = GOAL if command == "agent" else None
                compare(f"{command}, the differential set", questions, ROUNDS, ours, theirs, goal)
                compare(f"{command}, 10 series, 1 h at 15 s", ten * 10, TEN_ROUNDS, ours, theirs, goal)


if __name__ == "__main__":
    main()
