"""--capture: what a command writes goes where it would have gone, and to the files of its run."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from at_terminal import shell, terminal
from cli.command import ARGV, environment

GENEROUS = 120.0


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """Where the runs of a test are kept."""
    return tmp_path / "runs"


def _argv(runs: Path, *command: str) -> list[str]:
    return [*ARGV, "run", "--runs-dir", str(runs), "--quiet", "--capture", "--", *command]


def _log(runs: Path, name: str) -> bytes:
    (folder,) = runs.iterdir()
    return (folder / name).read_bytes()


def test_both_streams_go_on_and_are_kept(runs: Path) -> None:
    """Byte for byte, also what is no text; each in its own file, and both in one."""
    script = "import os\nfor i in range(256):\n os.write(1, bytes([i])*999); os.write(2, b'.')"
    done = subprocess.run(_argv(runs, sys.executable, "-c", script), capture_output=True, check=True, env=environment())
    expected = b"".join(bytes([i]) * 999 for i in range(256))
    assert done.stdout == expected == _log(runs, "stdout.log")
    assert done.stderr == b"." * 256 == _log(runs, "stderr.log")
    assert len(_log(runs, "output.log")) == len(expected) + 256


def test_the_order_of_what_was_read_is_kept(runs: Path) -> None:
    """What was written after the other had been read stands after it."""
    script = "for i in 1 2 3; do echo out$i; sleep 0.2; echo err$i >&2; sleep 0.2; done"
    subprocess.run(_argv(runs, "sh", "-c", script), capture_output=True, check=True, env=environment())
    assert sorted(_log(runs, "output.log").split()) == sorted(b"out1 err1 out2 err2 out3 err3".split())
    assert _log(runs, "stdout.log").split() == b"out1 out2 out3".split()


def test_a_reader_that_is_slow_loses_nothing_and_a_signal_is_not_held_up(runs: Path) -> None:
    """While nobody reads we wait for the reader, not within a write: TERM reaches the command at once."""
    script = "trap 'exit 7' TERM; head -c 3000000 /dev/zero & wait $!; wait"
    with subprocess.Popen(_argv(runs, "sh", "-c", script), stdout=subprocess.PIPE, env=environment()) as process:
        assert process.stdout is not None
        assert process.stdout.read(1) == b"\0"  # it runs, and the pipe is full soon
        time.sleep(0.5)
        process.terminate()
        rest = process.stdout.read()
        assert process.wait(GENEROUS) == 7
    assert len(rest) + 1 == len(_log(runs, "stdout.log"))


def test_a_reader_that_goes_away_ends_a_command_that_goes_on_writing(runs: Path) -> None:
    """`… | head -1`: the command gets its SIGPIPE, as it would have."""
    line = " ".join(f"'{word}'" for word in _argv(runs, "yes"))
    done = subprocess.run(
        ["bash", "-c", f"{line} | head -1; echo ${{PIPESTATUS[0]}}"], capture_output=True, text=True, check=True,
        env=environment(), timeout=GENEROUS, preexec_fn=_default_pipe,
    )  # fmt: skip
    assert done.stdout == "y\n141\n"


def test_what_lives_on_does_not_hold_up_the_end_and_is_not_killed(runs: Path, tmp_path: Path) -> None:
    """A child that keeps the pipe writes on into the file and to the reader, after we have gone."""
    script = (
        f"(while [ ! -e {tmp_path}/go ]; do sleep 0.05; done; echo late; echo alive > {tmp_path}/alive) & echo early"
    )
    with subprocess.Popen(_argv(runs, "sh", "-c", script), stdout=subprocess.PIPE, env=environment()) as process:
        assert process.wait(GENEROUS) == 0
        (tmp_path / "go").touch()
        assert process.stdout is not None
        assert process.stdout.read() == b"early\nlate\n"
    assert (tmp_path / "alive").exists()
    assert _log(runs, "stdout.log") == b"early\nlate\n"


def test_a_terminal_stays_one_of_its_size(runs: Path) -> None:
    """The command sees a terminal as large as the real one, follows its size, and line ends are put once."""
    script = "test -t 1 && test -t 2 && stty size <&1; trap 'stty size <&1; exit' WINCH; echo re''ady; while :; do sleep 0.1; done"
    with terminal(_argv(runs, "sh", "-c", script), environment()) as screen:
        screen.until("24 80\r\n")
        screen.until("ready")
        screen.resize(30, 100)
        screen.until("30 100")
    assert b"\r" not in _log(runs, "stdout.log")
    assert _log(runs, "stdout.log").startswith(b"24 80\nready\n")


def test_a_screen_program_works_while_it_is_captured(runs: Path, tmp_path: Path) -> None:
    """What it changes of its terminal is done to the real one: keys come at once, and are not shown."""
    script = tmp_path / "keys.py"
    script.write_text(
        "import curses\ndef main(screen):\n screen.addstr(0, 0, 'press'); screen.refresh()\n"
        " key = screen.getkey()\n screen.addstr(1, 0, 'got=' + key.upper()); screen.refresh(); screen.getkey()\n"
        "curses.wrapper(main)\n"
    )
    command = " ".join(_argv(runs, sys.executable, str(script)))
    with shell(environment()) as screen:
        screen.type(f"export TERM=xterm; {command}; echo co''de=$?\n")
        screen.until("press")
        screen.press("q", "got=Q")  # no Enter
        screen.type("q")
        screen.until("code=0")


def _default_pipe() -> None:
    import signal

    signal.signal(signal.SIGPIPE, signal.SIG_DFL)


def test_a_closed_stream_is_not_captured(runs: Path) -> None:
    """There is nothing to keep of a stream that does not exist, and the command finds it closed."""
    line = " ".join(f"'{word}'" for word in _argv(runs, "sh", "-c", "test ! -e /proc/self/fd/1 && echo right >&2"))
    done = subprocess.run(["bash", "-c", f"{line} >&-"], capture_output=True, text=True, check=False, env=environment())
    assert (done.returncode, done.stderr) == (0, "right\n")
    (folder,) = runs.iterdir()
    assert not os.path.exists(folder / "stdout.log")
