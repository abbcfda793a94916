"""Control groups: which ones a process is in (cgroups(7), "/proc files"), and where their directories lie."""

from __future__ import annotations

import os
from typing import NamedTuple

from bongsu.sources.root import Root

UNIFIED = ""  # the name of cgroup v2's one hierarchy, as it stands in /proc/PID/cgroup
_BASE = "fs/cgroup"


class Membership(NamedTuple):
    """One line of /proc/PID/cgroup."""

    controllers: tuple[str, ...]  # of a v1 hierarchy, "name=systemd" too; empty for cgroup v2
    path: str  # from the root of the reader's cgroup namespace; starts with "/", may start with "/.."


def memberships(text: bytes) -> list[Membership]:
    r"""The lines of a /proc/PID/cgroup. A line that is not one is passed over.

    The path is all after the second colon: it may hold colons itself. A newline in a name is
    written as ``\012`` by the kernel (seq_path_ns), so a name cannot make a line of its own.
    """
    found = []
    for line in text.split(b"\n"):
        number, _, rest = line.partition(b":")
        controllers, colon, path = rest.partition(b":")
        if not colon or not number.isdigit() or not path.startswith(b"/"):
            continue
        names = controllers.decode("utf-8", "surrogateescape")
        found.append(Membership(tuple(names.split(",")) if names else (), path.decode("utf-8", "surrogateescape")))
    return found


class Hierarchies:
    """Where the cgroup file systems lie below a sysfs: v1, v2, or both (hybrid, as systemd calls it)."""

    def __init__(self, sys: Root) -> None:
        self._sys = sys
        self.unified: str | None = None  # cgroup v2, relative to sysfs
        for place in (_BASE, f"{_BASE}/unified"):
            if sys.exists(f"{place}/cgroup.controllers"):
                self.unified = place
                break

    def directory(self, controller: str, path: str) -> str | None:
        """The directory of a cgroup, relative to sysfs, or None where it cannot be reached from here.

        ``controller`` is one of v1's, "name=systemd" too, or ``UNIFIED``; ``path`` is as in a Membership.
        A path with ``..`` lies outside of our cgroup namespace: where that is, is not known.
        """
        if "/../" in f"{path}/":
            return None
        base = self.unified if controller == UNIFIED else f"{_BASE}/{controller.removeprefix('name=')}"
        if base is None or not self._sys.is_directory(base):
            return None
        return base + path.rstrip("/")

    def maker(self, directory: str) -> int | None:
        """The user who may make cgroups in this one: the owner of its directory; None if it is gone.

        Raises:
            PermissionError: it may not be looked at.
        """
        try:
            return os.stat(self._sys.join(directory)).st_uid
        except PermissionError:
            raise
        except OSError:
            return None
