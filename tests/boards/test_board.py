"""Boards as data: what fits together, and what does not."""

from __future__ import annotations

import pytest

from bongsu.boards.board import Board, Line, Panel, Severity, State, Tile, Unit
from bongsu.model.message import Message
from bongsu.model.query import Fold, Query
from readings import HEAT, TASKS, WORK

WORK_RATE = Query(WORK, Fold.RATE, ("kind",))
TASKS_RATE = Query(TASKS, Fold.RATE)


def test_queries_of_a_line_must_have_its_groups_or_none() -> None:
    """A reading by room cannot be divided by one by kind: no pair of values would belong together."""
    Line(Message("a"), WORK_RATE, over=(TASKS_RATE,))
    with pytest.raises(ValueError, match="cannot be set against"):
        Line(Message("a"), WORK_RATE, over=(Query(HEAT, by=("room",)),))
    with pytest.raises(ValueError, match="cannot be set against"):
        Line(Message("a"), TASKS_RATE, less=(WORK_RATE,))


def test_a_legend_names_its_group() -> None:
    """The labels in `by` fill the legend's places, whatever they hold."""
    line = Line(Message("{kind} done"), WORK_RATE)
    assert str(line.legend_of(("a{b}<i>",))) == "a{b}<i> done"
    named = Line(Message("{kind} done"), WORK_RATE, said=(("sw_job", Message("the job")),))
    assert [str(named.legend_of((kind,))) for kind in ("sw_job", "other")] == ["the job done", "other done"]


def test_a_board_knows_all_that_it_asks_for() -> None:
    """Tiles, wholes, divisors: a query left out here would not be kept, and its chart would stay empty."""
    queries = [Query(HEAT, Fold.MAX if i % 2 else Fold.LAST, where=(("room", str(i)),)) for i in range(7)]
    tile = Tile("t", Message("t"), Unit.COUNT, Line(Message("a"), queries[0], plus=(queries[1],)), of=queries[2])
    line = Line(Message("a"), queries[3], less=(queries[4],), over=(queries[5],), over_less=(queries[6],))
    whole = Query(TASKS, Fold.RATE)
    panel = Panel("p", Message("p"), Unit.COUNT, (line,), Message("help"), whole=whole)
    assert set(Board("b", Message("b"), (tile,), (panel,)).queries) == {*queries, whole}


def test_a_tile_has_a_line_or_says_why_not() -> None:
    """An empty tile without a word would be a riddle; with both, one of them would be untrue."""
    line = Line(Message("a"), TASKS_RATE)
    with pytest.raises(ValueError, match="says why there is none"):
        Tile("t", Message("t"), Unit.COUNT)
    with pytest.raises(ValueError, match="says why there is none"):
        Tile("t", Message("t"), Unit.COUNT, line, collector="gpu")


def test_states_come_in_the_order_of_their_limits() -> None:
    """Else a full disk would be called nearly full."""
    low, high = (State(Severity.WARNING, Message("a"), above) for above in (0.5, 0.9))
    Tile("t", Message("t"), Unit.COUNT, Line(Message("a"), TASKS_RATE), states=(low, high))
    with pytest.raises(ValueError, match="lowest limit comes first"):
        Tile("t", Message("t"), Unit.COUNT, Line(Message("a"), TASKS_RATE), states=(high, low))
