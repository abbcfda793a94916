"""Writes samples of a source as one long table: CSV, JSONL or Parquet, window by window in bounded memory.

Columns: ``time`` (RFC 3339 in UTC with milliseconds), ``metric``, ``labels`` (one JSON object), ``value``. Values have
the digits that give the same float back. NaN and the infinities are spelled NaN, +Inf and -Inf; where a series ended,
which the store marks, the value is empty (CSV), null (JSONL, Parquet). JSONL has one line for each series and window,
as VictoriaMetrics' export has, and with ``kind``, so that `bongsu store import` brings all of it back.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import IO, Any, Protocol

import msgspec
import numpy as np
from numpy.typing import NDArray

from bongsu.model.errors import BadInput
from bongsu.model.message import Message
from bongsu.store.series import NAME, Labels, Matcher, Series, Source, Times, Values, is_stale

WINDOW_MS = 600_000  # read at a time
_ROWS = 500_000  # of a row group of Parquet
_MOST_KNOWN = 200_000  # series whose text is kept from window to window

Progress = Callable[[float], None]  # told the share that is done, 0 to 1


class Format(Protocol):
    """Takes the series of one window after the other."""

    def write(self, found: Sequence[Series]) -> int:
        """Write them; how many samples there were. Raises OSError."""
        ...

    def close(self) -> None:
        """Write what is held back. Raises OSError."""
        ...


def export(
    source: Source, any_of: Sequence[Sequence[Matcher]], start: int, end: int, to: Format, *,
    progress: Progress = lambda _: None,
) -> int:  # fmt: skip
    """Write the samples of the series that fit one of the groups (no group: all); times are Unix ms, both included.

    Returns how many samples there were.

    Raises:
        BadInput: a pattern is not understood.
        OSError: what was written could not be.
    """
    written = 0
    for first, last in _windows(start, end):
        written += to.write(_found(source, any_of or ((),), first, last))
        progress((last - start + 1) / max(1, end - start + 1))
    to.close()
    return written


def _windows(start: int, end: int) -> Iterator[tuple[int, int]]:
    """Cut where the store's windows end, (t0, t1], so that no chunk is read twice."""
    while start <= end:
        last = min(end, -(-start // WINDOW_MS) * WINDOW_MS)
        yield start, last
        start = last + 1


def _found(source: Source, any_of: Sequence[Sequence[Matcher]], start: int, end: int) -> Sequence[Series]:
    found: dict[Labels, Series] = {}
    for matchers in any_of:
        for series in source.select(matchers, start, end).series:
            found.setdefault(series.labels, series)
    cuts: dict[int, tuple[int, int, Times]] = {}  # times are shared, and so is the cut
    return [_cut(found[labels], start, end, cuts) for labels in sorted(found)]


def _cut(series: Series, start: int, end: int, cuts: dict[int, tuple[int, int, Times]]) -> Series:
    """Without what a source gives besides the samples asked for."""
    times = series.times
    cut = cuts.get(id(times))
    if cut is None:
        first, last = np.searchsorted(times, (start, end + 1)).tolist()
        cut = cuts[id(times)] = (first, last, times[first:last])
    first, last, within = cut
    return Series(series.labels, within, np.ascontiguousarray(series.values[first:last]))


class Csv:
    """Comma-separated values with a header line; ``ascii_only`` writes labels so that a terminal is not steered."""

    def __init__(self, file: IO[bytes], *, ascii_only: bool = False) -> None:
        self._file = file
        self._ascii = ascii_only
        self._known: dict[Labels, str] = {}
        file.write(b"time,metric,labels,value\n")

    def write(self, found: Sequence[Series]) -> int:
        """As `Format` has it."""
        written = 0
        times: dict[int, list[str]] = {}
        for series in found:
            texts = times.get(id(series.times))
            if texts is None:
                texts = times[id(series.times)] = _time_texts(series.times)
            middle = self._middle(series.labels)
            values = _value_texts(series.values, stale="", infinity="+Inf")
            lines = [f"{time}{middle}{value}\n" for time, value in zip(texts, values, strict=True)]
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

    def __init__(self, file: IO[bytes], kinds: Mapping[str, str], *, ascii_only: bool = False) -> None:
        self._file = file
        self._kinds = kinds
        self._ascii = ascii_only
        self._known: dict[Labels, str] = {}

    def write(self, found: Sequence[Series]) -> int:
        """As `Format` has it."""
        written = 0
        for series in found:
            words = _value_texts(series.values, stale="null", infinity='"Inf"')
            values = ",".join(words)
            times = msgspec.json.encode(series.times.tolist()).decode()
            self._file.write(f'{self._head(series.labels)}"values":[{values}],"timestamps":{times}}}\n'.encode())
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

    def __init__(self, path: str) -> None:
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
                pa.field("value", pa.float64(), metadata={"null": "the series ended here"}),
            ]
        )
        self._writer: Any = pq.ParquetWriter(path, self._schema, compression="zstd")
        self._held: list[Series] = []
        self._rows = 0

    def write(self, found: Sequence[Series]) -> int:
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
        values = np.concatenate([series.values for series in held])
        columns = [
            pa.array(np.concatenate([series.times for series in held]).view("datetime64[ms]")).cast(
                self._schema.field("time").type
            ),
            _dictionary(pa, name_of, counts, names),
            _dictionary(pa, label_of, counts, labels),
            pa.array(values, mask=is_stale(values)),
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


def _value_texts(values: Values, *, stale: str, infinity: str) -> list[str]:
    """Each value with the fewest digits that give it back; ``infinity`` is that of +Inf, from which the others' quotes come."""
    finite = np.isfinite(values)
    if finite.all():
        return msgspec.json.encode(values.tolist()).decode()[1:-1].split(",") if len(values) else []
    stales = is_stale(values).tolist()
    quote = '"' if infinity.startswith('"') else ""
    return [
        repr(value) if known
        else stale if ended
        else f"{quote}NaN{quote}" if value != value  # noqa: PLR0124  only NaN is unequal to itself
        else infinity if value > 0
        else f"{quote}-Inf{quote}"
        for value, known, ended in zip(values.tolist(), finite.tolist(), stales, strict=True)
    ]  # fmt: skip
