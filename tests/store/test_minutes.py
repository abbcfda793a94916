"""Minute buckets say what a plain reading of the samples says, before they are merged and after."""

from __future__ import annotations

import math
import random
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bongsu.store.layout import minutes
from bongsu.store.layout.schema import MINUTES, SEAL_MS
from bongsu.store.series import STALE, STALE_BITS
from bongsu.store.writing import seal
from plain_minutes import Sample, check
from store_file import Store

T0 = 78_703 * minutes.MERGED_MS
NEVER = 2**60
ALL = (-(2**50), 2**50)
COUNTER, GAUGE = 1, 2


def _samples(seed: int, windows: int) -> dict[int, list[Sample]]:
    """A counter and a gauge read now and then, with resets, gaps, NaN, infinities and ends."""
    luck = random.Random(seed)
    ts, count = T0 + luck.randrange(100_000), 0
    found: dict[int, list[Sample]] = {COUNTER: [], GAUGE: []}
    while True:
        ts += luck.choice([1, 999, 1000, 1000, 1001, 1000, 15_000, 1000, 61_000])
        ts += 400_000 if luck.random() < 0.01 else 0
        if ts > T0 + windows * SEAL_MS:
            return found
        count += luck.choice([0, 1, 5, 1000])
        if luck.random() < 0.02:
            count = luck.randrange(3)
        odd = luck.choice([math.nan, math.inf, STALE]) if luck.random() < 0.02 else None
        if luck.random() < 0.97:
            found[COUNTER].append((ts, float(count) if odd is None else odd))
        if luck.random() < 0.97:
            found[GAUGE].append((ts, round(luck.gauss(50, 30), 1) if odd is None else odd))


def _fill(store: Store, samples: dict[int, list[Sample]]) -> None:
    batches: dict[int, dict[int, float]] = {}
    for one, column in samples.items():
        for ts, value in column:
            batches.setdefault(ts, {})[one] = value
    for ts, values in sorted(batches.items()):
        store.hot(ts, *(([one], [value]) for one, value in values.items()))


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(st.integers(0, 2**32))
def test_buckets_are_those_of_the_plain_reading(tmp_path_factory: pytest.TempPathFactory, seed: int) -> None:
    """Last, increase, lowest and highest rate; minimum, maximum and sum: over windows, unmerged, mixed and merged."""
    store = Store(tmp_path_factory.mktemp("store"), counters=1, gauges=1)
    samples = _samples(seed, 40)
    _fill(store, samples)
    while seal.seal(store.connection, before_ms=NEVER):
        pass
    for step in range(3):
        found = minutes.read(store.connection, [COUNTER, GAUGE], *ALL)
        for one, column in samples.items():
            check(found[one], column, counter=one == COUNTER)
        if step < 2:
            before = T0 + 3 * minutes.MERGED_MS if step else T0 + minutes.MERGED_MS + SEAL_MS
            minutes.merge(store.connection, before_ms=before)
            assert (store.count("minutes") == 0) is (step == 1)
    store.connection.close()


def test_rows_are_merged_once_six_hours_are_over(tmp_path: Path) -> None:
    """The rows of six hours become one chunk a series in one step, once a window more is over."""
    store = Store(tmp_path, counters=1, gauges=1)
    for step in range(1, 37 * 60 + 1):
        store.hot(T0 + step * 10_000, ([COUNTER, GAUGE], [step, 1.0]))
        if step == 36 * 60:
            while seal.seal(store.connection, before_ms=NEVER):
                pass
            assert not minutes.merge(store.connection, before_ms=T0 + minutes.MERGED_MS)
    while seal.seal(store.connection, before_ms=NEVER):
        pass
    before = minutes.read(store.connection, [COUNTER, GAUGE], *ALL)
    over = T0 + minutes.MERGED_MS + SEAL_MS
    assert minutes.merge(store.connection, before_ms=over)
    assert not minutes.merge(store.connection, before_ms=over)
    assert store.count("minutes") == 1
    assert store.connection.execute("SELECT t0, t1 FROM segment WHERE tier = ?", (MINUTES,)).fetchall() == [
        (T0, T0 + minutes.MERGED_MS)
    ]
    after = minutes.read(store.connection, [COUNTER, GAUGE], *ALL)
    for one, column in before.items():
        for field in ("last", "low", "high", "total"):
            assert getattr(column, field).tobytes() == getattr(after[one], field).tobytes()
    sizes = dict(store.connection.execute("SELECT id & 0xFFFFFFFF, length(data) FROM chunk WHERE id >> 32 = "
                                          "(SELECT id FROM segment WHERE tier = 1)"))  # fmt: skip
    assert sizes[COUNTER] < 60
    assert sizes[GAUGE] < 30


def test_a_merged_tier_goes_on_where_it_ended(tmp_path: Path) -> None:
    """The first increase after a merge is told from the sample before it, although its row is gone."""
    store = Store(tmp_path, counters=1)
    store.hot(T0 - 1000, ([COUNTER], [10.0]))
    seal.seal(store.connection, before_ms=NEVER)
    assert minutes.merge(store.connection, before_ms=2**60)
    store.hot(T0 + 1000, ([COUNTER], [25.0]))
    seal.seal(store.connection, before_ms=NEVER)
    found = minutes.read(store.connection, [COUNTER], *ALL)[COUNTER]
    assert found.total[1] == 15.0
    assert found.shape.covered.tolist() == [0, 2000]
    assert (found.low[1], found.high[1]) == (7.5, 7.5)


def test_a_stale_mark_ends_a_counter(tmp_path: Path) -> None:
    """What a counter did while it was not read is not told; the mark is the last of its bucket, bit for bit."""
    store = Store(tmp_path, counters=1)
    for ts, value in ((1000, 5.0), (2000, 6.0), (3000, STALE), (61_000, 100.0), (62_000, 103.0)):
        store.hot(T0 + ts, ([COUNTER], [value]))
    seal.seal(store.connection, before_ms=NEVER)
    found = minutes.read(store.connection, [COUNTER], *ALL)[COUNTER]
    assert found.total.tolist() == [1.0, 3.0]
    assert found.last.view(np.uint64).tolist()[0] == STALE_BITS
    assert found.shape.covered.tolist() == [1000, 1000]


def test_sums_of_decimals_are_decimals(tmp_path: Path) -> None:
    """A sum has no tail of rounding: 0.1 six hundred times is 60 in ten buckets of 6."""
    store = Store(tmp_path, gauges=2)
    for second in range(1, 601):
        store.hot(T0 + second * 1000, ([1, 2], [0.1, 0.7 if second % 3 else 12.3]))
    seal.seal(store.connection, before_ms=NEVER)
    found = minutes.read(store.connection, [1, 2], *ALL)
    assert found[1].total.tolist() == [6.0] * 10
    assert found[2].total.tolist() == [274.0] * 10


def test_a_clock_set_back_adds_to_the_buckets(tmp_path: Path) -> None:
    """Samples of a minute that was sealed before count too, each once; the latest is the last."""
    store = Store(tmp_path, gauges=1)
    for ts, value in ((10_000, 5.0), (50_000, 6.0)):
        store.hot(T0 + ts, ([1], [value]))
    seal.seal(store.connection, before_ms=NEVER)
    for ts, value in ((20_000, 1.0), (40_000, 9.0)):
        store.hot(T0 + ts, ([1], [value]))
    seal.seal(store.connection, before_ms=NEVER)
    for _ in range(2):
        found = minutes.read(store.connection, [1], *ALL)[1]
        assert found.shape.ends.tolist() == [T0 + 60_000]
        assert found.shape.at.tolist() == [T0 + 50_000]
        assert [found.last[0], found.low[0], found.high[0], found.total[0]] == [6.0, 1.0, 9.0, 21.0]
        assert found.shape.counts.tolist() == [4]
        minutes.merge(store.connection, before_ms=2**60)


def test_ranges_of_buckets(tmp_path: Path) -> None:
    """A bucket is given where a moment of it is asked for; series of one shape share it."""
    store = Store(tmp_path, gauges=2)
    for second in range(1, 1801):
        store.hot(T0 + second * 1000, ([1, 2], [second, 2.0]))
    while seal.seal(store.connection, before_ms=NEVER):
        pass
    for _ in range(2):
        found = minutes.read(store.connection, [1, 2], T0 + 60_000, T0 + 120_001)
        assert found[1].shape is found[2].shape
        assert found[1].shape.ends.tolist() == [T0 + 60_000, T0 + 120_000, T0 + 180_000]
        assert minutes.read(store.connection, [1], T0 - 5000, T0) == {}
        minutes.merge(store.connection, before_ms=2**60)
