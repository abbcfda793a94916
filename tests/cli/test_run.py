"""`bongsu run` as a user has it: exit codes, options, what is kept, what is said."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from bongsu.cli import run_metadata
from bongsu.owners.resolver import resolver_of
from bongsu.sources.root import Machine
from cli.command import ARGV, bongsu, complaint, environment

GENEROUS = 120.0


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """Where the runs of a test are kept."""
    return tmp_path / "runs"


def _run(runs: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return bongsu("run", "--runs-dir", str(runs), *arguments)


def _only(runs: Path) -> Path:
    (folder,) = runs.iterdir()
    return folder


def _known(runs: Path) -> dict[str, Any]:
    return dict(json.loads((_only(runs) / "run.json").read_bytes()))


@pytest.mark.parametrize(
    ("command", "code"),
    [
        (("true",), 0),
        (("sh", "-c", "exit 3"), 3),
        (("sh", "-c", "exit 255"), 255),
        (("sh", "-c", "kill -TERM $$"), 128 + 15),
        (("sh", "-c", "kill -KILL $$"), 128 + 9),
        (("sh", "-c", "kill -INT $$"), 128 + 2),
        (("no-such-command-of-all",), 127),
        (("/no/such/directory/command",), 127),
        (("/etc/passwd",), 126),
        (("/",), 126),
    ],
)
def test_the_exit_code_is_the_commands(runs: Path, command: tuple[str, ...], code: int) -> None:
    """Whatever the command ends with is what the caller sees, as a shell would say it."""
    done = _run(runs, "--quiet", "--", *command)
    assert done.returncode == code, done.stderr


def test_of_a_command_that_never_was_nothing_is_kept(runs: Path) -> None:
    """A mistyped name leaves no run behind, and one line."""
    done = _run(runs, "no-such-command-of-all")
    assert done.stderr == "bongsu: no-such-command-of-all: no such file or directory\n"
    assert list(runs.iterdir()) == []


def test_a_script_without_an_interpreter_is_the_shells(runs: Path, tmp_path: Path) -> None:
    """As execvp(3) has it, and so env(1), time(1) and a shell."""
    script = tmp_path / "script"
    script.write_text("echo $1; exit 6\n")
    script.chmod(0o755)
    done = _run(runs, "--quiet", str(script), "word")
    assert (done.stdout, done.returncode) == ("word\n", 6)


@pytest.mark.parametrize(
    "arguments",
    [
        (), ("--no-such-option", "true"), ("--interval", "0", "true"), ("--interval", "-1", "true"),
        ("--interval", "nan", "true"), ("--interval", "1e99", "true"), ("--monitoring-interval", "5x", "true"),
        ("--timeout", "soon", "true"), ("--max-rss", "8apples", "true"), ("--alert", "rss", "true"),
        ("--alert", "colour>3", "true"), ("--alert", "rss>", "true"), ("--alert", "processes>1.5", "true"),
        ("--on-alert", "'", "--alert", "rss>1", "true"), ("--output", "report.docx", "true"),
        ("--output", "{colour}.json", "true"), ("--output", "/no/such/place/x.json", "true"),
        ("--functions", "train", "true"), ("--attach", "nobody"), ("--attach", "1x"), ("--attach", "4194999"), ("--attach", "0"), ("--report-folder-to", "77", "true"),
        ("--attach", "1", "true"), ("--vs", "true", "true"), ("--repeat", "0", "true"),
        ("--repeat", "2", "--attach", "1"), ("--attach", "1", "--functions", "app:f"), ("--attach", "1", "--capture"),
        ("--attach", "1", "--wait-all"), ("--attach", "1", "--disable-monitoring"), ("--repeat", "2", "--disable-monitoring", "true"),
        ("--repeat", "2", "--run-dir", "new", "true"), ("--tag", "", "true"), ("--name", "", "true"), ("--tag", "ok", "--tag", " ", "true"),
    ],
)  # fmt: skip
def test_a_failure_of_its_own_is_125_and_the_command_is_not_run(runs: Path, arguments: tuple[str, ...]) -> None:
    """What cannot be used is said in one line, before anything begins; 125 is none of the command's codes."""
    line = complaint("run", "--runs-dir", str(runs), *arguments, code=125)
    assert len(line) < 250
    assert not runs.exists()


def test_a_place_that_cannot_be_written_is_125(tmp_path: Path) -> None:
    """A record was asked for and cannot be had: the line says where, why and the cure, and nothing is run."""
    (tmp_path / "file").write_text("")
    line = complaint("run", "--runs-dir", str(tmp_path / "file" / "runs"), "touch", str(tmp_path / "ran"), code=125)
    assert "--runs-dir" in line
    assert not (tmp_path / "ran").exists()


def test_a_full_disk_at_the_start_is_125() -> None:
    """Where not even the first line of the record can be written, nothing is run."""
    done = subprocess.run(
        ["unshare", "-m", "sh", "-c",
         'mount -t tmpfs -o size=4k,nr_inodes=20 none /mnt && shift 0 && exec "$@" run --runs-dir /mnt/runs echo ran', "sh", *ARGV],
        capture_output=True, text=True, check=False, timeout=150, env=environment(),
    )  # fmt: skip
    if "unshare" in done.stderr or "mount" in done.stderr:
        pytest.skip("only root can make a full disk")
    assert (done.returncode, done.stdout) == (125, "")
    assert len(done.stderr.splitlines()) == 1
    assert "no space left" in done.stderr


def test_a_fault_of_ours_before_it_runs_is_125_too() -> None:
    """Whatever goes wrong before there is a COMMAND is told from what COMMAND ends with."""
    script = "from bongsu.cli import main, run; run._checked = lambda *_, **__: 1 / 0; main.main()"
    argv = [sys.executable, "-c", script, "run", "--", "echo", "ran"]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=150, env=environment())
    assert (done.returncode, done.stdout) == (125, "")
    assert "unexpected ZeroDivisionError" in done.stderr


def test_without_a_thread_the_owner_stays_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where memory is too narrow for one more thread (ulimit -v) the run is recorded all the same."""

    def refuses(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuses)
    assert run_metadata._Owner(os.getpid()).answer() is None


def test_a_machine_whose_proc_is_not_mounted_is_told(tmp_path: Path) -> None:
    """Without /proc no process is seen: that is said, and not that the command has ended."""
    hidden = ["unshare", "--mount", "--propagation", "private", "sh", "-c", 'umount -l /proc && exec "$@"', "sh"]
    if subprocess.run([*hidden, "true"], capture_output=True, check=False).returncode:
        pytest.skip("only root may unmount /proc for itself")
    done = subprocess.run(
        [*hidden, *ARGV, "run", "--runs-dir", str(tmp_path), "--", "true"], capture_output=True, text=True, check=False,
        timeout=150, env=environment(),
    )  # fmt: skip
    assert done.returncode == 125
    assert "/proc is not mounted here" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_fault_of_ours_while_it_runs_does_not_end_it(runs: Path, tmp_path: Path) -> None:
    """Whatever breaks in the monitor: the command runs to its end, and its exit code is passed on."""
    script = (
        "import sys, runpy; sys.argv = ['bongsu', *sys.argv[1:]]\n"
        "from bongsu.runs import monitor\n"
        "monitor._START_UP = monitor._START_UP.replace('main(int', 'import bongsu.runs.watch as w; '\n"
        " 'w.Watch._heed = lambda *_: 1 / 0; main(int')\n"
        "from bongsu.cli.main import main; main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, "run", "--runs-dir", str(runs), "--", "sh", "-c", "sleep 0.2; echo end; exit 8"],
        capture_output=True, text=True, check=False, timeout=150, env=environment(),
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (8, "end\n"), done.stderr
    assert "could not be recorded: ZeroDivisionError" in done.stderr


def test_options_after_the_command_are_its_own(runs: Path) -> None:
    """`--` may be left out: what follows the command's name is never ours."""
    done = _run(runs, "--quiet", "echo", "--quiet", "--interval", "0", "--", "-h")
    assert done.stdout == "--quiet --interval 0 -- -h\n"


def test_what_is_not_utf8_is_handed_on_as_it_is(runs: Path) -> None:
    """The command's words, its name and its environment are bytes."""
    word = b"caf\xe9 \xff"
    done = subprocess.run(
        [*map(str.encode, ARGV), b"run", b"--runs-dir", bytes(runs), b"--quiet", b"--", b"printenv", b"WORD"],
        capture_output=True, check=False, timeout=150, env={**os.environb, b"WORD": word},
    )  # fmt: skip
    assert (done.stdout, done.stderr) == (word + b"\n", b"")
    done = subprocess.run(
        [*map(str.encode, ARGV), b"run", b"--runs-dir", bytes(runs), b"--", b"printf", b"%s", word],
        capture_output=True, check=False, timeout=150, env=environment(),
    )  # fmt: skip
    assert done.stdout == word
    assert done.returncode == 0


def test_the_environment_is_the_commands_but_for_the_folder(runs: Path) -> None:
    """Nothing is added but BONGSU_RUN_DIR, also in the C locale, where Python would set LC_CTYPE."""
    given = {"PATH": os.environ["PATH"], "A": "1", "EMPTY": ""}
    argv = [*ARGV, "run", "--runs-dir", str(runs), "--quiet", "env", "-0"]
    done = subprocess.run(argv, capture_output=True, check=True, timeout=150, env=given)
    found = dict(entry.split("=", 1) for entry in done.stdout.decode().split("\0") if entry)
    assert found == {**given, "BONGSU_RUN_DIR": str(_only(runs))}


def test_a_run_knows_how_it_was_asked_for(runs: Path) -> None:
    """run.json holds the command without its secrets, labels, the machine and an environment of allowed names only."""
    done = bongsu(
        "run", "--runs-dir", str(runs), "--tag", "a", "--tag", "b", "--message", "why", "--name", "first", "--quiet",
        "env", "--password=hunter2",
        env={"OMP_NUM_THREADS": "3", "AWS_SECRET_ACCESS_KEY": "x", "SLURM_JOB_ID": "17", "SLURM_JWT": "e30.secret"},
    )  # fmt: skip
    assert done.returncode == 125  # env's own answer to an option that it does not know
    known = _known(runs)
    assert known["command"] == ["env", "--password=***"]
    assert (known["tags"], known["message"], known["name"]) == (["a", "b"], "why", "first")
    held = known["environment"]
    assert isinstance(held, dict)
    assert (held["OMP_NUM_THREADS"], held["SLURM_JOB_ID"]) == ("3", "17")
    assert "AWS_SECRET_ACCESS_KEY" not in held
    assert "secret" not in json.dumps(known)
    assert "hunter2" not in json.dumps(known)
    assert known["cpus"] == len(os.sched_getaffinity(0))
    assert known["memory_bytes"]
    assert known["kernel"] == f"Linux {os.uname().release}"


def test_whose_a_run_is_is_found_but_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """The owner is that of the owners room; an answer that takes its time is left out."""
    monkeypatch.setattr(run_metadata, "_PATIENCE_SECONDS", GENEROUS)
    found = run_metadata._Owner(os.getpid()).answer()
    assert found is not None
    seen = resolver_of(Machine.at()).one(os.getpid())
    assert seen is not None
    assert found.key == seen.placed.owner.key
    monkeypatch.setattr(run_metadata, "_PATIENCE_SECONDS", 0.01)
    waiting = threading.Event()
    monkeypatch.setattr("bongsu.owners.resolver.resolver_of", lambda _machine: waiting.wait())
    assert run_metadata._Owner(os.getpid()).answer() is None
    waiting.set()


def test_the_revision_is_that_of_the_directory_and_no_hook_runs(runs: Path, tmp_path: Path) -> None:
    """Git is asked where the command starts, whether files differ too; what the repository configures is not run."""
    env = {"GIT_CONFIG_GLOBAL": "/dev/null", "GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@b", "GIT_COMMITTER_NAME": "a",
           "GIT_COMMITTER_EMAIL": "a@b"}  # fmt: skip
    place = tmp_path / "code"
    script = "git init -q . && echo 1 > f && git add f && git commit -qm x && git rev-parse HEAD"
    place.mkdir()
    made = subprocess.run(
        ["sh", "-c", script], cwd=place, env={**os.environ, **env}, capture_output=True, text=True, check=True
    )
    hook = tmp_path / "hook"
    hook.write_text(f"#!/bin/sh\ntouch {tmp_path}/hooked\n")
    hook.chmod(0o755)
    subprocess.run(["git", "config", "core.fsmonitor", str(hook)], cwd=place, check=True)
    (place / "f").write_text("2\n")
    patient = "from bongsu.cli import main, run_metadata; run_metadata._STATUS_SECONDS = 100.0; main.main()"
    subprocess.run(
        [sys.executable, "-c", patient, "run", "--runs-dir", str(runs), "--quiet", "true"], cwd=place, check=True,
        env=environment(**env),
    )  # fmt: skip
    known = _known(runs)
    assert known["git_revision"] == made.stdout.strip()
    assert known["git_dirty"] is True
    assert not (tmp_path / "hooked").exists()


def test_the_summary_goes_to_standard_error_only_and_quiet_says_nothing(runs: Path) -> None:
    """Standard output is the command's; a few lines at the end, the last of which leads on."""
    done = _run(runs, "echo", "out")
    assert done.stdout == "out\n"
    assert done.stderr.splitlines()[-1].split()[:4] == ["report", "bongsu", "report", "show"]
    assert (_only(runs) / "summary.json").exists()
    assert _run(runs, "--quiet", "echo", "out").stderr == ""


@pytest.mark.parametrize("ending", ["json", "csv", "html"])
def test_a_report_is_written_where_it_was_asked_for(runs: Path, tmp_path: Path, ending: str) -> None:
    """The name is a template, in strftime's letters, in ours and in those of the source document."""
    template = f"{tmp_path}/performance_YYYYMMDD_HHMMSS_%Y_{{name}}_{{exit_code}}.{ending}"
    assert _run(runs, "--quiet", "--name", "a/b", "--output", template, "sh", "-c", "exit 4").returncode == 4
    (file,) = tmp_path.glob("performance_*")
    assert re.fullmatch(rf"performance_\d{{8}}_\d{{6}}_\d{{4}}_a_b_4\.{ending}", file.name)
    if ending == "json":
        written = json.loads(file.read_bytes())
        assert written["metadata"]["exit_code"] == 4
        assert written["schema"] == "bongsu-run/1"
    assert file.stat().st_size > 100


def test_several_reports_are_written(runs: Path, tmp_path: Path) -> None:
    """--output may be given more than once: none of them is forgotten."""
    outputs = [word for ending in ("json", "csv", "html") for word in ("--output", f"{tmp_path}/it.{ending}")]
    assert _run(runs, "--quiet", *outputs, "true").returncode == 0
    assert {path.name for path in tmp_path.glob("it.*")} == {"it.json", "it.csv", "it.html"}
    assert "tells the format" in complaint("run", *outputs, "--output", "it.pdf", "true", code=125)


def test_what_ends_a_process_must_not_end_the_recorder(runs: Path) -> None:
    """Attached to the shell it was started from, a limit would end the shell with the recorder in it, or the whole machine."""
    for limit in (("--max-rss", "1TB"), ("--alert", "rss>1TB", "--on-alert", "end")):
        line = 'program=$1; shift; "$program" "$@" --attach $$; echo $?'
        argv = ["sh", "-c", line, "sh", *ARGV, "run", "--runs-dir", str(runs), *limit]
        done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=GENEROUS, env=environment())
        assert done.stdout == "125\n", done.stderr
        assert "this command is among them" in done.stderr
    assert not runs.exists()


def test_a_run_of_an_exact_name(runs: Path, tmp_path: Path) -> None:
    """--run-dir makes just this folder, and none that exists is written to."""
    place = tmp_path / "mine"
    assert bongsu("run", "--run-dir", str(place), "--quiet", "true").returncode == 0
    assert (place / "record.seg").exists()
    assert "exists" in complaint("run", "--run-dir", str(place), "true", code=125)


def test_nothing_is_recorded_if_that_is_asked_for(runs: Path) -> None:
    """--disable-monitoring is the command alone: no folder, its exit code, no variable."""
    done = _run(runs, "--disable-monitoring", "--", "sh", "-c", "echo ${BONGSU_RUN_DIR-none}; exit 9")
    assert (done.stdout, done.stderr, done.returncode) == ("none\n", "", 9)
    assert not runs.exists()
    assert _run(runs, "--disable-monitoring", "no-such-command-of-all").returncode == 127


def test_a_run_within_a_run_knows_it(runs: Path) -> None:
    """The parent's id stands in the inner run's metadata."""
    assert _run(runs, "--quiet", "--name", "outer", "--", *ARGV, "run", "--runs-dir", str(runs), "--quiet", "--name",
                "inner", "true").returncode == 0  # fmt: skip
    known = {one["name"]: one for one in (json.loads((f / "run.json").read_bytes()) for f in runs.iterdir())}
    assert known["inner"]["parent"] == known["outer"]["id"]
    assert known["outer"]["parent"] == ""


def test_a_timeout_ends_all_of_it_with_124(runs: Path, tmp_path: Path) -> None:
    """TERM to the command and all that it started, and KILL to what does not heed it; a stopped one too."""
    script = f"(trap '' TERM; sleep 600 & echo $! > {tmp_path}/pid; wait; sleep 600) & kill -STOP $$; sleep 600"
    done = _run(runs, "--timeout", "5s", "--kill-after", "300ms", "--", "sh", "-c", script)
    assert done.returncode == 124, done.stderr
    assert "5 s are over" in done.stderr
    _wait_until_gone(int((tmp_path / "pid").read_text()))


def test_a_limit_ends_the_program(runs: Path) -> None:
    """--max-… sends TERM when a sample is above it, and says so."""
    done = _run(runs, "--interval", "50ms", "--max-processes", "2", "sh", "-c", "sleep 600 & sleep 600 & wait")
    assert done.returncode == 128 + signal.SIGTERM
    assert "above 2; the program is ended" in done.stderr


def test_an_alert_runs_a_command_once_for_each_crossing(runs: Path, tmp_path: Path) -> None:
    """It gets what was crossed in its environment, no shell sees it, and its output is not the program's."""
    told = tmp_path / "told"
    hook = tmp_path / "hook"
    hook.write_text(f'#!/bin/sh\necho "$1 $BONGSU_ALERT $BONGSU_ALERT_LIMIT" >> {told}; echo noise\n')
    hook.chmod(0o755)
    done = _run(
        runs, "--interval", "50ms", "--alert", "wall>100ms", "--on-alert", f"{hook} '$HOME; x'", "--",
        "sh", "-c", f"while [ ! -s {told} ]; do sleep 0.05; done; sleep 0.5; echo end",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout == "end\n"
    assert told.read_text() == "$HOME; x wall 0.1\n"
    assert "wall is" in done.stderr


def test_wait_all_waits_for_what_was_left_behind(runs: Path, tmp_path: Path) -> None:
    """Without it the run ends with the command and kills nothing; with it the run goes on, with the command's code."""
    late = f"sleep 1; while [ ! -e {tmp_path}/go ]; do sleep 0.05; done; echo late > {tmp_path}/file"
    left = f"(setsid sh -c '{late}' >/dev/null 2>&1 &) ; exit 5"
    assert _run(runs, "--quiet", "sh", "-c", left).returncode == 5
    assert not (tmp_path / "file").exists()
    (tmp_path / "go").touch()
    end = time.monotonic() + GENEROUS
    while not (tmp_path / "file").exists():
        assert time.monotonic() < end, "what was left behind was killed"
        time.sleep(0.05)
    (tmp_path / "file").unlink()
    assert _run(runs, "--quiet", "--wait-all", "sh", "-c", left).returncode == 5
    assert (tmp_path / "file").exists()


def test_a_process_that_runs_already_is_recorded_until_it_ends(runs: Path) -> None:
    """--attach leaves it as it is, tells where the record lies on a descriptor, and ends with it."""
    with subprocess.Popen(["sleep", "600"]) as sleeper:
        ours, theirs = os.pipe()
        with subprocess.Popen(
            [*ARGV, "run", "--runs-dir", str(runs), "--attach", str(sleeper.pid), "--report-folder-to", str(theirs)],
            pass_fds=[theirs], stderr=subprocess.PIPE, text=True, env=environment(),
        ) as recorder:  # fmt: skip
            os.close(theirs)
            with os.fdopen(ours) as told:
                assert told.read() == f"{_only(runs)}\n"  # ends, so nobody else holds the other end
            assert recorder.poll() is None
            sleeper.kill()
            assert recorder.wait(GENEROUS) == 0
            assert recorder.stderr is not None
            assert "sleep took" in recorder.stderr.read()
    known = _known(runs)
    assert (known["attached"], known["name"]) == (True, "sleep")
    assert 0 <= known["attached_after_seconds"] < known["started"]


def test_what_is_attached_to_is_told_as_it_is(runs: Path, tmp_path: Path) -> None:
    """Command, directory and environment are those of the process, not of the recorder; its secrets are not written."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    script = "print(flush=True); import time; time.sleep(600)"
    argv = [sys.executable, "-c", script, "--token", "hunter2hunter2"]
    with subprocess.Popen(
        argv, cwd=elsewhere, env={"OMP_NUM_THREADS": "7"}, stdout=subprocess.PIPE
    ) as process, subprocess.Popen(
        [*ARGV, "run", "--runs-dir", str(runs), "--quiet", "--interval", "50ms", "--attach", str(process.pid)], env=environment(),
    ) as recorder:  # fmt: skip
        assert process.stdout is not None
        process.stdout.readline()
        deadline = time.monotonic() + GENEROUS
        while not any(b'["born"' in path.read_bytes() for path in runs.glob("*/record.seg")):
            assert time.monotonic() < deadline
            time.sleep(0.02)
        process.kill()
        assert recorder.wait(GENEROUS) == 0
    known = _known(runs)
    assert known["command"] == [sys.executable, "-c", script, "--token", "***"]
    assert (known["directory"], known["environment"]) == (str(elsewhere), {"OMP_NUM_THREADS": "7"})
    assert all(b"hunter2" not in path.read_bytes() for path in runs.rglob("*") if path.is_file())


def test_no_program_at_all_is_named(runs: Path) -> None:
    """An empty word is told as one, and a full or forbidden disk by the folder."""
    done = _run(runs, "--", "")
    assert (done.returncode, done.stderr) == (127, "bongsu: '': no such file or directory\n")


def test_detaching_leaves_the_process_alone(runs: Path) -> None:
    """Ctrl-C ends the record, not what is recorded; that one's exit code is unknown, in the name of a file too."""
    with subprocess.Popen(["sleep", "600"]) as sleeper:
        ours, theirs = os.pipe()
        with subprocess.Popen(
            [*ARGV, "run", "--runs-dir", str(runs), "--quiet", "--attach", str(sleeper.pid), "--report-folder-to",
             str(theirs), "--output", f"{runs.parent}/{{exit_code}}.json"], pass_fds=[theirs], env=environment(),
        ) as recorder:  # fmt: skip
            os.close(theirs)
            with os.fdopen(ours) as told:
                told.read()
            recorder.send_signal(signal.SIGINT)
            assert recorder.wait(GENEROUS) == 0
        assert [path.name for path in runs.parent.glob("*.json")] == ["unknown.json"]
        assert sleeper.poll() is None
        sleeper.kill()


def test_programs_on_the_path_are_completed(runs: Path) -> None:
    """The first word is completed from PATH."""
    from click.shell_completion import ShellComplete

    from bongsu.cli.main import cli

    found = ShellComplete(cli, {}, "bongsu", "_BONGSU_COMPLETE").get_completions(
        ["run"], os.path.basename(sys.executable)[:5]
    )
    assert os.path.basename(sys.executable)[:5] in {item.value[:5] for item in found}


def _wait_until_gone(pid: int) -> None:
    end = time.monotonic() + GENEROUS
    while time.monotonic() < end:
        try:
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in "ZX":
                return
        except FileNotFoundError:
            return
        time.sleep(0.05)
    raise AssertionError(f"process {pid} is still there")
