"""Bytes in the queues of UDP sockets, beside node_exporter's."""

from __future__ import annotations

import socket
import time
from pathlib import Path

import pytest

import kernel_tree
import network_tree
import node_exporter as ne
from bongsu.collectors.udp_queues import UdpQueuesCollector
from bongsu.model.errors import NoData
from bongsu.sources.root import Machine

ROWS = [(7, 0, 0), (1, 21, 0x1000), (7, 0, 0xFFFFFFFF)]


@pytest.mark.parametrize("six", [True, False])
def test_equals_node_exporter(tmp_path: Path, six: bool) -> None:
    """Sums over all sockets; a kernel may lack IPv6."""
    tree = kernel_tree.Tree(tmp_path)
    tree.write({"proc/net/udp": network_tree.sockets(ROWS)})
    if six:
        tree.write({"proc/net/udp6": network_tree.sockets(ROWS[1:], six=True)})
    mine = ne.ours([UdpQueuesCollector(tree.machine)])
    assert ne.differences(ne.scrape(["udp_queues"], tree.flags), mine) == []
    assert len(mine.values) == (4 if six else 2)


def test_a_queue_that_nobody_reads_grows() -> None:
    """300 sockets (more than a page of the file) hold datagrams; node_exporter sees the same bytes."""
    collector = UdpQueuesCollector(Machine.at())
    key = ("node_udp_queues", (("ip", "v4"), ("queue", "rx")))
    opened = []
    until = time.monotonic() + 90
    with ne.serving(["udp_queues"]) as scrape:
        while True:  # what others read or send meanwhile is waited for
            before = ne.ours([collector]).values[key]
            try:
                opened = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(300)]
                for one in opened:
                    one.bind(("127.0.0.1", 0))
                    opened[0].sendto(b"x" * 1000, one.getsockname())
                mine, theirs = ne.ours([collector]), scrape()
            finally:
                for one in opened:
                    one.close()
            grown, differences = mine.values[key] - before, ne.differences(theirs, mine, tolerance=0.01)
            if (grown >= 300 * 1000 and not differences) or time.monotonic() > until:
                break
            time.sleep(0.1)
    assert grown >= 300 * 1000
    assert differences == []


def test_no_sockets_at_all_is_no_data(tmp_path: Path) -> None:
    """A tree without either file says so in words."""
    with pytest.raises(NoData, match="neither IPv4 nor IPv6"):
        list(UdpQueuesCollector(kernel_tree.Tree(tmp_path).machine).collect())
