"""/proc/mdstat: software RAID arrays, their disks, and how far a resync has come (drivers/md/md.c, md(4))."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from bongsu.sources.counts import count
from bongsu.sources.root import Root

_WITHOUT_REDUNDANCY = (b"raid0", b"linear")  # these print no [n/m]: all their disks are needed
_SYNCS = ((b"recovery", "recovering"), (b"check", "checking"), (b"resync", "resyncing"))


class Array(NamedTuple):
    """One array. Blocks are of 1024 bytes; ``required`` is None where mdstat does not tell (an inactive array)."""

    name: str
    state: str  # active, inactive, recovering, resyncing or checking
    active: int
    required: int | None
    failed: int
    spare: int
    blocks: int
    synced: int


def read(proc: Root) -> Iterator[Array | tuple[str, str]]:
    """Each array, or its name and what is wrong with its lines.

    Raises:
        OSError: it cannot be read; FileNotFoundError where the md driver is not loaded.
        ValueError: it is not what the kernel writes.
    """
    lines = proc.read("mdstat").split(b"\n")
    if not lines[0].startswith(b"Personalities"):
        raise ValueError("mdstat does not begin with Personalities")
    at = 1
    while at < len(lines):
        line = lines[at]
        at += 1
        if not line.strip() or line.startswith(b"unused devices"):
            continue
        below = at
        while at < len(lines) and (lines[at][:1] in {b" ", b"\t"}):
            at += 1
        name = line.split()[0].decode("utf-8", "surrogateescape")
        try:
            yield _array(name, line, lines[below:at])
        except ValueError as error:
            yield name, str(error)


def _array(name: str, line: bytes, below: list[bytes]) -> Array:
    words = line.split()
    if len(words) < 3 or words[1] != b":" or not below or not below[0].strip():
        raise ValueError("mdstat: an array has a line of members and one of blocks")
    state = words[2].decode("ascii", "replace")
    status = below[0].split()
    blocks = count(status[0])
    required: int | None
    if any(word in line for word in _WITHOUT_REDUNDANCY):
        active = required = line.count(b"[")
    elif state == "inactive":
        active, required = 0, None
    else:
        required, active = _disks(below[0])
    synced = blocks
    for progress in below[1:]:
        if b"bitmap" in progress:
            continue
        for word, doing in _SYNCS:
            if word in progress:
                state = doing
                waits = b"PENDING" in progress or b"DELAYED" in progress
                synced = 0 if waits else _synced(progress)
                break
        break
    return Array(name, state, active, required, line.count(b"(F)"), line.count(b"(S)"), blocks, synced)


def _disks(status: bytes) -> tuple[int, int]:
    """The numbers of ``[required/active]``."""
    for word in status.split():
        if word.startswith(b"[") and b"/" in word:
            required, _, active = word.strip(b"[]").partition(b"/")
            return count(required), count(active)
    raise ValueError(f"mdstat: {status[:80]!r} does not say how many disks the array has")


def _synced(progress: bytes) -> int:
    """The first number of ``(done/total)``."""
    done, slash, _ = progress.partition(b"(")[2].partition(b"/")
    if not slash:
        raise ValueError(f"mdstat: {progress[:80]!r} does not say how far it is")
    return count(done)
