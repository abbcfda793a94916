"""Charts in the terminal: what is drawn where, gaps, axes, legends, and units of expressions."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import promql_parser
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from bongsu.views.plot import MOST_LINES, Line, Scale, chart, highest, step_for
from bongsu.views.quantities import names_in, scale_for, unit_of
from bongsu.views.units import bytes_text, count_text, span_text

NAN = math.nan
PLAIN = Scale(count_text)


@pytest.fixture(autouse=True)
def seoul(time_zone: Callable[[str], None]) -> None:
    """A zone that is not UTC."""
    time_zone("Asia/Seoul")


def times(count: int, step: float = 15.0, start: float = 1_750_000_200.0) -> list[float]:
    """So many moments; the first is 16 June 2025, 00:10 in Seoul."""
    return [start + number * step for number in range(count)]


def drawn(*lines: Line, width: int = 60, height: int = 14, ascii_only: bool = False, scale: Scale = PLAIN) -> list[str]:
    """The chart as text."""
    moments = times(len(lines[0].values))
    return [text.plain for text in chart(lines, moments, scale, width=width, height=height, ascii_only=ascii_only)]


def curve(picture: Sequence[str], axis: str = "│┤") -> list[str]:
    """The rows of curves alone, without axis."""
    rows = [row for row in picture if any(mark in row for mark in axis)]
    return [row[max(row.find(mark) for mark in axis) + 1 :] for row in rows]


def test_a_line_goes_from_low_to_high() -> None:
    """The first value stands left at the bottom, the last right at the top, and dots lead from one to the other."""
    rows = curve(drawn(Line("x", [float(n) for n in range(101)])))
    assert rows[-1][0] not in {" ", "⠀"}
    assert rows[0][-1] not in {" ", "⠀"}
    assert rows[0][0] == rows[-1][-1] == " "
    for column in zip(*rows, strict=True):
        assert any(cell != " " for cell in column)


def test_a_gap_is_a_gap() -> None:
    """Where there is no value nothing is drawn, and no line leads across; infinities have no place on an axis."""
    for missing in (NAN, math.inf, -math.inf):
        rows = curve(drawn(Line("x", [*[1.0] * 40, *[missing] * 20, *[1.0] * 40])))
        used = [any(row[at] != " " for row in rows) for at in range(len(rows[0]))]
        assert used[0]
        assert used[-1]
        gap = used.index(False)
        assert not any(used[gap : gap + len(used) // 6])


def test_one_value_alone_is_a_dot() -> None:
    """A value between two gaps is seen."""
    rows = curve(drawn(Line("x", [NAN, 1.0, NAN])))
    assert sum(cell != " " for row in rows for cell in row) == 1


@pytest.mark.parametrize("ascii_only", [False, True])
@pytest.mark.parametrize(("width", "height"), [(40, 10), (80, 24), (200, 50)])
def test_the_chart_fits(width: int, height: int, ascii_only: bool) -> None:
    """No line is wider and there are no more lines than was given."""
    lines = [
        Line(f'node_filesystem_avail_bytes{{mountpoint="/very/long/{n}"}}', [n + 1.0, NAN, 2.0 * n]) for n in range(4)
    ]
    picture = drawn(*lines, width=width, height=height, ascii_only=ascii_only)
    assert max(map(cell_len, picture)) <= width
    assert len(picture) <= max(height, 3 + 2 + 5)


def test_ascii_is_ascii() -> None:
    """Where the terminal shows nothing else, there is nothing else."""
    picture = drawn(Line("a" * 90, [1.0, 2.0]), Line("b", [2.0, 1.0]), ascii_only=True, width=50)
    assert all(row.isascii() for row in picture)
    assert any("A" in row for row in curve(picture, "|+"))
    assert any("B" in row for row in curve(picture, "|+"))


def test_lines_are_told_apart_without_colour() -> None:
    """Each of several lines carries its letter, and the legend says which is whose."""
    flat = [Line(f"line {n}", [float(n)] * 50) for n in range(3, 0, -1)]
    picture = drawn(*flat, width=80, height=20)
    rows = curve(picture)
    for letter, line in zip("ABC", flat, strict=True):
        assert [row for row in rows if letter in row] == [row for row in rows if letter in row][:1]
        assert any(row.split()[:3] == [letter, *line.name.split()] for row in picture)


def test_colours_are_those_of_the_legend() -> None:
    """A line's cells and its legend have one colour, and no two lines share one."""
    flat = [Line(f"line {n}", [float(n)] * 50) for n in range(MOST_LINES, 0, -1)]
    picture = chart(flat, times(50), PLAIN, width=80, height=40)
    legend = [str(text.style) for text in picture if " line " in text.plain]
    assert len(legend) == MOST_LINES
    assert len(set(legend)) == MOST_LINES


def test_the_legend_has_last_least_and_most() -> None:
    """The last value that there is, not the gap after it."""
    row = drawn(Line("x", [3.0, 9.0, 1.0, 4.0, NAN]))[-1]
    assert row.split() == ["*", "x", "4", "1", "9"]


def test_the_axis_is_round_and_in_the_unit() -> None:
    """Steps of 1024 for bytes, of 1, 2, 5 else, of the clock for seconds; zero where it is near."""
    gib = 1024.0**3
    labels = [
        row.split("┤")[0].strip()
        for row in drawn(Line("x", [0.5 * gib, 3.7 * gib]), scale=Scale(bytes_text, 1024))
        if "┤" in row
    ]
    assert labels == ["4 GiB", "2 GiB", "0 B"]
    labels = [row.split("┤")[0].strip() for row in drawn(Line("x", [0.0, 97.0]), height=30) if "┤" in row]
    assert labels == ["100", "80", "60", "40", "20", "0"]
    labels = [row.split("┤")[0].strip() for row in drawn(Line("x", [1000.0, 1010.0]), height=18) if "┤" in row]
    assert labels[-1] == "1,000"
    hours = [
        row.split("┤")[0].strip() for row in drawn(Line("x", [0.0, 7000.0]), scale=scale_for("seconds")) if "┤" in row
    ]
    assert hours == ["2 h", "1 h", "0 s"]


def test_times_are_local_and_on_the_clock() -> None:
    """Ticks stand at round local times; midnight has the date."""
    values = Line("x", [1.0] * 241)
    below = [text.plain for text in chart([values], times(241, 15.0, 1_749_997_800.0), PLAIN, width=80, height=10)]
    marks = next(row for row in below if "00:00" in row or "Jun" in row)
    assert marks.split() == ["23:30", "23:40", "23:50", "16", "Jun", "00:10", "00:20", "00:30"]
    days = [text.plain for text in chart([values], times(241, 7200.0), PLAIN, width=80, height=10)]
    assert any("26 Jun" in row for row in days)


@given(
    st.lists(st.lists(st.floats(width=64) | st.just(0.0), min_size=5, max_size=5), min_size=1, max_size=MOST_LINES),
    st.integers(0, 120), st.integers(0, 40), st.sampled_from(["bytes", "seconds", "ratio", "", "celsius"]), st.booleans(),
)  # fmt: skip
@example([[1e308, -1e308, 5e-324, 0.0, 1.0]], 80, 24, "bytes", False)
@example([[1e16, 1e16 + 2, 1e16, 1e16, 1e16]], 80, 24, "", False)
@settings(deadline=None, max_examples=200)
def test_any_values_are_drawn(values: list[list[float]], width: int, height: int, unit: str, ascii_only: bool) -> None:
    """Huge, tiny, equal or no values, in any room: a chart comes out, all rows of the same width at most."""
    lines = highest([Line(f"l{number}", one) for number, one in enumerate(values)])
    picture = chart(lines, times(5), scale_for(unit), width=width, height=height, ascii_only=ascii_only)
    assert bool(picture) == any(math.isfinite(value) for one in values for value in one)


def test_the_highest_are_drawn() -> None:
    """Lines are ordered by how far up they reach; those without a value are left out."""
    lines = [Line("low", [1.0, 2.0]), Line("none", [NAN, NAN]), Line("high", [NAN, 9.0]), Line("inf", [math.inf, 5.0])]
    assert [line.name for line in highest(lines)] == ["high", "inf", "low"]
    assert [line.name for line in highest(lines, 1)] == ["high"]


def test_a_chart_asks_for_no_more_than_it_can_show() -> None:
    """Steps are those of clocks, about one for each dot, and at least a second."""
    assert step_for(3600, 90) == 30
    assert step_for(60, 90) == 1
    assert step_for(86400, 70) == 900
    assert step_for(400 * 365 * 86400, 10) >= 86400


@pytest.mark.parametrize(
    ("expression", "unit"),
    [
        ("node_memory_MemFree_bytes", "bytes"), ("rate(node_network_receive_bytes_total[5m])", "bytes/s"),
        ("sum by (mode) (rate(node_cpu_seconds_total[5m]))", ""), ("increase(node_cpu_seconds_total[5m])", "seconds"),
        ("a_bytes / 1024", ""), ("a_bytes - b_bytes", "bytes"), ("a_bytes - b_seconds", ""), ("a_bytes > 5", "bytes"),
        ("count(a_bytes)", ""), ("max_over_time(node_hwmon_temp_celsius[1h])", "celsius"), ("-a_bytes", "bytes"),
        ("rate(x_total[5m])", "/s"), ("a_bytes and b_bytes", "bytes"), ("rate(rapl_joules_total[1m])", "watts"),
        ('{__name__="a_bytes"}', "bytes"), ("avg_over_time(rate(a_bytes_total[5m])[1h:])", "bytes/s"), ("a_bytes * 8", ""),
        ("topk(3, a_bytes)", "bytes"), ("time()", ""), ("timestamp(a_bytes)", ""), ("count_over_time(a_bytes[1h])", ""),
        ("1", ""), ("a_bytes offset 5m", "bytes"), ("a_bytes / b_bytes", ""), ("x", ""), ("histogram_quantile(0.9, a_seconds_bucket)", "seconds"),
    ],
)  # fmt: skip
def test_the_unit_of_an_expression(expression: str, unit: str) -> None:
    """As far as it follows from the metrics' units; where it does not, the number is plain."""
    assert unit_of(promql_parser.parse(expression)) == unit


def test_units_are_written() -> None:
    """Each with its own words, and a dash for what is not known."""
    assert scale_for("bytes/s").text(2048.0) == "2 KiB/s"
    assert scale_for("celsius").text(41.5) == "41.5 °C"
    assert scale_for("/s").text(3.0) == "3/s"
    assert scale_for("watts").text(NAN) == "-"


def test_the_names_in_an_expression() -> None:
    """All metrics, wherever they stand."""
    text = "sum(rate(a[5m])) / on() b + quantile(scalar(c), d[1h:] offset 5m) and -(e) or {f='g'}"
    assert names_in(promql_parser.parse(text.replace("d[1h:] offset 5m", "d"))) == ["a", "b", "c", "d", "e"]


def test_a_span_of_time_is_short_but_clear() -> None:
    """Days are named where they are not today's, years where they are not this year's."""
    now = 1_750_000_200.0
    assert span_text(now - 600, now, now) == "00:00 to 00:10"
    assert span_text(now - 60, now, now) == "00:09:00 to 00:10:00"
    assert span_text(now - 86400, now, now) == "15 Jun 00:10 to 16 Jun 00:10"
    assert span_text(now - 400 * 86400, now - 399 * 86400, now) == "12 May 2024 00:10 to 13 May 00:10"
