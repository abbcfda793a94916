"""Reads a dump for an import: finds out its format, takes every line of it, and says which lines are wrong."""

from __future__ import annotations

import gzip
import os
import re
import tempfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import IO, Protocol

from bongsu.model.errors import BadInput
from bongsu.model.message import Message
from bongsu.sources.prom_file import NotMetrics
from bongsu.store.moving.importing_json import JsonLines
from bongsu.store.moving.importing_text import TextLines
from bongsu.store.moving.spool import Spool

FORMATS = ("prometheus", "openmetrics", "jsonl")
_LONGEST_LINE = 256 * 1024 * 1024
_HEAD = 64 * 1024
_CHUNK = 1024 * 1024
_MOST_NAMED = 20  # wrong lines that are kept to be shown
_JSON = re.compile(rb'\{\s*"[^"]*"\s*:')
_ONLY_OPENMETRICS = re.compile(
    rb"^# (?:UNIT |TYPE [a-zA-Z_:][a-zA-Z0-9_:]* (?:unknown|info|stateset|gaugehistogram)$)", re.MULTILINE
)
_EOF = re.compile(rb"(?:^|\n)# EOF\s*$")

Progress = Callable[[float], None]  # told the share that is done, 0 to 1


class Lines(Protocol):
    """Takes the lines of one format."""

    def take(self, raw: bytes) -> int:
        """Read one line; how many samples it gave. Raises NotMetrics."""
        ...

    def end(self) -> None:
        """There are no more. Raises NotMetrics if there should be."""
        ...


@dataclass(slots=True)
class Reading:
    """How reading a dump went."""

    format: str
    lines: int = 0
    samples: int = 0
    skipped: int = 0  # lines that were wrong
    cut_off: int = 0  # pieces of lines that a killed writer of JSONL left
    wrong: list[Message] = field(default_factory=list)  # the first of those skipped


def read(
    file: IO[bytes], shown: str, spool: Spool, *, form: str | None = None, time_ms: int | None = None,
    keep_going: bool = False, progress: Progress = lambda _: None,
) -> Reading:  # fmt: skip
    """Take all lines of a dump into the spool.

    Args:
        file: read from its present place; compressed by gzip or not.
        shown: how complaints call it.
        spool: where the samples go.
        form: one of FORMATS; None: found out from the content.
        time_ms: for samples without a timestamp.
        keep_going: pass over lines that are wrong, and count them.
        progress: told how far it is.

    Raises:
        BadInput: a line is wrong, by its number, or there is no sample at all.
        OSError: it cannot be read.
    """
    with _plain(file, shown, spool.directory) as plain:
        head, size = _peek(plain)
        form = form or _format(plain, head, size)
        lines: Lines
        if form == "jsonl":
            lines = JsonLines(spool)
        else:
            lines = TextLines(spool, openmetrics=form == "openmetrics", time_ms=time_ms)
        done = Reading(form)
        taken = 0
        for raw in _lines(plain, shown):
            done.lines += 1
            taken += len(raw)
            try:
                done.samples += lines.take(raw)
            except NotMetrics as error:
                _wrong(done, shown, done.lines, error, keep_going=keep_going)
            if done.lines % 10_000 == 0 or len(raw) > 10_000:
                progress(taken / size if size else 0.0)
        try:
            lines.end()
        except NotMetrics as error:
            _wrong(done, shown, done.lines, error, keep_going=keep_going)
        done.cut_off = getattr(lines, "cut_off", 0)
    if not done.samples and not done.skipped:
        raise BadInput(Message("{file}: there is no sample in it; give a dump of metrics", file=shown))
    return done


def _wrong(done: Reading, shown: str, line: int, error: NotMetrics, *, keep_going: bool) -> None:
    if not keep_going:
        raise BadInput(
            Message("{file}:{line}: {problem}. Nothing was imported; --keep-going passes over such lines",
                    file=shown, line=line, problem=error)
        ) from None  # fmt: skip
    done.skipped += 1
    if len(done.wrong) < _MOST_NAMED:
        done.wrong.append(Message("{file}:{line}: {problem}", file=shown, line=line, problem=error))


def _lines(file: IO[bytes], shown: str) -> Iterator[bytes]:
    number = 0
    while raw := file.readline(_LONGEST_LINE + 1):
        number += 1
        if len(raw) > _LONGEST_LINE:
            raise BadInput(
                Message("{file}:{line}: longer than {most} MiB; is this a file of lines?", file=shown, line=number,
                        most=_LONGEST_LINE >> 20)
            )  # fmt: skip
        yield raw


@contextmanager
def _plain(file: IO[bytes], shown: str, directory: str) -> Iterator[IO[bytes]]:
    """The content as a file that can be read twice: its end tells the format. A pipe's is kept beside the store."""
    packed = _starts_packed(file) if file.seekable() else None
    if packed is False:
        yield file
        return
    with tempfile.TemporaryFile(dir=directory) as whole:
        try:
            if packed is None:
                _pour(file, whole)
                packed = _starts_packed(whole)
                file = whole
            if not packed:
                yield whole
                return
            with gzip.open(file) as unpacking, tempfile.TemporaryFile(dir=directory) as unpacked:
                _pour(unpacking, unpacked)
                yield unpacked
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise BadInput(
                Message("{file}: not whole ({reason}); unpack it with `gzip -dc` to see how far it goes",
                        file=shown, reason=error)
            ) from None  # fmt: skip


def _starts_packed(file: IO[bytes]) -> bool:
    place = file.tell()
    start = file.read(2)
    file.seek(place)
    return start == b"\x1f\x8b"


def _pour(source: IO[bytes] | gzip.GzipFile, target: IO[bytes]) -> None:
    while chunk := source.read(_CHUNK):
        target.write(chunk)
    target.seek(0)


def _peek(file: IO[bytes]) -> tuple[bytes, int]:
    """The first bytes, and how many there are from here on."""
    place = file.tell()
    head = file.read(_HEAD)
    size = file.seek(0, os.SEEK_END) - place
    file.seek(place)
    return head, size


def _format(file: IO[bytes], head: bytes, size: int) -> str:
    if _JSON.match(head.lstrip()):
        return "jsonl"
    place = file.tell()
    file.seek(place + max(0, size - 64))
    tail = file.read()
    file.seek(place)
    return "openmetrics" if _EOF.search(tail) or _ONLY_OPENMETRICS.search(head) else "prometheus"
