"""Processes that live too short for any reading: each is counted and has a name, and what could not be told is said."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest

import run_scenarios
from bongsu.records import segment
from bongsu.records.run_reading import read_record
from bongsu.runs import passing
from bongsu.runs.accounts import Accounts
from bongsu.runs.columns import COLUMNS
from bongsu.runs.journal import Journal
from bongsu.runs.passing import Kin, Passing
from bongsu.sources.perf_event import NOT_PERMITTED, NoCounter
from bongsu.sources.procfs.tree import Seen
from bongsu.sources.task_events import Ended, Forked, Happened, Named, TaskEvents

ROOT, NOBODY = 1_000, 1 << 30  # no process ever has these numbers: above the kernel's largest


def _events_or_skip() -> None:
    """These need the kernel's records of tasks (kernel.perf_event_paranoid up to 2, or root)."""
    try:
        TaskEvents.open(os.getpid()).close()
    except NoCounter as none:
        pytest.skip(f"the kernel tells nothing of processes here: {none}")


def _recorded(
    folder: Path, *command: str, options: tuple[str, ...] = ()
) -> tuple[dict[str, list[dict[str, Any]]], str]:
    """The records of a run by kind, each by column; and its folder."""
    subprocess.run(
        [sys.executable, "-m", "bongsu", "run", "--quiet", "--runs-dir", str(folder), *options, "--", *command],
        check=True, timeout=300, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    (path,) = folder.glob("*/record.seg")
    return _rows(path), str(path.parent)


def _rows(path: Path) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {kind: [] for kind in COLUMNS}
    for kind, *values in segment.read(str(path)).records[1:]:
        found[kind].append(dict(zip(COLUMNS[kind], values, strict=True)))
    return found


def _counts(found: dict[str, list[dict[str, Any]]]) -> tuple[int, int]:
    return found["sample"][-1]["started"], found["sample"][-1]["exited"]


def test_of_thousands_none_is_missed(tmp_path: Path) -> None:
    """Six hundred and one of a millisecond each, in a run of one reading: each has a name, a parent and its own times."""
    _events_or_skip()
    loop = "f() { i=0; while [ $i -lt 300 ]; do /bin/true; i=$((i+1)); done; }; f & f; wait"
    found, folder = _recorded(tmp_path, "sh", "-c", loop, options=("--interval", "1h"))
    assert _counts(found) == (602, 602)
    record = read_record(folder, "bongsu-run/1")
    rows = {row.index: row for row in record.processes}
    assert set(rows) == set(range(602))
    read = {row["process"] for row in found["born"]}  # the first, and who a reading came across in between
    assert len(read) < 20
    true = [row for row in rows.values() if row.executable.rpartition("/")[2] == "true"]
    assert 600 - len(read) < len(true) <= 600, "one that is read as it begins may bear its parent's name"
    for row in true:
        assert row.end_seconds is not None
        assert 0 <= row.start_seconds <= row.end_seconds <= found["end"][0]["at_seconds"] + 0.1
        assert row.cpu_seconds is None or row.index in read, "how much each used nobody knows"
        assert row.parent is not None
        assert rows[row.parent].executable.endswith("sh")


def test_a_process_that_is_read_and_told_is_one(tmp_path: Path) -> None:
    """Readings and the kernel's records are of the same processes: none is there twice, ends are exact."""
    _events_or_skip()
    code = (
        "import os, time\nfor n in range(40):\n if os.fork() == 0: time.sleep(n / 50 + 2 * (n > 9)); os._exit(0)\n"
        "for _ in range(40): os.wait()"
    )  # thirty are there for two seconds at least, so that also a recorder that is kept waiting reads them
    found, _ = _recorded(tmp_path, sys.executable, "-I", "-S", "-c", code, options=("--interval", "50ms"))
    assert _counts(found) == (41, 41)
    numbers = [row["process"] for kind in ("born", "brief") for row in found[kind]]
    assert sorted(numbers) == list(range(41))
    assert {row["known_by"] for row in found["exited"]} == {"event", "waited"}
    assert len({row["at_seconds"] for row in found["exited"]}) > 15, "not the times of readings"


@pytest.mark.parametrize(
    ("code", "names"),
    [
        pytest.param("import os\nos.waitpid(os.posix_spawn('/bin/true', ['true'], os.environ), 0)", {"true"}, id="vfork"),
        pytest.param(
            "import os, threading\nt = threading.Thread(target=os.system, args=('/bin/true',)); t.start(); t.join()",
            {"true"}, id="of a thread",
        ),
        pytest.param(
            "import os, threading\n"
            "if os.fork() == 0:\n t = threading.Thread(target=os.execv, args=('/bin/true', ['true'])); t.start(); t.join()\n"
            "os.wait()", {"true"}, id="executed by a thread",
        ),
        pytest.param(
            "import ctypes, os\nif os.fork() == 0:\n ctypes.CDLL(None).prctl(15, b') S 1 (', 0, 0, 0)\n os._exit(0)\nos.wait()",
            None, id="odd name",
        ),
        pytest.param(
            "import os\nr, w = os.pipe(); os.set_inheritable(w, True)\nif os.fork() == 0:\n if os.fork() == 0:\n"
            "  os.setsid(); os.write(w, str(os.getpid()).encode()); os.execv('/bin/true', ['true'])\n os._exit(0)\n"
            "os.close(w); os.wait(); pid = os.read(r, 99).decode(); os.read(r, 1)\n"
            "while os.path.exists('/proc/' + pid): __import__('time').sleep(0.01)", {"true"}, id="orphan",
        ),
    ],
)  # fmt: skip
def test_however_it_begins(code: str, names: set[str] | None, tmp_path: Path) -> None:
    """One that is made in an unusual way is counted, has its name, and its end is known."""
    _events_or_skip()
    found, folder = _recorded(tmp_path, sys.executable, "-I", "-S", "-c", code, options=("--interval", "60"))
    started, exited = _counts(found)
    rows = read_record(folder, "bongsu-run/1").processes
    assert started == exited == len(rows) >= 2
    assert names is None or names <= {row.executable.rpartition("/")[2] for row in rows}


@pytest.mark.needs_root
def test_another_pid_namespace_and_root_directory(tmp_path: Path) -> None:
    """What runs in a PID namespace of its own, or in a root directory of its own, has our numbers and its names."""
    _events_or_skip()
    command = ("sh", "-c", "unshare --pid --fork sh -c '/bin/true; /bin/true; :'; chroot / /bin/true; :")
    found, folder = _recorded(tmp_path, *command, options=("--interval", "60"))
    rows = read_record(folder, "bongsu-run/1").processes
    assert _counts(found) == (len(rows), len(rows))
    assert [row.executable for row in rows].count("true") == 3
    assert all(row.pid > 1 for row in rows)


@pytest.mark.needs_root
def test_a_set_user_id_program_is_counted(tmp_path: Path) -> None:
    """The kernel's records end where another user begins; the process itself is counted once, whether it was read or not."""
    _events_or_skip()
    with tempfile.TemporaryDirectory() as place:  # where others may enter
        os.chmod(place, 0o755)
        copy = shutil.copy("/bin/sleep", place)
        os.chmod(copy, 0o4755)
        command = (*run_scenarios.UNPRIVILEGED, "sh", "-c", f"{copy} 4; {copy} 0; :")
        found, folder = _recorded(tmp_path, *command, options=("--interval", "100ms"))
    rows = read_record(folder, "bongsu-run/1").processes
    assert _counts(found) == (3, 3)
    assert sorted(row.executable.rpartition("/")[2] for row in rows)[-2:] == ["sleep", "sleep"]
    lived = sorted((row.end_seconds or 0.0) - row.start_seconds for row in rows)
    assert lived[-2] > 3.9, "it has not ended when it became another user's"


def test_a_command_of_many_threads_is_one_process(tmp_path: Path) -> None:
    """Threads begin and end as processes do, and are none."""
    _events_or_skip()
    code = (
        "import threading\nstop = threading.Event()\nthreads = [threading.Thread(target=stop.wait) for _ in range(500)]\n"
        "[t.start() for t in threads]; __import__('time').sleep(4); stop.set(); [t.join() for t in threads]"
    )
    found, folder = _recorded(tmp_path, sys.executable, "-I", "-S", "-c", code, options=("--interval", "200ms"))
    assert _counts(found) == (1, 1)
    assert len(read_record(folder, "bongsu-run/1").processes) == 1
    assert max(row["threads"] for row in found["sample"]) == 501


def test_a_process_that_nobody_waits_for_has_ended_once(tmp_path: Path) -> None:
    """A zombie is told to have ended when it did, not when its parent at last looked for it."""
    _events_or_skip()
    code = "import os, time\nif os.fork() == 0: os._exit(0)\ntime.sleep(3); os.wait()"
    found, folder = _recorded(tmp_path, sys.executable, "-I", "-S", "-c", code, options=("--interval", "100ms"))
    assert _counts(found) == (2, 2)
    (zombie,) = [row for row in read_record(folder, "bongsu-run/1").processes if row.index]
    assert zombie.end_seconds is not None
    assert zombie.end_seconds < found["end"][0]["at_seconds"] - 1


class _Told(TaskEvents):
    """Records as a test has them."""

    def __init__(self, *batches: list[Happened]) -> None:
        super().__init__([], [memoryview(bytearray(8192))])  # type: ignore[list-item]  # no ring is read
        self._rings = []
        self.batches = list(batches)

    def drain(self, *, last: bool = False) -> list[Happened]:  # noqa: ARG002  as the real one
        return self.batches.pop(0) if self.batches else []


def _passing(tmp_path: Path, *batches: list[Happened]) -> tuple[Passing, Accounts, Journal, _Told]:
    accounts, events = Accounts(), _Told(*batches)
    journal = Journal(segment.Segment(str(tmp_path / "record.seg")), 0.0)
    return (
        Passing(events, accounts, journal, Kin(ROOT, accounts.number(), None, 0.0, "make")),
        accounts,
        journal,
        events,
    )


def _life(pid: int, at: float, name: str = "cc") -> list[Happened]:
    return [Forked(at, pid, pid, ROOT), Named(at, pid, pid, name, True), Ended(at + 1, pid, pid, ROOT)]


def _seen(pid: int, state: bytes = b"S") -> Seen:
    seen = Seen(pid)
    seen.state = state
    return seen


def test_beyond_a_number_each_program_has_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A day of short processes must not fill the disk: the others are told by program, how many and from when to when."""
    monkeypatch.setattr(passing, "MOST_SINGLE", 2)
    lives = [one for n in range(6) for one in _life(NOBODY + n, n, "cc" if n % 2 else "as")]
    told, accounts, journal, _ = _passing(tmp_path, lives)
    told.read({}, 20.0, last=True)
    told.finish(20.0)
    journal.flush()
    assert (accounts.born, accounts.ended_count) == (7, 6)
    found = _rows(tmp_path / "record.seg")
    assert [row["executable"] for row in found["brief"]] == ["as", "cc"]
    assert [tuple(row.values())[2:] for row in found["many"]] == [("as", 2, 2.0, 5.0, 2.0), ("cc", 2, 3.0, 6.0, 2.0)]
    rows = read_record(str(tmp_path), "bongsu-run/1").processes
    assert sum(row.count for row in rows) == 6
    assert len({row.index for row in rows}) == len(rows)


def test_a_name_that_the_kernel_cut_short_is_known_from_another(tmp_path: Path) -> None:
    """Who is told by name only stands with those of the same program that a reading came across."""
    told, _, journal, _ = _passing(tmp_path, _life(NOBODY, 1.0, "x86_64-linux-gn"), _life(NOBODY + 1, 3.0, "as"))
    journal.add("born", 0.5, process=7, executable="/usr/bin/gcc-12", command="x86_64-linux-gnu-gcc -c a.c")
    journal.add("born", 0.5, process=8, executable="/usr/bin/as", command="as a")
    journal.add("became", 0.6, process=8, executable="/opt/bin/as", command="/opt/bin/as a")
    told.take()
    told.read({}, 9.0, last=True)
    told.finish(9.0)
    journal.flush()
    rows = {row.pid: row.executable for row in read_record(str(tmp_path), "bongsu-run/1").processes}
    assert (rows[NOBODY], rows[NOBODY + 1]) == ("/usr/bin/gcc-12", "as")


def test_a_ring_that_was_full_is_as_good_as_lost_records(tmp_path: Path) -> None:
    """Nothing tells of what was lost last, but that there was no room: no count is given out as complete."""
    told, accounts, journal, events = _passing(tmp_path, [Forked(1.0, NOBODY, NOBODY, ROOT)], [])
    told.read({}, 2.0)
    before = told.complete
    events.full = 1
    told.read({}, 3.0)
    told.finish(4.0)
    journal.flush()
    assert (before, told.complete) == (True, False)
    assert (accounts.born, accounts.ended_count) == (2, 1)
    assert [row["what"] for row in _rows(tmp_path / "record.seg")["event"]] == ["left out"]


def test_records_that_were_lost_are_said(tmp_path: Path) -> None:
    """Who lacks an end that was lost has ended all the same if it is not there, and the report says that records lack."""
    told, accounts, journal, events = _passing(tmp_path, [Forked(1.0, NOBODY, NOBODY, ROOT)], [])
    told.read({}, 2.0)
    events.lost = 5
    told.read({}, 3.0)
    told.finish(4.0)
    journal.flush()
    found = _rows(tmp_path / "record.seg")
    assert (accounts.born, accounts.ended_count) == (2, 1)
    assert [row["what"] for row in found["event"]] == ["left out", "left out"]
    assert found["event"][1]["text"].startswith("5 of the kernel's records")


def test_who_goes_on_as_another_user_has_not_ended(tmp_path: Path) -> None:
    """A set-user-ID program ends the kernel's records of its process: a reading that finds it alive knows better."""
    told, accounts, journal, _ = _passing(tmp_path, _life(NOBODY, 1.0, "sudo"), [Forked(2.5, NOBODY + 1, NOBODY + 1, ROOT)],
                                          [Ended(3.5, NOBODY + 1, NOBODY + 1, ROOT)], [])  # fmt: skip
    told.take()
    told.read({NOBODY: _seen(NOBODY)}, 3.0)
    assert told.number(_seen(NOBODY), 1.0) == 1
    assert told.number(_seen(NOBODY + 1), 2.5) == 2
    told.read({NOBODY: _seen(NOBODY), NOBODY + 1: _seen(NOBODY + 1)}, 3.2)
    told.read({NOBODY: _seen(NOBODY), NOBODY + 1: _seen(NOBODY + 1)}, 4.0)
    assert (told.gone(NOBODY), told.gone(NOBODY + 1)) == (None, None)
    told.finish(9.0)
    journal.flush()
    assert (accounts.born, accounts.ended_count) == (3, 0)
    assert _rows(tmp_path / "record.seg")["brief"] == []


def test_why_there_is_none_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the kernel tells nothing, the reason is given in its place."""

    def refuse(*_: object, **__: object) -> TaskEvents:
        raise NoCounter(NOT_PERMITTED, "kernel.perf_event_paranoid is 4")

    monkeypatch.setattr(TaskEvents, "open", refuse)
    journal = Journal(segment.Segment(str(tmp_path / "record.seg")), 0.0)
    assert Passing.open(ROOT, "make", Accounts(), journal) == "kernel.perf_event_paranoid is 4"
