"""The folder of a run: where it lies, what its files are called, who may read them, and whether it is still written."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import re
import time
from collections.abc import Mapping
from typing import NamedTuple

import msgspec

from bongsu import __version__
from bongsu.model.errors import BadInput
from bongsu.model.message import Message
from bongsu.model.run import SCHEMA, Metadata
from bongsu.records import segment

METADATA, RECORD, SUMMARY = "run.json", "record.seg", "summary.json"
ID = re.compile(r"\d{8}-\d{6}-.+-[0-9a-f]{4}")
RUNNING, ENDED, LOST, UNKNOWN = "running", "ended", "lost", "unknown"

_NOT_PLAIN = re.compile(r"[^A-Za-z0-9._-]+")
_LONGEST_NAME = 40  # of a program, in an id
_STARTING_SECONDS = 60.0  # a folder this young without a record may be one whose monitor is about to begin
_NO_LOCKS = (errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL)  # a file system without flock(2)
_VERSION = re.compile(r"bongsu-run/(\d{1,9})")
_READABLE = 1  # the newest version of the schema that this program reads


class NewerSchema(BadInput):
    """A newer version of this program wrote it."""


class Made(NamedTuple):
    """A new folder and the id of its run."""

    id: str
    folder: str


def runs_directory(given: str | None, environment: Mapping[str, str], default: str | None) -> str:
    """Where runs lie: what was given (``--runs-dir``), else ``$BONGSU_RUNS_DIR``, else ``default``; absolute.

    Raises:
        BadInput: there is no default, since this user has no home directory.
    """
    place = given or environment.get("BONGSU_RUNS_DIR") or default
    if not place:
        raise BadInput(
            Message("this user has no home directory to keep runs in; give --runs-dir DIR or set BONGSU_RUNS_DIR")
        )
    return os.path.abspath(place)


def create(directory: str, program: str, started: float) -> Made:
    """Make a folder of its own for a run that starts now; readable for this user alone.

    Args:
        directory: where runs lie; made where it is missing.
        program: its name, which becomes a part of the id: what is no plain character in it is a ``_`` there.
        started: Unix s.

    Raises:
        BadInput: it cannot be made there.
    """
    plain = _NOT_PLAIN.sub("_", os.path.basename(program))[:_LONGEST_NAME].strip("._-") or "run"
    begin = f"{time.strftime('%Y%m%d-%H%M%S', time.gmtime(started))}-{plain}"
    try:
        os.makedirs(directory, mode=0o700, exist_ok=True)
        while True:
            name = f"{begin}-{os.urandom(2).hex()}"
            folder = os.path.join(directory, name)
            with contextlib.suppress(FileExistsError):
                os.mkdir(folder, 0o700)
                return Made(name, folder)
    except OSError as error:
        raise BadInput(
            Message(
                "{directory}: runs cannot be kept here: {reason}; give --runs-dir DIR that this user may write to",
                directory=directory, reason=(error.strerror or "").lower(),
            )
        ) from None  # fmt: skip


def write_metadata(folder: str, metadata: Metadata) -> None:
    """Write run.json. Raises OSError."""
    write_whole(os.path.join(folder, METADATA), encoded(metadata))


def read_metadata(folder: str) -> Metadata | None:
    """What run.json says; None if it is missing, torn or nothing of ours.

    Raises:
        NewerSchema: a newer version of this program wrote it.
        PermissionError: it may not be read.
    """
    try:
        with segment.plain(os.path.join(folder, METADATA)) as file:
            data = file.read()
    except (FileNotFoundError, NotADirectoryError, segment.NotPlain):
        return None
    try:
        known = segment.decoded(data)
    except (ValueError, RecursionError):
        return None
    if not isinstance(known, dict):
        return None
    check_schema(known.get("schema"), os.path.join(folder, METADATA))
    try:
        return msgspec.convert(known, Metadata)
    except (msgspec.ValidationError, UnicodeEncodeError):  # the latter of a word of a fixed set that is no Unicode
        return None


def check_schema(schema: object, where: str) -> None:
    """Refuse what a newer version of this program wrote. Raises NewerSchema."""
    found = _VERSION.fullmatch(schema) if isinstance(schema, str) else None
    if found and int(found[1]) > _READABLE:
        raise NewerSchema(
            Message(
                "{where}: its schema is {schema}, and bongsu {version} reads none newer than {readable}; "
                "read it with the version of bongsu that wrote it, or a newer one",
                where=where, schema=schema, version=__version__, readable=SCHEMA,
            )
        )  # fmt: skip


def write_whole(path: str, data: bytes) -> None:
    """Put a file in its place in one step, 0600, on the disk: a crash leaves the old one or the new one.

    Raises:
        OSError: it cannot be written; what was there is untouched.
    """
    unfinished = f"{path}.{os.urandom(4).hex()}.tmp"  # not to be guessed: root may write in a user's folder
    try:
        fd = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            written = 0
            while written < len(data):
                written += os.write(fd, data[written:] if written else data)
            os.fsync(fd)
        finally:
            os.close(fd)
        os.rename(unfinished, path)
    except OSError:
        with contextlib.suppress(OSError):
            os.unlink(unfinished)
        raise
    directory = os.open(os.path.dirname(path) or ".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        with contextlib.suppress(OSError):  # not every file system lets a directory be flushed
            os.fsync(directory)
    finally:
        os.close(directory)


def encoded(value: object) -> bytes:
    """JSON of structs, ASCII; bytes that were not UTF-8 stay lone surrogates, as escapes."""
    return json.dumps(msgspec.to_builtins(value), allow_nan=False).encode("ascii")


def is_written(folder: str) -> bool | None:
    """Whether a monitor holds the record of this run now; None where the file system cannot tell.

    The lock is asked for shared and given back at once: flock(2) has no other way to ask.

    Raises:
        PermissionError: the record may not be read.
    """
    path = os.path.join(folder, RECORD)
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except (FileNotFoundError, NotADirectoryError):
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
        return False
    except BlockingIOError:
        return True
    except OSError as error:
        if error.errno in _NO_LOCKS:
            return None
        raise
    finally:
        os.close(fd)


def state(folder: str, *, ended: bool, interval_seconds: float) -> str:
    """running, ended, lost (its monitor died before the end), or unknown where locks are not to be had.

    Args:
        folder: of the run.
        ended: whether its record says so.
        interval_seconds: between two samples; 0 where that is not known.
    """
    written = is_written(folder)
    if written:
        return RUNNING
    if ended:
        return ENDED
    age = _age_seconds(folder)
    if written is None:  # without locks: one that was written within two intervals may go on
        return UNKNOWN if age is None or age <= 2 * interval_seconds + 10 else LOST
    begun = any(
        os.path.exists(os.path.join(folder, name)) for name in (RECORD, SUMMARY)
    )  # a summary renews the folder's age
    if age is not None and age < _STARTING_SECONDS and not begun:
        return RUNNING
    return LOST


def _age_seconds(folder: str) -> float | None:
    """Since the record, or else the folder, was written last; None if the clock went back or nothing is there."""
    for path in (os.path.join(folder, RECORD), folder):
        with contextlib.suppress(OSError):
            age = time.time() - os.stat(path).st_mtime
            return age if age >= 0 else None
    return None
