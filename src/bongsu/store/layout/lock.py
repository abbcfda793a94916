"""One writer at a time: a lock on a file beside the store's file, which the kernel drops with the process."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import weakref
from types import TracebackType
from typing import Self

from bongsu.model.errors import BadInput
from bongsu.model.message import Message

_held: weakref.WeakSet[Lock] = weakref.WeakSet()


class Lock:
    """Held from when it is made until `release`, or until the process ends in whatever way.

    What counts is flock(2), not that the file is there: it stays when the lock is released, with the pid of the one
    who held it last. A child made by fork gives its copy of the descriptor up, so that it cannot hold the lock on.

    Raises:
        BadInput: another process (its pid is named) holds it, or the file cannot be made.
    """

    def __init__(self, path: str) -> None:
        self.path = path + ".lock"
        self._fd = self._taken(path)
        _held.add(self)

    def keep(self) -> None:
        """Where the file was removed, which leaves the next one free to make and lock its own: make and lock it again.

        Raises:
            BadInput: another process was faster, or the file cannot be made.
        """
        try:
            status = os.stat(self.path, follow_symlinks=False)
        except FileNotFoundError:
            status = None
        except OSError:
            return
        own = os.fstat(self._fd)
        if status is not None and (status.st_dev, status.st_ino) == (own.st_dev, own.st_ino):
            return
        fd = self._taken(self.path.removesuffix(".lock"))
        os.close(self._fd)
        self._fd = fd

    def _taken(self, path: str) -> int:
        try:
            os.makedirs(os.path.dirname(os.path.abspath(path)), mode=0o700, exist_ok=True)
            fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        except OSError as error:
            raise _cannot_write(path, error) from None
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = _holder(fd)
            os.close(fd)
            if error.errno not in {errno.EWOULDBLOCK, errno.EACCES}:
                raise _cannot_write(path, error) from None
            raise BadInput(
                Message("{path}: process {pid} writes this history already; stop it, or give this one another file "
                        "(store.path, --data-dir) or none (--no-store)", path=path, pid=holder)
            ) from None  # fmt: skip
        with contextlib.suppress(OSError):  # a full disk: who holds it cannot be told, but it is held
            os.ftruncate(fd, 0)
            os.pwrite(fd, f"{os.getpid()}\n".encode(), 0)
        return fd

    def release(self) -> None:
        """Let the next one write."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()


def _holder(fd: int) -> str:
    with contextlib.suppress(OSError):
        text = os.pread(fd, 32, 0).strip()
        if text.isdigit():
            return text.decode()
    return "?"


def _cannot_write(path: str, error: OSError) -> BadInput:
    return BadInput(
        Message("{path}: {reason}; let this user write there, or give another file (store.path, --data-dir)",
                path=path, reason=(error.strerror or "").lower())
    )  # fmt: skip


def _give_up_in_child() -> None:
    for lock in list(_held):
        lock.release()


os.register_at_fork(after_in_child=_give_up_in_child)
