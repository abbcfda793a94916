"""Follows the record of a run that goes on: each look reads only what was written since the one before."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable

import msgspec

from bongsu.model.run import Event, ProcessRow
from bongsu.records import segment
from bongsu.records.run_folder import RECORD
from bongsu.records.run_reading import Record, left_out, read_1

_COLUMNS = b'["columns"'
_PEAKS = ("peak_rss_bytes", "peak_pss_bytes", "threads", "count", "lived_seconds")
_LATEST = (
    "command", "executable", "end_seconds", "exit_code", "signal", "known_by", "cpu_seconds", "read_bytes", "write_bytes",
)  # fmt: skip
_CRC = 9  # bytes before the text of a line
_MOST_BYTES = 32 * 1024 * 1024  # read at one look; the rest comes with the next


class Following:
    """The record in a folder, as far as it has been read.

    What single processes used at each time is left out: only what it comes to is kept of each.
    """

    def __init__(self, folder: str, user_of: Callable[[int], str] = str) -> None:
        self._path = os.path.join(folder, RECORD)
        self._user_of = user_of
        self.offset = 0
        self._file = (-1, -1)
        self._columns = b""
        self._processes: dict[int, ProcessRow] = {}
        self._events: list[Event] = []
        self._record = Record()

    def look(self) -> Record:
        """What the record holds by now; an empty one where there is none yet.

        Raises:
            OSError: it may not be read.
        """
        try:
            file = segment.plain(self._path)
        except FileNotFoundError:
            self._begin()
            return self._record
        with file:
            status = os.fstat(file.fileno())
            if (status.st_dev, status.st_ino) != self._file or status.st_size < self.offset:
                self._begin()  # another record, or one that somebody cut
                self._file = (status.st_dev, status.st_ino)
            if status.st_size == self.offset:
                return self._record
            file.seek(self.offset)
            data = file.read(_MOST_BYTES)
        whole = data.rfind(b"\n") + 1  # a line that is being written is read when it ends
        if not whole:
            return self._record
        self.offset += whole
        self._take(data[:whole])
        return self._record

    def _begin(self) -> None:
        self.offset = 0
        self._file = (-1, -1)
        self._columns = b""
        self._processes = {}
        self._events = []
        self._record = Record()

    def _take(self, data: bytes) -> None:
        more = read_1(self._columns + data, self._user_of)
        for line in data.split(b"\n"):
            if line[_CRC : _CRC + len(_COLUMNS)] == _COLUMNS:
                self._columns = line + b"\n"
        known = self._record
        for row in more.processes:
            before = self._processes.get(row.index)
            self._processes[row.index] = _joined(before, msgspec.structs.replace(row, uses=()))
        torn = more.events[-1:] if more.damaged else ()
        self._events += more.events[: len(more.events) - len(torn)]
        damaged, until = known.damaged + more.damaged, _most((known.until_seconds, more.until_seconds))
        if damaged:
            torn = (Event(at_seconds=until or 0.0, what="torn", text=left_out(damaged)),)
        self._record = Record(
            points=known.points + more.points, processes=tuple(self._processes[n] for n in sorted(self._processes)),
            events=(*self._events, *torn), own=more.own or known.own, end=more.end or known.end, until_seconds=until,
            damaged=damaged,
        )  # fmt: skip


def _joined(before: ProcessRow | None, now: ProcessRow) -> ProcessRow:
    """What is known of a process, with what was written of it since."""
    if before is None:
        return now
    peaks = {name: _most((getattr(before, name), getattr(now, name))) for name in _PEAKS}
    latest = {name: getattr(now, name) for name in _LATEST if getattr(now, name) not in {None, ""}}
    return msgspec.structs.replace(before, **peaks, **latest)


def _most(values: Iterable[float | None]) -> float | None:
    return max((value for value in values if value is not None), default=None)
