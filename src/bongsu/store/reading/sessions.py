"""Connections for readers: each is used for moments only, so that the write-ahead log can shrink."""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from collections.abc import Callable, Iterator

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

    @contextlib.contextmanager
    def open(self) -> Iterator[sqlite3.Connection]:
        """A connection within a read transaction: all that is read belongs to one moment. Be quick.

        Where there is no file yet it is an empty store in memory.

        Raises:
            BadInput: the file is of a newer version or cannot be read.
            NotKnown: it is broken.
        """
        connection, identity = self._taken()
        usable = False
        try:
            connection.execute("BEGIN")
            yield connection
            usable = True
        except sqlite3.Error as error:
            raise self.unreadable(error) from error
        finally:
            if usable:
                connection.execute("ROLLBACK")
                with self._lock:
                    if identity is not None and identity == self._identity and len(self._idle) < _MOST_IDLE:
                        self._idle.append(connection)
                    else:
                        usable = False
            if not usable:
                self._end(connection)

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
            self._end(connection)

    def __del__(self) -> None:
        """Readers are let go without ceremony, as at a reload; their files are not."""
        self.close()

    def _end(self, connection: sqlite3.Connection) -> None:
        self._versions.pop(id(connection), None)
        connection.close()

    def unreadable(self, error: sqlite3.Error) -> NotKnown:
        """What to raise for an error of SQLite's, or for damage that was found later."""
        return NotKnown(Message("{path}: the history cannot be read: {reason}", path=self.path, reason=str(error)))

    def _taken(self) -> tuple[sqlite3.Connection, tuple[int, int] | None]:
        # An empty one is about to be filled by a writer that has just begun.
        identity = file.identity(self.path) if file.size(self.path) else None
        stale: list[sqlite3.Connection] = []
        with self._lock:
            if identity != self._identity:
                stale, self._idle = self._idle, []
                self._identity = identity
                self._replaced()
            connection = self._idle.pop() if self._idle else None
        for old in stale:
            self._end(old)
        if connection is None:
            try:
                connection = _empty() if identity is None else file.open_for_reading(self.path)
            except sqlite3.Error as error:
                raise self.unreadable(error) from error
        return connection, identity


def _empty() -> sqlite3.Connection:
    connection = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
    connection.executescript(schema.TABLES)
    return connection
