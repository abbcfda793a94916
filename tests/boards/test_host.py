"""The board of one machine."""

from __future__ import annotations

import itertools
import math
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
    """The rate of a gauge, or a counter as it stands, is a number that means nothing; some counters are not marked."""
    for query in HOST.queries:
        assert query.spec.kind in ((Kind.COUNTER, Kind.UNTYPED) if query.fold is Fold.RATE else (Kind.GAUGE,))


def test_names_are_unique_and_legends_fill() -> None:
    """Names are addresses; a legend may name the labels of its line and no others."""
    names = [panel.name for panel in HOST.panels]
    assert len(set(names)) == len(names)
    for line in (
        *(line for tile in HOST.tiles for line in tile.lines),
        *(line for panel in HOST.panels for line in panel.lines),
    ):
        places = {name for _, name, _, _ in string.Formatter().parse(line.legend.template) if name}
        assert places == set(line.query.by), line.legend.template


def test_it_says_all_that_one_looks_for_first() -> None:
    """CPU, load, pressure, memory, swap, GPUs, disks, file systems, network, TCP, sensors and the kernel's work."""
    assert [panel.name for panel in HOST.panels] == [
        "cpu", "cores", "load", "pressure", "memory", "swap", "paging",
        "gpu-utilization", "gpu-activity", "gpu-memory", "gpu-temperature", "gpu-heat", "gpu-power", "gpu-clocks",
        "gpu-throttle", "gpu-pcie", "gpu-nvlink", "gpu-errors", "gpu-video", "disk-throughput", "disk-latency", "disk-queue",
        "disk-busy", "filesystems", "inodes", "network", "network-errors", "tcp", "tcp-states", "tcp-trouble",
        "temperatures", "fans", "tasks", "forks", "switches",
    ]  # fmt: skip


def test_each_tile_has_a_panel_that_explains_it() -> None:
    """Whoever clicks on a number comes to its chart; a tile that says why it has none needs no panel."""
    assert {tile.panel or tile.name for tile in HOST.tiles if tile.lines} <= {panel.name for panel in HOST.panels}


def test_panels_of_one_section_stand_together() -> None:
    """A heading that came twice would be two places to look at."""
    sections = [str(panel.section) for panel in HOST.panels]
    assert [name for name, _ in itertools.groupby(sections)] == list(dict.fromkeys(sections))


def test_fullness_is_told_in_words() -> None:
    """A file system that is nearly full is a warning, a full one is critical; half full is nothing to speak of."""
    (tile,) = [tile for tile in HOST.tiles if tile.name == "fullest"]
    found = [tile.state(value, None) for value in (0.5, 0.9, 0.95, 1.0, math.nan)]
    assert [state and (state.severity.value, str(state.text)) for state in found] == [
        None, None, ("warning", "nearly full"), ("critical", "full"), None,
    ]  # fmt: skip


def test_a_part_is_judged_by_its_share() -> None:
    """Nine tenths of memory are no warning yet, a little more is; of an unknown whole nothing is said."""
    (tile,) = [tile for tile in HOST.tiles if tile.name == "memory"]
    assert tile.state(90.0, 100.0) is None
    state = tile.state(91.0, 100.0)
    assert state is not None
    assert str(state.text) == "nearly full"
    assert tile.state(91.0, None) is None
