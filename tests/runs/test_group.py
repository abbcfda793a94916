"""A run's own control group: made without changing anything for the program, and gone when the run is."""

from __future__ import annotations

import os
import secrets
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import run_scenarios
from bongsu.runs import group as groups
from bongsu.runs import scope
from bongsu.runs.group import Group
from one_cgroup import real_cgroup

SRC = str(Path(groups.__file__).parents[2])
_OURS = f"test{os.getpid()}{secrets.token_hex(4)}"  # other tests run beside, and an earlier one may have left groups
RUN = f"20260101-000000-{_OURS}-0000"
OTHER = f"20260101-000001-{_OURS}-0000"
_BURN = "import time\nx = b'x' * (64 << 20)\nwhile time.process_time() < 0.5: pass"


def _wait_until(true: Callable[[], object]) -> None:
    until = time.monotonic() + 120
    while not true():
        assert time.monotonic() < until
        time.sleep(0.01)


def _made(pid: int, run: str = RUN) -> Group:
    made = Group.make(run, pid)
    if isinstance(made, str):
        pytest.skip(made)
    return made


def _left() -> list[str]:
    """Our groups in the group of this process, in all hierarchies."""
    return [f"{place}/{name}" for place in groups._places(os.getpid()).values() for name in os.listdir(place)
            if _OURS in name]  # fmt: skip


def _pids(group: Group) -> set[int]:
    """The processes in it and in groups below it, without the keeper."""
    found = {pid for folder, _, _ in os.walk(group._cpu) for pid in groups._pids(folder)}
    return found - {group.keeper}


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a busy machine a process that has ended may keep its group for longer than a run waits for it."""
    monkeypatch.setattr(groups, "_PATIENCE", 60.0)


@pytest.fixture
def sleeper() -> Iterator[Callable[[], int]]:
    """Starts processes that sleep until the end of the test; each one's pid."""
    started: list[subprocess.Popen[bytes]] = []

    def start() -> int:
        started.append(subprocess.Popen(["sleep", "600"]))
        return started[-1].pid

    yield start
    for one in started:
        one.kill()
        one.wait()


@pytest.mark.needs_root
def test_a_group_counts_what_its_processes_use_and_leaves_nothing() -> None:
    """CPU as wait4 says it, memory of the process at its most, and no directory afterwards."""
    waiting, release = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(release)
        os.read(waiting, 1)
        os.execv(sys.executable, [sys.executable, "-I", "-S", "-c", _BURN])
    os.close(waiting)
    try:
        made = _made(pid)
        assert _pids(made) == {pid}
    finally:
        os.close(release)
    used = os.wait4(pid, 0)[2]
    cpu, memory = made.cpu(), made.memory()
    made.close()
    assert cpu is not None
    assert cpu.total == pytest.approx(used.ru_utime + used.ru_stime, rel=0.05)
    assert memory.peak is None or memory.peak > 64 << 20
    assert _left() == []
    assert made.cpu() is None


@pytest.mark.needs_root
def test_who_lives_on_goes_back_to_where_the_run_was_started(sleeper: Callable[[], int]) -> None:
    """A survivor is not ended: it is moved, and the group removed."""
    pid = sleeper()
    before = Path(f"/proc/{pid}/cgroup").read_text()
    made = _made(pid)
    assert Path(f"/proc/{pid}/cgroup").read_text() != before
    made.close()
    assert Path(f"/proc/{pid}/cgroup").read_text() == before
    assert _left() == []


# Makes a group for a held child, says where that is, and waits: for a line, or for the child.
_MONITOR = """
import os, signal, sys
sys.path.insert(0, sys.argv[1])
from bongsu.runs import group
from bongsu.runs.group import Group
group._PATIENCE = 60.0  # of a busy machine
held, release = os.pipe()
pid = os.fork()
if pid == 0:
    os.read(held, 1)
    os.execv(sys.argv[4], sys.argv[4:])
made = Group.make(sys.argv[2], pid)
print(pid, made if isinstance(made, str) else made._cpu, flush=True)
os.write(release, b"g")
if sys.argv[3] == "line":
    sys.stdin.readline()
    os.kill(pid, signal.SIGKILL)
os.waitpid(pid, 0)
made.close()
"""


def _monitoring(run: str, until: str, *argv: str) -> list[str]:
    return [sys.executable, "-I", "-S", "-c", _MONITOR, SRC, run, until, *argv]


def _monitor(*argv: str) -> subprocess.Popen[str]:
    return subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def _said(monitor: subprocess.Popen[str]) -> tuple[int, str]:
    """The pid of its child and the directory of its group."""
    assert monitor.stdout is not None
    pid, where = monitor.stdout.readline().rstrip("\n").split(" ", 1)
    if not where.startswith("/"):
        os.kill(int(pid), signal.SIGKILL)
        pytest.skip(where)
    return int(pid), where


@pytest.mark.needs_root
def test_a_killed_monitors_group_is_removed_by_the_next_run_when_it_is_empty(sleeper: Callable[[], int]) -> None:
    """It stays while its program runs, and the group of a monitor that lives is never touched."""
    sleep = ("/bin/sleep", "600")
    with (
        _monitor(*_monitoring(RUN, "line", *sleep)) as dead,
        _monitor(*_monitoring(OTHER, "line", *sleep)) as alive,
    ):
        started: list[int] = []
        try:
            pid, place = _said(dead)
            started.append(pid)
            survivor, other = _said(alive)
            started.append(survivor)
            dead.kill()
            dead.wait()
            _made(sleeper()).close()
            assert os.path.isdir(place)  # its program runs
            os.kill(started.pop(0), signal.SIGKILL)
            _wait_until(lambda: not os.path.exists(place) or not Path(place, "cgroup.procs").read_text())

            def swept() -> bool:  # who has ended leaves its group a moment after it is no longer listed there
                _made(sleeper()).close()
                return not os.path.exists(place)

            _wait_until(swept)
            assert os.path.isdir(other)
            alive.communicate("\n")
            started.clear()
        finally:
            dead.kill()
            alive.kill()
            for one in started:
                os.kill(one, signal.SIGKILL)
    assert _left() == []


@pytest.mark.needs_root
def test_a_run_in_a_run_has_its_group_in_the_outer_one() -> None:
    """The outer group counts the inner one's processes; each leaves nothing behind."""
    inner = _monitoring(OTHER, "line", "/bin/sleep", "600")
    with _monitor(*_monitoring(RUN, "wait", *inner)) as outer:
        try:
            monitor, place = _said(outer)
            pid, below = _said(outer)
            assert os.path.dirname(below) == place
            assert _pids(Group(place, "", [])) == {monitor, pid}
            outer.communicate("\n")
        finally:
            outer.kill()
    assert _left() == []


@pytest.mark.needs_root
def test_without_the_right_it_says_so() -> None:
    """An unprivileged user who was given no group gets words, not an error, and the program stays where it is."""
    code = (
        "import os, sys; sys.path.insert(0, sys.argv[1]); from bongsu.runs.group import Group\n"
        "before = open('/proc/self/cgroup').read(); print(Group.make('r', os.getpid()))\n"
        "assert open('/proc/self/cgroup').read() == before"
    )
    command = [*run_scenarios.UNPRIVILEGED, run_scenarios.anyones_python(), "-I", "-S", "-c", code, SRC]
    said = subprocess.run(command, check=True, capture_output=True, text=True, cwd="/").stdout
    assert "no cgroup may be made in" in said or "no cgroup file system" in said


@pytest.mark.needs_root
@pytest.mark.parametrize("controller", ["cpu", "pids"])
def test_a_group_that_would_change_the_programs_share_is_not_made(
    controller: str, monkeypatch: pytest.MonkeyPatch, sleeper: Callable[[], int]
) -> None:
    """Where cpuacct is mounted together with cpu a group gets a share of its own: nothing is made; else it is."""
    with real_cgroup(controller) as parent:
        place = str(parent.directories[controller])
        monkeypatch.setattr(groups, "_places", lambda _: {"cpuacct": place})
        made = Group.make(RUN, sleeper())
        if controller == "cpu":
            assert made == "a cgroup here would change the program's share of the CPU"
        else:
            assert isinstance(made, Group)
            made.close()
        assert not [entry for entry in os.scandir(place) if entry.is_dir()]


# Does what systemd does when it is asked for a scope, by the words it is asked with: PIDs au 2 FIRST SECOND.
_BUSCTL = """#!/bin/sh
unit=$(echo "$@" | grep -o '[^ ]*[.]scope' | head -1)
set -- $(echo "$@" | sed 's/.* PIDs au 2 //')
mkdir {place}/$unit && echo $1 > {place}/$unit/cgroup.procs && echo $2 > {place}/$unit/cgroup.procs
"""


def _busctl(folder: Path, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    program = folder / "busctl"
    program.write_text(text)
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(folder))
    monkeypatch.setattr(scope, "_in_own_slice", lambda: True)


@pytest.mark.needs_root
def test_a_scope_lives_until_its_last_reading(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its keeper holds it when the program has ended, is not one of its processes, and ends with the run."""
    if "" not in groups._places(os.getpid()):
        pytest.skip("there is no cgroup v2 here")
    with real_cgroup("") as parent, subprocess.Popen(["sleep", "600"]) as program:
        monkeypatch.setattr(scope, "_PATIENCE", 100.0)
        _busctl(tmp_path, _BUSCTL.format(place=parent.directories[""]), monkeypatch)
        try:
            made = Group.make_scope("20260101-000000-té st-0000", program.pid)
            assert isinstance(made, Group), made
            assert _pids(made) == {program.pid}
            assert made.keeper > 0
        finally:
            program.kill()
        program.wait()
        assert _pids(made) == set()
        assert Path(made._cpu, "cgroup.procs").read_text() == f"{made.keeper}\n"
        assert made._cpu.endswith("bongsu-20260101-000000-t__st-0000.scope")
        assert made.cpu() is not None
        made.close()
        assert not os.path.exists(f"/proc/{made.keeper}")


def _children() -> set[str]:
    return {pid for path in Path("/proc/self/task").glob("*/children") for pid in path.read_text().split()}


@pytest.mark.parametrize(
    ("busctl", "why"),
    [("#!/bin/sh\nexit 3\n", "ended with 3"), ("#!/bin/sh\nexec sleep 600\n", "did not answer in time")],
)
def test_a_scope_that_cannot_be_had_is_said(
    busctl: str, why: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Systemd refuses or does not answer: words, and no keeper is left."""
    monkeypatch.setattr(scope, "_PATIENCE", 1.0 if "sleep" in busctl else 100.0)
    _busctl(tmp_path, busctl, monkeypatch)
    before = _children()
    said = Group.make_scope(RUN, os.getpid())
    assert isinstance(said, str)
    assert why in said
    assert _children() == before


def test_without_a_session_no_scope_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """There is nobody to ask."""
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    monkeypatch.delenv("DBUS_SESSION_BUS_ADDRESS", raising=False)
    assert Group.make_scope(RUN, os.getpid()) == "there is no user session (XDG_RUNTIME_DIR is not set)"


@pytest.mark.parametrize(
    ("lines", "own"),
    [
        ("0::/user.slice/user-{}.slice/session-3.scope\n", True),
        ("4:memory:/user.slice\n1:cpu:/\n0::/user.slice/user-{}.slice/user@{}.service/app.slice/x.scope\n", True),
        ("0::/system.slice/slurmstepd.scope/job_1/step_0/user/task_0\n", False),
        ("4:memory:/slurm/uid_1/job_1\n1:name=systemd:/user.slice/user-{}.slice/session-3.scope\n", False),
        ("0::/user.slice/user-{}1.slice/session-3.scope\n", False),
        ("0::/\n", False),
    ],
)
def test_no_run_is_taken_out_of_a_job(lines: str, own: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only what runs in a session of this very user's, in all hierarchies, may be put into a scope of the user's."""
    file = tmp_path / "cgroup"
    file.write_text(lines.format(os.getuid(), os.getuid()))
    monkeypatch.setattr(scope, "open", lambda _, **how: file.open(**how), raising=False)
    assert scope._in_own_slice() is own
