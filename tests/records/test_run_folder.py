"""The folder of a run: private, never overwritten, whole after a crash, and whether it is still written."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import stat
import subprocess
from pathlib import Path

import pytest

from bongsu.model.errors import BadInput
from bongsu.records import run_folder
from run_records import grow_old, make, metadata, written


def test_where_runs_lie() -> None:
    """What is given counts before the environment, that before the default, and one of them has to be there."""
    environment = {"BONGSU_RUNS_DIR": "/env"}
    assert run_folder.runs_directory("/given", environment, "/default") == "/given"
    assert run_folder.runs_directory(None, environment, "/default") == "/env"
    assert run_folder.runs_directory(None, {"BONGSU_RUNS_DIR": ""}, "/default") == "/default"
    assert run_folder.runs_directory("here", {}, None) == os.path.join(os.getcwd(), "here")
    with pytest.raises(BadInput, match="--runs-dir"):
        run_folder.runs_directory(None, {}, None)


def test_a_new_folder_is_its_own_and_private(tmp_path: Path) -> None:
    """Its name tells the time in UTC and the program; nobody else may look; two of one moment are two."""
    place = str(tmp_path / "deep" / "runs")
    one, two = (run_folder.create(place, "/usr/bin/tr ain\n\udcff.py", 0.0) for _ in range(2))
    assert one.id.startswith("19700101-000000-tr_ain_.py-")
    assert run_folder.ID.fullmatch(one.id)
    assert one.folder != two.folder
    assert stat.S_IMODE(os.stat(one.folder).st_mode) == 0o700
    assert stat.S_IMODE(os.stat(place).st_mode) == 0o700
    assert run_folder.create(place, "\udcff/../", 0.0).id.startswith("19700101-000000-run-")


def test_a_place_that_cannot_be_used_is_said(tmp_path: Path) -> None:
    """One line that names the place and the option."""
    (tmp_path / "file").write_text("")
    with pytest.raises(BadInput, match=r"file.*--runs-dir"):
        run_folder.create(str(tmp_path / "file"), "x", 0.0)


def test_metadata_come_back(tmp_path: Path) -> None:
    """All of them, also bytes that are not UTF-8, in a file of our own only."""
    known = metadata(command=("a\udcff",), environment={"X": "ü"}, tags=("t",))
    run_folder.write_metadata(str(tmp_path), known)
    assert run_folder.read_metadata(str(tmp_path)) == known
    assert stat.S_IMODE((tmp_path / "run.json").stat().st_mode) == 0o600
    assert os.listdir(tmp_path) == ["run.json"]


def test_metadata_cut_at_any_byte_are_missing(tmp_path: Path) -> None:
    """A torn run.json is none, never half of one, never an error."""
    run_folder.write_metadata(str(tmp_path), metadata())
    whole = (tmp_path / "run.json").read_bytes()
    for size in range(len(whole)):
        (tmp_path / "run.json").write_bytes(whole[:size])
        assert run_folder.read_metadata(str(tmp_path)) is None, size


@pytest.mark.parametrize("text", ["", "null", "[]", '{"id": 3}', '{"schema": "other"}', "[" * 100_000, "\xff"])
def test_other_content_is_missing_too(tmp_path: Path, text: str) -> None:
    """Whatever else stands there."""
    (tmp_path / "run.json").write_text(text, encoding="latin-1")
    assert run_folder.read_metadata(str(tmp_path)) is None


@pytest.mark.parametrize(
    ("name", "value"), [("started", "1e999"), ("started", "NaN"), ("owner", '{"kind": "\\ud800", "id": ""}')]
)
def test_values_that_are_none_are_missing_too(tmp_path: Path, name: str, value: str) -> None:
    """A number that is not finite, a word that is no Unicode: none of ours."""
    known = {key: json.dumps(one) for key, one in json.loads(run_folder.encoded(metadata())).items()}
    text = ", ".join(f'"{key}": {one}' for key, one in {**known, name: value}.items())
    (tmp_path / "run.json").write_text(f"{{{text}}}")
    assert run_folder.read_metadata(str(tmp_path)) is None


def test_a_newer_schema_is_refused(tmp_path: Path) -> None:
    """The line says which schema this is, which is read, and what to do."""
    run_folder.write_metadata(str(tmp_path), metadata(schema="bongsu-run/12"))
    with pytest.raises(run_folder.NewerSchema, match=r"run\.json.*bongsu-run/12.*bongsu-run/1;"):
        run_folder.read_metadata(str(tmp_path))


def test_a_file_that_cannot_be_replaced_stays(tmp_path: Path) -> None:
    """No half-written file is left, and the old one is untouched."""
    target = tmp_path / "x" / "y"
    with pytest.raises(OSError, match="No such file"):
        run_folder.write_whole(str(target), b"new")
    (tmp_path / "y").mkdir()
    with pytest.raises(IsADirectoryError):
        run_folder.write_whole(str(tmp_path / "y"), b"new")
    assert os.listdir(tmp_path) == ["y"]


@pytest.mark.needs_root
def test_a_full_disk_leaves_what_was_there(tmp_path: Path) -> None:
    """The old summary survives, nothing half-written stays behind, and with room again it works."""
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", tmp_path], check=True)
    try:
        path = tmp_path / "summary.json"
        run_folder.write_whole(str(path), b"old")
        with pytest.raises(OSError, match="No space") as failed:
            run_folder.write_whole(str(path), b"x" * 100_000)
        assert failed.value.errno == errno.ENOSPC
        assert os.listdir(tmp_path) == ["summary.json"]
        assert path.read_bytes() == b"old"
        run_folder.write_whole(str(path), b"new")
        assert path.read_bytes() == b"new"
    finally:
        subprocess.run(["umount", "-l", tmp_path], check=True)


def test_running_is_who_holds_the_record(tmp_path: Path) -> None:
    """While the lock is held the run goes on; then it ended if its record says so, else its monitor was lost."""
    folder = make(tmp_path, end=False)
    grow_old(folder)
    with written(folder):
        assert run_folder.state(str(folder), ended=False, interval_seconds=1.0) == "running"
        assert run_folder.state(str(folder), ended=True, interval_seconds=1.0) == "running"
    assert run_folder.state(str(folder), ended=False, interval_seconds=1.0) == "lost"
    assert run_folder.state(str(folder), ended=True, interval_seconds=1.0) == "ended"


def test_asking_takes_no_lock_away(tmp_path: Path) -> None:
    """The monitor can lock its record right after somebody asked."""
    folder = make(tmp_path)
    run_folder.is_written(str(folder))
    with (folder / "record.seg").open() as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_a_run_that_is_about_to_begin_is_not_lost(tmp_path: Path) -> None:
    """Between its folder and its record there is a moment; an old folder without a record is lost."""
    folder = make(tmp_path)
    (folder / "record.seg").unlink()
    assert run_folder.state(str(folder), ended=False, interval_seconds=1.0) == "running"
    grow_old(folder)
    assert run_folder.state(str(folder), ended=False, interval_seconds=1.0) == "lost"


def test_without_locks_what_is_known_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a file system that has none: ended if the record says so, lost if nothing was written for long, else unknown."""

    def no_locks(_fd: int, _what: int) -> None:
        raise OSError(errno.ENOLCK, "no locks available")

    monkeypatch.setattr(fcntl, "flock", no_locks)
    folder = make(tmp_path, end=False)
    assert run_folder.state(str(folder), ended=False, interval_seconds=1.0) == "unknown"
    assert run_folder.state(str(folder), ended=True, interval_seconds=1.0) == "ended"
    grow_old(folder)
    assert run_folder.state(str(folder), ended=False, interval_seconds=1.0) == "lost"
    assert run_folder.state(str(folder), ended=False, interval_seconds=3600.0) == "unknown"
