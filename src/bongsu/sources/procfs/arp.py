"""/proc/net/arp: the neighbours whose hardware addresses the kernel knows or looks for (IPv4, RFC 826)."""

from __future__ import annotations

from bongsu.sources.root import Root


def read(proc: Root) -> dict[bytes, int]:
    """How many entries each interface has, complete or not.

    Raises:
        OSError: it cannot be read.
        ValueError: it is not what the kernel writes.
    """
    header, _, rest = proc.read("net/arp").partition(b"\n")
    if not header.startswith(b"IP address"):
        raise ValueError("net/arp does not begin with its header line")
    entries: dict[bytes, int] = {}
    for line in rest.split(b"\n"):
        if not line:
            continue
        fields = line.split()
        if len(fields) != 6:
            raise ValueError(f"net/arp: {line[:80]!r} does not have 6 columns")
        entries[fields[5]] = entries.get(fields[5], 0) + 1
    return entries
