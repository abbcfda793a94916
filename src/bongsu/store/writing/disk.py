"""The connection that writes the store: commits, what is done between them, and what can go wrong on a disk."""

from __future__ import annotations

import contextlib
import errno
import os
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from bongsu.model.errors import BadInput, BongsuError
from bongsu.model.message import Message
from bongsu.store.layout import file, place, schema
from bongsu.store.layout.catalogue import Stored, Unsaved
from bongsu.store.layout.hot import HotRow
from bongsu.store.layout.lock import Lock
from bongsu.store.writing.facts import Span
from bongsu.store.writing.upkeep import Upkeep

_ROOM = 8 * 1024 * 1024  # bytes; where so many are free, it is the cap that keeps the file from growing
STANDING = "standing"  # the key in `meta` of the layouts that stand: there is none after an orderly end


class Blocked(BongsuError):  # noqa: N818  not a failure of ours but a state of the disk
    """Nothing can be written now; it is tried again."""


class AtCap(Blocked):
    """The file may not grow: upkeep can make room."""


class Broken(BongsuError):  # noqa: N818  as above
    """The file can no longer be used: another must begin. ``reason`` is SQLite's, None where the file is gone."""

    def __init__(self, message: Message, reason: str | None) -> None:
        super().__init__(message)
        self.reason = reason


class Left(NamedTuple):
    """What an earlier process left: the number and time of its newest row; layouts that stood when it was killed."""

    seq: int
    newest: int | None
    standing: bytes


class Disk:
    """One open store, of which ``lock`` is held. Not for two threads at once.

    ``wal_limit`` is the size in bytes of the write-ahead log above which nothing is written until whoever reads from
    it has ended.
    """

    def __init__(
        self, path: str, upkeep: Upkeep, lock: Lock, *, durable: bool, wal_limit: int, say: Callable[[Message], None]
    ) -> None:
        self.path = path
        self.upkeep = upkeep
        self._lock = lock
        self._durable = durable
        self._wal_limit = wal_limit
        self._say = say
        self.spans: dict[int, Span] = {}
        self._unusable: Broken | None = None
        self._segments = 0
        self.connection = self._open()
        _opened.append(self.connection)

    def configure(self, *, raw_seconds: float, minutes_seconds: float, max_bytes: int) -> None:
        """Other limits from now on."""
        self.upkeep.limit(raw_seconds=raw_seconds, minutes_seconds=minutes_seconds, max_bytes=max_bytes)
        with self._trouble():
            file.set_cap(self.connection, max_bytes)

    def left(self) -> Left:
        """What an earlier process left."""
        one = self.connection.execute
        seq, ts = one("SELECT seq, ts FROM hot ORDER BY seq DESC LIMIT 1").fetchone() or (0, None)
        if ts is None:
            (ts,) = one("SELECT max(last) FROM segment WHERE tier = ?", (schema.RAW,)).fetchone()
        (kept,) = one("SELECT value FROM meta WHERE key = ?", (STANDING,)).fetchone() or (b"",)
        return Left(seq, ts, kept)

    def commit(self, rows: Sequence[HotRow], standing: bytes | None, unsaved: Unsaved, *, urgent: bool = False) -> None:
        """Write rows, in one transaction with what they name; ``standing`` as `intake.Taken` has it.

        ``urgent`` writes also where the log is over its limit.

        Raises:
            Blocked, Broken: nothing of it was written.
        """
        self._check_there()
        if not urgent:
            self._check_log()
        with self._trouble():
            self.connection.execute("BEGIN IMMEDIATE")
            try:
                unsaved.save(self.connection)
                self.connection.executemany(
                    'INSERT INTO hot(seq, ts, layouts, "values") VALUES(?, ?, ?, ?)',
                    [(row.seq, row.ts, row.layouts, row.values) for row in rows],
                )
                if standing is not None:
                    self.connection.execute("INSERT OR REPLACE INTO meta VALUES(?, ?)", (STANDING, standing))
                self.connection.execute("COMMIT")
            except BaseException:
                self._roll_back()
                raise

    def tend(self, now: int, sure: int, between: Callable[[], None]) -> bool:
        """Seal, merge and let go of what is due at ``now`` (Unix ms); returns whether anything was.

        ``sure`` is as in `clock.Clock`. ``between`` is called between two steps and may `commit`.

        Raises:
            Blocked, Broken: it was not done, or not all of it.
        """
        if not self.upkeep.is_due(now):
            return False
        self._check_there()
        self._check_log()
        with self._trouble():
            try:
                self.upkeep.run(self.connection, now, sure, between)
                self.look()
            except BaseException:
                self._roll_back()
                raise
        return True

    def look(self) -> None:
        """Read again what `spans` says."""
        for tier in (schema.RAW, schema.MINUTES):
            found = self.connection.execute("SELECT min(first), max(last) FROM segment WHERE tier = ?", (tier,))
            self.spans[tier] = Span(*found.fetchone())
        kept = self.connection.execute("SELECT seq FROM sqlite_sequence WHERE name = 'segment'").fetchone()
        self._segments = max(self._segments, kept[0] if kept else 0)

    def stored(self) -> Stored:
        """What the file has of the catalogue. Raises Blocked, Broken."""
        with self._trouble():
            return Stored.read(self.connection)

    def begin_anew(self, reason: str | None) -> None:
        """Set the broken file aside (no reason: it is gone) and begin another.

        Raises:
            Blocked: there can be none now.
        """
        self._unusable = Broken(Message("{path} is broken", path=self.path), reason)
        with contextlib.suppress(sqlite3.Error):
            self.connection.close()
        try:
            if reason is not None:
                aside = file.set_aside(self.path)
                self._say(file.set_aside_message(self.path, aside, reason))
            self.connection = self._open()
            # Numbers of segments go on, since readers remember them.
            self.connection.execute("INSERT INTO sqlite_sequence VALUES('segment', ?)", (self._segments,))
        except OSError as error:
            raise Blocked(_cannot_write(self.path, (error.strerror or "").lower())) from None
        except BadInput as error:
            raise Blocked(error.message) from None
        except sqlite3.Error as error:
            raise Blocked(_cannot_write(self.path, str(error))) from None
        self._unusable = None
        _opened.append(self.connection)
        self.upkeep.hurry()

    def close(self) -> None:
        """Let go of the file, with an empty log: whoever copies the file then has all of it."""
        with contextlib.suppress(sqlite3.Error):
            self.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        with contextlib.suppress(sqlite3.Error):
            self.connection.close()
        with contextlib.suppress(ValueError):
            _opened.remove(self.connection)

    def _open(self) -> sqlite3.Connection:
        connection = file.open_for_writing(
            self.path, durable=self._durable, max_bytes=self.upkeep.max_bytes, say=self._say
        )
        self._identity, self._log = file.identity(self.path), file.identity(self.path + "-wal")
        return connection

    def _check_there(self) -> None:
        if self._unusable is not None:
            raise self._unusable
        try:
            self._lock.keep()
        except BadInput as error:
            raise Blocked(error.message) from None
        identity = file.identity(self.path)
        if identity == self._identity:
            if file.identity(self.path + "-wal") != self._log:
                self._save_log()
            return
        if identity is None:
            message = Message("{path} was removed while it was in use; a new history begins", path=self.path)
            raise Broken(message, None)
        raise Blocked(
            Message("{path} was replaced by another file while it was in use; start this process again to use that one",
                    path=self.path)
        )  # fmt: skip

    def _save_log(self) -> None:
        """Somebody removed the log, which is open here still: what is in it goes into the file, before it is lost."""
        with self._trouble(), contextlib.suppress(sqlite3.ProgrammingError):  # closed by an attempt that failed
            busy, _, _ = self.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            if busy:
                raise Blocked(Message("{path}-wal was removed while another program reads it; readings wait in memory "
                                      "until it ends", path=self.path))  # fmt: skip
            self.close()
        try:
            self.connection = self._open()
        except BadInput as error:
            raise Blocked(error.message) from None
        _opened.append(self.connection)
        self._say(Message("{path}-wal was removed while it was in use: it is part of the history; what was in it could "
                          "be saved", path=self.path))  # fmt: skip

    def _check_log(self) -> None:
        """Raises Blocked where the log has grown to its limit and cannot begin anew."""
        most = self.upkeep.max_bytes
        limit = self._wal_limit if most is None else min(self._wal_limit, file.log_limit(most))
        if file.size(self.path + "-wal") <= limit:
            return
        with self._trouble():
            busy, frames, copied = self.connection.execute("PRAGMA wal_checkpoint(RESTART)").fetchone()
        if not busy or frames == copied == 0:
            return
        held = place.readers(self.path)
        if held:
            pid, name = held[0]
            raise Blocked(
                Message("process {pid} ({name}) has been reading {path} for so long that its log has grown to its "
                        "limit: readings wait in memory until it ends", pid=pid, name=name, path=self.path)
            )  # fmt: skip
        raise Blocked(
            Message("a program has been reading {path} for so long that its log has grown to its limit: readings wait "
                    "in memory until it ends", path=self.path)
        )  # fmt: skip

    @contextlib.contextmanager
    def _trouble(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise self._understood(error) from error

    def _understood(self, error: sqlite3.Error) -> BongsuError:
        if file.is_broken(error):
            return Broken(Message("{path} is broken: {reason}", path=self.path, reason=str(error)), str(error))
        code = file.code(error)
        if code == sqlite3.SQLITE_FULL:
            if self.upkeep.max_bytes is not None and _free_bytes(self.path) >= _ROOM:
                self.upkeep.hurry()
                return AtCap(
                    Message("{path} has reached store.max_bytes; the oldest readings are let go", path=self.path)
                )
            reason = os.strerror(errno.ENOSPC).lower()
            return Blocked(
                Message("{path}: {reason}; readings wait in memory until there is room", path=self.path, reason=reason)
            )
        if code in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}:
            return Blocked(
                Message("{path}: another program has locked it; readings wait in memory until it is done",
                        path=self.path)
            )  # fmt: skip
        return Blocked(_cannot_write(self.path, str(error)))

    def _roll_back(self) -> None:
        with contextlib.suppress(sqlite3.Error):
            if self.connection.in_transaction:
                self.connection.execute("ROLLBACK")


def _free_bytes(path: str) -> int:
    status = os.statvfs(os.path.dirname(path))
    return status.f_bavail * status.f_frsize


def _cannot_write(path: str, reason: str) -> Message:
    return Message("{path}: {reason}; readings wait in memory, and it is tried again", path=path, reason=reason)


# A child made by fork must neither use nor close its copy (sqlite.org/howtocorrupt.html 2.6): it keeps it, unused.
_opened: list[sqlite3.Connection] = []
