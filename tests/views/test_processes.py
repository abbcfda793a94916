"""The table of processes: order, filter, tree, columns."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bongsu.model.process import ProcessRow
from bongsu.views import processes
from bongsu.views.processes import Entry, Order, arrange
from bongsu.views.rates import NO_RATES, ProcessRates
from bongsu.views.ruled import Sort


def row(
    pid: int, executable: str = "x", *, ppid: int = 1, user: str = "ada", resident: int = 0, threads: int = 1,
    kernel: bool = False, comm: str = "", arguments: str | None = None,
) -> ProcessRow:  # fmt: skip
    return ProcessRow(
        pid, ppid, user, 1000, executable, "S", 0.0, pid, threads, 0.0, resident, 0, 0, 0, kernel, comm, arguments
    )


ROWS = [
    row(1, "init", ppid=0, user="root"), row(20, "bash", resident=5), row(21, "python", ppid=20, resident=9, threads=4),
    row(30, "sshd", user="root", resident=5), row(22, "python", ppid=21, resident=1),
]  # fmt: skip
RATES = {
    (21, 21): ProcessRates(1.5, 10.0, None), (30, 30): ProcessRates(0.2, 0.0, 0.0), (22, 22): ProcessRates(0.2, None, None)
}  # fmt: skip


def pids(order: Order) -> list[int]:
    return [entry.row.pid for entry in arrange(ROWS, RATES, order)]


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        (Order(Sort.CPU), [21, 22, 30, 1, 20]), (Order(Sort.MEMORY), [21, 20, 30, 22, 1]),
        (Order(Sort.IO), [21, 30, 1, 20, 22]), (Order(Sort.THREADS), [21, 1, 20, 22, 30]),
        (Order(Sort.PID), [1, 20, 21, 22, 30]), (Order(Sort.PID, turned=True), [30, 22, 21, 20, 1]),
        (Order(Sort.USER), [20, 21, 22, 1, 30]), (Order(Sort.MEMORY, turned=True), [1, 22, 20, 30, 21]),
    ],
)  # fmt: skip
def test_order(order: Order, expected: list[int]) -> None:
    """Each key has its usual direction; ties go by pid; what is unknown stands after zero."""
    assert pids(order) == expected


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("pyth", [21, 22]),
        ("ROOT", [30, 1]),
        ("22", [22]),
        ("ada bash", [20]),
        ("nothing", []),
        ("  ", [21, 22, 30, 1, 20]),
    ],
)
def test_filter(words: str, expected: list[int]) -> None:
    """All words must be in the pid, user, program or arguments, in any case."""
    assert pids(Order(words=words)) == expected


def test_tree() -> None:
    """Children stand below their parents, in the order of the key; a filter keeps the ancestors."""
    tree = arrange(ROWS, RATES, Order(Sort.PID, tree=True))
    assert [(e.row.pid, e.branch) for e in tree] == [(1, ""), (20, "├─"), (21, "│ └─"), (22, "│   └─"), (30, "└─")]
    found = arrange(ROWS, RATES, Order(Sort.PID, tree=True, words="22"), ascii_only=True)
    assert [(e.row.pid, e.branch) for e in found] == [(1, ""), (20, "`-"), (21, "  `-"), (22, "    `-")]


def test_program_names() -> None:
    """A kernel thread stands in brackets; a name that a process gave itself is added; arguments on request."""
    assert processes.program(row(2, "kswapd0", kernel=True)) == "[kswapd0]"
    assert processes.program(row(2, "python3.11", comm="train.py")) == "python3.11 (train.py)"
    assert processes.program(row(2, "prometheus-node-exporter", comm="prometheus-node")) == "prometheus-node-exporter"
    assert processes.program(row(2, "python", arguments="python x.py"), arguments=True) == "python x.py"
    assert processes.program(row(2, "python", arguments="python x.py")) == "python"


NASTY = st.text(
    st.one_of(st.characters(), st.sampled_from("\x1b\x07\x9b\n\r\t\x00\udc80\udcff\u202e[]日")), max_size=30
)


@given(NASTY, NASTY, NASTY, st.integers(20, 200), st.booleans())
def test_a_line_is_safe_and_fits(user: str, name: str, comm: str, width: int, kernel: bool) -> None:
    """Whatever a process is called, its line has the terminal's width and nothing that could steer it."""
    process = row(5, name, user=user, comm=comm, kernel=kernel, arguments=comm)
    text = processes.line(Entry(process, NO_RATES, "├─"), width, arguments=True)
    assert text.cell_len == width
    assert not [c for c in text.plain if unicodedata.category(c) in {"Cc", "Cs"} or c in "\u202e\u2028"]


@pytest.mark.parametrize("width", [20, 40, 50, 60, 66, 72, 80, 132, 250])
def test_heading_and_lines_have_the_same_columns(width: int) -> None:
    """Titles stand over their columns at each width, and the pid, CPU and memory are always there."""
    entry = Entry(row(1234567, "x", user="somebodylong", resident=1023 << 20), ProcessRates(128.0, 1e9, 1e9))
    heading = processes.heading(width, Order()).plain
    line = processes.line(entry, width).plain
    assert len(heading) == len(line) == width
    assert heading.split()[0] == "PID"
    assert line.split()[0] == "1234567"
    if width >= 40:
        assert "CPU %" in heading
        assert "12800" in line
        assert line[heading.index("MEM") + 2] != " "


def test_markup_is_text() -> None:
    """Square brackets in a name are shown, not obeyed."""
    text = processes.line(Entry(row(5, "[red]x[/red][link=http://x]"), NO_RATES), 120)
    assert "[red]x[/red][link=http://x]" in text.plain
    assert not [span for span in text.spans if "link" in str(span.style) or "red" in str(span.style)]


def test_plain_lines_keep_the_whole_name() -> None:
    """In a pipe nothing is cut off and nothing is padded."""
    long = "p" * 300
    lines = processes.plain(arrange([row(5, long)], {}, Order()), None, Order())
    assert lines[1].endswith(long)
    assert all(line == line.rstrip() for line in lines)
