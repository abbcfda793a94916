"""Makes a file that appears whole under its name, or not at all."""

from __future__ import annotations

import contextlib
import errno
import os
import tempfile
from collections.abc import Iterator

from bongsu.model.errors import BadInput
from bongsu.model.message import Message

NO_LINKS = {errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK}  # file systems without hard links


@contextlib.contextmanager
def appearing(path: str, *, replace: bool, private: bool) -> Iterator[str]:
    """The path of an empty file in the same directory, which gets its name when the block ends well.

    Whatever ends the block early, Ctrl-C too, leaves nothing behind. ``private`` is mode 0600, else as the umask has it.

    Raises:
        BadInput: without ``replace``, there is such a file, before or by the time that the new one is done.
        OSError: it cannot be written.
    """
    if not replace and os.path.lexists(path):
        raise _taken(path)
    directory = os.path.dirname(path) or "."
    fd, unfinished = tempfile.mkstemp(prefix=f".{os.path.basename(path)[:200]}.", dir=directory)
    try:
        if not private:
            os.fchmod(fd, 0o666 & ~_umask())
        os.close(fd)
        yield unfinished
        _flush(unfinished)
        _name(unfinished, path, replace=replace)
        _flush(directory)
    except BaseException:
        for leftover in (unfinished, f"{unfinished}-journal", f"{unfinished}-wal", f"{unfinished}-shm"):
            with contextlib.suppress(OSError):
                os.unlink(leftover)
        raise


def _name(unfinished: str, path: str, *, replace: bool) -> None:
    if replace:
        os.replace(unfinished, path)
        return
    try:
        os.link(unfinished, path)  # unlike a rename it takes no name that is given
    except FileExistsError:
        raise _taken(path) from None
    except OSError as error:
        if error.errno not in NO_LINKS:
            raise
        if os.path.lexists(path):
            raise _taken(path) from None
        os.rename(unfinished, path)
    else:
        os.unlink(unfinished)


def _taken(path: str) -> BadInput:
    return BadInput(Message("{path}: there is such a file; give another name, or --force to replace it", path=path))


def _flush(path: str) -> None:
    """Onto the disk: a name that survives a power failure must not stand for a file that did not."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _umask() -> int:
    value = os.umask(0o077)
    os.umask(value)
    return value
