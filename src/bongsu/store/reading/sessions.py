"""Connections for readers: each is used for moments only, so that the write-ahead log can shrink."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable

from bongsu.model.errors import NotKnown
from bongsu.model.message import Message
from bongsu.store.layout import file, schema

_MOST_IDLE = 4


class Sessions:
    """Gives connections to the store at ``path`` to any thread. ``replaced`` is called when the file is another one."""

    def __init__(self, path: str, replaced: Callable[[], None]) -> None:
        self.path = path
        self._replaced = replaced
        self._identity: tuple[int, int] | None = None
        self._idle: list[sqlite3.Connection] = []
        self._versions: dict[int, int] = {}  # of the file, as each open connection saw it last
        self._lock = threading.Lock()

    def open(self) -> _Use:
        """For ``with``: a connection within a read transaction: all that is read belongs to one moment. Be quick.

        Where there is no file yet it is an empty store in memory.

        Raises:
            BadInput: the file is of a newer version or cannot be read.
            NotKnown: it is broken.
        """
        return _Use(self, begin=True)

    def lent(self) -> _Use:
        """The same without a transaction, for whoever only asks whether anything has changed."""
        return _Use(self, begin=False)

    def same(self, connection: sqlite3.Connection) -> bool:
        """Whether nobody wrote to the file since `changed` was asked of this connection."""
        (version,) = connection.execute("PRAGMA data_version").fetchone()
        return bool(self._versions.get(id(connection)) == version)

    def changed(self, connection: sqlite3.Connection) -> bool:
        """Whether anybody wrote to the file since this was asked of the connection, or it was not asked yet."""
        (version,) = connection.execute("PRAGMA data_version").fetchone()
        before = self._versions.get(id(connection))
        self._versions[id(connection)] = version
        return bool(before != version)

    def close(self) -> None:
        """Close what is idle."""
        with self._lock:
            idle, self._idle = self._idle, []
        for connection in idle:
            self.end(connection)

    def __del__(self) -> None:
        """Readers are let go without ceremony, as at a reload; their files are not."""
        self.close()

    def end(self, connection: sqlite3.Connection) -> None:
        """Close it."""
        self._versions.pop(id(connection), None)
        connection.close()

    def unreadable(self, error: sqlite3.Error) -> NotKnown:
        """What to raise for an error of SQLite's, or for damage that was found later."""
        return NotKnown(Message("{path}: the history cannot be read: {reason}", path=self.path, reason=str(error)))

    def taken(self) -> tuple[sqlite3.Connection, tuple[int, int] | None]:
        """A connection, and the file that it is of; to be given back."""
        identity = file.identity(
            self.path, filled=True
        )  # an empty one is about to be filled by a writer that has just begun
        stale: list[sqlite3.Connection] = []
        with self._lock:
            if identity != self._identity:
                stale, self._idle = self._idle, []
                self._identity = identity
                self._replaced()
            connection = self._idle.pop() if self._idle else None
        for old in stale:
            self.end(old)
        if connection is None:
            try:
                connection = _empty() if identity is None else file.open_for_reading(self.path)
            except sqlite3.Error as error:
                raise self.unreadable(error) from error
        return connection, identity

    def give_back(self, connection: sqlite3.Connection, identity: tuple[int, int] | None) -> None:
        """Keep it for the next one, or close it."""
        with self._lock:
            kept = identity is not None and identity == self._identity and len(self._idle) < _MOST_IDLE
            if kept:
                self._idle.append(connection)
        if not kept:
            self.end(connection)


class _Use:
    """A connection for the time of a ``with``."""

    __slots__ = ("_begin", "_connection", "_identity", "_sessions")

    def __init__(self, sessions: Sessions, *, begin: bool) -> None:
        self._sessions = sessions
        self._begin = begin

    def __enter__(self) -> sqlite3.Connection:
        self._connection, self._identity = self._sessions.taken()
        if self._begin:
            try:
                self._connection.execute("BEGIN")
            except sqlite3.Error as error:
                self._sessions.end(self._connection)
                raise self._sessions.unreadable(error) from error
        return self._connection

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if error is None:
            try:
                if self._begin:
                    self._connection.execute("ROLLBACK")
            except sqlite3.Error as failed:
                self._sessions.end(self._connection)
                raise self._sessions.unreadable(failed) from failed
            self._sessions.give_back(self._connection, self._identity)
            return
        self._sessions.end(self._connection)
        if isinstance(error, sqlite3.Error):
            raise self._sessions.unreadable(error) from error


def _empty() -> sqlite3.Connection:
    connection = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
    connection.executescript(schema.TABLES)
    return connection
