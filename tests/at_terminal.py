"""A terminal with a program on it, as a person at the keyboard has it."""

from __future__ import annotations

import codecs
import fcntl
import os
import pty
import re
import select
import signal
import struct
import termios
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress

GENEROUS = 120.0  # s; for a machine that is busy with other things


class Terminal:
    """What was typed goes in, what is shown comes out."""

    def __init__(self, fd: int, pid: int) -> None:
        self.fd = fd
        self.pid = pid
        self.seen = ""
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")  # a letter may come in two pieces
        self._from = 0

    def type(self, text: str) -> None:
        """Press keys."""
        os.write(self.fd, text.encode())

    def until(self, pattern: str) -> re.Match[str]:
        """Wait for something new on the screen."""
        end = time.monotonic() + GENEROUS
        while True:
            found = re.compile(pattern).search(self.seen, self._from)
            if found:
                self._from = found.end()
                return found
            if not select.select([self.fd], [], [], max(0.0, end - time.monotonic()))[0]:
                raise AssertionError(f"{pattern!r} was not shown; there is {self.seen[self._from :]!r}")
            data = b""
            with suppress(OSError):  # EIO: nobody holds the other side
                data = os.read(self.fd, 65536)
            if not data:
                raise AssertionError(f"ended without {pattern!r}: {self.seen[self._from :]!r}")
            self.seen += self._decoder.decode(data)

    def press(self, key: str, pattern: str) -> None:
        """Press a key now and then until something new is on the screen: who has the terminal changes at no certain time.

        Not at once again: such a key throws away what was written and not yet read (termios(3), NOFLSH).
        """
        end = time.monotonic() + GENEROUS
        while True:
            self.type(key)
            again = time.monotonic() + 1.0
            while select.select([self.fd], [], [], max(0.0, again - time.monotonic()))[0]:
                self.seen += self._decoder.decode(os.read(self.fd, 65536))
                found = re.compile(pattern).search(self.seen, self._from)
                if found:
                    self._from = found.end()
                    return
            assert time.monotonic() < end, f"{pattern!r} was not shown; there is {self.seen[self._from :][-500:]!r}"

    def resize(self, rows: int, columns: int) -> None:
        """Change the size of the window."""
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))


@contextmanager
def terminal(argv: Sequence[str], env: Mapping[str, str]) -> Iterator[Terminal]:
    """A program as the leader of a session on a new terminal of 80 by 24; hung up on at the end."""
    pid, fd = pty.fork()
    if pid == 0:
        try:
            for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP, signal.SIGTERM, signal.SIGPIPE):
                signal.signal(number, signal.SIG_DFL)
            fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))  # before the program can ask
            os.execvpe(argv[0], list(argv), dict(env))
        finally:
            os._exit(127)
    found = Terminal(fd, pid)
    try:
        yield found
    finally:
        os.close(fd)  # the terminal hangs up
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


@contextmanager
def shell(env: Mapping[str, str]) -> Iterator[Terminal]:
    """An interactive bash with job control."""
    plain = {**env, "PS1": "ready> ", "TERM": "dumb", "HISTFILE": "/dev/null", "BASH_SILENCE_DEPRECATION_WARNING": "1"}
    with terminal(["bash", "--norc", "--noprofile", "--noediting", "-i"], plain) as found:
        found.until("ready> ")
        yield found
        with suppress(OSError):
            found.type("\x03\nkill -9 $(jobs -p) 2>/dev/null; exit\n")
