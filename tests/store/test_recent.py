"""The last hour in memory: gaps, rates, sums, bounds."""

from __future__ import annotations

import math
import threading
import tracemalloc
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bongsu.model.metric import MetricSpec
from bongsu.model.query import Fold, Query
from bongsu.store.recent import Recent
from readings import HEAT, TASKS, WORK, Values, batch, one, part

RATE = Query(WORK, Fold.RATE)
BY_KIND = Query(WORK, Fold.RATE, by=("kind",))
NAN = math.nan


def plain(values: Iterable[float]) -> list[float | None]:
    """Values with None for NaN, so that they can be compared."""
    return [None if math.isnan(v) else round(v, 9) for v in values]


def test_a_gauge_is_kept_as_it_was_read() -> None:
    """Each tick gives one point; what was not read is a gap, not the last value."""
    recent = Recent([Query(HEAT, by=("room",))])
    recent.write(one(1, {(HEAT, ("a",)): 20.0}))
    recent.write(one(2, {(HEAT, ("b",)): 30.0}))
    recent.write(one(3, {(HEAT, ("a",)): 0.0, (HEAT, ("b",)): 31.0}))
    window = recent.read(Query(HEAT, by=("room",)))
    assert list(window.times) == [1001, 1002, 1003]
    assert plain(window.rows["a",]) == [20, None, 0]
    assert plain(window.rows["b",]) == [None, 30, 31]
    newest = recent.newest(Query(HEAT, by=("room",)))
    assert newest == {("a",): 0.0, ("b",): 31.0}


def test_a_rate_is_per_second_of_the_monotonic_clock() -> None:
    """The wall clock may jump; a rate is what the counter gained by the clock that does not."""
    recent = Recent([RATE])
    recent.write(batch(1, part({(WORK, ("0", "x")): 100.0}, 1)))
    recent.write(batch(5000, part({(WORK, ("0", "x")): 104.0}, 3)))
    window = recent.read(RATE)
    assert plain(window.rows[()]) == [None, 2]


def test_a_counter_that_began_anew_has_no_rate_for_that_moment() -> None:
    """No negative rate and no invented one; the next moment has a rate again."""
    recent = Recent([RATE])
    for at, value in enumerate([10.0, 12.0, 1.0, 4.0]):
        recent.write(one(at, {(WORK, ("0", "x")): value}))
    assert plain(recent.read(RATE).rows[()]) == [None, 2, None, 3]


def test_a_gap_has_no_rate_and_none_right_after() -> None:
    """What a counter gained while nobody looked belongs to no one moment."""
    recent = Recent([RATE])
    recent.write(one(1, {(WORK, ("0", "x")): 10.0}))
    recent.write(one(2, {(WORK, ("0", "x")): 11.0}))
    recent.write(one(3, {}))
    recent.write(one(4, {(WORK, ("0", "x")): 500.0}))
    recent.write(one(5, {(WORK, ("0", "x")): 501.0}))
    assert plain(recent.read(RATE).rows[()]) == [None, 1, None, None, 1]


def test_a_core_that_comes_or_goes_does_not_bend_the_sum() -> None:
    """A series that appears brings no rate with its whole past, one that leaves takes only its own share."""
    recent = Recent([RATE])
    recent.write(one(1, {(WORK, ("0", "x")): 10.0}))
    recent.write(one(2, {(WORK, ("0", "x")): 11.0, (WORK, ("1", "x")): 9e9}))
    recent.write(one(3, {(WORK, ("0", "x")): 12.0, (WORK, ("1", "x")): 9e9 + 3}))
    recent.write(one(4, {(WORK, ("0", "x")): 13.0}))
    assert plain(recent.read(RATE).rows[()]) == [None, 1, 4, 1]


def test_labels_that_no_query_names_are_summed_away() -> None:
    """Memory goes with the lines that are drawn: a thousand cores of two kinds are two rows."""
    recent = Recent([BY_KIND])
    for at in (1, 2):
        recent.write(
            one(at, {(WORK, (str(core), kind)): at * float(core) for core in range(1000) for kind in ("x", "y")})
        )
    assert recent.rows == 2
    assert recent.newest(BY_KIND) == {("x",): 499500.0, ("y",): 499500.0}


def test_filters_and_coarser_sums_come_from_the_same_rows() -> None:
    """`where` and `where_not` pick; fewer labels in `by` sum what is left."""
    idle = Query(WORK, Fold.RATE, where=(("kind", "idle"),))
    busy = Query(WORK, Fold.RATE, where_not=(("kind", "idle"),))
    recent = Recent([idle, busy, RATE, BY_KIND])
    recent.write(one(1, {(WORK, ("0", "idle")): 0.0, (WORK, ("0", "x")): 0.0, (WORK, ("1", "y")): 0.0}))
    recent.write(one(2, {(WORK, ("0", "idle")): 7.0, (WORK, ("0", "x")): 2.0, (WORK, ("1", "y")): 1.0}))
    assert recent.rows == 3
    assert recent.newest(idle) == {(): 7.0}
    assert recent.newest(busy) == {(): 3.0}
    assert recent.newest(RATE) == {(): 10.0}
    assert recent.newest(BY_KIND) == {("idle",): 7.0, ("x",): 2.0, ("y",): 1.0}
    assert recent.newest(Query(WORK, Fold.RATE, where=(("kind", "none"),))) == {}


def test_a_part_that_is_delivered_again_is_carried_on() -> None:
    """A collector that is asked each fifth tick gives a line, not five points in every twenty-five."""
    query = Query(HEAT, by=("room",))
    recent = Recent([RATE, query])
    slow = part({(WORK, ("0", "x")): 10.0, (HEAT, ("a",)): 20.0}, 1, collector="slow")
    recent.write(batch(1, slow))
    recent.write(batch(2, slow))
    slow = part({(WORK, ("0", "x")): 30.0, (HEAT, ("a",)): 25.0}, 6, collector="slow")
    recent.write(batch(6, slow))
    recent.write(batch(7, slow))
    recent.write(batch(8, slow))
    assert plain(recent.read(RATE).rows[()]) == [None, None, 4, 4, 4]
    assert plain(recent.read(query).rows["a",]) == [20, 20, 25, 25, 25]


def test_a_query_that_was_not_asked_for_is_refused() -> None:
    """An answer that was never kept is an error, not an empty chart."""
    recent = Recent([RATE])
    for query in (BY_KIND, Query(WORK), Query(HEAT)):
        with pytest.raises(ValueError, match="not kept"):
            recent.newest(query)
    with pytest.raises(ValueError, match="no label"):
        Recent([Query(WORK, by=("colour",))])


def test_the_ring_forgets_the_oldest() -> None:
    """It holds `seconds` and no more, in order, however often it went round."""
    recent = Recent([Query(HEAT)], seconds=10, interval=1)
    for at in range(25):
        recent.write(one(at, {(HEAT, ("a",)): float(at)}))
    window = recent.read(Query(HEAT))
    assert list(window.rows[()]) == [float(at) for at in range(15, 25)]
    assert list(recent.read(Query(HEAT), 1020, 1022).rows[()]) == [20, 21, 22]


def test_a_gap_does_not_show_what_stood_there_an_hour_ago() -> None:
    """A ring that comes round again writes gaps over old values, sums included."""
    query = Query(HEAT)
    recent = Recent([query], seconds=4, interval=1)
    for at in range(4):
        recent.write(one(at, {(HEAT, ("a",)): 100.0, (HEAT, ("b",)): 1.0}))
    for at in range(4, 6):
        recent.write(one(at, {}))
    recent.write(one(6, {(HEAT, ("a",)): 5.0, (HEAT, ("b",)): 6.0}))
    assert plain(recent.read(query).rows[()]) == [101, None, None, 11]


def test_a_clock_that_was_set_back_leaves_times_in_order() -> None:
    """Times always ascend; what the old clock called the future is left out."""
    recent = Recent([Query(HEAT)])
    for at, wall in enumerate([5000.0, 5001.0, 4000.0, 4001.0]):
        reading = one(at, {(HEAT, ("a",)): float(at)})
        recent.write(type(reading)(wall, reading.monotonic, reading.parts))
    window = recent.read(Query(HEAT))
    assert list(window.times) == [4000, 4001]
    assert list(window.rows[()]) == [2, 3]


def test_thinning_keeps_what_the_fold_means() -> None:
    """LAST takes the newest, MAX the highest, rates the mean; times are those of the newest."""
    highest, last = Query(HEAT, Fold.MAX), Query(HEAT)
    recent = Recent([highest, last, RATE])
    for at in range(8):
        recent.write(one(at, {(HEAT, ("a",)): float([5, 9, 1, 2, 8, 0, 3, 4][at]), (WORK, ("0", "x")): float(at * at)}))
    assert list(recent.read(last, points=2).times) == [1003, 1007]
    assert list(recent.read(last, points=2).rows[()]) == [2, 4]
    assert list(recent.read(highest, points=2).rows[()]) == [9, 8]
    assert list(recent.read(RATE, points=2).rows[()]) == [3, 10]


def test_rows_are_bounded_and_what_is_dropped_is_said() -> None:
    """Ten thousand interfaces do not fill memory, and nobody is told that all of them are there."""
    query = Query(HEAT, by=("room",))
    recent = Recent([query], seconds=10, max_rows=5)
    assert recent.problem is None
    recent.write(one(1, {(HEAT, (str(i),)): 1.0 for i in range(8)}))
    assert recent.rows == 5
    assert recent.dropped == 3
    assert recent.refused(query) == 3
    assert "at least 3 lines are not kept" in str(recent.problem)


def test_rows_of_devices_that_went_make_room() -> None:
    """Containers come and go with their interfaces; an hour later their rows are another's."""
    query = Query(HEAT, by=("room",))
    recent = Recent([query, BY_KIND], seconds=5, max_rows=4)
    for at in range(700):
        rooms = ["old1", "old2", "stays"] if at < 100 else ["new1", "new2", "stays"]
        recent.write(one(at, {(HEAT, (room,)): 1.0 for room in rooms}))
    assert set(recent.newest(query)) == {("new1",), ("new2",), ("stays",)}
    assert recent.dropped == 0


def test_memory_stays_flat() -> None:
    """A ring that is full takes nothing more."""
    recent = Recent([BY_KIND, Query(TASKS, Fold.RATE)], seconds=50)

    def feed(start: int) -> None:
        for at in range(start, start + 400):
            values: Values = {
                (spec, (str(c), k)): at * 1.0 for spec in (WORK, TASKS) for c in range(8) for k in ("x", "y")
            }
            recent.write(one(at, values))

    feed(0)
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    feed(400)
    grown = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    assert grown < 50_000


def test_reading_while_another_thread_writes() -> None:
    """All windows of one reading have the same times and no row is torn."""
    recent = Recent([RATE, Query(HEAT)], seconds=20)
    stop = threading.Event()

    def write() -> None:
        at = 0
        while not stop.is_set():
            recent.write(one(at, {(WORK, ("0", "x")): at * 2.0, (HEAT, ("a",)): 1.0}))
            at += 1

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for _ in range(200):
            rates, heat = recent.read_all([RATE, Query(HEAT)])
            assert rates.times == heat.times
            for row in (*rates.rows.values(), *heat.rows.values()):
                assert len(row) == len(rates.times)
            assert set(plain(rates.rows.get((), ()))) <= {None, 2}
    finally:
        stop.set()
        writer.join()


@given(st.lists(st.one_of(st.none(), st.floats(0, 1e15)), max_size=40))
def test_no_rate_is_ever_negative(values: list[float | None]) -> None:
    """Whatever a counter does, a rate is at least zero or not known."""
    recent = Recent([RATE], seconds=30)
    for at, value in enumerate(values):
        recent.write(one(at, {} if value is None else {(WORK, ("0", "x")): value}))
    for row in recent.read(RATE).rows.values():
        assert all(math.isnan(v) or v >= 0 for v in row)


def test_nothing_written_is_nothing_known() -> None:
    """An empty ring answers with nothing, also thinned."""
    recent = Recent([RATE])
    assert recent.newest(RATE) == {}
    assert list(recent.read(RATE, points=10).times) == []
    with pytest.raises(ValueError, match="positive"):
        Recent([RATE], interval=0)


def test_a_condition_beside_a_group_makes_no_more_rows_than_groups() -> None:
    """The busy time of 512 cores is 512 rows, not one for each core and mode; the value is the same."""
    busy = Query(WORK, Fold.RATE, ("core",), where_not=(("kind", "idle"),))
    recent = Recent([busy, RATE])
    for at in range(3):
        values: dict[tuple[MetricSpec, tuple[str, ...]], float] = {
            (WORK, (core, kind)): at * pace for core, pace in (("0", 1.0), ("1", 2.0)) for kind in ("x", "y", "idle")
        }
        recent.write(one(at, values))
    assert recent.rows == 3  # two cores, and the sum of all
    assert recent.newest(busy) == {("0",): 2.0, ("1",): 4.0}
    assert recent.newest(RATE) == {(): 9.0}
