"""/proc/net/tcp, tcp6, udp and udp6: one line for each socket, summed up."""

from __future__ import annotations

from typing import NamedTuple

from bongsu.sources.root import Root

TCP_STATES = {
    1: "established", 2: "syn_sent", 3: "syn_recv", 4: "fin_wait1", 5: "fin_wait2", 6: "time_wait",
    7: "close", 8: "close_wait", 9: "last_ack", 10: "listen", 11: "closing", 12: "new_syn_recv",
}  # fmt: skip
_LISTEN = 10


class Sockets(NamedTuple):
    """Sockets by state (numbers of net/tcp_states.h), and bytes in their queues."""

    states: dict[int, int]
    received: int  # bytes received and not yet read by the program
    sent: int  # bytes sent and not yet acknowledged (TCP) or not yet on the wire (UDP)


def read(proc: Root, path: str) -> Sockets:
    """All lines of one of the four files, to its end.

    A TCP listener's queues count connections that wait to be accepted; they are no bytes and left out.

    Raises:
        OSError: it cannot be read; FileNotFoundError where the kernel lacks the protocol.
        ValueError: it is not what the kernel writes.
    """
    lines = proc.read(path).split(b"\n")
    if b"local_address" not in lines[0]:
        raise ValueError(f"{path} does not begin with its header line")
    tcp = path.startswith("net/tcp")
    states: dict[int, int] = {}
    received = sent = 0
    for line in lines[1:]:
        if not line:
            continue
        fields = line.split(None, 5)
        if len(fields) < 6 or len(fields[4]) != 17:
            raise ValueError(f"{path}: {line[:80]!r} is not a socket")
        state = int(fields[3], 16)
        states[state] = states.get(state, 0) + 1
        queues = fields[4]
        if queues != b"00000000:00000000" and not (tcp and state == _LISTEN):
            sent += int(queues[:8], 16)
            received += int(queues[9:], 16)
    return Sockets(states, received, sent)
