"""The monitor of a run: small, unseen by the command, and survived by it."""

from __future__ import annotations

import json
import os
import random
import re
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bongsu.records.segment import read
from cli.command import ARGV, environment

GENEROUS = 120.0
MIB = 1024**2


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """Where the runs of a test are kept."""
    return tmp_path / "runs"


def _argv(runs: Path, *command: str) -> list[str]:
    return [*ARGV, "run", "--runs-dir", str(runs), "--quiet", "--", *command]


def _events(runs: Path) -> list[list[object]]:
    (folder,) = runs.iterdir()
    return [record for record in read(str(folder / "record.seg")).records if record[0] == "event"]


def test_only_the_standard_library_and_what_watches_is_loaded() -> None:
    """What the monitor imports is small: none of what the command line needs, and nothing that is installed."""
    script = "import sys; sys.path.insert(0, sys.argv[1]); import bongsu.runs.monitor; print(*sys.modules)"
    source = Path(__file__).parents[2] / "src"
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", script, str(source)], capture_output=True, text=True, check=True
    )
    loaded = set(done.stdout.split())
    outside = {name.split(".")[0] for name in loaded} - set(sys.stdlib_module_names) - {"bongsu", "__main__"}
    assert outside == set()
    ours = {name for name in loaded if name.startswith("bongsu.")}
    assert {name.split(".")[1] for name in ours} <= {"runs", "records", "sources"}
    heavy = {"re", "typing", "subprocess", "threading", "asyncio", "logging", "inspect", "socket", "tempfile", "datetime",
             "argparse", "dataclasses", "pathlib", "random", "urllib"} & loaded  # fmt: skip
    assert heavy <= {"re", "typing"}


def test_the_monitor_is_small(runs: Path) -> None:
    """Its resident memory is within 5.4 MiB of an interpreter that does nothing."""
    script = "import time, sys; print('ready', flush=True); time.sleep(600)"
    with subprocess.Popen([sys.executable, "-I", "-S", "-c", script], stdout=subprocess.PIPE) as bare:
        assert bare.stdout is not None
        bare.stdout.readline()
        least = _resident(bare.pid)
        bare.kill()
    argv = [
        *ARGV,
        "run",
        "--runs-dir",
        str(runs),
        "--quiet",
        "--interval",
        "50ms",
        "sh",
        "-c",
        "sleep 2 & exec sleep 600",
    ]
    with subprocess.Popen(argv, env=environment()) as process:
        _until_samples(runs, 10)
        over = _resident(process.pid) - least
        process.terminate()
        assert process.wait(GENEROUS) == 128 + 15
    assert over <= 5.4 * MIB, f"{over / MIB:.2f} MiB over the bare interpreter"


def test_the_command_inherits_what_a_command_inherits(runs: Path, tmp_path: Path) -> None:
    """Streams, further descriptors, directory, umask, limits, niceness and group are ours; nothing of ours is open in it."""
    script = (
        "import os, resource, sys, json\n"
        "print(json.dumps({'fds': sorted(int(f) for f in os.listdir('/proc/self/fd')), 'cwd': os.getcwd(),"
        " 'umask': os.umask(0), 'files': resource.getrlimit(resource.RLIMIT_NOFILE), 'nice': os.nice(0),"
        " 'group': os.getpgrp(), 'session': os.getsid(0), 'seven': os.readlink('/proc/self/fd/7'),"
        " 'nonblocking': [not os.get_blocking(n) for n in (0, 1, 2)]}))\n"
    )
    kept = os.open(tmp_path / "kept", os.O_RDWR | os.O_CREAT)

    def prepare() -> None:
        os.dup2(kept, 7)
        os.umask(0o027)
        os.nice(3)
        resource.setrlimit(resource.RLIMIT_NOFILE, (200, 300))

    def said(*before: str) -> dict[str, object]:
        with subprocess.Popen(
            [*before, sys.executable, "-c", script], stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, cwd=tmp_path,
            preexec_fn=prepare, env=environment(), close_fds=False, process_group=0,  # noqa: PLW1509  no threads
        ) as process:  # fmt: skip
            assert process.stdout is not None
            found = dict(json.loads(process.stdout.read()))
            found["group"] = found["group"] == process.pid
            return found

    os.set_inheritable(kept, True)
    try:
        assert said(*_argv(runs)) == said()
    finally:
        os.close(kept)


def test_closed_streams_stay_closed(runs: Path) -> None:
    """What the caller closed is not opened for the command."""
    script = (
        "import os, sys\nfound = []\nfor number in (0, 1, 2):\n try:\n  os.fstat(number); found.append(number)\n"
        " except OSError: pass\nopen(sys.argv[1], 'w').write(repr(found))"
    )
    file = runs.parent / "open"
    argv = _argv(runs, sys.executable, "-c", script, str(file))
    for closing, left in (("<&- >&- 2>&-", "[]"), (">&-", "[0, 2]"), ("<&-", "[1, 2]")):
        subprocess.run(["bash", "-c", f'"$@" {closing}', "bash", *argv], check=True, env=environment())
        assert file.read_text() == left


def test_it_works_in_a_pipe_and_in_a_substitution(runs: Path) -> None:
    """Input comes from the pipe, output goes on, and a reader that has gone is the command's SIGPIPE."""
    line = " ".join(f"'{word}'" for word in _argv(runs))
    script = f"""
        echo a | {line} cat | cat; x=$({line} echo b); echo $x; echo c d | xargs {line} echo
        {line} yes | head -1; echo ${{PIPESTATUS[0]}}; setsid -w {line} echo e
    """
    done = subprocess.run(
        ["bash", "-c", script], capture_output=True, text=True, check=True, env=environment(), timeout=120,
        preexec_fn=lambda: signal.signal(signal.SIGPIPE, signal.SIG_DFL) and None,
    )  # fmt: skip
    assert done.stdout == "a\nb\nc d\ny\n141\ne\n"
    assert done.stderr == ""


def test_no_zombie_and_no_process_of_ours_is_left(runs: Path) -> None:
    """Orphans that come to us are reaped while the command runs; when we have gone, so has all of ours."""
    script = (
        "for i in 1 2 3; do (true &) ; done; sleep 0.5; n=0; while zombies=$(ps -o stat= --ppid $PPID | grep -c Z);"
        " [ $zombies -gt 0 -a $n -lt 600 ]; do sleep 0.1; n=$((n+1)); done; echo $zombies; ps -o pid= --ppid $PPID"
    )
    done = subprocess.run(
        _argv(runs, "sh", "-c", script), capture_output=True, text=True, check=False, env=environment()
    )
    zombies, *children = done.stdout.split()
    assert zombies == "0"
    assert not [pid for pid in children if Path(f"/proc/{pid}").exists()]


def test_the_command_survives_a_monitor_that_is_killed_at_any_moment(runs: Path, tmp_path: Path) -> None:
    """Either it was not started at all, or it runs to its end; what was recorded can be read."""
    chance = random.Random(7)
    started = 0
    for number in range(25):
        place = tmp_path / str(number)
        script = f"echo > {place}.begun; while [ ! -e {tmp_path}/go ]; do sleep 0.05; done; echo > {place}.done"
        argv = [*ARGV, "run", "--runs-dir", str(runs), "--quiet", "--interval", "20ms", "sh", "-c", script]
        with subprocess.Popen(argv, env=environment(), stdin=subprocess.DEVNULL) as process:
            if number % 5 == 0:  # every fifth certainly after the start
                _wait(lambda place=place: Path(f"{place}.begun").exists())
            time.sleep(chance.random() * 0.4)
            process.kill()
            assert process.wait(GENEROUS) == -9
    (tmp_path / "go").touch()
    for number in range(25):
        if (tmp_path / f"{number}.begun").exists():
            started += 1
            _wait(lambda number=number: (tmp_path / f"{number}.done").exists())
    assert started >= 5
    for folder in runs.iterdir():
        if (folder / "record.seg").exists():
            assert read(str(folder / "record.seg")).damaged == 0


def _on_a_small_disk(script: str) -> subprocess.CompletedProcess[str]:
    """A script recorded on a disk of 256 KiB, /mnt to it alone."""
    done = subprocess.run(
        ["unshare", "-m", "sh", "-c", 'mount -t tmpfs -o size=256k none /mnt && exec "$@"', "sh", *ARGV, "run",
         "--runs-dir", "/mnt/runs", "--interval", "50ms", "sh", "-c", script],
        capture_output=True, text=True, check=False, timeout=150, env=environment(),
    )  # fmt: skip
    if "unshare" in done.stderr or "mount" in done.stderr:
        pytest.skip("only root can make a full disk")
    return done


def test_a_disk_that_fills_up_does_not_end_the_command() -> None:
    """What cannot be written is said at the end; the exit code is the command's."""
    script = "dd if=/dev/zero of=/mnt/fill bs=4k 2>/dev/null; sleep 0.5; rm /mnt/fill; sleep 0.3; exit 6"
    done = _on_a_small_disk(script)
    assert done.returncode == 6, done.stderr
    assert "Traceback" not in done.stderr
    assert "exit code 6" in done.stderr


def test_on_a_full_disk_the_summary_is_said_all_the_same() -> None:
    """What is known is said, and what could not be kept; the exit code is the command's."""
    script = "dd if=/dev/zero of=/mnt/fill bs=4k 2>/dev/null; exit 6"
    done = _on_a_small_disk(script)
    assert done.returncode == 6, done.stderr
    assert re.search(r"^bongsu: sh took .*\n  CPU ", done.stderr, re.MULTILINE), done.stderr
    assert re.search(
        r"/summary\.json: no space left on device; what is said of this run could not be kept", done.stderr
    )
    assert "could not be made" not in done.stderr


def test_a_stop_is_noted(runs: Path) -> None:
    """The time in which nothing ran is told by two events."""
    with subprocess.Popen(
        _argv(runs, "sh", "-c", "echo ready; exec sleep 600"), stdout=subprocess.PIPE, env=environment(),
        process_group=0,  # where nobody could continue it (setsid), the kernel takes no SIGTSTP
    ) as process:  # fmt: skip
        assert process.stdout is not None
        process.stdout.readline()
        process.send_signal(signal.SIGTSTP)
        _wait(lambda: Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()[0] == "T")
        process.send_signal(signal.SIGCONT)
        _wait(lambda: any(event[2] == "continued" for event in _events(runs)))
        process.terminate()
        assert process.wait(GENEROUS) == 128 + 15
    said = [(event[2], event[3]) for event in _events(runs)]
    assert ("stopped", "SIGTSTP") in said
    assert [text for what, text in said if what == "continued" and re.fullmatch(r"after \d+\.\d s", str(text))]


def test_between_two_samples_the_monitor_sleeps(runs: Path) -> None:
    """No wakeup that nobody asked for: its voluntary switches are about one a sample."""
    argv = [*ARGV, "run", "--runs-dir", str(runs), "--quiet", "--interval", "200ms", "sleep", "600"]
    with subprocess.Popen(argv, env=environment()) as process:
        _until_samples(runs, 3)
        count, before = _samples(runs), _switches(process.pid)  # no sample is left out that switches are counted of
        _until_samples(runs, 13)
        after, more = _switches(process.pid), _samples(runs)
        process.terminate()
        process.wait(GENEROUS)
    assert after - before <= 3 * (more - count + 1)


def _switches(pid: int) -> int:
    found = re.search(r"^voluntary_ctxt_switches:\s+(\d+)", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    assert found
    return int(found[1])


def _resident(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def _samples(runs: Path) -> int:
    return sum(
        record[0] == "sample" for path in runs.glob("*/record.seg") for record in read(str(path)).records
    )  # fmt: skip


def _until_samples(runs: Path, count: int) -> None:
    _wait(lambda: _samples(runs) >= count)


def _wait(condition: object) -> None:
    assert callable(condition)
    end = time.monotonic() + GENEROUS
    while not condition():
        assert time.monotonic() < end, "what was waited for did not come"
        time.sleep(0.02)


def test_who_holds_the_group_is_not_waited_for(runs: Path) -> None:
    """A scope of systemd has a child of ours in it that ends when we do: --wait-all is over all the same, limits spare it."""
    script = """
import os, sys, time
from bongsu.model.run import Metadata
from bongsu.records.run_folder import create, write_metadata
from bongsu.runs import enforcement, exact, group, monitor, scope
from bongsu.runs.plan import Plan
from bongsu.sources.perf_event import NOT_PERMITTED, NoCounter
def held(run, pid):
    waits, alive = os.pipe()
    keeper = os.fork()
    if not keeper:
        scope._keep(waits)
    os.close(waits)
    return group.Group("/no/such/group", "", [], scope.Scope(keeper, alive))
def none(pid):
    raise NoCounter(NOT_PERMITTED, "no")
exact.Group.make, exact.Group.make_scope, exact.TaskClock.open = (lambda run, pid: "no"), held, none
tree = enforcement.tree
def told(*given):
    found = tree(*given)
    print(len(found), flush=True)
    return found
enforcement.tree = told
made = create(sys.argv[1], "sh", time.time())
write_metadata(made.folder, Metadata(id=made.id, command=("sh",), directory="", host="", user="", started=0.0, zone="",
    interval_seconds=1.0, version=""))
monitor.main(Plan(folder=made.folder, run=made.id, argv=("sleep", sys.argv[2]), wait_all=True, quiet=True,
    timeout_seconds=float(sys.argv[3]), path=tuple(sys.path)).sealed())
"""
    for seconds, limit, code, signalled in (("0.1", "0", 0, set()), ("600", "0.3", 124, {"1"})):
        done = subprocess.run(
            [sys.executable, "-c", script, str(runs), seconds, limit], capture_output=True, text=True, check=False,
            timeout=GENEROUS, env=environment(),
        )  # fmt: skip
        assert done.returncode == code, done.stderr
        assert set(done.stdout.split()) == signalled
