"""A run's folder gives its report whatever happened, and its summary can always be made again."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from bongsu.model.errors import BadInput
from bongsu.records import run_folder
from bongsu.records.run_finding import Found
from bongsu.records.segment import Segment
from bongsu.runs import export_json, monitor, reporting
from run_records import columns, grow_old, make, record, segment_bytes, written

SAMPLES = b' ["sample"'


def lost(place: Path) -> Path:
    """A run whose monitor died."""
    folder = make(place, end=False)
    grow_old(folder)
    return folder


def test_the_summary_is_kept_and_made_again(tmp_path: Path) -> None:
    """It is what the report says; deleted, torn or out of date it is not believed and made again."""
    folder = make(tmp_path)
    made = reporting.conclude(str(folder))
    kept = reporting.summarized(str(folder))
    assert kept is not None
    assert {key: kept[key] for key in export_json.SUMMED_UP} == export_json.document(made, export_json.SUMMED_UP)
    path = folder / "summary.json"
    whole = path.read_bytes()
    path.write_bytes(whole[:-1])
    assert reporting.summarized(str(folder)) is None
    assert reporting.recover(str(folder)).changed
    assert path.read_bytes() == whole
    with (folder / "record.seg").open("ab") as file:
        file.write(segment_bytes([record("event", 9.0, what="signal", text="late")]))
    assert reporting.summarized(str(folder)) is None


def test_recovery_twice_changes_nothing(tmp_path: Path) -> None:
    """The second time finds what the first one made."""
    folder = lost(tmp_path)
    first = reporting.recover(str(folder))
    before = _written(folder / "summary.json")
    second = reporting.recover(str(folder))
    assert (first.changed, second.changed) == (True, False)
    assert (first.state, str(first.text)) == (second.state, str(second.text))
    assert _written(folder / "summary.json") == before


def _written(path: Path) -> tuple[int, int, int]:
    """What changes when a file is written, or another takes its place, and not when it is read (its access time does)."""
    found = path.stat()
    return found.st_ino, found.st_mtime_ns, found.st_ctime_ns


def test_recovery_says_what_is_lost(tmp_path: Path) -> None:
    """What is known until when, and at most one interval and what the last sample was late."""
    said = str(reporting.recover(str(lost(tmp_path))).text)
    assert said == "5 samples, the last word 5 s after the start; of what its recorder saw, at most 1.002 s are lost"


def test_one_is_not_several(tmp_path: Path) -> None:
    """A number of one has its noun."""
    folder = make(tmp_path, end=False)
    rows = [columns(), record("sample", 1.0, processes=1)]
    (folder / "record.seg").write_bytes(segment_bytes(rows) + b"torn\n")
    (folder / "functions-1-1.seg").write_bytes(b"torn\n" + segment_bytes([["process", {"pid": 1, "schema": 9}]]))
    grow_old(folder)
    said = str(reporting.recover(str(folder)).text)
    assert said.startswith("1 sample, the last word 1 s after")
    assert said.endswith(
        "1 line of the record is torn or damaged and left out; 1 line of timed functions is torn or damaged and left out"
    )
    told = [event.text for event in reporting.read_run(str(folder)).events]
    assert "1 segment of functions is of a newer schema" in told


def test_a_run_that_goes_on_is_left_alone(tmp_path: Path) -> None:
    """Its report says what is known so far; nothing is written into its folder."""
    folder = make(tmp_path, end=False)
    with written(folder):
        before = sorted(os.listdir(folder))
        assert reporting.recover(str(folder)).state == "running"
        made = reporting.opened(Found(str(folder)))
        assert (made.metadata.state, made.metadata.exit_code, made.summary.wall_seconds) == ("running", None, 5.0)
        assert sorted(os.listdir(folder)) == before


def test_the_report_of_a_lost_run_is_recovered_on_the_way(tmp_path: Path) -> None:
    """Who asks for it need not know."""
    folder = lost(tmp_path)
    assert reporting.opened(Found(str(folder))).metadata.state == "lost"
    kept = reporting.summarized(str(folder))
    assert kept is not None
    assert kept["metadata"]["state"] == "lost"


@pytest.mark.parametrize("text", [None, b"", b'{"id": "2026'])
def test_without_metadata_the_record_tells(tmp_path: Path, text: bytes | None) -> None:
    """Start, command, pid, interval; what nobody knows stays unknown, and the report says so."""
    folder = make(tmp_path)
    (folder / "run.json").unlink()
    if text is not None:
        (folder / "run.json").write_bytes(text)
    known = reporting.read_run(str(folder)).metadata
    assert (known.id, known.name, known.started) == ("20260101-000000-work-0001", "work", 1767225600.0)
    assert (known.command, known.pid, known.interval_seconds) == (("work --fast",), 100, 1.0)
    assert (known.host, known.directory, known.exit_code) == ("", "", 3)
    events = [event.text for event in reporting.read_run(str(folder)).events]
    assert any("run.json is missing or torn" in text for text in events)
    assert reporting.recover(str(folder)).state == "ended"


def test_with_nothing_left_it_is_said(tmp_path: Path) -> None:
    """One line that names the folder."""
    folder = make(tmp_path)
    (folder / "run.json").unlink()
    (folder / "record.seg").write_bytes(b"garbage")
    with pytest.raises(BadInput, match="nothing of this run can be read"):
        reporting.recover(str(folder))


def test_metadata_alone_are_a_report(tmp_path: Path) -> None:
    """The power went before the first sample."""
    folder = make(tmp_path)
    (folder / "record.seg").write_bytes(b"")
    grow_old(folder)
    made = reporting.read_run(str(folder))
    assert (made.metadata.state, made.summary.wall_seconds, made.metadata.command) == ("lost", None, ("work", "--fast"))


def test_cut_at_any_byte_a_run_has_its_report(tmp_path: Path) -> None:
    """Everything up to the last whole line, with the summary of just that, made again each time."""
    folder = make(tmp_path, samples=2)
    whole = (folder / "record.seg").read_bytes()
    grow_old(folder)
    for size in range(len(whole) + 1):
        (folder / "record.seg").write_bytes(whole[:size])
        made = reporting.opened(Found(str(folder)))
        assert len(made.samples) == whole[:size].rpartition(b"\n")[0].count(SAMPLES)
        assert made.summary.samples == len(made.samples)
        ended = whole[:size].rpartition(b"\n")[0].count(b' ["end"') == 1
        assert (made.metadata.exit_code == 3) == ended
        assert made.metadata.state == ("ended" if ended else "lost")


def test_a_summary_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk: the report is there all the same, and recovery says why not."""

    def full(_path: str, _data: bytes) -> None:
        raise OSError(28, "No space left on device")

    folder = lost(tmp_path)
    monkeypatch.setattr(run_folder, "write_whole", full)
    assert reporting.opened(Found(str(folder))).summary.samples == 5
    with pytest.raises(OSError, match="No space"):
        reporting.recover(str(folder))


def test_names_that_are_no_unicode_do_not_stop_it(tmp_path: Path) -> None:
    """A command of any bytes is kept in the report and written as what every parser reads."""
    folder = make(tmp_path, command=("a\udcff",))
    (folder / "record.seg").write_bytes(
        segment_bytes([columns(), record("born", 0.0, process=0, pid=1, start_seconds=0.0, command="b\udcfe")])
    )
    grow_old(folder)
    assert reporting.opened(Found(str(folder))).processes[0].command == "b\udcfe"
    assert json.loads((folder / "summary.json").read_text())["metadata"]["command"] == ["a\ufffd"]


_AS_NOBODY = """
import os, sys
from bongsu.records import run_list
from bongsu.records.run_finding import Found
from bongsu.runs import export_csv, reporting
os.setgroups([])
os.setegid(65534)
os.seteuid(65534)
place = sys.argv[1]
for row in run_list.rows(place, reporting.row, "1"):
    print(row.state)
try:
    print(len(reporting.opened(Found(os.path.join(place, row.id))).samples))
except PermissionError as error:
    print(os.path.basename(error.filename))
"""


@pytest.mark.needs_root
def test_another_users_runs_are_read_and_not_written() -> None:
    """Who may read but not write gets list and report all the same; who may not read is told which file."""

    def seen(place: str) -> list[str]:
        argv = [sys.executable, "-c", _AS_NOBODY, place]
        return subprocess.run(argv, capture_output=True, text=True, check=True, timeout=150).stdout.split()

    with tempfile.TemporaryDirectory() as place:
        os.chmod(place, 0o755)
        folder = lost(Path(place))
        assert seen(place) == ["unreadable", "run.json"]
        for path in (folder, *folder.iterdir()):
            path.chmod(0o755)
        grow_old(folder)
        assert seen(place) == ["lost", "5"]
        assert sorted(os.listdir(folder)) == ["record.seg", "run.json"]
        assert os.listdir(place) == [folder.name]


def test_who_asks_does_not_take_the_monitors_lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A reader that asks at the very moment at which the monitor begins holds the record for an instant: it is waited for."""
    monkeypatch.setattr(monitor, "_LOCK_TRIES", 10_000)  # the reader's thread may itself be kept waiting
    folder = make(tmp_path)
    segment = Segment(str(folder / "record.seg"))
    with (folder / "record.seg").open() as reader:
        fcntl.flock(reader, fcntl.LOCK_SH)
        later = threading.Timer(0.1, fcntl.flock, (reader, fcntl.LOCK_UN))
        later.start()
        monitor.hold(segment)
        later.join()
    assert run_folder.is_written(str(folder))
    segment.close()


@pytest.mark.parametrize("name", ["run.json", "record.seg", "summary.json", "functions-1-1.seg"])
@pytest.mark.parametrize("what", [os.mkfifo, os.mkdir])
def test_a_pipe_in_the_place_of_a_file_is_not_waited_for(
    tmp_path: Path, name: str, what: Callable[[Path], None]
) -> None:
    """Whoever may write into a folder could else stop all who list or open its runs, root and the live page too."""
    folder = lost(tmp_path)
    (folder / name).unlink(missing_ok=True)
    what(folder / name)
    program = "import sys; from bongsu.runs.reporting import row; print(row(sys.argv[1]).state)"
    argv = [sys.executable, "-c", program, str(folder)]
    told = subprocess.run(argv, capture_output=True, text=True, check=True, timeout=150).stdout.strip()
    assert told == ("unreadable" if name == "record.seg" else "lost")


def test_a_run_without_a_record_is_lost_and_stays_so(tmp_path: Path) -> None:
    """Its folder is as old as the last file in it: the summary that a reader makes is no sign of a monitor that begins."""
    folder = lost(tmp_path)
    (folder / "record.seg").unlink()
    grow_old(folder)
    assert reporting.row(str(folder)).state == "lost"
    assert (folder / "summary.json").exists()
    assert reporting.row(str(folder)).state == "lost"
