"""Processes on GPUs as trees: below what started them, with what is not on the GPU on as few lines as tell it."""

from __future__ import annotations

import json

import msgspec

from bongsu.model.batch import Batch, Outcome, Part, Table
from bongsu.model.owner import Owner, OwnerKind
from bongsu.model.process import ProcessRow
from bongsu.views import gpu_processes
from bongsu.views.process_json import process_json
from bongsu.views.processes import Order
from views.test_top_gpu import JOB, arranged, batch, on_gpu

OTHER = Owner(OwnerKind.UNIT, "slurmd.service")


def process(pid: int, parent: int, name: str = "python", owner: Owner | None = JOB) -> ProcessRow:
    return ProcessRow(pid, parent, "ada", 7, name, "S", 0.0, pid, 1, 0.0, 0, 0, 0, 0, owner=owner)


def drawn(*rows: tuple[int, str, float], seen: tuple[ProcessRow, ...]) -> list[tuple[str, int, str]]:
    """GPU, pid and command as drawn, for processes of (pid, gpu, use of the SMs)."""
    found = arranged(
        *(on_gpu(pid, gpu, start=pid, sm_ratio=sm, command="python") for pid, gpu, sm in rows),
        order=Order(tree=True), all_of_it=seen,
    )  # fmt: skip
    return [(one.row.gpu, one.row.pid, one.branch + one.row.command) for one in found]


CHAIN = (
    process(2, 1, "slurmd", OTHER), process(3, 2, "slurmstepd"), process(4, 3, "bash"), process(5, 4, "torchrun"),
    process(6, 5), process(7, 5), process(8, 7),
)  # fmt: skip


def test_a_launcher_stands_above_its_processes_on_each_gpu() -> None:
    """What only passes on is one line, nearest first, up to what belongs to somebody else; siblings keep their order."""
    assert drawn((6, "0", 0.1), (7, "0", 0.9), (8, "0", 0.5), (6, "1", 0.2), seen=CHAIN) == [
        ("0", 5, "torchrun ← bash ← slurmstepd"),
        ("0", 7, "├─python"),
        ("0", 8, "│ └─python"),
        ("0", 6, "└─python"),
        ("1", 5, "torchrun ← bash ← slurmstepd"),
        ("1", 6, "└─python"),
    ]


def test_where_ways_part_each_way_has_its_line() -> None:
    """Two launchers of one script stand below it, and the script once."""
    seen = (*CHAIN, process(9, 4, "python"), process(10, 9))
    assert drawn((6, "0", 0.9), (10, "0", 0.5), seen=seen) == [
        ("0", 4, "bash ← slurmstepd"),
        ("0", 5, "├─torchrun"),
        ("0", 6, "│ └─python"),
        ("0", 9, "└─python"),
        ("0", 10, "  └─python"),
    ]


def test_who_is_not_seen_or_started_by_init_stands_alone() -> None:
    """A number that is another process here has no parents; neither has a child whose parent is younger."""
    assert drawn((6, "0", 0.9), seen=()) == [("0", 6, "python")]
    assert drawn((6, "0", 0.9), seen=(process(1, 0, "init"), process(6, 1))) == [("0", 6, "python")]
    assert drawn((6, "0", 0.9), (9, "0", 0.5), seen=(process(6, 9), process(9, 6))) == [
        ("0", 6, "python"), ("0", 9, "└─python"),
    ]  # fmt: skip


def test_what_is_not_on_the_gpu_has_no_figures() -> None:
    """Its cells are empty, which is not the dash of a figure that is not known; it can be chosen and signalled."""
    above, below = arranged(on_gpu(6, start=6, memory_bytes=None), order=Order(tree=True), all_of_it=CHAIN)
    assert (above.context, below.context) == (True, False)
    assert above.process is not None
    assert above.process.pid == 5
    line = gpu_processes.line(above, 160).plain
    assert line.split() == ["0", "5", "ada", "16m", "job", "42", "torchrun", "←", "bash", "←", "slurmstepd"]
    assert " - " in gpu_processes.line(below, 120).plain


def test_json_has_no_lines_of_what_is_not_on_a_gpu() -> None:
    """As a tree too: what started a process is among the processes, and not among those on GPUs."""
    seen = Part("process", 1000.0, 1.0, (), (), (Table("processes", CHAIN),), Outcome("process", 0.0, 0.0))
    one = Batch(1000.0, 1.0, (*batch(on_gpu(6, start=6)).parts, seen))
    assert [on["pid"] for on in json.loads(process_json(one, one, Order(tree=True)))["gpu_processes"]] == [6]


def test_names_in_a_tree_cannot_steer_and_lines_fit() -> None:
    """Also of what is not on the GPU."""
    evil = msgspec.structs.replace(CHAIN[3], executable="\x1b]0;owned\x07\n훈련시작")
    for one in arranged(on_gpu(6, start=6), order=Order(tree=True), all_of_it=(*CHAIN[:3], evil, *CHAIN[4:])):
        for width in (20, 60, 80, 120, 200):
            line = gpu_processes.line(one, width)
            assert line.cell_len == width
            assert line.plain.isprintable()
