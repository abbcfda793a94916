"""/sys/class/net: what a network interface is and how its link is (Documentation/ABI/testing/sysfs-class-net)."""

from __future__ import annotations

import os

from bongsu.sources.root import NO_ANSWER, Root, may_not_read

CLASS = "class/net"


def interfaces(sys: Root) -> list[str] | None:
    """The names of all interfaces; None where there is no such directory.

    Raises:
        OSError: it is there but cannot be listed.
    """
    try:
        with os.scandir(sys.join(CLASS)) as entries:
            # bonding_masters is a file that lies among them.
            return sorted(entry.name for entry in entries if not entry.is_file(follow_symlinks=False))
    except (FileNotFoundError, NotADirectoryError):
        return None


def files(sys: Root, name: str) -> frozenset[str] | None:
    """The names of the attributes that an interface has; None if it went away.

    Raises:
        OSError: they cannot be listed.
    """
    try:
        with os.scandir(sys.join(f"{CLASS}/{name}")) as entries:
            return frozenset(entry.name for entry in entries if entry.is_file(follow_symlinks=False))
    except OSError as error:
        if error.errno in NO_ANSWER:
            return None
        raise


def value(sys: Root, path: str) -> bytes | None:
    """One attribute; None where the interface does not tell (a link that is down has no speed) or we may not ask.

    Raises:
        FileNotFoundError: the interface went away.
        OSError: the device failed to answer.
    """
    try:
        return sys.read(path).strip()
    except FileNotFoundError:
        raise
    except OSError as error:
        if error.errno in NO_ANSWER or may_not_read(error):
            return None
        raise
