"""Segments: chunks of samples, one for each series, that share their times.

``segment.times`` holds all times of the segment and the patterns in which series have them (a collector that is asked
less often, a series that came or went): pattern 0 is all of them. A chunk is the number of its pattern, a varint, and
the column of its values. What stands in a segment of the coarser tier is said in `minutes`.
"""

from __future__ import annotations

import sqlite3
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from bongsu.store.layout import codec
from bongsu.store.layout.packing import get_varint, put_varint
from bongsu.store.layout.schema import RAW
from bongsu.store.series import Times, Values

Ids = NDArray[np.int64]
Flags = NDArray[np.bool_]
LONGEST_MS = 6 * 3_600_000  # no segment's window is longer
_ASKED = 400  # chunks that are asked for by one statement
_ROWS = 128  # series that are encoded at once: bounds the memory for what is made on the way
_T = TypeVar("_T")


class Group(NamedTuple):
    """Series that have samples at the same times: ``ids`` (S,) ascending, ``times`` (N,) ascending, ``values`` (S, N)."""

    ids: Ids
    times: Times
    values: Values


class Column(NamedTuple):
    """The samples of one series; series of the same times share the object ``times``."""

    times: Times
    values: Values


class Prepared(NamedTuple):
    """A segment, encoded, to be written by `insert`; ``chunks`` by ascending series."""

    tier: int
    t0: int
    t1: int
    first: int
    last: int
    times: bytes
    series: bytes
    chunks: list[tuple[int, bytes]]


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """All of the block or nothing of it; within another transaction a part of that one."""
    part: bool = connection.in_transaction
    if part:
        yield
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        with suppress(sqlite3.Error):  # some errors have rolled it back already
            connection.execute("ROLLBACK")
        raise


def grouped(ids: Ids, times: Times, present: Flags, values: Values) -> list[Group]:
    """Series, one a row, sorted by the times that they have: ``present`` and ``values`` are (S, N). Empty rows go."""
    if present.all():
        return [Group(ids, times, values)] if values.size else []
    packed = np.packbits(present, axis=1)
    _, which = np.unique(packed, axis=0, return_inverse=True)
    groups = []
    for pattern in range(int(which.max()) + 1):
        rows = np.flatnonzero(which.ravel() == pattern)
        there = present[rows[0]]
        if there.any():
            groups.append(Group(ids[rows], times[there], values[np.ix_(rows, there)]))
    return groups


class Encoder:
    """Encodes raw samples of the window ``(t0, t1]``, group by group; ``times`` are all that a group may have."""

    def __init__(self, t0: int, t1: int, times: Times) -> None:
        self._window = (t0, t1)
        self._times = times
        self._patterns: dict[bytes, int] = {}
        self._chunks: list[tuple[int, bytes]] = []

    def add(self, group: Group) -> None:
        """Encode it. A series stands in one group only."""
        number = 0
        if group.times.size != self._times.size:
            there = np.packbits(np.isin(self._times, group.times, assume_unique=True)).tobytes()
            number = self._patterns.setdefault(there, len(self._patterns) + 1)
        head = varint(number)
        for start in range(0, group.ids.size, _ROWS):
            part = slice(start, start + _ROWS)
            columns = codec.encode_rows(group.values[part])
            numbers = group.ids[part].tolist()
            self._chunks += [(one, head + column) for one, column in zip(numbers, columns, strict=True)]

    def done(self) -> Prepared:
        """The segment."""
        self._chunks.sort()
        whole = bytearray()
        put_varint(whole, self._times.size)
        append(whole, codec.encode_times(self._times))
        for there in self._patterns:
            append(whole, zlib.compress(there, 9, -12))
        return Prepared(
            RAW, *self._window, int(self._times[0]), int(self._times[-1]), bytes(whole),
            encode_ids([one for one, _ in self._chunks]), self._chunks,
        )  # fmt: skip


def insert(connection: sqlite3.Connection, prepared: Prepared) -> int:
    """Write a segment, within a transaction of the caller; its id."""
    number = connection.execute(
        "INSERT INTO segment(tier, t0, t1, first, last, times, series) VALUES(?, ?, ?, ?, ?, ?, ?)", prepared[:7]
    ).lastrowid
    assert number is not None
    connection.executemany(
        "INSERT INTO chunk(id, data) VALUES(?, ?)", [(number << 32 | one, data) for one, data in prepared.chunks]
    )
    return number


def remove(connection: sqlite3.Connection, number: int) -> None:
    """Delete a segment and its chunks, within a transaction of the caller."""
    connection.execute("DELETE FROM chunk WHERE id BETWEEN ? AND ?", (number << 32, number << 32 | 0xFFFFFFFF))
    connection.execute("DELETE FROM segment WHERE id = ?", (number,))


def read(
    connection: sqlite3.Connection, ids: Iterable[int], start: int, end: int, *, only: Sequence[int] | None = None
) -> dict[int, Column]:
    """The raw samples of these series from ``start`` to ``end`` (Unix ms, both included) that stand in segments.

    Series without any are left out. Times ascend strictly: of two samples of the same time the one written later is
    given. With ``only``, no other segments are looked at.

    Raises:
        sqlite3.DatabaseError: what stands there is damaged.
    """
    shared = _Shared(start, end)
    pieces: dict[int, list[tuple[int, bytes]]] = {}
    for number, data in chunks(connection, RAW, ids, start, end, into=shared.segments, only=only):
        pieces.setdefault(number & 0xFFFFFFFF, []).append((number >> 32, data))
    try:
        return {one: column for one, found in sorted(pieces.items()) if (column := shared.column(found)) is not None}
    except (ValueError, IndexError, zlib.error) as error:
        raise sqlite3.DatabaseError(f"a segment is damaged: {error}") from error


def chunks(
    connection: sqlite3.Connection, tier: int, ids: Iterable[int], start: int, end: int, *, into: dict[int, bytes],
    only: Sequence[int] | None = None,
) -> Iterator[tuple[int, bytes]]:  # fmt: skip
    """Ids and data of the chunks of these series whose segments reach into the range, in ascending order of id.

    ``into`` is filled with ``segment.times`` of the segments, by id.
    """
    wanted = sorted(set(ids))
    some = set(wanted)
    rows = connection.execute(
        "SELECT id, times, substr(series, 1, 5) FROM segment WHERE tier = ? AND t1 BETWEEN ? AND ? "
        "AND first <= ? AND last >= ? ORDER BY id", (tier, start, end + LONGEST_MS, end, start),
    ).fetchall()  # fmt: skip
    asked: list[int] = []
    for number, times, counted in rows:
        if only is not None and number not in only:
            continue
        into[number] = times
        if len(wanted) * 3 < get_varint(counted, 0)[0]:
            asked += [number << 32 | one for one in wanted]
            if len(asked) >= _ASKED:
                yield from _asked(connection, asked)
                asked = []
            continue
        yield from _asked(connection, asked)
        asked = []
        for one, data in connection.execute(
            "SELECT id, data FROM chunk WHERE id BETWEEN ? AND ?", (number << 32, number << 32 | 0xFFFFFFFF)
        ):
            if one & 0xFFFFFFFF in some:
                yield one, data
    yield from _asked(connection, asked)


def listed(connection: sqlite3.Connection, start: int, end: int) -> set[int]:
    """The series that stand in segments, of any tier, that reach into the range; some may have no sample just there."""
    found: set[int] = set()
    for (blob,) in connection.execute(
        "SELECT DISTINCT series FROM segment WHERE t1 BETWEEN ? AND ? AND first <= ? AND last >= ?",
        (start, end + LONGEST_MS, end, start),
    ):
        found.update(decode_ids(blob).tolist())
    return found


def encode_ids(ids: Sequence[int]) -> bytes:
    """Ascending ids: their number, a varint, and the column."""
    return varint(len(ids)) + codec.encode_times(np.array(ids, dtype=np.int64))


def decode_ids(blob: bytes) -> Ids:
    """The inverse of `encode_ids`. Raises ValueError or IndexError if it is damaged."""
    count, at = get_varint(blob, 0)
    return codec.decode_times(blob[at:], count)


def varint(number: int) -> bytes:
    """A whole number, not negative, in as many bytes as it needs."""
    blob = bytearray()
    put_varint(blob, number)
    return bytes(blob)


def append(whole: bytearray, blob: bytes) -> None:
    """Append a blob with its length before it."""
    put_varint(whole, len(blob))
    whole += blob


def taken(whole: bytes, at: int) -> tuple[bytes, int]:
    """The blob that `append` put there, and where the next one stands. Raises IndexError if it ends too early."""
    length, at = get_varint(whole, at)
    if at + length > len(whole):
        raise IndexError("it ends too early")
    return whole[at : at + length], at + length


def decode_patterns(blob: bytes) -> list[Times]:
    """The times of each pattern of a raw segment. Raises ValueError, IndexError or zlib.error if it is damaged."""
    count, at = get_varint(blob, 0)
    part, at = taken(blob, at)
    times = codec.decode_times(part, count)
    patterns = [times]
    while at < len(blob):
        part, at = taken(blob, at)
        there = np.unpackbits(np.frombuffer(zlib.decompress(part, -12), np.uint8), count=count)
        patterns.append(times[there.view(np.bool_)])
    return patterns


def by_signature(pieces: Mapping[int, _T]) -> dict[_T, list[int]]:
    """Which series have the same; in ascending order if the pieces are."""
    found: dict[_T, list[int]] = {}
    for one, signature in pieces.items():
        found.setdefault(signature, []).append(one)
    return found


def _asked(connection: sqlite3.Connection, ids: Sequence[int]) -> Iterator[tuple[int, bytes]]:
    for start in range(0, len(ids), _ASKED):
        part = ids[start : start + _ASKED]
        marks = ",".join("?" * len(part))
        yield from connection.execute(f"SELECT id, data FROM chunk WHERE id IN ({marks}) ORDER BY id", part)  # noqa: S608  only question marks are put in


class _Shared:
    """What series of one answer share: decoded times, cut to the range, and joined."""

    def __init__(self, start: int, end: int) -> None:
        self.segments: dict[int, bytes] = {}
        self._start, self._end = start, end
        self._patterns: dict[int, list[tuple[Times, int, int]]] = {}
        self._joined: dict[tuple[tuple[int, int], ...], tuple[Times, NDArray[np.intp] | None]] = {}

    def column(self, found: Sequence[tuple[int, bytes]]) -> Column | None:
        parts: list[Values] = []
        keys: list[tuple[int, int]] = []
        for segment, data in found:
            pattern, at = get_varint(data, 0)
            times, low, high = self._times(segment)[pattern]
            if low < high:
                values = codec.decode(data[at:], times.size)
                parts.append(values if high - low == times.size else values[low:high])
                keys.append((segment, pattern))
        if not parts:
            return None
        joined, order = self._join(tuple(keys))
        values = parts[0] if len(parts) == 1 else np.concatenate(parts)
        return Column(joined, values if order is None else values[order])

    def _times(self, segment: int) -> list[tuple[Times, int, int]]:
        known = self._patterns.get(segment)
        if known is None:
            known = self._patterns[segment] = [
                (times, int(times.searchsorted(self._start)), int(times.searchsorted(self._end, "right")))
                for times in decode_patterns(self.segments[segment])
            ]
        return known

    def _join(self, keys: tuple[tuple[int, int], ...]) -> tuple[Times, NDArray[np.intp] | None]:
        known = self._joined.get(keys)
        if known is None:
            cut = [self._times(segment)[pattern] for segment, pattern in keys]
            times = np.concatenate([times[low:high] for times, low, high in cut])
            order = None
            if (times[1:] <= times[:-1]).any():
                order = np.argsort(times, kind="stable")
                times = times[order]
                newest = np.append(times[1:] != times[:-1], True)  # the one written last
                times, order = times[newest], order[newest]
            known = self._joined[keys] = (times, order)
        return known
