"""/proc/PID/mounts: what is mounted where (proc(5), fstab(5))."""

from __future__ import annotations

import re
from typing import NamedTuple

from bongsu.sources.root import Root

_OCTAL = re.compile(rb"\\([0-7]{3})")


class Mount(NamedTuple):
    """A line of the file; ``device`` keeps the kernel's octal escapes, as node_exporter's label does."""

    device: str
    mountpoint: bytes  # as it is named in the file system
    fstype: str
    read_only: bool


def read(proc: Root) -> bytes:
    """The mounts that init sees or, where we may not look at it, those that we see.

    Raises:
        OSError: it cannot be read.
    """
    try:
        return proc.read("1/mounts")
    except (FileNotFoundError, PermissionError):  # hidepid, or a tree without pid 1
        return proc.read("mounts")


def parse(text: bytes) -> list[Mount]:
    """The mounts in the order in which they were made.

    Raises:
        ValueError: a line has fewer than four fields.
    """
    mounts = []
    for line in text.split(b"\n"):
        if not line:
            continue
        fields = line.split(b" ")
        if len(fields) < 4:
            raise ValueError(f"mounts: not a mount: {line[:200]!r}")
        device, where, fstype, options = fields[:4]
        mounts.append(
            Mount(
                device.decode("utf-8", "surrogateescape"), unescaped(where),
                fstype.decode("utf-8", "surrogateescape"), b"ro" in options.split(b","),
            )
        )  # fmt: skip
    return mounts


def unescaped(field: bytes) -> bytes:
    """The field with the kernel's three octal digits for space, tab, newline, backslash and ``#`` undone."""
    if b"\\" not in field:
        return field
    return _OCTAL.sub(lambda match: bytes([int(match[1], 8) & 255]), field)
