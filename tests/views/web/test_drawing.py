"""What a board is drawn from, and what its bands say."""

from __future__ import annotations

import math
import time
from array import array
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
import pytest

from bongsu.boards.board import Board, Kind, Left, Line, Panel, Severity, State, Tile, Unit
from bongsu.model.batch import Batch
from bongsu.model.message import Message
from bongsu.model.query import Fold, Query
from bongsu.store.recent import Recent, Window
from bongsu.store.series import Tier
from bongsu.views.web.drawing import Drawing
from readings import HEAT, TASKS, WORK, part

if TYPE_CHECKING:
    from bongsu.store.reading import history

WORK_RATE, TASKS_RATE = Query(WORK, Fold.RATE), Query(TASKS, Fold.RATE)
ROOMS = Query(HEAT, by=("room",))
ATTIC, CELLAR = (Query(HEAT, where=(("room", room),)) for room in ("attic", "cellar"))


class Answer(NamedTuple):
    """As `history.Past`, without what it loads."""

    windows: list[Window]
    interval: float
    tier: Tier


class Disk:
    """Stands for the history: remembers what it was asked, and answers with the windows that it is given."""

    def __init__(self, windows: dict[Query, Window], interval: float = 60.0) -> None:
        self.windows = windows
        self.interval = interval
        self.asked: list[tuple[float, float, int]] = []

    def read(self, queries: Sequence[Query], since: float, until: float, *, points: int) -> history.Past:
        self.asked.append((since, until, points))
        return Answer([self.windows[q] for q in queries], self.interval, Tier.MINUTES)  # type: ignore[return-value]  # it looks the same


def board(*lines: Line, unit: Unit = Unit.COUNT, top: float | None = None) -> Board:
    return Board("b", Message("b"), (), (Panel("p", Message("p"), unit, lines, Message("help"), top=top),))


def window(values: Sequence[float], low: Sequence[float], high: Sequence[float], *, outer: bool = False) -> Window:
    times = array("d", [100.0 * (i + 1) for i in range(len(values))])
    return Window(times, {(): array("d", values)}, {(): array("d", low)}, {(): array("d", high)}, outer)


def stored(line: Line, windows: dict[Query, Window], **other: Any) -> dict[str, Any]:
    """The first line as it is drawn from the disk."""
    drawing = Drawing(board(line, **other), Recent(line.queries), Disk(windows))
    drawn: dict[str, Any] = drawing.between(0.0, 300.0, 10)["panels"][0]["series"][0]
    return drawn


def read(recent: Recent, at: float, heat: float, work: float = 0.0, tasks: float = 0.0) -> None:
    values = {
        (HEAT, ("attic",)): heat, (WORK, ("0", "x")): work, (TASKS, ("0", "x")): tasks,
    }  # fmt: skip
    one = msgspec.structs.replace(part(values, at), time=at, monotonic=at)
    recent.write(Batch(at, at, (one,)))


def test_a_peak_of_one_moment_survives_thinning() -> None:
    """The last hour is thinned too: what the mean of ten readings hides stands in the band."""
    recent = Recent([WORK_RATE], seconds=200)
    done = 0.0
    for second in range(101):
        done += 90.0 if second == 55 else 1.0
        read(recent, 1000.0 + second, 0.0, work=done)
    drawn = Drawing(board(Line(Message("a"), WORK_RATE)), recent).between(1001.0, 1100.0, 10)
    (line,) = drawn["panels"][0]["series"]
    assert len(drawn["times"]) == 10
    assert max(line["values"]) == pytest.approx(9.9)
    assert max(line["high"]) == 90.0
    assert min(line["low"]) == 1.0
    assert line["outer"] is False
    assert (drawn["step"], drawn["tier"], drawn["live"]) == (10.0, "memory", False)


def test_the_band_of_a_ratio_in_memory_is_worked_out_at_every_moment() -> None:
    """Two readings that rise and fall together leave a ratio that never moved."""
    ratio = Line(Message("a"), WORK_RATE, over=(TASKS_RATE,))
    recent = Recent(ratio.queries, seconds=200)
    work = tasks = 0.0
    for second in range(41):
        work += 1.0 + second % 5
        tasks += 2.0 * (1.0 + second % 5)
        read(recent, 1000.0 + second, 0.0, work=work, tasks=tasks)
    (line,) = Drawing(board(ratio), recent).between(1001.0, 1040.0, 4)["panels"][0]["series"]
    assert line["values"] == [0.5] * 4
    assert (line["low"], line["high"]) == (None, None)  # the values say it all


def test_a_reading_from_the_disk_keeps_its_band() -> None:
    """One metric, nothing worked out: lowest and highest are those that the disk holds."""
    line = stored(Line(Message("a"), ATTIC), {ATTIC: window([2.0, 3.0], [1.0, 3.0], [9.0, 3.0])})
    assert (line["values"], line["low"], line["high"], line["outer"]) == ([2, 3], [1, 3], [9, 3], False)


def test_the_band_of_a_sum_or_difference_is_an_outer_bound() -> None:
    """Both need not have been at their highest at once; and that is said."""
    windows = {ATTIC: window([5.0], [4.0], [6.0]), CELLAR: window([2.0], [1.0], [3.0])}
    line = stored(Line(Message("a"), ATTIC, plus=(CELLAR,)), windows)
    assert (line["values"], line["low"], line["high"], line["outer"]) == ([7], [5], [9], True)
    line = stored(Line(Message("a"), ATTIC, less=(CELLAR,)), windows)
    assert (line["values"], line["low"], line["high"], line["outer"]) == ([3], [1], [5], True)


def test_the_band_of_a_ratio_is_the_lowest_by_the_highest() -> None:
    """And where the divisor may have been 0 there is no bound."""
    windows = {ATTIC: window([5.0, 5.0], [4.0, 4.0], [6.0, 6.0]), CELLAR: window([2.0, 2.0], [1.0, 0.0], [4.0, 4.0])}
    line = stored(Line(Message("a"), ATTIC, over=(CELLAR,)), windows)
    assert (line["values"], line["low"], line["high"], line["outer"]) == ([2.5, 2.5], [1, None], [6, None], True)


def test_a_steady_divisor_has_no_band_of_its_own() -> None:
    """The time of all cores per second is their number: sums of each core's peaks say nothing about it."""
    every = window([4.0], [1.0], [9.0], outer=True)
    idle = window([3.0], [2.0], [3.6])
    busy = Line(Message("busy"), ATTIC, less=(CELLAR,), over=(ATTIC,), steady=True)
    line = stored(busy, {ATTIC: every, CELLAR: idle})
    assert (line["values"], line["low"], line["high"], line["outer"]) == ([0.25], [0.1], [0.5], False)


def test_no_bound_is_beyond_what_there_can_be() -> None:
    """No more than all of it, and nothing below 0 where that cannot be."""
    windows = {ATTIC: window([0.5], [0.1], [0.9], outer=True), CELLAR: window([0.3], [0.0], [0.8], outer=True)}
    line = stored(Line(Message("a"), ATTIC, plus=(CELLAR,)), windows, top=1.0)
    assert line["high"] == [1]
    line = stored(Line(Message("a"), ATTIC, less=(CELLAR,)), windows, top=1.0)
    assert line["low"] == [0]


def test_a_fixed_span_comes_from_memory_or_from_the_disk() -> None:
    """What memory holds is told by memory; a span that begins earlier, by the disk, with its end as asked."""
    recent = Recent([ATTIC])
    for second in range(20):
        read(recent, 1000.0 + second, 20.0 + second)
    disk = Disk({ATTIC: window([2.0, 3.0], [1.0, 3.0], [9.0, 3.0])})
    drawing = Drawing(board(Line(Message("a"), ATTIC)), recent, disk)
    drawn = drawing.between(1005.0, 1010.0, 100)
    assert drawn["panels"][0]["series"][0]["values"] == [25, 26, 27, 28, 29, 30]
    assert (drawn["from"], drawn["to"], drawn["tier"], disk.asked) == (1005.0, 1010.0, "memory", [])
    drawn = drawing.between(10.0, 1010.0, 100)
    assert disk.asked == [(10.0, 1010.0, 100)]
    assert (drawn["tier"], drawn["step"]) == ("1m", 60.0)


def test_an_end_in_the_future_is_now() -> None:
    """Nothing is known of the future: the answer says up to when it tells."""
    drawing = Drawing(board(Line(Message("a"), ATTIC)), Recent([ATTIC]))
    now = time.time()
    assert now - 0.001 <= drawing.between(now - 60, now + 3600, 100)["to"] <= now + 60


def test_a_look_at_the_past_does_not_change_what_live_pages_are_sent() -> None:
    """Which lines are the highest is settled by those who look at now, not by one who looks at last week."""
    line = Line(Message("{room}"), ROOMS)
    panel = Panel("p", Message("p"), Unit.COUNT, (line,), Message("help"), most=1)
    recent = Recent([ROOMS])
    for at, warm in ((1000.0, ("cellar", "attic")), (1001.0, ("attic", "cellar"))):
        one = part({(HEAT, (room,)): 10.0 * (i + 1) + at for i, room in enumerate(warm)}, at)
        recent.write(Batch(at, at, (msgspec.structs.replace(one, time=at, monotonic=at),)))
    drawing = Drawing(Board("b", Message("b"), (), (panel,)), recent)
    drawing.history(0.0, 100)
    assert list(drawing.newest()["panels"]["p"]) == ["0\x1fcellar"]
    drawing.between(999.0, 1000.5, 100)
    assert list(drawing.newest()["panels"]["p"]) == ["0\x1fcellar"]


def of_rooms(most: int, *ticks: dict[str, float], max_rows: int = 2000) -> tuple[Drawing, Recent]:
    """A panel of rooms, at most so many, that were read once a second from 1000 on."""
    panel = Panel("p", Message("p"), Unit.COUNT, (Line(Message("{room}"), ROOMS),), Message("help"), most=most)
    recent = Recent([ROOMS], max_rows=max_rows)
    for at, rooms in enumerate(ticks, 1000):
        one = part({(HEAT, (room,)): value for room, value in rooms.items()}, at)
        recent.write(Batch(at, at, (msgspec.structs.replace(one, time=at, monotonic=at),)))
    return Drawing(Board("b", Message("b"), (), (panel,)), recent), recent


def test_a_line_that_rises_above_those_shown_is_told() -> None:
    """Or the page would go on to call others the highest; lines below those shown are not sent."""
    drawing, recent = of_rooms(2, {"a": 50.0, "b": 40.0, "c": 10.0, "d": 20.0})
    panel = drawing.history(0.0, 10)["panels"][0]
    assert panel["floor"] == 40.0
    assert panel["note"] == "the 2 highest of 4 lines"
    assert set(drawing.newest()["panels"]["p"]) == {"0\x1fa", "0\x1fb"}
    one = part({(HEAT, (room,)): value for room, value in (("a", 1.0), ("b", 2.0), ("c", 41.0), ("d", 39.0))}, 1001)
    recent.write(Batch(1001, 1001, (msgspec.structs.replace(one, time=1001, monotonic=1001),)))
    assert set(drawing.newest()["panels"]["p"]) == {"0\x1fa", "0\x1fb", "0\x1fc"}
    assert [line["legend"] for line in drawing.history(0.0, 10)["panels"][0]["series"]] == ["a", "c"]


def test_pages_of_other_spans_get_their_lines_too() -> None:
    """Which lines are the highest differs from span to span; who opens another does not empty the first one's chart."""
    drawing, _ = of_rooms(1, {"old": 90.0, "new": 10.0}, {"old": 1.0, "new": 20.0})
    now = time.time()
    assert [line["legend"] for line in drawing.history(999.0, 10)["panels"][0]["series"]] == ["old"]
    assert [line["legend"] for line in drawing.history(1000.5, 10)["panels"][0]["series"]] == ["new"]
    assert set(drawing.newest()["panels"]["p"]) == {"0\x1fold", "0\x1fnew"}
    for seconds in range(100):  # of those that nobody asks for any more not all are kept
        drawing.history(now + 10 * seconds, 10)
    assert len(drawing._shown) <= 32


def test_lines_that_memory_has_no_room_for_are_told_at_the_panel() -> None:
    """The highest of those that are kept are not called the highest of all."""
    drawing, _ = of_rooms(2, {str(i): float(i) for i in range(9)}, max_rows=5)
    note = drawing.history(0.0, 10)["panels"][0]["note"]
    assert note == "the 2 highest of 5 lines; at least 4 more lines are not kept in memory, Health says why"


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_no_number_is_a_gap(value: float) -> None:
    """Neither 0 nor the highest: NaN and infinities leave a hole, a line of nothing else is none, a tile tells the rest."""
    ticks = {"a": 1.0, "b": value, "c": value}, {"a": 2.0, "b": 5.0, "c": value}, {"a": 3.0, "b": value, "c": value}
    drawing, _ = of_rooms(5, *ticks)
    series = drawing.history(0.0, 10)["panels"][0]["series"]
    assert [(line["legend"], line["values"]) for line in series] == [("a", [1.0, 2.0, 3.0]), ("b", [None, 5.0, None])]
    assert drawing.newest()["panels"]["p"] == {"0\x1fa": 3.0}
    tile = Tile("t", Message("t"), Unit.COUNT, Line(Message("{room}"), ROOMS))
    recent = Recent([ROOMS])
    one = part({(HEAT, ("a",)): 3.0, (HEAT, ("b",)): value}, 1000)
    recent.write(Batch(1000, 1000, (msgspec.structs.replace(one, time=1000, monotonic=1000),)))
    told = Drawing(Board("b", Message("b"), (tile,), ()), recent).newest()["tiles"]["t"]
    assert (told["value"], told["legend"]) == (3.0, "a")


def test_a_heat_map_has_a_row_for_each_line_in_order_and_its_peaks() -> None:
    """Core 9 comes before core 10; a cell has a colour, so its highest value is told, and no lowest."""
    panel = Panel("p", Message("p"), Unit.COUNT, (Line(Message("{room}"), ROOMS),), Message("help"), kind=Kind.HEAT)
    recent = Recent([ROOMS])
    for at in (1000.0, 1001.0, 1002.0, 1003.0):
        one = part({(HEAT, (str(room),)): room - at if room > 9 else room for room in (10, 9, 100, 1)}, at)
        recent.write(Batch(at, at, (msgspec.structs.replace(one, time=at, monotonic=at),)))
    (drawn,) = Drawing(Board("b", Message("b"), (), (panel,)), recent).between(900.0, 1003.0, 2)["panels"]
    assert (drawn["heat"], drawn["stacked"]) == (True, False)
    assert [line["legend"] for line in drawn["series"]] == ["1", "9", "10", "100"]
    assert [line["high"] for line in drawn["series"]] == [None, None, [-990.0, -992.0], [-900.0, -902.0]]
    assert [line["low"] for line in drawn["series"]] == [None] * 4


def test_the_whole_is_known_though_the_newest_reading_is_not() -> None:
    """What a chart's lines are parts of does not go when one reading fails; a swap of nothing stays none."""
    whole = Query(HEAT, where=(("room", "all"),))
    panel = Panel("p", Message("p"), Unit.COUNT, (Line(Message("a"), ATTIC),), Message("help"), whole=whole)
    recent = Recent([ATTIC, whole])
    for at, all_of_it in ((1000.0, 0.0), (1001.0, math.nan)):
        one = part({(HEAT, ("attic",)): 0.0, (HEAT, ("all",)): all_of_it}, at)
        recent.write(Batch(at, at, (msgspec.structs.replace(one, time=at, monotonic=at),)))
    (drawn,) = Drawing(Board("b", Message("b"), (), (panel,)), recent).history(0.0, 10)["panels"]
    assert (drawn["whole"], drawn["reason"]) == (0.0, "this machine has none")


def test_an_empty_panel_or_tile_says_why() -> None:
    """Once, in words that the readers of the machine gave; what has values says nothing."""
    whole = Query(HEAT, where=(("room", "none"),))
    lines = (Line(Message("a"), TASKS_RATE),)
    panels = (
        Panel("p", Message("p"), Unit.COUNT, lines, Message("help")),
        Panel("full", Message("p"), Unit.COUNT, (Line(Message("a"), ATTIC),), Message("help")),
        Panel("swap", Message("p"), Unit.COUNT, (Line(Message("a"), ATTIC),), Message("help"), whole=whole),
    )
    tiles = (Tile("t", Message("t"), Unit.COUNT, lines[0]), Tile("g", Message("g"), Unit.COUNT, collector="gpu"))
    made = Board("b", Message("b"), tiles, panels)
    recent = Recent(made.queries)
    one = part({(HEAT, ("attic",)): 1.0, (HEAT, ("none",)): 0.0}, 1000.0)
    recent.write(Batch(1000.0, 1000.0, (msgspec.structs.replace(one, time=1000.0, monotonic=1000.0),)))
    drawing = Drawing(made, recent, why=lambda queries, name: " ".join([query.spec.name for query in queries]) or name)
    drawn = drawing.history(0.0, 10)
    assert [panel["reason"] for panel in drawn["panels"]] == [TASKS.name, None, "this machine has none"]
    assert [len(panel["series"]) for panel in drawn["panels"]] == [0, 1, 0]
    told = [{"severity": "none", "text": TASKS.name}, {"severity": "none", "text": "gpu"}]
    assert [tile["state"] for tile in drawn["tiles"]] == told
    assert [tile["state"] for tile in drawing.newest()["tiles"].values()] == told


def test_a_tile_that_is_off_says_so() -> None:
    """With its severity, when the page is opened and at each tick."""
    states = (State(Severity.WARNING, Message("warm"), 30.0), State(Severity.CRITICAL, Message("burning"), 300.0))
    tile = Tile("t", Message("t"), Unit.CELSIUS, Line(Message("a"), ATTIC), states=states)
    recent = Recent([ATTIC])
    drawing = Drawing(Board("b", Message("b"), (tile,), ()), recent)
    for at, heat, said in ((1.0, 20.0, None), (2.0, 31.0, "warm"), (3.0, 301.0, "burning")):
        read(recent, 1000.0 + at, heat)
        for drawn in (drawing.history(0.0, 10)["tiles"][0], drawing.newest()["tiles"]["t"]):
            assert (drawn["state"] or {}).get("text") == said


def test_a_tile_that_is_there_if_any_is_left_out_without_a_value() -> None:
    """A machine without GPUs has one tile that says so, not five; what was read once stays while it is in sight."""
    tiles = (
        Tile("gpu", Message("t"), Unit.COUNT, Line(Message("a"), TASKS_RATE)),
        Tile("heat", Message("t"), Unit.CELSIUS, Line(Message("a"), ATTIC), if_any=True),
    )
    made = Board("b", Message("b"), tiles, ())
    recent = Recent(made.queries)
    drawing = Drawing(made, recent)
    read(recent, 1000.0, math.nan)
    assert [tile["name"] for tile in drawing.history(0.0, 10)["tiles"]] == ["gpu"]
    for at, value in ((1001.0, 20.0), (1002.0, math.nan)):
        read(recent, at, value)
        assert [tile["name"] for tile in drawing.history(0.0, 10)["tiles"]] == ["gpu", "heat"]


def test_what_runs_out_is_told_with_its_time() -> None:
    """Beneath the chart always, on the tile when it is soon; a look at the past foretells nothing."""
    left = Left(ROOMS, Message("{room} is cold in {span}, going by {past}"), hours=1.0)
    panel = Panel("p", Message("p"), Unit.COUNT, (Line(Message("{room}"), ROOMS),), Message("help"), left=left)
    tile = Tile("t", Message("t"), Unit.COUNT, Line(Message("a"), ROOMS), left=left)
    made = Board("b", Message("b"), (tile,), (panel,))
    recent = Recent(made.queries, interval=60.0)
    now = time.time()
    for minute in range(60):
        at = now - 3600.0 + 60.0 * minute
        one = part({(HEAT, ("at\x1btic",)): 1200.0 - 10.0 * minute, (HEAT, ("cellar",)): 5.0}, at)
        recent.write(Batch(at, at, (msgspec.structs.replace(one, time=at, monotonic=at),)))
    drawing = Drawing(made, recent)
    drawn = drawing.history(now - 3600, 100)
    said = "at\\x1btic is cold in 1 h 1 min, going by 58 min"
    assert drawn["panels"][0]["note"] == said
    assert drawn["tiles"][0]["state"] == {"severity": "warning", "text": said}
    assert drawing.newest()["tiles"]["t"]["state"]["text"] == said
    drawn = drawing.between(now - 3600, now - 1800, 100)
    assert (drawn["panels"][0]["note"], drawn["tiles"][0]["state"]) == (None, None)


def test_a_core_is_not_busy_for_longer_than_the_time_is() -> None:
    """Clocks that are read one after the other differ a little; what is far beyond all there can be is shown as it is."""
    recent = Recent([ATTIC])
    for second, value in enumerate((0.9, 1.03, 5.0)):
        read(recent, 1000.0 + second, value)
    drawing = Drawing(board(Line(Message("a"), ATTIC), top=1.0), recent)
    assert drawing.history(0.0, 10)["panels"][0]["series"][0]["values"] == [0.9, 1, 5]
