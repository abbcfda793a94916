"""After an import both tiers answer of the same samples: each minute as it is read, none of them counted twice."""

from __future__ import annotations

import io
import sqlite3
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bongsu.store.layout import minutes, segments
from bongsu.store.layout.schema import MINUTE_MS, SEAL_MS
from bongsu.store.moving import past, verify
from bongsu.store.moving.importing import read
from bongsu.store.moving.past import Added
from bongsu.store.moving.spool import Spool
from bongsu.store.reading.reader import Reader
from bongsu.store.series import NAME, STALE
from bongsu.store.writing import compact, retention, seal
from plain_minutes import Sample, check
from store_file import Store

EDGE = 78_703 * minutes.MERGED_MS  # where a merged segment ends and the next begins
NEVER = 2**60
ALL = (-(2**50), 2**50)
NAMES = {1: 'c_total{n="1"}', 2: 'g{n="2"}'}
COUNTER, GAUGE = NAMES
Given = list[tuple[int, int, float]]  # series, time, value


def imported(store: Store, samples: Given) -> Added:
    text = "".join(f"{NAMES[one]} {value!r} {ts}\n" for one, ts, value in samples)
    with closing(Spool("/tmp", labels={}, now_ms=EDGE + 10**9)) as spool:
        read(io.BytesIO(text.encode()), "dump", spool)
        return past.add(store.connection, spool)


def raw(store: Store) -> dict[int, list[Sample]]:
    return {
        one: list(zip(column.times.tolist(), column.values.tolist(), strict=True))
        for one, column in segments.read(store.connection, NAMES, *ALL).items()
    }


def checked(store: Store, samples: dict[int, list[Sample]]) -> None:
    """The minute tier is that of these samples."""
    found = minutes.read(store.connection, NAMES, *ALL)
    assert found.keys() == samples.keys()
    for one, column in samples.items():
        check(found[one], column, counter=one == COUNTER)


def content(connection: sqlite3.Connection) -> list[list[tuple[object, ...]]]:
    return [
        connection.execute(f"SELECT * FROM {table} ORDER BY 1").fetchall()
        for table in ("segment", "chunk", "minutes", "series", "metric", "hot")
    ]


def at(*seconds: float) -> list[int]:
    return [EDGE + round(second * 1000) for second in seconds]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path, counters=1, gauges=1)


def live(store: Store, samples: Given) -> None:
    for one, ts, value in samples:
        store.hot(ts, ([one], [value]))


def sealed(store: Store) -> None:
    while seal.seal(store.connection, before_ms=NEVER):
        pass


@pytest.mark.parametrize("merged", [False, True])
def test_another_value_counts_instead_of_the_old_one(store: Store, merged: bool) -> None:
    """A minute's mean, extremes and increase are of the values that the raw samples have now, not of both."""
    live(store, [(one, ts, 10.0 + i) for i, ts in enumerate(at(15, 30, 45, 60, 75)) for one in NAMES])
    sealed(store)
    if merged:
        assert minutes.merge(store.connection, before_ms=NEVER)
    (first,) = at(30)
    assert imported(store, [(GAUGE, first, 90.0), (COUNTER, first, 12.5)]) == Added(2, 0, 0, 2)
    found = minutes.read(store.connection, NAMES, *ALL)
    assert found[GAUGE].shape.counts.tolist() == [4, 1]
    assert (found[GAUGE].low[0], found[GAUGE].high[0], found[GAUGE].total[0]) == (10.0, 90.0, 125.0)
    assert found[COUNTER].total.tolist() == [15.5, 1.0]  # 12 after 12.5 is a reset
    checked(store, raw(store))
    minutes.merge(store.connection, before_ms=NEVER)
    checked(store, raw(store))
    assert not verify.verify(str(store.path)).problems


def test_the_bucket_behind_follows_on_what_came_in(store: Store) -> None:
    """A counter's first increase in a window is told from the newest sample before it, also where that came later."""
    live(store, [(COUNTER, ts, value) for ts, value in zip(at(-60, 60), (10.0, 50.0), strict=True)])
    sealed(store)
    assert minutes.merge(store.connection, before_ms=NEVER)
    imported(store, [(COUNTER, ts, 40.0) for ts in at(-15)])
    found = minutes.read(store.connection, [COUNTER], *ALL)[COUNTER]
    assert found.total.tolist()[1:] == [30.0, 10.0]
    checked(store, raw(store))


def test_batches_that_are_not_sealed_yet_came_before(store: Store) -> None:
    """What is imported takes the place of a sample that still stands in a batch, also when that is sealed later."""
    live(store, [(GAUGE, ts, 1.0) for ts in at(15, 30)])
    assert imported(store, [(GAUGE, ts, value) for ts, value in zip(at(15, 30), (1.0, 7.0), strict=True)]) == Added(
        1, 0, 1, 1
    )
    live(store, [(GAUGE, ts, 2.0) for ts in at(45)])
    sealed(store)
    assert raw(store) == {GAUGE: list(zip(at(15, 30, 45), (1.0, 7.0, 2.0), strict=True))}
    checked(store, raw(store))


def test_a_window_that_is_sealed_in_two_parts_is_one(store: Store) -> None:
    """After `bongsu store compact` the window goes on: counters follow on its own samples, not on those before it."""
    live(store, [(COUNTER, ts, value) for ts, value in zip(at(0, 60, 120), (0.0, 50.0, 100.0), strict=True)])
    sealed(store)
    live(store, [(COUNTER, ts, value) for ts, value in zip(at(130, 140), (105.0, 110.0), strict=True)])
    sealed(store)
    assert np.nansum(minutes.read(store.connection, [COUNTER], *ALL)[COUNTER].total) == 110.0
    checked(store, raw(store))


def test_what_only_minutes_are_left_of_is_left_out(store: Store) -> None:
    """A bucket whose raw samples are gone stays bit for bit; a sample that would change it is counted as left out."""
    times = at(15, 30, 400)
    live(store, [(one, ts, float(i)) for i, ts in enumerate(times) for one in NAMES])
    sealed(store)
    retention.enforce(store.connection, now_ms=EDGE + SEAL_MS, raw_ms=0, minutes_ms=NEVER, max_bytes=None)
    assert raw(store) == {}
    before = content(store.connection)
    dump = [(one, ts, 5.0) for ts in at(15, 40, 399) for one in NAMES] + [(COUNTER, ts, 5.0) for ts in at(110, 350)]
    assert imported(store, dump) == Added(0, 0, 0, 0, 8)
    assert content(store.connection) == before
    assert imported(store, [(GAUGE, ts, 5.0) for ts in at(110, 350)]) == Added(2, 0, 0, 0, 0, 2)
    checked(store, {
        COUNTER: list(zip(times, (0.0, 1.0, 2.0), strict=True)),
        GAUGE: list(zip(at(15, 30, 110, 350, 400), (0.0, 1.0, 5.0, 5.0, 2.0), strict=True)),
    })  # fmt: skip


def test_what_comes_in_hides_no_minutes_of_others(store: Store) -> None:
    """Where minutes are all that is left, what comes in is kept as minutes too: its raw samples would be of few series."""
    live(store, [(COUNTER, ts, 1.0) for ts in at(15, 75)])
    sealed(store)
    retention.enforce(store.connection, now_ms=EDGE + SEAL_MS, raw_ms=0, minutes_ms=NEVER, max_bytes=None)
    assert imported(store, [(GAUGE, ts, 5.0) for ts in at(20, 700)]) == Added(2, 0, 0, 0, 0, 1)
    assert raw(store) == {GAUGE: [(ts, 5.0) for ts in at(700)]}
    with closing(Reader(str(store.path))) as reader:
        answer = reader.select([], EDGE, EDGE + 2 * SEAL_MS).series
    assert {dict(series.labels)[NAME]: series.times.tolist() for series in answer} == {
        "c_total": at(15, 75), "g": at(20, 700),
    }  # fmt: skip


def test_an_older_segment_goes_before_what_took_its_place(store: Store) -> None:
    """While a value that was replaced is there, so is the one that replaced it: the old one never comes back."""
    live(store, [(GAUGE, ts, 1.0) for ts in at(15, 615, 1215)])
    sealed(store)
    assert compact.join(store.connection, before_ms=NEVER)
    imported(store, [(GAUGE, ts, 7.0) for ts in at(15)])
    for now in range(EDGE, EDGE + 4 * SEAL_MS, SEAL_MS):
        while retention.enforce(store.connection, now_ms=now, raw_ms=0, minutes_ms=NEVER, max_bytes=None):
            assert dict(raw(store).get(GAUGE, [(EDGE + 15_000, 7.0)]))[EDGE + 15_000] == 7.0
    assert raw(store) == {}


_TIMES = st.sampled_from(at(*range(-900, 900, 20), -600, 0.001, 59.999, 600, 600.001))
_NUMBERS = st.one_of(st.integers(0, 20).map(float), st.floats(0, 1e6).map(lambda x: round(x, 1)))


def _dumps(numbers: st.SearchStrategy[float]) -> st.SearchStrategy[Given]:
    return st.lists(st.tuples(st.sampled_from(list(NAMES)), _TIMES, numbers), min_size=1, max_size=25)


def _steps(numbers: st.SearchStrategy[float], *others: str) -> st.SearchStrategy[list[tuple[str, Given]]]:
    return st.lists(
        st.one_of(
            st.tuples(st.sampled_from(["live", "import"]), _dumps(numbers)),
            st.tuples(st.sampled_from(["seal", "merge", "join", *others]), st.just([])),
        ),
        max_size=8,
    )


def _taken(store: Store, step: str, samples: Given) -> None:
    if step == "live":
        live(store, samples)
    elif step == "seal":
        sealed(store)
    elif step == "merge":
        minutes.merge(store.connection, before_ms=NEVER)
    elif step == "join":
        compact.join(store.connection, before_ms=NEVER)
    elif step == "let go":
        sealed(store)
        while retention.enforce(store.connection, now_ms=EDGE, raw_ms=0, minutes_ms=NEVER, max_bytes=None):
            pass


_few = settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])


@_few
@given(_steps(st.one_of(_NUMBERS, st.sampled_from([float("nan"), float("inf"), STALE]))), _dumps(_NUMBERS))
def test_any_import_leaves_one_answer(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, Given]], dump: Given
) -> None:
    """Whatever is stored, in batches, rows or merged, and whatever comes in: minutes are those of the raw samples."""
    store = Store(tmp_path_factory.mktemp("store"), counters=1, gauges=1)
    for step, samples in [*steps, ("import", dump)]:
        if step == "import":
            imported(store, samples)
            sealed(store)
            checked(store, raw(store))
            before = content(store.connection)
            assert imported(store, samples).samples == 0
            assert content(store.connection) == before
        else:
            _taken(store, step, samples)
    while minutes.merge(store.connection, before_ms=NEVER):
        pass
    checked(store, raw(store))
    assert not verify.verify(str(store.path)).problems


@_few
@given(_steps(_NUMBERS, "let go"), _dumps(_NUMBERS))
def test_minutes_are_of_all_samples_that_ever_came_in(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, Given]], dump: Given
) -> None:
    """Also where raw samples are gone, minutes are those of what was stored; what could not be is said to be left out."""
    store = Store(tmp_path_factory.mktemp("store"), counters=1, gauges=1)
    truth: dict[int, dict[int, float]] = {}
    reach = {COUNTER: MINUTE_MS + 300_000, GAUGE: MINUTE_MS}
    for step, samples in [*steps, ("let go", []), ("import", dump)]:
        if step == "import":
            sealed(store)
            there = {one: dict(column) for one, column in raw(store).items()}
            wanted = {(one, ts): value for one, ts, value in samples}
            lost = {(one, ts) for one, column in truth.items() for ts in column.keys() - there.get(one, {}).keys()}
            came = {
                (one, ts): value
                for (one, ts), value in wanted.items()
                if there.get(one, {}).get(ts) == value
                or not any(
                    one == other and -reach[one] < ts - -(-gone // MINUTE_MS) * MINUTE_MS <= 0 for other, gone in lost
                )
            }
            assert imported(store, samples).left_out == len(wanted) - len(came)
            for (one, ts), value in came.items():
                truth.setdefault(one, {})[ts] = value
        elif step == "live":
            # of a time whose raw samples are gone nothing comes in live, unless a clock was set back by days
            now = [sample for sample in samples if sample[1] > EDGE]
            _taken(store, "live", now)
            for one, ts, value in now:
                truth.setdefault(one, {})[ts] = value
        else:
            _taken(store, step, samples)
    sealed(store)
    checked(store, {one: sorted(column.items()) for one, column in truth.items()})
