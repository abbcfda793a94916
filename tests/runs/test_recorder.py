"""What is recorded of real programs: their CPU time wherever it went, their processes, and what could not be written."""

from __future__ import annotations

import errno
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from bongsu.records import segment
from bongsu.runs.columns import COLUMNS
from bongsu.runs.journal import Journal
from run_scenarios import NAMES, scenario

_LEAN = (
    "import sys; sys.path.insert(0, sys.argv[1]); import bongsu.runs.recorder, bongsu.runs.monitor\n"
    "print(' '.join(sys.modules))"
)


def _recorded(folder: Path, *command: str, options: tuple[str, ...] = ()) -> dict[str, list[dict[str, Any]]]:
    """The records of a run by kind, each by column."""
    subprocess.run(
        [sys.executable, "-m", "bongsu", "run", "--quiet", "--runs-dir", str(folder), *options, "--", *command],
        check=True, timeout=300, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    return _read(folder)


def _read(folder: Path) -> dict[str, list[dict[str, Any]]]:
    (path,) = folder.glob("*/record.seg")
    found: dict[str, list[dict[str, Any]]] = {kind: [] for kind in COLUMNS}
    for kind, *values in segment.read(str(path)).records[1:]:
        found[kind].append(dict(zip(COLUMNS[kind], values, strict=True)))
    return found


@pytest.mark.parametrize("name", NAMES)
def test_the_five_ways_to_lose_cpu_time(name: str, tmp_path: Path) -> None:
    """Each way gives no more than the counter that misses nobody, and what is attributed is never more than the total."""
    found = _recorded(tmp_path, *scenario(name, count=40), options=("--interval", "0.2"))
    (end,) = found["end"]
    sources = end["sources"]
    total = sources[end["cpu_source"]]
    assert total > 0.8, "40 times 20 ms"
    ticks = 2 / os.sysconf("SC_CLK_TCK")
    for sample in found["sample"]:
        if sample["cpu_seconds"] is not None:
            alive = (sample["processes"] + 1) * ticks
            assert sample["attributed_cpu_seconds"] <= sample["cpu_seconds"] + alive
            assert sample["children_cpu_seconds"] <= sample["attributed_cpu_seconds"]
    if name != "ignored":  # nobody waits for those: there the counters alone are right
        booked = found["sample"][-1]["attributed_cpu_seconds"] + found["sample"][-1]["unseen_cpu_seconds"]
        assert booked == pytest.approx(sources["wait4"], rel=0.05, abs=4 * ticks)


def test_a_run_begins_and_ends_with_its_command(tmp_path: Path) -> None:
    """Neither what the recorder needs to be ready nor its last reading is in the time, or the use, of the command."""
    found = _recorded(tmp_path, "true", options=("--interval", "60"))
    (end,), (born,), (exited,) = found["end"], found["born"], found["exited"]
    assert born["start_seconds"] == 0.0
    assert exited["at_seconds"] == found["sample"][-1]["at_seconds"] == end["at_seconds"]
    assert end["sources"]["sampled"] == pytest.approx(end["sources"]["wait4"], abs=1e-4)
    assert {row["cpu_source"] for row in found["monitor"]} <= {"cgroup", "perf", None}
    first = found["monitor"][0]
    assert first["samples"] == 0, "who counts is known from the start"
    assert first["cpu_source"] == found["monitor"][-1]["cpu_source"]


def test_what_was_its_own_is_told_from_what_was_its_childrens(tmp_path: Path) -> None:
    """No reading saw either: as the command is waited for, its clock says what its threads used, the rest was its children's."""
    program = (
        "import os, subprocess, sys, threading, time\n"
        "def burn(until):\n while time.process_time() < until: pass\n"
        "burn(0.3)\n"
        "if os.fork() == 0: burn(0.5); os._exit(0)\n"
        "os.wait(); t = threading.Thread(target=burn, args=(0.6,)); t.start(); t.join(); print(time.process_time())"
    )
    argv = [sys.executable, "-m", "bongsu", "run", "--quiet", "--runs-dir", str(tmp_path), "--interval", "60", "--"]
    argv += [sys.executable, "-I", "-S", "-c", program]
    own = float(subprocess.run(argv, check=True, timeout=300, capture_output=True, stdin=subprocess.DEVNULL).stdout)
    exited = next(row for row in _read(tmp_path)["exited"] if row["process"] == 0)
    assert own - 0.001 <= exited["cpu_seconds"] < own + 0.1, "and what an interpreter does to end"
    assert 0.5 <= exited["unseen_cpu_seconds"] < 0.6


def test_what_the_recorder_read_before_is_not_the_commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a git repository git is asked for the revision; what it read for that is not the run's."""
    repository, plain = tmp_path / "repository", tmp_path / "plain"
    calls = {}
    for place in (repository, plain):
        place.mkdir()
        if place is repository:
            subprocess.run(["git", "init", "-q"], cwd=place, check=True)
        monkeypatch.chdir(place)
        runs = tmp_path / f"runs-{place.name}"
        calls[place] = _recorded(runs, "true")["sample"][-1]["read_calls"]
    assert calls[repository] == calls[plain]
    strange = tmp_path / "no-git"
    strange.mkdir()
    monkeypatch.setenv("PATH", str(strange))
    assert calls[plain] == _recorded(tmp_path / "runs-no-git", "/bin/true")["sample"][-1]["read_calls"]


def test_each_process_is_told_once(tmp_path: Path) -> None:
    """A birth with its parent, what it became, an end with its exit code; the secret of its command line is not there."""
    program = (
        "import os, subprocess, sys, time\n"
        "child = subprocess.Popen(['sleep', '4.5'], env={'PATH': os.environ['PATH']})\n"
        "subprocess.run([sys.executable, '-c', 'import time; time.sleep(4)', '--password', 'hunter' * 2])\n"
        "child.wait(); sys.exit(3)\n"
    )
    with pytest.raises(subprocess.CalledProcessError) as ended:
        _recorded(tmp_path, sys.executable, "-I", "-S", "-c", program, options=("--interval", "0.1"))
    assert ended.value.returncode == 3
    found = _read(tmp_path)
    born = {row["process"]: row for row in found["born"]}
    exited = {row["process"]: row for row in found["exited"]}
    assert len(born) == len(found["born"])
    assert set(exited) == set(born)
    assert (exited[0]["exit_code"], exited[0]["known_by"]) == (3, "waited")
    assert {row["known_by"] for number, row in exited.items() if number} <= {"event", "vanished"}
    slept = next(row for row in born.values() if row["command"] == "sleep 4.5")
    assert slept["parent"] == 0
    assert slept["uid"] == os.getuid()
    assert 0 <= slept["start_seconds"] <= slept["at_seconds"] + 0.02
    text = next(tmp_path.glob("*/record.seg")).read_text()
    assert "--password ***" in text
    assert "hunterhunter" not in text
    assert "bongsu" not in slept["executable"]
    assert found["sample"][-1]["started"] == found["sample"][-1]["exited"] == len(born)


def test_one_that_is_first_seen_when_it_is_over_has_a_name(tmp_path: Path) -> None:
    """Of a zombie no command line is left, but the short name of its program is."""
    code = "import subprocess, time\nkept = subprocess.Popen(['true'])\ntime.sleep(1.5)\nkept.wait()"
    found = _recorded(tmp_path, sys.executable, "-I", "-S", "-c", code, options=("--interval", "1"))
    names = {row["executable"] for kind in ("born", "brief") for row in found[kind] if row["process"]}
    assert {os.path.basename(name) for name in names} == {"true"}


def test_memory_files_and_output_are_summed(tmp_path: Path) -> None:
    """What a child holds and has written is in the sums, and stays there, for what was written, when it has ended."""
    program = (
        "import os, time\n"
        "held = bytearray(64 << 20)\n"
        "files = [os.open('/dev/null', os.O_RDONLY) for _ in range(40)]\n"
        "with open('out', 'wb') as out:\n"
        "    for _ in range(8): out.write(bytes(1 << 20)); out.flush()\n"
        "while not os.path.exists('go'): time.sleep(0.1)\n"
    )
    out = tmp_path / "here"
    out.mkdir()
    argv = [sys.executable, "-m", "bongsu", "run", "--quiet", "--runs-dir", str(tmp_path / "runs"), "--interval", "0.2", "--",
            "/bin/sh", "-c", 'cd "$1" && "$2" -c "$3"; true', "sh", str(out), sys.executable, program]  # fmt: skip
    with subprocess.Popen(argv, stdin=subprocess.DEVNULL) as run:
        until = time.monotonic() + 120  # what is costly to read is read now and then
        while not list((tmp_path / "runs").glob("*/record.seg")) or not any(
            (sample["open_files"] or 0) >= 40 and (sample["uss_bytes"] or 0) >= 64 << 20
            for sample in _read(tmp_path / "runs")["sample"]
        ):
            assert time.monotonic() < until
            time.sleep(0.2)
        (out / "go").touch()
        assert run.wait(120) == 0
    samples = _read(tmp_path / "runs")["sample"]
    for name, least in (("rss_bytes", 64 << 20), ("pss_bytes", 64 << 20), ("uss_bytes", 64 << 20), ("open_files", 40)):
        assert max(sample[name] or 0 for sample in samples) >= least, name
    assert max(sample["children_rss_bytes"] for sample in samples) >= 64 << 20
    assert samples[-1]["write_chars"] >= 8 << 20
    assert samples[-1]["write_calls"] >= 8
    assert [sample["write_chars"] for sample in samples] == sorted(sample["write_chars"] for sample in samples)
    assert samples[-1]["voluntary_switches"] > 0
    assert samples[-1]["processes"] == 0
    assert samples[-1]["rss_bytes"] == 0


def test_one_that_lives_on_is_told_with_its_time(tmp_path: Path) -> None:
    """A process that outlives the command is named at the end, and not ended."""
    found = _recorded(
        tmp_path,
        "/bin/sh",
        "-c",
        "setsid sleep 300 </dev/null >/dev/null 2>&1 & sleep 3",
        options=("--interval", "0.1"),
    )
    (survivor,) = found["end"][0]["survivors"]
    pid, command, used = survivor
    try:
        assert command == "sleep 300"
        assert 0 <= used < 5
        os.kill(pid, 0)
    finally:
        os.kill(pid, signal.SIGKILL)


def test_the_monitor_tells_its_own_cost(tmp_path: Path) -> None:
    """CPU time since it became the monitor, memory, and the number of samples it took."""
    found = _recorded(tmp_path, "sleep", "1", options=("--interval", "0.1"))
    own = found["monitor"][-1]
    assert 0 < own["cpu_seconds"] < 5
    assert 4 << 20 < own["rss_bytes"] < 60 << 20
    assert own["samples"] == len(found["sample"])
    assert own["missed"] >= 0


def test_the_monitor_is_lean() -> None:
    """What it imports is the standard library's smaller half: no msgspec, click or asyncio."""
    package = Path(segment.__file__).parents[2]
    run = subprocess.run(
        [sys.executable, "-I", "-S", "-c", _LEAN, str(package)], check=True, capture_output=True, text=True
    )
    modules = set(run.stdout.split())
    assert not modules & {
        "msgspec",
        "click",
        "asyncio",
        "rich",
        "inspect",
        "dataclasses",
        "logging",
        "subprocess",
        "http",
    }
    assert not [name for name in modules if name.startswith(("bongsu.model", "bongsu.cli"))]


class _Full:
    """A segment on a disk that is full for a while."""

    path = "record.seg"

    def __init__(self) -> None:
        self.full = False
        self.rows: list[list[Any]] = []

    def append(self, *rows: list[Any]) -> None:
        if self.full:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self.rows += rows


def test_a_full_disk_loses_samples_and_no_births() -> None:
    """While nothing can be written what passes is lost and counted; the rest follows, with the gap told."""
    disk = _Full()
    journal = Journal(disk, 0.0)  # type: ignore[arg-type]  # all that is used of a segment
    journal.add("sample", 1.0, rss_bytes=1)
    journal.flush()
    disk.full = True
    journal.add("born", 2.0, process=1)
    journal.add("sample", 2.0, rss_bytes=2)
    journal.flush()
    journal.add("sample", 3.0, rss_bytes=3)
    journal.flush()
    disk.full = False
    journal.add("sample", 4.0, rss_bytes=4)
    journal.flush()
    assert [(row[0], row[1]) for row in disk.rows[1:] if row[0] != "event"] == [
        ("sample", 1.0), ("born", 2.0), ("sample", 4.0),
    ]  # fmt: skip
    (gap,) = [row for row in disk.rows if row[0] == "event"]
    assert gap[2] == "gap"
    assert "no space left on device" in gap[3]
    assert "2 lines are lost" in gap[3]


def test_a_full_disk_for_days_does_not_fill_memory() -> None:
    """What is kept for later has an end."""
    disk = _Full()
    journal = Journal(disk, 0.0)  # type: ignore[arg-type]  # as above
    disk.full = True
    for at in range(12_000):
        journal.add("born", at, process=at)
    journal.flush()
    disk.full = False
    journal.add("born", 12_000, process=12_000)
    journal.flush()
    assert sum(row[0] == "born" for row in disk.rows) == 10_001


def _small_files() -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (8192, 8192))


def test_a_record_that_cannot_grow_does_not_stop_the_program(tmp_path: Path) -> None:
    """The program ends as it would have, also when not one more line can be written."""
    command = ("/bin/sh", "-c", "sleep 2; exit 7")
    run = subprocess.run(
        [
            sys.executable, "-m", "bongsu", "run", "--quiet", "--interval", "0.01", "--runs-dir", str(tmp_path), "--", *command,
        ],
        check=False, timeout=300, preexec_fn=_small_files,
        capture_output=True,
    )  # fmt: skip
    assert run.returncode == 7
    (path,) = tmp_path.glob("*/record.seg")
    assert path.stat().st_size <= 8192


def test_time_without_readings_is_told(tmp_path: Path) -> None:
    """A monitor that was stopped says so, and counts what it missed; the program's time is whole."""
    run = subprocess.Popen(
        [
            sys.executable, "-m", "bongsu", "run", "--quiet", "--interval", "0.1", "--runs-dir", str(tmp_path), "--", "sh",
            "-c", f"while [ ! -e {tmp_path}/go ]; do sleep 0.1; done",
        ],
        stdin=subprocess.DEVNULL,
    )  # fmt: skip

    def until(there: bytes) -> None:
        end = time.monotonic() + 120
        while not any(there in path.read_bytes()[3000:] for path in tmp_path.glob("*/record.seg")):
            assert time.monotonic() < end
            time.sleep(0.05)

    until(b'"sample",')
    os.kill(run.pid, signal.SIGSTOP)
    time.sleep(6)
    os.kill(run.pid, signal.SIGCONT)
    until(b'"gap",')
    (tmp_path / "go").touch()
    assert run.wait(120) == 0
    found = _read(tmp_path)
    assert any(event["what"] == "gap" for event in found["event"])
    assert found["monitor"][-1]["missed"] >= 50
    assert found["monitor"][-1]["late_seconds"] >= 5


def test_pages_that_are_not_summed_up_yet_are_not_known() -> None:
    """The kernel sums up a process's pages from time to time: a young one has no size that is known, not none."""
    from bongsu.runs.accounts import Accounts
    from bongsu.runs.member import Member
    from bongsu.runs.recorder import _nothing
    from bongsu.sources.procfs.tree import Seen

    seen = Seen(7)
    member = Member(seen, Accounts().open(None))
    assert member.use()[1] is None
    seen.resident_bytes = 4096
    assert member.use()[1] == 4096
    assert (_nothing(0), _nothing(1)) == (0, None)
