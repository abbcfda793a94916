"""The connection tracking table: how full it is, and what each CPU did with it.

/proc/sys/net/netfilter (Documentation/networking/nf_conntrack-sysctl.rst) and /proc/net/stat/nf_conntrack.
"""

from __future__ import annotations

from bongsu.sources.counts import count, hexadecimals
from bongsu.sources.root import Root


def entries(proc: Root) -> int:
    """How many connections are tracked now.

    Raises:
        FileNotFoundError: connections are not tracked here.
        OSError, ValueError: it cannot be read or understood.
    """
    return count(proc.read("sys/net/netfilter/nf_conntrack_count"))


def limit(proc: Root) -> int:
    """How many can be tracked; raises as `entries`."""
    return count(proc.read("sys/net/netfilter/nf_conntrack_max"))


def statistics(proc: Root) -> dict[str, int]:
    """Counts since boot by column name, summed over the CPUs; columns differ between kernels.

    Raises:
        OSError: it cannot be read.
        ValueError: it is not what the kernel writes.
    """
    header, *lines = proc.read("net/stat/nf_conntrack").splitlines() or [b""]
    names = header.split()
    rows = [hexadecimals(line.split()) for line in lines]
    if not names or not rows or any(len(row) != len(names) for row in rows):
        raise ValueError("nf_conntrack is not a table")
    sums = (sum(column) for column in zip(*rows, strict=True))
    return dict(zip((name.decode("utf-8", "surrogateescape") for name in names), sums, strict=True))
