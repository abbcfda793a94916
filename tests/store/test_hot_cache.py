"""The newest rows are read once, and a question gets exactly those that the file has."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from bongsu.store.layout import schema
from bongsu.store.layout.hot import HotRow
from bongsu.store.reading.hot_cache import Block, HotCache

LAYOUTS = (b"\x01\0\0\0", b"\x02\0\0\0")


@pytest.fixture
def connection() -> Iterator[sqlite3.Connection]:
    """An empty store in memory."""
    made = sqlite3.connect(":memory:", isolation_level=None)
    made.executescript(schema.TABLES)
    yield made
    made.close()


def _put(connection: sqlite3.Connection, *rows: HotRow) -> None:
    connection.executemany(
        'INSERT INTO hot(seq, ts, layouts, "values") VALUES(?, ?, ?, ?)',
        [(row.seq, row.ts, row.layouts, row.values) for row in rows],
    )


def _row(seq: int, ts: int | None = None, *, layouts: bytes = LAYOUTS[0], width: int = 2) -> HotRow:
    return HotRow(seq * 1000 if ts is None else ts, layouts, np.full(width, float(seq), "<f8").tobytes(), seq)


def _numbers(blocks: list[Block], start: int = 0, end: int = 1 << 50) -> list[int]:
    """The rows' numbers of this time, each of which must hold its own number as its values."""
    found = []
    for block in blocks:
        for number, ts, values in zip(block.numbers.tolist(), block.times.tolist(), block.values, strict=True):
            assert (values == number).all()
            if start <= ts <= end:
                found.append(number)
    return sorted(found)


def test_each_row_is_read_once(connection: sqlite3.Connection) -> None:
    """Rows that came since the last question are added to those that are kept."""
    cache = HotCache(1 << 20)
    assert cache.read(connection, 0, 10**9) == ([], -1)
    _put(connection, *(_row(seq) for seq in range(1, 101)))
    blocks, newest = cache.read(connection, 0, 10**9)
    assert (_numbers(blocks), newest) == (list(range(1, 101)), 100)
    said: list[str] = []
    connection.set_trace_callback(said.append)
    assert _numbers(cache.read(connection, 0, 10**9)[0]) == list(range(1, 101))
    assert not [text for text in said if '"values"' in text]
    _put(connection, _row(101), _row(102, layouts=LAYOUTS[1], width=5))
    blocks, newest = cache.read(connection, 0, 10**9)
    assert (_numbers(blocks), newest) == (list(range(1, 103)), 102)


def test_only_what_may_be_of_the_time_is_given(connection: sqlite3.Connection) -> None:
    """Blocks whose rows are all earlier or later are not looked at again."""
    cache = HotCache(1 << 20)
    _put(connection, *(_row(seq) for seq in range(1, 301)))
    blocks, _ = cache.read(connection, 150_000, 151_000)
    assert _numbers(blocks, 150_000, 151_000) == [150, 151]
    assert len(_numbers(blocks)) <= 128


def test_sealed_rows_are_let_go(connection: sqlite3.Connection) -> None:
    """What the file has no more is not kept; a reader with an older view of the file still finds its rows."""
    cache = HotCache(1 << 20)
    _put(connection, *(_row(seq, layouts=LAYOUTS[seq % 2]) for seq in range(1, 301)))
    cache.read(connection, 0, 10**9)
    connection.execute("DELETE FROM hot WHERE seq <= 200")
    blocks, _ = cache.read(connection, 0, 10**9)
    assert set(_numbers(blocks)) >= set(range(201, 301))
    assert len(_numbers(blocks)) < 300
    _put(connection, *(_row(seq, layouts=LAYOUTS[seq % 2]) for seq in range(1, 201)))  # as an older view has them
    blocks, _ = cache.read(connection, 0, 10**9)
    assert set(_numbers(blocks)) == set(range(1, 301))


def test_what_is_too_much_is_read_each_time(connection: sqlite3.Connection) -> None:
    """Beyond its bytes only the newest rows are kept; the answer is whole all the same."""
    cache = HotCache(64 * 2 * 8)
    _put(connection, *(_row(seq) for seq in range(1, 501)))
    for _ in range(2):
        blocks, _ = cache.read(connection, 0, 10**9)
        assert set(_numbers(blocks)) == set(range(1, 501))
    assert sum(block.values.nbytes for block in cache._blocks) <= 64 * 2 * 8
    blocks, _ = cache.read(connection, 3000, 5000)
    assert _numbers(blocks, 3000, 5000) == [3, 4, 5]


def test_a_writer_that_counts_anew_is_seen(connection: sqlite3.Connection) -> None:
    """Rows of the same numbers as those before are other rows."""
    cache = HotCache(1 << 20)
    _put(connection, *(_row(seq) for seq in range(1, 11)))
    cache.read(connection, 0, 10**9)
    connection.execute("DELETE FROM hot")
    assert cache.read(connection, 0, 10**9) == ([], -1)
    _put(connection, *(_row(seq, 100_000 + seq) for seq in range(1, 31)))
    blocks, _ = cache.read(connection, 100_000, 200_000)
    assert _numbers(blocks, 100_000, 200_000) == list(range(1, 31))


def test_a_row_of_another_width_is_by_itself(connection: sqlite3.Connection) -> None:
    """Rows that say they have the same layouts but not as many values do not spoil each other."""
    cache = HotCache(1 << 20)
    _put(connection, _row(1), _row(2, width=3), HotRow(3, LAYOUTS[0], b"odd", 3))
    cache.read(connection, 0, 10**9)
    _put(connection, _row(4), _row(5, width=3))
    assert _numbers(cache.read(connection, 0, 10**9)[0]) == [1, 2, 4, 5]


def test_a_snapshot_from_before_a_sealing_has_all_its_rows(tmp_path: Path) -> None:
    """Two threads may look at different moments: rows that the later one never saw are read for the earlier one."""
    path = str(tmp_path / "history.db")
    writer, early, late = (sqlite3.connect(path, isolation_level=None) for _ in range(3))
    writer.execute("PRAGMA journal_mode = WAL")
    writer.executescript(schema.TABLES)
    cache = HotCache(1 << 20)
    _put(writer, *(_row(seq) for seq in range(1, 18)))
    cache.read(late, 0, 10**9)
    _put(writer, *(_row(seq) for seq in range(18, 22)))
    early.execute("BEGIN")
    early.execute("SELECT count(*) FROM hot").fetchone()
    writer.execute("DELETE FROM hot WHERE seq <= 20")
    assert _numbers(cache.read(late, 0, 10**9)[0]) == [21]
    assert _numbers(cache.read(early, 0, 10**9)[0]) == list(range(1, 22))
    for connection in (writer, early, late):
        connection.close()


def test_an_unchanged_file_is_not_asked_again(connection: sqlite3.Connection) -> None:
    """The same rows as at the last reading, without a look at the file; none where that is not sure."""
    cache = HotCache(1 << 20)
    assert cache.again(connection, 0, 10**9) is None
    _put(connection, *(_row(seq) for seq in range(1, 101)))
    blocks, newest = cache.read(connection, 0, 10**9)
    said: list[str] = []
    connection.set_trace_callback(said.append)
    assert cache.again(connection, 0, 10**9) == (blocks, newest)
    assert said == []
    other = sqlite3.connect(":memory:", isolation_level=None)
    other.executescript(schema.TABLES)
    _put(other, *(_row(seq) for seq in range(1, 111)))
    cache.read(other, 0, 10**9)  # a later view of the file
    assert cache.again(connection, 0, 10**9) is None
    assert cache.again(other, 0, 10**9) is not None
    cache.clear()
    assert cache.again(other, 0, 10**9) is None
    other.close()
