"""A run over time in a terminal: nothing invented between samples, no process left out, whatever their number."""

from __future__ import annotations

import io
import math
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console

import run_reports
from bongsu.model.run import Point, RunReport
from bongsu.views import run_series as series
from bongsu.views.run_rows import at_once, by_program, lanes
from bongsu.views.run_timeline import draw

GOLDEN = Path(__file__).parent.parent / "golden" / "report"
Make = Callable[[], RunReport]


def drawn(report: RunReport, width: int | None = None, terminal: int = 80, encoding: str = "utf-8") -> str:
    """The timeline as it is piped."""
    raw = io.BytesIO()
    file = io.TextIOWrapper(raw, encoding=encoding, errors="backslashreplace")
    console = Console(file=file, width=terminal, highlight=False, markup=False, emoji=False)
    draw(report, console, width=width)
    file.flush()
    return raw.getvalue().decode(encoding)


@pytest.mark.parametrize(
    "make", [run_reports.build, run_reports.training, run_reports.killed], ids=lambda one: one.__name__
)
@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
def test_a_timeline_is_drawn_as_the_golden_file_says(make: Make, encoding: str) -> None:
    """Cell by cell, with blocks and without."""
    name = f"timeline-{make.__name__}-{encoding}.txt"
    assert drawn(make(), encoding=encoding) == (GOLDEN / name).read_text()


@pytest.mark.parametrize("make", run_reports.ALL, ids=lambda one: one.__name__)
@pytest.mark.parametrize("width", [40, 80, 200])
def test_every_line_fits_and_steers_nothing(make: Make, width: int) -> None:
    """No line is wider than asked for, whatever a command is called, and none holds an escape sequence."""
    text = drawn(make(), width)
    assert max(cell_len(line) for line in text.splitlines()) <= max(width, 40)
    assert not [c for c in text if (ord(c) < 32 and c != "\n") or 127 <= ord(c) < 160 or c in "\u202e\u2028"]


def test_ascii_is_enough() -> None:
    """Where only ASCII shows, only ASCII is printed."""
    for make in (run_reports.build, run_reports.training, run_reports.running, run_reports.unknown):
        assert "\\u" not in drawn(make(), encoding="ascii"), make


def test_what_was_not_read_is_a_gap() -> None:
    """A chart of nothing says so; unknown parts of one are dots, never a zero."""
    text = drawn(run_reports.unknown())
    assert text.count("not known") == 4  # three charts, and how long it took
    assert "0 B" not in text
    report = run_reports.sleeping()
    samples = tuple(
        msgspec.structs.replace(p, cpu_seconds=None, attributed_cpu_seconds=None) if p.at_seconds > 5 else p
        for p in report.samples
    )
    summary = msgspec.structs.replace(
        report.summary, cpu=msgspec.structs.replace(report.summary.cpu, total_seconds=None)
    )
    late = drawn(msgspec.structs.replace(report, samples=samples, summary=summary))
    bottom = next(line for line in late.splitlines() if line.strip().startswith("0 %"))
    assert bottom.endswith("·" * 20)
    assert "█" in bottom


def test_nothing_recorded_is_said() -> None:
    """A run without a sample and without a process has no picture."""
    assert "nothing was recorded over time" in drawn(run_reports.empty())


def test_one_that_failed_and_one_that_lives_are_marked() -> None:
    """Without colour too."""
    assert next(line for line in drawn(run_reports.killed()).splitlines() if line.startswith("sleep 10  ")).endswith(
        "x"
    )
    assert next(line for line in drawn(run_reports.running()).splitlines() if line.startswith("sleep 10  ")).endswith(
        ">"
    )


@given(
    lived=st.lists(st.tuples(st.floats(-5, 100), st.one_of(st.none(), st.floats(0, 50)), st.sampled_from("abcdefgh")), max_size=60),
    most=st.integers(2, 25),
)  # fmt: skip
def test_each_process_stands_in_exactly_one_row(lived: list[tuple[float, float | None, str]], most: int) -> None:
    """Rows are bounded and nothing is left out or drawn twice."""
    base = run_reports.sleeping().processes[0]
    rows = [
        msgspec.structs.replace(
            base, index=n, start_seconds=begin, end_seconds=None if lasts is None else begin + lasts, executable=name
        )
        for n, (begin, lasts, name) in enumerate(lived)
    ]
    made = lanes(rows, most, 100.0)
    assert len(made) <= most
    assert sorted(row.index for lane in made for row in lane.processes) == list(range(len(rows)))


@given(
    lived=st.lists(st.tuples(st.floats(0, 100), st.floats(0, 100)), min_size=1, max_size=20), cells=st.integers(1, 200)
)
def test_a_row_has_as_much_area_as_its_processes_lived(lived: list[tuple[float, float]], cells: int) -> None:
    """What is drawn in a row adds up to the time that its processes lived, and none vanishes for being short."""
    base = run_reports.sleeping().processes[0]
    rows = [msgspec.structs.replace(base, start_seconds=min(pair), end_seconds=max(pair)) for pair in lived]
    counts = at_once(rows, 100.0, cells)
    truth = sum(max(pair) - min(pair) for pair in lived)
    assert math.isclose(sum(counts) * 100.0 / cells, truth, rel_tol=1e-6, abs_tol=1e-4)
    assert all(counts[min(cells - 1, int(row.start_seconds / (100 / cells)))] > 0 for row in rows)


@given(steps=st.lists(st.floats(0, 10), min_size=1, max_size=50), cells=st.integers(1, 100))
def test_rates_add_up_to_the_whole(steps: list[float], cells: int) -> None:
    """Divide the time as you like: the CPU time drawn is the CPU time used."""
    total, points = 0.0, []
    for n, step in enumerate(steps, 1):
        total += step
        points.append(Point(at_seconds=float(n), cpu_seconds=total))
    edges = series.edges(float(len(steps)), cells)
    rates = series.rates(series.adding_up(points, lambda point: point.cpu_seconds), edges)
    assert math.isclose(sum(rate or 0.0 for rate in rates) * len(steps) / cells, total, rel_tol=1e-6, abs_tol=1e-6)


def test_fewer_samples_keep_every_peak() -> None:
    """One sample in 100 000 that stands out is still there, and so are the first and the last."""
    column: list[float | None] = [1.0] * 100_000
    column[77_777] = 99.0
    column[5] = None
    kept = series.fewer([float(n) for n in range(100_000)], [column], 2000)
    assert len(kept) <= 2002
    assert {0, 77_777, 99_999} <= set(kept)


def test_memory_is_drawn_by_the_best_measure_that_was_read_often_enough() -> None:
    """PSS is read seldom in a large tree: a chart of six points would hide what RSS shows."""
    assert series.memory(run_reports.build())[0] == "cgroup"
    assert series.memory(run_reports.training())[0] == "PSS"
    assert series.memory(run_reports.empty())[0] == "PSS"


def test_programs_are_named_by_the_end_of_their_path() -> None:
    """Nobody is lost; a process whose path could not be read any more is with those of its name."""
    row = run_reports.sleeping().processes[0]
    paths = ("/usr/lib/gcc/cc1", "cc1", "/usr/bin/cc1", "")
    made = [msgspec.structs.replace(row, index=n, executable=path) for n, path in enumerate(paths)]
    assert {name: len(group) for name, group in by_program(made).items()} == {"cc1": 3, "?": 1}
    rows = run_reports.build().processes
    assert {name: len(group) for name, group in by_program(rows).items()} == {
        "make": 1,
        "cc1": 1000,
        "as": 1000,
        "sh": 999,
    }


def sampled(*points: tuple[float, float, float], source: str = "sampled", total: float | None = None) -> RunReport:
    """A run whose samples are (at, attributed, unseen)."""
    report = run_reports.sleeping()
    cpu = msgspec.structs.replace(report.summary.cpu, source=source, total_seconds=total)
    made = tuple(
        Point(at_seconds=at, attributed_cpu_seconds=own, unseen_cpu_seconds=other) for at, own, other in points
    )
    return msgspec.structs.replace(
        report, samples=made, summary=msgspec.structs.replace(report.summary, cpu=cpu, wall_seconds=points[-1][0])
    )


def test_where_nothing_counts_the_tree_its_processes_and_their_dead_children_are_drawn() -> None:
    """What they waited for belongs to it; no more CPUs were busy than there are."""
    track = series.cpu(sampled((1.0, 0.5, 0.5), (2.0, 1.0, 1.5)))
    assert track.values == [0.0, 1.0, 2.5]
    assert max(value or 0.0 for value in series.busy(sampled((1.0, 0.5, 500.0)), [0.0, 1.0])) == 8


def test_another_ways_total_makes_no_leap_at_the_end() -> None:
    """What wait4 says at the end was not used in the last second."""
    assert series.cpu(sampled((1.0, 0.5, 0.0), (9.0, 1.0, 0.0), source="wait4", total=99.0)).values[-1] == 1.0


def test_samples_too_near_to_one_another_make_no_rate() -> None:
    """A tick of 10 ms within a millisecond would be ten CPUs."""
    track = series.cpu(sampled((1.0, 0.5, 0.0), (1.001, 0.51, 0.0), (2.0, 1.0, 0.0)))
    assert track.times == [0.0, 1.0, 2.0]
