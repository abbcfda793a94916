"""The board of one machine."""

from __future__ import annotations

import string

from bongsu.boards.host import HOST
from bongsu.collectors import COLLECTORS
from bongsu.model.metric import Kind, MetricPattern
from bongsu.model.query import Fold


def test_every_metric_on_it_is_given_by_a_collector() -> None:
    """A panel that names a metric which no collector reads would stay empty for ever."""
    specs = {spec for collector in COLLECTORS for spec in collector.specs}
    made = {spec for pattern in specs if isinstance(pattern, MetricPattern) for spec in pattern._made.values()}
    assert {query.spec.name for query in HOST.queries if query.spec not in specs | made} == set()


def test_rates_are_made_of_counters_only() -> None:
    """The rate of a gauge, or a counter as it stands, is a number that means nothing."""
    for query in HOST.queries:
        assert (query.spec.kind is Kind.COUNTER) == (query.fold is Fold.RATE), query.spec.name


def test_names_are_unique_and_legends_fill() -> None:
    """Names are addresses; a legend may name the labels of its line and no others."""
    names = [panel.name for panel in HOST.panels]
    assert len(set(names)) == len(names)
    for line in (*(tile.line for tile in HOST.tiles), *(line for panel in HOST.panels for line in panel.lines)):
        places = {name for _, name, _, _ in string.Formatter().parse(line.legend.template) if name}
        assert places == set(line.query.by), line.legend.template


def test_it_says_all_that_one_looks_for_first() -> None:
    """CPU, load, pressure, memory, swap, disks, file systems, network and temperatures are on it."""
    assert [panel.name for panel in HOST.panels] == [
        "cpu", "load", "pressure", "memory", "swap", "disk-throughput", "disk-latency", "disk-busy", "filesystems",
        "network", "network-errors", "temperatures",
    ]  # fmt: skip
