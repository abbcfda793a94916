"""Reads what of a tree takes long to read, as seldom as its share of a CPU asks for.

Standard library only, as all that the monitor imports.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable

from bongsu.runs.accounts import Accounts
from bongsu.runs.journal import Journal
from bongsu.runs.member import Member
from bongsu.sources.procfs import costly
from bongsu.sources.procfs.tree import Tree

_ALL_OF_THEM = 6  # readings; what others than the run share with it may have changed
_SHARE = 0.005  # of one CPU, at intervals of a second and less; at longer ones as much less


class SlowReading:
    """PSS, USS, open files and context switches of the members of a run.

    Attributes:
        due: when the next reading is, in seconds since the start of the run.
        stale: a process has ended, so that others share with fewer.
    """

    def __init__(self, tree: Tree, accounts: Accounts, journal: Journal, interval: float, wanted: float) -> None:
        """``wanted``: seconds between two readings, where they may cost what they cost."""
        self.due = 0.0
        self.stale = False
        self._turn = 0
        self._tree = tree
        self._accounts = accounts
        self._journal = journal
        self._share = _SHARE / max(1.0, interval)
        self._wanted = max(wanted, interval)
        self._stretched = False

    def read(self, members: Collection[Member], now: float) -> tuple[int | None, int | None, int | None]:
        """Read all members; the sums of PSS, USS in bytes, and open files, each None if no member told."""
        began = time.thread_time()
        self._turn += 1
        shares = self.stale or self._turn % _ALL_OF_THEM == 0 or any(member.stirred for member in members)
        self.stale = False
        for member in members:
            self._one(member, shares=shares)
        cost = (time.thread_time() - began) / self._share
        self.due = now + max(cost, min(self._wanted, now))  # often while the run is young
        if cost > 2 * self._wanted and not self._stretched:
            self._stretched = True
            text = (
                f"PSS, USS, switches and open files are read every {cost:.0f} s or so and not every {self._wanted:g} s: "
                f"that would take more than {self._share:.2%} of a CPU"
            )
            self._journal.add("event", now, what="interval", text=text)
        return (
            _sum(member.pss_bytes for member in members),
            _sum(member.uss_bytes for member in members),
            _sum(member.open_files for member in members),
        )

    def _one(self, member: Member, *, shares: bool) -> None:
        """Read one member; what cannot have changed while it slept is not read, nor shares if all slept."""
        pid = member.seen.pid
        if not (member.stirred or shares):
            return
        pss, uss, files = member.pss_bytes, member.uss_bytes, member.open_files
        switches = member.book.switches
        try:
            if member.stirred:
                switches = costly.switches(pid)
            if member.may_read_shares:
                pss, uss = costly.shares(pid)
                if member.stirred:
                    files = costly.open_files(pid)
        except PermissionError:
            if costly.ending(pid):
                return
            member.may_read_shares = False
            pss = uss = files = None
            unreadable(self._journal, member, "shares of memory and open files")
        except (OSError, ValueError):
            return  # it ends, or this kernel has none of it
        if self._tree.alive(member.seen):
            member.stirred = False
            member.pss_bytes, member.uss_bytes, member.open_files = pss, uss, files
            self._accounts.switched(member.book, *switches)


def unreadable(journal: Journal, member: Member, what: str) -> None:
    """Say once for each program what may not be read of it."""
    name = member.executable.rpartition("/")[2] or member.seen.comm.decode("utf-8", "backslashreplace")
    journal.once("unreadable", f"{what} of {name} may not be read; they lack in the sums")


def _sum(values: Iterable[int | None]) -> int | None:
    known = [value for value in values if value is not None]
    return sum(known) if known else None
