"""A process that runs already is recorded from then on, and what is not a process of ours is refused in one line."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bongsu.model.errors import BadInput
from bongsu.records import segment
from bongsu.runs.attach import Attached, found
from bongsu.runs.columns import COLUMNS

_OLD = (
    "import os, subprocess, sys, time\n"
    "def burn(seconds):\n"
    "    end = time.process_time() + seconds\n"
    "    while time.process_time() < end: pass\n"
    "child = [sys.executable, '-I', '-S', '-c', 'import time\\nwhile time.process_time() < 0.3: pass']\n"
    "burn(0.4); subprocess.run(child); print('ready', flush=True); sys.stdin.readline()\n"
    "burn(0.5); subprocess.run(child); sys.stdin.readline()\n"
)


@pytest.fixture
def old() -> Iterator[subprocess.Popen[bytes]]:
    """A program that has used 0.7 s; a line makes it use 0.8 s more, a second one ends it."""
    process = subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", _OLD], stdin=subprocess.PIPE, stdout=subprocess.PIPE, process_group=0
    )
    assert process.stdout is not None
    process.stdout.readline()
    yield process
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.communicate()


def _rows(path: Path) -> dict[str, list[dict[str, Any]]]:
    kinds: dict[str, list[dict[str, Any]]] = {kind: [] for kind in COLUMNS}
    for kind, *values in segment.read(str(path)).records[1:]:
        kinds[kind].append(dict(zip(COLUMNS[kind], values, strict=True)))
    return kinds


def test_what_was_before_is_told_apart(old: subprocess.Popen[bytes], tmp_path: Path) -> None:
    """The record begins at zero, says what had been used before, and has what was used from then on."""
    assert old.stdin is not None
    run = subprocess.Popen(
        [
            sys.executable, "-m", "bongsu", "run", "--quiet", "--interval", "0.1", "--runs-dir", str(tmp_path), "--attach",
            str(old.pid),
        ],
        stdin=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        _until(lambda: any(b'"sample",' in path.read_bytes()[3000:] for path in tmp_path.glob("*/record.seg")))
        old.stdin.write(b"\n")
        old.stdin.flush()
        path = next(tmp_path.glob("*/record.seg"))
        _until(lambda: (_rows(path)["sample"] or [{}])[-1].get("unseen_cpu_seconds", 0) + _used(path) > 0.75)
        old.stdin.write(b"\n")
        old.stdin.flush()
        old.wait(120)
        assert run.wait(120) is not None
    finally:
        run.kill()
        run.wait()
    kinds = _rows(path)
    (past,) = [event["text"] for event in kinds["event"] if event["what"] == "attached"]
    assert "neither is in this record" in past
    assert kinds["born"][0]["start_seconds"] < 0
    sampled = kinds["end"][0]["sources"]["sampled"]
    assert 0.75 < sampled < 1.4, "0.8 s and the start of an interpreter, without the 0.7 s and one of before"
    assert kinds["end"][0]["exit_code"] is None
    assert {row["process"] for row in kinds["exited"]} == {row["process"] for row in kinds["born"]}


def test_what_runs_when_it_begins_is_read_at_once(old: subprocess.Popen[bytes], tmp_path: Path) -> None:
    """Who ends before the first interval is over has a size, and what he read and wrote counts from here on."""
    run = subprocess.Popen(
        [sys.executable, "-m", "bongsu", "run", "--quiet", "--interval", "1h", "--runs-dir", str(tmp_path), "--attach", str(old.pid)],
        stdin=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        _until(lambda: any(_rows(path)["sample"] for path in tmp_path.glob("*/record.seg") if path.stat().st_size))
        old.kill()
        old.wait()
        assert run.wait(120) is not None
    finally:
        run.kill()
        run.wait()
    kinds = _rows(next(tmp_path.glob("*/record.seg")))
    first = kinds["sample"][0]
    assert first["rss_bytes"] > 1 << 20
    assert first["pss_bytes"] > 1 << 16
    assert (first["processes"], first["read_chars"]) == (1, 0)


def test_its_time_is_that_of_the_recording(old: subprocess.Popen[bytes], tmp_path: Path) -> None:
    """--timeout ends what was started here; a process that somebody else started goes on."""
    options = f"--quiet --timeout 1s --runs-dir {tmp_path} --attach {old.pid}".split()
    argv = [sys.executable, "-m", "bongsu", "run", *options]
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, check=False, timeout=150)
    assert done.returncode == 0
    assert old.poll() is None
    kinds = _rows(next(tmp_path.glob("*/record.seg")))
    assert [event["text"] for event in kinds["event"] if event["what"] == "detached"] == ["1 s are over"]
    assert kinds["end"][0]["exit_code"] is None


def test_the_past_is_what_the_kernel_says(old: subprocess.Popen[bytes]) -> None:
    """Own time and that of children are apart; the descriptor tells the end."""
    process = Attached(old.pid)
    try:
        assert 0.35 < process.own_seconds < 1.5
        assert 0.25 < process.children_seconds < 1.5
        assert not select.select([process.pidfd], [], [], 0)[0]
        old.kill()
        assert select.select([process.pidfd], [], [], 120)[0]
    finally:
        process.close()


def test_a_number_that_was_given_to_another_is_not_meant(old: subprocess.Popen[bytes]) -> None:
    """A process is known by its start: the same number with another start is gone."""
    process = Attached(old.pid)
    ticks = process.start_ticks
    process.close()
    Attached(old.pid, ticks).close()
    with pytest.raises(ProcessLookupError, match="another process has its number now"):
        Attached(old.pid, ticks + 1)


def test_a_process_that_has_ended_is_said_to_be_gone() -> None:
    """Neither a free number nor a zombie can be recorded."""
    child = subprocess.Popen(["true"])
    _until(lambda: b") Z " in Path(f"/proc/{child.pid}/stat").read_bytes())
    with pytest.raises(BadInput, match=f"--attach {child.pid}: there is no process {child.pid}"):
        found(child.pid)
    child.wait()
    with pytest.raises(BadInput, match="it may have ended"):
        found(child.pid)
    with pytest.raises(BadInput, match="it may have ended"):
        found(1 << 31)


def test_a_thread_is_not_a_process() -> None:
    """The number of a thread is refused with the process it belongs to, and so is our own."""
    release = threading.Event()
    thread = threading.Thread(target=release.wait)
    thread.start()
    try:
        with pytest.raises(BadInput, match=f"is a thread of process {os.getpid()}; give the number of a process"):
            found(thread.native_id or 0)
    finally:
        release.set()
        thread.join()
    with pytest.raises(BadInput, match="that is this very process"):
        found(os.getpid())


def _used(path: Path) -> float:
    return float((_rows(path)["sample"] or [{}])[-1].get("attributed_cpu_seconds", 0))


def _until(true: Any) -> None:
    end = time.monotonic() + 120
    while not true():
        assert time.monotonic() < end
        time.sleep(0.05)
