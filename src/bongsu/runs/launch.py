"""Starts the command of a run: forked, held until its counters are open, then executed.

Standard library only, as all that the monitor imports.
"""

from __future__ import annotations

import errno
import os
import signal
import struct
from collections.abc import Mapping
from typing import NoReturn

NOT_EXECUTABLE, NOT_FOUND = 126, 127  # as a shell and env(1) say it
_NUMBER = struct.Struct("i")


class Launch:
    """A child in our own process group that waits for `go` before it becomes the command.

    Attributes:
        pid: of the command.
    """

    def __init__(self, argv: tuple[str, ...], environment: Mapping[str, str], mask: set[signal.Signals]) -> None:
        """Fork; ``mask`` is the signal mask that the command is to have."""
        held, self._release = os.pipe()
        self._answer, answer = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            os.close(self._release)  # or a monitor that dies would leave the child waiting for ever
            _become(argv, environment, mask, held, answer)
        os.close(held)
        os.close(answer)

    def go(self) -> int:
        """Let the command begin: 0, or the errno of execve(2)."""
        os.write(self._release, b"g")
        os.close(self._release)
        text = os.read(self._answer, _NUMBER.size)  # empty: closed by a successful exec
        os.close(self._answer)
        return int(_NUMBER.unpack(text)[0]) if text else 0


def exec_failed(number: int) -> int:
    """The exit code that tells why a command could not be executed."""
    return NOT_FOUND if number in (errno.ENOENT, errno.ENOTDIR) else NOT_EXECUTABLE


def _become(
    argv: tuple[str, ...], environment: Mapping[str, str], mask: set[signal.Signals], held: int, answer: int
) -> NoReturn:
    try:
        if os.read(held, 1) != b"g":
            os._exit(125)
        for number in (signal.SIGPIPE, signal.SIGXFSZ):  # Python ignores them, and exec would hand that on
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        os.execvpe(argv[0], argv, environment)  # noqa: S606  no shell: that is the point
    except OSError as error:
        os.write(answer, _NUMBER.pack(error.errno or errno.EINVAL))
        os._exit(exec_failed(error.errno or 0))
    except BaseException:  # noqa: BLE001  two processes must never run on from here
        os._exit(125)
