"""A control group of its own for a run, where this user may make one: its counters miss nobody and forget nobody.

Standard library only, as all that the monitor imports.
"""

from __future__ import annotations

import contextlib
import os
import time
from typing import NamedTuple

from bongsu.runs import scope

_PREFIX = "bongsu-"
_CHANGES = ("cpu.weight", "cpu.shares")  # a group with these shares the CPU in another way than its processes did
_PATIENCE = 2.0  # s; a process leaves its group a moment after its end


class Memory(NamedTuple):
    """Bytes that a group is charged with; None where its files do not say."""

    anon: int | None = None
    file: int | None = None
    current: int | None = None
    peak: int | None = None


class Cpu(NamedTuple):
    """Seconds of all processes that were ever in a group."""

    total: float
    user: float | None = None
    system: float | None = None


class Group:
    """The control groups of one run: cgroup v2, or cpuacct of v1, and memory of v1 where that has its own hierarchy.

    Attributes:
        keeper: a process of ours in the group that does nothing but keep it there; 0 if there is none.
    """

    def __init__(self, cpu: str, memory: str, made: list[str], held: scope.Scope | None = None) -> None:
        self._cpu = cpu
        self._memory = memory
        self._made = made  # directories that are ours to remove
        self._scope = held
        self.keeper = held.keeper if held else 0

    @classmethod
    def make(cls, run: str, pid: int) -> Group | str:
        """A group below our own with the process in it, or why there is none.

        It is made only where it changes nothing for the program: not where a group would get its own share of the CPU.
        Groups that runs left behind whose monitor was killed are removed on the way, once they are empty.
        """
        places = _places(os.getpid())
        made: list[str] = []
        found = ""
        why = "no cgroup file system is mounted here"
        for controller in ("", "cpuacct"):
            parent = places.get(controller)
            if parent is None or found:
                continue
            why = _enter(parent, run, pid, made)
            found = made[-1] if not why else ""
        if not found:
            return why
        memory = found if os.path.exists(f"{found}/memory.current") else ""
        parent = places.get("memory")
        if not memory and parent is not None and _hierarchical(parent) and not _enter(parent, run, pid, made):
            memory = made[-1]
        return cls(found, memory, made)

    @classmethod
    def make_scope(cls, run: str, pid: int) -> Group | str:
        """The same by the user's systemd, which then shows the run as a scope; or why not.

        Processes that outlive the run stay in the scope, and systemd ends them with the user's last session unless
        lingering is on: so this is for where nothing else counts exactly.
        """
        held = scope.start(f"{_PREFIX}{run}.scope", pid)
        if isinstance(held, str):
            return held
        place = _places(pid).get("")
        if place is None or not place.endswith(".scope"):
            held.end()
            return "systemd's scopes have no cgroup v2 here"
        memory = place if os.path.exists(f"{place}/memory.current") else ""
        return cls(place, memory, [], held)

    def cpu(self) -> Cpu | None:
        """CPU seconds so far; None if the group is gone (somebody removed it)."""
        try:
            if os.path.exists(f"{self._cpu}/cpu.stat"):
                stat = _fields(f"{self._cpu}/cpu.stat")
                return Cpu(stat["usage_usec"] / 1e6, stat["user_usec"] / 1e6, stat["system_usec"] / 1e6)
            with open(f"{self._cpu}/cpuacct.usage", "rb") as file:
                total = int(file.read()) / 1e9
            stat, tick = _fields(f"{self._cpu}/cpuacct.stat"), os.sysconf("SC_CLK_TCK")
            return Cpu(total, stat["user"] / tick, stat["system"] / tick)
        except (OSError, KeyError, ValueError):
            return None

    def memory(self) -> Memory:
        """What the group is charged with now, and was at most."""
        if not self._memory:
            return Memory()
        stat = {}
        with contextlib.suppress(OSError, ValueError):
            stat = _fields(f"{self._memory}/memory.stat")
        if os.path.exists(f"{self._memory}/memory.current"):
            current, peak = self._number("memory.current"), self._number("memory.peak")
            return Memory(stat.get("anon"), stat.get("file"), current, peak)
        current, peak = self._number("memory.usage_in_bytes"), self._number("memory.max_usage_in_bytes")
        return Memory(stat.get("total_rss"), stat.get("total_cache"), current, peak)

    def close(self) -> None:
        """Give the group up: who is still in it goes back to where the run was started, and it is removed.

        Groups that the program made below it, and what is in them, are left alone: then it stays, and a later run
        removes it when it is empty.
        """
        if self._scope:
            self._scope.end()
        for place in self._made:
            until = time.monotonic() + _PATIENCE
            while not _removed(place):
                for pid in _pids(place):
                    with contextlib.suppress(OSError):
                        _write(f"{os.path.dirname(place)}/cgroup.procs", pid)
                if _has_groups(place) or time.monotonic() > until:
                    break
                time.sleep(0.005)

    def _number(self, name: str) -> int | None:
        try:
            with open(f"{self._memory}/{name}", "rb") as file:
                return int(file.read())
        except (OSError, ValueError):
            return None


def _enter(parent: str, run: str, pid: int, made: list[str]) -> str:
    """Make a group below ``parent`` with the process in it and add it to ``made``; or say why not."""
    _sweep(parent)
    place = f"{parent}/{_PREFIX}{run}-{_mark(os.getpid())}"
    try:
        os.mkdir(place, 0o755)
    except OSError as error:
        return f"no cgroup may be made in {parent}: {error.strerror}"
    why = "a cgroup here would change the program's share of the CPU"
    if not any(os.path.exists(f"{place}/{name}") for name in _CHANGES):
        try:
            _write(f"{place}/cgroup.procs", pid)
            made.append(place)
            return ""
        except OSError as error:
            why = f"the program may not be put into a cgroup in {parent}: {error.strerror}"
    os.rmdir(place)
    return why


def _sweep(parent: str) -> None:
    """Remove empty groups of runs whose monitor is gone."""
    with contextlib.suppress(OSError):
        for name in os.listdir(parent):
            words = name.rsplit("-", 3)
            if (
                not name.startswith(_PREFIX)
                or len(words) != 4
                or words[1] != _pid_namespace()
                or not words[2].isdigit()
            ):
                continue  # not a run's, or a run's whose monitor we could not see
            if "-".join(words[1:]) != _mark(int(words[2])):
                _sweep(f"{parent}/{name}")
                _removed(f"{parent}/{name}")


def _mark(pid: int) -> str:
    """What tells a process from all others since boot: its PID namespace, number and start; no start if it is gone."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            start = file.read().rpartition(b")")[2].split()[19].decode()
    except OSError:
        start = "0"
    return f"{_pid_namespace()}-{pid}-{start}"


def _pid_namespace() -> str:
    return str(os.stat("/proc/self/ns/pid").st_ino)


def _places(pid: int) -> dict[str, str]:
    """The directory of a process's group in cgroup v2 ("") and in v1's cpuacct and memory, where it is mounted here."""
    mounts: dict[str, tuple[str, str]] = {}
    places: dict[str, str] = {}
    try:
        with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as file:
            for line in file:
                before, _, after = line.partition(" - ")
                root, point = before.split()[3:5]
                kind, _, options = after.split()
                names = [""] if kind == "cgroup2" else options.split(",") if kind == "cgroup" else []
                for name in {"", "cpuacct", "memory"}.intersection(names):
                    mounts.setdefault(name, (root.rstrip("/"), point))
        with open(f"/proc/{pid}/cgroup", encoding="utf-8", errors="surrogateescape") as file:
            for line in file:
                _, controllers, path = line.rstrip("\n").split(":", 2)
                for name in {"", "cpuacct", "memory"}.intersection(controllers.split(",")) & mounts.keys():
                    root, point = mounts[name]
                    if "/.." not in path and f"{path}/".startswith(f"{root}/"):
                        places[name] = (point + path[len(root) :]).rstrip("/")
    except (OSError, ValueError):
        pass
    return places


def _hierarchical(place: str) -> bool:
    """Whether limits above a v1 memory group hold in it."""
    try:
        with open(f"{place}/memory.use_hierarchy", "rb") as file:
            return file.read().strip() == b"1"
    except OSError:
        return False


def _removed(place: str) -> bool:
    try:
        os.rmdir(place)
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return True


def _has_groups(place: str) -> bool:
    with contextlib.suppress(OSError), os.scandir(place) as entries:
        return any(entry.is_dir(follow_symlinks=False) for entry in entries)
    return False


def _pids(place: str) -> list[int]:
    try:
        with open(f"{place}/cgroup.procs", "rb") as file:
            return [int(pid) for pid in file.read().split()]
    except OSError:
        return []


def _fields(path: str) -> dict[str, int]:
    with open(path, encoding="ascii") as file:
        return {name: int(value) for name, value in (line.split() for line in file)}


def _write(path: str, pid: int) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(fd, b"%d" % pid)
    finally:
        os.close(fd)
