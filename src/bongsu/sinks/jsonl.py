"""Appends each batch as one line of JSON to a file that is rotated by size and age.

A line is an object as `bongsu collect --format json` gives it, without the live tables: ``format`` (1; grows when a
key changes its meaning or goes), ``time`` (Unix s), ``collectors``, ``samples``, ``absences``. Values are written in
full: integers as they are, floats with the digits that give the same float back. NaN and infinities, which JSON does
not have, are the texts "NaN", "+Inf" and "-Inf". Bytes that were not UTF-8 are U+FFFD.

A process that is killed while it writes leaves a piece of a line; the next one begins a new line after it. So a
reader should skip a line that it cannot parse.
"""

from __future__ import annotations

import contextlib
import json
import math
import os

import msgspec

from bongsu.model.batch import Absence, Batch, Outcome, Sample
from bongsu.model.errors import BadInput
from bongsu.model.message import Message
from bongsu.model.metric import MetricSpec
from bongsu.model.utf8 import valid_text
from bongsu.sinks.file_path import resolved
from bongsu.sinks.jsonl_rotation import Rotation

FORMAT = 1  # of a line; the same number and meaning as that of `bongsu collect --format json`
_WORDS = {math.inf: '"+Inf"', -math.inf: '"-Inf"'}


class JsonlSink:
    """A growing file of batches.

    A write that fails (a full disk) is taken back, so that the file ends in a whole line, and raises;
    the next batch is tried again. A file that was moved away by somebody else is begun anew.

    Args:
        path: the file that grows; rotated ones get the time of rotation after its name.
        max_bytes: rotate before the file would grow beyond this size.
        max_age: rotate when the file's first line is this many seconds old.
        keep: how many rotated files stay.
        compress: gzip rotated files, in the background.
        fsync: also survive a power failure; costs a disk flush per batch.
        option: the word for the path in complaints.

    Raises:
        BadInput: the path is a directory or a device, or cannot be written.
    """

    name = "jsonl"

    def __init__(
        self, path: str, *, max_bytes: int = 64 * 1024 * 1024, max_age: float = 86400.0, keep: int = 7,
        compress: bool = False, fsync: bool = False, option: str = "sinks.jsonl.path",
    ) -> None:  # fmt: skip
        self._path = resolved(path, option)
        self._max_bytes = max_bytes
        self._max_age = max_age
        self._fsync = fsync
        self._beginnings: dict[tuple[MetricSpec, tuple[str, ...]], str] = {}
        self._fd = -1
        self._size = 0
        self._born: float | None = None  # time of the first line, None while there is none
        self._begins_line = True
        try:
            self._open()
        except OSError as error:
            raise BadInput(
                Message("{option} {path}: {reason}; let this user write there, or give another path",
                        option=option, path=path, reason=(error.strerror or "").lower())
            ) from None  # fmt: skip
        self._rotation = Rotation(self._path, keep, compress)

    def write(self, batch: Batch) -> None:
        """Append one line. Raises OSError if it could not be written or the file could not be rotated."""
        line = self._line(batch)
        self._reopen_if_moved()
        problem: OSError | None = None
        if self._size and self._is_full(len(line), batch.time):
            try:
                self._rotate(batch.time)
            except OSError as error:
                problem = error  # the line must not be lost for it
                if self._fd < 0:
                    raise
        self._append(line if self._begins_line else b"\n" + line)
        if self._born is None:
            self._born = batch.time
        if problem is not None:
            raise problem

    def close(self) -> None:
        """Let go of the file; a compression under way is given up and done at the next start."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
        self._rotation.close()

    def _is_full(self, more: int, now: float) -> bool:
        if self._size + more > self._max_bytes:
            return True
        if self._born is None or now < self._born:  # the clock was set back
            self._born = now
        return now - self._born >= self._max_age

    def _rotate(self, now: float) -> None:
        self._rotation.rotate(now)
        os.close(self._fd)
        self._fd = -1
        self._open()

    def _open(self) -> None:
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
        self._fd = os.open(self._path, flags, 0o644)
        self._size = os.fstat(self._fd).st_size
        self._begins_line = not self._size or os.pread(self._fd, 1, self._size - 1) == b"\n"
        self._born = self._first_time() if self._size else None

    def _first_time(self) -> float:
        first = os.pread(self._fd, 4096, 0).partition(b'"time":')[2].partition(b",")[0]
        try:
            return float(first)
        except ValueError:  # a file that another program began
            return os.fstat(self._fd).st_mtime

    def _reopen_if_moved(self) -> None:
        if self._fd >= 0:
            ours = os.fstat(self._fd)
            try:
                there = os.stat(self._path)
            except FileNotFoundError:
                there = None
            if there is not None and (there.st_ino, there.st_dev) == (ours.st_ino, ours.st_dev):
                if there.st_size != self._size:  # truncated by hand
                    self._size = there.st_size
                    self._begins_line = not self._size or os.pread(self._fd, 1, self._size - 1) == b"\n"
                return
            os.close(self._fd)
            self._fd = -1
        self._open()

    def _append(self, line: bytes) -> None:
        written = 0
        try:
            while written < len(line):
                written += os.write(self._fd, line[written:] if written else line)
            if self._fsync:
                os.fsync(self._fd)
        except OSError:
            if written:
                self._begins_line = False
                with contextlib.suppress(OSError):
                    os.ftruncate(self._fd, self._size)
                    written, self._begins_line = 0, True
            self._size += written
            raise
        self._size += written
        self._begins_line = True

    def _line(self, batch: Batch) -> bytes:
        known, beginnings, samples = self._beginnings, {}, []
        for sample in batch.samples:
            series = (sample.spec, sample.labels)
            beginning = known.get(series) or _beginning(sample)
            beginnings[series] = beginning
            samples.append(f"{beginning}{_number(sample.value)}}}")
        self._beginnings = beginnings  # so that nothing is kept of a series that has gone
        collectors = msgspec.json.encode([_outcome(outcome) for outcome in batch.outcomes]).decode()
        absences = msgspec.json.encode([_absence(absence) for absence in batch.absences]).decode()
        return (
            f'{{"format":{FORMAT},"time":{_number(batch.time)},"collectors":{collectors},'
            f'"samples":[{",".join(samples)}],"absences":{absences}}}\n'
        ).encode()


def _beginning(sample: Sample) -> str:
    labels = {name: valid_text(value) for name, value in zip(sample.spec.labels, sample.labels, strict=True)}
    text = json.dumps(labels, ensure_ascii=False, separators=(",", ":"))
    return f'{{"name":"{sample.spec.name}","labels":{text},"value":'


def _number(value: float) -> str:
    if isinstance(value, int):  # a bool too
        return str(int(value))
    value = float(value)
    if math.isfinite(value):
        return repr(value)
    return _WORDS.get(value, '"NaN"')


def _plain_number(value: float | None) -> float | str | None:
    return value if value is None or math.isfinite(value) else _number(value).strip('"')


def _text(message: Message | None) -> str | None:
    return None if message is None else valid_text(str(message))


def _outcome(outcome: Outcome) -> dict[str, object]:
    return {
        "collector": outcome.collector, "success": outcome.success, "seconds": outcome.seconds,
        "cpu_seconds": outcome.cpu_seconds, "error": _text(outcome.error), "no_data": _text(outcome.no_data),
        "cure": _text(outcome.cure),
    }  # fmt: skip


def _absence(absence: Absence) -> dict[str, object]:
    labels = {name: valid_text(value) for name, value in zip(absence.spec.labels, absence.labels, strict=True)}
    return {
        "name": absence.spec.name, "labels": labels, "why": absence.why.value, "reason": _text(absence.reason),
        "cure": _text(absence.cure), "last": _plain_number(absence.last), "last_time": absence.last_time,
    }  # fmt: skip
