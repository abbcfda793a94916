"""The terminal as a full screen: taken, drawn on, and given back as it was on every way out."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import termios
import types
from collections.abc import Iterator, Sequence
from typing import Any

from rich.console import Console
from rich.text import Text

_TAKE = b"\x1b[?1049h\x1b[?25l\x1b[?7l"  # other screen, no cursor, no wrapping at the right edge (xterm)
_GIVE_BACK = b"\x1b[?7h\x1b[?25h\x1b[?1049l"
_LEAVING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)
_OTHERS = (signal.SIGTSTP, signal.SIGCONT, signal.SIGWINCH)


class Screen:
    """Draws lines on a terminal and waits for keys, signals and other wake-ups.

    Signals are only noted and acted on between two drawings: ``left_by`` is the one that asked us
    to leave. Ctrl-Z gives the terminal back before it stops us, and takes it again afterwards.
    Must be used in the main thread.
    """

    def __init__(self, keyboard: int, output: int, console: Console) -> None:
        self._keyboard = keyboard
        self._output = output
        self._console = console
        self._taken: list[Any] | None = None  # as termios gives it
        self._drawn: list[bytes] = []
        self._size = (0, 0)
        self._stop = self._continued = False
        self.left_by: signal.Signals | None = None
        self._wake_read, self._wake_write = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)

    @contextlib.contextmanager
    def taken(self) -> Iterator[Screen]:
        """Take the terminal for the time of the block."""
        before = {number: signal.signal(number, self._note) for number in (*_LEAVING, *_OTHERS)}
        wakeup = signal.set_wakeup_fd(self._wake_write, warn_on_full_buffer=False)
        try:
            self._take()
            yield self
        finally:
            self._give_back()
            signal.set_wakeup_fd(wakeup)
            for number, handler in before.items():
                signal.signal(number, handler)
            os.close(self._wake_read)
            os.close(self._wake_write)

    @property
    def size(self) -> tuple[int, int]:
        """Columns and lines now."""
        try:
            columns, lines = os.get_terminal_size(self._output)
        except OSError:
            columns, lines = 80, 24
        return (columns or 80, lines or 24)  # a terminal that was never told its size says 0

    def wake(self) -> None:
        """Make `wait` return; for other threads."""
        with contextlib.suppress(OSError):  # full: it wakes anyway; closed: nobody waits
            os.write(self._wake_write, b"\0")

    def wait(self, seconds: float | None) -> bytes:
        """What was typed, or nothing after a signal, a wake-up or ``seconds``. None waits for as long as it takes."""
        ready, _, _ = select.select([self._keyboard, self._wake_read], [], [], seconds)
        if self._wake_read in ready:
            with contextlib.suppress(BlockingIOError):
                os.read(self._wake_read, 4096)
        typed = b""
        if self._keyboard in ready:
            try:
                typed = os.read(self._keyboard, 4096)
            except OSError:
                typed = b""
            if not typed:  # the terminal is gone
                self.left_by = self.left_by or signal.SIGHUP
        if self._stop:
            self._sleep()
        if self._continued:  # after a stop that we did not see coming, the shell may have set the terminal its way
            self._continued = False
            self._take()
        return typed

    def draw(self, lines: Sequence[Text]) -> None:
        """Show these lines; only what differs from what is there is written, in one write."""
        columns, height = self.size
        if (columns, height) != self._size:
            self._size, self._drawn = (columns, height), []
        encoded = [self._encode(line, columns) for line in lines[:height]]
        encoded += [b""] * (height - len(encoded))
        out = [b"\x1b[2J"] if not self._drawn else []
        for place, text in enumerate(encoded):
            if not self._drawn or text != self._drawn[place]:
                out.append(b"\x1b[%d;1H\x1b[0m%s\x1b[0m\x1b[K" % (place + 1, text))
        self._drawn = encoded
        if out:
            self._write(b"".join(out))

    def _encode(self, line: Text, columns: int) -> bytes:
        line = line.copy()
        line.truncate(columns, overflow="crop")
        with self._console.capture() as captured:
            self._console.print(line, end="", no_wrap=True, overflow="ignore", crop=False, width=columns + 1)
        return captured.get().encode(self._console.encoding, "replace")

    def _take(self) -> None:
        if self._taken is None:
            self._taken = termios.tcgetattr(self._keyboard)
        mode = termios.tcgetattr(self._keyboard)
        mode[3] &= ~(termios.ICANON | termios.ECHO)  # keys at once and unseen; Ctrl-C and Ctrl-Z stay signals
        mode[6][termios.VMIN], mode[6][termios.VTIME] = 1, 0
        termios.tcsetattr(self._keyboard, termios.TCSADRAIN, mode)
        self._drawn = []
        self._write(_TAKE)

    def _give_back(self) -> None:
        if self._taken is None:
            return
        with contextlib.suppress(OSError):
            self._write(_GIVE_BACK)
        with contextlib.suppress(termios.error):
            termios.tcsetattr(self._keyboard, termios.TCSADRAIN, self._taken)
        self._taken = None

    def _sleep(self) -> None:
        """Be stopped as any program is by Ctrl-Z, with the terminal given back for that time."""
        self._give_back()
        ours = signal.signal(signal.SIGTSTP, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGTSTP)  # returns when somebody continues us
        signal.signal(signal.SIGTSTP, ours)
        self._stop = False
        self._continued = True

    def _note(self, number: int, _frame: types.FrameType | None) -> None:
        if number == signal.SIGTSTP:
            self._stop = True
        elif number == signal.SIGCONT:
            self._continued = True
        elif number != signal.SIGWINCH:
            self.left_by = self.left_by or signal.Signals(number)

    def _write(self, data: bytes) -> None:
        while data:
            data = data[os.write(self._output, data) :]
