"""Runs the real `bongsu` as a user would, in a process of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

ARGV = (sys.executable, "-m", "bongsu")


def environment(**more: str) -> dict[str, str]:
    """The environment without anything of ours that the tester may have set, and with ``more``."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("BONGSU_", "XDG_"))}
    return {**kept, "NO_COLOR": "1", "COLUMNS": "80", **more}


def bongsu(*arguments: str, env: Mapping[str, str] | None = None, stdin: str = "") -> subprocess.CompletedProcess[str]:
    """One finished run."""
    return subprocess.run(
        [*ARGV, *arguments], capture_output=True, text=True, check=False, timeout=150, input=stdin,
        env=environment(**(env or {})),
    )  # fmt: skip


def complaint(*arguments: str, env: Mapping[str, str] | None = None, code: int = 2) -> str:
    """The one line that a bad call gets on stderr; nothing on stdout, and the exit code is 2."""
    done = bongsu(*arguments, env=env)
    assert "Traceback" not in done.stderr
    assert done.returncode == code, (done.returncode, done.stderr)
    assert done.stdout == ""
    lines = done.stderr.splitlines()
    assert len(lines) == 1, lines
    assert lines[0].startswith("bongsu: ")
    return lines[0].removeprefix("bongsu: ")


@contextmanager
def running(*arguments: str, env: Mapping[str, str] | None = None) -> Iterator[subprocess.Popen[str]]:
    """A run that goes on; killed at the end if it is still there. Errors are in ``stderr`` when it has ended."""
    with subprocess.Popen(
        [*ARGV, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment(**(env or {})),
        preexec_fn=_heed_signals,  # noqa: PLW1509  the tests have no threads that fork could harm
    ) as process:  # fmt: skip
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()


def end(process: subprocess.Popen[str], number: int = signal.SIGTERM) -> tuple[int, float]:
    """Send a signal; the exit code and the seconds it took."""
    started = time.monotonic()
    process.send_signal(number)
    code = process.wait(120)
    return code, time.monotonic() - started


def _heed_signals() -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
