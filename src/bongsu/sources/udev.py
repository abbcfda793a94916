"""udev's database: the names and properties that udev found for a block device."""

from __future__ import annotations

import os

from bongsu.sources.root import Root


def version(udev: Root, major: int, minor: int) -> tuple[int, int] | None:
    """What changes when udev writes a device's entry anew; None where there is no entry."""
    try:
        entry = os.stat(udev.join(f"b{major}:{minor}"))
    except OSError:
        return None
    return entry.st_ino, entry.st_mtime_ns


def properties(udev: Root, major: int, minor: int) -> dict[str, str]:
    """A block device's properties (the ``E:`` lines); empty where udev is not there or knows nothing of it.

    Raises:
        OSError: it is there but cannot be read.
    """
    try:
        text = udev.read_once(f"b{major}:{minor}").decode("utf-8", "surrogateescape")
    except (FileNotFoundError, NotADirectoryError):
        return {}
    found = {}
    for line in text.split("\n"):
        if line.startswith("E:"):
            name, equals, value = line[2:].partition("=")
            if equals:
                found[name] = value
    return found
