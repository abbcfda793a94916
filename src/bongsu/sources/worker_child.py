"""The child side of `worker`: runs in a bare interpreter, so it imports nothing that it can do without.

Its arguments are REQUESTS ANSWERS BOARD LIFELINE SERVICE: four file descriptors and a name for ``ps``. ``posix`` stands for ``os``, and nothing of Bongsu is imported but the
service: each module costs every agent memory.
"""

from __future__ import annotations

import fcntl
import marshal
import posix
import sys
import time

TYPE_CHECKING = False  # as typing's, which would cost more than all the rest here
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

_SIGKILL = 9  # `signal` would bring `enum` with it, half a megabyte
_F_SETSIG = 10  # fcntl(2)
_END = bytes(4)
_LENGTH = 4


def main() -> None:
    """Serve requests until the parent closes the pipe or ends."""
    requests, answers, board, lifeline = (int(word) for word in sys.argv[1:5])
    _die_with_parent(lifeline)
    path, service = _receive(requests)
    sys.path[:] = path
    try:
        function = _find(service)
    except Exception as error:  # noqa: BLE001  whatever the import does wrong is told, not lost
        function = _failing(f"{type(error).__name__}: {error}")
    while True:
        items, patience, deadline = _receive(requests)
        _send(answers, _serve(function, items, patience, deadline, board))


def _die_with_parent(lifeline: int) -> None:
    # When the write end of this pipe closes, the kernel sends its owner the signal that was asked for. It
    # works wherever this process blocks, costs no ctypes, and unlike PR_SET_PDEATHSIG does not fire when
    # merely the thread that started us has ended.
    fcntl.fcntl(lifeline, fcntl.F_SETOWN, posix.getpid())
    fcntl.fcntl(lifeline, _F_SETSIG, _SIGKILL)
    flags = fcntl.fcntl(lifeline, fcntl.F_GETFL)
    fcntl.fcntl(lifeline, fcntl.F_SETFL, flags | posix.O_NONBLOCK | fcntl.FASYNC)
    try:
        posix.read(lifeline, 1)
    except BlockingIOError:
        return
    sys.exit(0)  # the parent ended before we were ready


def _find(service: str) -> Callable[[Any], Any]:
    module, _, name = service.partition(":")
    __import__(module)
    function: Callable[[Any], Any] = getattr(sys.modules[module], name)
    return function


def _failing(text: str) -> Callable[[Any], Any]:
    def fail(_item: object) -> object:
        raise RuntimeError(text)

    return fail


def _serve(function: Callable[[Any], Any], items: list[Any], patience: int, deadline: int, board: int) -> bytes:
    """All answers, or those up to the item for which the parent has stopped waiting.

    The board holds what has been answered while the batch lasts: whoever reads it sees by the number of
    records which item is being asked, and in the newest one since when.
    """
    answered = []
    now = time.monotonic_ns()
    posix.pwrite(board, _END, 0)  # what stands there is of the request before
    place = _note(board, 0, (now, deadline))
    for item in items:
        try:
            answer: tuple[Any, ...] = (function(item),)
        except OSError as error:
            answer = (error.errno or 0, error.strerror or str(error))
        except Exception as error:  # noqa: BLE001  a service may fail in any way; the next item must be asked
            answer = (0, f"{type(error).__name__}: {error}")
        started, now = now, time.monotonic_ns()
        answered.append(answer)
        if now - started >= patience or now >= deadline:
            break
        place = _note(board, place, (now, answer))
    return marshal.dumps(answered)


def _note(board: int, place: int, record: tuple[Any, ...]) -> int:
    # The parent may read in the middle of this, so the length, which makes a record one, comes last.
    data = marshal.dumps(record)
    posix.pwrite(board, data + _END, place + _LENGTH)
    posix.pwrite(board, len(data).to_bytes(_LENGTH, "little"), place)
    return place + _LENGTH + len(data)


def _receive(fd: int) -> Any:
    return marshal.loads(_exactly(fd, int.from_bytes(_exactly(fd, _LENGTH), "little")))  # noqa: S302  from our own parent


def _exactly(fd: int, size: int) -> bytes:
    data = posix.read(fd, size)
    while len(data) < size:
        more = posix.read(fd, size - len(data))
        if not more:
            sys.exit(0)  # the parent has closed the pipe: the ordinary end
        data += more
    return data


def _send(fd: int, data: bytes) -> None:
    data = len(data).to_bytes(_LENGTH, "little") + data
    while data:
        data = data[posix.write(fd, data) :]
