"""One process of a run while it lives: who it is, what it was last said to be and to have used.

Standard library only, as all that the monitor imports.
"""

from __future__ import annotations

from bongsu.runs.accounts import Book
from bongsu.sources.procfs import costly
from bongsu.sources.procfs.tree import Seen

_LONGEST = 1000  # characters of a command line that are kept


class Member:
    """A process of the run.

    Attributes:
        executable: the path of its program; command: its command line, redacted.
        pss_bytes, uss_bytes, open_files: as last read; None while that is not known.
        stirred: it may have run since these were read.
        written: what the newest line about it says, and written_at when; kept_back: there is news since.
    """

    __slots__ = (
        "_raw", "_sight", "book", "command", "executable", "kept_back", "may_read_flow", "may_read_shares", "open_files", "peak_bytes",
        "pss_bytes", "seen", "stirred", "uss_bytes", "written", "written_at",
    )  # fmt: skip

    def __init__(self, seen: Seen, book: Book) -> None:
        self.seen = seen
        self.book = book
        self.executable = self.command = ""
        self.may_read_flow = self.may_read_shares = True
        self.pss_bytes: int | None = None
        self.uss_bytes: int | None = None
        self.open_files: int | None = None
        self.peak_bytes = 0
        self.kept_back = False
        self.stirred = True
        self.written: tuple[object, ...] = ()
        self.written_at = -1e9
        self._sight: tuple[bytes, int] = (b"", 0)
        self._raw = 0

    def renamed(self) -> bool:
        """Whether it is another program, or runs with other arguments, than when this was asked last."""
        seen = self.seen
        sight = (seen.comm, seen.stack)
        if seen.state == b"Z":  # what is left of it is the short name of its program
            self.executable = self.executable or seen.comm.decode("utf-8", "surrogateescape")
            return False
        if sight == self._sight:
            return False
        self._sight = sight
        raw = costly.arguments(seen.pid)
        executable = costly.executable(seen.pid, seen.comm)
        if hash(raw) == self._raw and executable == self.executable:
            return False
        self._raw = hash(raw)
        self.executable = executable
        self.command = redacted(raw) or executable
        self.may_read_flow = self.may_read_shares = True  # it may have become one that we may read
        return True

    def use(self) -> tuple[object, ...]:
        """Its numbers as a line about it has them."""
        seen, flow, before = self.seen, self.book.flow, self.book.before_flow
        resident = seen.resident_bytes or None  # a young process's pages are not in the kernel's sum yet
        return (
            round(self.book.own_ns / 1e9, 3), resident, self.pss_bytes, seen.threads,
            None if flow is None else flow[4] - before[4], None if flow is None else flow[5] - before[5],
            round(self.book.unseen_ns / 1e9, 3),
        )  # fmt: skip


def redacted(raw: bytes) -> str:
    """A command line fit to be written: without secrets, and not endless."""
    from bongsu.sources.redact import masked_line  # noqa: PLC0415  a third of a MiB: not for who asks no names

    if len(raw) >= costly.LONGEST_COMMAND:  # cut: its last argument may be half a secret
        raw = raw[: raw.rfind(b"\0") + 1] or raw[:1] + b"..."
    line = masked_line(raw) if raw else ""
    return line if len(line) <= _LONGEST else line[:_LONGEST] + "…"
