"""The store's file: made, opened, brought up to date, and set aside where it is broken."""

from __future__ import annotations

import errno
import os
import sqlite3
import stat
import time
from collections.abc import Callable
from urllib.parse import quote

from bongsu.model.errors import BadInput
from bongsu.model.message import Message
from bongsu.store.layout import schema

_MAGIC = b"SQLite format 3\0"
PAGE = 4096
BUSY_SECONDS = 0.2  # how long a step waits for another program's lock; the writer must end within about a second
_KEPT_LOG = 4 * 1024 * 1024  # to which the write-ahead log shrinks when it begins anew
_MOST_LOG = 64 * 1024 * 1024
_SIDES = ("-wal", "-shm")
_NO_SHM = frozenset({sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_IOERR})
BROKEN = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})


def open_for_writing(
    path: str, *, durable: bool = False, max_bytes: int | None = None, say: Callable[[Message], None] | None = None
) -> sqlite3.Connection:
    """The store at ``path``, made where there is none (with its directory, 0700) and brought to this version.

    Hold a `lock.Lock` on the path first. The connection may go from thread to thread, one at a time, and begins no
    transaction by itself. A file that is broken is set aside and a new one begun; ``say`` is told.

    Args:
        path: the file; those of SQLite beside it are named after it.
        durable: each commit waits until it is on the disk, so that a power cut loses none.
        max_bytes: beyond this SQLite itself refuses to grow the file.
        say: told what the user should know.

    Raises:
        BadInput: it is another program's file, of a newer version, or cannot be written.
    """
    _make_room(path)
    try:
        return _opened(path, durable, max_bytes)
    except sqlite3.Error as error:
        if not is_broken(error):
            raise _cannot_open(path, error) from None
        reason = str(error)
    _check_was_ours(path)
    aside = set_aside(path)
    if say is not None:
        say(set_aside_message(path, aside, reason))
    _make_room(path)
    try:
        return _opened(path, durable, max_bytes)
    except sqlite3.Error as error:
        raise _cannot_open(path, error) from None


def check_place(path: str) -> None:
    """Ask this before anything is made beside the file. Not while this process has it open: see `place`.

    Raises:
        BadInput: what stands there surely is no history.
    """
    try:
        status = os.stat(path)
        if not stat.S_ISREG(status.st_mode):
            kind = "a directory" if stat.S_ISDIR(status.st_mode) else "not a file"
            raise BadInput(
                Message("{path}: this is {kind}; give another file (store.path, --data-dir)", path=path, kind=kind)
            )
        if status.st_size:
            _check_was_ours(path)
    except OSError:
        pass  # there is none, or we may not look: opening it says so


def set_cap(connection: sqlite3.Connection, max_bytes: int) -> None:
    """Let SQLite itself refuse to grow file and log beyond so many bytes; a file that is larger keeps its size."""
    log = log_limit(max_bytes)
    connection.execute(f"PRAGMA max_page_count = {max((max_bytes - log) // PAGE, 64)}")
    connection.execute(f"PRAGMA wal_autocheckpoint = {max(1, min(_KEPT_LOG, log // 2) // PAGE)}")


def log_limit(max_bytes: int) -> int:
    """Bytes to which the write-ahead log may grow, should someone who reads keep it from beginning anew."""
    return min(_MOST_LOG, max_bytes // 8)


def open_for_reading(path: str) -> sqlite3.Connection:
    """The store at ``path`` for looking only. Close it soon: a transaction held open keeps the log from shrinking.

    Raises:
        BadInput: there is none, it is another program's file or of a newer version, or it cannot be read.
        sqlite3.DatabaseError: it is broken.
    """
    if not os.path.isfile(path):
        raise BadInput(Message("{path}: there is no history; `bongsu up` keeps one, or give --store FILE", path=path))
    uri = f"file:{quote(os.fsencode(path))}?mode=ro"
    try:
        connection = _connect_to_read(uri)
    except sqlite3.OperationalError as error:
        # A log that nobody has open needs a -shm file, which a reader cannot make on a full disk, or who may not write.
        if code(error) not in _NO_SHM or _has_log(path):
            raise _cannot_open(path, error) from None
        try:
            connection = _connect_to_read(uri + "&immutable=1")
        except sqlite3.OperationalError as again:
            raise _cannot_open(path, again) from None
    try:
        _check_made(path, connection)
        _check_ours(path, connection)
        _check_version(path, connection)
    except BaseException:
        connection.close()
        raise
    return connection


def is_broken(error: sqlite3.Error) -> bool:
    """Whether an error says that the file itself is broken."""
    return code(error) in BROKEN


def set_aside(path: str) -> str:
    """Rename a broken file and its log, so that a new one can begin; returns the new name.

    Raises:
        OSError: it cannot be renamed.
    """
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    aside, number = f"{path}.corrupt-{stamp}", 1
    while os.path.lexists(aside):
        number += 1
        aside = f"{path}.corrupt-{stamp}-{number}"
    # The log first: it must not be taken for that of the new file should we be killed in between.
    for side in _SIDES:
        if os.path.lexists(path + side):
            os.rename(path + side, aside + side)
    os.rename(path, aside)
    return aside


def set_aside_message(path: str, aside: str, reason: str) -> Message:
    """What the user is told of it."""
    return Message(
        "{path} was broken ({reason}): it is kept as {aside}, and a new history has begun; `bongsu store verify` "
        "says what can still be read from it",
        path=path, reason=reason, aside=aside,
    )  # fmt: skip


def identity(path: str, *, filled: bool = False) -> tuple[int, int] | None:
    """Device and inode of the file, by which one that was replaced is told; None if there is none.

    With ``filled`` an empty one is none.
    Does not open the file: that would drop SQLite's locks (fcntl(2)).
    """
    try:
        status = os.stat(path)
    except OSError:
        return None
    return None if filled and not status.st_size else (status.st_dev, status.st_ino)


def size(path: str) -> int:
    """Bytes of a file, 0 if there is none. Does not open it."""
    try:
        return os.stat(path).st_size
    except OSError:
        return 0


def _make_room(path: str) -> None:
    directory = os.path.dirname(os.path.abspath(path))
    try:
        os.makedirs(directory, mode=0o700, exist_ok=True)
        # Made by us, since SQLite would make it with the umask's rights; its -wal and -shm take after it.
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NONBLOCK
        fd = os.open(path, flags, 0o600)
    except OSError as error:
        raise BadInput(
            Message("{path}: {reason}; let this user write there, or give another file (store.path, --data-dir)",
                    path=path, reason=(error.strerror or "").lower())
        ) from None  # fmt: skip
    regular = stat.S_ISREG(os.fstat(fd).st_mode)
    os.close(fd)
    if not regular:
        raise BadInput(Message("{path}: this is not a file; give another one (store.path, --data-dir)", path=path))


def _opened(path: str, durable: bool, max_bytes: int | None) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
    try:
        if not _number(connection, "schema_version"):  # nothing was ever made in it
            _create(path, connection)
        _check_ours(path, connection)
        _migrate(path, connection)
        _check_length(path, connection)
        _begin_log(path, connection)
        connection.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
        connection.execute(f"PRAGMA journal_size_limit = {_KEPT_LOG}")
        connection.execute("PRAGMA temp_store = MEMORY")
        # Debian's SQLite overwrites what is deleted with zeros: sealing would write every hot row a second time.
        connection.execute("PRAGMA secure_delete = OFF")
        if max_bytes is not None:
            set_cap(connection, max_bytes)
        connection.execute("SELECT count(*) FROM sqlite_schema, meta").fetchone()
        connection.execute("SELECT max(seq) FROM hot").fetchone()
    except BaseException:
        connection.close()
        raise
    return connection


def _begin_log(path: str, connection: sqlite3.Connection) -> None:
    """Let readers and the writer not wait for each other. A file that came from a backup has no such log yet."""
    (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
    if mode != "wal":
        raise BadInput(
            Message("{path}: this file system cannot hold the history's log; give a file on a local disk (store.path)",
                    path=path)
        )  # fmt: skip


def _create(path: str, connection: sqlite3.Connection) -> None:
    connection.execute(f"PRAGMA page_size = {PAGE}")
    connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
    _begin_log(path, connection)
    connection.executescript(
        f"BEGIN; PRAGMA application_id = {schema.APPLICATION_ID}; PRAGMA user_version = {schema.VERSION};"
        f"{schema.TABLES} COMMIT;"
    )


def _migrate(path: str, connection: sqlite3.Connection) -> None:
    _check_version(path, connection)
    while (version := _number(connection, "user_version")) < schema.VERSION:
        try:
            connection.executescript(
                f"BEGIN; {schema.MIGRATIONS[version]}; PRAGMA user_version = {version + 1}; COMMIT;"
            )
        except sqlite3.Error:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise


def _check_version(path: str, connection: sqlite3.Connection) -> None:
    version = _number(connection, "user_version")
    if version > schema.VERSION:
        raise BadInput(
            Message("{path}: written by a newer Bongsu (version {found} of the file, this one knows up to {known}); "
                    "use that one, or give another file (store.path)",
                    path=path, found=version, known=schema.VERSION)
        )  # fmt: skip


def _check_length(path: str, connection: sqlite3.Connection) -> None:
    """A file that was cut off is found when a lost page is asked for; better at once."""
    if not _has_log(path) and _number(connection, "page_count") * _number(connection, "page_size") > size(path):
        error = sqlite3.DatabaseError("the end of the file is missing")
        error.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
        raise error


def _check_was_ours(path: str) -> None:
    """What never was a database is moved away only where our name or our lock says that it was to be one."""
    with open(path, "rb") as file:  # nobody of this process has it open: see `place`
        head = file.read(len(_MAGIC))
    if head != _MAGIC and not path.endswith(".db"):
        raise _not_ours(path)


def _check_made(path: str, connection: sqlite3.Connection) -> None:
    """A writer that has just begun makes the tables in a moment."""
    if size(path) and not _number(connection, "schema_version"):
        raise BadInput(Message("{path}: nothing has been written into it yet; try again in a moment", path=path))


def _check_ours(path: str, connection: sqlite3.Connection) -> None:
    if _number(connection, "application_id") != schema.APPLICATION_ID:
        raise _not_ours(path)


def _not_ours(path: str) -> BadInput:
    return BadInput(
        Message("{path}: this is not a history of Bongsu's; it is left as it is, give another file (store.path)",
                path=path)
    )  # fmt: skip


def _cannot_open(path: str, error: sqlite3.Error) -> BadInput:
    found = code(error)
    if found == sqlite3.SQLITE_FULL or (found == sqlite3.SQLITE_IOERR and _is_full(path)):
        reason = os.strerror(errno.ENOSPC).lower()
        return BadInput(
            Message("{path}: {reason}; make room there, or give another file (store.path, --data-dir)",
                    path=path, reason=reason)
        )  # fmt: skip
    reason = {
        sqlite3.SQLITE_BUSY: "another program has locked it",
        sqlite3.SQLITE_READONLY: "it may only be read",
    }.get(found, str(error))
    return BadInput(
        Message("{path}: {reason}; let this user write there, or give another file (store.path, --data-dir)",
                path=path, reason=reason)
    )  # fmt: skip


def _is_full(path: str) -> bool:
    """Whether SQLite's own files beside this one can have no room: its error does not say so."""
    try:
        return os.statvfs(os.path.dirname(os.path.abspath(path))).f_bavail == 0
    except OSError:
        return False


def _connect_to_read(uri: str) -> sqlite3.Connection:
    connection = sqlite3.connect(
        uri, uri=True, timeout=BUSY_SECONDS * 10, isolation_level=None, check_same_thread=False
    )
    try:
        connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
        connection.execute("PRAGMA query_only = ON")
    except BaseException:
        connection.close()
        raise
    return connection


def _has_log(path: str) -> bool:
    return size(path + "-wal") > 0


def _number(connection: sqlite3.Connection, pragma: str) -> int:
    (value,) = connection.execute(f"PRAGMA {pragma}").fetchone()
    return int(value)


def code(error: sqlite3.Error) -> int:
    """The primary result code (sqlite.org/rescode.html); -1 where the error is Python's own."""
    return getattr(error, "sqlite_errorcode", -1) & 0xFF if hasattr(error, "sqlite_errorcode") else -1
