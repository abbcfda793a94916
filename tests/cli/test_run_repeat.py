"""`bongsu run --repeat`: commands in turn, and what they took."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from cli.command import ARGV, _heed_signals, bongsu, complaint, environment


def _runs(directory: Path) -> list[dict[str, Any]]:
    """What run.json says, in the order in which they were started."""
    known = [json.loads(path.read_text()) for path in directory.glob("*/run.json")]
    return sorted(known, key=lambda run: run["started"])


def _told(stderr: str) -> list[str]:
    return [line for line in stderr.splitlines() if line.startswith("bongsu: run ")]


def test_two_commands_are_run_in_turn_and_compared(tmp_path: Path) -> None:
    """ABBA, all of one experiment; stdout is the commands' own, the comparison is on stderr and can be had again."""
    done = bongsu("run", "--runs-dir", str(tmp_path), "--repeat", "2", "--vs", "echo 'a  b'", "--", "echo", "b")
    assert (done.returncode, done.stdout) == (0, "a  b\nb\nb\na  b\n")
    assert _told(done.stderr) == [f"bongsu: run {n} of 4: {side}" for n, side in enumerate("ABBA", 1)]
    assert "A (2 runs) echo 'a  b'" in done.stderr
    told = " ".join(done.stderr.split())
    assert "make 4 a side" in told or "the same in all runs: wall time" in told  # to the millisecond
    runs = _runs(tmp_path)
    assert len({run["experiment"] for run in runs}) == 1
    assert [run["tags"][0][-2:] for run in runs] == ["-A", "-B", "-B", "-A"]
    again = done.stderr.splitlines()[-1].removeprefix("again: bongsu ").split()
    shown = bongsu(*again, env={"BONGSU_RUNS_DIR": str(tmp_path)})
    assert shown.returncode == 0
    assert "A (2 runs) echo 'a  b'" in shown.stdout.splitlines()


def test_one_command_shows_its_noise(tmp_path: Path) -> None:
    """Without another command its runs are summed up; those to warm up are not among them."""
    done = bongsu("run", "--runs-dir", str(tmp_path), "--repeat", "4", "--warmup", "1", "--tag", "mine", "--", "true")
    assert done.returncode == 0
    assert _told(done.stderr)[0] == "bongsu: run 1 of 5: warming up A"
    assert "A (4 runs) true" in done.stderr
    assert "noise of wall time: ±" in done.stderr
    assert [run["tags"][0] for run in _runs(tmp_path)] == ["mine"] * 5


def test_a_seed_shuffles_and_quiet_says_nothing(tmp_path: Path) -> None:
    """The same seed gives the same order each time."""
    outs = [
        bongsu(
            "run", "--runs-dir", str(tmp_path), "--quiet", "--repeat", "4", "--seed", "3", "--vs", "echo a", "--", "echo", "b"
        )
        for _ in range(2)
    ]  # fmt: skip
    assert [done.stderr for done in outs] == ["", ""]
    assert outs[0].stdout == outs[1].stdout
    assert sorted(outs[0].stdout.split()) == ["a"] * 4 + ["b"] * 4


@pytest.mark.parametrize("ignoring", [False, True])
def test_a_failure_stops_it_or_is_ignored(ignoring: bool, tmp_path: Path) -> None:
    """What is there is compared; the exit code is the command's, or 0 where failures are to be ignored."""
    more = ["--ignore-failure"] if ignoring else []
    done = bongsu(
        "run", "--runs-dir", str(tmp_path), "--repeat", "2", *more, "--vs", "true", "--", "sh", "-c", "exit 7"
    )
    assert done.returncode == (0 if ignoring else 7)
    assert len(_told(done.stderr)) == (4 if ignoring else 2) + (not ignoring)
    if ignoring:
        assert "note: 2 of 2 runs of B failed: exit code 7" in " ".join(done.stderr.split())
    else:
        assert "run 2 ended with exit code 7, so there are no more; --ignore-failure goes on" in done.stderr


def test_what_cannot_be_repeated(tmp_path: Path) -> None:
    """A command that is none is said to be, before anything runs; nothing is recorded."""
    for text, why in (("'", "no closing quotation"), ("", "give the command to compare with")):
        done = bongsu("run", "--runs-dir", str(tmp_path), "--repeat", "2", "--vs", text, "--", "true")
        assert (done.returncode, done.stdout) == (125, "")
        assert why in done.stderr
    missing = bongsu(
        "run", "--runs-dir", str(tmp_path / "x"), "--repeat", "2", "--ignore-failure", "--", "no-such-command-here"
    )
    assert "no-such-command-here" in missing.stderr
    assert not list(tmp_path.glob("*/run.json"))


def test_each_run_writes_its_report(tmp_path: Path) -> None:
    """--output with --repeat gives a file for each; a name that does not tell them apart is refused."""
    runs, out = tmp_path / "runs", tmp_path / "out"
    out.mkdir()
    argv = ("run", "--runs-dir", str(runs), "--quiet", "--repeat", "2", "--output")
    assert bongsu(*argv, f"{out}/{{id}}.json", "true").returncode == 0
    assert {path.stem for path in out.iterdir()} == {run["id"] for run in _runs(runs)}
    assert "put {id} into its name" in complaint(*argv, f"{out}/one.json", "true", code=125)
    assert len(_runs(runs)) == 2


def test_ctrl_c_ends_it_and_compares_what_is_there(tmp_path: Path) -> None:
    """As the terminal sends it, to all: the runs that were completed are compared, the exit code is 130."""
    flag = tmp_path / "flag"
    slow = f"test -e {flag} && exec sleep 600; touch {flag}"
    argv = [*ARGV, "run", "--runs-dir", str(tmp_path), "--repeat", "3", "--vs", "true", "--", "sh", "-c", slow]
    with subprocess.Popen(
        argv, stderr=subprocess.PIPE, text=True, start_new_session=True, env=environment(), stdin=subprocess.DEVNULL,
        preexec_fn=_heed_signals,  # noqa: PLW1509  the tests have no threads that fork could harm
    ) as process:  # fmt: skip
        try:
            deadline = time.monotonic() + 120
            while "sleep" not in _commands_of(process.pid) and time.monotonic() < deadline:
                time.sleep(0.05)
            os.killpg(process.pid, signal.SIGINT)
            _, err = process.communicate(timeout=120)
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
    assert process.returncode == 130
    assert "A (1 run) true" in err
    assert "B (1 run) sh -c" in err
    assert "Traceback" not in err


def _commands_of(session: int) -> set[str]:
    """Names of the processes of a session."""
    found = set()
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            name, fields = path.read_text(errors="replace").split("(", 1)[1].rsplit(")", 1)
        except OSError:
            continue
        if fields.split()[3] == str(session):
            found.add(name)
    return found
