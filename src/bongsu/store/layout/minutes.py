"""The coarser tier in the file: a row of minute buckets for each sealed window, merged into chunks every six hours.

Rows and segments are read in the order in which they came: of two buckets of one series and minute the later one is
right, and is made from all samples (`writing.rebuild`).

A row's data: a varint, the number of groups of series that have the same shape; for each its shape, ids, and its
fields, deflated: each bucket's bits changed against the bucket before, byte by byte. In a merged segment ``times`` holds
shapes; a chunk is the number of its shape, a varint, and four columns, each with its length before it. Of a counter's
increases it holds only how their bits differ from the differences of the last values.

    shape      varint: 1 for counters; varint: how many buckets; then with their lengths before them the columns of
               the ends, of how long before these the last samples were, of the counts, of the covered times
"""

from __future__ import annotations

import sqlite3
import zlib
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from bongsu.store.layout import abreast, buckets, codec, segments
from bongsu.store.layout.buckets import FIELDS, LAST, TOTAL, Before, Buckets, Shape
from bongsu.store.layout.packing import get_varint, put_varint
from bongsu.store.layout.schema import MINUTE_MS, MINUTES, SEAL_MS
from bongsu.store.layout.segments import Group, Ids, Prepared
from bongsu.store.series import Times, Values

MERGED_MS = segments.LONGEST_MS  # windows of merged segments, aligned to Unix time
_ROWS = 128  # series that are encoded at once: bounds the memory for what is made on the way


class Minutes(NamedTuple):
    """The buckets of one series in order of time: see `buckets.Shape` and `buckets.Buckets`.

    Series of one shape share the object ``shape``.
    """

    shape: Shape
    last: Values
    low: Values
    high: Values
    total: Values


class Builder:
    """Makes the buckets of a window, which begins after ``t0`` and has these ``times``, group by group.

    For what nothing that is stored has to do with but the rows of the window before: else see `writing.rebuild`.
    """

    def __init__(self, connection: sqlite3.Connection, t0: int, times: Times) -> None:
        self._connection = connection
        self._t0 = t0
        self._first = int(times[0]) if times.size else t0
        self._rows: list[Buckets] | None = None
        self.buckets: list[Buckets] = []

    def add(self, group: Group) -> None:
        """Add the buckets of its series; looks up which of them count, and their samples before the window."""
        counted = counting(self._connection, group.ids)
        before = self._before() if counted.size else {}
        self.buckets += buckets.build([group], counted, before)

    def _before(self) -> dict[int, Before]:
        """The newest sample of each counter within FARTHEST_MS before the first of the window."""
        start = self._first - buckets.FARTHEST_MS
        if start > self._t0:
            return {}
        if self._rows is None:
            self._rows = [
                one for (data,) in self._connection.execute(
                    "SELECT data FROM minutes WHERE t1 >= ? AND t1 <= ? ORDER BY t1, segment", (start, self._t0)
                ) for one in decode(data) if one.shape.counter
            ]  # fmt: skip
        return buckets.newest_before(self._rows, self._first)


def counting(connection: sqlite3.Connection, ids: Ids) -> Ids:
    """Which of these series, in ascending order and at least one, are counters."""
    counters = np.array(
        [one for (one,) in connection.execute(
            "SELECT series.id FROM series JOIN metric ON metric.id = series.metric "
            "WHERE metric.kind = 'counter' AND series.id BETWEEN ? AND ?", (int(ids[0]), int(ids[-1]))
        )], dtype=np.int64,
    )  # fmt: skip
    return np.intersect1d(ids, counters)


def encode(groups: Sequence[Buckets]) -> bytes:
    """The data of a row."""
    whole = bytearray()
    put_varint(whole, len(groups))
    for group in groups:
        segments.append(whole, encode_shape(group.shape))
        segments.append(whole, segments.encode_ids(group.ids.tolist()))
        bits = np.ascontiguousarray(group.fields.transpose(0, 2, 1)).view(np.uint64)  # (fields, buckets, series)
        bits[:, 1:] ^= bits[:, :-1].copy()
        bits[1:, 0] ^= bits[:1, 0]
        planes = bits.astype("<u8").view(np.uint8).reshape(-1, 8).T
        squeeze = zlib.compressobj(3, zlib.DEFLATED, -15, 8, zlib.Z_FILTERED)
        segments.append(whole, squeeze.compress(planes.tobytes()) + squeeze.flush())
    return bytes(whole)


def decode(data: bytes) -> list[Buckets]:
    """The inverse of `encode`.

    Raises:
        sqlite3.DatabaseError: it is damaged.
    """
    try:
        count, at = get_varint(data, 0)
        groups = []
        for _ in range(count):
            part, at = segments.taken(data, at)
            shape = decode_shape(part)
            part, at = segments.taken(data, at)
            ids = segments.decode_ids(part)
            part, at = segments.taken(data, at)
            planes = np.frombuffer(zlib.decompress(part, -15), np.uint8).reshape(8, -1)
            bits = np.ascontiguousarray(planes.T).view("<u8").astype(np.uint64)
            bits = bits.reshape(FIELDS, shape.ends.size, ids.size)
            bits[1:, 0] ^= bits[:1, 0]
            bits = np.bitwise_xor.accumulate(bits, axis=1)
            groups.append(Buckets(shape, ids, np.ascontiguousarray(bits.transpose(0, 2, 1)).view(np.float64)))
    except (ValueError, IndexError, zlib.error) as error:
        raise sqlite3.DatabaseError(f"a row of minutes is damaged: {error}") from error
    return groups


def encode_shape(shape: Shape) -> bytes:
    """A shape as it stands in a row and in a merged segment."""
    blob = bytearray()
    put_varint(blob, int(shape.counter))
    put_varint(blob, shape.ends.size)
    for column in (shape.ends, shape.ends - shape.at, shape.counts, shape.covered):
        segments.append(blob, codec.encode_times(column))
    return bytes(blob)


def decode_shape(blob: bytes) -> Shape:
    """The inverse of `encode_shape`. Raises ValueError or IndexError if it is damaged."""
    counter, at = get_varint(blob, 0)
    size, at = get_varint(blob, at)
    columns: list[Times] = []
    for _ in range(4):
        part, at = segments.taken(blob, at)
        columns.append(codec.decode_times(part, size))
    ends, distance, count, covered = columns
    return Shape(bool(counter), ends, ends - distance, count, covered)


def merge(connection: sqlite3.Connection, *, before_ms: int) -> bool:
    """Merge the rows of the oldest six hours that are over into one segment; False if there are none.

    They are over once a sealing window more has ended by ``before_ms``: the next counters find what they follow on in
    a row, which is quick. One short transaction; call it until it returns False.

    Raises:
        sqlite3.Error: nothing has changed then.
    """
    (oldest,) = connection.execute("SELECT min(t1) FROM minutes").fetchone()
    if oldest is None:
        return False
    t0 = (oldest - 1) // MERGED_MS * MERGED_MS
    t1 = t0 + MERGED_MS
    if t1 + SEAL_MS > before_ms:
        return False
    rows = connection.execute(
        "SELECT segment, data FROM minutes WHERE t1 > ? AND t1 <= ? ORDER BY t0, segment", (t0, t1)
    ).fetchall()
    prepared = prepare(t0, t1, [decode(data) for _, data in rows])
    with segments.transaction(connection):
        segments.insert(connection, prepared)
        connection.executemany("DELETE FROM minutes WHERE segment = ?", [(number,) for number, _ in rows])
    return True


def prepare(t0: int, t1: int, rows: Sequence[Sequence[Buckets]]) -> Prepared:
    """A merged segment of the window ``(t0, t1]``."""
    shapes: dict[bytes, int] = {}
    chunks: list[tuple[int, bytes]] = []
    first, last = t1, t0
    for ids, shape, fields in _gathered([group for row in rows for group in row]):
        number = shapes.setdefault(encode_shape(shape), len(shapes))
        first, last = min(first, int(shape.at.min())), max(last, int(shape.at.max()))
        head = segments.varint(number)
        for start in range(0, ids.size, _ROWS):
            part = fields[:, start : start + _ROWS]
            columns = [codec.encode_rows(np.ascontiguousarray(field)) for field in _folded(shape, part)]
            for i, one in enumerate(ids[start : start + _ROWS].tolist()):
                blob = bytearray(head)
                for column in columns:
                    segments.append(blob, column[i])
                chunks.append((one, bytes(blob)))
    chunks.sort()
    whole = bytearray()
    for encoded in shapes:
        segments.append(whole, encoded)
    return Prepared(MINUTES, t0, t1, first, last, bytes(whole), segments.encode_ids([one for one, _ in chunks]), chunks)


def _gathered(groups: Sequence[Buckets]) -> Iterable[tuple[Ids, Shape, Values]]:
    """The buckets of all groups, series by series; those that stand in the same groups together."""
    where: dict[int, list[tuple[int, int]]] = {}
    for number, group in enumerate(groups):
        for row, one in enumerate(group.ids.tolist()):
            where.setdefault(one, []).append((number, row))
    signatures = {one: tuple(number for number, _ in found) for one, found in sorted(where.items())}
    for numbers, members in segments.by_signature(signatures).items():
        parts = []
        for place, number in enumerate(numbers):
            rows = [where[one][place][1] for one in members]
            fields = groups[number].fields
            parts.append(fields if rows == list(range(fields.shape[1])) else fields[:, rows])
        shape = joined([groups[number].shape for number in numbers]) if len(numbers) > 1 else groups[numbers[0]].shape
        fields = np.concatenate(parts, axis=2) if len(parts) > 1 else parts[0]
        if (shape.ends[1:] <= shape.ends[:-1]).any():
            shape, fields = buckets.combined(shape, fields)
        yield np.array(members, dtype=np.int64), shape, fields


def joined(shapes: Sequence[Shape]) -> Shape:
    """One after the other."""
    return Shape(
        shapes[0].counter, *(np.concatenate([shape[i] for shape in shapes]) for i in range(1, len(Shape._fields)))
    )


def _folded(shape: Shape, fields: Values) -> Values:
    """The fields as they are stored; doing it twice gives them again."""
    if not shape.counter:
        return fields
    fields = np.ascontiguousarray(fields)
    with np.errstate(invalid="ignore"):
        expected = fields[LAST, :, 1:] - fields[LAST, :, :-1]
    bits = fields.view(np.uint64).copy()
    bits[TOTAL, :, 1:] ^= np.ascontiguousarray(expected).view(np.uint64)
    return bits.view(np.float64)


def read(connection: sqlite3.Connection, ids: Iterable[int], start: int, end: int) -> dict[int, Minutes]:
    """The buckets of these series that hold a moment from ``start`` to ``end`` (Unix ms), merged or not.

    Series without any are left out.

    Raises:
        sqlite3.DatabaseError: what stands there is damaged.
    """
    return apart(read_together(connection, ids, start, end))


def apart(together: Iterable[Buckets]) -> dict[int, Minutes]:
    """Buckets series by series, in ascending order."""
    found = {
        one: Minutes(part.shape, *part.fields[:, row]) for part in together for row, one in enumerate(part.ids.tolist())
    }
    return dict(sorted(found.items()))


def read_together(
    connection: sqlite3.Connection, ids: Iterable[int], start: int, end: int, *, sums: bool = True
) -> list[Buckets]:
    """What `read` gives, series of one shape together, each series once, in ascending order.

    Without ``sums`` the totals of series that do not count are NaN: it is quicker.
    """
    wanted = sorted(set(ids))
    reach = end + MINUTE_MS
    shapes: dict[int, _Shapes] = {}
    groups: list[Buckets] = []
    into: dict[int, bytes] = {}
    alike: dict[tuple[int, int], list[tuple[int, bytes, int]]] = {}
    try:
        for number, data in segments.chunks(connection, MINUTES, wanted, start - MINUTE_MS, reach, into=into):
            which, at = get_varint(data, 0)
            alike.setdefault((number >> 32, which), []).append((number & 0xFFFFFFFF, data, at))
        for (segment, which), members in alike.items():
            if segment not in shapes:
                shapes[segment] = _Shapes(into[segment])
            shape = shapes[segment][which]
            fields = _unpacked(members, shape.ends.size, FIELDS if sums or shape.counter else TOTAL)
            groups.append(Buckets(shape, np.array([one for one, _, _ in members], np.int64), _folded(shape, fields)))
    except (ValueError, IndexError, zlib.error) as error:
        raise sqlite3.DatabaseError(f"a segment of minutes is damaged: {error}") from error
    few = np.array(wanted, dtype=np.int64)
    for (data,) in connection.execute(
        "SELECT data FROM minutes WHERE t1 >= ? AND t0 < ? ORDER BY t0, segment", (start, reach)
    ):
        for group in decode(data):
            here = np.flatnonzero(np.isin(group.ids, few, assume_unique=True))
            if here.size:
                groups.append(Buckets(group.shape, group.ids[here], group.fields[:, here]))
    found = []
    for numbers, shape, fields in _gathered(groups):
        low, high = int(shape.ends.searchsorted(start)), int(shape.ends.searchsorted(reach))
        if low < high:
            some = slice(low, high)
            cut = Shape(shape.counter, *(column[some] for column in shape[1:]))
            found.append(Buckets(cut, numbers, fields[:, :, some]))
    return found


def _unpacked(members: Sequence[tuple[int, bytes, int]], size: int, count: int) -> Values:
    """The first ``count`` fields of chunks of one shape, side by side, the others NaN.

    Each chunk comes with its series and with where its columns begin.
    """
    columns: list[list[bytes]] = [[] for _ in range(count)]
    for _, data, at in members:
        for column in columns:
            length = data[at]
            at += 1  # noqa: PLW2901  each column begins where the one before ends
            if length > 127:
                length, at = get_varint(data, at - 1)  # noqa: PLW2901  as above
            column.append(data[at : at + length])
            at += length  # noqa: PLW2901  as above
        if at > len(data):
            raise IndexError("it ends too early")
    fields = abreast.decode([part for column in columns for part in column], size).reshape(count, len(members), size)
    if count < FIELDS:
        fields = np.concatenate([fields, np.full((FIELDS - count, *fields.shape[1:]), np.nan)])
    return fields


class _Shapes:
    """The shapes of a merged segment, each decoded when it is first asked for: few series have few of them."""

    def __init__(self, blob: bytes) -> None:
        self._blobs = _split(blob)
        self._known: dict[int, Shape] = {}

    def __getitem__(self, which: int) -> Shape:
        """Raises ValueError or IndexError if it is damaged."""
        known = self._known.get(which)
        if known is None:
            known = self._known[which] = decode_shape(self._blobs[which])
        return known


def decode_shapes(blob: bytes) -> list[Shape]:
    """The shapes of a merged segment. Raises ValueError or IndexError if it is damaged."""
    return [decode_shape(part) for part in _split(blob)]


def _split(blob: bytes) -> list[bytes]:
    found, at = [], 0
    while at < len(blob):
        part, at = segments.taken(blob, at)
        found.append(part)
    return found


def listed(connection: sqlite3.Connection, start: int, end: int) -> set[int]:
    """The series that stand in rows, not merged yet, that reach into the range."""
    found: set[int] = set()
    for (data,) in connection.execute("SELECT data FROM minutes WHERE t1 >= ? AND t0 < ?", (start, end)):
        found.update(named(data))
    return found


def named(data: bytes) -> set[int]:
    """The series of a row. Raises sqlite3.DatabaseError if it is damaged."""
    found: set[int] = set()
    try:
        count, at = get_varint(data, 0)
        for _ in range(count):
            _, at = segments.taken(data, at)
            part, at = segments.taken(data, at)
            found.update(segments.decode_ids(part).tolist())
            _, at = segments.taken(data, at)
    except (ValueError, IndexError) as error:
        raise sqlite3.DatabaseError(f"a row of minutes is damaged: {error}") from error
    return found
