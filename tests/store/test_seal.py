"""Sealing keeps every sample, bit for bit, and is done or not done, never half."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bongsu.store.layout import minutes, segments
from bongsu.store.layout.schema import RAW, SEAL_MS
from bongsu.store.series import STALE
from bongsu.store.writing import compact, seal
from store_file import Store, whole

T0 = 2_833_333 * SEAL_MS
NEVER = 2**60
ALL = (-(2**50), 2**50)
Samples = dict[int, dict[int, bytes]]  # series → time → the value's bytes


def _bytes(value: float) -> bytes:
    return np.float64(value).tobytes()


def _stored(store: Store) -> Samples:
    columns = segments.read(store.connection, store.ids.tolist(), *ALL)
    for column in columns.values():
        assert (np.diff(column.times) > 0).all()
    return {
        one: dict(zip(column.times.tolist(), map(_bytes, column.values), strict=True))
        for one, column in columns.items()
    }


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path, counters=2, gauges=4)


def test_a_window_becomes_a_segment(store: Store) -> None:
    """The rows of a window that is over go, and what they held stands in chunks; later rows stay."""
    for second in range(1, 700):
        store.hot(T0 + second * 1000, ([1, 3], [second, -0.0]), ([4], [second / 10]))
    assert seal.seal(store.connection, before_ms=T0 + SEAL_MS)
    assert not seal.seal(store.connection, before_ms=T0 + SEAL_MS)
    assert store.count("hot") == 99
    found = _stored(store)
    assert found[1] == {T0 + s * 1000: _bytes(s) for s in range(1, 601)}
    assert found[3] == {T0 + s * 1000: _bytes(-0.0) for s in range(1, 601)}
    assert found[4] == {T0 + s * 1000: _bytes(s / 10) for s in range(1, 601)}
    assert store.connection.execute("SELECT t0, t1, first, last FROM segment").fetchall() == [
        (T0, T0 + SEAL_MS, T0 + 1000, T0 + SEAL_MS)
    ]


def test_a_window_that_is_not_over_waits(store: Store) -> None:
    """Nothing is sealed before its window has ended."""
    store.hot(T0 + 1000, ([1], [1.0]))
    assert not seal.seal(store.connection, before_ms=T0 + SEAL_MS - 1)
    assert store.count("hot") == 1


def test_the_end_belongs_to_the_window(store: Store) -> None:
    """Windows are open on the left: a sample at their end is theirs, one at their beginning is not."""
    store.hot(T0, ([1], [1.0]))
    store.hot(T0 + 1, ([1], [2.0]))
    store.hot(T0 + SEAL_MS, ([1], [3.0]))
    while seal.seal(store.connection, before_ms=NEVER):
        pass
    assert store.connection.execute("SELECT t0, first, last FROM segment ORDER BY t0").fetchall() == [
        (T0 - SEAL_MS, T0, T0), (T0, T0 + 1, T0 + SEAL_MS)
    ]  # fmt: skip


def test_series_that_come_and_go(store: Store) -> None:
    """A series has just the times that it was read at; those of the same times share one array."""
    for second in range(1, 101):
        parts = [([1, 2], [second, 2.0])]
        if second > 50:
            parts.append(([3], [3.0]))
        if second % 15 == 0:
            parts.append(([4, 5], [4.0, STALE]))
        store.hot(T0 + second * 1000, *parts)
    seal.seal(store.connection, before_ms=NEVER)
    columns = segments.read(store.connection, [1, 2, 3, 4, 5, 6], *ALL)
    assert sorted(columns) == [1, 2, 3, 4, 5]
    assert columns[1].times is columns[2].times
    assert columns[4].times is columns[5].times
    assert columns[3].times.tolist() == [T0 + s * 1000 for s in range(51, 101)]
    assert columns[4].times.tolist() == [T0 + s * 1000 for s in range(15, 101, 15)]
    assert _bytes(columns[5].values[0]) == _bytes(STALE)


def test_of_two_samples_of_one_time_the_later_stays(store: Store) -> None:
    """A clock set back gives times twice: the order of arrival decides, within a window and between segments."""
    store.hot(T0 + 1000, ([1], [1.0]), ([3], [10.0]))
    store.hot(T0 + 2000, ([1], [2.0]), ([3], [20.0]))
    store.hot(T0 + 1000, ([1], [3.0]))
    store.hot(T0 + 1500, ([1], [4.0]))
    seal.seal(store.connection, before_ms=NEVER)
    expected = {
        1: {T0 + 1000: _bytes(3), T0 + 1500: _bytes(4), T0 + 2000: _bytes(2)},
        3: {T0 + 1000: _bytes(10), T0 + 2000: _bytes(20)},
    }
    assert _stored(store) == expected
    store.hot(T0 + 1500, ([1], [5.0]))
    seal.seal(store.connection, before_ms=NEVER)
    expected[1][T0 + 1500] = _bytes(5)
    assert _stored(store) == expected
    for value, one in ((6.0, 2), (7.0, 1), (8.0, 2)):  # by turns from two layouts
        store.hot(T0 + 9000, ([2], [value]), *([] if one == 2 else [([4], [1.0])]))
    seal.seal(store.connection, before_ms=NEVER)
    assert _stored(store)[2] == {T0 + 9000: _bytes(8)}
    assert store.count("segment") == 3
    assert minutes.read(store.connection, [1], *ALL)[1].shape.ends.tolist() == [T0 + 60_000]


def test_a_future_that_was_taken_back_is_sealed(store: Store) -> None:
    """Rows far in the future wait for nothing; those of the window that runs, and of the next, do."""
    store.hot(T0 + 50 * SEAL_MS, ([1], [1.0]))
    store.hot(T0 + 1000, ([1], [2.0]))
    store.hot(T0 + SEAL_MS + 1, ([1], [3.0]))
    assert seal.seal(store.connection, before_ms=T0 + 2000)
    assert not seal.seal(store.connection, before_ms=T0 + 2000)
    assert store.count("hot") == 2
    store.connection.execute("DELETE FROM hot WHERE ts = ?", (T0 + 1000,))
    assert not seal.seal(store.connection, before_ms=T0 + 2000)
    assert seal.seal(store.connection, before_ms=T0 - SEAL_MS)


def test_a_row_that_cannot_be_read_does_not_stop_the_rest(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    """A row whose layout is gone is said to be lost; the others of its window are sealed."""
    store.hot(T0 + 1000, ([1], [1.0]))
    store.hot(T0 + 2000, ([3], [1.0]))
    store.connection.execute("DELETE FROM layout WHERE id = 2")
    assert seal.seal(store.connection, before_ms=NEVER)
    assert store.count("hot") == 0
    assert list(_stored(store)) == [1]
    assert "is lost" in caplog.text


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(
    st.lists(
        st.tuples(
            st.integers(-(10**6), 10**6) | st.integers(-5, 5),
            st.lists(st.sampled_from([(1,), (2, 3), (4, 5, 6), (2, 6), ()]), max_size=2),
            st.floats(width=64) | st.just(STALE) | st.integers(0, 9).map(float),
        ), max_size=40,
    ), st.booleans(),
)  # fmt: skip
def test_every_sample_is_kept(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[int, list[tuple[int, ...]], float]], joined: bool
) -> None:
    """Whatever comes in, in whatever order, comes out: the last that arrived of each series and time."""
    store = Store(tmp_path_factory.mktemp("store"), counters=2, gauges=4)
    expected: Samples = {}
    for offset, layouts, value in rows:
        taken: set[int] = set()
        parts = []
        for ids in layouts:
            if not taken & set(ids):
                parts.append(ids)
                taken.update(ids)
        store.hot(T0 + offset, *((ids, [value] * len(ids)) for ids in parts))
        for one in taken:
            expected.setdefault(one, {})[T0 + offset] = _bytes(value)
    while seal.seal(store.connection, before_ms=NEVER):
        pass
    if joined:
        for _ in compact.compact(store.connection):
            pass
    assert store.count("hot") == 0
    assert _stored(store) == expected
    for one, found in expected.items():
        ends = sorted({-(-ts // 60_000) * 60_000 for ts in found})
        assert minutes.read(store.connection, [one], *ALL)[one].shape.ends.tolist() == ends
    store.connection.close()


def test_ranges_are_cut_to_the_millisecond(store: Store) -> None:
    """Both ends of the asked range belong to it, and nothing beyond is given."""
    for second in range(1801):
        store.hot(T0 + second * 1000, ([1], [second]))
    while seal.seal(store.connection, before_ms=NEVER):
        pass
    column = segments.read(store.connection, [1], T0 + 500_000, T0 + 1_300_000)[1]
    assert column.values.tolist() == list(range(500, 1301))
    assert segments.read(store.connection, [1], T0 + 500_001, T0 + 500_999) == {}
    assert segments.listed(store.connection, T0 + 1, T0 + 5000) == {1}
    assert segments.listed(store.connection, T0 + 2_000_000, T0 + 3_000_000) == set()


def test_samples_of_the_past_are_inserted(store: Store) -> None:
    """An import writes segments and minutes of each window; of doubled samples the later in the arrays stays."""
    random = np.random.default_rng(1)
    times = T0 + random.integers(1, 3 * SEAL_MS, 3000)
    ids = random.integers(1, 7, 3000)
    values = random.normal(0, 1, 3000)
    seal.insert(store.connection, ids, times, values)
    expected: Samples = {}
    for one, ts, value in zip(ids.tolist(), times.tolist(), values.tolist(), strict=True):
        expected.setdefault(one, {})[ts] = _bytes(value)
    assert _stored(store) == expected
    assert store.count("segment") == 3
    assert minutes.read(store.connection, [3], *ALL)[3].shape.counts.sum() == len(expected[3])


class _Failing:
    """A connection that fails at the nth statement that matches."""

    def __init__(self, connection: sqlite3.Connection, start: str) -> None:
        self._connection, self._start = connection, start

    def __getattr__(self, name: str) -> object:
        return getattr(self._connection, name)

    def execute(self, sql: str, *values: Sequence[object]) -> sqlite3.Cursor:
        if sql.startswith(self._start):
            raise sqlite3.OperationalError("disk I/O error")
        return self._connection.execute(sql, *values)


@pytest.mark.parametrize("start", ["INSERT INTO segment", "INSERT INTO minutes", "DELETE FROM hot", "COMMIT"])
def test_what_fails_changes_nothing(store: Store, start: str) -> None:
    """Wherever sealing fails, all hot rows are still there and no part of a segment is."""
    for second in range(1, 20):
        store.hot(T0 + second * 1000, ([1], [second]))
    with pytest.raises(sqlite3.OperationalError):
        seal.seal(_Failing(store.connection, start), before_ms=NEVER)  # type: ignore[arg-type]  # stands for a connection
    assert not store.connection.in_transaction
    assert [store.count(table) for table in ("hot", "segment", "chunk", "minutes")] == [19, 0, 0, 0]
    assert seal.seal(store.connection, before_ms=NEVER)
    assert _stored(store)[1] == {T0 + s * 1000: _bytes(s) for s in range(1, 20)}


def test_small_segments_are_joined(store: Store) -> None:
    """Forty samples a window are joined within two hours to fewer, larger chunks, which hold the same."""
    for step in range(1, 4 * 480 + 1):
        store.hot(T0 + step * 15_000, ([1, 2], [step, 2.0]), ([3], [step / 10]))
    while seal.seal(store.connection, before_ms=NEVER):
        pass
    before, size = _stored(store), store.connection.execute("SELECT sum(length(data) + 13) FROM chunk").fetchone()[0]
    many = store.count("segment")
    while compact.join(store.connection, before_ms=T0 + 4 * 7_200_000):
        pass
    assert _stored(store) == before
    assert store.count("segment") < many / 8
    assert store.connection.execute("SELECT sum(length(data) + 13) FROM chunk").fetchone()[0] < size * 0.7
    assert store.count("segment", f"tier = {RAW} AND (t1 - 1) / 7200000 != t0 / 7200000") == 0
    assert whole(store.connection)


def test_large_segments_are_left_alone(store: Store) -> None:
    """Two windows at 1 Hz stay two: a longer chunk would be slow to read a little of."""
    for second in range(1, 1201):
        store.hot(T0 + second * 1000, ([1], [second]))
    while seal.seal(store.connection, before_ms=NEVER):
        pass
    assert not compact.join(store.connection, before_ms=NEVER)
