"""The file that this process writes: the lines of `bongsu.records.segment`, in the few that a program can afford.

A test holds that both write the same bytes.
"""

from __future__ import annotations

import errno
import os
import zlib
from json import JSONEncoder
from typing import Any

LARGEST = 1 << 20  # bytes; then only the last record of each function is kept
_encode = JSONEncoder(separators=(",", ":"), allow_nan=False).encode


def line(record: Any) -> bytes:
    """One record as it stands in a segment."""
    text = _encode(record).encode("ascii")
    return b"%08x %s\n" % (zlib.crc32(text), text)


class Segment:
    """Appends to a file that is made at the first append.

    The program may close our descriptor without knowing it (a daemon closes all) and another file may get its
    number: it is written to only while it is still our file.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self.size = 0
        self._before = 0  # bytes that an earlier program of this process left (exec keeps the pid and the start)
        self._fd = -1
        self._file = (0, 0)
        self._torn = False

    def append(self, lines: bytes) -> None:
        """Write whole lines in one write(2).

        Raises:
            OSError: there is no room, or the folder is gone or not ours any more.
        """
        if not self._is_open():
            self._open(self.path, os.O_APPEND)
            self.size = os.fstat(self._fd).st_size
            self._before = self._before or self.size
            self._torn = self._torn or self.size > 0
        data = b"\n" + lines if self._torn else lines
        self._torn = True
        if os.write(self._fd, data) == len(data):
            self._torn = False
        self.size += len(data)

    def is_large(self) -> bool:
        """Whether `replace` is due."""
        return self.size - self._before > LARGEST

    def replace(self, lines: bytes) -> None:
        """Put these lines in place of all that was appended, in one step that a crash cannot tear.

        Raises:
            OSError: as `append`.
        """
        with open(self.path, "rb") as file:
            before = file.read(self._before)
        self.close()
        fresh = self.path + ".new"
        self._open(fresh, os.O_TRUNC)
        data = before + b"\n" + lines if before else lines
        if os.write(self._fd, data) == len(data):
            os.replace(fresh, self.path)
        self.close()  # the next append opens whichever of the two stands there

    def close(self) -> None:
        """Let the file go."""
        if self._is_open():
            os.close(self._fd)
        self._fd = -1

    def _open(self, path: str, how: int) -> None:
        self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | how, 0o600)
        status = os.fstat(self._fd)
        self._file = (status.st_dev, status.st_ino)

    def _is_open(self) -> bool:
        if self._fd < 0:
            return False
        try:
            status = os.fstat(self._fd)
        except OSError as error:
            if error.errno != errno.EBADF:
                raise  # a TimeoutError, say, of the program's own signal handler
            return False
        return (status.st_dev, status.st_ino) == self._file
