"""Writes samples as one long table: CSV, JSONL or Parquet, window by window in bounded memory.

Columns: ``time`` (RFC 3339 in UTC with milliseconds), ``metric``, ``labels`` (one JSON object), ``value``. Values have
the digits that give the same float back. NaN and the infinities are spelled NaN, +Inf and -Inf; where a series ended,
which the store marks, the value is empty (CSV), null (JSONL, Parquet). JSONL has one line for each series and window,
as VictoriaMetrics' export has, and with ``kind``, so that `bongsu store import` brings all of it back.

The coarser tier has a row for each minute, at the time of its last sample, with more columns: see `MINUTE_COLUMNS`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import IO, Any, NamedTuple, Protocol

import msgspec
import numpy as np
from numpy.typing import NDArray

from bongsu.model.errors import BadInput
from bongsu.model.message import Message
from bongsu.store.series import NAME, Labels, Matcher, Series, Source, Times, Values, is_stale

WINDOW_MS = 600_000  # read at a time
_ROWS = 500_000  # of a row group of Parquet
_MOST_KNOWN = 200_000  # series whose text is kept from window to window

# Besides the last value of the minute. Of counters lowest and highest are of the rate per second between two samples,
# and increase is corrected for resets; of others lowest, highest and mean are of the values. Empty where it does not apply.
MINUTE_COLUMNS = ("value", "lowest", "highest", "mean", "increase", "samples")

Progress = Callable[[float], None]  # told the share that is done, 0 to 1


class Rows(NamedTuple):
    """Rows of one series: its ``times``, and for each column of the table its values.

    In the first column a stale mark is the end of the series, and is written as no value; in the others NaN is.
    """

    labels: Labels
    times: Times
    columns: tuple[Values, ...]


Read = Callable[[int, int], Iterable[Rows]]  # what there is from … to, Unix ms, both included


class Format(Protocol):
    """Takes the rows of one window after the other."""

    def write(self, found: Sequence[Rows]) -> int:
        """Write them; how many there were. Raises OSError."""
        ...

    def close(self) -> None:
        """Write what is held back. Raises OSError."""
        ...


def export(read: Read, start: int, end: int, to: Format, *, progress: Progress = lambda _: None) -> int:
    """Write what ``read`` gives from ``start`` to ``end`` (Unix ms, both included); how many rows there were.

    Raises:
        OSError: what was written could not be.
    """
    written = 0
    for first, last in _windows(start, end):
        written += to.write(sorted(read(first, last), key=_labels))
        progress((last - start + 1) / max(1, end - start + 1))
    to.close()
    return written


def of_source(
    source: Source, any_of: Sequence[Sequence[Matcher]], note: Callable[[Message], None] = lambda _: None
) -> Read:
    """What a source answers for the series that fit one of the groups (no group: all); ``note`` hears its notes."""

    def read(start: int, end: int) -> Iterator[Rows]:
        found: dict[Labels, Series] = {}
        for matchers in any_of or ((),):
            selected = source.select(matchers, start, end)
            for message in selected.notes:
                note(message)
            for series in selected.series:
                found.setdefault(series.labels, series)
        return cut(found.values(), start, end)

    return read


def cut(found: Iterable[Series], start: int, end: int) -> Iterator[Rows]:
    """Without what is outside the times asked for; times are shared, and so is the cut."""
    cuts: dict[int, tuple[Times, int, int, Times]] = {}
    for series in found:
        known = cuts.get(id(series.times))
        if known is None:
            first, last = np.searchsorted(series.times, (start, end + 1)).tolist()
            known = cuts[id(series.times)] = (series.times, first, last, series.times[first:last])
        _, first, last, within = known
        yield Rows(series.labels, within, (np.ascontiguousarray(series.values[first:last]),))


def _windows(start: int, end: int) -> Iterator[tuple[int, int]]:
    """Cut where the store's windows end, (t0, t1], so that no chunk is read twice."""
    while start <= end:
        last = min(end, -(-start // WINDOW_MS) * WINDOW_MS)
        yield start, last
        start = last + 1


def _labels(rows: Rows) -> Labels:
    return rows.labels


class Csv:
    """Comma-separated values with a header line; ``ascii_only`` writes labels so that a terminal is not steered."""

    def __init__(self, file: IO[bytes], columns: Sequence[str] = ("value",), *, ascii_only: bool = False) -> None:
        self._file = file
        self._ascii = ascii_only
        self._known: dict[Labels, str] = {}
        file.write(f"time,metric,labels,{','.join(columns)}\n".encode())

    def write(self, found: Sequence[Rows]) -> int:
        """As `Format` has it."""
        written = 0
        times: dict[int, list[str]] = {}
        for series in found:
            texts = times.get(id(series.times))
            if texts is None:
                texts = times[id(series.times)] = _time_texts(series.times)
            middle = self._middle(series.labels)
            words = _value_texts(series.columns[0], stale="", infinity="+Inf")
            for column in series.columns[1:]:
                more = _value_texts(column, stale="", infinity="+Inf", nan="")
                words = [f"{word},{other}" for word, other in zip(words, more, strict=True)]
            lines = [f"{time}{middle}{word}\n" for time, word in zip(texts, words, strict=True)]
            self._file.write("".join(lines).encode())
            written += len(lines)
        return written

    def close(self) -> None:
        """Nothing is held back."""

    def _middle(self, labels: Labels) -> str:
        middle = self._known.get(labels)
        if middle is None:
            if len(self._known) >= _MOST_KNOWN:
                self._known.clear()
            name, text = named(labels, ascii_only=self._ascii)
            # A name holds neither commas nor quotes; the labels begin with a brace, so no spreadsheet takes a value
            # of theirs for a formula.
            quoted = text.replace('"', '""')
            middle = self._known[labels] = f',{name},"{quoted}",'
        return middle


class Jsonl:
    """One JSON object for each series of a window; ``kinds`` are the metrics' kinds by name."""

    def __init__(
        self, file: IO[bytes], kinds: Mapping[str, str], columns: Sequence[str] = ("value",), *,
        ascii_only: bool = False,
    ) -> None:  # fmt: skip
        self._file = file
        self._more = columns[1:]
        self._kinds = kinds
        self._ascii = ascii_only
        self._known: dict[Labels, str] = {}

    def write(self, found: Sequence[Rows]) -> int:
        """As `Format` has it."""
        written = 0
        for series in found:
            if not len(series.times):
                continue
            words = _value_texts(series.columns[0], stale="null", infinity='"Inf"', nan='"NaN"')
            values = ",".join(words)
            more = ""
            for name, column in zip(self._more, series.columns[1:], strict=True):
                others = ",".join(_value_texts(column, stale="null", infinity='"Inf"', nan="null"))
                more += f',"{name}":[{others}]'
            times = msgspec.json.encode(series.times.tolist()).decode()
            self._file.write(f'{self._head(series.labels)}"values":[{values}],"timestamps":{times}{more}}}\n'.encode())
            written += len(words)
        return written

    def close(self) -> None:
        """Nothing is held back."""

    def _head(self, labels: Labels) -> str:
        head = self._known.get(labels)
        if head is None:
            if len(self._known) >= _MOST_KNOWN:
                self._known.clear()
            kind = self._kinds.get(dict(labels).get(NAME, ""))
            said = f'"kind":"{kind}",' if kind else ""
            head = self._known[labels] = f'{{"metric":{_json(dict(labels), ascii_only=self._ascii)},{said}'
        return head


class Parquet:
    """Parquet with typed columns: timestamp[ms, UTC], two dictionaries of text, float64; compressed with zstd.

    Raises:
        BadInput: pyarrow is not installed.
    """

    def __init__(self, path: str, columns: Sequence[str] = ("value",)) -> None:
        try:
            import pyarrow as pa  # type: ignore[import-untyped,unused-ignore]  # noqa: PLC0415  170 MB, only for this
            import pyarrow.parquet as pq  # type: ignore[import-untyped,unused-ignore]  # noqa: PLC0415  as above
        except ImportError:
            raise BadInput(
                Message("--format parquet needs pyarrow, which is not installed: pip install 'bongsu[parquet]'")
            ) from None
        text = pa.dictionary(pa.int32(), pa.string())
        self._pa: Any = pa
        self._schema = pa.schema(
            [
                pa.field("time", pa.timestamp("ms", tz="UTC"), nullable=False),
                pa.field("metric", text, nullable=False),
                pa.field("labels", text, nullable=False),
                pa.field(columns[0], pa.float64(), metadata={"null": "the series ended here"}),
                *(pa.field(name, pa.float64(), metadata={"null": "does not apply"}) for name in columns[1:]),
            ]
        )
        self._writer: Any = pq.ParquetWriter(path, self._schema, compression="zstd")
        self._held: list[Rows] = []
        self._rows = 0

    def write(self, found: Sequence[Rows]) -> int:
        """As `Format` has it."""
        rows = sum(len(series.times) for series in found)
        self._held += found
        self._rows += rows
        if self._rows >= _ROWS:
            self._write_held()
        return rows

    def close(self) -> None:
        """Write the last row group and the footer."""
        self._write_held()
        self._writer.close()

    def _write_held(self) -> None:
        if not self._held:
            return
        pa, held = self._pa, self._held
        names: dict[str, int] = {}
        labels: dict[str, int] = {}
        name_of, label_of = [], []
        for series in held:
            name, text = named(series.labels)
            name_of.append(names.setdefault(name, len(names)))
            label_of.append(labels.setdefault(text, len(labels)))
        counts = [len(series.times) for series in held]
        values, *others = (np.concatenate(parts) for parts in zip(*(series.columns for series in held), strict=True))
        columns = [
            pa.array(np.concatenate([series.times for series in held]).view("datetime64[ms]")).cast(
                self._schema.field("time").type
            ),
            _dictionary(pa, name_of, counts, names),
            _dictionary(pa, label_of, counts, labels),
            pa.array(values, mask=is_stale(values)),
            *(pa.array(column, mask=np.isnan(column)) for column in others),
        ]
        self._writer.write_batch(pa.record_batch(columns, schema=self._schema))
        self._held, self._rows = [], 0


def named(labels: Labels, *, ascii_only: bool = False) -> tuple[str, str]:
    """The metric's name, and the other labels as a JSON object."""
    others = {name: value for name, value in labels if name != NAME}
    return dict(labels).get(NAME, ""), _json(others, ascii_only=ascii_only)


def _dictionary(pa: Any, numbers: Sequence[int], counts: Sequence[int], words: Iterable[str]) -> Any:
    indices: NDArray[np.int32] = np.repeat(np.array(numbers, dtype=np.int32), counts)
    return pa.DictionaryArray.from_arrays(pa.array(indices), pa.array(list(words), pa.string()))


def _json(labels: Mapping[str, str], *, ascii_only: bool) -> str:
    return json.dumps(labels, ensure_ascii=ascii_only, separators=(",", ":"))


def _time_texts(times: Times) -> list[str]:
    texts: list[str] = np.datetime_as_string(times.view("datetime64[ms]"), timezone="UTC").tolist()
    return texts


def _value_texts(values: Values, *, stale: str, infinity: str, nan: str = "NaN") -> list[str]:
    """Each value with the fewest digits that give it back; ``infinity`` is that of +Inf."""
    finite = np.isfinite(values)
    if finite.all():
        return msgspec.json.encode(values.tolist()).decode()[1:-1].split(",") if len(values) else []
    stales = is_stale(values).tolist()
    negative = '"-Inf"' if infinity.startswith('"') else "-Inf"
    return [
        repr(value) if known
        else stale if ended
        else nan if value != value  # noqa: PLR0124  only NaN is unequal to itself
        else infinity if value > 0
        else negative
        for value, known, ended in zip(values.tolist(), finite.tolist(), stales, strict=True)
    ]  # fmt: skip
