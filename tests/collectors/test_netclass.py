"""What interfaces are, beside node_exporter's."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import kernel_tree
import network_tree
import node_exporter as ne
from bongsu.collectors.netclass import NetclassCollector
from bongsu.model.batch import Absence, Sample
from bongsu.model.errors import BadInput, NoData
from bongsu.sources import netlink
from bongsu.sources.root import Machine, Root
from bongsu.sources.sysfs.netclass import NetclassReader

HOUSE = Path(__file__).parent.parent.parent


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
    with ne.serving(["netclass"]) as scrape:
        for _ in range(2):
            assert ne.at_rest(lambda: ne.differences(scrape(), ne.ours([collector]))) == []


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


# Runs in a network namespace of its own; what is prepared there stands in PREPARE.
IN_A_NAMESPACE = """
import subprocess
import sys

sys.path[:0] = sys.argv[1:]
import node_exporter as ne
from bongsu.collectors.netclass import NetclassCollector
from bongsu.collectors.netdev import NetdevCollector
from bongsu.sources import netlink
from bongsu.sources.root import Machine

def ip(*lines):
    subprocess.run(["ip", "-batch", "-"], input="\\n".join(lines).encode(), check=True)

PREPARE
machine = Machine.at()
collectors = [NetdevCollector(machine), NetclassCollector(machine)]
with ne.serving(["netdev", "netclass"]) as scrape:
    for change in CHANGES:
        ip(*change)
        theirs = scrape()
        mine = ne.ours(collectors)
        problems = ne.differences(theirs, mine, only="node_network_(?!receive|transmit_[^q])")
        names = sorted(key for key in mine.values.keys() ^ theirs.values.keys() if key[0].startswith("node_network"))
        print(len({dict(key[1])["device"] for key in mine.values}), problems[:5], names[:5])
"""


def _in_a_namespace(prepare: str, changes: list[list[str]], *unshare: str) -> str:
    script = IN_A_NAMESPACE.replace("PREPARE", prepare).replace("CHANGES", repr(changes))
    done = subprocess.run(
        ["unshare", "--net", *unshare, sys.executable, "-c", script, str(HOUSE / "src"), str(HOUSE / "tests")],
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.needs_root
def test_many_real_interfaces_equal_node_exporters_through_changes() -> None:
    """300 interfaces, up and down, with and without a signal, renamed, moved and removed: names and values are equal."""
    prepare = """
subprocess.run(["mount", "-t", "sysfs", "sysfs", "/sys"], check=True)
ip("link set lo up", *(f"link add veth{i} type veth peer name peer{i}" for i in range(150)))
ip(*(f"link set veth{i} up" for i in range(100)), *(f"link set peer{i} up" for i in range(50)))
"""
    changes = [
        [],
        ['link set veth3 alias "uplink \\\\ 3"', "link set veth4 mtu 9000", "link set veth5 group 7"],
        ["link set veth6 down", "link set veth7 address 02:00:00:00:00:01", "link set veth8 txqueuelen 5"],
        ["link set veth120 name renamed", "link set veth9 promisc on", "link set veth10 mode dormant"],
        ["link del veth11", "link add veth11 type veth peer name peer11", "link set veth11 up"],
        [f"link del veth{i}" for i in range(20, 40)],
        ["link add bridge0 type bridge", "link set veth50 master bridge0", "link set bridge0 up"],
    ]
    answers = _in_a_namespace(prepare, changes, "--mount").splitlines()
    assert answers == [f"{count} [] []" for count in (301, 301, 301, 301, 301, 261, 262)]


@pytest.mark.needs_root
def test_the_sysfs_of_another_network_namespace_is_believed() -> None:
    """A host's sysfs seen from a container with the same names in it: what lies there is read, not what netlink says."""
    prepare = """
import os
ip("link set lo up")
there = {link.name for link in netlink.links()}
names = [name for name in os.listdir("/sys/class/net") if name not in there]
ip(*(f"link add {name} mtu 1234 type veth peer name peer{i}" for i, name in enumerate(names)))
"""
    answers = _in_a_namespace(prepare, [[], []]).splitlines()
    assert len(answers) == 2
    assert all(answer.endswith(" [] []") for answer in answers), answers


def test_netlink_and_the_files_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    """A sandbox without netlink sees the same."""
    over_netlink = ne.ours([NetclassCollector(Machine.at())])

    def refused() -> list[netlink.Link]:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(netlink, "links", refused)
    assert ne.differences(over_netlink, ne.ours([NetclassCollector(Machine.at())])) == []


def test_what_hardly_ever_changes_is_still_read_anew_in_turn() -> None:
    """A wrong memory of where a name came from heals within as many collections as there are interfaces."""
    reader = NetclassReader(Machine.at().sys, lambda _name: True)
    before = list(reader.read() or ())
    assert reader._known
    for known in reader._known.values():
        known.origins["dev_id"] = 99
    for _ in before:
        after = list(reader.read() or ())
    assert after == before
