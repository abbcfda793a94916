"""Copies what a command writes to the files of its run while it goes where it would have gone, in the order written.

Standard library only, as all that the monitor imports.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import select
import stat

_CHUNK = 65536
_AT_ONCE = select.PIPE_BUF  # a pipe that is ready takes this much without blocking
_NAMES = {1: "stdout.log", 2: "stderr.log"}
_OUT, _LOCAL, _IN, _KEYS = 1, 3, 0, 6  # places in what tcgetattr(3) gives
_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC


class Capture:
    """The captured streams of one command.

    Where a stream is a terminal the command gets one too, of the same size and settings; what it changes in them is
    done to the real one. Where nobody reads a stream any more, neither do we, so that the command learns it.

    Attributes:
        streams: descriptor of the command → what it is to be a copy of.
        trouble: what went wrong with the files; the streams go on.
    """

    def __init__(self, folder: str, closed: tuple[int, ...]) -> None:
        """Make the files and the pipes or terminals. Raises OSError."""
        self.trouble = ""
        self.streams: dict[int, int] = {}
        self._poll = select.poll()
        self._both = os.open(os.path.join(folder, "output.log"), _FLAGS, 0o600)
        self._captured: list[_Stream] = []
        for number in (1, 2):
            if number not in closed:
                log = os.open(os.path.join(folder, _NAMES[number]), _FLAGS, 0o600)
                terminal = os.isatty(number)
                source, end = os.openpty() if terminal else os.pipe()
                os.set_blocking(source, False)
                self._captured.append(_Stream(number, source, log, terminal=terminal))
                self.streams[number] = end
        for one in self._captured:
            one.resize()
            one.copy_settings()

    def started(self, poll: select.poll) -> None:
        """The command holds its ends of the streams now; what is to be waited for is registered with ``poll``."""
        self._poll = poll
        for end in self.streams.values():
            os.close(end)
        for one in self._captured:
            self._register(one)

    def heed(self, ready: list[tuple[int, int]]) -> bool:
        """Copy what the descriptors that poll(2) named have to say; whether any of them was ours."""
        numbers = {fd for fd, _ in ready}
        ours = False
        for one in self._captured:
            if one.target in numbers and one.pending:
                one.write()
                ours = True
            elif one.source in numbers and not one.pending:
                self._log(one, one.read())
                one.write()
                ours = True
            self._register(one)
        return ours

    def resized(self) -> None:
        """Give our terminals the size of the real one."""
        for one in self._captured:
            one.resize()

    def drained(self) -> bool:
        """Whether all that was written so far has been handed on."""
        waiting = select.poll()
        for one in self._captured:
            if one.pending:
                return False
            if one.source >= 0:
                waiting.register(one.source, select.POLLIN)
        return not any(what & select.POLLIN for _, what in waiting.poll(0))

    def leave(self) -> None:
        """The command has ended: what it started may still write, and is served by a process of its own from now on."""
        if not any(one.source >= 0 for one in self._captured):
            return
        if os.fork():
            return
        try:
            self._serve_on()
        finally:
            os._exit(0)

    def _serve_on(self) -> None:
        keep = {self._both}
        for one in self._captured:
            keep |= {one.number, one.source, one.target, one.log}
        lowest = 0
        for fd in sorted(keep - {-1}):  # above all the record, which is locked as long as anybody holds it
            os.closerange(lowest, fd)
            lowest = fd + 1
        os.closerange(lowest, 1 << 16)
        self._poll = select.poll()
        for one in self._captured:
            one.watched = (-1, 0)
            self._register(one)
        while any(one.source >= 0 or one.pending for one in self._captured):
            self.heed(self._poll.poll())

    def _log(self, one: _Stream, data: bytes) -> None:
        try:
            for fd in (one.log, self._both):
                left = data
                while left:
                    left = left[os.write(fd, left) :]
        except OSError as error:
            self.trouble = self.trouble or f"{_NAMES[one.number]}: {os.strerror(error.errno or 0).lower()}"

    def _register(self, one: _Stream) -> None:
        wanted = (one.target, select.POLLOUT) if one.pending else (one.source, select.POLLIN)
        if wanted != one.watched:
            if one.watched[0] >= 0:
                with contextlib.suppress(KeyError):
                    self._poll.unregister(one.watched[0])
            if wanted[0] >= 0:
                self._poll.register(*wanted)
            one.watched = wanted


class _Stream:
    """One stream: read from ``source``, written to ``target``, which is ``number`` opened anew where that can be done."""

    def __init__(self, number: int, source: int, log: int, *, terminal: bool) -> None:
        self.number = number
        self.source = source
        self.log = log
        self.pending = b""
        self.watched = (-1, 0)
        self._terminal = terminal
        self._settings: list[object] = []
        self.target = os.dup(number)
        self._most = _AT_ONCE
        if stat.S_ISREG(os.fstat(number).st_mode):
            self._most = _CHUNK
        elif terminal or stat.S_ISFIFO(os.fstat(number).st_mode):
            # O_NONBLOCK belongs to what is open, not to the descriptor: set on 1 it would be seen by all that share it
            with contextlib.suppress(OSError):  # another user's; then what fits is written
                anew = os.open(f"/proc/self/fd/{number}", os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
                os.close(self.target)
                self.target, self._most = anew, _CHUNK

    def read(self) -> bytes:
        """What is there; at its end the source is closed."""
        try:
            self.pending = os.read(self.source, _CHUNK)
        except BlockingIOError:
            return b""
        except OSError as error:
            if error.errno != errno.EIO:  # nobody holds the other side of the terminal any more
                raise
        if not self.pending:
            self._close()
        elif self._terminal:
            self._follow_settings()
        return self.pending

    def write(self) -> None:
        """Hand on what the target takes now."""
        if not self.pending:
            return
        try:
            self.pending = self.pending[os.write(self.target, self.pending[: self._most]) :]
        except BlockingIOError:
            pass
        except OSError:
            self.pending = b""  # nobody reads it
            self._close()

    def resize(self) -> None:
        """Give our terminal the size of the real one."""
        if self._terminal and self.source >= 0:
            import termios  # noqa: PLC0415  0.1 MiB that few runs need

            with contextlib.suppress(OSError):
                size = fcntl.ioctl(self.number, termios.TIOCGWINSZ, bytes(8))
                fcntl.ioctl(self.source, termios.TIOCSWINSZ, size)

    def copy_settings(self) -> None:
        """Give our terminal the settings of the real one, which alone turns line ends into what a terminal needs."""
        if self._terminal:
            import termios  # noqa: PLC0415  as above

            with contextlib.suppress(termios.error):
                settings = termios.tcgetattr(self.number)
                settings[_OUT] &= ~termios.OPOST
                termios.tcsetattr(self.source, termios.TCSANOW, settings)
                self._settings = termios.tcgetattr(self.source)

    def _follow_settings(self) -> None:
        import termios  # noqa: PLC0415  as above

        with contextlib.suppress(termios.error):
            settings = termios.tcgetattr(self.source)
            if settings != self._settings:
                self._settings = settings[:]
                real = termios.tcgetattr(self.number)
                for place in (_IN, _LOCAL, _KEYS):
                    real[place] = settings[place]
                termios.tcsetattr(self.number, termios.TCSANOW, real)

    def _close(self) -> None:
        if self.source >= 0:
            os.close(self.source)
            self.source = -1
