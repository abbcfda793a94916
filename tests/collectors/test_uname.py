"""Names of machine and kernel, beside node_exporter's."""

from __future__ import annotations

from pathlib import Path

import kernel_tree
import node_exporter as ne
from bongsu.collectors.uname import UnameCollector
from bongsu.sources.root import Machine


def test_equals_node_exporter_on_this_machine() -> None:
    """All six names, the domain too."""
    mine = ne.ours([UnameCollector(Machine.at())])
    assert ne.differences(ne.scrape(["uname"]), mine) == []
    assert len(mine.values) == 1


def test_a_captured_machine_keeps_its_own_names(tmp_path: Path) -> None:
    """The names are of the tree that is read, not of the machine that reads it."""
    tree = kernel_tree.Tree(tmp_path)
    names = {"ostype": "Linux", "osrelease": "5.4.0", "version": "#1 SMP", "hostname": "far", "domainname": "(none)"}
    tree.write({f"proc/sys/kernel/{name}": value + "\n" for name, value in (names | {"arch": "aarch64"}).items()})
    ((_, labels),) = ne.ours([UnameCollector(tree.machine)]).values
    assert dict(labels) == {
        "sysname": "Linux", "release": "5.4.0", "version": "#1 SMP", "nodename": "far", "domainname": "(none)",
        "machine": "aarch64",
    }  # fmt: skip
