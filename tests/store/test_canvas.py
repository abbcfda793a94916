"""Minutes that are drawn for all queries at once, against the same drawn query by query."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bongsu.model.query import Fold, Query
from bongsu.store.layout.buckets import Buckets
from bongsu.store.layout.minutes import apart
from bongsu.store.reading.canvas import Canvas
from bongsu.store.reading.coverage import Coverage
from bongsu.store.reading.history import History
from bongsu.store.reading.reader import Reader
from bongsu.store.recent import Window
from bongsu.store.series import STALE
from readings import HEAT, WORK
from stored import Store, labels

T = 1_700_006_400_000  # the end of six hours that are merged
NAN = float("nan")
QUERIES = [
    *(Query(WORK, Fold.RATE, by=by) for by in ((), ("kind",), ("core", "kind"))),
    *(Query(HEAT, fold, by=by) for fold in (Fold.LAST, Fold.AVG, Fold.MAX) for by in ((), ("room",))),
    Query(HEAT, Fold.RATE), Query(HEAT, Fold.RATE, by=("room",)), Query(WORK, Fold.LAST, by=("core",)), Query(WORK, Fold.MAX),
    Query(WORK, Fold.RATE, where=(("core", "9"),)), Query(HEAT, Fold.AVG, where_not=(("room", "a"),)),
]  # fmt: skip
SERIES = [
    *(labels(WORK.name, core=core, kind=kind) for core in "01" for kind in "xy"),
    *(labels(HEAT.name, room=room) for room in "abc"),
]


def one_by_one(canvas: Canvas, together: Sequence[Buckets], but: Coverage) -> None:
    """The plain way: each query takes its series from all."""
    found = apart(together)
    for one in canvas.lines:
        one.add_minutes(found, but)


def same(ours: Window, plain: Window) -> None:
    """Two answers, bit for bit but for what kind of NaN a NaN is."""
    assert ours.outer == plain.outer
    assert ours.times == plain.times
    for mine, theirs in ((ours.rows, plain.rows), (ours.low, plain.low), (ours.high, plain.high)):
        assert mine is not None
        assert theirs is not None
        assert list(mine) == list(theirs)
        for group, row in mine.items():
            np.testing.assert_array_equal(np.array(row), np.array(theirs[group]))


@contextmanager
def plainly() -> Iterator[None]:
    """Everything is drawn one by one."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Canvas, "add_minutes", one_by_one)
        yield


_KNOWN = st.one_of(st.floats(0, 50), st.just(0.0), st.just(-1.0))
_ANY = st.one_of(_KNOWN, st.sampled_from([STALE, NAN]))


def _columns(values: st.SearchStrategy[float]) -> st.SearchStrategy[list[list[float]]]:
    column = st.lists(values, min_size=40, max_size=40)
    return st.lists(column, min_size=len(SERIES), max_size=len(SERIES))


@given(
    st.one_of(_columns(_KNOWN), _columns(_KNOWN), _columns(_ANY)),
    st.sets(st.integers(0, 39)),
    st.lists(st.sampled_from([10, 25, 60, 61, 90, 290, 301, 1800]), min_size=40, max_size=40),
    st.one_of(
        st.just([(0, 40)] * len(SERIES)),
        st.lists(st.sampled_from([(0, 40), (0, 40), (0, 18), (12, 40)]), min_size=len(SERIES), max_size=len(SERIES)),
    ),
    st.sampled_from([(0, 40), (0, 33), (20, 40)]),
    st.booleans(),
    st.integers(1, 200),
)
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
def test_all_at_once_is_as_one_by_one(
    tmp_path_factory: pytest.TempPathFactory, columns: list[list[float]], ended: set[int],
    gaps: list[int], lives: list[tuple[int, int]], sealed: tuple[int, int], merged: bool, points: int,
) -> None:  # fmt: skip
    """Gaps, resets of counters, NaN, stale marks, series that begin or end inside, minutes that are merged, in rows, and samples that are not sealed."""
    store = Store(tmp_path_factory.mktemp("store"), SERIES, {WORK.name: "counter"})
    times = (T - 7_200_000 + 1000 * np.cumsum(gaps)).tolist()
    samples: dict[int, list[tuple[int, float]]] = {}
    for one, (column, (begin, length)) in enumerate(zip(columns, lives, strict=True), 1):
        total = 0.0
        several = samples[one] = []
        for at in range(begin, min(begin + length, 40)):
            step = STALE if at in ended else column[at]
            total = 0.0 if step == -1.0 else total if math.isnan(step) else total + step
            several.append((times[at], total if one <= 4 and not math.isnan(step) else step))
    first, last = sealed
    low, high = times[first], times[last - 1]
    store.insert({one: [s for s in several if low <= s[0] <= high] for one, several in samples.items()})
    if merged:
        store.merge()
    for at in range(last, 40):
        row = {one: value for one, several in samples.items() for ts, value in several if ts == times[at]}
        if row:
            store.write(store.row(times[at], [row]))
    reader = Reader(store.path)
    try:
        history = History(reader)
        since, until = times[0] / 1000 - 3600, times[-1] / 1000
        ours = history.read(QUERIES, since - points, until, points=points)
        with plainly():
            plain = history.read(QUERIES, since - points, until, points=points)
        for mine, theirs in zip(ours.windows, plain.windows, strict=True):
            same(mine, theirs)
    finally:
        reader.close()
        store.close()


def test_a_minute_of_which_nothing_is_known_is_none(tmp_path: Path) -> None:
    """A sum over rooms that all ended is no 0."""
    store = Store(tmp_path, SERIES, {WORK.name: "counter"})
    times = np.arange(T - 3_600_000 + 30_000, T + 1, 30_000, dtype=np.int64)
    values = np.full((2, times.size), 3.0)
    values[:, 60:] = STALE
    store.fill([5, 6], times, values)
    reader = Reader(store.path)
    (window,) = History(reader).read([Query(HEAT)], T / 1000 - 3600, T / 1000, points=60).windows
    assert window.rows[()].tolist()[:30] == [6.0] * 30
    assert all(math.isnan(value) for value in window.rows[()][30:])
    reader.close()
    store.close()


def test_other_series_in_the_next_hours_are_drawn_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was worked out for the series of one segment is not used for another's; each line is where it belongs."""
    monkeypatch.setattr("bongsu.store.reading.reader._MINUTE_CHUNKS_AT_ONCE", 1)  # each six hours are read alone
    store = Store(tmp_path, SERIES, {WORK.name: "counter"})
    times = np.arange(T - 18 * 3_600_000 + 10_000, T + 1, 10_000, dtype=np.int64)
    third = times.size // 3
    for ids, begin in (([1, 2, 5], 0), ([2, 3, 6], third), ([1, 2, 3, 4, 5, 6, 7], 2 * third)):
        part = times[begin : begin + third]
        store.fill(ids, part, np.array(ids)[:, None] * (part - times[0])[None] / 1000.0)
    store.merge()
    reader = Reader(store.path)
    history = History(reader)
    ours = history.read(QUERIES, T / 1000 - 64800, T / 1000, points=100)
    with plainly():
        plain = history.read(QUERIES, T / 1000 - 64800, T / 1000, points=100)
    for mine, theirs in zip(ours.windows, plain.windows, strict=True):
        same(mine, theirs)
    rates = ours.windows[QUERIES.index(Query(WORK, Fold.RATE))].rows[()]
    assert [round(rates[at], 6) for at in (12, 36, 60)] == [3, 5, 10]
    reader.close()
    store.close()
