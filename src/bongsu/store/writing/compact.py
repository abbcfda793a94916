"""Makes the file as small as it can be: small segments become larger ones, free pages go."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

import numpy as np

from bongsu.store.layout import minutes, segments
from bongsu.store.layout.packing import get_varint
from bongsu.store.layout.schema import RAW
from bongsu.store.layout.segments import Column, Group
from bongsu.store.writing import retention, seal

BLOCK_MS = 7_200_000  # small segments are joined within windows of this length, aligned to Unix time
_MOST = 700  # samples of a series in a chunk; longer ones are slow to read little of
_FOREVER = 2**62


def compact(connection: sqlite3.Connection) -> Iterator[str]:
    """Seal, merge, join and vacuum all that can be, in short transactions; yields a word for each one that was done.

    For when nothing else writes: windows that are not over are sealed too.

    Raises:
        sqlite3.Error: what was yielded is done.
    """
    while seal.seal(connection, before_ms=_FOREVER):
        yield "sealed"
    while minutes.merge(connection, before_ms=_FOREVER):
        yield "merged"
    while join(connection, before_ms=_FOREVER):
        yield "joined"
    if retention.collect(connection):
        yield "collected"
    while retention.vacuum(connection):
        yield "vacuumed"


def join(connection: sqlite3.Connection, *, before_ms: int) -> bool:
    """Join the oldest small raw segments that follow each other in one block of two hours that ended by ``before_ms``.

    A machine that is asked every 15 s has 40 samples in a window: too few for a chunk of their own. One transaction;
    False if there is nothing to join.

    Raises:
        sqlite3.Error: nothing has changed then.
    """
    for numbers, t0, t1 in _runs(connection, before_ms):
        columns = segments.read(connection, _series(connection, numbers), t0 + 1, t1, only=numbers)
        by_times: dict[int, list[tuple[int, Column]]] = {}
        for one, column in columns.items():
            by_times.setdefault(id(column.times), []).append((one, column))
        encoder = segments.Encoder(t0, t1, np.unique(np.concatenate([same[0][1].times for same in by_times.values()])))
        for same in by_times.values():
            ids = np.array([one for one, _ in same], dtype=np.int64)
            encoder.add(Group(ids, same[0][1].times, np.stack([column.values for _, column in same])))
        prepared = encoder.done()
        with segments.transaction(connection):
            for number in numbers:
                segments.remove(connection, number)
            segments.insert(connection, prepared)
        return True
    return False


def _runs(connection: sqlite3.Connection, before_ms: int) -> Iterator[tuple[list[int], int, int]]:
    """Segments that are better one: their ids, and the window of them all."""
    run: list[int] = []
    begin, end, held = 0, 0, 0
    for number, t0, t1, counted in connection.execute(
        "SELECT id, t0, t1, substr(times, 1, 5) FROM segment WHERE tier = ? AND t1 <= ? ORDER BY t1, t0, id",
        (RAW, before_ms // BLOCK_MS * BLOCK_MS),
    ).fetchall():
        count, _ = get_varint(counted, 0)
        same_block = t0 // BLOCK_MS == begin // BLOCK_MS and t0 >= begin and (t1 - 1) // BLOCK_MS == t0 // BLOCK_MS
        if run and same_block and held + count <= _MOST:
            run.append(number)
            end, held = max(end, t1), held + count
            continue
        if len(run) > 1:
            yield run, begin, end
        run, begin, end, held = [number], t0, t1, count
    if len(run) > 1:
        yield run, begin, end


def _series(connection: sqlite3.Connection, numbers: list[int]) -> set[int]:
    found: set[int] = set()
    try:
        for number in numbers:
            (blob,) = connection.execute("SELECT series FROM segment WHERE id = ?", (number,)).fetchone()
            found.update(segments.decode_ids(blob).tolist())
    except (ValueError, IndexError) as error:
        raise sqlite3.DatabaseError(f"a segment is damaged: {error}") from error
    return found
