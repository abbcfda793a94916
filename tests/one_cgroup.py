"""One real cgroup of this machine, in the hierarchies of a test's choice, for the length of the test."""

from __future__ import annotations

import itertools
import os
import secrets
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

FILE_SYSTEM = Path("/sys/fs/cgroup")
_NUMBERS = itertools.count()
_OURS = secrets.token_hex(4)  # what an earlier run left behind may bear our pid


class RealCgroup:
    """One cgroup of the same path in each of some v1 hierarchies, or in cgroup v2."""

    def __init__(self, path: str, directories: dict[str, Path]) -> None:
        self.path = path  # as in /proc/PID/cgroup
        self.directories = directories  # by controller; "" is cgroup v2

    def take(self, pid: int) -> None:
        """Move a process in."""
        for directory in self.directories.values():
            (directory / "cgroup.procs").write_text(str(pid))

    def file(self, controller: str, name: str) -> str:
        """What one of its files says."""
        return (self.directories[controller] / name).read_text().strip()

    def remove(self) -> None:
        """Remove it, as soon as its processes have left."""
        for directory in self.directories.values():
            remove(directory)


def remove(directory: Path) -> None:
    """Remove a cgroup and those below it; a process that ends may keep it busy for a moment."""
    if not directory.exists():
        return
    for below in [entry for entry in directory.iterdir() if entry.is_dir()]:
        remove(below)
    deadline = time.monotonic() + 120
    while True:
        try:
            directory.rmdir()
            return
        except FileNotFoundError:
            return
        except OSError:
            if time.monotonic() > deadline:
                raise
            with suppress(OSError):  # they end meanwhile
                for pid in (directory / "cgroup.procs").read_text().split():
                    os.kill(int(pid), signal.SIGKILL)
            time.sleep(0.02)


@contextmanager
def real_cgroup(*controllers: str, below: str = "") -> Iterator[RealCgroup]:
    """A new cgroup in these hierarchies, removed at the end; the test is skipped where none can be made."""
    path = f"{below}/bongsu-test-{os.getpid()}-{_OURS}-{next(_NUMBERS)}"
    directories = {name: Path(f"{FILE_SYSTEM}/{name or 'unified'}{path}") for name in controllers}
    made = RealCgroup(path, directories)
    try:
        for directory in directories.values():
            try:
                directory.mkdir()
            except OSError:
                pytest.skip("no cgroup can be made here")
        yield made
    finally:
        made.remove()
