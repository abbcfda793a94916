"""A program that has itself recorded."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from bongsu.emit import recorder
from bongsu.records.functions import read
from programs import SOURCES, Program

TEXT = """
import sys
from bongsu.emit import recorder, recording, timed
recorder.WAIT = 100.0  # of a busy machine
@timed
def work(): return 1
alias, plain = work, work.__code__
with recording("install", runs_dir=sys.argv[1]) as run:
    alias(); work()
work()
print(run.folder, run.problem, work.__code__ is plain, sep="|")
"""


def test_what_was_decorated_before_is_timed_for_the_block(tmp_path: Path) -> None:
    """The recorder is started beside the program, ends with the block, and functions are plain again after it."""
    program = Program(tmp_path, TEXT)
    clean = {key: value for key, value in os.environ.items() if not key.startswith("BONGSU_")}
    runs = str(tmp_path / "runs")
    folder, problem, plain = program.run("app.py", runs, env={**clean, "PYTHONPATH": str(SOURCES)}).strip().split("|")
    assert (problem, plain) == ("", "True")
    assert os.path.dirname(folder) == runs
    assert read(folder).stats["work"].count == 2
    assert "summary.json" in os.listdir(folder)


def test_a_recorder_that_does_not_start_harms_nobody(tmp_path: Path) -> None:
    """The program goes on, and is told why nothing is recorded."""
    program = Program(tmp_path, TEXT)
    (tmp_path / "file").write_text("")
    clean = {key: value for key, value in os.environ.items() if not key.startswith("BONGSU_")}
    out = program.run("app.py", str(tmp_path / "file"), env={**clean, "PYTHONPATH": str(SOURCES)})
    assert out == "|the recorder did not start|True\n"


def test_a_child_that_leaves_the_block_does_not_end_it(tmp_path: Path) -> None:
    """A fork within the block may end by sys.exit, through the block's end: the parent's recording goes on."""
    program = Program(tmp_path, """
import os, sys, time
from bongsu.emit import recorder, recording, timed
recorder.WAIT = 100.0  # of a busy machine
@timed
def work(): return 1
with recording("forks", runs_dir=sys.argv[1]) as run:
    child = os.fork()
    if not child:
        sys.exit(0)
    assert os.waitpid(child, 0)[1] == 0
    until = time.monotonic() + 2
    while not (ended := "summary.json" in os.listdir(run.folder)) and time.monotonic() < until:
        time.sleep(0.05)
    work()
print(run.folder, run.problem, ended, sep="|")
""")  # fmt: skip
    clean = {key: value for key, value in os.environ.items() if not key.startswith("BONGSU_")}
    out = program.run("app.py", str(tmp_path / "runs"), env={**clean, "PYTHONPATH": str(SOURCES)})
    folder, problem, ended = out.strip().split("|")
    assert (problem, ended) == ("", "False")
    assert "summary.json" in os.listdir(folder)
    assert read(folder).stats["work"].count == 1


def test_relative_paths_are_meant_from_where_the_program_is(tmp_path: Path) -> None:
    """The recorder runs elsewhere: runs still lie where $BONGSU_RUNS_DIR says, and it finds us by a relative PYTHONPATH."""
    program = Program(tmp_path, TEXT.replace("sys.argv[1]", "None"))
    (tmp_path / "sources").symlink_to(SOURCES)
    clean = {key: value for key, value in os.environ.items() if not key.startswith("BONGSU_")}
    said = program.run("app.py", env={**clean, "PYTHONPATH": "sources", "BONGSU_RUNS_DIR": "here"}).strip().split("|")
    assert said[1:] == ["", "True"]
    assert os.path.dirname(said[0]) == str(tmp_path / "here")


def test_what_is_installed_does_not_come_before_the_standard_library(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A recorder that finds us anyway is not given the directory of installed packages: some are called as modules of it."""
    seen: list[str] = []

    def popen(_argv: list[str], *, env: dict[str, str], **_more: object) -> Any:
        seen.append(env["PYTHONPATH"])
        return SimpleNamespace(pid=1)

    monkeypatch.setattr("subprocess.Popen", popen)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    for sources in ("/venv/lib/python3/site-packages", "/checkout/src"):
        monkeypatch.setattr(recorder, "_SOURCES", sources)
        recorder._spawn([], 1)
    assert seen == [str(tmp_path), f"/checkout/src:{tmp_path}"]
