"""Load averages, beside node_exporter's."""

from __future__ import annotations

from pathlib import Path

import node_exporter as ne
from bongsu.collectors.loadavg import LoadavgCollector
from bongsu.sources.root import Machine


def test_equals_node_exporter_on_the_same_tree(tmp_path: Path) -> None:
    """The three averages have node_exporter's names, types and values."""
    (tmp_path / "stat").write_text("cpu 0 0 0 0\n")
    (tmp_path / "loadavg").write_text("0.21 0.37 1.39 1/719 19737\n")
    theirs = ne.scrape(["loadavg"], [f"--path.procfs={tmp_path}"])
    mine = ne.ours([LoadavgCollector(Machine.at(procfs=str(tmp_path)))])
    assert ne.differences(theirs, mine) == []
    assert len(mine.values) == 3
