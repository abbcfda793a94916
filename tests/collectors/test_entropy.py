"""The random number generator, beside node_exporter's."""

from __future__ import annotations

from pathlib import Path

import kernel_tree
import node_exporter as ne
from bongsu.collectors.entropy import EntropyCollector


def test_equals_node_exporter(tmp_path: Path) -> None:
    """Content and size of the pool."""
    tree = kernel_tree.Tree(tmp_path)
    tree.write({"proc/sys/kernel/random/entropy_avail": "1337\n", "proc/sys/kernel/random/poolsize": "4096\n"})
    mine = ne.ours([EntropyCollector(tree.machine)])
    assert ne.differences(ne.scrape(["entropy"], tree.flags), mine) == []
    assert len(mine.values) == 2
