"""Follows each process of a run by what the kernel writes down of it: also those that no reading of /proc comes across.

Standard library only, as all that the monitor imports.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

from bongsu.runs.accounts import Accounts
from bongsu.runs.journal import Journal
from bongsu.sources.perf_event import NoCounter
from bongsu.sources.procfs.tree import Seen
from bongsu.sources.task_events import Forked, Named, TaskEvents

MOST_SINGLE = 50_000  # that get a line of their own; of the others each program gets one
_MOST_NAMES = 1_000
_REST = "(others)"
_MOST_WAITING = 1_000  # that ended since the newest reading, of whom a living thing may be left
_DETAIL = 500  # lines about each program's many for each multiple of the run's age


class Kin:
    """A process of the run as its kernel's records tell of it.

    Attributes:
        number: of the process in this run; parent: that of its parent, None if that is not of the run.
        began_at, ended_at: seconds since the start of the run; ended_at is 0 while it lives.
        name: of its program, or of that of its parent before it has one of its own.
        known: a reading came across it; early: and that before its first record did.
        gone: it is over for whoever reads /proc.
    """

    __slots__ = ("began_at", "early", "ended_at", "gone", "known", "name", "number", "parent", "pid", "tasks")

    def __init__(self, pid: int, number: int, parent: int | None, began_at: float, name: str) -> None:
        self.pid = pid
        self.number = number
        self.parent = parent
        self.began_at = began_at
        self.ended_at = 0.0
        self.name = name
        self.tasks = 1
        self.known = self.early = self.gone = False


class Passing:
    """The processes of one run, each from its fork to its end.

    A set-user-ID program ends the kernel's records of its process (`TaskEvents`) as if that had ended: who is said to
    have ended is believed only once a reading that began later does not find it.
    """

    def __init__(self, events: TaskEvents, accounts: Accounts, journal: Journal, root: Kin) -> None:
        self._events = events
        self._accounts = accounts
        self._journal = journal
        root.known = True
        self._living = {root.pid: root}
        self._ends: dict[int, float] = {}  # of those that readings know
        self._over: list[Kin] = []  # of those that they do not
        self._single = 0
        self._many: dict[
            str, list[float]
        ] = {}  # by program: how many, first begin, last end, seconds lived, number of one
        self._many_due = 0.0
        self._changed: set[str] = set()
        self._short = 0

    @classmethod
    def open(cls, pid: int, name: str, accounts: Accounts, journal: Journal) -> Passing | str:
        """Follow a command that has not been executed yet, which has number 0; or why that cannot be."""
        try:
            events = TaskEvents.open(pid)
        except NoCounter as none:
            return str(none)
        except OSError as error:
            return (error.strerror or str(error)).lower()
        return cls(events, accounts, journal, Kin(pid, 0, None, 0.0, name[:15]))

    @property
    def complete(self) -> bool:
        """Whether all that the kernel had to tell was taken."""
        return not (self._events.lost or self._events.full)

    def filenos(self) -> list[int]:
        """Descriptors that poll(2) finds readable when `take` should not wait for the next reading."""
        return self._events.filenos()

    def take(self) -> None:
        """Make room for what the kernel has yet to write."""
        self._drain(last=False)
        if len(self._over) > _MOST_WAITING:
            self._tell([kin for kin in self._over if not _there(kin.pid)])

    def read(self, processes: Mapping[int, Seen], began_at: float, *, last: bool = False) -> None:
        """A reading that began then, the last or not, found these: take what the kernel has written, tell what is over."""
        for pid in [pid for pid in self._ends if pid in processes and processes[pid].state != b"Z"]:
            del self._ends[pid]  # it goes on, as another user
        self._drain(last=last)
        self._tell([kin for kin in self._over if (last or kin.ended_at < began_at) and kin.pid not in processes])

    def number(self, seen: Seen, started: float) -> int:
        """The number of a process that a reading came across; ``started`` as the reading says, in s since the start."""
        kin = self._living.get(seen.pid)
        if (
            kin is None
        ):  # waited for by nobody yet, or one that goes on as another user; else its record is still to come
            kin = next((one for one in self._over if one.pid == seen.pid and started <= one.ended_at), None)
            if kin is not None:
                self._over.remove(kin)
                self._ends[kin.pid] = kin.ended_at
            else:
                kin = self._living[seen.pid] = Kin(seen.pid, self._accounts.number(), None, started, "")
                kin.early = True
        kin.known = True
        return kin.number

    def gone(self, pid: int) -> float | None:
        """A process that readings knew is gone: when it ended, as far as that is known by now."""
        kin = self._living.get(pid)
        if kin is not None:
            kin.gone = True
        return self._ends.pop(pid, None)

    def finish(self, now: float) -> None:
        """The last reading was made: tell all that is left."""
        self._tell(list(self._over))
        for kin in self._living.values():
            if not kin.known:  # it began after the last reading and lives on
                self._journal.add(
                    "born", now, process=kin.number, pid=kin.pid, start_seconds=kin.began_at, parent=kin.parent,
                    executable=kin.name,
                )  # fmt: skip
        self._write_many(now)
        if self._events.lost:
            text = f"{self._events.lost} of the kernel's records of forks, names and ends found no room in the end"
            self._journal.event("left out", text)
        self._events.close()

    def many(self, now: float) -> None:
        """Tell of those that are too many for lines of their own, if it is time to."""
        if self._changed and now >= self._many_due:
            self._many_due = now + now / _DETAIL
            self._write_many(now)

    def _drain(self, *, last: bool) -> None:
        zero = self._journal.zero
        for one in self._events.drain(last=last):
            kin = self._living.get(one.pid)
            if type(one) is Named:
                if kin is not None and one.by_exec:
                    kin.name = one.name
            elif type(one) is Forked:
                self._forked(one, kin, round(one.at_seconds - zero, 3))
            elif kin is not None:
                kin.tasks -= 1
                if kin.tasks <= 0:
                    self._ended(kin, round(one.at_seconds - zero, 3))
        if self._events.lost + self._events.full > self._short:
            self._short = self._events.lost + self._events.full
            self._journal.once(
                "left out", "the kernel had more to say of forks and ends than there was room for: "
                "some processes lack, or seem to have lived longer",
            )  # fmt: skip
            for kin in [kin for kin in self._living.values() if not kin.known and not _there(kin.pid)]:
                self._ended(kin, self._journal.now())

    def _forked(self, one: Forked, kin: Kin | None, at: float) -> None:
        if one.parent == one.pid:  # a thread
            if kin is not None:
                kin.tasks += 1
            return
        if kin is not None and kin.early and kin.began_at <= at:
            kin.early = False
            kin.began_at = at
            return
        if kin is not None:
            self._ended(kin, at)  # its end found no room
        parent = self._living.get(one.parent)
        number = None if parent is None else parent.number
        name = "" if parent is None else parent.name
        self._living[one.pid] = Kin(one.pid, self._accounts.number(), number, at, name)

    def _ended(self, kin: Kin, at: float) -> None:
        del self._living[kin.pid]
        if not kin.known:
            kin.ended_at = at
            self._over.append(kin)
        elif not kin.gone:
            self._ends[kin.pid] = at

    def _tell(self, over: list[Kin]) -> None:
        told = set()
        for kin in over:
            told.add(kin.number)
            self._single += 1
            if self._single <= MOST_SINGLE:
                self._journal.add(
                    "brief", kin.ended_at, process=kin.number, pid=kin.pid, start_seconds=kin.began_at, parent=kin.parent,
                    executable=kin.name,
                )  # fmt: skip
            else:
                self._add_to_many(kin)
        if told:
            self._accounts.ended_count += len(told)
            self._over = [kin for kin in self._over if kin.number not in told]

    def _add_to_many(self, kin: Kin) -> None:
        name = kin.name if kin.name in self._many or len(self._many) < _MOST_NAMES else _REST
        many = self._many.setdefault(name, [0, kin.began_at, kin.ended_at, 0.0, kin.number])
        many[0] += 1
        many[2] = max(many[2], kin.ended_at)
        many[3] += kin.ended_at - kin.began_at
        self._changed.add(name)

    def _write_many(self, now: float) -> None:
        for name in sorted(self._changed):
            count, first, last, lived, number = self._many[name]
            self._journal.add(
                "many", now, process=int(number), executable=name, processes=int(count), start_seconds=first, end_seconds=last,
                lived_seconds=round(lived, 3),
            )  # fmt: skip
        self._changed.clear()


def _there(pid: int) -> bool:
    """Whether a process has this number, alive or not waited for yet."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True
