"""What is too old goes, what is too much goes in its order, and names that nothing uses go with them."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from bongsu.store.layout import minutes, segments
from bongsu.store.layout.schema import MINUTES, RAW, SEAL_MS
from bongsu.store.writing import retention, seal
from store_file import Store, whole

T0 = 2_833_344 * SEAL_MS
DAY = 86_400_000
NEVER = 2**60


def _window(store: Store, t0: int, *, step: int = 10_000, noise: int = 0) -> None:
    """One sealed window of all series."""
    times = np.arange(t0 + step, t0 + SEAL_MS + 1, step)
    random = np.random.default_rng(t0 // SEAL_MS + noise)
    seal.insert(
        store.connection, np.repeat(store.ids, times.size), np.tile(times, store.ids.size),
        random.normal(0, 1, times.size * store.ids.size),
    )  # fmt: skip


def _enforce(store: Store, now: int, *, raw: int = 7 * DAY, coarse: int = 90 * DAY, most: int | None = None) -> int:
    steps = 0
    while retention.enforce(store.connection, now_ms=now, raw_ms=raw, minutes_ms=coarse, max_bytes=most):
        steps += 1
        assert steps < 10_000
    return steps


def _ends(store: Store, tier: int) -> list[int]:
    return [t1 for (t1,) in store.connection.execute("SELECT t1 FROM segment WHERE tier = ? ORDER BY t1", (tier,))]


def test_old_samples_go_by_age(tmp_path: Path) -> None:
    """A raw segment goes once all of it is too old, a merged one and a row of minutes after their own time."""
    store = Store(tmp_path, gauges=2)
    for number in range(80):
        _window(store, T0 + number * SEAL_MS)
    while minutes.merge(store.connection, before_ms=T0 + 80 * SEAL_MS):
        pass
    assert store.count("minutes") == 80 - 72
    now = T0 + 80 * SEAL_MS
    assert _enforce(store, now) == 0
    _enforce(store, now, raw=10 * SEAL_MS)
    assert _ends(store, RAW) == [T0 + n * SEAL_MS for n in range(71, 81)]
    assert len(_ends(store, MINUTES)) == 2
    _enforce(store, now, raw=10 * SEAL_MS, coarse=44 * SEAL_MS)
    assert len(_ends(store, MINUTES)) == 1
    _enforce(store, now, raw=10 * SEAL_MS, coarse=4 * SEAL_MS)
    assert _ends(store, MINUTES) == []
    assert store.count("minutes") == 4
    assert store.count("chunk") == 2 * 10
    assert whole(store.connection)


def test_what_is_too_much_goes_in_its_order(tmp_path: Path) -> None:
    """Raw samples older than a day first, then the oldest minutes, then the oldest raw samples."""
    store = Store(tmp_path, gauges=4)
    for number in range(200):
        _window(store, T0 + number * SEAL_MS)
    while minutes.merge(store.connection, before_ms=T0 + 200 * SEAL_MS):
        pass
    now = T0 + 200 * SEAL_MS
    gone: list[str] = []
    before = (_ends(store, RAW), _ends(store, MINUTES), store.count("minutes"))
    while retention.enforce(store.connection, now_ms=now, raw_ms=7 * DAY, minutes_ms=90 * DAY, max_bytes=1):
        after = (_ends(store, RAW), _ends(store, MINUTES), store.count("minutes"))
        if after[0] != before[0]:
            assert after[0] == before[0][1:]
            gone.append("raw")
        elif after[1] != before[1]:
            assert after[1] == before[1][1:]
            gone.append("merged")
        elif after[2] != before[2]:
            gone.append("row")
        before = after
    raw_of_old = 200 - 144
    assert gone == ["raw"] * raw_of_old + ["merged"] * 5 + ["row"] * 20 + ["raw"] * 144


def test_the_cap_is_held_through_a_month(tmp_path: Path) -> None:
    """The file and its log never take more than they may, and what can be kept is kept."""
    most = 3 * 1024 * 1024
    store = Store(tmp_path, counters=40, gauges=20, max_bytes=most)
    random = np.random.default_rng(1)
    ids, largest, hours = store.ids.tolist(), 0, 30 * 24
    rows = np.round(np.cumsum(random.uniform(0, 9, (hours * 60, 60)), axis=0), 1)
    for hour in range(hours):
        now = T0 + hour * 6 * SEAL_MS
        store.connection.execute("BEGIN")
        for step in range(60):
            store.hot(now + (step + 1) * 10_000, (ids, rows[hour * 60 + step]))
        store.connection.execute("COMMIT")
        largest = max(largest, store.bytes_on_disk)
        while seal.seal(store.connection, before_ms=now + SEAL_MS):
            largest = max(largest, store.bytes_on_disk)
        minutes.merge(store.connection, before_ms=now + SEAL_MS)
        while retention.enforce(
            store.connection, now_ms=now + SEAL_MS, raw_ms=7 * DAY, minutes_ms=90 * DAY, max_bytes=most
        ):
            largest = max(largest, store.bytes_on_disk)
        largest = max(largest, store.bytes_on_disk)
    assert most * 0.6 < largest <= most
    assert 20 < len(_ends(store, RAW)) < 7 * 24
    assert len(_ends(store, MINUTES)) > 1
    assert whole(store.connection)


def test_a_lower_cap_shrinks_the_file(tmp_path: Path) -> None:
    """Pages that were let go are given back until the file fits."""
    store = Store(tmp_path, gauges=50)
    for number in range(60):
        _window(store, T0 + number * SEAL_MS, step=2000)
    store.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    assert store.path.stat().st_size > 7 * 1024 * 1024
    _enforce(store, T0 + 60 * SEAL_MS, most=4 * 1024 * 1024)
    store.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    assert 2 * 1024 * 1024 < store.path.stat().st_size < 4 * 1024 * 1024
    assert whole(store.connection)


def test_names_that_nothing_uses_are_deleted(tmp_path: Path) -> None:
    """Layouts of no hot row, series of no sample and metrics of no series go; the rest stays readable."""
    store = Store(tmp_path, counters=2, gauges=4)
    store.hot(T0 + 1000, ([1, 3], [1.0, 2.0]))
    store.hot(T0 + 2000, ([4], [3.0]))
    seal.seal(store.connection, before_ms=NEVER)
    store.hot(T0 + SEAL_MS + 1000, ([5], [3.0]))
    assert retention.collect(store.connection)
    assert not retention.collect(store.connection)
    series = [one for (one,) in store.connection.execute("SELECT id FROM series ORDER BY id")]
    assert series == [1, 3, 4, 5]
    assert store.count("layout") == 1
    now = T0 + 30 * DAY
    _enforce(store, now, raw=DAY)
    assert not retention.collect(store.connection), "minutes still name them"
    _enforce(store, now, raw=DAY, coarse=DAY)
    assert retention.collect(store.connection)
    assert [one for (one,) in store.connection.execute("SELECT id FROM series")] == [5]
    assert store.count("metric") == 1
    assert store.count("hot") == 1


def test_series_that_stand_are_kept(tmp_path: Path) -> None:
    """What would be marked as ended after a kill keeps its names although no hot row has them."""
    store = Store(tmp_path, gauges=2)
    store.connection.execute("INSERT INTO layout(id, series) VALUES(7, ?)", (np.array([2], "<i4").tobytes(),))
    store.connection.execute("INSERT INTO meta VALUES('standing', ?)", (np.array([7], "<i4").tobytes(),))
    assert retention.collect(store.connection)
    assert store.count("layout") == 1
    assert [one for (one,) in store.connection.execute("SELECT id FROM series")] == [2]


@pytest.mark.parametrize("tier", [RAW, MINUTES])
def test_a_segment_goes_whole(tmp_path: Path, tier: int) -> None:
    """With a segment go all of its chunks and no other."""
    store = Store(tmp_path, gauges=3)
    for number in range(3):
        _window(store, T0 + number * 36 * SEAL_MS)
    while minutes.merge(store.connection, before_ms=2**60):
        pass
    (first,) = store.connection.execute("SELECT id FROM segment WHERE tier = ? ORDER BY t1", (tier,)).fetchone()
    segments.remove(store.connection, first)
    assert store.count("segment") == 5
    assert store.count("chunk") == 15
    assert store.count("chunk", f"id >> 32 = {first}") == 0


def test_one_file(tmp_path: Path) -> None:
    """The store is one file and what SQLite puts beside it."""
    Store(tmp_path, gauges=1)
    assert {name.split("-")[0] for name in os.listdir(tmp_path)} == {"history.db"}
