"""What Bongsu says of its own process."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator

import prometheus_client
import psutil

import node_exporter as ne
from bongsu.collectors.exporter import ExporterCollector
from bongsu.sources.root import Machine


def readings() -> dict[str, float]:
    return {name: value for (name, _), value in ne.ours([ExporterCollector(Machine.at())]).values.items()}


def test_has_what_the_python_client_has() -> None:
    """Names, types and values agree with those that Prometheus' own client gives for this very process."""
    registry = prometheus_client.CollectorRegistry()
    prometheus_client.ProcessCollector(registry=registry)
    extra = "process_virtual_memory_max_bytes|bongsu_build_info"

    def differences() -> list[str]:
        mine = ne.ours([ExporterCollector(Machine.at())])
        theirs = ne.parse(prometheus_client.generate_latest(registry).decode())
        theirs.values["process_open_fds", ()] -= 1  # the client counts the descriptor that it counts with
        return ne.differences(theirs, mine, tolerance=0.05, extra=extra)

    assert not ne.at_rest(differences)


def test_agrees_with_a_second_opinion() -> None:
    """Start, memory and descriptors are what psutil reads."""
    me, mine = psutil.Process(), readings()
    assert abs(mine["process_start_time_seconds"] - me.create_time()) < 1.0
    assert abs(mine["process_resident_memory_bytes"] - me.memory_info().rss) < 8 * 2**20
    # psutil counts the descriptor that it counts with
    assert ne.at_rest(lambda: readings()["process_open_fds"] - (me.num_fds() - 1)) == 0


def test_open_descriptors_are_counted() -> None:
    """One more open file is one more."""

    def more() -> float:
        before = readings()["process_open_fds"]
        fd = os.open("/dev/null", os.O_RDONLY)
        try:
            return readings()["process_open_fds"] - before
        finally:
            os.close(fd)

    assert ne.at_rest(lambda: more() - 1) == 0


def test_start_does_not_move() -> None:
    """The start time is read once: a clock that is set later does not move it."""
    collector = ExporterCollector(Machine.at())

    def start() -> Iterator[float]:
        yield from (s.value for s in collector.collect() if s.spec.name == "process_start_time_seconds")

    first = next(start())
    time.sleep(0.01)
    assert next(start()) == first
