"""Sums over an owner's processes, for what no cgroup of its own tells; ended ones count as they were last seen."""

from __future__ import annotations

from collections.abc import Mapping

from bongsu.sources.procfs.ledger import Ledger
from bongsu.sources.procfs.process import TICKS_PER_SECOND, Process

Identity = tuple[int, int]
_DEEPEST = 64  # ancestors looked at for the heir of an ended process


class Tally:
    """What the processes of one owner have used. It never falls."""

    __slots__ = ("cpu_known", "io_known", "read_bytes", "system_ticks", "user_ticks", "written_bytes")

    def __init__(self) -> None:
        self.user_ticks = self.system_ticks = self.read_bytes = self.written_bytes = 0
        self.cpu_known = False  # whether any of its processes was ever counted
        self.io_known = False  # whether the IO of any of its processes may be read

    @property
    def cpu_seconds(self) -> tuple[float, float, float]:
        """All, user, system."""
        user, system = self.user_ticks / TICKS_PER_SECOND, self.system_ticks / TICKS_PER_SECOND
        return user + system, user, system


class _Books:
    """The counters of one process, and of the children that it has waited for."""

    __slots__ = ("children_system", "children_user", "raw", "read", "system_ticks", "user_ticks", "written")

    def __init__(self, process: Process, *, from_zero: bool) -> None:
        self.raw: tuple[int | None, ...] = ()  # what was added last
        self.user_ticks = self.system_ticks = 0
        children_user = process.children_ticks - process.children_system_ticks
        self.children_user = Ledger(0 if from_zero else children_user)
        self.children_system = Ledger(0 if from_zero else process.children_system_ticks)
        self.read: Ledger | None = None
        self.written: Ledger | None = None
        if process.read_bytes is not None and process.write_bytes is not None:
            self.read = Ledger(0 if from_zero else process.read_bytes)
            self.written = Ledger(0 if from_zero else process.write_bytes)

    def owes(self) -> bool:
        """Whether a child's use was booked that the kernel may have yet to add."""
        ledgers = (self.children_user, self.children_system, self.read, self.written)
        return any(ledger is not None and (ledger.credit or ledger.old_credit) for ledger in ledgers)


class Sums:
    """Counts processes into tallies, pass after pass: `begin`, then `add` for each that needs it.

    A process counts with all CPU time it ever used itself. Its children that it waited for, and its
    IO (in which the kernel mixes theirs), count from the first pass on, or from its start if that
    is later: those of before may have been another owner's. Of what such children used, only what
    no pass saw is the parent's: the rest was their own owner's. A process that was there at the pass
    before and was not added then counts from there on: a cgroup has told the rest.
    """

    def __init__(self) -> None:
        self._books: dict[Identity, _Books] = {}
        self._next: dict[Identity, _Books] = {}
        self._present: Mapping[Identity, Process] = {}
        self._before: Mapping[Identity, Process] = {}  # of the pass before
        self._newest_start: int | None = None  # of the first pass

    def begin(self, present: Mapping[Identity, Process]) -> None:
        """Start a pass over these processes."""
        before, self._present = self._present, present
        self._before = before
        self._books, self._next = self._next, {}
        if self._newest_start is None:
            self._newest_start = max((start for _, start in present), default=0)
        ended = before.keys() - present.keys()
        if ended and self._books:
            by_pid = {process.pid: process for process in before.values()}
            for identity in ended:
                self._credit(before[identity], by_pid)

    def _credit(self, gone: Process, by_pid: Mapping[int, Process]) -> None:
        """Tell the nearest ancestor that lives, to which the kernel adds what the ended process was."""
        parent = gone
        for _ in range(_DEEPEST):
            found = by_pid.get(parent.ppid)
            if found is None:
                return
            parent = found
            identity = (parent.pid, parent.start_ticks)
            if identity in self._present:
                books = self._books.get(identity)
                if books is not None:
                    own_user = gone.cpu_ticks - gone.system_ticks
                    below_user = gone.children_ticks - gone.children_system_ticks
                    books.children_user.owe(own_user + below_user)
                    books.children_system.owe(gone.system_ticks + gone.children_system_ticks)
                    books.raw = ()
                    if books.read and books.written and gone.read_bytes is not None and gone.write_bytes is not None:
                        books.read.owe(gone.read_bytes)
                        books.written.owe(gone.write_bytes)
                return

    def add(self, process: Process, tally: Tally, *, cpu: bool, io: bool) -> None:
        """Count what a process has gained since it was added last."""
        identity = (process.pid, process.start_ticks)
        books = self._books.get(identity)
        if books is None:
            was = self._before.get(identity)
            born_later = process.start_ticks > (self._newest_start or 0)
            books = _Books(was or process, from_zero=was is None and born_later)
            if was is not None:
                books.user_ticks, books.system_ticks = was.cpu_ticks - was.system_ticks, was.system_ticks
        self._next[identity] = books
        known = process.read_bytes is not None and process.write_bytes is not None
        tally.cpu_known |= cpu
        tally.io_known |= io and known
        raw = (process.cpu_ticks, process.children_ticks, process.read_bytes, process.write_bytes)
        if raw == books.raw:
            return  # it rested, as most do
        books.raw = () if books.owes() else raw
        user = process.cpu_ticks - process.system_ticks
        children_user = process.children_ticks - process.children_system_ticks
        gained_user = max(0, user - books.user_ticks) + books.children_user.gain(children_user)
        gained_system = max(0, process.system_ticks - books.system_ticks)
        gained_system += books.children_system.gain(process.children_system_ticks)
        books.user_ticks = max(user, books.user_ticks)
        books.system_ticks = max(process.system_ticks, books.system_ticks)
        if cpu:
            tally.user_ticks += gained_user
            tally.system_ticks += gained_system
        if process.read_bytes is None or process.write_bytes is None:
            return
        if books.read is None or books.written is None:  # now we may know it; what was before is not ours to count
            books.read, books.written = Ledger(process.read_bytes), Ledger(process.write_bytes)
        read, written = books.read.gain(process.read_bytes), books.written.gain(process.write_bytes)
        if io:
            tally.read_bytes += read
            tally.written_bytes += written
