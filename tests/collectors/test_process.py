"""The collector of processes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from begun import begun
from bongsu.collectors import process
from bongsu.collectors.process import ProcessCollector
from bongsu.model.batch import Absence, Sample, Table, Why
from bongsu.model.errors import BadInput, NoData
from bongsu.model.process import ProcessRow
from bongsu.sources.root import Machine


def rows(collector: ProcessCollector) -> dict[int, ProcessRow]:
    (table,) = [item for item in collector.collect() if isinstance(item, Table)]
    assert table.name == "processes"
    return {row.pid: row for row in table.rows if isinstance(row, ProcessRow)}


def values(collector: ProcessCollector, executable: str) -> dict[str, float]:
    return {
        item.spec.name: item.value
        for item in collector.collect()
        if isinstance(item, Sample) and item.spec.labels and item.labels[1] == executable
    }


def test_every_sample_is_of_a_known_spec_and_no_series_stands_twice() -> None:
    """What the collector gives is what it says that it can give."""
    collector = ProcessCollector(Machine.at())
    samples = [item for item in collector.collect() if isinstance(item, Sample)]
    assert {s.spec for s in samples} <= set(ProcessCollector.specs)
    assert len({(s.spec, s.labels) for s in samples}) == len(samples)
    assert all(len(s.labels) == len(s.spec.labels) for s in samples)


def test_a_live_process_is_a_row_and_part_of_a_group() -> None:
    """A child shows up with its parent, user and program; its CPU time is counted into its group."""
    collector = ProcessCollector(Machine.at(), groups=1000)
    list(collector.collect())
    code = "import time\nend = time.process_time() + 0.3\nwhile time.process_time() < end: pass\nprint(flush=True); input()"
    child = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        assert child.stdout
        child.stdout.readline()
        row = rows(collector)[child.pid]
        program = os.path.basename(os.path.realpath(sys.executable))
        assert (row.ppid, row.uid, row.executable, row.kernel) == (os.getpid(), os.geteuid(), program, False)
        assert row.cpu_seconds >= 0.28
        assert row.arguments is None
        assert row.owner is not None
        assert values(collector, program)["process_group_cpu_seconds_total"] >= 0.28
    finally:
        child.kill()
        child.communicate()


def test_arguments_come_on_request_and_masked() -> None:
    """Command lines are read only where asked for, and their secrets never come with them."""
    child = subprocess.Popen(["sleep", "100", "--token=hunter2"], stderr=subprocess.DEVNULL)
    shell = subprocess.Popen(["/bin/sh", "-c", "read x; : --password hunter2"], stdin=subprocess.PIPE)
    try:
        begun(shell.pid)
        with_arguments = rows(ProcessCollector(Machine.at(), arguments=True))
        assert with_arguments[shell.pid].arguments == "/bin/sh -c read x; : --password ***"
        assert all("hunter2" not in (row.arguments or "") for row in with_arguments.values())
        assert rows(ProcessCollector(Machine.at()))[shell.pid].arguments is None
    finally:
        for program in (child, shell):
            program.kill()
            program.communicate()


def test_a_tree_without_processes_has_no_data(tmp_path: Path) -> None:
    """A captured tree that holds no process is no failure, and says what it lacks."""
    (tmp_path / "stat").write_text("cpu 1 2 3 4\nbtime 1700000000\n")
    with pytest.raises(NoData, match="no processes in"):
        list(ProcessCollector(Machine.at(procfs=str(tmp_path))).collect())


def test_a_negative_budget_is_refused() -> None:
    """The message names the option, the value and what is allowed."""
    with pytest.raises(BadInput, match=r"collector\.process\.groups: -1 is negative; give 0 or more"):
        ProcessCollector(Machine.at(), groups=-1)


def test_no_budget_folds_everything() -> None:
    """With no group of its own every process is in the rest, which is told apart by its kind."""
    collector = ProcessCollector(Machine.at(), groups=0)
    samples = [item for item in collector.collect() if isinstance(item, Sample) and item.spec.labels]
    assert {s.labels for s in samples} == {("other", "other", "rest")}
    folded = [
        item.value for item in collector.collect() if isinstance(item, Sample) and item.spec is process.FOLDED_GROUPS
    ]
    assert folded[0] > 1


def test_what_may_not_be_read_is_absent_not_zero(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A group of which no process' IO may be read has no IO series; an absence says why and how to cure it."""
    from bongsu.sources.procfs import process as source

    def refuse(text: bytes) -> tuple[int, int]:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(source, "parse_io", refuse)
    items = list(ProcessCollector(Machine.at()).collect())
    assert not [i for i in items if isinstance(i, Sample) and i.spec is process.READ_BYTES]
    (absence,) = [i for i in items if isinstance(i, Absence) and i.spec is process.READ_BYTES]
    assert absence.why is Why.FORBIDDEN
    assert "may not be read" in str(absence.reason)
    assert absence.cure
