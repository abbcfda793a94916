"""`bongsu top` on a real pseudo-terminal, with real keys."""

from __future__ import annotations

import fcntl
import os
import re
import select
import shutil
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

# Shows the processes of this machine, and some that have names made to do harm.
PROGRAM = r"""
import sys, dataclasses
from bongsu.collectors.loadavg import LoadavgCollector
from bongsu.collectors.process import ProcessCollector
from bongsu.model.batch import Table
from bongsu.model.process import ProcessRow
from bongsu.pipeline import Gatherer
from bongsu.sources.root import Machine
from bongsu.views.top import run_top

EVIL = "\x1b]0;owned\x07\x1b[2J\x9b31m\n\r[red]x[/red]\udcff\u202e"

class Nasty(ProcessCollector):
    def collect(self):
        for item in super().collect():
            if isinstance(item, Table):
                evil = ProcessRow(4194000, 1, EVIL, 7, EVIL, "S", 0.0, 5, 1, 0.0, 1 << 50, 0, 0, 0, False, EVIL, EVIL + " --flag")
                item = Table("processes", (*item.rows, evil))
            yield item

machine = Machine.at()
gatherer = Gatherer([LoadavgCollector(machine), Nasty(machine)])
fail = "--fail" in sys.argv
def gather(*, owners):
    if fail:
        raise RuntimeError("gather broke")
    return gatherer.gather()
sys.exit(run_top(gather, interval=0.2, repeat="--repeat" in sys.argv, once="--once" in sys.argv))
"""

# Shows made-up processes of owners of every kind; the first argument is what they are grouped by.
OWNED = r"""
import sys, time
sys.path.insert(0, sys.argv[1])
from bongsu.views.groups import By
from bongsu.views.processes import Order
from bongsu.views.top import run_top
from owned import look

began = time.monotonic() - 100
seen = []
def gather(*, owners):
    if owners and not seen:
        seen.append(time.monotonic())
        print("\x1b[99;1Howners are read\x1b[0m\x1b[K", end="", flush=True)
    return look(time.monotonic() - began, with_owners=owners)
sys.exit(run_top(gather, interval=0.2 if "--slow" not in sys.argv else 3600, by=By(sys.argv[2]),
                 order=Order(user="bob" if "--bob" in sys.argv else ""), may_signal=False))
"""


LONG = 60.0  # seconds within which a program has done a little thing on a machine that does much else


class Terminal:
    """A pseudo-terminal with a program on it, and what is on its screen."""

    def __init__(
        self, argv: list[str], columns: int, lines: int, *, errors_too: bool = False, **environment: str
    ) -> None:
        self.master, slave = os.openpty()
        self.slave = slave
        self.size(columns, lines)
        self.before = termios.tcgetattr(slave)
        self.raw = b""
        env = {**os.environ, "TERM": "xterm-256color", "LC_ALL": "C.UTF-8", **environment}
        env = {k: v for k, v in env.items() if k not in {"NO_COLOR", "COLUMNS", "LINES"} or k in environment}
        # setsid makes the terminal the controlling one, so that Ctrl-C is a signal.
        self.process = subprocess.Popen(
            ["setsid", "-c", *argv], stdin=slave, stdout=slave, stderr=slave if errors_too else subprocess.PIPE, env=env
        )

    def size(self, columns: int, lines: int) -> None:
        fcntl.ioctl(self.slave, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    def press(self, keys: str) -> None:
        os.write(self.master, keys.encode())

    def read(self, seconds: float = 0.0) -> None:
        end = time.monotonic() + seconds
        while select.select([self.master], [], [], max(0.0, end - time.monotonic()))[0]:
            self.raw += os.read(self.master, 65536)
            if time.monotonic() > end:
                break

    def lines(self) -> dict[int, str]:
        """What stands on each line, from all that was drawn since the screen was last cleared."""
        shown: dict[int, str] = {}
        for part in re.finditer(rb"\x1b\[2J|\x1b\[(\d+);1H(.*?)\x1b\[0m\x1b\[K", self.raw, re.DOTALL):
            if part[1] is None:
                shown = {}
            else:
                shown[int(part[1])] = re.sub(rb"\x1b\[[0-9;]*m", b"", part[2]).decode()
        return shown

    def wait_for(self, found: Callable[[str], Any], seconds: float = LONG) -> str:
        end = time.monotonic() + seconds
        text = ""
        while time.monotonic() < end:
            self.read(0.05)
            text = "\n".join(line for _, line in sorted(self.lines().items()))
            if found(text):
                return text
        raise AssertionError(f"not seen in:\n{text}\n{self.process.poll()}")

    def wait_for_bytes(self, pattern: bytes) -> None:
        """Until this is among what came."""
        end = time.monotonic() + LONG
        while not re.search(pattern, self.raw, re.DOTALL):
            assert time.monotonic() < end, self.raw
            self.read(0.05)

    def ended(self) -> int:
        end = time.monotonic() + LONG
        while self.process.poll() is None and time.monotonic() < end:
            self.read(0.05)
        self.read(0.05)
        return self.process.wait(1)

    def is_restored(self) -> bool:
        """Whether modes are as before, and screen and cursor were given back last."""
        return termios.tcgetattr(self.slave) == self.before and self.raw.rstrip().endswith(
            b"\x1b[?7h\x1b[?25h\x1b[?1049l"
        )

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()
        os.close(self.master)
        os.close(self.slave)


@contextmanager
def top(*arguments: str, columns: int = 80, lines: int = 24, **environment: str) -> Iterator[Terminal]:
    terminal = Terminal([sys.executable, "-c", PROGRAM, *arguments], columns, lines, errors_too=False, **environment)
    try:
        yield terminal
    finally:
        terminal.close()


@contextmanager
def owned(
    by: str = "none", *arguments: str, columns: int = 160, lines: int = 30, **environment: str
) -> Iterator[Terminal]:
    argv = [sys.executable, "-c", OWNED, str(Path(__file__).parent.parent), by, *arguments]
    terminal = Terminal(argv, columns, lines, errors_too=False, **environment)
    try:
        yield terminal
    finally:
        terminal.close()


@contextmanager
def sleeping(program: str = "sleep") -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen([program, "1000"])
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def has(*words: str) -> Callable[[str], bool]:
    return lambda text: all(word in text for word in words)


def test_shows_keys_and_leaves_the_terminal_as_it_was() -> None:
    """The table comes up, q ends with 0, and the terminal has its modes, screen and cursor back."""
    with top() as terminal:
        terminal.wait_for(has("PID", "PROGRAM", "? help", "load"))
        assert termios.tcgetattr(terminal.slave) != terminal.before
        terminal.press("q")
        assert terminal.ended() == 0
        assert terminal.is_restored()


@pytest.mark.parametrize(
    ("leave", "code"),
    [
        (lambda t: t.press("\x03"), 0), (lambda t: t.process.send_signal(signal.SIGTERM), 143),
        (lambda t: t.process.send_signal(signal.SIGHUP), 129), (lambda t: t.process.send_signal(signal.SIGINT), 0),
    ],
)  # fmt: skip
def test_every_way_out_gives_the_terminal_back(leave: Callable[[Terminal], None], code: int) -> None:
    """Ctrl-C, SIGTERM and SIGHUP restore the terminal and have their usual exit codes."""
    with top() as terminal:
        terminal.wait_for(has("? help"))
        leave(terminal)
        assert terminal.ended() == code
        assert terminal.is_restored()


def test_a_failing_reading_gives_the_terminal_back() -> None:
    """An error in the program, too, leaves the terminal as it was, and is not swallowed."""
    with top("--fail") as terminal:
        assert terminal.ended() != 0
        assert terminal.is_restored()
        assert terminal.process.stderr
        assert b"gather broke" in terminal.process.stderr.read()


def test_ctrl_z_gives_the_terminal_back_and_fg_takes_it_again() -> None:
    """Stopped by Ctrl-Z the shell has its terminal; continued, the view is drawn again."""
    terminal = Terminal(
        ["bash", "--norc", "--noediting", "-i"],
        80,
        24,
        errors_too=True,
        PS1="$ ",
        PROGRAM=PROGRAM,
        PYTHON=sys.executable,
    )
    try:
        terminal.press('"$PYTHON" -c "$PROGRAM"\n')
        terminal.wait_for(has("? help"))
        terminal.press("\x1a")
        terminal.wait_for_bytes(rb"\x1b\[\?1049l.*Stopped.*\$ $")
        assert b"Stopped" in terminal.raw.rpartition(b"\x1b[?1049l")[2]
        assert termios.tcgetattr(terminal.slave)[3] & (termios.ECHO | termios.ICANON) == termios.ECHO | termios.ICANON
        terminal.raw = b""
        terminal.press("fg\n")
        terminal.wait_for(has("? help"))
        assert b"\x1b[?1049h" in terminal.raw
        terminal.press("q")
        terminal.wait_for_bytes(rb"\x1b\[\?1049l.*\$ $")
        terminal.raw = b""
        terminal.press("echo code=$?\n")
        terminal.wait_for_bytes(rb"code=\d+")
        assert b"code=0" in terminal.raw
    finally:
        terminal.close()


def test_names_cannot_steer_the_terminal() -> None:
    """A process whose name, user and arguments hold escape sequences and markup is shown, and none of it is obeyed."""
    with top(columns=200) as terminal:
        terminal.wait_for(has("? help"))
        terminal.press("m")  # it claims the most memory
        text = terminal.wait_for(has("4194000"))
        assert r"\x1b]0;owned\x07\x1b[2J\x9b31m\n\r[red]x[/red]\xff\u202e --flag" in text
        terminal.press("k")
        terminal.wait_for(has("SIGTERM to 4194000"))
        terminal.press("na")
        terminal.wait_for(lambda t: "--flag" not in t)  # the program's name alone
        terminal.press("/owned")
        terminal.wait_for(has("/owned_"))
        terminal.press("q\x1b")
        terminal.press("q")
        terminal.ended()
        for harm in (b"\x1b]0", b"\x07", b"\x9b31m", b"\xc2\x9b", "\u202e".encode(), b"\xff"):
            assert harm not in terminal.raw
        assert terminal.raw.count(b"\x1b[2J") <= 2  # ours: when the size is first known


def test_a_live_process_with_a_harmful_name_is_tamed() -> None:
    """A real process that renames itself to an escape sequence cannot reach the terminal with it."""
    code = "import sys; open('/proc/self/comm','wb').write(b'\\x1b]2;pwn\\x07\\x1b[8m'); print(flush=True); sys.stdin.read()"
    evil = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        assert evil.stdout
        evil.stdout.readline()
        with top(columns=120) as terminal:
            terminal.wait_for(has("? help"))
            terminal.press(f"/{evil.pid}\r")
            terminal.wait_for(has(r"\x1b]2;pwn\x07\x1b[8m"))
            terminal.press("q")
            terminal.ended()
            assert b"\x1b]2" not in terminal.raw
            assert b"\x07" not in terminal.raw
            assert b"\x1b[8m" not in terminal.raw
    finally:
        evil.kill()
        evil.communicate()


def test_filter_tree_sort_and_help(tmp_path: Path) -> None:
    """The keys do what the help says."""
    slumber = tmp_path / "slumber"  # a name that no other process of this machine has
    shutil.copy("/bin/sleep", slumber)
    with sleeping(str(slumber)) as sleeper, top(columns=160) as terminal:  # room for a tree of any depth
        terminal.wait_for(has("? help"))
        terminal.press("/slumber\r")
        text = terminal.wait_for(lambda t: f"{sleeper.pid} " in t and "/slumber:" in t)
        assert "pytest" not in text
        terminal.press("T")
        terminal.wait_for(lambda t: re.search(rf"{sleeper.pid} .*└─.*slumber", t))
        terminal.press("T\x1b")
        terminal.wait_for(has("? help"))
        terminal.press("p")
        terminal.wait_for(lambda t: re.search(r"PROGRAM *\n +1 ", t))
        terminal.press("p")
        terminal.wait_for(lambda t: re.search(r"PROGRAM *\n *4194000 ", t))
        terminal.press("?")
        terminal.wait_for(has("send a process a signal, after asking"))
        terminal.press("x")
        terminal.wait_for(has("PROGRAM"))
        terminal.press("q")
        assert terminal.ended() == 0


def test_a_signal_is_sent_only_after_yes() -> None:
    """K asks; any other key than y sends nothing; y sends TERM, 9 then y sends KILL."""
    with (
        sleeping() as first, sleeping() as second,
        top(columns=100) as terminal,
    ):  # fmt: skip
        terminal.wait_for(has("? help"))
        terminal.press(f"/{first.pid} sleep\r")
        terminal.wait_for(has(f"{first.pid} ", "1 shown"))
        terminal.press("k")
        terminal.wait_for(has(f"SIGTERM to {first.pid} sleep"))
        terminal.press("x")
        terminal.wait_for(has("Nothing was signalled"))
        assert first.poll() is None
        terminal.press("ky")
        terminal.wait_for(has(f"SIGTERM sent to {first.pid}"))
        assert first.wait(LONG) == -signal.SIGTERM
        terminal.press("\x1b")
        terminal.wait_for(has("? help"))
        terminal.press(f"/{second.pid} sleep\r")
        terminal.wait_for(has(f"{second.pid} ", "1 shown"))
        terminal.press("k9")
        terminal.wait_for(has(f"SIGKILL to {second.pid}"))
        assert second.poll() is None
        terminal.press("y")
        assert second.wait(LONG) == -signal.SIGKILL
        terminal.press("q")
        terminal.ended()


def test_arrows_choose_a_process() -> None:
    """The chosen line moves with the arrows and keeps to its process."""
    with top() as terminal:
        terminal.wait_for(has("? help"))
        terminal.press("p")
        terminal.wait_for(lambda t: re.search(r"PROGRAM *\n +1 ", t))
        terminal.press("\x1b[B")
        terminal.press("k")
        terminal.wait_for(lambda t: re.search(r"2 is a thread of the kernel|SIGTERM to (?!1 )\d+", t))
        terminal.press("q")


@pytest.mark.parametrize(("columns", "lines"), [(80, 24), (40, 10), (20, 5), (200, 60)])
def test_fits(columns: int, lines: int) -> None:
    """At each size every line fits, the last one included, and a new size is taken up at once."""
    with top(columns=columns, lines=lines) as terminal:
        terminal.wait_for(has("PID"))
        terminal.wait_for(lambda _: max(terminal.lines()) == lines)
        assert all(len(line) <= columns for line in terminal.lines().values())
        terminal.size(60, 12)
        terminal.process.send_signal(signal.SIGWINCH)
        terminal.wait_for(lambda _: max(terminal.lines(), default=0) == 12)
        assert all(len(line) <= 60 for line in terminal.lines().values())
        terminal.press("q")
        assert terminal.ended() == 0


def test_without_colour() -> None:
    """NO_COLOR leaves out every colour."""
    with top(NO_COLOR="1") as terminal:
        terminal.wait_for(has("? help"))
        terminal.read(0.5)
        assert not re.search(rb"\x1b\[[0-9;]*(3[0-7]|38|9[0-7]|4[0-7])[;m]", terminal.raw)


def test_a_dumb_terminal_gets_a_plain_table() -> None:
    """Where the cursor cannot move one plain table is written, without any escape sequence."""
    with top(TERM="dumb") as terminal:
        assert terminal.ended() == 0
        assert b"PROGRAM" in terminal.raw
        assert b"\x1b" not in terminal.raw


def test_once_is_one_plain_table_in_a_terminal_too() -> None:
    """--once ends by itself, whatever it stands before, and though an interval is given."""
    with top("--once", "--repeat") as terminal:
        assert terminal.ended() == 0
        assert terminal.raw.count(b"PROGRAM") == 1
        assert b"\x1b" not in terminal.raw


def test_a_pipe_gets_one_plain_table() -> None:
    """Piped, one table is written and the command ends; names are tamed there too."""
    done = subprocess.run([sys.executable, "-c", PROGRAM], stdin=subprocess.DEVNULL, capture_output=True, check=True)
    assert done.stdout.count(b"PROGRAM") == 1
    assert b"\x1b" not in done.stdout
    assert rb"\x1b]0;owned" in done.stdout
    assert done.stderr == b""


def test_a_pipe_with_repeat_goes_on_until_the_reader_leaves() -> None:
    """With repeat a table comes each interval; a reader that leaves is no error."""
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, "--repeat"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout
    assert process.stderr
    text = b""
    while text.count(b"PROGRAM") < 3:
        text += os.read(process.stdout.fileno(), 65536)
    process.stdout.close()
    assert process.wait(LONG) == 0
    assert process.stderr.read() == b""
    process.stderr.close()


def test_owners_and_back() -> None:
    """O shows owners against their limits, Enter the processes of one, Esc goes back to it, and then to all processes."""
    with owned() as terminal:
        terminal.wait_for(has("? help", "o owners", "job 42", "pod ml/trainer-0", "ollama.service", "docker web"))
        assert b"owners are read" not in terminal.raw, "what nobody looks at is not read"
        terminal.press("o")
        terminal.wait_for(has("job 42 train", "by cgroup", "summed", "1000M", "Enter its processes"))
        terminal.wait_for(lambda t: re.search(r"2 alice +200(\.0)? +200 +50 +950M +1000M █{8}", t))
        terminal.press("k")
        terminal.wait_for(has("Signals go to processes"))
        terminal.press("p\x1b[B")  # by number of processes: all have two
        terminal.press("/ollama\r")
        terminal.wait_for(lambda t: "/ollama: 1 shown" in t and "job 42" not in t)
        terminal.press("\r")
        text = terminal.wait_for(has("ollama.service: 2 shown, Esc goes back", "prog5", "PROGRAM"))
        assert "prog1" not in text
        terminal.press("\x1b")
        terminal.wait_for(has("/ollama: 1 shown, Esc shows all"))
        terminal.press("\x1b")
        terminal.wait_for(has("job 42 train", "Enter its processes"))
        terminal.press("\x1b")
        terminal.wait_for(has("PROGRAM", "prog1", "g group"))
        terminal.press("q")
        assert terminal.ended() == 0
        assert terminal.is_restored()


def test_owners_are_there_at_once() -> None:
    """Whoever presses o does not wait for the next reading, however long the interval is."""
    with owned("none", "--slow") as terminal:
        terminal.wait_for(has("? help", "job 42"))
        terminal.press("o")
        terminal.wait_for(has("by cgroup", "200"))  # with rates: two readings
        terminal.press("q")
        assert terminal.ended() == 0


def test_g_groups_by_each_in_turn() -> None:
    """Owner, user, command, not at all; --by begins with one."""
    with owned("user") as terminal:
        terminal.wait_for(lambda t: re.search(r"OWNER|USER *$", t, re.MULTILINE) and "4 alice" in t)
        terminal.press("g")
        terminal.wait_for(has("COMMAND", "[kernel]", "5 users"))
        terminal.press("g")
        terminal.wait_for(has("PROGRAM", "prog3"))
        terminal.press("g")
        terminal.wait_for(has("by cgroup"))
        terminal.press("q")
        assert terminal.ended() == 0


def test_only_mine() -> None:
    """M leaves only the processes of who runs it, or only the owners that have one; the foot says so."""
    with owned() as terminal:
        terminal.wait_for(has("? help", "prog1"))
        terminal.press("M")
        text = terminal.wait_for(has("only mine:", "M shows all"))
        assert "prog1 " not in text
        terminal.press("o")
        terminal.wait_for(lambda t: "only mine" in t and "job 42" not in t)
        terminal.press("M")
        terminal.wait_for(has("job 42", "Enter its processes"))
        terminal.press("q")
        assert terminal.ended() == 0


def test_only_another() -> None:
    """--user leaves the processes of one user, and M shows all again, as the foot says."""
    with owned("none", "--bob") as terminal:
        text = terminal.wait_for(has("only bob: 4 shown, M shows all", "pod ml/trainer-0"))
        assert "job 42" not in text
        terminal.press("M")
        terminal.wait_for(has("job 42", "? help"))
        terminal.press("q")
        assert terminal.ended() == 0


@pytest.mark.parametrize(("columns", "lines"), [(80, 24), (200, 50), (40, 10), (20, 5)])
@pytest.mark.parametrize("by", ["owner", "command"])
def test_groups_fit_and_cannot_steer(by: str, columns: int, lines: int) -> None:
    """At each size every line of groups fits, in ASCII where only that shows, and no owner's name is obeyed."""
    with owned(by, columns=columns, lines=lines, PYTHONIOENCODING="ascii", NO_COLOR="1") as terminal:
        terminal.wait_for(has("CPU %"))
        terminal.press("m")
        terminal.wait_for(lambda _: max(place for place in terminal.lines() if place != 99) == lines)
        drawn = {place: line for place, line in terminal.lines().items() if place != 99}
        assert all(len(line) <= columns and line.isascii() for line in drawn.values())
        terminal.press("q")
        assert terminal.ended() == 0
        for harm in (b"\x1b]0", b"\x07", b"\x9b31m", "\u202e".encode(), b"\xff"):
            assert harm not in terminal.raw
        assert not re.search(rb"\x1b\[(\d+;)*(3[0-8]|9[0-7]|4[0-7])(;\d+)*m", terminal.raw)
