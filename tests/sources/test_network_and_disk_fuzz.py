"""Parsers of interfaces, sockets, disks, RAID and NFS meet files that are cut short, foreign or binary."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import kernel_tree
import network_tree
from bongsu.collectors.arp import ArpCollector
from bongsu.collectors.bonding import BondingCollector
from bongsu.collectors.diskstats import DiskstatsCollector
from bongsu.collectors.mdadm import MdadmCollector
from bongsu.collectors.netclass import NetclassCollector
from bongsu.collectors.netdev import NetdevCollector
from bongsu.collectors.netstat import NetstatCollector
from bongsu.collectors.nfs import NfsCollector
from bongsu.collectors.nfsd import NfsdCollector
from bongsu.collectors.sockstat import SockstatCollector
from bongsu.collectors.tcpstat import TcpstatCollector
from bongsu.collectors.udp_queues import UdpQueuesCollector
from bongsu.model.batch import Absence, Sample
from bongsu.model.contract import Collector
from bongsu.model.errors import NoData
from bongsu.sources.root import Machine

NET = "sys/class/net"
ARP = network_tree.ARP_HEADER + "10.0.0.1 0x1 0x2 cc:aa:dd:ee:aa:bb * eth0\n"
MDSTAT = (
    "Personalities : [raid1]\nmd8 : active raid1 sdb1[1] sda1[0](F)\n      195310144 blocks [2/2] [UU]\n"
    "      [=>...] resync =  8.5% (16775552/195310144) finish=17.0min speed=259783K/sec\n\nunused devices: <none>\n"
)
PROCEDURES = "".join(f"{name} {n} " + "7 " * n + "\n" for name, n in (("proc2", 18), ("proc3", 22)))
SOCKETS = network_tree.sockets([(1, 0, 5), (10, 3, 0)])
UDEV = "root/run/udev/data/b8:0"

# For each collector, how to make it and a file of each kind that it reads, as the kernel may write it.
CASES: dict[str, tuple[Callable[[Machine], Collector], dict[str, str]]] = {
    "arp": (ArpCollector, {"proc/net/arp": ARP}),
    "bonding": (
        BondingCollector,
        {
            f"{NET}/bonding_masters": "b0\n", f"{NET}/b0/bonding/slaves": "e0\n",
            f"{NET}/b0/lower_e0/bonding_slave/mii_status": "up\n",
        },
    ),
    "diskstats": (
        DiskstatsCollector,
        {
            "proc/diskstats": "  8  0 sda " + "5 " * 17 + "\n  8 16 sdb " + "6 " * 11 + "\n",
            UDEV: "E:ID_ATA=1\nE:ID_ATA_WRITE_CACHE=1\nE:DM_NAME=x\n",
        },
    ),
    "mdadm": (MdadmCollector, {"proc/mdstat": MDSTAT}),
    "netclass": (
        NetclassCollector, {f"{NET}/eth0/{name}": f"{text}\n" for name, text in network_tree.INTERFACE.items()},
    ),
    "netdev": (NetdevCollector, {"proc/net/dev": network_tree.net_dev(["eth0", "eth1"]).decode()}),
    "netstat": (
        lambda machine: NetstatCollector(machine, fields=""),
        {
            "proc/net/netstat": network_tree.NETSTAT, "proc/net/snmp": network_tree.SNMP,
            "proc/net/snmp6": network_tree.SNMP6,
        },
    ),
    "nfs": (NfsCollector, {"proc/net/rpc/nfs": "net 1 2 3 4\nrpc 1 2 3\n" + PROCEDURES}),
    "nfsd": (NfsdCollector, {"proc/net/rpc/nfsd": "rc 1 2 3\nth 8 0 0.1\nfh 1 2 3 4 5\n" + PROCEDURES}),
    "sockstat": (
        SockstatCollector,
        {"proc/net/sockstat": network_tree.SOCKSTAT, "proc/net/sockstat6": network_tree.SOCKSTAT6},
    ),
    "tcpstat": (TcpstatCollector, {"proc/net/tcp": SOCKETS, "proc/net/tcp6": SOCKETS}),
    "udp_queues": (UdpQueuesCollector, {"proc/net/udp": SOCKETS, "proc/net/udp6": SOCKETS}),
}  # fmt: skip

HOSTILE = st.one_of(
    st.binary(max_size=200),
    st.text("0123456789abcxyz \t\n:-+_.,=()[]/|\"'\\#\x00{}", max_size=200).map(str.encode),
    st.sampled_from(
        [b"", b"\n", b"9" * 5000, b"-1", b"nan", b"1e999", b"0x", b" " * 5000, b"\xff\xfe\n" * 9, b"md1 : "]
    ),
)


@pytest.mark.parametrize("name", CASES)
@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(data=st.data())
def test_whatever_a_file_holds_only_expected_errors_come_out(tmp_path: Path, name: str, data: st.DataObject) -> None:
    """ValueError or OSError, or samples with finite numbers and labels that are text; nothing else."""
    make, files = CASES[name]
    tree = kernel_tree.Tree(tmp_path)
    tree.write(files)
    victim = data.draw(st.sampled_from(sorted(files)))
    good = files[victim].encode()
    collector = make(tree.machine)
    list(collector.collect())  # what it has learned of the good file must not mislead it
    at, until = sorted((data.draw(st.integers(0, len(good))), data.draw(st.integers(0, len(good)))))
    hostile = data.draw(HOSTILE)
    tree.write(
        {victim: data.draw(st.sampled_from([good[:at], good[at:], good[:at] + hostile + good[until:], hostile]))}
    )
    for asked in (collector, make(tree.machine)):
        with contextlib.suppress(OSError, ValueError, NoData):
            for item in asked.collect():
                assert isinstance(item, Sample | Absence)
                assert len(item.labels) == len(item.spec.labels)
                assert all(isinstance(label, str) for label in item.labels)
                if isinstance(item, Sample):
                    assert math.isfinite(float(item.value))
                else:
                    assert str(item.reason)


@pytest.mark.parametrize("name", CASES)
def test_the_good_file_is_read(tmp_path: Path, name: str) -> None:
    """The files that the fuzzing starts from are good ones: each gives samples."""
    make, files = CASES[name]
    tree = kernel_tree.Tree(tmp_path)
    tree.write(files)
    assert list(make(tree.machine).collect())
