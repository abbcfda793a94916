"""TCP connections by state, beside node_exporter's, psutil's and our own count."""

from __future__ import annotations

import socket
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

import kernel_tree
import network_tree
import node_exporter as ne
from bongsu.collectors.tcpstat import TcpstatCollector
from bongsu.sources import netlink
from bongsu.sources.procfs import sockets
from bongsu.sources.root import Machine, Root

CONNECTIONS = 300


@pytest.fixture
def connections() -> Iterator[int]:
    """300 connections of IPv4 and 50 of IPv6 on loopback, and a port that only they use."""
    with ExitStack() as opened:
        ports = []
        for family, address, count in ((socket.AF_INET, "127.0.0.1", CONNECTIONS), (socket.AF_INET6, "::1", 50)):
            listener = opened.enter_context(socket.create_server((address, 0), family=family, backlog=count))
            ports.append(listener.getsockname()[1])
            for _ in range(count):
                opened.enter_context(socket.create_connection(listener.getsockname()[:2]))
                opened.enter_context(listener.accept()[0])
        yield ports[0]


def _states(root: Root) -> Counter[str]:
    """What the kernel's file says, counted line by line in the plainest way."""
    found: Counter[str] = Counter()
    for name in ("tcp", "tcp6"):
        with open(root.join(f"net/{name}")) as lines:
            next(lines)
            found.update(sockets.TCP_STATES[int(line.split()[3], 16)] for line in lines)
    return found


def test_a_file_of_many_pages_is_read_to_its_end(connections: int, tmp_path: Path) -> None:
    """/proc/net/tcp gives a page at each read: all 601 sockets of the test are found, and each line is counted."""
    root = Root("/proc")
    port = b":%04X " % connections
    # The kernel may pass over a line, or tell it twice, where others close a socket between two pages.
    assert ne.at_rest(lambda: root.read("net/tcp").count(port) - (2 * CONNECTIONS + 1)) == 0
    text = root.read("net/tcp")
    assert len(text) > 16 * 4096
    assert sockets.read(root, "net/tcp").states[1] >= 2 * CONNECTIONS
    (tmp_path / "net").mkdir()
    (tmp_path / "net/tcp").write_bytes(text)  # others on this machine come and go, so the lines are held still
    assert sum(sockets.read(Root(str(tmp_path)), "net/tcp").states.values()) == text.count(b"\n") - 1


def test_states_equal_node_exporters_and_those_of_psutil(connections: int) -> None:
    """Established and listening sockets, over netlink and from the files; others come and go, within 20."""
    import psutil

    machine = Machine.at()
    passing = {
        "time_wait",
        "syn_sent",
        "syn_recv",
        "fin_wait1",
        "fin_wait2",
        "last_ack",
        "closing",
        "close",
        "close_wait",
    }

    def differences(scrape: Callable[[], ne.Exposed], collector: TcpstatCollector) -> list[tuple[str, ...]]:
        theirs = {
            dict(key[1])["state"]: n for key, n in scrape().values.items() if key[0] == "node_tcp_connection_states"
        }
        mine = ne.ours([collector])
        assert set(mine.types.items()) == {("node_tcp_connection_states", "gauge")}
        states = {key[1][0][1]: value for key, value in mine.values.items()}
        listed = Counter(connection.status for connection in psutil.net_connections("tcp"))
        plain = _states(machine.proc)
        assert states["established"] >= 2 * (CONNECTIONS + 50)
        found: list[tuple[str, ...]] = [(state,) for state in states.keys() - passing - theirs.keys()]
        for state, others in (("established", "ESTABLISHED"), ("listen", "LISTEN")):
            counted = states[state]
            compared = (theirs[state], listed[others], plain[state])
            found += [(state, str(counted), str(other)) for other in compared if abs(counted - other) > 20]
        return found

    with ne.serving(["tcpstat"]) as scrape:
        for collector in (TcpstatCollector(machine), _from_files(machine)):
            assert ne.at_rest(lambda: differences(scrape, collector)) == []  # noqa: B023  it is called at once


def _from_files(machine: Machine) -> TcpstatCollector:
    """As where netlink is not allowed."""
    collector = TcpstatCollector(machine)
    setattr(collector, "_ask", lambda _family: None)  # noqa: B010  mypy knows the method
    return collector


def test_bytes_in_queues_are_counted_and_a_listeners_backlog_is_not(connections: int) -> None:
    """Bytes sent and not read show up as received ones; connections that wait to be accepted do not."""
    machine = Machine.at()
    with socket.create_server(("127.0.0.1", 0), backlog=100) as listener:
        waiting = [socket.create_connection(listener.getsockname()) for _ in range(100)]
        # What others have in their queues meanwhile is gone in some look.
        assert ne.at_rest(lambda: [name for name, one in _two(machine).items() if _queued(one) >= 20_000]) == []
        for one in waiting:
            one.sendall(b"x" * 1000)
        assert (
            ne.at_rest(lambda: [n for n, one in _two(machine).items() if not 80_000 <= _queued(one) <= 140_000]) == []
        )
        for one in waiting:
            one.close()


def _two(machine: Machine) -> dict[str, TcpstatCollector]:
    return {"netlink": TcpstatCollector(machine), "files": _from_files(machine)}


def _queued(collector: TcpstatCollector) -> float:
    return ne.ours([collector]).values["node_tcp_connection_states", (("state", "rx_queued_bytes"),)]


def test_a_captured_tree(tmp_path: Path) -> None:
    """States of both files are added up; a state that the kernel has newly is unknown; IPv6 may be missing."""
    tree = kernel_tree.Tree(tmp_path)
    rows = [(1, 21, 1), (1, 0, 0), (10, 5, 99), (6, 0, 0), (8, 0, 7), (99, 0, 0)]
    tree.write({"proc/net/tcp": network_tree.sockets(rows)})
    expected = {
        "established": 2, "listen": 1, "time_wait": 1, "close_wait": 1, "unknown": 1, "rx_queued_bytes": 8,
        "tx_queued_bytes": 21,
    }  # fmt: skip
    assert _by_state(tree) == expected
    tree.write({"proc/net/tcp6": network_tree.sockets([(1, 4, 0), (2, 0, 0)], six=True)})
    assert _by_state(tree) == expected | {"established": 3, "syn_sent": 1, "tx_queued_bytes": 25}


def _by_state(tree: kernel_tree.Tree) -> dict[str, float]:
    return {key[1][0][1]: value for key, value in ne.ours([TcpstatCollector(tree.machine)]).values.items()}


def test_a_kernel_that_refuses_the_question_is_an_oserror() -> None:
    """The caller then reads the files; an answer of another kind is refused too."""
    with pytest.raises(OSError):
        netlink.tcp_states(socket.AF_APPLETALK)
    with pytest.raises(ValueError):
        netlink.tcp_states(socket.AF_UNIX)
