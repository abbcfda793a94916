"""Clock, zone and clock source, beside node_exporter's."""

from __future__ import annotations

from pathlib import Path

import kernel_tree
import node_exporter as ne
from bongsu.collectors.time import TimeCollector


def test_equals_node_exporter(tmp_path: Path) -> None:
    """The clock within a few seconds; zone and clock sources exactly."""
    tree = kernel_tree.Tree(tmp_path)
    at = "sys/devices/system/clocksource"
    tree.write(
        {
            f"{at}/clocksource0/available_clocksource": "tsc hpet acpi_pm \n",
            f"{at}/clocksource0/current_clocksource": "tsc\n",
            f"{at}/clocksource3/available_clocksource": "arch_sys_counter\n",
            f"{at}/clocksource3/current_clocksource": "arch_sys_counter\n",
        }
    )
    theirs, mine = ne.scrape(["time"], tree.flags), ne.ours([TimeCollector(tree.machine)])
    clock: ne.Key = ("node_time_seconds", ())
    assert abs(theirs.values[clock] - mine.values.pop(clock)) < 10
    assert ne.differences(theirs, mine, only="node_time_(zone|clocksource)") == []
    assert len(mine.values) == 1 + 3 + 1 + 2


def test_without_clock_sources_the_clock_is_still_given(tmp_path: Path) -> None:
    """A tree without the directory has a clock and a zone, and no clock source."""
    assert len(ne.ours([TimeCollector(kernel_tree.Tree(tmp_path).machine)]).values) == 2
