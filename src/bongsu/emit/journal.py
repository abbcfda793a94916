"""Writes what this process knows of its functions into the run's folder, often enough that a kill loses next to nothing.

There is no thread of ours in the program: what is due is written from within the calls. A file says at most
INTERVAL late what was called; when the outermost call of a thread has ended it is written sooner, the younger the
process the sooner, since a worker may be killed as soon as it has nothing to do.
"""

from __future__ import annotations

import atexit
import os
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

from bongsu.emit.accounts import Account, Accounts, Key
from bongsu.emit.ledger import LEDGER, NEVER, clock, measure_lag, ours
from bongsu.emit.segment import Segment, line

INTERVAL = 1.0
SCHEMA = 1
_SHARE = 50  # times what a write takes lie between two
_OFTEN = 0.004  # of its age may pass until what a process has done is written, while it has nothing to do


class Journal:
    """The segment of this process in a folder."""

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self.found: list[str] = []  # what was asked for by name
        self.missing: list[str] = []
        self.unseen: Callable[[], list[str]] | None = None  # what was asked for and not found, at the end
        self._open()

    def _open(self) -> None:
        self._busy: dict[str, int] = {}  # the thread that writes
        self._inside = False
        self._accounts = Accounts()
        self._began = clock()
        self._started = time.time()
        self._cost = 1e-4
        self._seconds = 0.0  # spent in writing
        self._written: dict[Key, Account] = {}
        self._told = 0
        self._closed = False
        self._segment: Segment | None = None
        self._names_written = 0

    def write(self) -> None:
        """Write what has changed; passed over when a write is already going on."""
        self._write(wait=False)

    def _write(self, *, wait: bool, last: bool = False) -> None:
        if self._closed or not self._is_ours(wait=wait):
            return
        begin = clock()
        try:
            self._inside = True
            self._put(self._accounts.at(begin), last=last)
            self._closed = last
        except Exception as error:
            if not ours(error):
                raise
        finally:
            self._inside = False
            self._busy.clear()
            end = clock()
            self._seconds += end - begin
            cost, self._cost = min(end - begin, self._cost), end - begin  # the first one makes the file
            LEDGER.write_at = end + max(INTERVAL, cost * _SHARE)
            LEDGER.soon_at = min(LEDGER.write_at, end + max(cost * _SHARE, (end - self._began) * _OFTEN))

    def _is_ours(self, *, wait: bool) -> bool:
        """Whether this thread may write now.

        A signal handler or a finalizer may come here in the middle of a write of its own thread, and is passed over.
        A handler that raises may do so anywhere: with a lock, right after it was taken, and it would be held for ever.
        """
        me = threading.get_ident()
        until = clock() + 1.0
        while self._busy.setdefault("thread", me) != me:
            if not wait or clock() > until:
                return False
            time.sleep(0.001)
        return not self._inside

    def _put(self, accounts: dict[Key, Account], *, last: bool) -> None:
        segment = self._segment
        if last and self.unseen is not None:
            unseen = [one for one in self.unseen() if one not in self.missing]
            if accounts or self.found or self.missing or not _has_segments(self.folder):
                self.missing += unseen
        changed = {key: account for key, account in accounts.items() if self._written.get(key) != account}
        names = len(self.found) + len(self.missing)
        if segment is None:
            if not changed and not names:
                return
            pid = os.getpid()
            segment = self._segment = Segment(os.path.join(self.folder, f"functions-{pid}-{_start_ticks()}.seg"))
            segment.append(self._head())
            self._names_written = names
        elif segment.is_large():
            segment.replace(self._head())
            changed = accounts
        elif names != self._names_written:
            segment.append(self._names())
            self._names_written = names
        lines = b"".join(map(_function, changed, changed.values()))
        if last:
            lines += line(["end", self._of_ourselves()])
        if lines:
            segment.append(lines)
        self._written = accounts

    def _head(self) -> bytes:
        process = {
            "pid": os.getpid(), "start_ticks": _start_ticks(), "ppid": os.getppid(),
            "argv0": sys.argv[0] if getattr(sys, "argv", None) else "", "started": self._started, "schema": SCHEMA,
            "python": sys.version.split()[0],
        }  # fmt: skip
        return line(["process", process]) + self._names()

    def _names(self) -> bytes:
        return b"".join(line(["found", name]) for name in self.found) + b"".join(
            line(["missing", name]) for name in self.missing
        )

    def _of_ourselves(self) -> dict[str, Any]:
        return {"faults": LEDGER.faults, "write_seconds": self._seconds, "seconds": clock() - self._began}

    def end(self) -> None:
        """The process ends: write all, and that this is the end."""
        self._write(wait=True, last=True)
        LEDGER.write_at = LEDGER.soon_at = NEVER

    def pause(self) -> None:
        """The recording ends before the process does."""
        self.end()
        LEDGER.write = None

    def resume(self, folder: str) -> None:
        """A recording begins, in a process that may have had one before."""
        if self._closed:
            LEDGER.forget()
            self._open()
        self.folder = folder
        LEDGER.write_at = LEDGER.soon_at = 0.0
        LEDGER.write = self.write

    def begin_anew(self) -> None:
        """In a child after fork, which has a file of its own."""
        if self._segment is not None:
            self._segment.close()
        LEDGER.begin_anew()
        self._open()
        _end_with_multiprocessing(self)


def begin(folder: str) -> Journal:
    """Record into a folder from now on, in this process and those that it forks."""
    measure_lag()
    journal = Journal(folder)
    LEDGER.write = journal.write
    os.register_at_fork(after_in_child=journal.begin_anew)
    atexit.register(journal.end)
    _end_with_multiprocessing(journal)
    return journal


def _end_with_multiprocessing(journal: Journal) -> None:
    """A worker of multiprocessing ends without atexit; it runs finalizers of its own, which it forgets when it starts."""
    util = sys.modules.get("multiprocessing.util")
    if util is not None:
        util.register_after_fork(journal, lambda it: util.Finalize(None, it.end, exitpriority=-100))


def _has_segments(folder: str) -> bool:
    return any(name.startswith("functions-") for name in os.listdir(folder))


def _function(key: Key, account: Account) -> bytes:
    numbers: dict[str, Any] = {
        "kind": key.kind, "count": account.count, "running": account.running, "errors": account.errors,
        "wall_seconds": account.wall, "cpu_seconds": account.cpu, "self_wall_seconds": account.self_wall,
        "self_cpu_seconds": account.self_cpu, "wall_min_seconds": account.minimum if account.count else None,
        "wall_max_seconds": account.maximum, "cpu_error_seconds": account.cpu_error, "task": key.task,
    }  # fmt: skip
    if numbers["wall_min_seconds"] == NEVER:
        numbers["wall_min_seconds"] = None
    if account.running:
        numbers["running_wall_seconds"] = account.running_wall
    if account.active is not None:
        numbers["active_wall_seconds"] = account.active
    return line(["function", key.name, numbers])


def _start_ticks() -> int:
    """When this process started, in clock ticks since boot: field 22 of /proc/PID/stat (proc_pid_stat(5)); 0 if unknown."""
    try:
        with open("/proc/self/stat", "rb") as file:
            return int(file.read().rpartition(b")")[2].split()[19])
    except (OSError, ValueError, IndexError) as error:
        if not ours(error):
            raise
        return 0
