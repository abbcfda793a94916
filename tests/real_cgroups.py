"""Makes real cgroups with real processes in them, on v1 and v2, and takes all away again."""

from __future__ import annotations

import contextlib
import itertools
import os
import secrets
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from bongsu.sources.cgroup import UNIFIED, Hierarchies
from bongsu.sources.root import Root

_NUMBERS = itertools.count()
_OURS = secrets.token_hex(4)  # what an earlier run left behind may bear our pid


class Cgroups:
    """Directories below one slice with a name of our own, in every hierarchy that is asked for."""

    def __init__(self) -> None:
        self.top = f"bongsutest{os.getpid()}x{_OURS}x{next(_NUMBERS)}.slice"
        self._hierarchies = Hierarchies(Root("/sys"))
        self._made: list[Path] = []
        self._sleepers: list[subprocess.Popen[bytes]] = []

    @property
    def first(self) -> str:
        """A hierarchy that this machine has: pids of v1, else v2."""
        return "pids" if self._hierarchies.directory("pids", "/") else UNIFIED

    def has(self, controller: str) -> bool:
        return self._hierarchies.directory(controller, "/") is not None

    def directory(self, path: str, controller: str) -> Path:
        """The directory of a cgroup below our slice, made if it is not there."""
        base = self._hierarchies.directory(controller, "/")
        assert base is not None, f"no hierarchy for {controller!r}"
        found = Path("/sys", base)
        for word in (self.top, *path.split("/")):
            found /= word
            if not found.exists():
                found.mkdir()
                self._made.append(found)
        return found

    def sleeper(self, path: str, *controllers: str, user: int = 0) -> int:
        """A process that sleeps in these cgroups; its pid."""
        sleeper = subprocess.Popen(["/bin/sleep", "600"], user=user or None)
        self._sleepers.append(sleeper)
        for controller in controllers or (self.first,):
            self.move(sleeper.pid, path, controller)
        return sleeper.pid

    def move(self, pid: int, path: str, controller: str) -> None:
        (self.directory(path, controller) / "cgroup.procs").write_text(str(pid))

    def end(self, pid: int, *, wait: bool = True) -> None:
        """End a process; without ``wait`` it stays a zombie."""
        sleeper = next(one for one in self._sleepers if one.pid == pid)
        sleeper.kill()
        if wait:
            sleeper.wait()
            return
        until = time.monotonic() + 120
        while Path(f"/proc/{pid}/stat").read_bytes().rpartition(b") ")[2][:1] != b"Z" and time.monotonic() < until:
            time.sleep(0.01)

    def remove(self) -> None:
        for sleeper in self._sleepers:
            sleeper.kill()
            sleeper.wait()
        until = time.monotonic() + 120
        while self._made and time.monotonic() < until:
            for directory in sorted(self._made, key=lambda path: -len(path.parts)):
                with contextlib.suppress(FileNotFoundError, OSError):  # the last process leaves a moment after its end
                    directory.rmdir()
                if not directory.exists():
                    self._made.remove(directory)
            time.sleep(0.01 if self._made else 0)
        assert not self._made


@contextlib.contextmanager
def cgroups() -> Iterator[Cgroups]:
    """A slice for one test."""
    made = Cgroups()
    try:
        yield made
    finally:
        made.remove()
