"""How the command of a run is started: what it inherits, and that it starts whatever becomes of us."""

from __future__ import annotations

import errno
import os
import signal
import time
from pathlib import Path

import pytest

from bongsu.runs.launch import Launch, exec_failed, original_environment

GENEROUS = 120.0


def _ended(pid: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def test_the_command_waits_until_it_may_go(tmp_path: Path) -> None:
    """What it is watched by is opened between its fork and its first instruction."""
    launch = Launch(["touch", str(tmp_path / "ran")], os.environb)
    time.sleep(0.2)
    assert not (tmp_path / "ran").exists()
    assert launch.go() == 0
    assert _ended(launch.pid) == 0
    assert (tmp_path / "ran").exists()


def test_a_command_that_is_called_off_never_runs(tmp_path: Path) -> None:
    """Where nothing could be recorded, nothing was done."""
    launch = Launch(["touch", str(tmp_path / "ran")], os.environb)
    launch.call_off()
    assert _ended(launch.pid) == 125
    assert not (tmp_path / "ran").exists()


def test_a_monitor_that_dies_before_it_said_go_does_not_keep_the_command_from_running(tmp_path: Path) -> None:
    """The held child sees the pipe close, and becomes the command."""
    monitor = os.fork()
    if monitor == 0:
        try:
            Launch(["touch", str(tmp_path / "ran")], os.environb)
            os.kill(os.getpid(), signal.SIGKILL)
        finally:
            os._exit(1)
    assert _ended(monitor) == -signal.SIGKILL
    end = time.monotonic() + GENEROUS
    while not (tmp_path / "ran").exists():
        assert time.monotonic() < end
        time.sleep(0.02)


@pytest.mark.parametrize(
    ("argv", "number"),
    [
        (["no-such-command-of-all"], errno.ENOENT), (["/etc/passwd/x"], errno.ENOTDIR), (["/etc"], errno.EACCES),
        (["/etc/passwd"], errno.EACCES), ([""], errno.ENOENT), (["true\0"], errno.EINVAL), (["true", "x" * 3_000_000], errno.E2BIG),
    ],
)  # fmt: skip
def test_why_it_cannot_be_executed_comes_back(argv: list[str], number: int) -> None:
    """The errno of execve(2), and the exit code that shells and env(1) have for it."""
    launch = Launch(argv, os.environb)
    assert launch.go() == number
    assert _ended(launch.pid) == exec_failed(number) == (127 if number in (errno.ENOENT, errno.ENOTDIR) else 126)


def test_a_program_that_may_not_be_executed_is_passed_over_on_the_path(tmp_path: Path) -> None:
    """As execvp(3): a later one is taken, and if there is none the refusal is the answer."""
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "tool").write_text("#!/bin/sh\nexit 9\n")
    (tmp_path / "second" / "tool").chmod(0o755)
    both = {b"PATH": os.fsencode(f"{tmp_path}/first:{tmp_path}/second")}
    launch = Launch(["tool"], both)
    assert launch.go() == 0
    assert _ended(launch.pid) == 9
    launch = Launch(["tool"], {b"PATH": os.fsencode(f"{tmp_path}/first:{tmp_path}/none")})
    assert launch.go() == errno.EACCES
    assert _ended(launch.pid) == 126


def test_the_environment_is_the_one_that_the_process_was_given() -> None:
    """Not what was set since."""
    assert original_environment().get(b"PATH") is not None
    os.environ["BONGSU_TEST_OF_LAUNCH"] = "1"
    try:
        assert b"BONGSU_TEST_OF_LAUNCH" not in original_environment()
    finally:
        del os.environ["BONGSU_TEST_OF_LAUNCH"]
