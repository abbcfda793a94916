"""What interfaces send and receive, beside node_exporter's."""

from __future__ import annotations

import os
import re
import socket
from pathlib import Path

import pytest

import kernel_tree
import network_tree
import node_exporter as ne
from bongsu.collectors.netdev import NetdevCollector
from bongsu.model.batch import Absence, Sample
from bongsu.model.errors import BadInput
from bongsu.sources.root import Machine

FROM_PROC = "--no-collector.netdev.netlink"


def _tree(tmp_path: Path, *names: str) -> kernel_tree.Tree:
    tree = kernel_tree.Tree(tmp_path)
    tree.write({"proc/net/dev": network_tree.net_dev(names)})
    return tree


@pytest.mark.parametrize("detailed", [False, True])
def test_equals_node_exporter_on_a_captured_tree(tmp_path: Path, detailed: bool) -> None:
    """All 16 columns, also of interfaces with odd names, under the short and under the detailed names."""
    tree = _tree(tmp_path, "lo", "eth0", *network_tree.ODD_NAMES)
    flags = [*tree.flags, FROM_PROC] + ["--collector.netdev.enable-detailed-metrics"] * detailed
    mine = ne.ours([NetdevCollector(tree.machine, enable_detailed_metrics=detailed)])
    assert ne.differences(ne.scrape(["netdev"], flags), mine) == []
    assert len(mine.values) == 16 * (2 + len(network_tree.ODD_NAMES))


@pytest.mark.parametrize(
    "options",
    [{"device_include": "^e"}, {"device_exclude": "^(eth|lo)"}, {"device_exclude": ""}, {"device_include": "lo|eth1"}],
    ids=str,
)
def test_the_filters_choose_as_node_exporters(tmp_path: Path, options: dict[str, str]) -> None:
    """Include and exclude are searched; naming what to include sets the default exclusion aside."""
    tree = _tree(tmp_path, "lo", "eth0", "eth10", "wlan0", "beth")
    flags = [f"--collector.netdev.{name.replace('_', '-')}={value}" for name, value in options.items()]
    if "device_include" in options:
        flags.append("--collector.netdev.device-exclude=")  # Debian's build refuses both, though one is its own default
    mine = ne.ours([NetdevCollector(tree.machine, **options)])  # type: ignore[arg-type]  # only text options here
    assert ne.differences(ne.scrape(["netdev"], [*tree.flags, FROM_PROC, *flags]), mine) == []
    assert mine.values


def test_ten_thousand_interfaces(tmp_path: Path) -> None:
    """A container host's interfaces are all there, each with its own numbers."""
    tree = _tree(tmp_path, *(f"veth{number:x}" for number in range(10_000)))
    mine = ne.ours([NetdevCollector(tree.machine)])
    assert ne.differences(ne.scrape(["netdev"], [*tree.flags, FROM_PROC]), mine) == []
    assert len(mine.values) == 160_000


def test_a_name_that_is_not_utf8_survives(tmp_path: Path) -> None:
    """The kernel takes any bytes for a name; node_exporter gives up the whole scrape for one."""
    tree = kernel_tree.Tree(tmp_path)
    tree.write({"proc/net/dev": network_tree.net_dev([b"a\xff\xfe", b"eth0"])})
    devices = {item.labels[0] for item in NetdevCollector(tree.machine).collect() if isinstance(item, Sample)}
    assert devices == {"a\udcff\udcfe", "eth0"}
    assert ("node_network_receive_bytes_total", (("device", "a\ufffd\ufffd"),)) in ne.ours(
        [NetdevCollector(tree.machine)]
    ).values


@pytest.mark.parametrize("detailed", [False, True])
def test_equals_node_exporter_on_this_machine(detailed: bool) -> None:
    """Over netlink the same names, nohandler included; values within 1 % as traffic goes on meanwhile."""
    flags = ["--collector.netdev.enable-detailed-metrics"] * detailed
    options = {"device_exclude": "", "address_info": True, "enable_detailed_metrics": detailed}
    with ne.serving(
        ["netdev"], ["--collector.netdev.device-exclude=", "--collector.netdev.address-info", *flags]
    ) as ask:
        collector = NetdevCollector(Machine.at(), **options)  # type: ignore[arg-type]  # options by name, as above

        def differences() -> list[str]:
            return ne.differences(ask(), ne.ours([collector]), tolerance=0.01, only=r"(?!.*packets|.*bytes)")

        ask()
        assert ne.at_rest(differences) == []
        theirs, mine = ask(), ne.ours([collector])
    names = {key for key in theirs.values if re.match("node_network_.*(packets|bytes)", key[0])}
    assert names == {key for key in mine.values if re.match("node_network_.*(packets|bytes)", key[0])}
    assert any(key[0] == "node_network_receive_nohandler_total" for key in mine.values)
    loopback = {"device": "lo", "address": "127.0.0.1", "netmask": "8", "scope": "link-local"}
    assert ("node_network_address_info", tuple(sorted(loopback.items()))) in mine.values


def test_netlink_and_proc_agree() -> None:
    """What /proc/net/dev adds up, we add up in the same way."""
    machine = Machine.at()
    proc, netlink = NetdevCollector(machine, netlink=False), NetdevCollector(machine)
    extra = "node_network_receive_nohandler_total"
    assert ne.at_rest(lambda: ne.differences(ne.ours([proc]), ne.ours([netlink]), tolerance=0.05, extra=extra)) == []
    from_proc, from_netlink = ne.ours([proc]), ne.ours([netlink])
    missing = from_netlink.values.keys() - from_proc.values.keys()
    assert {key[0] for key in missing} <= {"node_network_receive_nohandler_total"}
    assert from_proc.values.keys() <= from_netlink.values.keys()


def test_without_netlink_the_rest_is_read_and_what_lacks_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """A sandbox may forbid AF_NETLINK: /proc/net/dev answers, nohandler is absent rather than 0."""

    def refused(*_: object) -> socket.socket:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(socket, "socket", refused)
    items = list(NetdevCollector(Machine.at(), device_exclude="").collect())
    absent = [item for item in items if isinstance(item, Absence)]
    assert {item.spec.name for item in absent} == {"node_network_receive_nohandler_total"}
    assert {item.labels[0] for item in absent} == set(os.listdir("/sys/class/net")) - {"bonding_masters"}
    present = {item.spec.name for item in items if isinstance(item, Sample)}
    assert "node_network_receive_bytes_total" in present
    assert "node_network_receive_nohandler_total" not in present


def test_a_filter_that_does_not_compile_names_its_option(tmp_path: Path) -> None:
    """The user reads which option holds the mistake."""
    with pytest.raises(BadInput, match=r"--collector\.netdev\.device-include: "):
        NetdevCollector(_tree(tmp_path).machine, device_include="(")
