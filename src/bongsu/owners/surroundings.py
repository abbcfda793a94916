"""What the owners of one pass share: the limits above them, the names of disks, what the kernel counts."""

from __future__ import annotations

import os
from typing import NamedTuple

from bongsu.owners.rising import least
from bongsu.sources import cgroup_v1, cgroup_v2
from bongsu.sources.cgroup_use import Directory, Gone
from bongsu.sources.root import Root


class Limits(NamedTuple):
    """Limits of one cgroup or of a way up; None is none."""

    cores: float | None = None
    memory: int | None = None
    swap: int | None = None
    tasks: int | None = None

    def and_those(self, other: Limits) -> Limits:
        """What both allow."""
        return Limits(
            least(self.cores, other.cores), least(self.memory, other.memory), least(self.swap, other.swap),
            least(self.tasks, other.tasks),
        )  # fmt: skip


class Surroundings:
    """What the owners of one pass share: the limits above them, names of disks, which counts the kernel keeps."""

    def __init__(self, sys: Root, now: float) -> None:
        self.now = now  # monotonic s
        self._sys = sys
        self._limits: dict[tuple[str, str], Limits] = {}
        self._names: dict[str, str] = {}
        self._policy: dict[str, str | None] = {}

    def limits(self, kind: str, path: str, base: str) -> Limits:
        """What this cgroup and all above it allow. A cgroup that cannot be read sets no limit."""
        if len(path) < len(base):
            return Limits()
        known = self._limits.get((kind, path))
        if known is None:
            try:
                with Directory(path) as directory:
                    own = _own_limits(kind, directory)
            except (Gone, OSError):
                own = Limits()
            known = own.and_those(self.limits(kind, os.path.dirname(path), base))
            self._limits[kind, path] = known
        return known

    def disk(self, device: str) -> str:
        """The name of a block device by its numbers; the numbers where it has none."""
        name = self._names.get(device)
        if name is None:
            link = self._sys.link(f"dev/block/{device}")
            # A slash in a device's name is a `!` in sysfs (drivers/base/core.c).
            name = self._names[device] = device if link is None else os.path.basename(link).replace("!", "/")
        return name

    def io_policy(self, base: str) -> str | None:
        """As `cgroup_v1.io_policy` of the root of a hierarchy."""
        if base not in self._policy:
            try:
                with Directory(base) as root:
                    self._policy[base] = cgroup_v1.io_policy(root)
            except (Gone, OSError):
                self._policy[base] = None
        return self._policy[base]


def _own_limits(kind: str, directory: Directory) -> Limits:
    if kind == "cpu":
        return Limits(cores=cgroup_v1.cpu_limit(directory))
    if kind == "pids":
        return Limits(tasks=cgroup_v1.pids_limit(directory))
    return Limits(
        cgroup_v2.cpu_limit(directory), cgroup_v2.memory_limit(directory), cgroup_v2.swap_limit(directory),
        cgroup_v2.pids_limit(directory),
    )  # fmt: skip
