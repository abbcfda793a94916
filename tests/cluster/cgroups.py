"""The control groups that nodes live in: below this process's own, one set for each node, all found again by one name."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from pathlib import Path
from typing import NamedTuple

from cluster.commands import ClusterError

TOP = "bongsu-test-cluster"  # stands above the nodes' cgroups in each hierarchy
_MOUNTED = Path("/sys/fs/cgroup")


class Groups(NamedTuple):
    """One node's cgroups."""

    directories: tuple[Path, ...]
    controllers: tuple[str, ...]  # of each v1 hierarchy, as it is mounted: "cpu,cpuacct"


def groups(node: str) -> Groups:
    """The cgroups of a node, made where they are missing."""
    directories: list[Path] = []
    controllers: list[str] = []
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        _, names, path = line.split(":", 2)
        own = path.split(f"/{TOP}")[0].lstrip("/")
        if names:
            hierarchy = _MOUNTED / names.removeprefix("name=")
            if not names.startswith("name=") and hierarchy.is_dir():
                controllers.append(names)
        else:
            hierarchy = _MOUNTED / "unified"
            if not hierarchy.is_dir():
                hierarchy, own = _MOUNTED, ""  # a machine of cgroup v2 alone: a tree of our own
        if hierarchy.is_dir():
            directories.append(hierarchy / own / TOP / node)
    for directory in directories:
        _make(directory)
    return Groups(tuple(directories), tuple(controllers))


def _make(directory: Path) -> None:
    for group in (directory.parent, directory):
        group.mkdir(exist_ok=True)
        if (group / "tasks").exists() and (group / "cpuset.cpus").exists():  # v1: empty at first, then nobody may enter
            for file in ("cpuset.cpus", "cpuset.mems"):
                if not (group / file).read_text().strip():
                    (group / file).write_text((group.parent / file).read_text())
    if (directory / "devices.deny").exists():
        (directory / "devices.deny").write_text("b *:* rw")  # the disks of the machine
    if (_MOUNTED / "cgroup.subtree_control").exists():  # cgroup v2 alone: hand the controllers down
        for group in (directory.parent.parent, directory.parent):
            for controller in (group / "cgroup.controllers").read_text().split():
                with contextlib.suppress(OSError):
                    (group / "cgroup.subtree_control").write_text(f"+{controller}")


def clear() -> None:
    """End what still runs in nodes' cgroups and remove them, whoever made them.

    Raises:
        ClusterError: some stay.
    """
    tops = [Path(at) for at, _, _ in os.walk(_MOUNTED) if os.path.basename(at) == TOP]
    end = time.monotonic() + 20
    while tops and time.monotonic() < end:
        for top in tops:
            for at, _, _ in os.walk(top, topdown=False):
                _kill(Path(at))
                with contextlib.suppress(OSError):
                    os.rmdir(at)
        tops = [top for top in tops if top.exists()]
        time.sleep(0.05)
    if tops:
        raise ClusterError(f"these cgroups of the cluster stay: {', '.join(map(str, tops))}")


def _kill(group: Path) -> None:
    with contextlib.suppress(OSError):
        if (group / "cgroup.freeze").exists():
            (group / "cgroup.freeze").write_text("0")  # what is frozen cannot end
        for pid in (group / "cgroup.procs").read_text().split():
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(pid), signal.SIGKILL)
