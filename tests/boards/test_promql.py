"""Boards as PromQL text."""

from __future__ import annotations

from bongsu.boards import promql
from bongsu.boards.board import Left, Line
from bongsu.boards.host import HOST
from bongsu.model.message import Message
from bongsu.model.query import Fold, Query
from bongsu.store.promql import engine
from readings import HEAT, TASKS, WORK

ROOMS, HOUSE = Query(HEAT, by=("room",)), Query(HEAT)


def test_a_fold_is_a_function_over_the_window() -> None:
    """A reading as it stands needs none."""
    assert promql.of_query(HOUSE) == "sum(bongsu_test_heat_celsius)"
    assert promql.of_query(ROOMS) == "sum by (room) (bongsu_test_heat_celsius)"
    folds = {
        Fold.RATE: "sum(rate(bongsu_test_work_total[$window]))",
        Fold.AVG: "sum(avg_over_time(bongsu_test_work_total[$window]))",
        Fold.MAX: "sum(max_over_time(bongsu_test_work_total[$window]))",
    }
    for fold, text in folds.items():
        assert promql.of_query(Query(WORK, fold)) == text


def test_conditions_hold_any_value() -> None:
    """A mount point may have any characters; in the text they are quoted."""
    query = Query(HEAT, where=(("room", 'a"b\\c\nd'),), where_not=(("room", "lo"),))
    text = promql.of_query(query)
    assert text == r'sum(bongsu_test_heat_celsius{room="a\"b\\c\nd",room!="lo"})'
    engine.validate(text)


def test_a_line_is_one_expression() -> None:
    """Sums and differences, then the divisor, which is never 0; what has no groups counts for every group."""
    line = Line(Message("a"), ROOMS, plus=(ROOMS,), less=(HOUSE,), over=(ROOMS,), over_less=(HOUSE,))
    rooms, house = promql.of_query(ROOMS), promql.of_query(HOUSE)
    own = f"{rooms} - on () group_left () {house}"
    assert promql.expression(line) == f"({rooms} + {own}) / (({own}) != 0)"
    line = Line(Message("a"), ROOMS, over=(HOUSE,))
    assert promql.expression(line) == f"{rooms} / on () group_left () (({house}) != 0)"
    line = Line(Message("a"), HOUSE, over=(Query(TASKS, Fold.RATE),))
    assert promql.expression(line) == f"{house} / ((sum(rate(bongsu_test_tasks_total[$window]))) != 0)"


def test_legends_are_as_grafana_writes_them() -> None:
    """Labels stand in double braces."""
    assert promql.legend(Line(Message("{room} now"), ROOMS)) == "{{room}} now"
    assert promql.legend(Line(Message("busy"), HOUSE)) == "busy"


def test_a_window_holds_four_readings_and_a_step() -> None:
    """Fewer readings would leave gaps in rates, a shorter time would leave readings out."""
    assert promql.window("rate(a[$window])", interval=15, step=30) == "rate(a[60000ms])"
    assert promql.window("rate(a[$window])", interval=1, step=120) == "rate(a[120000ms])"


def test_every_line_of_the_machines_board_is_promql() -> None:
    """Each one is understood."""
    for line in (line for panel in HOST.panels for line in panel.lines):
        engine.validate(promql.window(promql.expression(line), interval=1, step=1))


def test_the_time_left_is_what_is_left_by_its_slope() -> None:
    """Only what gets less runs out."""
    left = Left(ROOMS, Message("{room}"), hours=6)
    text = promql.seconds_left(left)
    assert text == (
        "sum by (room) (bongsu_test_heat_celsius) / -(sum by (room) (deriv(bongsu_test_heat_celsius[21600s])) < 0)"
    )
    engine.validate(text)
