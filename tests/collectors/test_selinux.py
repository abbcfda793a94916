"""SELinux's state. node_exporter 1.5 asks the running kernel whatever tree it is given, so trees stand alone here."""

from __future__ import annotations

from pathlib import Path

import pytest

import kernel_tree
import node_exporter as ne
from bongsu.collectors.selinux import SelinuxCollector
from bongsu.sources.root import Machine


def test_equals_node_exporter_on_this_machine() -> None:
    """Whether it is on, and if so the modes."""
    mine = ne.ours([SelinuxCollector(Machine.at())])
    assert ne.differences(ne.scrape(["selinux"]), mine) == []


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({}, {"enabled": 0}),
        ({"sys/fs/selinux/enforce": "0", "proc/self/attr/current": "kernel\0"}, {"enabled": 0}),
        ({"sys/fs/selinux/enforce": "0"}, {"enabled": 1, "config_mode": -1, "current_mode": 0}),
        (
            {"sys/fs/selinux/enforce": "1", "root/etc/selinux/config": "# c\nSELINUX=enforcing\nSELINUXTYPE=targeted\n"},
            {"enabled": 1, "config_mode": 1, "current_mode": 1},
        ),
        (
            {
                "sys/fs/selinux/enforce": "1", "root/etc/selinux/config": 'SELINUX = "Permissive"\n',
                "proc/self/attr/current": "unconfined_u:unconfined_r:unconfined_t:s0\0",
            },
            {"enabled": 1, "config_mode": 0, "current_mode": 1},
        ),
    ],
)  # fmt: skip
def test_modes(tmp_path: Path, files: dict[str, str], expected: dict[str, int]) -> None:
    """Without a loaded policy it is off; the modes are given only where it is on."""
    tree = kernel_tree.Tree(tmp_path)
    tree.write(files)
    values = ne.ours([SelinuxCollector(tree.machine)]).values
    assert {name.removeprefix("node_selinux_"): value for (name, _), value in values.items()} == expected
