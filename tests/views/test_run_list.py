"""The table of runs: whole numbers at any width, safe to print, and quick."""

from __future__ import annotations

import pytest
from rich.cells import cell_len

import run_reports
from bongsu.records.run_list import RunRow
from bongsu.views.run_list import table

ROWS = [
    RunRow(
        id="20260101-000000-make-1a2b", name="make", command=("make", "-j4"), started=run_reports.STARTED, wall_seconds=60.0,
        cpu_seconds=200.0, peak_memory_bytes=410 * 1024**2, exit_code=0, state="ended", tags=("nightly",),
    ),
    RunRow(id="20260101-000001-sleep-1a2b", name="sleep", exit_code=137, signal="SIGKILL", state="ended"),
    RunRow(id="20260101-000002-train-1a2b", name="train", state="running", command=("python", "train.py", "--long" * 30)),
    RunRow(id="20260101-000003-odd-1a2b", name="odd", state="lost", command=(run_reports.HOSTILE,)),
    RunRow(id="20260101-000004-torn-1a2b", name="torn", state="unreadable"),
    RunRow(id="20260101-000005-next-1a2b", name="next", state="newer"),
]  # fmt: skip


def test_each_run_has_a_line_that_says_how_it_ended() -> None:
    """A code, a signal, running, lost, unreadable and of a newer version: six answers; a dash for what is not known."""
    lines = table(ROWS, 0, now=run_reports.STARTED)
    assert lines[0].split() == ["run", "started", "took", "CPU", "memory", "end", "command"]
    ends = ["  0  ", "SIGKILL", "running", "lost", "unreadable", "newer version"]
    assert all(end in line for end, line in zip(ends, lines[1:], strict=True))
    assert "1 min" in lines[1]
    assert "3 min 20 s" in lines[1]
    assert "[nightly] make -j4" in lines[1]
    assert "0 s" not in lines[2]


@pytest.mark.parametrize("width", [60, 80, 100, 120, 200])
@pytest.mark.parametrize("ascii_only", [False, True])
def test_names_give_way_and_numbers_stay_whole(width: int, ascii_only: bool) -> None:
    """At any width one reads the id, by which a run is asked for, and how it ended."""
    lines = table(ROWS, width, ascii_only=ascii_only)
    assert max(map(cell_len, lines)) <= width
    assert all(row.id in line for row, line in zip(ROWS, lines[1:], strict=True))
    assert "SIGKILL" in lines[2]
    assert not ascii_only or "".join(lines).isascii()


def test_nothing_steers_a_terminal() -> None:
    """Whatever a command was called."""
    assert all(c.isprintable() for line in table(ROWS, 0) for c in line)


def test_no_runs_make_no_table() -> None:
    """A heading over nothing would say nothing."""
    assert table([], 80) == []
