"""Signals, stops and the terminal: the command has what it would have without us, once."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from at_terminal import shell, terminal
from cli.command import ARGV, environment

GENEROUS = 120.0
RECORDER = " ".join(ARGV)
# Tells each signal that it gets, in its order; ends at SIGTERM's second or at "end" in its input.
LISTENER = r"""
import os, signal, sys
def tell(number, _frame):
    os.write(1, f"<{signal.Signals(number).name if number < 32 else number}>".encode())
for number in map(int, sys.argv[1].split(",")):
    signal.signal(number, tell)
os.write(1, b"<ready>")
while os.read(0, 100):
    pass
os.write(1, b"<end>")
"""


@contextmanager
def _listening(runs: Path, *numbers: int, options: tuple[str, ...] = (), before: tuple[str, ...] = (), own_group: bool = True
) -> Iterator[subprocess.Popen[bytes]]:  # fmt: skip
    argv = [*before, *ARGV, "run", "--runs-dir", str(runs), "--quiet", *options, "--", sys.executable, "-c", LISTENER,
            ",".join(map(str, numbers))]  # fmt: skip
    with subprocess.Popen(
        argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment(), process_group=0 if own_group else None
    ) as process:
        try:
            _until(process, b"<ready>")
            yield process
        finally:
            process.kill()


def _until(process: subprocess.Popen[bytes], text: bytes) -> bytes:
    assert process.stdout is not None
    seen = b""
    while not seen.endswith(text):
        more = os.read(process.stdout.fileno(), 1)
        assert more, seen
        seen += more
    return seen


def _end(process: subprocess.Popen[bytes]) -> bytes:
    """What was told by the end of it."""
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.close()
    said = process.stdout.read()
    assert process.wait(GENEROUS) == 0
    return said


@pytest.mark.parametrize("number", [1, 2, 3, 10, 12, 15, 28, signal.SIGRTMIN + 3])
def test_what_is_sent_to_us_reaches_the_command_once(tmp_path: Path, number: int) -> None:
    """A signal for the process that the user knows is handed on, also one that we would die of."""
    with _listening(tmp_path, number) as process:
        process.send_signal(number)
        name = signal.Signals(number).name.encode() if number < 32 else str(number).encode()
        _until(process, b"<" + name + b">")
        time.sleep(0.1)  # a second one would follow at once
        assert _end(process) == b"<end>"


@pytest.mark.parametrize("number", [1, 2, 10, 15])
def test_what_is_sent_to_the_group_reaches_the_command_once(tmp_path: Path, number: int) -> None:
    """The kernel gives it to the command itself; we do not give it again. Afterwards our own are handed on as ever."""
    with _listening(tmp_path, number) as process:
        name = b"<" + signal.Signals(number).name.encode() + b">"
        os.killpg(process.pid, number)
        _until(process, name)
        time.sleep(0.3)
        process.send_signal(number)
        assert _until(process, name) == name
        time.sleep(0.1)
        assert _end(process) == b"<end>"


def test_a_value_that_was_queued_with_a_signal_goes_with_it(tmp_path: Path) -> None:
    """sigqueue(3) to us is sigqueue to the command."""
    script = (
        "import os, signal; signal.pthread_sigmask(0, {50}); os.write(1, b'<ready>'); i = signal.sigwaitinfo({50}); "
        "os.write(1, f'<{i.si_code}>'.encode())"
    )
    argv = [*ARGV, "run", "--runs-dir", str(tmp_path), "--quiet", "--", sys.executable, "-c", script]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, env=environment()) as process:
        _until(process, b"<ready>")
        subprocess.run(["kill", "-50", str(process.pid)], check=True)
        _until(process, b"<0>")
        assert process.wait(GENEROUS) == 0


def test_the_command_may_signal_its_parent(tmp_path: Path) -> None:
    """A server that tells its parent that it is ready does not get its own signal back."""
    done = subprocess.run(
        [*ARGV, "run", "--runs-dir", str(tmp_path), "--quiet", "sh", "-c", "kill -USR1 $PPID; sleep 0.3; echo lives"],
        capture_output=True, text=True, check=False, env=environment(), timeout=GENEROUS,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (0, "lives\n")


def test_timeout_ends_it_and_the_command_hears_one_term(tmp_path: Path) -> None:
    """timeout(1) signals us and the group; its alarm is what tells it that the time is over."""
    with _listening(tmp_path, 15, before=("timeout", "--preserve-status", "600"), own_group=False) as process:
        process.send_signal(signal.SIGALRM)
        _until(process, b"<SIGTERM>")
        time.sleep(0.1)
        assert _end(process) == b"<end>"


_TWICE = """
import os, sys, time
pid = int(sys.argv[1])
os.kill(pid, 15)
until = time.monotonic() + 0.005
while time.monotonic() < until: pass
os.killpg(os.getpgid(pid), 15)
"""


def test_who_signals_us_and_then_the_group_is_heard_once(tmp_path: Path) -> None:
    """The group has it while we still look whether it will: then we have it too, and that one is not handed on either."""
    with _listening(tmp_path, 15) as process:
        subprocess.run([sys.executable, "-c", _TWICE, str(process.pid)], check=True, timeout=GENEROUS)
        _until(process, b"<SIGTERM>")
        time.sleep(0.2)
        assert _end(process) == b"<end>"


def _dispositions(*before: str, prepare: Callable[[], None] | None = None) -> dict[str, str]:
    """Without 32 and 33, which glibc keeps to itself and has ignored in what Python 3.13 starts (posix_spawn)."""
    done = subprocess.run(
        [*before, "cat", "/proc/self/status"], capture_output=True, text=True, check=True, env=environment(), timeout=GENEROUS, stdin=subprocess.DEVNULL,
        preexec_fn=prepare,
    )  # fmt: skip
    found = re.findall(r"^(Sig(?:Blk|Ign|Cgt)):\s*(\w+)$", done.stdout, re.MULTILINE)
    return {name: f"{int(mask, 16) & ~(3 << 31):016x}" for name, mask in found}


def _mask() -> None:
    signal.pthread_sigmask(signal.SIG_SETMASK, {signal.SIGUSR2})


def _deafen() -> None:
    for number in (signal.SIGUSR1, signal.SIGCHLD):
        signal.signal(number, signal.SIG_IGN)


def test_the_command_has_its_signals_as_we_found_ours(tmp_path: Path) -> None:
    """Nothing is blocked or ignored but what was; nohup(1)'s SIGHUP stays ignored, a parent's ignored SIGCHLD too."""
    for before, prepare in (((), None), (("nohup",), None), ((), _deafen), ((), _mask)):
        ours = _dispositions(*before, prepare=prepare)
        assert _dispositions(*before, *ARGV, "run", "--runs-dir", str(tmp_path), "--quiet", prepare=prepare) == ours
    assert int(_dispositions("nohup")["SigIgn"], 16) & 1 << (signal.SIGHUP - 1)
    assert int(_dispositions(prepare=_deafen)["SigIgn"], 16) & 1 << (signal.SIGCHLD - 1)
    assert int(_dispositions(prepare=_mask)["SigBlk"], 16) & 1 << (signal.SIGUSR2 - 1)


def test_a_command_that_is_stopped_alone_does_not_leave_us_behind(tmp_path: Path) -> None:
    """We stop with it, as a shell would see, and go on when somebody continues it without us."""
    with _listening(tmp_path, 15) as process:
        (child,) = _commands(process.pid)
        os.kill(child, signal.SIGSTOP)
        _until_state(process.pid, "T")
        os.kill(child, signal.SIGCONT)
        _until_state(process.pid, "S")
        assert _end(process).endswith(b"<end>")


def test_who_continues_us_alone_continues_the_command(tmp_path: Path) -> None:
    """The whole group was stopped, the process that looks out for us too: nobody waits for it, and the end is seen."""
    with _listening(tmp_path, 15) as process:
        (child,) = _commands(process.pid)
        os.killpg(process.pid, signal.SIGSTOP)
        _until_state(process.pid, "T")
        _until_state(child, "T")
        os.kill(process.pid, signal.SIGCONT)
        _until_state(child, "S")
        assert _end(process).endswith(b"<end>")


def test_a_witness_that_stays_stopped_holds_up_no_end(tmp_path: Path) -> None:
    """Somebody stops it alone: signals still reach the command, and its end is ours."""
    with _listening(tmp_path, 15) as process:
        (child,) = _commands(process.pid)
        with open(f"/proc/{process.pid}/task/{process.pid}/children", encoding="ascii") as file:
            (witness,) = (int(pid) for pid in file.read().split() if int(pid) != child)
        os.kill(witness, signal.SIGSTOP)
        _until_state(witness, "T")
        process.send_signal(15)
        _until(process, b"<SIGTERM>")
        os.kill(witness, signal.SIGSTOP)
        _until_state(witness, "T")
        assert _end(process) == b"<end>"


def test_a_command_that_is_killed_while_stopped_ends_us(tmp_path: Path) -> None:
    """Nobody stays stopped for a process that is gone."""
    with _listening(tmp_path, 15) as process:
        (child,) = _commands(process.pid)
        os.kill(child, signal.SIGSTOP)
        _until_state(process.pid, "T")
        os.kill(child, signal.SIGKILL)
        assert process.wait(GENEROUS) == 128 + 9


@pytest.fixture
def run(tmp_path: Path) -> str:
    """The beginning of a command line that records."""
    return f"{RECORDER} run --runs-dir {tmp_path}/runs"


def test_ctrl_c_is_one_interrupt_and_ends_what_does_not_know_it(run: str) -> None:
    """The command gets one, we end as it did, and a shell's loop ends with it, as without us."""
    with shell(environment()) as screen:
        screen.type(f"for i in 1 2; do {run} -- sh -c 'echo be''gun; exec sleep 600'; echo went''on; done\n")
        screen.until("begun")
        screen.type("\x03")
        screen.until("ended by SIGINT")
        screen.until("ready> ")
        screen.type("echo code=$?\n")
        screen.until("code=130")
        assert "wenton" not in screen.seen


def test_ctrl_c_may_be_survived(run: str, tmp_path: Path) -> None:
    """A command that handles it goes on, and was told once."""
    with shell(environment()) as screen:
        (tmp_path / "listener.py").write_text(LISTENER)
        screen.type(f"{run} --quiet -- {sys.executable} {tmp_path}/listener.py 2\n")
        screen.until("<ready>")
        screen.type("\x03")
        screen.until("<SIGINT>")
        screen.type("\x04")
        assert "SIGINT" not in screen.until("(?s)(.*)<end>")[1]


def test_ctrl_backslash_ends_it(run: str) -> None:
    """SIGQUIT from the keyboard is the command's."""
    with shell(environment()) as screen:
        screen.type(f"ulimit -c 0; {run} --quiet -- sh -c 'echo be''gun; exec sleep 600'; echo code=$?\n")
        screen.until("begun")
        screen.type("\x1c")
        screen.until("code=131")


def test_ctrl_z_stops_and_fg_and_bg_go_on(run: str, tmp_path: Path) -> None:
    """The shell sees the job stopped, in the foreground again, and the stop is noted."""
    with shell(environment()) as screen:
        screen.type(f"{run} --quiet -- sh -c 'echo be''gun; sleep 600 & wait; read x; echo got $x'\n")
        screen.until("begun")
        screen.type("\x1a")
        screen.until("Stopped")
        screen.type("bg\n")
        screen.until("ready> ")
        screen.type("jobs\n")
        screen.until("Running")
        screen.until("ready> ")
        (record,) = (tmp_path / "runs").glob("*/record.seg")
        end = time.monotonic() + GENEROUS
        while '"continued"' not in record.read_text() and time.monotonic() < end:
            time.sleep(0.01)  # or the next stop is part of the first
        screen.type("fg\n")
        screen.until("bongsu run")
        screen.press("\x1a", "Stopped")
        screen.type("kill -9 %1; fg\n")
        screen.until("ready> ")
    assert record.read_text().count('"stopped"') == 2


def test_a_job_in_the_background_that_reads_is_stopped(run: str) -> None:
    """SIGTTIN stops the command and us; in the foreground it goes on."""
    with shell(environment()) as screen:
        screen.type(f"{run} --quiet -- cat &\n")
        screen.until(r"\[1\]")
        screen.until("ready> ")
        end = time.monotonic() + GENEROUS
        while "Stopped" not in screen.seen and time.monotonic() < end:
            screen.type("jobs\n")
            screen.until("ready> ")
            time.sleep(0.1)
        screen.type("fg\n")
        screen.until("bongsu run")
        screen.type("word\n")
        screen.until("word\r\nword")
        screen.type("\x04")
        screen.until("ready> ")


def test_a_screen_program_has_the_terminal(run: str, tmp_path: Path) -> None:
    """An editor draws, is resized, is suspended, comes back and writes its file."""
    with shell({**environment(), "TERM": "xterm"}) as screen:
        screen.type(f"export TERM=xterm; cd {tmp_path}; {run} -- vim -u NONE -i NONE text\n")
        screen.until("New")
        screen.resize(50, 100)
        screen.until(r"\x1b\[49;")  # drawn for 50 lines, the last of which is for commands
        screen.type("ihello\x1b")
        screen.until("hello")
        screen.type("\x1a")
        screen.until("Stopped")
        screen.type("fg\n")
        screen.until("hello")
        screen.type(":wq\r")
        screen.until("bongsu: vim took")
    assert (tmp_path / "text").read_text() == "hello\n"


def test_a_hangup_reaches_the_command(tmp_path: Path) -> None:
    """A window that is closed ends what ran in it."""
    argv = [*ARGV, "run", "--runs-dir", str(tmp_path), "--", "sh", "-c", "echo begun $$; exec sleep 600"]
    with terminal(argv, environment()) as screen:
        pid = int(screen.until(r"begun (\d+)")[1])
    _until_state(pid, "Z", gone=True)


def _commands(monitor: int) -> list[int]:
    """The children of the monitor that are no process of its own."""
    listed = Path(f"/proc/{monitor}/task/{monitor}/children").read_text().split()
    return [int(pid) for pid in listed if "bongsu.runs" not in Path(f"/proc/{pid}/cmdline").read_text()]


def _until_state(pid: int, state: str, *, gone: bool = False) -> None:
    end = time.monotonic() + GENEROUS
    found = ""
    while time.monotonic() < end:
        try:
            found = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except FileNotFoundError:
            assert gone
            return
        if found == state:
            return
        time.sleep(0.02)
    raise AssertionError(f"process {pid} is {found}, not {state}")
