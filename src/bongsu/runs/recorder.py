"""Records what the processes of a run use: one reading of the tree per interval, and a line for each that comes and goes.

Where GPU series join: `_write` adds one ``sample`` per reading; what a GPU reports of the same processes (by pid, in
`_members`) is a record of its own kind beside it, with its own columns, which older readers pass over.
Standard library only, as all that the monitor imports.
"""

from __future__ import annotations

import errno
import os
import signal
import time

from bongsu.records.segment import Segment
from bongsu.runs.accounts import NO_FLOW, Accounts, Flow, minus
from bongsu.runs.attach import Attached
from bongsu.runs.exact import Answer, Exact
from bongsu.runs.journal import Journal
from bongsu.runs.member import Member, redacted
from bongsu.runs.passing import Passing
from bongsu.runs.plan import Plan
from bongsu.runs.punctuality import Punctuality
from bongsu.runs.slow_reading import SlowReading, unreadable
from bongsu.sources.procfs import costly
from bongsu.sources.procfs.pid_texts import PAGE_BYTES, TICKS_PER_SECOND
from bongsu.sources.procfs.tree import MOST, NS_PER_TICK, Seen, Tree

TYPE_CHECKING = False
if TYPE_CHECKING:
    from resource import struct_rusage

_OWN_SECONDS = 30.0  # between two lines about the monitor itself
_DETAIL = 500  # lines about one process for each multiple of the run's age, while there are few processes
_FEW = 50
_USE = ("cpu_seconds", "rss_bytes", "pss_bytes", "threads", "read_bytes", "write_bytes", "unseen_cpu_seconds")
_FLOW = ("read_chars", "write_chars", "read_calls", "write_calls", "read_bytes", "write_bytes")


class Recorder:
    """Appends to a run's record what its tree of processes uses.

    Attributes:
        latest: what the newest sample says, by column; empty before the first.
        keeper: a child of the monitor that holds the run's control group and is not of the run; 0 if there is none.
        group_tells: whether a control group knows how much memory the run held at most, however short it was.
    """

    def __init__(self, plan: Plan, segment: Segment, pid: int) -> None:
        """Begin the record of the tree below ``pid``, which has not been executed yet or is attached to.

        Raises:
            OSError: the record cannot be written, or the process is gone or another one.
            ValueError: what is to be attached to is no process.
        """
        self.latest: dict[str, float | int | None] = {}
        self._plan, self._pid, self._attached = plan, pid, bool(plan.attach)
        self._journal = Journal(segment, plan.started_boottime)
        self._accounts = Accounts(2 * NS_PER_TICK)  # told in whole ticks of user mode and in those of the kernel
        self._members: dict[int, Member] = {}
        self._waited = (0.0, 0.0)  # user and system seconds of what we waited for
        self._waiting: list[tuple[Member, float, int]] = []  # waited for since the newest reading: when, exit code
        self._samples = 0
        self._punctuality = Punctuality(self._journal, plan.interval_seconds)
        self._own_due = 0.0
        self._most_flow: tuple[int, ...] = (0,) * len(_FLOW)  # who is waited for may be read twice for a moment
        self._largest = 0
        self._exact = Exact.open(pid, plan)
        self.keeper = self._exact.keeper
        self.group_tells = self._exact.memory().peak is not None
        self._passing: Passing | None = None
        if not self._attached:
            passing = Passing.open(pid, os.path.basename(plan.argv[0]), self._accounts, self._journal)
            if isinstance(passing, Passing):
                self._passing = passing
            else:
                text = f"processes that no reading comes across are not counted and have no names: {passing}"
                self._journal.event("source", text)
        self._ended_at: float | None = None
        self._last = False
        self._source: str | None = None  # who counts the CPU time of samples
        self._tree = Tree(own=not self._attached)
        self._slow = SlowReading(
            self._tree, self._accounts, self._journal, plan.interval_seconds, plan.memory_interval_seconds
        )
        self._flow_before = NO_FLOW
        if not self._attached:
            self._flow_before = self._waited_flow() or NO_FLOW  # git, for one, was waited for
            for child in costly.own_children():
                if child != pid:
                    self._tree.leave_out(child)
        self._root = self._begin()
        if not self._attached:  # only now: what it took to be ready is not the command's time
            self._plan = plan = plan._replace(started_boottime=time.clock_gettime(time.CLOCK_BOOTTIME))
            self._journal.zero = plan.started_boottime
        self._started_at = self._journal.began()
        for way, why in self._exact.refused.items():
            self._journal.event("source", f"{way}: {why}")
        self._source = self._exact.read().source or None
        self._born(self._root, self._journal.now())
        self._own(self._journal.now())
        self._journal.flush()

    def leave_out(self, pid: int) -> None:
        """A child of the monitor that does not belong to the run."""
        self._tree.leave_out(pid)

    def filenos(self) -> list[int]:
        """Descriptors that poll(2) finds readable when there is something to `take`."""
        return self._passing.filenos() if self._passing else []

    def take(self) -> None:
        """Take what the kernel has written of processes, before it has no more room."""
        if self._passing:
            self._passing.take()
            self._journal.flush()

    def sample(self) -> None:
        """Read the tree once."""
        self._sample(self._journal.now())

    def _sample(self, now: float) -> None:
        self._samples += 1
        self._punctuality.note(now)
        self._write(now, self._read(now))
        if self._passing:
            self._passing.many(now)
        if now >= self._own_due:
            self._own_due = now + _OWN_SECONDS
            self._own(now)
        self._journal.flush()

    def died(self, pid: int) -> None:
        """A child of the monitor has ended and is still to be waited for: its clock tells its own time from its children's."""
        member = self._members.get(pid)
        if member is not None:
            self._accounts.died(member.book, time.clock_gettime_ns(~pid << 3 | 2))  # clock_getcpuclockid(3)

    def reaped(self, pid: int, status: int, used: struct_rusage) -> None:
        """A child of the monitor, the command or an orphan of its tree, ended; ``used`` is its rusage with its children's."""
        if self._tree.forget(pid):
            return
        total = round((used.ru_utime + used.ru_stime) * 1e9)
        self._waited = (self._waited[0] + used.ru_utime, self._waited[1] + used.ru_stime)
        self._largest = max(self._largest, used.ru_maxrss * 1024)
        self._tree.ended(pid)
        if self._passing:
            self._passing.gone(pid)
        now = self._journal.now()
        if pid == self._pid or self._plan.wait_all:
            self._ended_at = now
        member = self._members.pop(pid, None)
        if member is None:
            self._accounts.reaped_unknown(total, (used.ru_nvcsw, used.ru_nivcsw))
            return
        self._accounts.reaped(member.book, total, (used.ru_nvcsw, used.ru_nivcsw))
        self._waiting.append((member, now, os.waitstatus_to_exitcode(status)))

    def finish(self, exit_code: int | None, signal_name: str) -> None:
        """The command has ended (`reaped` was told, where it was our child): the last sample and the end of the record."""
        ended_at = self._ended_at or self._journal.now()  # the last reading is not the command's
        now = max(ended_at, self._punctuality.last_at or 0.0)
        self._last = True
        self._sample(now)
        root = self._members.get(self._pid)
        if root is self._root and root.seen.state == b"Z":  # another's child, who has not waited for it yet
            self._gone(root.seen, now, set())
        if self._passing:
            self._passing.finish(now)
        self._own(now)
        survivors = [
            [member.seen.pid, member.command, round((member.book.own_ns + member.book.unseen_ns) / 1e9, 3)]
            for member in self._members.values()
            if member is not self._root and member.seen.state != b"Z"
        ]
        answer = self._answer()
        split = self._exact.split() or (None if self._attached else self._waited) or (None, None)
        self._journal.add(
            "end", now, exit_code=exit_code, signal=signal_name, cpu_source=answer.source,
            sources={way: round(seconds, 6) for way, seconds in answer.sources.items()},
            user_cpu_seconds=split[0], system_cpu_seconds=split[1], maxrss_bytes=self._largest or None,
            cgroup_peak_bytes=self._exact.memory().peak, survivors=survivors,
        )  # fmt: skip
        self._journal.flush()
        self._journal.sync()
        self._exact.close()
        self._tree.close()

    def event(self, what: str, text: str) -> None:
        """Something happened that a reader should know of."""
        self._journal.event(what, text)
        self._journal.flush()

    def _begin(self) -> Member:
        if self._attached:
            past = Attached(self._pid, self._plan.attach_start_ticks)
            past.close()
            self._journal.event("attached", past.past(time.clock_gettime(time.CLOCK_BOOTTIME)))
        seen = self._tree.add(self._pid)
        if seen is None:
            blind = "" if os.path.exists("/proc/self/stat") else "/proc is not mounted here: no process is seen"
            raise ProcessLookupError(errno.ESRCH, blind or f"process {self._pid} has ended")
        root = self._take_in(seen)
        if not self._attached:  # it waits to become the command
            root.command = redacted(b"\0".join(os.fsencode(word) for word in self._plan.argv))
            root.executable = self._plan.argv[0]
        return root

    def _take_in(self, seen: Seen) -> Member:
        parent = self._members.get(seen.parent_pid)
        if self._attached and self._started(seen) < 0:  # what it did before is not the run's
            book = self._accounts.open(
                parent.book if parent else None, before_ns=seen.own_ns, before_children_ns=seen.children_ns
            )
        else:
            before_ns = seen.own_ns if seen.pid == self._pid else 0  # as a part of the monitor
            number = None
            if self._passing and seen.pid != self._pid:
                number = self._passing.number(seen, self._started(seen))
            book = self._accounts.open(parent.book if parent else None, number=number, before_ns=before_ns)
        member = self._members[seen.pid] = Member(seen, book)
        return member

    def _started(self, seen: Seen) -> float:
        return seen.start_ticks / TICKS_PER_SECOND - self._plan.started_boottime

    def _began(self, seen: Seen) -> float:
        """When it started; nothing of a run starts before it does, but clock ticks are coarse."""
        return self._started(seen) if self._attached else max(0.0, self._started(seen))

    def _read(self, now: float) -> tuple[int | None, int | None, int | None]:
        slow = now >= self._slow.due
        began = self._journal.now()
        found, ended = self._tree.read(all_of_them=slow)
        if self._passing:
            self._passing.read(self._tree.processes, began, last=self._last)
        unsettled: set[int] = set()  # whose children ended: what they did has become theirs
        for seen in ended:
            self._gone(seen, now, unsettled)
        for seen in found:
            self._take_in(seen)
        accounts = self._accounts
        for pid, member in self._members.items():
            seen = member.seen
            if seen.ran:
                member.stirred = True
                parent = self._members.get(seen.parent_pid)
                member.book.parent = parent.book if parent is not None else None
                accounts.read(member.book, seen.own_ns, seen.children_ns)
                member.peak_bytes = max(member.peak_bytes, seen.resident_bytes)
                if member.renamed() and member.written:
                    self._journal.add(
                        "became", now, process=member.book.number, executable=member.executable, command=member.command
                    )
            # Attached to, what it read and wrote before is to be known though it sleeps.
            if seen.ran or pid in unsettled or (self._attached and member.book.flow is None):
                self._flow(member)
        accounts.settle()
        for member, at, code in self._waiting:  # only now is it known which of their children had ended before
            self._exited(member, at, "waited", code)
        self._waiting.clear()
        for seen in found:
            self._born(self._members[seen.pid], now)
        if self._tree.left_out:
            self._journal.once("left out", f"there are more than {MOST} processes; the others are not read one by one")
        return self._slow.read(self._members.values(), now) if slow else (None, None, None)

    def _gone(self, seen: Seen, now: float, unsettled: set[int]) -> None:
        member = self._members.pop(seen.pid, None)
        if member is None:
            return
        parent = self._members.get(seen.parent_pid)
        if parent is not None:
            unsettled.add(seen.parent_pid)
        book = member.book.parent
        disowned = parent is not None and parent.seen.disowns
        self._slow.stale = True
        self._accounts.ended(member.book, waited=book is not None and not disowned)
        at = self._passing.gone(seen.pid) if self._passing else None
        self._exited(member, now if at is None else at, "vanished" if at is None else "event", None)

    def _born(self, member: Member, now: float) -> None:
        parent = member.book.parent
        seen = member.seen
        if not member.command:
            member.renamed()
        self._journal.add(
            "born", now, process=member.book.number, pid=seen.pid, start_seconds=round(self._began(seen), 2),
            parent=parent.number if parent else None, uid=costly.owner(seen.pid), executable=member.executable,
            command=member.command,
        )  # fmt: skip
        member.written = ("born",)

    def _exited(self, member: Member, now: float, known_by: str, code: int | None) -> None:
        use = member.use()
        self._journal.add(
            "exited", now, process=member.book.number, exit_code=code if code is None or code >= 0 else 128 - code,
            signal="" if code is None or code >= 0 else signal.Signals(-code).name, cpu_seconds=use[0], known_by=known_by,
            unseen_cpu_seconds=use[6], peak_rss_bytes=member.peak_bytes or None, read_bytes=use[4], write_bytes=use[5],
        )  # fmt: skip

    def _flow(self, member: Member) -> None:
        if not member.may_read_flow:
            return
        try:
            flow = costly.flow(member.seen.pid)
        except PermissionError:
            if not costly.ending(member.seen.pid):
                member.may_read_flow = False
                unreadable(self._journal, member, "input and output")
            return
        except (OSError, ValueError):
            return  # ended; or a kernel without CONFIG_TASK_IO_ACCOUNTING
        if self._tree.alive(member.seen):
            if self._attached and member.book.flow is None and member.book.before_ns:
                member.book.before_flow = flow
            member.book.flow = flow

    def _write(self, now: float, slow: tuple[int | None, int | None, int | None]) -> None:
        rss = vms = threads = alive = 0
        each = self._plan.interval_seconds
        period = max(each, now / _DETAIL * max(1.0, len(self._members) / _FEW)) - each / 2
        told = slow[0] is not None
        for member in self._members.values():
            seen = member.seen
            rss += seen.resident_bytes
            vms += seen.virtual_bytes
            if seen.state != b"Z":
                alive += 1
                threads += seen.threads
            if (seen.ran or told or member.kept_back) and not self._use(member, now, period):
                member.kept_back = True
        accounts = self._accounts
        root = self._root
        alone = root.seen.resident_bytes if self._members.get(self._pid) is root else 0
        flow = accounts.used_flow((member.book for member in self._members.values()), self._waited_flow())
        voluntary, involuntary = accounts.switches
        counted = self._exact.read()
        self._source = counted.source or None
        memory = self._exact.memory()
        self.latest = {
            "cpu_seconds": None if counted.seconds is None else round(counted.seconds, 3),
            "attributed_cpu_seconds": _seconds(accounts.own_ns), "rss_bytes": rss or _nothing(alive), "vms_bytes": vms, "pss_bytes": slow[0],
            "uss_bytes": slow[1], "open_files": slow[2], "threads": threads, "processes": alive, "started": accounts.born,
            "exited": accounts.ended_count, "children_rss_bytes": rss - alone if rss else _nothing(alive), "voluntary_switches": voluntary,
            "involuntary_switches": involuntary, "children_cpu_seconds": _seconds(accounts.own_ns - root.book.own_ns),
            "unseen_cpu_seconds": _seconds(accounts.unseen_ns),
            "cgroup_bytes": memory.current, "cgroup_anon_bytes": memory.anon, "cgroup_file_bytes": memory.file,
        }  # fmt: skip
        if flow is not None:
            self._most_flow = tuple(map(max, flow, self._most_flow))
            self.latest.update(zip(_FLOW, self._most_flow, strict=True))
        self._journal.add("sample", now, **self.latest)

    def _use(self, member: Member, now: float, period: float) -> bool:
        """A line about one process if it is time for one; False if it is not."""
        if now - member.written_at < period:
            return False
        member.kept_back = False
        use = member.use()
        if use != member.written:
            member.written, member.written_at = use, now
            self._journal.add("use", now, process=member.book.number, **dict(zip(_USE, use, strict=True)))
        return True

    def _waited_flow(self) -> Flow | None:
        if self._attached:
            return None
        try:
            return minus(costly.own_children_flow(), self._flow_before)
        except (OSError, ValueError):
            return None

    def _answer(self) -> Answer:
        """CPU seconds of the run by each way there is."""
        accounts = self._accounts
        alive = sum(member.book.own_ns + member.book.children_ns for member in self._members.values())
        return self._exact.final(
            waited=None if self._attached else (accounts.waited_ns + alive) / 1e9,
            sampled=(accounts.own_ns + accounts.unseen_ns) / 1e9,
        )

    def _own(self, now: float) -> None:
        with open("/proc/self/statm", "rb") as file:
            resident = int(file.read().split()[1]) * PAGE_BYTES
        self._journal.add(
            "monitor", now, cpu_seconds=round(time.process_time() - self._plan.used_before_seconds, 3), rss_bytes=resident,
            samples=self._samples, missed=self._punctuality.missed,
            late_seconds=round(self._punctuality.late, 3), cpu_source=self._source,
            started=round(self._started_at, 3), counted_by="events" if self._passing and self._passing.complete else "readings",
        )  # fmt: skip


def _nothing(alive: int) -> int | None:
    """Memory of no process is none; of one whose pages the kernel has not summed up yet it is not known."""
    return None if alive else 0


def _seconds(ns: int) -> float:
    return round(ns / 1e9, 3)
