"""/proc/net/sockstat and sockstat6: how many sockets there are and the memory that they hold."""

from __future__ import annotations

from collections.abc import Iterator

from bongsu.sources.counts import count
from bongsu.sources.root import Root


def read(proc: Root, path: str = "net/sockstat") -> Iterator[tuple[bytes, list[tuple[bytes, int]]]]:
    """Each line's protocol (``sockets``, ``TCP``, ``UDP6`` …) and its words with their values.

    ``mem`` is in pages, ``memory`` in bytes, all else a count (net/ipv4/proc.c).

    Raises:
        OSError: it cannot be read; FileNotFoundError where the kernel lacks the protocol.
        ValueError: it is not what the kernel writes.
    """
    for line in proc.read(path).split(b"\n"):
        if not line:
            continue
        protocol, colon, rest = line.partition(b":")
        words = rest.split()
        if not colon or len(words) < 2 or len(words) % 2:
            raise ValueError(f"{path}: {line[:80]!r} is not a protocol with pairs of word and number")
        yield protocol, [(words[i], count(words[i + 1])) for i in range(0, len(words), 2)]
