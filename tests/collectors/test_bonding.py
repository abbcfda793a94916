"""Bonded interfaces, beside node_exporter's."""

from __future__ import annotations

from pathlib import Path

import pytest

import kernel_tree
import node_exporter as ne
from bongsu.collectors.bonding import BondingCollector
from bongsu.model.batch import Absence, Sample, Why
from bongsu.model.errors import NoData

NET = "sys/class/net"


def _tree(tmp_path: Path, bonds: dict[str, dict[str, str]], prefix: str = "lower_") -> kernel_tree.Tree:
    tree = kernel_tree.Tree(tmp_path)
    tree.write({f"{NET}/bonding_masters": " ".join(bonds) + "\n"})
    for bond, members in bonds.items():
        tree.write({f"{NET}/{bond}/bonding/slaves": " ".join(members) + "\n"})
        tree.write(
            {f"{NET}/{bond}/{prefix}{name}/bonding_slave/mii_status": f"{state}\n" for name, state in members.items()}
        )
    return tree


@pytest.mark.parametrize("prefix", ["lower_", "slave_"])
@pytest.mark.parametrize(
    "bonds",
    [
        {},
        {"bond0": {}},
        {"bond0": {"eth0": "up", "eth1": "up"}},
        {"bond0": {"eth0": "down", "eth1": "down"}, "bond1": {"eth4": "up", "eth5": "going down", "eth6": "down"}},
        {'b"o\\nd': {'e"0': "up", "네트": "up"}},
    ],
    ids=str,
)
def test_equals_node_exporter(tmp_path: Path, bonds: dict[str, dict[str, str]], prefix: str) -> None:
    """Members and those whose link is up, of none, one and two bonds, on old and new kernels."""
    tree = _tree(tmp_path, bonds, prefix)
    mine = ne.ours([BondingCollector(tree.machine)])
    assert ne.differences(ne.scrape(["bonding"], tree.flags), mine) == []
    assert len(mine.values) == 2 * len(bonds)


def test_a_bond_that_goes_away_is_absent_and_the_other_is_there(tmp_path: Path) -> None:
    """It is listed but its files are gone: an absence, no zero; node_exporter loses both."""
    tree = _tree(tmp_path, {"bond0": {"eth0": "up"}, "bond1": {"eth1": "up"}})
    (tmp_path / NET / "bond0/bonding/slaves").unlink()
    items = list(BondingCollector(tree.machine).collect())
    assert {(item.labels, item.why) for item in items if isinstance(item, Absence)} == {(("bond0",), Why.LOST)}
    assert {item.labels for item in items if isinstance(item, Sample)} == {("bond1",)}


def test_no_bonds_is_no_data(tmp_path: Path) -> None:
    """Without the driver there is nothing to read, and that is said."""
    with pytest.raises(NoData, match="bonding driver"):
        list(BondingCollector(kernel_tree.Tree(tmp_path).machine).collect())
