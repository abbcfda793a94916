"""Processes of which only the numbers are told."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from bongsu.model.owner import OwnerKind
from bongsu.owners import numbered as numbered_module
from bongsu.owners.numbered import Numbered
from bongsu.owners.resolver import Resolver
from bongsu.sources.root import Machine


def process(top: Path, pid: int, *, started: int, uid: int, lines: str = "0::/\n") -> None:
    """A process of a captured machine."""
    folder = top / "proc" / str(pid)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "stat").write_text(f"{pid} (a) b) S 1 {'0 ' * 17}{started} 0 0 0\n")
    (folder / "status").write_text(f"Name:\ta\nUid:\t{uid}\t{uid}\t{uid}\t{uid}\n")
    (folder / "statm").write_text("1 1 1 1 0 1 0\n")
    (folder / "cgroup").write_text(lines)


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """A captured machine with one process."""
    process(tmp_path, 7, started=100, uid=1000)
    (tmp_path / "sys").mkdir()
    (tmp_path / "proc/stat").write_text("cpu  0 0\nbtime 1\n")
    return Machine.at(str(tmp_path / "proc"), str(tmp_path / "sys"), str(tmp_path))


def test_a_number_given_anew_is_another_process(machine: Machine, tmp_path: Path) -> None:
    """The owner of a number is the owner of the process that has it now, never of the one that had it."""
    numbered = Numbered(machine, Resolver(machine))
    assert numbered.resolve([7])[7].placed.owner.id == "1000"
    process(tmp_path, 7, started=200, uid=1001)
    seen = numbered.resolve([7])[7]
    assert (seen.process.start_ticks, seen.placed.owner.id) == (200, "1001")


def test_a_known_number_costs_its_start_time(machine: Machine, tmp_path: Path) -> None:
    """All but the start time of a process is read once, so a file that has gone since is not missed."""
    numbered = Numbered(machine, Resolver(machine))
    before = numbered.resolve([7])
    (tmp_path / "proc/7/statm").unlink()
    assert numbered.resolve([7])[7].process is before[7].process


def test_numbers_that_nobody_has_are_left_out(machine: Machine, tmp_path: Path) -> None:
    """No such process, files of no sense, or one that ended: not in the answer; the others are."""
    numbered = Numbered(machine, Resolver(machine))
    (tmp_path / "proc/8").mkdir()
    (tmp_path / "proc/8/stat").write_text("garbage")
    assert set(numbered.resolve([7, 8, 9])) == {7}
    (tmp_path / "proc/7/stat").write_text("garbage")
    assert numbered.resolve([7]) == {}


@pytest.mark.parametrize("kept", [200, 0])
def test_real_processes_come_and_go(monkeypatch: pytest.MonkeyPatch, kept: int) -> None:
    """This test's process stays the same while a child of it comes and goes; also where files are not kept open."""
    monkeypatch.setattr(numbered_module, "_MOST_KEPT", kept)
    machine = Machine.at()
    numbered = Numbered(machine, Resolver(machine))
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        seen = numbered.resolve([os.getpid(), child.pid])
        assert set(seen) == {os.getpid(), child.pid}
        assert seen[child.pid].placed.owner.kind is not OwnerKind.UNKNOWN
        child.communicate(b"\n")
    again = numbered.resolve([os.getpid(), child.pid])
    assert set(again) == {os.getpid()}
    assert again[os.getpid()].process is seen[os.getpid()].process
