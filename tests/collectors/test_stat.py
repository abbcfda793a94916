"""What the kernel counts for the whole machine, beside node_exporter's."""

from __future__ import annotations

from pathlib import Path

import pytest

import kernel_tree
import node_exporter as ne
from bongsu.collectors.stat import StatCollector


def test_equals_node_exporter_behind_the_lines_of_512_cpus(tmp_path: Path) -> None:
    """Six totals, with the interrupts of each device in between."""
    tree = kernel_tree.Tree(tmp_path)
    text = kernel_tree.stat(range(512)).replace("intr 123456789012", "intr 123456789012 " + "0 " * 9000)
    tree.write({"proc/stat": text})
    mine = ne.ours([StatCollector(tree.machine)])
    assert ne.differences(ne.scrape(["stat"], tree.flags), mine) == []
    assert len(mine.values) == 6


def test_softirqs_equal_node_exporter(tmp_path: Path) -> None:
    """Ten kinds, on request."""
    tree = kernel_tree.Tree(tmp_path)
    tree.write({"proc/stat": kernel_tree.stat([0])})
    mine = ne.ours([StatCollector(tree.machine, softirq=True)])
    assert ne.differences(ne.scrape(["stat"], [*tree.flags, "--collector.stat.softirq"]), mine) == []
    assert len(mine.values) == 16


def test_lines_that_a_kernel_lacks_are_absent_not_zero(tmp_path: Path) -> None:
    """node_exporter 1.5 says 0 for a count that is not kept; we say nothing."""
    tree = kernel_tree.Tree(tmp_path)
    tree.write({"proc/stat": kernel_tree.stat([0], tail="intr 5 1\nctxt 6\n")})
    mine = ne.ours([StatCollector(tree.machine)])
    differences = ne.differences(ne.scrape(["stat"], tree.flags), mine)
    assert {name for name, _ in mine.values} == {"node_intr_total", "node_context_switches_total"}
    assert len(differences) == 4
    assert all(line.startswith("missing: ") and line.endswith(" 0.0") for line in differences)


@pytest.mark.parametrize("text", ["", "cpu0 1 2 3 4\n", "ctxt -5\n", "ctxt 99999999999999999999999\n", "intr x\n"])
def test_what_is_not_a_total_is_refused(tmp_path: Path, text: str) -> None:
    """A file without totals, or with numbers that the kernel cannot write, is an error and not a zero."""
    tree = kernel_tree.Tree(tmp_path)
    tree.write({"proc/stat": text})
    with pytest.raises(ValueError, match=r"stat|is not a number|wider"):
        list(StatCollector(tree.machine).collect())
