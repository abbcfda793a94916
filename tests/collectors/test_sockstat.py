"""Sockets in use, beside node_exporter's."""

from __future__ import annotations

import socket
import time
from pathlib import Path

import pytest

import kernel_tree
import network_tree
import node_exporter as ne
from bongsu.collectors.sockstat import SockstatCollector
from bongsu.model.errors import NoData
from bongsu.sources.root import Machine

BOTH = {"proc/net/sockstat": network_tree.SOCKSTAT, "proc/net/sockstat6": network_tree.SOCKSTAT6}


@pytest.mark.parametrize("files", [BOTH, dict([*BOTH.items()][:1]), dict([*BOTH.items()][1:])], ids=["both", "4", "6"])
def test_equals_node_exporter(tmp_path: Path, files: dict[str, str]) -> None:
    """Counts, and memory in pages and bytes, of what the kernel has of IPv4 and IPv6."""
    tree = kernel_tree.Tree(tmp_path)
    tree.write(files)
    mine = ne.ours([SockstatCollector(tree.machine)])
    assert ne.differences(ne.scrape(["sockstat"], tree.flags), mine) == []
    assert len(mine.values) == sum({"proc/net/sockstat": 14, "proc/net/sockstat6": 6}[name] for name in files)


def test_no_sockets_at_all_is_no_data(tmp_path: Path) -> None:
    """A tree without either file says so in words."""
    with pytest.raises(NoData, match="neither IPv4 nor IPv6"):
        list(SockstatCollector(kernel_tree.Tree(tmp_path).machine).collect())


def test_sockets_opened_here_are_counted() -> None:
    """200 UDP sockets more are 200 more in use, give or take what others do meanwhile; who does much is waited for."""
    collector = SockstatCollector(Machine.at())
    key = ("node_sockstat_UDP_inuse", ())
    until = time.monotonic() + 90
    with ne.serving(["sockstat"]) as scrape:
        while True:
            before = ne.ours([collector]).values[key]
            opened = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(200)]
            try:
                for one in opened:
                    one.bind(("127.0.0.1", 0))
                mine, theirs = ne.ours([collector]), scrape()
            finally:
                for one in opened:
                    one.close()
            assert mine.values.keys() == {key for key in theirs.values if key[0].startswith("node_sockstat_")}
            more, other = mine.values[key] - before, theirs.values[key]
            if (abs(more - 200) <= 20 and abs(mine.values[key] - other) <= 20) or time.monotonic() > until:
                break
            time.sleep(0.1)
    assert more == pytest.approx(200, abs=20)
    assert mine.values[key] == pytest.approx(other, abs=20)
