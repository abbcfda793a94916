"""A file of records that is only ever appended to, and can be read whatever happened to its end.

Imported by the monitor of a run, which must stay small: the standard library only.
"""

from __future__ import annotations

import errno
import json
import os
import stat
import zlib
from collections.abc import Iterator
from typing import Any, BinaryIO, NamedTuple

_encode = json.JSONEncoder(separators=(",", ":"), allow_nan=False).encode  # ASCII: a lone surrogate is an escape


class Segment:
    """Appends records, one line each: the CRC-32 of the text as eight hex digits, a space, the record in JSON, a newline.

    Each `append` is one write(2), so that a process that is killed leaves whole lines; a torn line at the end of
    a file that another process left behind is ended first, and only it is lost. One process writes a segment;
    after a fork the child makes its own.

    Raises:
        OSError: the file cannot be made, or a record cannot be written (a full disk); the segment can be used again
            once there is room, and what was torn is passed over when read.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        size = os.fstat(self._fd).st_size
        self._torn = size > 0 and os.pread(self._fd, 1, size - 1) != b"\n"

    def fileno(self) -> int:
        """The descriptor, to lock the file by."""
        return self._fd

    def append(self, *records: Any) -> None:
        """Write records that JSON can hold, all in one write."""
        data = b"".join(map(line, records))
        if self._torn:
            data = b"\n" + data
        self._torn = True  # until all of it is there
        written = os.write(self._fd, data)
        while written < len(data):
            written += os.write(self._fd, data[written:])
        self._torn = False

    def sync(self) -> None:
        """Have all that was written on the disk, also after a power cut."""
        os.fdatasync(self._fd)

    def close(self) -> None:
        """Close the file."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


class Read(NamedTuple):
    """What a segment holds: its records, and how many lines were torn or changed and are left out."""

    records: list[Any]
    damaged: int


def line(record: Any) -> bytes:
    """One record as it stands in a segment."""
    text = _encode(record).encode("ascii")
    return b"%08x %s\n" % (zlib.crc32(text), text)


def texts(data: bytes) -> Iterator[bytes | None]:
    """The JSON text of each record in the bytes of a segment; None for each line that is torn or was changed."""
    lines = data.split(b"\n")
    tail = lines.pop()
    checksum = zlib.crc32  # a record of a day has hundreds of thousands of lines
    for one in lines:
        if one:
            text = one[9:]
            yield text if one[:9] == b"%08x " % checksum(text) else None
    if tail:
        yield None  # no newline: its write was cut off


class NotPlain(OSError):  # noqa: N818  said of a file, as IsADirectory is
    """A directory, pipe or device is where a file should be."""


def plain(path: str) -> BinaryIO:
    """A file to read that is nothing but a file: one who opens a pipe would wait for its writer, maybe for ever.

    Raises:
        NotPlain: it is something else.
        OSError: it cannot be read.
    """
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    if stat.S_ISREG(os.fstat(fd).st_mode):
        return open(fd, "rb")
    os.close(fd)
    raise NotPlain(errno.EINVAL, "it is not a plain file", path)


def read(path: str) -> Read:
    """All records of a segment.

    Raises:
        OSError: the file cannot be read.
    """
    with plain(path) as file:
        data = file.read()
    records: list[Any] = []
    damaged = 0
    for text in texts(data):
        try:
            if text is None:
                damaged += 1
            else:
                records.append(decoded(text))
        except (ValueError, RecursionError):  # whole, but nothing that we write
            damaged += 1
    return Read(records, damaged)


def decoded(text: bytes) -> Any:
    """What a JSON text says.

    Raises:
        ValueError: it is no JSON, or holds a number that JSON has none for (1e999 is infinite).
        RecursionError: it is nested too deep.
    """
    return json.loads(text, parse_float=_finite, parse_constant=_finite)


def _finite(text: str) -> float:
    value = float(text)
    if value - value:  # is not 0 of what is infinite or no number
        raise ValueError(f"{text} is not finite")
    return value
