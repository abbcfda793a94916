"""Samples read back from the store: whichever place they lie in, as they were, and quickly."""

from __future__ import annotations

import math
import os
import random
import struct
import threading
from array import array
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bongsu.model.errors import BadInput, NotKnown
from bongsu.store.layout import minutes as tier
from bongsu.store.layout import segments
from bongsu.store.layout.catalogue import MetricRow, SeriesRow
from bongsu.store.layout.hot import HotRow, pack_ids
from bongsu.store.reading import reader as reading
from bongsu.store.reading.reader import Reader
from bongsu.store.series import NAME, STALE, Labels, Matcher, Op, Selected
from stored import Store, labels

T = 1_700_000_400_000  # the end of a sealing window
MINUTE, WINDOW, HOUR = 60_000, 600_000, 3_600_000


def named(name: str) -> list[Matcher]:
    return [Matcher(NAME, Op.EQUAL, name)]


def bits(value: float) -> bytes:
    """A value that can be compared, be it NaN."""
    return struct.pack("<d", value)


def plain(selected: Selected) -> dict[Labels, list[tuple[int, bytes]]]:
    """What was found, sample by sample."""
    return {
        one.labels: [(int(t), bits(v)) for t, v in zip(one.times, one.values, strict=True)] for one in selected.series
    }


@pytest.fixture
def stores(tmp_path: Path) -> Iterator[list[Store]]:
    """Stores to be closed."""
    made: list[Store] = []
    yield made
    for one in made:
        one.close()


def test_a_store_that_is_not_there_has_nothing(tmp_path: Path) -> None:
    """Before the first batch there is no file: no series, and no error."""
    reader = Reader(str(tmp_path / "none.db"))
    assert reader.select(named("a"), 0, T).series == ()
    assert reader.find([], 0, T) == []
    assert reader.describe() == {}


def test_samples_come_from_segments_hot_rows_and_memory(tmp_path: Path, stores: list[Store]) -> None:
    """What is sealed, what is committed and what only waits in memory make one series."""
    a, b = labels("a", host="x"), labels("b", host="x")
    stores.append(store := Store(tmp_path, [a, b]))
    store.insert({1: [(T - 2000, 1.0), (T, 2.0)], 2: [(T, -0.0)]})
    store.write(store.row(T + 1000, [{1: 3.0}, {2: math.inf}]))
    waiting = store.row(T + 2000, [{1: STALE, 2: math.nan}])
    reader = Reader(store.path, pending=lambda: [waiting])
    assert plain(reader.select(named("a"), 0, 2 * T)) == {
        a: [(T - 2000, bits(1.0)), (T, bits(2.0)), (T + 1000, bits(3.0)), (T + 2000, bits(STALE))]
    }
    assert plain(reader.select(named("b"), T + 1, T + 2000)) == {
        b: [(T + 1000, bits(math.inf)), (T + 2000, bits(math.nan))]
    }
    assert plain(reader.select(named("a"), T - 1999, T - 1)) == {}
    reader.close()


def test_series_of_one_part_share_their_times(tmp_path: Path, stores: list[Store]) -> None:
    """The evaluator works on the times of a group once: they must be one object where they are the same."""
    several = [labels("a", core=str(i)) for i in range(4)]
    stores.append(store := Store(tmp_path, several))
    store.insert({i: [(T - 5000 + s, float(s)) for s in range(0, 5000, 1000)] for i in (1, 2, 3, 4)})
    for s in range(5):
        store.write(store.row(T + 1000 * s, [{1: 1.0, 2: 2.0, 3: 3.0}, {4: 4.0}]))
    found = Reader(store.path).select(named("a"), 0, 2 * T).series
    assert [len(one.times) for one in found] == [10, 10, 10, 10]
    assert found[0].times is found[1].times is found[2].times
    store.seal()
    assert len({id(one.times) for one in Reader(store.path).select(named("a"), 0, 2 * T).series}) == 1


def test_a_metric_that_changed_its_kind_is_one_series(tmp_path: Path, stores: list[Store]) -> None:
    """Prometheus has no kinds in its samples, so neither does the answer."""
    a = labels("a", x="1")
    stores.append(store := Store(tmp_path, [a]))
    store.insert({1: [(T - 1000, 1.0), (T, 2.0)]})
    store.add(a, "counter")
    store.write(store.row(T + 1000, [{2: 3.0}]))
    assert plain(Reader(store.path).select(named("a"), 0, 2 * T)) == {
        a: [(T - 1000, bits(1.0)), (T, bits(2.0)), (T + 1000, bits(3.0))]
    }
    assert [kind.kind for kind in Reader(store.path).describe()["a"]] == ["gauge", "counter"]


def test_the_clock_may_go_back(tmp_path: Path, stores: list[Store]) -> None:
    """Overlapping times are put in order; of two samples of one time the one that came later is told."""
    a = labels("a")
    stores.append(store := Store(tmp_path, [a]))
    store.insert({1: [(T - 3000, 1.0), (T - 1000, 2.0)]})
    store.insert({1: [(T - 2000, 3.0), (T - 1000, 4.0)]})
    for ts, value in ((T - 1500, 5.0), (T - 3000, 6.0), (T + 9000, 7.0), (T + 5000, 8.0), (T + 9000, 9.0)):
        store.write(store.row(ts, [{1: value}]))
    expected = [(T - 3000, 6.0), (T - 2000, 3.0), (T - 1500, 5.0), (T - 1000, 4.0), (T + 5000, 8.0), (T + 9000, 9.0)]
    reader = Reader(store.path)
    assert plain(reader.select(named("a"), 0, 2 * T))[a] == [(t, bits(v)) for t, v in expected]
    store.seal()
    assert plain(reader.select(named("a"), 0, 2 * T))[a] == [(t, bits(v)) for t, v in expected]


_VALUES = st.one_of(st.floats(width=64), st.sampled_from([0.0, -0.0, STALE, math.inf, 1.5]))
_STEPS = st.lists(
    st.one_of(
        st.tuples(
            st.just("insert"),
            st.dictionaries(
                st.integers(1, 4),
                st.lists(st.tuples(st.integers(-60, 60), _VALUES), min_size=1, max_size=6, unique_by=lambda s: s[0]),
                min_size=1,
            ),
        ),
        st.tuples(
            st.just("write"),
            st.tuples(st.integers(-60, 60), st.lists(st.sets(st.integers(1, 4), min_size=1), min_size=1, max_size=2)),
        ),
        st.tuples(st.just("seal"), st.none()),
    ),
    max_size=10,
)


def test_of_rows_of_one_time_the_last_to_arrive_counts(tmp_path: Path) -> None:
    """Whatever layouts they have: a clock that was set back may give a time three times over."""
    store = Store(tmp_path, [labels("a", i="1"), labels("a", i="2")])
    for parts in ([{1: 1.0, 2: 1.0}], [{1: 2.0}], [{1: 3.0, 2: 3.0}], [{2: 4.0}]):
        store.write(store.row(T, parts))
    found = plain(Reader(store.path).select(named("a"), T, T))
    assert [samples for _, samples in sorted(found.items())] == [[(T, bits(3.0))], [(T, bits(4.0))]]


@given(_STEPS, st.integers(0, 6), st.randoms(use_true_random=False))
@settings(
    max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
def test_whatever_was_stored_is_read_back(
    tmp_path_factory: pytest.TempPathFactory, steps: Sequence[tuple[str, object]], waiting: int, chance: random.Random
) -> None:
    """Against a plain dictionary: any order of imports, batches and sealing, the newest batches not yet written."""
    several = [labels("a", i=str(i)) for i in range(1, 5)]
    store = Store(tmp_path_factory.mktemp("store"), several)
    pending: list[HotRow] = []
    reader = Reader(store.path, pending=lambda: pending)
    try:
        sealed: dict[tuple[int, int], float] = {}
        fresh: list[tuple[int, int, float]] = []
        for step, what in steps:
            if step == "insert":
                assert isinstance(what, dict)
                samples = {one: [(T + 20_000 * t, v) for t, v in pairs] for one, pairs in what.items()}
                store.insert(samples)
                sealed.update({(one, t): v for one, pairs in samples.items() for t, v in pairs})
            elif step == "write":
                assert isinstance(what, tuple)
                ts = T + 20_000 * what[0]
                parts = [{one: chance.uniform(-9, 9) for one in sorted(ids)} for ids in what[1]]
                parts = [{one: value for one, value in part.items() if all(one not in p for p in parts[:i])}
                         for i, part in enumerate(parts)]  # fmt: skip
                parts = [part for part in parts if part]
                pending.append(store.row(ts, parts))
                fresh += [(one, ts, v) for part in parts for one, v in part.items()]
                if len(pending) > waiting:
                    store.write(pending.pop(0))
            else:
                for row in pending:
                    store.write(row)
                pending.clear()
                store.seal()
                sealed.update({(one, t): v for one, t, v in fresh})
                fresh = []
        expected = {**sealed, **{(one, t): v for one, t, v in fresh}}
        for start, end in ((T - HOUR, T + HOUR), (T - 100_000, T + 100_000), (T, T)):
            found = plain(reader.select(named("a"), start, end))
            wanted = {
                several[one - 1]: sorted(
                    (t, bits(v)) for (i, t), v in expected.items() if i == one and start <= t <= end
                )
                for one in range(1, 5)
            }
            assert found == {one: samples for one, samples in wanted.items() if samples}
            assert {one for one, samples in wanted.items() if samples} <= set(reader.find([], start, end))
    finally:
        reader.close()
        store.close()


HOSTS = [labels("up", job=job, host=host) for job in ("a", "b") for host in ("x", "y", "z")]
HOSTS += [labels("up", job="a"), labels("down", host="x")]


@given(
    st.lists(
        st.builds(
            Matcher, st.sampled_from([NAME, "job", "host", "none"]), st.sampled_from(Op),
            st.sampled_from(["", "a", "b", "x", "up", ".*", ".+", "a|b", "x|", "[xy]", "u.", "(?i)X", "^a$", "y|z|"]),
        ),
        max_size=3,
    )
)  # fmt: skip
@settings(
    max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
def test_matchers_pick_what_each_series_says_alone(shared_hosts: Reader, matchers: list[Matcher]) -> None:
    """The index by labels gives the same as asking each series for itself."""
    import re

    def fits(one: Labels, matcher: Matcher) -> bool:
        value = dict(one).get(matcher.name, "")
        if matcher.op in {Op.EQUAL, Op.NOT_EQUAL}:
            return (value == matcher.value) == (matcher.op is Op.EQUAL)
        return (re.fullmatch(matcher.value, value) is not None) == (matcher.op is Op.MATCH)

    expected = [one for one in HOSTS if all(fits(one, matcher) for matcher in matchers)]
    assert [entry.labels for entry in shared_hosts.match([matchers])] == expected


@pytest.fixture(scope="module")
def shared_hosts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    """A reader of a few series."""
    store = Store(tmp_path_factory.mktemp("hosts"), HOSTS)
    reader = Reader(store.path)
    yield reader
    reader.close()
    store.close()


def test_a_bad_pattern_is_the_users_mistake(tmp_path: Path, stores: list[Store]) -> None:
    """It is told, also where no series would be looked at."""
    stores.append(store := Store(tmp_path, []))
    with pytest.raises(BadInput, match="regular expression"):
        Reader(store.path).select([Matcher("a", Op.MATCH, "(")], 0, 1)


def test_series_are_found_where_they_have_samples(tmp_path: Path, stores: list[Store]) -> None:
    """Labels and values are offered for the time that is looked at, from all places."""
    several = [labels(name) for name in ("old", "hot", "waiting", "never")]
    stores.append(store := Store(tmp_path, several))
    store.insert({1: [(T - HOUR, 1.0)]})
    store.write(store.row(T, [{2: 1.0}]))
    waiting = store.row(T + 1000, [{3: 1.0}])
    reader = Reader(store.path, pending=lambda: [waiting])
    assert reader.find([], 0, 2 * T) == several[:3]
    assert reader.find([], T - WINDOW, T) == [several[1]]
    assert reader.find([named("old"), named("hot")], 0, 2 * T) == several[:2]
    assert reader.find([named("never")], 0, 2 * T) == []
    store.drop_raw(T)
    assert reader.find([], 0, 2 * T) == several[:3], "its minutes are still there"


def test_names_that_are_not_in_the_file_yet_are_known(tmp_path: Path, stores: list[Store]) -> None:
    """A series' very first samples can be asked for before they are committed."""
    stores.append(store := Store(tmp_path, []))
    store.unsaved.metrics[7] = MetricRow("new", "info", "", "Help.", "file")
    store.unsaved.series[70] = SeriesRow(7, '[["job","j"]]')
    store.unsaved.layouts[700] = pack_ids(array("i", [70]))
    row = HotRow(T, pack_ids(array("i", [700])), bits(5.0), 1)
    reader = Reader(store.path, pending=lambda: [row], unsaved=lambda: store.unsaved)
    new = labels("new", job="j")
    assert plain(reader.select(named("new"), 0, 2 * T)) == {new: [(T, bits(5.0))]}
    assert reader.find([], 0, 2 * T) == [new]
    assert [kind.kind for kind in reader.describe()["new"]] == ["gauge"]


def test_new_series_are_seen_by_a_reader_that_is_open(tmp_path: Path, stores: list[Store]) -> None:
    """Also those that get an id again that was given before the reader began."""
    stores.append(store := Store(tmp_path, [labels("a"), labels("b")]))
    reader = Reader(store.path)
    store.connection.execute("DELETE FROM series WHERE id = 1")
    assert [entry.labels for entry in reader.match([[]])] == [labels("b")]
    store.add(labels("c"))
    assert [entry.labels for entry in reader.match([[]])] == [labels("b"), labels("c")]
    store.connection.execute("INSERT INTO series(id, metric, labels) VALUES(1, 1, '[]')")
    assert {entry.labels for entry in reader.match([[]])} == {labels("a"), labels("b"), labels("c")}


def test_the_same_question_has_what_came_meanwhile(tmp_path: Path, stores: list[Store]) -> None:
    """What is remembered of an unchanged file is not said of a changed one: new rows, segments and series are there."""
    stores.append(store := Store(tmp_path, [labels("a")]))
    store.insert({1: [(T, 1.0)]})
    store.write(store.row(T + 1000, [{1: 2.0}]))
    reader = Reader(store.path)
    expected = {T: 1.0, T + 1000: 2.0}

    def ask() -> None:
        for _ in range(3):
            found = plain(reader.select(named("a"), T - HOUR, T + HOUR))
            assert found == {labels("a"): [(at, bits(value)) for at, value in sorted(expected.items())]}

    ask()
    store.write(store.row(T + 2000, [{1: 3.0}]))
    expected[T + 2000] = 3.0
    ask()
    store.insert({1: [(T + WINDOW, 4.0), (T, 5.0)]})
    expected |= {T + WINDOW: 4.0, T: 5.0}
    ask()
    store.seal()
    ask()
    reader.close()


def test_a_file_that_was_replaced_is_read_anew(tmp_path: Path, stores: list[Store]) -> None:
    """After a restore, or when a broken file was set aside, ids mean other series."""
    stores.append(store := Store(tmp_path, [labels("a")]))
    store.insert({1: [(T, 1.0)]})
    reader = Reader(store.path)
    assert plain(reader.select(named("a"), 0, 2 * T)) == {labels("a"): [(T, bits(1.0))]}
    other = tmp_path / "other"
    other.mkdir()
    stores.append(new := Store(other, [labels("b"), labels("a")]))
    new.insert({1: [(T, 2.0)], 2: [(T, 3.0)]})
    new.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    for side in ("-wal", "-shm"):
        os.remove(store.path + side)
    os.replace(new.path, store.path)
    assert plain(reader.select(named("a"), 0, 2 * T)) == {labels("a"): [(T, bits(3.0))]}
    assert plain(reader.select(named("b"), 0, 2 * T)) == {labels("b"): [(T, bits(2.0))]}


def test_a_broken_file_is_told_in_one_line(tmp_path: Path, stores: list[Store]) -> None:
    """What cannot be read is said, and not taken for nothing."""
    stores.append(store := Store(tmp_path, [labels("a")]))
    store.insert({1: [(T - 1000, 1.0), (T, 1.5)]})
    store.connection.execute("UPDATE chunk SET data = x'0001'")
    with pytest.raises(NotKnown, match="cannot be read"):
        Reader(store.path).select(named("a"), 0, 2 * T)


def test_no_transaction_is_left_open(tmp_path: Path, stores: list[Store]) -> None:
    """A reader that held one would keep the write-ahead log from ever shrinking."""
    stores.append(store := Store(tmp_path, [labels("a")]))
    store.insert({1: [(T, 1.0)]})
    reader = Reader(store.path)
    for _ in range(2):
        reader.select(named("a"), 0, 2 * T)
        reader.find([], 0, 2 * T)
        list(reader.minutes([1], 0, 2 * T))
        busy, left, _ = store.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        assert (busy, left) == (0, 0)
        store.write(store.row(T + 1000 * left, [{1: 2.0}]))
        store.connection.execute("DELETE FROM hot")


def test_segments_that_go_while_they_are_read_are_read_anew(
    tmp_path: Path, stores: list[Store], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between two slices a window may be let go of: the rest is whole, and nothing is told twice."""
    stores.append(store := Store(tmp_path, [labels("a")]))
    for window in range(6):
        store.insert({1: [(T + WINDOW * window - 1000, float(window)), (T + WINDOW * window, window + 0.5)]})
    monkeypatch.setattr(reading, "_CHUNKS_AT_ONCE", 1)
    read, asked = segments.chunks, []

    def chunks(*args: object, **more: object) -> object:
        asked.append(1)
        if len(asked) == 3:
            store.drop_raw(T + 2 * WINDOW)
        return read(*args, **more)  # type: ignore[arg-type]  # handed on as they are

    monkeypatch.setattr(segments, "chunks", chunks)
    found = Reader(store.path).select(named("a"), 0, 2 * T)
    times = [t for t, _ in plain(found)[labels("a")]]
    assert times == sorted(set(times))
    assert times[-6:] == [T + WINDOW * w + d for w in (3, 4, 5) for d in (-1000, 0)]


def test_minutes_answer_where_the_samples_are_gone(tmp_path: Path, stores: list[Store]) -> None:
    """Real samples with their own times, the last of each minute, and a note that says from when to when."""
    stores.append(store := Store(tmp_path, [labels("a"), labels("b")]))
    times = np.arange(T - 2 * HOUR + 1000, T + 1, 1000, dtype=np.int64)
    store.fill([1, 2], times, np.stack([times / 1000.0 % 977, times % 7001.0]))
    reader = Reader(store.path)
    whole = {one.labels: one for one in reader.select(named("a"), 0, 2 * T).series}[labels("a")]
    assert len(whole.times) == 7200
    assert reader.select(named("a"), 0, 2 * T).notes == ()
    border = T - HOUR
    store.drop_raw(border)
    for merged in (False, True):
        if merged:
            store.merge()
        found = reader.select(named("a"), 0, 2 * T)
        (one,) = found.series
        old = whole.times <= border
        expected = np.concatenate([whole.times[old][59::60], whole.times[~old]])
        assert one.times.tolist() == expected.tolist()
        assert one.values.tolist() == np.concatenate([whole.values[old][59::60], whole.values[~old]]).tolist()
        (note,) = found.notes
        assert "2023-11-14T20:21:00Z to 2023-11-14T21:20:00Z" in str(note)
        assert reader.select(named("a"), border + 1, 2 * T).notes == ()
        assert len(reader.select(named("a"), T - 2 * HOUR, border).series[0].times) == 60


def test_an_answer_is_of_one_moment(tmp_path: Path, stores: list[Store], monkeypatch: pytest.MonkeyPatch) -> None:
    """What is committed and sealed while it is read has no minutes in it: a line would have a new end, and a hole."""
    stores.append(store := Store(tmp_path, [labels("a")]))
    store.insert({1: [(T - HOUR, 1.0), (T - WINDOW, 2.0)]})
    store.drop_raw(T - HOUR)
    store.write(store.row(T + 1000, [{1: 3.0}]))
    read = tier.read_together

    def later(*args: object, **options: object) -> object:
        for minute in range(2, 13):
            store.write(store.row(T + MINUTE * minute, [{1: 9.0}]))
        store.seal(T + WINDOW)
        monkeypatch.setattr(tier, "read_together", read)
        return read(*args, **options)  # type: ignore[arg-type]  # handed on as they are

    monkeypatch.setattr(tier, "read_together", later)
    assert [v for _, v in plain(Reader(store.path).select(named("a"), 0, 2 * T))[labels("a")]] == [
        bits(1.0), bits(2.0), bits(3.0),
    ]  # fmt: skip


def test_too_many_samples_are_answered_from_minutes_where_the_question_is_wide(
    tmp_path: Path, stores: list[Store], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the note; a question with a fine step or a short window always gets all samples."""
    stores.append(store := Store(tmp_path, [labels("a")]))
    times = np.arange(T - HOUR + 1000, T + 1, 1000, dtype=np.int64)
    store.fill([1], times, times[None, :] / 1e3)
    store.write(store.row(T + 1000, [{1: 1.0}]))
    monkeypatch.setattr(reading, "MANY_SAMPLES", 3000)
    reader = Reader(store.path)
    for step, window, count in (
        (300_000, 300_000, 61), (300_000, 0, 61), (0, 300_000, 61), (60_000, 300_000, 3601), (300_000, 60_000, 3601),
        (0, 0, 3601), (15_000, 0, 3601),
    ):  # fmt: skip
        found = reader.select(named("a"), 0, 2 * T, step=step, window=window)
        assert len(found.series[0].times) == count, (step, window)
        assert bool(found.notes) == (count == 61)
        if count == 61:
            assert "3600 samples are too many" in str(found.notes[0])
    assert len(reader.select(named("a"), T - HOUR // 2, T, step=300_000).series[0].times) >= 1800


def test_what_was_read_before_is_remembered_within_bounds(
    tmp_path: Path, stores: list[Store], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A page that asks again reads only what is new; memory does not grow with what was ever asked."""
    several = [labels("a", i=str(i)) for i in range(10)]
    stores.append(store := Store(tmp_path, several))
    times = np.arange(T - HOUR + 1000, T + 1, 1000, dtype=np.int64)
    store.fill(range(1, 11), times, np.tile(times / 1e3, (10, 1)))
    read, asked = segments.chunks, []

    def chunks(*args: object, **more: object) -> object:
        asked.append(1)
        return read(*args, **more)  # type: ignore[arg-type]  # handed on as they are

    monkeypatch.setattr(segments, "chunks", chunks)
    reader = Reader(store.path)
    first = plain(reader.select(named("a"), 0, 2 * T))
    assert asked
    asked.clear()
    assert plain(reader.select(named("a"), 0, 2 * T)) == first
    assert plain(reader.select([*named("a"), Matcher("i", Op.EQUAL, "3")], 0, T))[several[3]] == first[several[3]]
    assert not asked
    assert 0 < reader._cache._bytes <= reading.CACHE_BYTES
    reader._cache.clear()
    monkeypatch.setattr(reader._cache, "_most", 20_000)
    for one in several:
        reader.select([Matcher("i", Op.EQUAL, dict(one)["i"])], T - WINDOW + 1, T)
    assert reader._cache._bytes <= 20_000


def test_reading_ends_when_its_time_is_over(tmp_path: Path, stores: list[Store]) -> None:
    """A question that takes too long is given up with a line that says what to do."""
    stores.append(store := Store(tmp_path, [labels("a")]))
    store.insert({1: [(T, 1.0)]})
    with pytest.raises(NotKnown, match="shorter time"):
        Reader(store.path, timeout_s=-1).select(named("a"), 0, 2 * T)


def test_many_threads_ask_while_the_store_is_written(tmp_path: Path, stores: list[Store]) -> None:
    """Each answer is whole: samples without holes up to the newest, whatever was sealed meanwhile."""
    stores.append(store := Store(tmp_path, [labels("a", i=str(i)) for i in range(5)]))
    reader = Reader(store.path)
    wrong: list[object] = []
    done = threading.Event()

    def ask() -> None:
        while not done.is_set():
            for one in reader.select(named("a"), 0, 2 * T).series:
                times = one.times.tolist()
                if times != list(range(times[0], times[-1] + 1, 10_000)) or times[0] != T:
                    wrong.append(
                        (times[0], times[-1], sorted(set(range(times[0], times[-1] + 1, 10_000)) - set(times)))
                    )
                if one.values.tolist() != times:
                    wrong.append("values")

    threads = [threading.Thread(target=ask) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        for step in range(400):
            ts = T + 10_000 * step
            store.write(store.row(ts, [dict.fromkeys(range(1, 6), float(ts))]))
            if step % 70 == 69:
                store.seal(ts)
    finally:
        done.set()
        for thread in threads:
            thread.join()
    assert not wrong
