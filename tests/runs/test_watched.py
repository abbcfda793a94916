"""The runs of a directory as a page asks for them again and again."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from bongsu.records import run_folder
from bongsu.records.segment import Segment
from bongsu.runs import reporting, watched
from bongsu.runs.watched import Watched
from run_records import STARTED, grow_old, make, record, records, written

RUN = "20260101-000000-work-0001"


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """No list is good enough for the next one."""
    monkeypatch.setattr(watched, "_LIST_SECONDS", 0.0)
    monkeypatch.setattr(watched, "_SHARE", 1e9)


def test_a_directory_that_is_not_there_has_no_runs(tmp_path: Path) -> None:
    """Nothing was recorded yet: no error."""
    runs = Watched(str(tmp_path / "none"))
    assert runs.listed() == []
    assert runs.report(RUN) is None


def test_a_run_goes_on_and_ends(tmp_path: Path) -> None:
    """What is appended is seen at the next look; its processes are its members until it ends."""
    folder = make(tmp_path, end=False, samples=2)
    runs = Watched(str(tmp_path))
    with written(folder) as segment:
        row = runs.listed()[0]
        assert (row.id, row.state, row.cpu_seconds) == (RUN, "running", 2.5)
        assert runs.members() == {100: (STARTED, RUN), 101: (STARTED + 1.5, RUN)}
        segment.append(record("sample", 3.0, cpu_seconds=4.5))
        made = runs.report(RUN)
        assert made is not None
        assert (made.summary.cpu.total_seconds, made.metadata.state) == (4.5, "running")
        segment.append(*records(5)[-2:])
    made = runs.report(RUN)
    assert made is not None
    assert (made.metadata.state, made.metadata.exit_code) == ("ended", 3)
    assert runs.listed()[0].state == "ended"
    assert runs.members() == {}


def test_functions_of_a_run_that_goes_on_are_there(tmp_path: Path) -> None:
    """As far as its processes have written them."""
    folder = make(tmp_path, end=False)
    runs = Watched(str(tmp_path))
    with written(folder):
        made = runs.report(RUN)
        assert made is not None
        assert made.function_stats == {}
        timed = {
            "kind": "function",
            "count": 3,
            "running": 0,
            "errors": 0,
            "wall_seconds": 1.5,
            "cpu_seconds": 1.0,
            "task": None,
        }
        process = {"pid": 100, "start_ticks": 1, "ppid": 1, "argv0": "work", "started": STARTED, "schema": 1}
        Segment(str(folder / "functions-100-1.seg")).append(["process", process], ["function", "work:load", timed])
        made = runs.report(RUN)
        assert made is not None
        assert [(name, one.count) for name, one in made.function_stats.items()] == [("work:load", 3)]


def test_what_is_over_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Until something in its folder changes."""
    folder = make(tmp_path)
    runs = Watched(str(tmp_path))
    first = runs.report(RUN)
    assert runs.report(RUN) is first
    Segment(str(folder / "record.seg")).append(record("event", 9.0, what="note", text="later"))
    again = runs.report(RUN)
    assert again is not first
    assert again == reporting.read_run(str(folder))


def test_a_lost_run_is_said_to_be_lost(tmp_path: Path) -> None:
    """Nobody holds its record, and it has no end."""
    grow_old(make(tmp_path, end=False))
    runs = Watched(str(tmp_path))
    assert runs.listed()[0].state == "lost"
    made = runs.report(RUN)
    assert made is not None
    assert made.metadata.state == "lost"


def test_a_damaged_folder_is_listed(tmp_path: Path) -> None:
    """With what is wrong, and it harms no other."""
    make(tmp_path)
    (tmp_path / "20260102-000000-odd-0002").mkdir()
    grow_old(tmp_path / "20260102-000000-odd-0002", 3600)
    states = {row.id: row.state for row in Watched(str(tmp_path)).listed()}
    assert states[RUN] == "ended"
    assert states["20260102-000000-odd-0002"] not in {"ended", "running"}


@pytest.mark.parametrize(
    "name", ["..", ".", "", "20260101-000000-../x-0001", "20260101-000000-a\0b-0001", "index.json"]
)
def test_only_names_of_runs_are_looked_for(tmp_path: Path, name: str) -> None:
    """No way out of the directory."""
    make(tmp_path)
    assert Watched(str(tmp_path)).report(name) is None


def test_runs_of_others_are_not_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where they may be read, and not behind a link either."""
    folder = make(tmp_path / "theirs")
    (tmp_path / "ours").mkdir()
    (tmp_path / "ours" / RUN).symlink_to(folder)
    assert Watched(str(tmp_path / "ours")).listed() == []
    assert Watched(str(tmp_path / "ours")).report(RUN) is None
    me = os.geteuid()
    monkeypatch.setattr(watched.os, "geteuid", lambda: me + 1)  # type: ignore[attr-defined]  # the module's own os
    assert Watched(str(tmp_path / "theirs")).listed() == []
    assert Watched(str(tmp_path / "theirs")).report(RUN) is None


def test_members_are_looked_up_beside(tmp_path: Path) -> None:
    """Whoever asks for them gets what is known, and does not wait."""
    folder = make(tmp_path, end=False)
    runs = Watched(str(tmp_path))
    with written(folder):
        deadline = time.monotonic() + 120
        while not runs.members() and time.monotonic() < deadline:
            time.sleep(0.02)
        assert runs.members()[100] == (STARTED, RUN)
        assert run_folder.is_written(str(folder))
