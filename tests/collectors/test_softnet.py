"""Packets by CPU, beside node_exporter's."""

from __future__ import annotations

from pathlib import Path

import pytest

import kernel_tree
import node_exporter as ne
from bongsu.collectors.softnet import SoftnetCollector
from bongsu.model.errors import NoData


def softnet(cpus: list[int], columns: int) -> str:
    """/proc/net/softnet_stat; since Linux 5.10 the thirteenth column is the CPU's number."""
    rows = []
    for cpu in cpus:
        row = [0xFFFFFFF0 - cpu, cpu, 2 * cpu, 0, 0, 0, 0, 0, 1, 2, 3, 4, cpu, 5, 6]
        rows.append(" ".join(f"{value:08x}" for value in row[:columns]))
    return "\n".join(rows) + "\n"


@pytest.mark.parametrize("columns", [9, 10, 11, 13, 15])
def test_equals_node_exporter(tmp_path: Path, columns: int) -> None:
    """Three counts of each of 256 CPUs, as kernels of all ages write them."""
    tree = kernel_tree.Tree(tmp_path)
    tree.write({"proc/net/softnet_stat": softnet(list(range(256)), columns)})
    mine = ne.ours([SoftnetCollector(tree.machine)])
    assert ne.differences(ne.scrape(["softnet"], tree.flags), mine) == []
    assert len(mine.values) == 256 * 3


def test_an_offline_cpu_does_not_shift_the_others(tmp_path: Path) -> None:
    """The kernel's own number is the label; node_exporter 1.5 counts lines, and calls CPU 4 «1» here."""
    tree = kernel_tree.Tree(tmp_path)
    tree.write({"proc/net/softnet_stat": softnet([0, 4], 15)})
    assert {dict(labels)["cpu"] for _, labels in ne.ours([SoftnetCollector(tree.machine)]).values} == {"0", "4"}


def test_no_network_is_said_in_words(tmp_path: Path) -> None:
    """A kernel without networking is no failure; a line that is too short is one."""
    tree = kernel_tree.Tree(tmp_path)
    with pytest.raises(NoData, match="no network"):
        list(SoftnetCollector(tree.machine).collect())
    tree.write({"proc/net/softnet_stat": softnet([0], 8)})
    with pytest.raises(ValueError, match="8 columns"):
        list(SoftnetCollector(tree.machine).collect())
