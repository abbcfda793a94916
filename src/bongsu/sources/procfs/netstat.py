"""/proc/net/netstat, snmp and snmp6: the counters of the network protocols (RFC 1213, RFC 4293, RFC 4113)."""

from __future__ import annotations

from bongsu.sources.root import Root

Block = tuple[bytes, bytes]  # a line of names, and the line of their values; both begin with the same protocol


def read_blocks(proc: Root, path: str) -> list[Block]:
    """The pairs of lines of net/netstat or net/snmp, not yet split: the names hardly ever change.

    Raises:
        OSError: it cannot be read.
        ValueError: names and values do not stand in pairs.
    """
    lines = proc.read(path).split(b"\n")
    if lines[-1] == b"":
        lines.pop()
    if len(lines) % 2:
        raise ValueError(f"{path}: the last line of names has no line of values")
    blocks = list(zip(lines[::2], lines[1::2], strict=True))
    for names, values in blocks:
        protocol, colon, _ = names.partition(b":")
        if not colon or not protocol or not values.startswith(protocol + b":"):
            raise ValueError(f"{path}: {names[:40]!r} and {values[:40]!r} are not names and values of one protocol")
    return blocks


def names(block: Block) -> list[str]:
    """The full names of a block, such as ``TcpExt_ListenDrops``, in the order of its values.

    Raises:
        ValueError: a name is not ASCII.
    """
    protocol, _, rest = block[0].partition(b":")
    prefix = protocol.decode("ascii")
    return [f"{prefix}_{word.decode('ascii')}" for word in rest.split()]


def values(block: Block) -> list[bytes]:
    """The values of a block, not yet numbers: few of them are wanted."""
    return block[1].split()[1:]


def number(value: bytes) -> int:
    """A value as a number; Tcp_MaxConn may be -1.

    Raises:
        ValueError: it is not one, or needs more than 64 bits.
    """
    parsed = int(value)
    if not -(1 << 63) <= parsed < 1 << 64:
        raise ValueError("a number is wider than 64 bits")
    return parsed


def read_snmp6(proc: Root) -> list[bytes]:
    """Names of net/snmp6, such as ``Ip6InOctets``, each followed by its value.

    Raises:
        OSError: it cannot be read; FileNotFoundError where the kernel has no IPv6.
        ValueError: a name has no value.
    """
    words = proc.read("net/snmp6").split()
    if len(words) % 2:
        raise ValueError("net/snmp6 does not hold pairs of name and value")
    return words
