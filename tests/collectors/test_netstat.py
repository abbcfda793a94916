"""What the network protocols count, beside node_exporter's."""

from __future__ import annotations

from pathlib import Path

import pytest

import kernel_tree
import network_tree
import node_exporter as ne
from bongsu.collectors.netstat import NetstatCollector
from bongsu.model.errors import BadInput
from bongsu.sources.root import Machine


def _tree(tmp_path: Path) -> kernel_tree.Tree:
    tree = kernel_tree.Tree(tmp_path)
    tree.write({"proc/net/netstat": network_tree.NETSTAT, "proc/net/snmp": network_tree.SNMP})
    tree.write({"proc/net/snmp6": network_tree.SNMP6})
    return tree


@pytest.mark.parametrize("fields", [None, "", ".*", "^Tcp_MaxConn$", "Errors", "^nothing$"])
def test_equals_node_exporter(tmp_path: Path, fields: str | None) -> None:
    """The chosen fields of the three files, untyped; one may be -1."""
    tree = _tree(tmp_path)
    options = {} if fields is None else {"fields": fields}
    flags = [*tree.flags, *(f"--collector.netstat.fields={text}" for text in options.values())]
    mine = ne.ours([NetstatCollector(tree.machine, **options)])
    assert ne.differences(ne.scrape(["netstat"], flags), mine) == []
    assert bool(mine.values) is (fields != "^nothing$")


def test_a_kernel_without_ipv6(tmp_path: Path) -> None:
    """Its file is missing; the rest is there."""
    tree = _tree(tmp_path)
    (tmp_path / "proc/net/snmp6").unlink()
    mine = ne.ours([NetstatCollector(tree.machine)])
    assert ne.differences(ne.scrape(["netstat"], tree.flags), mine) == []
    assert mine.values


def test_names_that_move_are_followed(tmp_path: Path) -> None:
    """What was learned of a line of names is used for that very line only."""
    tree = _tree(tmp_path)
    collector = NetstatCollector(tree.machine)
    with ne.serving(["netstat"], tree.flags) as scrape:
        for text in (
            network_tree.NETSTAT,
            "TcpExt: ListenDrops SyncookiesSent\nTcpExt: 11 12\n",
            "IpExt: OutOctets InOctets\nIpExt: 5 6\nTcpExt: SyncookiesSent ListenDrops\nTcpExt: 1 2\n",
            network_tree.NETSTAT.replace("6286396970", "7"),
        ):
            tree.write({"proc/net/netstat": text})
            assert ne.differences(scrape(), ne.ours([collector])) == []


@pytest.mark.parametrize(
    "cut", ["TcpExt: A B\n", "TcpExt: A B\nTcpExt: 1\n", "TcpExt: A B\nIpExt: 1 2\n", "TcpExt: A\nTcpExt: x\n"]
)
def test_a_file_cut_short_is_refused(tmp_path: Path, cut: str) -> None:
    """Values are never given to the wrong names."""
    tree = _tree(tmp_path)
    tree.write({"proc/net/netstat": cut})
    with pytest.raises(ValueError):
        list(NetstatCollector(tree.machine, fields="").collect())


def test_the_live_machine() -> None:
    """All fields of this kernel, collected between two scrapes, lie between their two values."""
    with ne.serving(["netstat"], ["--collector.netstat.fields=.*"]) as scrape:
        collector = NetstatCollector(Machine.at(), fields=".*")
        collector.collect()
        before = scrape()
        mine = ne.ours([collector])
        after = scrape()
    assert before.values.keys() - mine.values.keys() == {
        key for key in before.values if not key[0].startswith("node_netstat_")
    }
    assert all(mine.types[name] == after.types[name] for name in mine.types)
    for key, value in mine.values.items():
        low, high = sorted((before.values[key], after.values[key]))
        assert low <= value <= high or "CurrEstab" in key[0], key
    assert len(mine.values) > 200


def test_an_expression_that_does_not_compile_names_its_option(tmp_path: Path) -> None:
    """The user reads which option holds the mistake."""
    with pytest.raises(BadInput, match=r"--collector\.netstat\.fields: "):
        NetstatCollector(_tree(tmp_path).machine, fields="[")
