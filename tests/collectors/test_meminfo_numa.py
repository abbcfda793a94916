"""Memory of NUMA nodes, beside node_exporter's."""

from __future__ import annotations

from pathlib import Path

import pytest

import kernel_tree
import node_exporter as ne
from bongsu.collectors.meminfo_numa import MeminfoNumaCollector
from bongsu.model.errors import NoData


def node(number: int) -> dict[str, str]:
    """One node's files."""
    at = f"sys/devices/system/node/node{number}"
    fields = ("MemTotal:", "MemFree:", "Active(anon):", "Active(file):", "NFS_Unstable:")
    memory = "".join(f"Node {number} {name:<15} {number * 1000 + place} kB\n" for place, name in enumerate(fields))
    memory += f"\nNode {number} HugePages_Total:     {number + 1}\nNode {number} HugePages_Free:      0\n"
    events = ("numa_hit", "numa_miss", "numa_foreign", "interleave_hit", "local_node", "other_node")
    return {
        f"{at}/meminfo": memory,
        f"{at}/numastat": "".join(f"{name} {number * 10_000_000_000 + place}\n" for place, name in enumerate(events)),
    }


def test_equals_node_exporter(tmp_path: Path) -> None:
    """Every field of twelve nodes, with holes in their numbers; other names in the directory are no nodes."""
    tree = kernel_tree.Tree(tmp_path)
    for number in (*range(8), 10, 11, 100, 254):
        tree.write(node(number))
    tree.write({"sys/devices/system/node/online": "0-11\n", "sys/devices/system/node/has_cpu": "0\n"})
    mine = ne.ours([MeminfoNumaCollector(tree.machine)])
    assert ne.differences(ne.scrape(["meminfo_numa"], tree.flags), mine) == []
    assert len(mine.values) == 12 * 13


def test_a_kernel_without_numa_is_said_in_words(tmp_path: Path) -> None:
    """No nodes is no failure."""
    with pytest.raises(NoData, match="NUMA"):
        list(MeminfoNumaCollector(kernel_tree.Tree(tmp_path).machine).collect())


def test_a_node_that_vanishes_meanwhile_is_left_out(tmp_path: Path) -> None:
    """A directory without its files is a node no more; the others are given."""
    tree = kernel_tree.Tree(tmp_path)
    tree.write(node(0) | node(1))
    (tmp_path / "sys/devices/system/node/node0/meminfo").unlink()
    assert {dict(labels)["node"] for _, labels in ne.ours([MeminfoNumaCollector(tree.machine)]).values} == {"1"}
