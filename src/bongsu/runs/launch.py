"""Starts the command of a run: forked, held until its counters are open, then executed.

Standard library only, as all that the monitor imports.
"""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import struct
from collections.abc import Iterable, Mapping, Sequence
from typing import NoReturn

NOT_EXECUTABLE, NOT_FOUND = 126, 127  # as a shell and env(1) say it
_NUMBER = struct.Struct("i")
_OF_PYTHON = (signal.SIGPIPE, signal.SIGXFSZ)  # Python ignores them, and exec would hand that on


class Launch:
    """A child in our own process group that waits for `go` before it becomes the command.

    If we are killed while it waits, it becomes the command all the same: that a recorder dies is no reason not to run.

    Attributes:
        pid: of the command.
    """

    def __init__(
        self,
        argv: Sequence[str],
        environment: Mapping[bytes, bytes],
        mask: Iterable[int] = (),
        ignored: Iterable[int] = (),
        streams: Mapping[int, int] | None = None,
        closed: Iterable[int] = (),
    ) -> None:
        """Fork.

        Args:
            argv: the command.
            environment: all of it.
            mask: the signal mask that the command is to have.
            ignored: the signals that it is to find ignored; all others have their default disposition.
            streams: descriptors of the command, and what they are to be copies of.
            closed: descriptors of the command that are to be closed.
        """
        held, self._release = os.pipe()
        self._answer, answer = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            os.close(self._release)  # or a monitor that dies would leave the child waiting for ever
            os.close(self._answer)
            _become(argv, environment, (mask, ignored), (streams or {}, closed), held, answer)
        os.close(held)
        os.close(answer)

    def go(self) -> int:
        """Let the command begin: 0, or the errno of execve(2)."""
        self._say(b"g")
        text = os.read(self._answer, _NUMBER.size)  # empty: closed by a successful exec
        os.close(self._answer)
        return int(_NUMBER.unpack(text)[0]) if text else 0

    def call_off(self) -> None:
        """End the child; the command never runs."""
        self._say(b"x")
        os.close(self._answer)

    def _say(self, word: bytes) -> None:
        with contextlib.suppress(BrokenPipeError):  # somebody killed it meanwhile
            os.write(self._release, word)
        os.close(self._release)


def exec_failed(number: int) -> int:
    """The exit code that tells why a command could not be executed."""
    return NOT_FOUND if number in (errno.ENOENT, errno.ENOTDIR) else NOT_EXECUTABLE


def original_environment() -> dict[bytes, bytes]:
    """The environment as we were given it: Python adds LC_CTYPE to its own in the C locale (PEP 538)."""
    try:
        with open("/proc/self/environ", "rb") as file:
            entries = file.read().split(b"\0")
    except OSError:
        return dict(os.environb)
    return {name: value for name, equals, value in (entry.partition(b"=") for entry in entries) if equals and name}


def execute(argv: Sequence[str], environment: Mapping[bytes, bytes]) -> NoReturn:
    """Become the command, as execvp(3) would: PATH is searched, a script without an interpreter is the shell's.

    Raises:
        OSError: it cannot be executed.
        ValueError: a word holds a NUL.
    """
    words = [os.fsencode(word) for word in argv]
    program = words[0]
    if b"/" in program:
        places = [program]
    else:
        path = environment.get(b"PATH", os.fsencode(os.defpath))
        places = [os.path.join(place or b".", program) for place in path.split(b":")] if program else []
    refused = OSError(errno.ENOENT, os.strerror(errno.ENOENT))
    for place in places:
        try:
            os.execve(place, words, environment)  # noqa: S606  no shell: that is the point
        except OSError as error:
            if error.errno == errno.ENOEXEC:
                shell = [b"/bin/sh", place, *words[1:]]
                os.execve(shell[0], shell, environment)  # noqa: S606  what POSIX says of execvp
            if error.errno not in (errno.ENOENT, errno.ENOTDIR) or place == program:
                refused = error
                if error.errno != errno.EACCES:
                    break
    raise refused


def _become(
    argv: Sequence[str],
    environment: Mapping[bytes, bytes],
    signals: tuple[Iterable[int], Iterable[int]],
    descriptors: tuple[Mapping[int, int], Iterable[int]],
    held: int,
    answer: int,
) -> NoReturn:
    try:
        if os.read(held, 1) == b"x":
            os._exit(125)
        mask, ignored = signals
        for default in (*_OF_PYTHON, signal.SIGCHLD):
            signal.signal(default, signal.SIG_DFL)
        for unheard in ignored:
            signal.signal(unheard, signal.SIG_IGN)
        streams, closed = descriptors
        for number, source in streams.items():
            os.dup2(source, number)
        for number in closed:
            os.close(number)
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        execute(argv, environment)
    except OSError as error:
        _fail(answer, error.errno or errno.EINVAL)
    except ValueError:
        _fail(answer, errno.EINVAL)
    except BaseException:  # noqa: BLE001  two processes must never run on from here
        os._exit(125)


def _fail(answer: int, number: int) -> NoReturn:
    try:
        os.write(answer, _NUMBER.pack(number))
    finally:
        os._exit(exec_failed(number))
