"""Finds all processes below some processes, again and again, and reads what they have used; those that slept cost least.

Three things make it cheap. /proc/PID/schedstat (Documentation/scheduler/sched-stats.rst) tells by one short read whether
a process with one thread has run at all since the last time: if not, nothing that it does can have changed. The last
field of /proc/loadavg tells whether any process or thread was made since: if not, no lists of children are read. And
descriptors of these files are kept, which also tie each number to the very process that had it.

Standard library only, as all that the monitor of a run imports.
"""

from __future__ import annotations

import errno
import os

from bongsu.sources.procfs.pid_texts import PAGE_BYTES, TICKS_PER_SECOND, stat_fields

NS_PER_TICK = 1_000_000_000 // TICKS_PER_SECOND
MOST = 20_000  # processes that are followed: a fork bomb must not take the monitor with it
MOST_LISTS = 256  # threads of one process whose children are listed in one reading; the others follow in the next
_GONE = frozenset({errno.ENOENT, errno.ESRCH})
_REFUSED = frozenset({errno.EACCES, errno.EPERM})
_FILE = os.O_RDONLY | os.O_CLOEXEC
_LONGEST_STAT = 1024
_LONGEST_LIST = 1 << 17
_NO_ACCOUNT = b"0 0 0\n"  # schedstat of a kernel that keeps none
_SIGCHLD = 1 << (17 - 1)
_FIELDS = 32  # of stat after the name, up to what is ignored


class Seen:
    """One process of the tree as it was last read.

    Attributes:
        ran: whether it may have changed since the reading before this one.
        own_ns: CPU time of its threads, dead ones too; children_ns: of the children it has waited for, and theirs.
        stack: where its stack begins, which execve(2) changes; 0 or 1 where we may not know it.
        disowns: it ignores SIGCHLD, so the kernel adds its dead children to nobody.
    """

    __slots__ = (
        "children_ns", "comm", "disowns", "own_ns", "parent_pid", "pid", "ran", "resident_bytes", "schedule", "schedule_fd",
        "stack", "start_ticks", "stat", "stat_fd", "state", "thread_turn", "threads", "virtual_bytes",
    )  # fmt: skip

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.start_ticks = -1
        self.schedule = self.stat = b""
        self.schedule_fd = self.stat_fd = -1
        self.ran = True
        self.comm = b""
        self.state = b""
        self.parent_pid = self.own_ns = self.children_ns = self.threads = self.thread_turn = 0
        self.virtual_bytes = self.resident_bytes = self.stack = 0
        self.disowns = False


class Tree:
    """The processes below ``roots`` and, if this process is a subreaper, below itself.

    Attributes:
        processes: those that lived at the last reading, by pid; parents stand before their children.
        left_out: how many were seen and not followed at the last reading, since there are too many.
    """

    def __init__(self, *, own: bool, proc: str = "/proc", descriptors: int | None = None) -> None:
        """``own``: our own children belong to the tree. ``descriptors``: how many may be kept open."""
        self.processes: dict[int, Seen] = {}
        self.left_out = 0
        self._proc = proc
        self._own = own
        self._spare = _descriptors() if descriptors is None else descriptors
        self._births = b"?"
        self._behind = True  # a process may have been made that the last reading did not come across
        self._all = True  # even below one that has slept since
        self._lists = os.path.exists(f"{proc}/self/task/{os.getpid()}/children")  # CONFIG_PROC_CHILDREN
        self._not_ours = {os.getpid()}  # attached to our own parent, we are no part of it

    def leave_out(self, pid: int) -> None:
        """A child of ours that does not belong to the tree, nor do its children."""
        self._not_ours.add(pid)

    def forget(self, pid: int) -> bool:
        """We waited for this child: whether it was one that is left out."""
        known = pid in self._not_ours
        self._not_ours.discard(pid)
        return known

    def add(self, pid: int) -> Seen | None:
        """Follow this process, and at the next reading what is below it; None if there is none that may be read."""
        seen = Seen(pid)
        if not self._open(seen):
            return None
        self.processes[pid] = seen
        self._behind = self._all = True
        return seen

    def alive(self, seen: Seen) -> bool:
        """Whether the process is still there: what was just read by its number was then its own."""
        try:
            if seen.schedule_fd >= 0:
                return bool(os.pread(seen.schedule_fd, 1, 0))
            return self._started(_read(f"{self._proc}/{seen.pid}/stat")) == seen.start_ticks
        except (OSError, ValueError):
            return False

    def read(self, *, all_of_them: bool = False) -> tuple[list[Seen], list[Seen]]:
        """Read the tree: those found now, parents first, and those that have ended since.

        ``all_of_them``: also those that slept, whose memory may have been reclaimed.

        Raises:
            OSError: no descriptor or no memory is left.
        """
        births = self._newest()
        look = self._behind or births != self._births or births == b""
        self._births = births
        ended = [seen for seen in self.processes.values() if not self._again(seen, all_of_them)]
        for seen in ended:
            self._drop(seen)
        if ended:  # their children have a new parent
            gone = {seen.pid for seen in ended}
            orphans = [seen for seen in self.processes.values() if seen.parent_pid in gone and not seen.ran]
            more = [seen for seen in orphans if not self._again(seen, True)]
            for seen in orphans:
                seen.ran = True
            for seen in more:
                self._drop(seen)
            ended += more
        return (self._look() if look or ended else []), ended

    def ended(self, pid: int) -> Seen | None:
        """A process of the tree was waited for by us: it is followed no more. None if it was not known."""
        seen = self.processes.get(pid)
        if seen is not None:
            self._drop(seen)
            self._behind = True  # its children have a new parent
        return seen

    def close(self) -> None:
        """Close all descriptors."""
        for seen in list(self.processes.values()):
            self._drop(seen)

    def _again(self, seen: Seen, everything: bool) -> bool:
        """Read a process again; False if it has ended."""
        seen.ran = slept = False
        try:
            if seen.schedule_fd >= 0 and (seen.threads == 1 or seen.stat_fd < 0):
                schedule = os.pread(seen.schedule_fd, 64, 0)
                slept = schedule == seen.schedule and seen.threads == 1 and schedule != _NO_ACCOUNT
                if slept and not everything:
                    return True
                seen.schedule = schedule
            line = (
                os.pread(seen.stat_fd, _LONGEST_STAT, 0)
                if seen.stat_fd >= 0
                else _read(f"{self._proc}/{seen.pid}/stat")
            )
            if line != seen.stat and not self._take(seen, line):
                return False
            seen.ran = seen.ran and not slept
            return True
        except (OSError, ValueError) as error:
            if isinstance(error, OSError) and error.errno not in _GONE and error.errno not in _REFUSED:
                raise
            return False

    def _take(self, seen: Seen, line: bytes) -> bool:
        comm, fields = stat_fields(line, _FIELDS)
        started = int(fields[19])
        if started != seen.start_ticks and seen.start_ticks >= 0:
            return False  # the number was given to another
        seen.start_ticks = started
        seen.stat = line if seen.schedule_fd < 0 or int(fields[17]) > 1 else b""  # only there it tells who slept
        seen.ran = True
        seen.comm = comm
        seen.state = fields[0]
        seen.parent_pid = int(fields[1])
        threads = int(fields[17])
        own = (int(fields[11]) + int(fields[12])) * NS_PER_TICK
        if threads == 1 and seen.schedule:  # the kernel's own sum, where a tick is long; of the first thread only
            own = max(own, int(seen.schedule.split(None, 1)[0]))
        seen.own_ns = max(seen.own_ns, own)
        seen.children_ns = max(seen.children_ns, (int(fields[13]) + int(fields[14])) * NS_PER_TICK)
        seen.threads = threads
        seen.virtual_bytes = int(fields[20])
        seen.resident_bytes = int(fields[21]) * PAGE_BYTES
        seen.stack = int(fields[25])
        seen.disowns = int(fields[30]) & _SIGCHLD != 0
        return True

    def _open(self, seen: Seen) -> bool:
        """Read a process for the first time; False if it is not there any more, or hidden."""
        path = f"{self._proc}/{seen.pid}/"
        try:
            if self._spare >= 2:
                try:
                    seen.schedule_fd = os.open(path + "schedstat", _FILE)
                    self._spare -= 1
                    seen.schedule = os.pread(seen.schedule_fd, 64, 0)
                except FileNotFoundError:
                    pass  # a kernel without CONFIG_SCHED_INFO, or it has ended
                seen.stat_fd = os.open(path + "stat", _FILE)
                self._spare -= 1
                return self._take(seen, os.pread(seen.stat_fd, _LONGEST_STAT, 0))
            return self._take(seen, _read(path + "stat"))
        except (OSError, ValueError) as error:
            self._shut(seen)
            if isinstance(error, OSError) and error.errno not in _GONE and error.errno not in _REFUSED:
                raise
            return False

    def _drop(self, seen: Seen) -> None:
        self._shut(seen)
        if self.processes.get(seen.pid) is seen:
            del self.processes[seen.pid]

    def _shut(self, seen: Seen) -> None:
        for fd in (seen.schedule_fd, seen.stat_fd):
            if fd >= 0:
                os.close(fd)
                self._spare += 1
        seen.schedule_fd = seen.stat_fd = -1

    def _newest(self) -> bytes:
        """The newest process number of our namespace; empty if it cannot be read."""
        try:
            return _read(f"{self._proc}/loadavg", 128).rpartition(b" ")[2]
        except OSError:
            return b""

    def _look(self) -> list[Seen]:
        """Come across processes that are not known yet."""
        everywhere, self._behind, self._all = self._all, False, False
        self.left_out = 0
        if not self._lists:
            return self._look_at_all()
        found: list[Seen] = []
        if self._own:
            me = os.getpid()
            for pid in self._children(me, self._threads(me)):
                self._meet(pid, found)
        for seen in list(self.processes.values()):
            if seen.ran or everywhere or seen.threads > 1:
                self._descend(seen, found)
        for seen in found:  # grows while it is walked
            self._descend(seen, found)
        return found

    def _descend(self, seen: Seen, found: list[Seen]) -> None:
        if seen.state == b"Z" and seen.threads <= 1:
            return
        threads = [seen.pid] if seen.threads == 1 else self._threads(seen.pid)
        if len(threads) > MOST_LISTS:
            turn = seen.thread_turn % len(threads)
            seen.thread_turn = turn + MOST_LISTS
            threads = (threads[turn:] + threads[:turn])[:MOST_LISTS]
            self._behind = True
        for pid in self._children(seen.pid, threads):
            self._meet(pid, found)

    def _meet(self, pid: int, found: list[Seen]) -> None:
        if pid in self.processes or pid in self._not_ours:
            return
        if len(self.processes) >= MOST:
            self.left_out += 1
            self._behind = self._all = True
            return
        seen = Seen(pid)
        if self._open(seen):
            self.processes[pid] = seen
            found.append(seen)

    def _threads(self, pid: int) -> list[int]:
        try:
            return [int(name) for name in os.listdir(f"{self._proc}/{pid}/task")]
        except OSError:
            return []

    def _children(self, pid: int, threads: list[int]) -> list[int]:
        """Children of a process: each thread has its own list of those that it made."""
        found: list[int] = []
        for thread in threads:
            try:
                text = _read(f"{self._proc}/{pid}/task/{thread}/children", _LONGEST_LIST)
            except OSError:
                continue  # the thread or its process has ended
            if text:
                found += map(int, text.split())
        return found

    def _look_at_all(self) -> list[Seen]:
        """The same by one pass over all processes, where the kernel lists no children."""
        parents: dict[int, int] = {}
        for name in os.listdir(self._proc):
            if name.isdigit() and int(name) not in self.processes:
                try:
                    parents[int(name)] = int(stat_fields(_read(f"{self._proc}/{name}/stat"), 2)[1][1])
                except (OSError, ValueError):
                    continue
        found: list[Seen] = []
        me = os.getpid()
        before = -1
        while before != len(found):
            before = len(found)
            for pid, parent in parents.items():
                if parent in self.processes or (self._own and parent == me):
                    self._meet(pid, found)
        return found

    def _started(self, line: bytes) -> int:
        return int(stat_fields(line, 20)[1][19])


def _descriptors() -> int:
    """How many descriptors may be kept: half of what the process may have, so that other uses never lack any."""
    import resource  # noqa: PLC0415  the only use of it

    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return max(0, min(soft if soft > 0 else 1024, 1 << 16) // 2 - 32)


def _read(path: str, longest: int = _LONGEST_STAT) -> bytes:
    fd = os.open(path, _FILE)
    try:
        return os.read(fd, longest)
    finally:
        os.close(fd)
