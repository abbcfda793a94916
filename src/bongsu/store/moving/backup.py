"""Copies a store into one plain file while it is written to, and puts such a copy in its place again."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import sqlite3
import stat
import time
from collections.abc import Callable, Iterator

from bongsu.model.errors import BadInput, NotKnown
from bongsu.model.message import Message
from bongsu.store.layout.file import code, open_for_reading, size
from bongsu.store.layout.interruptible import interruptible
from bongsu.store.layout.new_file import NO_LINKS, appearing

_PAGES = 2048  # of 4 KiB, copied between two looks at Ctrl-C
_WAITS_MS = 10_000

Progress = Callable[[float], None]  # told the share that is done, 0 to 1


def back_up(source: str, target: str, *, replace: bool, progress: Progress = lambda _: None) -> int:
    """Copy the store's file as it is at this moment; the size of the copy in bytes.

    SQLite's online backup, within one reading transaction: the writer goes on, and the copy never starts again
    because of it, as it does where each step reads anew. Until the copy is done the WAL cannot be emptied. The copy
    is checked whole before it gets its name; only its owner can read it. What the writer had not committed yet
    (seconds, see `store.commit_every`) is not in it.

    Raises:
        BadInput: there is such a file, or one in use, or the source is no store of ours.
        NotKnown: the source is damaged, so a copy would be too.
        OSError: it cannot be written.
    """
    for side in ("-wal", "-journal"):
        if os.path.lexists(target + side):  # SQLite would take it for the copy's, and ruin that by it
            raise BadInput(
                Message("{path}: {side} lies beside it, so it is in use or its program was killed; give another name",
                        path=target, side=os.path.basename(target + side))
            )  # fmt: skip
    with appearing(target, replace=replace, private=True) as unfinished:
        _copy(source, unfinished, target, progress)
        _check(unfinished, shown=source, cure="restore an older backup, or see `bongsu store verify`")
        return os.stat(unfinished).st_size


def restore(backup: str, target: str, *, progress: Progress = lambda _: None) -> str | None:
    """Put a copy of the backup where the store is; the caller holds the lock of the writer.

    The file that was there is set aside; its new path is returned, None where there was none.

    Raises:
        BadInput: the backup is not a store of ours, of a newer version, or damaged.
        OSError: it cannot be written.
    """
    with appearing(target, replace=True, private=True) as unfinished:
        _copy(backup, unfinished, target, progress)
        _check(unfinished, shown=backup, cure="take another backup; nothing was changed")
        return set_aside(target, "before-restore")


def set_aside(path: str, word: str) -> str | None:
    """Keep the store's file under another name too, whole; its path, None where there is no file.

    Afterwards no log of the old file lies beside ``path``: SQLite would take it for the new one's.
    """
    aside = None
    if os.path.exists(path):
        aside = _free(f"{path}.{word}-{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}")
        if size(f"{path}-wal"):
            _name_too(f"{path}-wal", f"{aside}-wal")  # before SQLite sees it: it drops the log of what it cannot read
        if _emptied_log(path):
            _unlink(f"{aside}-wal")
        _name_too(path, aside)
    _unlink(f"{path}-wal")
    _unlink(f"{path}-shm")
    return aside


def _emptied_log(path: str) -> bool:
    """Bring what stands in the log into the file; False if it is damaged, or another program holds on to it."""
    try:
        with contextlib.closing(sqlite3.connect(path, timeout=_WAITS_MS / 1000, isolation_level=None)) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            answer: tuple[str] = connection.execute("PRAGMA journal_mode = DELETE").fetchone()
    except sqlite3.Error:
        return False
    return answer == ("delete",)


def _name_too(path: str, other: str) -> None:
    """Give a file, where there is one, a second name; a copy on a file system that has no hard links."""
    try:
        os.link(path, other)
    except FileNotFoundError:
        return
    except OSError as error:
        if error.errno not in NO_LINKS:
            raise
        shutil.copyfile(path, other)
        os.chmod(other, 0o600)


def _unlink(path: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)


def _open(path: str) -> sqlite3.Connection:
    """Open a file of ours for reading only. Raises BadInput."""
    reason = _unreadable(path)
    if reason is not None:
        raise BadInput(Message("{path}: {reason}; give the path of a history or of a backup", path=path, reason=reason))
    try:
        return open_for_reading(path)
    except sqlite3.Error as error:
        raise BadInput(
            Message("{path}: this is no history of bongsu's, or it is damaged ({reason}); give another file",
                    path=path, reason=error)
        ) from None  # fmt: skip


def _unreadable(path: str) -> str | None:
    """Why a file cannot be read, in the system's words, which SQLite does not have.

    It is not opened: closing it would let go of the locks that this process may hold on it (fcntl(2)).
    """
    try:
        mode = os.stat(path).st_mode
    except OSError as error:
        return (error.strerror or "").lower()
    if not stat.S_ISREG(mode):
        return "is a directory" if stat.S_ISDIR(mode) else "not a file"
    return None if os.access(path, os.R_OK) else os.strerror(errno.EACCES).lower()


def _plain(path: str) -> sqlite3.Connection:
    """A new file without a journal: until it is done it has no name, and nobody needs half of it."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode = OFF")
    connection.execute("PRAGMA synchronous = OFF")  # it is flushed once, when it is whole
    return connection


def _check(path: str, *, shown: str, cure: str) -> None:
    """Raises NotKnown if the file is damaged."""
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        try:
            with interruptible(connection):
                (answer,) = connection.execute("PRAGMA integrity_check(1)").fetchone()
        except sqlite3.Error as error:
            answer = error
    if answer != "ok":
        first = " ".join(str(answer).split())
        raise NotKnown(Message("{path} is damaged ({reason}); {cure}", path=shown, reason=first, cure=cure))


def _copy(source: str, target: str, shown: str, progress: Progress) -> None:
    with contextlib.closing(_open(source)) as reading, contextlib.closing(_plain(target)) as copy:
        reading.execute("BEGIN")
        reading.execute("SELECT count(*) FROM sqlite_schema").fetchone()  # from here on it sees this moment
        try:
            reading.backup(copy, pages=_PAGES, progress=lambda _status, left, all_: progress(1 - left / (all_ or 1)))
            copy.execute("PRAGMA journal_mode = DELETE")  # the header said WAL, as the source's does
        except sqlite3.Error as error:
            if code(error) == sqlite3.SQLITE_FULL:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), shown) from None
            raise NotKnown(
                Message("{path} could not be copied: {reason}; nothing was changed", path=source, reason=error)
            ) from None


def _free(path: str) -> str:
    for number in _numbers():
        candidate = f"{path}{number}"
        if not os.path.lexists(candidate):
            return candidate
    raise AssertionError  # there is no last number


def _numbers() -> Iterator[str]:
    yield ""
    number = 2
    while True:
        yield f"-{number}"
        number += 1
