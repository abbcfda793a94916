"""What interfaces are, beside node_exporter's."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import kernel_tree
import network_tree
import node_exporter as ne
from bongsu.collectors.netclass import NetclassCollector
from bongsu.model.batch import Absence, Sample
from bongsu.model.errors import BadInput, NoData
from bongsu.sources.root import Machine, Root


def _tree(tmp_path: Path) -> kernel_tree.Tree:
    """Interfaces that are up, down, without a speed, in the middle of nothing; and the list of bonds beside them."""
    tree = kernel_tree.Tree(tmp_path)
    up = network_tree.INTERFACE
    network_tree.interface(tree, "eth0")
    network_tree.interface(tree, "eth1", up | {"operstate": "down", "carrier": "0", "speed": "-1", "duplex": "unknown"})
    network_tree.interface(
        tree, "eth2", {k: v for k, v in up.items() if k not in {"speed", "duplex", "carrier", "ifalias"}}
    )
    network_tree.interface(tree, "dummy0", up | {"operstate": "unknown", "flags": "0x83", "ifalias": ""})
    network_tree.interface(tree, "x", up | {"ifalias": 'uplink "3" 네트워크 \\n', "dev_id": "0xffff"})
    for name in network_tree.ODD_NAMES:
        network_tree.interface(tree, name)
    tree.write({"sys/class/net/bonding_masters": "bond0\n"})
    return tree


@pytest.mark.parametrize(
    "options", [{}, {"ignored_devices": "^(eth|x)"}, {"ignored_devices": ""}, {"ignore_invalid_speed": True}], ids=str
)
def test_equals_node_exporter_on_a_captured_tree(tmp_path: Path, options: dict[str, object]) -> None:
    """Each file of each interface, speeds in bytes, unknown speeds as the option says, odd names unharmed."""
    tree = _tree(tmp_path)
    flags = list(tree.flags)
    for name, value in options.items():
        flag = f"--collector.netclass.{name.replace('_', '-')}"
        flags.append(flag if value is True else f"{flag}={value or '^$'}")  # there, nothing matches everything
    mine = ne.ours([NetclassCollector(tree.machine, **options)])  # type: ignore[arg-type]  # as the parameters give them
    assert ne.differences(ne.scrape(["netclass"], flags), mine) == []
    assert len(mine.values) > 100


def test_ten_thousand_interfaces(tmp_path: Path) -> None:
    """All of them, each with its own numbers."""
    tree = kernel_tree.Tree(tmp_path)
    network_tree.many_interfaces(tmp_path, (f"veth{number:x}" for number in range(10_000)))
    mine = ne.ours([NetclassCollector(tree.machine)])
    assert ne.differences(ne.scrape(["netclass"], tree.flags), mine) == []
    assert len(mine.values) == 50_000


def test_equals_node_exporter_on_this_machine() -> None:
    """The same names and values, collected twice: from new descriptors and from kept ones."""
    collector = NetclassCollector(Machine.at())
    theirs = ne.scrape(["netclass"])
    for _ in range(2):
        assert ne.differences(theirs, ne.ours([collector])) == []


def test_changes_are_seen(tmp_path: Path) -> None:
    """What is remembered of an interface is never the value: state, alias and speed are read each time."""
    tree = kernel_tree.Tree(tmp_path)
    collector = NetclassCollector(tree.machine)
    with ne.serving(["netclass"], tree.flags) as scrape:
        for change in ({}, {"operstate": "down", "speed": "-1"}, {"ifalias": "new"}, {"ifindex": "9", "mtu": "1500"}):
            network_tree.interface(tree, "eth0", network_tree.INTERFACE | change)
            assert ne.differences(scrape(), ne.ours([collector])) == []


def test_an_interface_made_anew_may_have_other_files(tmp_path: Path) -> None:
    """Its number tells that it is another one under the old name."""
    tree = kernel_tree.Tree(tmp_path)
    collector = NetclassCollector(tree.machine)
    network_tree.interface(tree, "eth0", {"ifindex": "3", "operstate": "up"})
    before = ne.ours([collector]).values
    shutil.rmtree(tmp_path / "sys/devices/virtual/net/eth0")
    network_tree.interface(tree, "eth0", network_tree.INTERFACE | {"ifindex": "4"})
    after = ne.ours([collector])
    assert len(after.values) > len(before)
    assert ne.differences(ne.scrape(["netclass"], tree.flags), after) == []


def test_an_interface_that_vanishes_gives_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between listing and reading eth1 goes away: no sample, no zero, no error, and the others are complete."""
    tree = _tree(tmp_path)
    collector = NetclassCollector(tree.machine)
    whole = ne.ours([collector]).values
    reading = Root.read

    def vanish(self: Root, path: str) -> bytes:
        if path == "class/net/eth1/operstate":
            shutil.rmtree(tmp_path / "sys/devices/virtual/net/eth1", ignore_errors=True)
        return reading(self, path)

    monkeypatch.setattr(Root, "read", vanish)
    items = list(collector.collect())
    assert not [item for item in items if isinstance(item, Absence)]
    assert "eth1" not in {item.labels[0] for item in items if isinstance(item, Sample)}
    assert len(items) == len([key for key in whole if dict(key[1])["device"] != "eth1"])
    assert len(list(collector.collect())) == len(items)


def test_what_is_not_there_is_not_zero(tmp_path: Path) -> None:
    """An interface that does not tell its state is neither up nor down (node_exporter says 0)."""
    tree = kernel_tree.Tree(tmp_path)
    network_tree.interface(tree, "eth0", {"mtu": "1500"})
    assert ne.ours([NetclassCollector(tree.machine)]).values == {
        ("node_network_mtu_bytes", (("device", "eth0"),)): 1500
    }


@pytest.mark.parametrize("text", ["", "not a number", "-", "0x", "9" * 4000, "1 2"])
def test_what_is_not_a_number_is_not_zero(tmp_path: Path, text: str) -> None:
    """A file that holds none gives no sample (node_exporter says 0)."""
    tree = kernel_tree.Tree(tmp_path)
    network_tree.interface(tree, "eth0", network_tree.INTERFACE | {"mtu": text, "speed": text})
    assert "node_network_mtu_bytes" not in ne.ours([NetclassCollector(tree.machine)]).types
    assert "node_network_speed_bytes" not in ne.ours([NetclassCollector(tree.machine)]).types


def test_no_network_is_no_data(tmp_path: Path) -> None:
    """A tree without the directory says so in words."""
    with pytest.raises(NoData, match="/sys/class/net"):
        list(NetclassCollector(kernel_tree.Tree(tmp_path).machine).collect())


def test_an_expression_that_does_not_compile_names_its_option(tmp_path: Path) -> None:
    """The user reads which option holds the mistake."""
    with pytest.raises(BadInput, match=r"--collector\.netclass\.ignored-devices: "):
        NetclassCollector(kernel_tree.Tree(tmp_path).machine, ignored_devices="(")
