"""Lets Ctrl-C end a long statement of SQLite, which by itself hears it only between two rows."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

_EVERY = 10_000  # instructions of SQLite's machine: well below a tenth of a second


@contextmanager
def interruptible(connection: sqlite3.Connection) -> Iterator[None]:
    """Within the block, KeyboardInterrupt is raised also while a statement runs.

    Python runs signal handlers when SQLite calls back; what they raise is swallowed there and ends the statement as
    interrupted, so it is raised again here.
    """
    connection.set_progress_handler(lambda: _still_wanted(), _EVERY)  # noqa: PLW0108  looked up anew each time
    try:
        yield
    except sqlite3.OperationalError as error:
        if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_INTERRUPT:
            raise KeyboardInterrupt from None
        raise
    finally:
        connection.set_progress_handler(None, 0)


def _still_wanted() -> int:
    """A moment for Python to see Ctrl-C."""
    return 0
