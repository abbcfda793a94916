"""Processes and threads by state, beside node_exporter's."""

from __future__ import annotations

from pathlib import Path

import pytest

import kernel_tree
import node_exporter as ne
from bongsu.collectors.processes import ProcessesCollector


def stat(pid: int, state: str, threads: int, name: str = "a) R (b") -> str:
    """/proc/PID/stat; the name is as hostile as a name can be."""
    numbers = " ".join(str(n) for n in range(30))
    return f"{pid} ({name}) {state} 1 {pid} {pid} 0 -1 4194304 1 2 3 4 5 6 7 8 20 0 {threads} 0 {numbers}\n"


def process(pid: int, states: str) -> dict[str, str]:
    """One process with a thread for each letter."""
    files = {f"proc/{pid}/stat": stat(pid, states[0], len(states))}
    for place, state in enumerate(states):
        files[f"proc/{pid}/task/{pid + place}/stat"] = stat(pid + place, state, len(states))
    return files


def limits() -> dict[str, str]:
    """The machine's limits."""
    return {"proc/sys/kernel/threads-max": "192621\n", "proc/sys/kernel/pid_max": "4194304\n"}


def test_equals_node_exporter(tmp_path: Path) -> None:
    """States of processes and of all their threads, totals and limits; odd names do not shift the fields."""
    tree = kernel_tree.Tree(tmp_path)
    tree.write(
        limits() | process(1, "S") | process(20, "SRRD") | process(300, "Z") | process(4000, "I") | process(50, "R")
    )
    tree.write({"proc/self_not/stat": "x", "proc/uptime": "1 2\n"})
    mine = ne.ours([ProcessesCollector(tree.machine)])
    assert ne.differences(ne.scrape(["processes"], tree.flags), mine) == []
    assert mine.values["node_processes_threads", ()] == 8


def test_a_process_that_ends_meanwhile_is_not_counted(tmp_path: Path) -> None:
    """A directory whose files have gone is no process any more, and no error."""
    tree = kernel_tree.Tree(tmp_path)
    tree.write(limits() | process(1, "S") | process(20, "SR"))
    (tmp_path / "proc/20/stat").unlink()
    mine = ne.ours([ProcessesCollector(tree.machine)])
    assert mine.values["node_processes_pids", ()] == 1


def test_a_stat_that_is_cut_short_is_refused(tmp_path: Path) -> None:
    """A truncated file is an error, never a state."""
    tree = kernel_tree.Tree(tmp_path)
    tree.write(limits() | {"proc/7/stat": "7 (x) S 1 2\n"})
    with pytest.raises(ValueError, match="too short"):
        list(ProcessesCollector(tree.machine).collect())
