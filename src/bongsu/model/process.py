"""One process as a live row for people; in stored series it is folded into its user and executable."""

from __future__ import annotations

import msgspec

from bongsu.model.owner import Owner


class ProcessRow(msgspec.Struct, frozen=True, gc=False):
    """A process at the time of its part. Counters are raw and since its start; rates are made by whoever shows them.

    Names hold bytes that are not UTF-8 as lone surrogates and may hold any control character:
    a view cleans them before it draws them.
    """

    pid: int
    ppid: int
    user: str  # the effective user's name, or its number where it has no name
    uid: int
    executable: str  # the program's base name, not cut to 15 bytes where that can be known
    state: str  # one letter, as proc_pid_stat(5) has it: R, S, D, Z, T, t, I, X …
    start_time: float  # Unix s
    start_ticks: int  # clock ticks after boot; never moves when the clock is set
    threads: int
    cpu_seconds: float  # user and system
    resident_bytes: int
    virtual_bytes: int
    read_bytes: int | None  # from storage; None where we may not know
    write_bytes: int | None  # to storage; None where we may not know
    kernel: bool = False  # a kernel thread
    comm: str = ""  # what it calls itself, at most 15 bytes
    arguments: str | None = None  # only where asked for, with secrets masked
    owner: Owner | None = None  # who it belongs to; None where nobody was asked

    @property
    def identity(self) -> tuple[int, int]:
        """What tells this process from a later one of the same number."""
        return (self.pid, self.start_ticks)
