"""Processes and placements made up for tests of what owners use."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bongsu.model.owner import Owner, OwnerKind
from bongsu.model.usage import OwnerRow, Usage
from bongsu.owners.placement import Place, Placed
from bongsu.owners.usage import Usages
from bongsu.sources.procfs.process import Process
from bongsu.sources.root import Machine

JOB = Owner(OwnerKind.SLURM, "42", user="alice")
USER = Owner(OwnerKind.USER, "1000", "alice", user="alice")
V2 = (Place((), "/job"),)


def process(pid: int, **other: Any) -> Process:
    """A process; what is not given is small and different for each."""
    values: dict[str, Any] = {
        "pid": pid, "start_ticks": 100 + pid, "start_time": 1000.0 + pid, "ppid": 1, "uid": 1000, "comm": "x",
        "executable": "x", "kernel": False, "state": "S", "threads": 1, "cpu_ticks": 0, "children_ticks": 0,
        "resident_bytes": pid * 4096, "virtual_bytes": 0, "read_bytes": 0, "write_bytes": 0, "arguments": None,
    }  # fmt: skip
    return Process(**(values | other))


class House:
    """A machine below a directory, and the passes over it."""

    def __init__(self, path: Path, *, v2: bool = True) -> None:
        self.path = path
        for name in ("proc", "sys/fs/cgroup", "root"):
            (path / name).mkdir(parents=True)
        self.write("proc/stat", "cpu 1 2 3 4\nbtime 1\n")
        if v2:
            self.write("sys/fs/cgroup/cgroup.controllers", "cpu memory io pids\n")
        self.machine = Machine.at(f"{path}/proc", f"{path}/sys", f"{path}/root")
        self.usages = Usages(self.machine)

    def write(self, name: str, text: str) -> None:
        """A file of the machine."""
        (self.path / name).parent.mkdir(parents=True, exist_ok=True)
        (self.path / name).write_text(text)

    def cgroup(self, path: str, **files: str) -> None:
        """Files of a cgroup v2; ``_`` in a name stands for a dot."""
        for name, text in files.items():
            self.write(f"sys/fs/cgroup{path}/{name.replace('_', '.', 1)}", text)

    def take(self, *members: tuple[Process, Placed]) -> dict[str, OwnerRow]:
        """A pass; owners by id."""
        placed = {(one.pid, one.start_ticks): where for one, where in members}
        return {found.owner.id: found for found in self.usages.take([one for one, _ in members], placed)}

    def use(self, *members: tuple[Process, Placed]) -> Usage:
        """A pass over one owner's processes: its usage."""
        (found,) = self.take(*members).values()
        return found.usage
