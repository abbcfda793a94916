"""What a board asks, answered from the disk: sums, rates, gaps, peaks, and the same as the last hour in memory."""

from __future__ import annotations

import math
import random
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bongsu.model.metric import Kind, MetricSpec
from bongsu.model.query import Fold, Query
from bongsu.store.reading.history import History
from bongsu.store.reading.reader import Reader
from bongsu.store.recent import Recent, Window
from bongsu.store.series import STALE, Tier
from readings import HEAT, WORK, one
from stored import Samples, Store, labels

T = 1_700_000_400_000  # the end of a sealing window
S = T / 1000
MINUTE, WINDOW, HOUR, DAY = 60_000, 600_000, 3_600_000, 86_400_000
NAN = math.nan


def plain(values: Iterable[float]) -> list[float | None]:
    """Values with None for NaN, so that they can be compared."""
    return [None if math.isnan(v) else round(v, 6) for v in values]


def heat(room: str) -> tuple[tuple[str, str], ...]:
    return labels(HEAT.name, room=room, job="bongsu")


def work(core: str, kind: str) -> tuple[tuple[str, str], ...]:
    return labels(WORK.name, core=core, kind=kind, job="bongsu")


def ask(store: Store, query: Query, since: float, until: float, points: int) -> Window:
    """One query's answer."""
    reader = Reader(store.path)
    try:
        return History(reader).read(query_list := [query], since, until, points=points).windows[query_list.index(query)]
    finally:
        reader.close()


@pytest.fixture
def store(tmp_path: Path) -> Iterable[Store]:
    """Two rooms, four cores' counters."""
    made = Store(
        tmp_path, [heat("a"), heat("b"), work("0", "x"), work("0", "y"), work("1", "x"), work("1", "y")],
        {WORK.name: "counter"},
    )  # fmt: skip
    yield made
    made.close()


def test_a_store_without_anything_gives_empty_windows(tmp_path: Path) -> None:
    """No file, no samples, nothing that fits: no lines, and no error."""
    history = History(Reader(str(tmp_path / "none.db")))
    for since, until in ((S - 100, S), (-math.inf, math.inf), (S, S - 100)):
        (window,) = history.read_all([Query(HEAT)], since, until, points=10)
        assert (list(window.times), window.rows) == ([], {})
    with pytest.raises(ValueError, match="points"):
        history.read_all([Query(HEAT)], 0, 1, points=0)


def test_each_reading_is_a_point_where_there_is_room(store: Store) -> None:
    """A bucket is named by its end; what was not read is a gap, also after a stale mark."""
    store.insert({1: [(T - 5000, 20.0), (T - 4000, 21.0), (T - 3000, STALE), (T - 1000, 24.0), (T, 25.0)]})
    window = ask(store, Query(HEAT, by=("room",)), S - 6, S, 100)
    assert list(window.times) == [S - 5, S - 4, S - 3, S - 2, S - 1, S]
    assert plain(window.rows["a",]) == [20, 21, None, None, 24, 25]
    assert window.low is not None
    assert window.high is not None
    assert plain(window.low["a",]) == plain(window.high["a",]) == plain(window.rows["a",])
    assert not window.outer
    assert set(window.rows) == {("a",)}, "a series without a reading has no line"


def test_a_bucket_has_a_middle_and_both_ends(store: Store) -> None:
    """Peaks survive: the mean or the newest is the value, the lowest and highest reading are the band."""
    store.insert({1: [(T - 10_000 + 1000 * i, v) for i, v in enumerate([1, 9, 2, 4, 4, 3, 3, 100, 3, 3], 1)]})
    for fold, expected in ((Fold.LAST, [4, 3]), (Fold.AVG, [4, 22.4]), (Fold.MAX, [9, 100])):
        window = ask(store, Query(HEAT, fold), S - 10, S, 2)
        assert list(window.times) == [S - 5, S]
        assert plain(window.rows[()]) == expected
        assert window.low is not None
        assert window.high is not None
        assert plain(window.low[()]) == [1, 3]
        assert plain(window.high[()]) == [9, 100]


def test_the_band_of_a_sum_is_that_of_the_sum(store: Store) -> None:
    """Two series whose peaks are at different moments: from all samples the band is exact, from minutes an outer one."""
    times = np.arange(T - 2 * HOUR + 1000, T + 1, 1000, dtype=np.int64)
    odd = (times // 1000 % 2).astype(np.float64)
    store.fill([1, 2], times, np.stack([odd, 1.0 - odd]))
    fine = ask(store, Query(HEAT, Fold.AVG), S - 1800, S, 100)
    assert (fine.low, fine.high) == (fine.rows, fine.rows)
    assert set(fine.rows[()]) == {1.0}
    assert not fine.outer
    coarse = ask(store, Query(HEAT, Fold.AVG), S - 7200, S, 20)
    assert set(coarse.rows[()]) == {1.0}
    assert coarse.low is not None
    assert coarse.high is not None
    assert (set(coarse.low[()]), set(coarse.high[()])) == ({0.0}, {2.0})
    assert coarse.outer
    apart = ask(store, Query(HEAT, Fold.AVG, by=("room",)), S - 7200, S, 20)
    assert not apart.outer, "one series' own lowest and highest are exact"


def test_a_counter_that_began_anew_has_no_rate_for_that_moment(store: Store) -> None:
    """No negative rate and no invented one, for no line that it is part of."""
    store.insert({
        3: [(T - 4000 + 1000 * i, v) for i, v in enumerate([10.0, 12.0, 1.0, 4.0, 5.0])],
        4: [(T - 4000 + 1000 * i, v) for i, v in enumerate([0.0, 1.0, 2.0, 3.0, 4.0])],
    })  # fmt: skip
    by_kind = ask(store, Query(WORK, Fold.RATE, by=("kind",)), S - 5, S, 100)
    assert plain(by_kind.rows["x",]) == [None, 2, None, 3, 1]
    assert plain(by_kind.rows["y",]) == [None, 1, 1, 1, 1]
    assert plain(ask(store, Query(WORK, Fold.RATE), S - 5, S, 100).rows[()]) == [None, 3, None, 4, 2]


def test_a_rate_goes_on_over_the_borders_of_windows_and_slices(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first reading of a slice is compared with the one before it, wherever that lies."""
    from bongsu.store.reading import history

    times = np.arange(T - HOUR + 1000, T + 1, 1000, dtype=np.int64)
    store.fill([3], times, (times[None, :] - T) / 500.0)
    for i in range(1, 100):
        store.write(store.row(T + 1000 * i, [{3: 2.0 * i}]))
    monkeypatch.setattr(history, "_SAMPLES_AT_ONCE", 1)
    for points in (4000, 100, 30):
        window = ask(store, Query(WORK, Fold.RATE), S - 3600 + 60, S + 99, points)
        assert set(plain(window.rows[()])) == {2}
        assert window.high is not None
        assert max(window.high[()]) == pytest.approx(2, 1e-6)


def test_a_gap_has_no_rate_and_none_right_after(store: Store) -> None:
    """What a counter gained while nobody looked belongs to no one moment."""
    store.insert({3: [(T - 4000, 10.0), (T - 3000, 11.0), (T - 2000, STALE), (T - 1000, 500.0), (T, 501.0)]})
    assert plain(ask(store, Query(WORK, Fold.RATE), S - 5, S, 100).rows[()]) == [None, 1, None, None, 1]


def test_readings_that_are_far_apart_have_no_rate_between(store: Store) -> None:
    """Beyond five minutes nobody knows whether the counter began anew: as in the minutes, and as PromQL looks back."""
    store.insert({
        1: [(T - 10_000 + 1000 * i, 1.0) for i in range(10)],  # so that the buckets are narrow
        3: [(T - 900_002, 0.0), (T - 600_001, 300.0), (T - 299_000, 600.0), (T, 899.0)],
    })  # fmt: skip
    rates = plain(ask(store, Query(WORK, Fold.RATE), S - 1000, S, 1000).rows[()])
    assert [rate for rate in rates if rate is not None] == [1]


def test_a_bucket_in_which_a_series_ended_has_its_band(store: Store) -> None:
    """A stale mark is no reading: it takes nothing from those beside it, and nothing stands after it."""
    store.insert({
        1: [(T - 9000 + 1000 * i, 1.0) for i in range(10)],
        2: [(T - 8000, 5.0), (T - 6000, 7.0), (T - 4700, 6.0), (T - 4200, STALE)],
    })  # fmt: skip
    window = ask(store, Query(HEAT, Fold.AVG, by=("room",)), S - 9, S, 9)
    assert plain(window.rows["b",]) == [5, 5, 7, 7, 6, None, None, None, None]
    assert window.low is not None
    assert window.high is not None
    assert plain(window.low["b",]) == plain(window.high["b",]) == plain(window.rows["b",])
    alone = ask(store, Query(HEAT, Fold.AVG, where=(("room", "b"),)), S - 9, S, 9)
    assert plain(alone.rows[()]) == [5, 5, 7, 7, 6, None, None, None, None]


def test_where_and_by_pick_and_sum(store: Store) -> None:
    """As the same query of the last hour: equal and not equal labels, sums over the rest."""
    store.insert({i: [(T - 1000, 0.0), (T, 10.0**i)] for i in (3, 4, 5, 6)})
    total = [
        (Query(WORK, Fold.RATE), {(): 1_111_000}),
        (Query(WORK, Fold.RATE, by=("kind",)), {("x",): 101_000, ("y",): 1_010_000}),
        (Query(WORK, Fold.RATE, by=("kind", "core"), where=(("core", "1"),)), {("x", "1"): 1e5, ("y", "1"): 1e6}),
        (Query(WORK, Fold.RATE, where_not=(("kind", "x"),)), {(): 1_010_000}),
        (Query(WORK, Fold.RATE, where=(("core", "7"),)), {}),
    ]
    for query, expected in total:
        window = ask(store, query, S - 1, S, 10)
        assert {group: row[-1] for group, row in window.rows.items()} == expected
    windows = History(Reader(store.path)).read_all([query for query, _ in total], S - 1, S, points=10)
    assert all(window.times is windows[0].times for window in windows)
    assert [{g: row[-1] for g, row in window.rows.items()} for window in windows] == [e for _, e in total]


def test_a_label_that_the_store_renamed_is_found_by_its_own_name(store: Store) -> None:
    """Every series gets `job` and `instance`; a reading's own label of that name stands as `exported_job`."""
    spec = MetricSpec("bongsu_test_queue_length", Kind.GAUGE, "How many wait.", ("job",))
    number = store.add(labels(spec.name, job="bongsu", exported_job="train"))
    store.insert({number: [(T, 3.0)]})
    assert ask(store, Query(spec, by=("job",)), S - 1, S, 10).rows.keys() == {("train",)}
    assert ask(store, Query(spec, where=(("job", "train"),)), S - 1, S, 10).rows
    assert not ask(store, Query(spec, where=(("job", "bongsu"),)), S - 1, S, 10).rows


def test_what_is_read_seldom_is_a_line_and_not_dots(store: Store) -> None:
    """A reading each 15 s stands until the next where all else is read each second, but not beyond its end."""
    store.insert({
        1: [(T - 60_000 + 1000 * i, 1.0) for i in range(1, 61)],
        2: [(T - 60_000, 5.0), (T - 45_000, 6.0), (T - 30_000, 7.0), (T - 20_000, STALE)],
    })  # fmt: skip
    window = ask(store, Query(HEAT, by=("room",)), S - 60, S, 1000)
    assert plain(window.rows["b",]) == [5] * 14 + [6] * 15 + [7] * 10 + [None] * 21
    assert plain(window.rows["a",]) == [1] * 60
    summed = ask(store, Query(HEAT), S - 60, S, 1000)
    assert plain(summed.rows[()])[20:42] == [7] * 9 + [8] * 10 + [1] * 3


@pytest.mark.parametrize("at_once", [300, 1])
def test_minutes_answer_for_times_whose_samples_are_gone(
    store: Store, monkeypatch: pytest.MonkeyPatch, at_once: int
) -> None:
    """However narrow the question, buckets are of a minute there; a wide one is answered by minutes anyway."""
    times = np.arange(T - DAY + 1000, T + 1, 1000, dtype=np.int64)
    store.fill([1, 3], times, np.stack([times // 1000 % 100, (times - T) / 250.0]))
    reader = Reader(store.path)
    history = History(reader)
    store.drop_raw(T - HOUR)
    monkeypatch.setattr("bongsu.store.reading.reader._MINUTE_CHUNKS_AT_ONCE", at_once)
    for merged in (False, True):
        if merged:
            store.merge()
        past = history.read([Query(HEAT, Fold.AVG), Query(WORK, Fold.RATE)], S - 7200, S - 5400, points=900)
        assert (past.tier, past.interval) == (Tier.MINUTES, 60)
        assert len(past.windows[0].times) == 30
        assert plain(past.windows[0].rows[()])[:3] == [49.5 + d for d in _minute_means(T - 7200_000, 3)]
        assert plain(past.windows[1].rows[()]) == [4.0] * 30
        past = history.read([Query(HEAT, Fold.AVG)], S - 1800, S, points=900)
        assert (past.tier, past.interval) == (Tier.RAW, 2)
        past = history.read([Query(HEAT, Fold.MAX)], S - 86400, S, points=900)
        assert (past.tier, past.interval) == (Tier.MINUTES, 120)
        assert set(past.windows[0].rows[()]) == {99.0}
        assert len(past.windows[0].times) == 720
    reader.close()


def _minute_means(begin: int, count: int) -> list[float]:
    means = []
    for minute in range(count):
        seconds = [begin // 1000 + 60 * minute + i for i in range(1, 61)]
        means.append(round(sum(s % 100 for s in seconds) / 60 - 49.5, 6))
    return means


def test_the_newest_samples_stand_at_the_end_of_a_wide_answer(store: Store) -> None:
    """What is not sealed has no minutes yet: it is read as it is, and nothing is counted twice."""
    times = np.arange(T - DAY + 1000, T + 1, 1000, dtype=np.int64)
    store.fill([1], times, np.ones((1, times.size)))
    waiting = []
    for i in range(1, 300):
        row = store.row(T + 1000 * i, [{1: 3.0}])
        if i < 250:
            store.write(row)
        else:
            waiting.append(row)
    reader = Reader(store.path, pending=lambda: waiting)
    (window,) = History(reader).read_all([Query(HEAT, Fold.AVG)], S + 299 - 86400, S + 299, points=800)
    reader.close()
    assert window.times[-1] == S + 299
    assert plain(window.rows[()])[-4:] == [1, 3, 3, 3]
    assert plain(window.rows[()])[:-3] == [1] * (len(window.times) - 3)
    reader = Reader(store.path, pending=lambda: waiting)
    (window,) = History(reader).read_all([Query(HEAT, Fold.AVG)], S + 299 - 86400, S + 299, points=24)
    reader.close()
    assert window.low is not None
    assert window.high is not None
    assert (set(window.low[()]), window.high[()][-1], window.high[()][0]) == ({1.0}, 3.0, 1.0)


def test_a_window_of_which_a_part_is_sealed_is_counted_once(store: Store) -> None:
    """After the clock was set back there are minutes of a window that goes on: its samples answer, all of them."""
    store.insert({1: [(T + 1000, 1.0), (T - DAY, 1.0)]})
    store.write(store.row(T + 2000, [{1: 3.0}]))
    window = ask(store, Query(HEAT, Fold.AVG), S + 2 - 86400, S + 2, 800)
    assert window.rows[()][-1] == 2


def test_endless_times_are_those_of_what_is_stored(store: Store) -> None:
    """As the last hour takes them."""
    store.insert({1: [(T - 10_000, 1.0), (T, 2.0)]})
    window = ask(store, Query(HEAT), -math.inf, math.inf, 100)
    assert window.times[-1] == S
    assert plain(window.rows[()])[0] == 1
    assert plain(window.rows[()])[-1] == 2


def test_the_same_as_the_last_hour_in_memory(tmp_path: Path) -> None:
    """A page that shows yesterday and today draws one line: both back ends say the same of the same readings."""
    chance = random.Random(7)
    queries = [
        Query(WORK, Fold.RATE), Query(WORK, Fold.RATE, by=("kind",)), Query(HEAT, by=("room",)), Query(HEAT, Fold.AVG),
        Query(WORK, Fold.RATE, by=("core",), where_not=(("kind", "y"),)),
    ]  # fmt: skip
    recents = [Recent([query]) for query in queries]
    series = [heat("a"), heat("b"), *(work(core, kind) for core in "01" for kind in "xy")]
    store = Store(tmp_path, series, {WORK.name: "counter"})
    begin = 1000 - 200
    counts = [0.0] * 4
    before: set[int] = set()
    for at in range(200):
        values = {}
        now = set()
        for i, spec_labels in enumerate(
            [(HEAT, ("a",)), (HEAT, ("b",)), *((WORK, (c, k)) for c in "01" for k in "xy")]
        ):
            if chance.random() < 0.05:
                continue
            now.add(i + 1)
            if i >= 2:
                counts[i - 2] = (
                    0.0 if chance.random() < 0.03 and i + 1 in before else counts[i - 2] + chance.randint(0, 50)
                )
            values[spec_labels] = counts[i - 2] if i >= 2 else chance.uniform(0, 90)
        for recent in recents:
            recent.write(one(at - 200, values))
        ts = (begin + at) * 1000
        parts = [dict(zip(sorted(now), values.values(), strict=True)), dict.fromkeys(sorted(before - now), STALE)]
        store.write(store.row(ts, [part for part in parts if part]))
        before = now
    store.seal(900_000)
    reader = Reader(store.path)
    expected = [recent.read(query) for query, recent in zip(queries, recents, strict=True)]
    found = History(reader).read_all(queries, begin - 1, begin + 199, points=200)
    for query, theirs, ours in zip(queries, expected, found, strict=True):
        assert list(ours.times) == list(theirs.times), query
        assert ours.rows.keys() == theirs.rows.keys()
        for group, row in ours.rows.items():
            differ = [i for i, (a, b) in enumerate(zip(plain(row), plain(theirs.rows[group]), strict=True)) if a != b]
            assert not differ, (query, group, [(row[i], theirs.rows[group][i]) for i in differ])
    reader.close()
    store.close()


class _Reference:
    """The same by the definition: each moment for itself."""

    def __init__(self, samples: Samples, lines: Mapping[int, tuple[str, ...]], *, rate: bool) -> None:
        self.moments: dict[int, dict[tuple[str, ...], float]] = {}
        anew: set[tuple[int, tuple[str, ...]]] = set()
        for number, several in samples.items():
            group = lines[number]
            previous: tuple[int, float] | None = None
            for ts, value in sorted(several):
                made = value
                if rate:
                    made = NAN
                    if previous is not None and ts - previous[0] <= 300_000:
                        made = (value - previous[1]) / (ts - previous[0]) * 1000
                        if value < previous[1]:
                            anew.add((ts, group))
                previous = (ts, value)
                if not math.isnan(made):
                    at = self.moments.setdefault(ts, {})
                    at[group] = at.get(group, 0.0) + made
        for ts, group in anew:
            self.moments.get(ts, {}).pop(group, None)

    def row(self, group: tuple[str, ...], begin: int, width: int, count: int, fold: Fold) -> list[list[float | None]]:
        rows: list[list[float | None]] = [[], [], []]
        for i in range(count):
            inside = [
                self.moments[ts][group]
                for ts in sorted(self.moments)
                if begin + i * width < ts <= begin + (i + 1) * width and group in self.moments[ts]
            ]
            if not inside:
                made = (NAN, NAN, NAN)
            else:
                middle = {Fold.LAST: inside[-1], Fold.MAX: max(inside)}.get(fold, sum(inside) / len(inside))
                made = (middle, min(inside), max(inside))
            for row, value in zip(rows, plain(made), strict=True):
                row.append(value)
        return rows


_NUMBERS = st.one_of(st.integers(0, 40).map(float), st.just(STALE))


@given(
    st.lists(st.lists(_NUMBERS, min_size=30, max_size=30), min_size=1, max_size=4),
    st.lists(st.integers(1, 12), min_size=30, max_size=30),
    st.sampled_from([Fold.LAST, Fold.AVG, Fold.MAX, Fold.RATE]),
    st.sampled_from([(), ("kind",), ("core", "kind")]),
    st.integers(3, 60),
    st.integers(0, 29),
)
@settings(
    max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
def test_buckets_are_what_their_definition_says(
    tmp_path_factory: pytest.TempPathFactory, columns: Sequence[Sequence[float]], gaps: Sequence[int], fold: Fold,
    by: tuple[str, ...], points: int, cut: int,
) -> None:  # fmt: skip
    """Random counters with resets and gaps, some sealed and some hot, against the plainest loop there is."""
    several = [work(core, kind) for core in "01" for kind in "xy"][: len(columns)]
    store = Store(tmp_path_factory.mktemp("store"), several, {WORK.name: "counter" if fold is Fold.RATE else "gauge"})
    times = [T - HOUR + 20_000 * sum(gaps[: i + 1]) for i in range(30)]
    samples = {n + 1: list(zip(times, column, strict=True)) for n, column in enumerate(columns)}
    store.insert({n: pairs[:cut] for n, pairs in samples.items() if pairs[:cut]})
    for i in range(cut, 30):
        store.write(store.row(times[i], [{n: pairs[i][1] for n, pairs in samples.items()}]))
    query = Query(WORK, fold, by=by)
    lines = {n + 1: tuple(dict(one)[name] for name in by) for n, one in enumerate(several)}
    reader = Reader(store.path)
    try:
        past = History(reader).read([query], times[0] / 1000 - 10, times[-1] / 1000, points=points)
        (window,) = past.windows
        assert len(window.times) <= points + 1
        if past.tier is not Tier.RAW:
            return
        width = round(past.interval * 1000)
        begin = (times[0] - 10_000) // width * width
        reference = _Reference(samples, lines, rate=fold is Fold.RATE)
        assert window.low is not None
        assert window.high is not None
        for group in set(lines.values()):
            rows = reference.row(group, begin, width, len(window.times), fold)
            if group not in window.rows:
                assert set(rows[0]) == {None}
                continue
            found = [plain(row[group]) for row in (window.rows, window.low, window.high)]
            for theirs, ours in zip(rows, found, strict=True):
                # what is read seldom is held: there a value may stand where no reading fell into the bucket
                assert [b for a, b in zip(theirs, ours, strict=True) if a is not None] == [
                    a for a in theirs if a is not None
                ]
    finally:
        reader.close()
        store.close()


def test_what_is_not_known_to_count_has_rates_from_minute_to_minute(tmp_path: Path) -> None:
    """Counters of other programs may be unmarked: their rates are there too, without a band that nobody knows."""
    store = Store(tmp_path, [work("0", "x")], {WORK.name: "untyped"})
    store.insert({1: [(T + 1000 * i, 5.0 * i) for i in range(601)]})
    store.close()
    window = ask(store, Query(WORK, Fold.RATE), S, S + 600, 5)
    assert plain(window.rows[()]) == [5] * 5
    assert window.low is not None
    assert plain(window.low[()]) == [None] * 5
