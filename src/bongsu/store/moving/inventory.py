"""Takes stock of a store's file: how much of what it holds, since when, and where there are gaps."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import msgspec
import numpy as np

from bongsu.sources.root import Root
from bongsu.store.layout import minutes, segments
from bongsu.store.layout.file import open_for_reading, size
from bongsu.store.layout.interruptible import interruptible
from bongsu.store.layout.packing import get_varint
from bongsu.store.layout.schema import MINUTES, RAW
from bongsu.store.series import Times


class Gap(msgspec.Struct, frozen=True):
    """No sample between these times (Unix ms), at which there are some."""

    after: int
    before: int


class TierStock(msgspec.Struct, frozen=True):
    """One resolution. Times are Unix ms, None where there is nothing; ``samples`` are minutes in the coarser tier.

    ``bytes`` are those of the samples themselves, without SQLite's pages around them; ``waiting`` is how many of them
    are of samples that are not compressed yet.
    """

    oldest: int | None
    newest: int | None
    samples: int
    bytes: int
    waiting: int
    segments: int
    gaps: tuple[Gap, ...]


class MetricStock(msgspec.Struct, frozen=True):
    """One metric, by what its compressed samples of all tiers take."""

    name: str
    kind: str
    series: int
    bytes: int


class Stock(msgspec.Struct, frozen=True):
    """What stands in the file."""

    path: str
    file_bytes: int
    wal_bytes: int
    free_bytes: int
    version: int
    writer: int | None  # pid; 0 if there is one and its pid is not known
    metrics: int
    series: int
    raw: TierStock
    minutes: TierStock
    largest: tuple[MetricStock, ...]


def take_stock(path: str, *, gap_ms: int = 300_000, top: int = 10) -> Stock:
    """Look through the file; of ``top`` metrics, those that take most. A writer may go on meanwhile.

    Raises:
        BadInput: it is no store of ours, or cannot be read.
        sqlite3.DatabaseError: it is damaged.
    """
    with contextlib.closing(open_for_reading(path)) as connection, interruptible(connection):
        connection.execute("BEGIN")  # all numbers are of one moment
        (pages, free, page, version) = (_pragma(connection, name) for name in _PRAGMAS)
        counts = _counts(connection)
        return Stock(
            path=path,
            file_bytes=pages * page,
            wal_bytes=size(f"{path}-wal"),
            free_bytes=free * page,
            version=version,
            writer=writer(path),
            metrics=_one(connection, "SELECT count(*) FROM metric"),
            series=_one(connection, "SELECT count(*) FROM series"),
            raw=_raw(connection, counts, gap_ms),
            minutes=_minutes(connection, counts, gap_ms),
            largest=_largest(connection, top),
        )


def extent(connection: sqlite3.Connection, tier: int) -> tuple[int, int] | None:
    """Times (Unix ms) of the oldest and newest sample of a tier, the newest minutes rounded up; None without any."""
    found = [connection.execute("SELECT min(first), max(last) FROM segment WHERE tier = ?", (tier,)).fetchone()]
    table = "SELECT min(ts), max(ts) FROM hot" if tier == RAW else "SELECT min(t0) + 1, max(t1) FROM minutes"
    found.append(connection.execute(table).fetchone())
    there = [row for row in found if row[0] is not None]
    return (min(row[0] for row in there), max(row[1] for row in there)) if there else None


def writer(path: str) -> int | None:
    """The process that writes the store now; 0 if its pid cannot be told, None if there is none.

    Asks /proc/locks: to try the lock would be in the way of one that begins just now.
    """
    lock = f"{path}.lock"
    try:
        inode = str(os.stat(lock).st_ino)
        with open(lock, "rb") as file:
            word = file.read(32).strip()
        text = Root("/proc").read_once("locks")
    except OSError:
        return None
    said = int(word) if word.isdigit() else 0
    for line in text.decode("ascii", "replace").splitlines():
        fields = line.split()  # 7: FLOCK ADVISORY WRITE 1234 fe:01:5678 0 EOF; the device may be another than stat's
        if len(fields) >= 6 and fields[1] == "FLOCK" and fields[5].rpartition(":")[2] == inode:
            seen = int(fields[4])
            if seen <= 0 or said in {seen, 0}:  # 0: of another PID namespace
                return said or max(seen, 0)
    return None


_PRAGMAS = ("page_count", "freelist_count", "page_size", "user_version")


def _pragma(connection: sqlite3.Connection, name: str) -> int:
    return _one(connection, f"PRAGMA {name}")


def _one(connection: sqlite3.Connection, statement: str) -> int:
    (value,) = connection.execute(statement).fetchone()
    return int(value or 0)


class _Alike(NamedTuple):
    """Chunks of one segment that have the same pattern or shape."""

    pattern: int
    chunks: int
    bytes: int


def _counts(connection: sqlite3.Connection) -> dict[int, list[_Alike]]:
    """By segment. A chunk begins with the number of its pattern, a varint."""
    found: dict[int, list[_Alike]] = {}
    for segment, head, chunks, length in connection.execute(
        "SELECT id >> 32, CASE WHEN substr(data, 1, 1) < x'80' THEN substr(data, 1, 1) ELSE substr(data, 1, 4) END, "
        "count(*), sum(length(data)) FROM chunk GROUP BY 1, 2"
    ):
        found.setdefault(segment, []).append(_Alike(get_varint(head, 0)[0], chunks, length))
    return found


def _raw(connection: sqlite3.Connection, counts: dict[int, list[_Alike]], gap_ms: int) -> TierStock:
    samples = length = number = 0
    extents = []
    for segment, times, series in connection.execute("SELECT id, times, series FROM segment WHERE tier = ?", (RAW,)):
        patterns = segments.decode_patterns(times)
        extents.append(patterns[0])
        number += 1
        length += len(times) + len(series)
        for alike in counts.get(segment, ()):
            samples += patterns[alike.pattern].size * alike.chunks
            length += alike.bytes
    waiting = 0
    stamps = []
    for ts, values in connection.execute('SELECT ts, length("values") FROM hot ORDER BY ts'):
        stamps.append(ts)
        samples += values // 8
        waiting += values
    extents.append(np.array(stamps, dtype=np.int64))
    return _stock(extents, samples, length + waiting, waiting, number, gap_ms)


def _minutes(connection: sqlite3.Connection, counts: dict[int, list[_Alike]], gap_ms: int) -> TierStock:
    samples = length = number = 0
    extents = []
    for segment, times, series in connection.execute(
        "SELECT id, times, series FROM segment WHERE tier = ?", (MINUTES,)
    ):
        shapes = minutes.decode_shapes(times)
        extents += [shape.at for shape in shapes]
        number += 1
        length += len(times) + len(series)
        for alike in counts.get(segment, ()):
            samples += shapes[alike.pattern].ends.size * alike.chunks
            length += alike.bytes
    waiting = 0
    for (data,) in connection.execute("SELECT data FROM minutes"):
        waiting += len(data)
        for group in minutes.decode(data):
            extents.append(group.shape.at)
            samples += group.shape.ends.size * group.ids.size
    return _stock(extents, samples, length + waiting, waiting, number, gap_ms)


def _stock(extents: Iterable[Times], samples: int, length: int, waiting: int, number: int, gap_ms: int) -> TierStock:
    there = [times for times in extents if times.size]
    return TierStock(
        oldest=min((int(times[0]) for times in there), default=None),
        newest=max((int(times[-1]) for times in there), default=None),
        samples=samples,
        bytes=length,
        waiting=waiting,
        segments=number,
        gaps=tuple(_gaps(there, gap_ms)),
    )


def _gaps(extents: Iterable[Times], gap_ms: int) -> Iterator[Gap]:
    """Where none of the extents has a time for longer than ``gap_ms``."""
    runs: list[tuple[int, int]] = []
    for times in extents:
        breaks = np.flatnonzero(np.diff(times) > gap_ms)
        runs += zip(times[[0, *(breaks + 1)]].tolist(), times[[*breaks, -1]].tolist(), strict=True)
    runs.sort()
    reached: int | None = None
    for first, last in runs:
        if reached is not None and first - reached > gap_ms:
            yield Gap(reached, first)
        reached = last if reached is None else max(reached, last)


def _largest(connection: sqlite3.Connection, top: int) -> tuple[MetricStock, ...]:
    rows = connection.execute(
        "SELECT metric.name, metric.kind, count(*), sum(held.bytes) FROM "
        "(SELECT id & 4294967295 AS series, sum(length(data)) AS bytes FROM chunk GROUP BY 1) AS held "
        "JOIN series ON series.id = held.series JOIN metric ON metric.id = series.metric "
        "GROUP BY metric.id ORDER BY 4 DESC, 1 LIMIT ?", (top,),
    )  # fmt: skip
    return tuple(MetricStock(*row) for row in rows)
