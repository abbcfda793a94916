"""Scheduler statistics, beside node_exporter's."""

from __future__ import annotations

from pathlib import Path

import pytest

import kernel_tree
import node_exporter as ne
from bongsu.collectors.schedstat import SchedstatCollector
from bongsu.model.errors import NoData


def test_equals_node_exporter(tmp_path: Path) -> None:
    """Three counts of each CPU that is online; domains are passed over."""
    tree = kernel_tree.Tree(tmp_path)
    lines = ["version 15", "timestamp 15819019232"]
    for cpu in (*range(300), 511):
        waited = f"{2045936778163039 + cpu} {343796328169361 + 7 * cpu} {4767485306 + cpu}"
        lines.append(f"cpu{cpu} 498494191 0 3533438552 2553969831 3853684107 2465731542 {waited}")
        lines.append("domain0 00000000,00000003 212499247 210112015 1861015 1860405436 536440 369895 32599 210079416")
    tree.write({"proc/schedstat": "\n".join(lines) + "\n"})
    mine = ne.ours([SchedstatCollector(tree.machine)])
    assert ne.differences(ne.scrape(["schedstat"], tree.flags), mine) == []
    assert len(mine.values) == 301 * 3


def test_a_kernel_without_it_is_said_in_words(tmp_path: Path) -> None:
    """No /proc/schedstat is no failure."""
    with pytest.raises(NoData, match="CONFIG_SCHEDSTATS"):
        list(SchedstatCollector(kernel_tree.Tree(tmp_path).machine).collect())
