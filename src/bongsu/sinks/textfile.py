"""Writes each batch to a .prom file in one step, for the textfile collector of another exporter."""

from __future__ import annotations

import contextlib
import os
import re
import time

from bongsu.model.batch import Batch
from bongsu.model.errors import BadInput
from bongsu.model.message import Message
from bongsu.sinks.exposition import Exposition
from bongsu.sinks.file_path import resolved

_FORGOTTEN_SECONDS = 60.0  # a temporary file this old belongs to a process that was killed


class TextfileSink:
    """A file in text format 0.0.4 that is replaced as a whole: who reads it sees one batch, never half of one.

    The file stays when the sink is closed; its age tells that nobody writes it any more. With ``remove`` it goes,
    unless another process or sink has replaced it since. node_exporter reads only names that end in ``.prom``, which
    the temporary file beside it does not.

    Args:
        path: the file; a link is followed once, at the start.
        exposition: renders; give the one that HTTP uses, so that both share its segments.
        fsync: also survive a power failure; costs a disk flush per batch.
        mode: the file's permissions; whoever reads it is usually another user.
        remove: take the file away when the sink is closed.
        option: the word for the path in complaints.

    Raises:
        BadInput: the path is a directory or a device, or its directory is missing or not ours to write.
    """

    name = "textfile"

    def __init__(
        self, path: str, exposition: Exposition | None = None, *, fsync: bool = False, mode: int = 0o644,
        remove: bool = False, option: str = "--textfile",
    ) -> None:  # fmt: skip
        self._path = resolved(path, option)
        self._exposition = Exposition() if exposition is None else exposition
        self._fsync = fsync
        self._mode = mode
        self._remove = remove
        self._wrote: tuple[int, int] | None = None  # which file is ours
        self._directory, base = os.path.split(self._path)
        self._temporary = os.path.join(self._directory, f".{base}.{os.getpid()}.tmp")
        try:
            os.close(self._open())
            os.unlink(self._temporary)
        except OSError as error:
            raise BadInput(
                Message("{option} {path}: cannot write in {directory}: {reason}; let this user write there, or give "
                        "another path",
                        option=option, path=path, directory=self._directory, reason=(error.strerror or "").lower())
            ) from None  # fmt: skip
        self._remove_forgotten(base)

    def write(self, batch: Batch) -> None:
        """Replace the file. Raises OSError if that fails; the old file is then still there, whole."""
        text = self._exposition.text(batch)
        try:
            fd = self._open()
            try:
                written = 0
                while written < len(text):
                    written += os.write(fd, text[written:] if written else text)
                if self._fsync:
                    os.fsync(fd)
                status = os.fstat(fd)
            finally:
                os.close(fd)
            os.rename(self._temporary, self._path)
            self._wrote = status.st_dev, status.st_ino
        except OSError:
            with contextlib.suppress(OSError):
                os.unlink(self._temporary)
            raise
        if self._fsync:
            directory = os.open(self._directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                os.fsync(directory)
            finally:
                os.close(directory)

    def close(self) -> None:
        """Nothing is held back; the file goes where that was asked for."""
        if self._remove and self._wrote is not None:
            with contextlib.suppress(OSError):
                status = os.lstat(self._path)
                if (status.st_dev, status.st_ino) == self._wrote:
                    os.unlink(self._path)

    def _open(self) -> int:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self._temporary)  # of a killed process that had our pid
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        fd = os.open(self._temporary, flags, self._mode)
        os.fchmod(fd, self._mode)  # whatever the umask says
        return fd

    def _remove_forgotten(self, base: str) -> None:
        ours = re.compile(rf"\.{re.escape(base)}\.[0-9]+\.tmp")
        with contextlib.suppress(OSError):
            for name in os.listdir(self._directory):
                path = os.path.join(self._directory, name)
                if ours.fullmatch(name) and time.time() - os.lstat(path).st_mtime > _FORGOTTEN_SECONDS:
                    os.unlink(path)
