"""ARP entries, beside node_exporter's."""

from __future__ import annotations

from pathlib import Path

import pytest

import kernel_tree
import network_tree
import node_exporter as ne
from bongsu.collectors.arp import ArpCollector
from bongsu.model.errors import NoData
from bongsu.sources.root import Machine


def _tree(tmp_path: Path, entries: int = 5) -> kernel_tree.Tree:
    tree = kernel_tree.Tree(tmp_path)
    names = ["eth0", "eth1", "docker0", 'q"\\', "네트워크"]
    lines = [
        f"10.0.{n >> 8}.{n & 255:<9} 0x1         0x{2 * (n % 2)}         cc:aa:dd:ee:{n >> 8:02x}:{n & 255:02x}     *        "
        f"{names[n % len(names)]}\n"
        for n in range(entries)
    ]
    lines.append("10.9.9.9     0x20  0x2  80:00:02:08:fe:80:00:00:00:00:00:00:00:11:22:33:44:55:66:77 * ib0\n")
    tree.write({"proc/net/arp": network_tree.ARP_HEADER + "".join(lines)})
    return tree


@pytest.mark.parametrize("entries", [0, 5, 5000])
def test_equals_node_exporter(tmp_path: Path, entries: int) -> None:
    """Entries by interface, complete or not, of Ethernet and InfiniBand."""
    tree = _tree(tmp_path, entries)
    mine = ne.ours([ArpCollector(tree.machine)])
    assert ne.differences(ne.scrape(["arp"], tree.flags), mine) == []
    assert len(mine.values) == 1 + min(entries, 5)


@pytest.mark.parametrize("options", [{"device_include": "^eth"}, {"device_exclude": "^eth"}], ids=str)
def test_the_filters_choose_as_node_exporters(tmp_path: Path, options: dict[str, str]) -> None:
    """Include and exclude are searched."""
    tree = _tree(tmp_path)
    flags = [f"--collector.arp.{name.replace('_', '-')}={value}" for name, value in options.items()]
    mine = ne.ours([ArpCollector(tree.machine, **options)])
    assert ne.differences(ne.scrape(["arp"], [*tree.flags, *flags]), mine) == []
    assert mine.values


def test_equals_node_exporter_on_this_machine() -> None:
    """The same interfaces with the same counts."""
    with ne.serving(["arp"]) as scrape:
        assert ne.at_rest(lambda: ne.differences(scrape(), ne.ours([ArpCollector(Machine.at())]))) == []


def test_a_kernel_without_ipv4_is_no_data(tmp_path: Path) -> None:
    """A tree without the file says so in words."""
    with pytest.raises(NoData, match="no IPv4"):
        list(ArpCollector(kernel_tree.Tree(tmp_path).machine).collect())
