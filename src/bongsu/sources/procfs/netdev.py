"""/proc/net/dev: what each network interface has sent and received."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bongsu.sources.counts import counts
from bongsu.sources.root import Root

# In the order of the columns (net/core/net-procfs.c); receive, then transmit.
RECEIVE = ("bytes", "packets", "errs", "drop", "fifo", "frame", "compressed", "multicast")
TRANSMIT = ("bytes", "packets", "errs", "drop", "fifo", "colls", "carrier", "compressed")
_COLUMNS = len(RECEIVE) + len(TRANSMIT)


def read(proc: Root) -> Iterator[tuple[bytes, Sequence[int]]]:
    """Each interface's name (any bytes but white space, slash and colon) and its 16 columns.

    Raises:
        OSError: it cannot be read.
        ValueError: it is not what the kernel writes.
    """
    yield from parse(proc.read("net/dev"))


def parse(text: bytes) -> Iterator[tuple[bytes, Sequence[int]]]:
    """As `read`, of a text: that of /proc/PID/net/dev is of the process's own network namespace.

    Raises:
        ValueError: it is not what the kernel writes.
    """
    lines = text.split(b"\n")
    if len(lines) < 3 or lines[1].count(b"|") != 2:
        raise ValueError("net/dev does not begin with its two header lines")
    for line in lines[2:]:
        if not line:
            continue
        name, colon, rest = line.rpartition(b":")
        name = name.strip(b" ")
        values = counts(rest.split())
        if not colon or not name or len(values) < _COLUMNS:
            raise ValueError(f"net/dev: {line[:80]!r} does not hold a name and {_COLUMNS} numbers")
        yield name, values
