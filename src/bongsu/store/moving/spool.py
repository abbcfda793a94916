"""Holds the samples of an import until all of it is read: bounded memory, the rest in a file that has no name."""

from __future__ import annotations

import tempfile
from array import array
from collections.abc import Iterator, Mapping, Sequence
from typing import IO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bongsu.model.metric import Kind
from bongsu.sources.prom_file import NotMetrics
from bongsu.store.layout.schema import SEAL_MS
from bongsu.store.series import NAME, Labels, Times, Values

FUTURE_MS = 600_000  # clocks differ; a sample later than this beyond now is a mistake
_FARTHEST_MS = 10**18  # before 1970; far from where 64 bits end
_MOST = 1_000_000  # samples in memory while reading, 20 bytes each
_RECORD = np.dtype([("series", "<i4"), ("time", "<i8"), ("value", "<f8")])


class Known(NamedTuple):
    """What is known of a metric; the kind is None where nobody said it."""

    kind: Kind | None = None
    help: str = ""
    unit: str = ""


class Span(NamedTuple):
    """The samples of one sealing window, sorted by series and within one by time; no time stands twice in a series.

    ``series`` are numbers that the spool gave. ``doubled`` counts samples that a later one of the same time replaced.
    """

    series: NDArray[np.int32]
    times: Times
    values: Values
    doubled: int


class Spool:
    """Collects samples in any order; ``windows`` gives them back in order of time.

    Args:
        directory: where the file of no name is made once memory does not hold all.
        labels: what each series gets that has no label of that name.
        now_ms: Unix milliseconds; samples much later are refused.
    """

    def __init__(self, directory: str, *, labels: Mapping[str, str], now_ms: int) -> None:
        self.directory = directory
        self._added = dict(labels)
        self._latest = now_ms + FUTURE_MS
        self._numbers: dict[Labels, int] = {}
        self._kinds: dict[str, Kind] = {}
        self._families: dict[str, str] = {}
        self._help: dict[str, str] = {}
        self._unit: dict[str, str] = {}
        self._file: IO[bytes] | None = None
        self._pieces: dict[int, list[tuple[int, int]]] = {}  # window → places and lengths in the file, in records
        self._written = 0
        self._series = array("i")
        self._times = array("q")
        self._values = array("d")
        self.oldest: int | None = None
        self.newest: int | None = None

    @property
    def labels(self) -> Sequence[Labels]:
        """The labels of the series, in the order of their numbers."""
        return list(self._numbers)

    @property
    def samples(self) -> int:
        """How many samples were added."""
        return self._written + len(self._times)

    def series(self, name: str, labels: Mapping[str, str]) -> int:
        """The number of a series."""
        whole = {**self._added, **labels, NAME: name}
        key = tuple(sorted((label, value) for label, value in whole.items() if value))
        return self._numbers.setdefault(key, len(self._numbers))

    def describe(
        self, name: str, *, kinds: Mapping[str, Kind] | None = None, help_text: str = "", unit: str = ""
    ) -> None:
        """Take note of what is said of a family; ``kinds`` by what its series have behind its name."""
        for ending, kind in (kinds or {}).items():
            self._kinds[name + ending] = kind
            self._families[name + ending] = name
        if help_text:
            self._help[name] = help_text
        if unit:
            self._unit[name] = unit

    def described(self, name: str) -> Known:
        """What was said of the metric of this name. Untyped is what nobody knows, so it is as not said."""
        family = self._families.get(name, name)
        kind = self._kinds.get(name)
        return Known(None if kind is Kind.UNTYPED else kind, self._help.get(family, ""), self._unit.get(family, ""))

    def check(self, time_ms: int) -> None:
        """Raises NotMetrics if this is no time that a sample can have."""
        if time_ms > self._latest:
            raise NotMetrics(
                f"the time {_time_text(time_ms)} is in the future; timestamps are milliseconds in the text format and "
                "in exports, seconds in OpenMetrics"
            )
        if time_ms < -_FARTHEST_MS:
            raise NotMetrics(f"{time_ms} is no time")

    def add(self, series: int, time_ms: int, value: float) -> None:
        """Take one sample. Raises NotMetrics if its time is in the future."""
        if time_ms > self._latest:
            self.check(time_ms)
        if self.newest is None or self.oldest is None:
            self.oldest = self.newest = time_ms
        elif time_ms > self.newest:
            self.newest = time_ms
        elif time_ms < self.oldest:
            self.oldest = time_ms
        self._series.append(series)
        self._times.append(time_ms)
        self._values.append(value)
        if len(self._times) >= _MOST:
            self._put_away()

    def windows(self) -> Iterator[Span]:
        """The samples, window by window. Nothing may be added afterwards."""
        if self._file is None:
            records = self._records()
            numbers = _window_numbers(records)
            places = np.flatnonzero(np.diff(numbers, prepend=numbers[:1] - 1))
            for start, end in zip(places, [*places[1:], len(records)], strict=True):
                yield _span(records[start:end])
            return
        self._put_away()
        for number in sorted(self._pieces):
            parts = []
            for place, length in self._pieces[number]:
                self._file.seek(place * _RECORD.itemsize)
                parts.append(np.frombuffer(self._file.read(length * _RECORD.itemsize), dtype=_RECORD))
            yield _span(np.concatenate(parts))

    def close(self) -> None:
        """Let go of the file."""
        if self._file is not None:
            self._file.close()

    def _records(self) -> NDArray[np.void]:
        """What is in memory, in order of windows and within one of arrival."""
        records = np.empty(len(self._times), dtype=_RECORD)
        for name, values in (("series", self._series), ("time", self._times), ("value", self._values)):
            records[name] = np.frombuffer(values, dtype=_RECORD[name])
        self._series, self._times, self._values = array("i"), array("q"), array("d")
        ordered: NDArray[np.void] = records[np.argsort(_window_numbers(records), kind="stable")]
        return ordered

    def _put_away(self) -> None:
        if self._file is None:
            self._file = tempfile.TemporaryFile(dir=self.directory)  # noqa: SIM115  stays open to the end; has no name, so that nothing is left of it
        records = self._records()
        self._file.seek(self._written * _RECORD.itemsize)
        self._file.write(records.data)
        numbers, places, counts = np.unique(_window_numbers(records), return_index=True, return_counts=True)
        for number, place, count in zip(numbers.tolist(), places.tolist(), counts.tolist(), strict=True):
            self._pieces.setdefault(number, []).append((self._written + place, count))
        self._written += len(records)


def _window_numbers(records: NDArray[np.void]) -> NDArray[np.int64]:
    numbers: NDArray[np.int64] = (records["time"] - 1) // SEAL_MS
    return numbers


def _span(records: NDArray[np.void]) -> Span:
    records = records[np.lexsort((records["time"], records["series"]))]  # stable: what came later stands later
    last = np.ones(len(records), dtype=np.bool_)
    last[:-1] = (np.diff(records["series"]) != 0) | (np.diff(records["time"]) != 0)
    doubled = int(len(records) - np.count_nonzero(last))
    if doubled:
        records = records[last]
    return Span(
        np.ascontiguousarray(records["series"]), np.ascontiguousarray(records["time"]),
        np.ascontiguousarray(records["value"]), doubled,
    )  # fmt: skip


def _time_text(time_ms: int) -> str:
    try:
        return str(np.datetime64(time_ms, "ms")) + "Z"
    except (OverflowError, ValueError):
        return str(time_ms)
