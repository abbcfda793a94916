"""Asks what may block (a dead mount, a name service, a driver) in child processes that can be left behind."""

from __future__ import annotations

import atexit
import contextlib
import fcntl
import marshal
import os
import select
import subprocess
import sys
import time
from collections.abc import Sequence
from typing import Any, NamedTuple

# Imported, not run as a file: a compiled copy is kept for what is imported, and compiling costs 0.4 MB.
_CHILD = "import sys; sys.path.insert(0, sys.argv.pop(1)); import worker_child; worker_child.main()"
_HERE = os.path.dirname(os.path.abspath(__file__))
_LENGTH = 4
_START_SECONDS = 5.0  # a bare interpreter needs 20 ms; a machine on its knees needs longer
_END_SECONDS = 1.0  # one that was killed, or has closed its answers, needs 1 ms; as above


class Failed(NamedTuple):
    """The question failed; ``number`` is the service's errno, 0 if it raised something else or could not be asked."""

    number: int
    text: str


class Silent(NamedTuple):
    """No answer yet, asked at ``since`` (Unix s); the child that waits for it goes on waiting."""

    since: float


class NotAsked(NamedTuple):
    """Other items of the same request used up the time, or too many children hang already."""


class Worker:
    """Asks one service, named ``module:function``, about any number of items, never longer than a deadline.

    The function runs in a child process, one item after another, and takes and gives what marshal
    can carry: bytes, text, numbers, None and containers of these. (Marshal, since both ends are
    one interpreter and trust each other: it needs no import, and json would cost each child a megabyte.)

    An item that has not answered within ``patience`` keeps its child, which goes on waiting for it:
    no second one is ever started for the same item, its late answer is given by a later `ask`, and
    the next items go to another child. While ``most`` children hang, only items are asked that answered
    the last time. With ``most`` 0 the items share one fate (a name service has one server): while one
    hangs, none is asked. With ``kill`` a child that hangs is killed at once (it may still live until the
    kernel lets it go, and until then its item is not asked again): for what must not be left running.

    One thread at a time may use a worker.
    """

    def __init__(self, service: str, *, patience: float = 0.5, most: int = 8, kill: bool = False) -> None:
        self._service = service
        self._patience = patience
        self._most = most
        self._kill = kill
        self._free: _Child | None = None
        self._hung: dict[Any, _Child] = {}
        self._answered: Sequence[Any] = ()  # the items that answered the last time

    @property
    def pids(self) -> tuple[int, ...]:
        """The children, those that hang included."""
        children = [*self._hung.values()] + ([self._free] if self._free else [])
        return tuple(child.pid for child in children)

    def ask(self, items: Sequence[Any]) -> list[Any]:
        """An answer for each item, in order: what the service gave, or Failed, Silent or NotAsked.

        Waits at most twice the patience (longer only while a child starts on a machine that is
        out of breath, and then at most 5 s).
        """
        if not self._hung and self._free is not None:  # the usual way: one child, one round trip
            deadline = time.monotonic() + 2 * self._patience
            answers = self._round(self._free, items, deadline)
            if len(answers) == len(items) and not self._hung:
                self._answered = items
                return answers
            known = dict(zip(items, answers, strict=False))
        else:
            known = self._late_answers(items)
            deadline = time.monotonic() + 2 * self._patience
        return self._rest(items, known, deadline)

    def close(self) -> None:
        """End all children; one that the kernel holds is left to it, killed, and reaped when it ends."""
        for child in (*self._hung.values(), *((self._free,) if self._free else ())):
            child.close()
        self._hung.clear()
        self._free = None
        _reap()

    def kill_hung(self) -> None:
        """Kill the children that hang; one that the kernel holds stays known, and its item is not asked, until it has ended."""
        for child in self._hung.values():
            child.kill()

    def rest(self) -> None:
        """Let the idle child go, and with it its memory; the next `ask` starts another."""
        if self._free is not None:
            self._free.close()
            self._free = None

    def __del__(self) -> None:
        with contextlib.suppress(Exception):  # at the interpreter's end anything may be gone already
            self.close()

    def _late_answers(self, items: Sequence[Any]) -> dict[Any, Any]:
        """What the children that hung have answered meanwhile, and Silent for those that still hang."""
        known: dict[Any, Any] = {}
        for item, child in list(self._hung.items()):
            answers = child.receive(0.0)
            if answers is None:
                known[item] = Silent(child.silent_since)
                continue
            del self._hung[item]
            child.silent_since = 0.0
            if answers and not self._kill:
                known[item] = _given(answers[-1])
            self._keep(child)
        wanted = set(items)
        return {item: answer for item, answer in known.items() if item in wanted}

    def _rest(self, items: Sequence[Any], known: dict[Any, Any], deadline: float) -> list[Any]:
        trusted = frozenset(self._answered)
        late = time.monotonic() >= deadline
        while True:
            open_items = [item for item in dict.fromkeys(items) if item not in known]
            if len(self._hung) >= max(1, self._most):
                out_of_bounds = len(self._hung) > self._most
                refused = [item for item in open_items if out_of_bounds or item not in trusted]
                known.update(dict.fromkeys(refused, NotAsked()))
                open_items = [item for item in open_items if item not in known]
            if late:
                known.update(dict.fromkeys(open_items, NotAsked()))
            if late or not open_items:
                break
            child = self._free
            if child is None:
                try:
                    child = self._free = _Child(self._service)
                except OSError as error:
                    failed = Failed(0, f"no child could be started: {error.strerror or error}")
                    known.update(dict.fromkeys(open_items, failed))
                    break
                deadline = max(deadline, time.monotonic() + 2 * self._patience)
            known.update(zip(open_items, self._round(child, open_items, deadline), strict=False))
            late = time.monotonic() >= deadline
        self._answered = [item for item in items if not isinstance(known[item], (Silent, NotAsked))]
        return [known[item] for item in items]

    def _round(self, child: _Child, items: Sequence[Any], deadline: float) -> list[Any]:
        """Ask a free child; the answers up to the first item that did not answer in time, which is Silent."""
        sent = time.monotonic()
        try:
            child.send(items, self._patience, deadline)
            answers = child.receive(self._patience)
            began_late = False
            while answers is None:
                begun, done = child.progress()
                now = time.monotonic()
                if begun is None:  # it has not come to read the request
                    began_late = True
                    patience_ends = max(child.started + _START_SECONDS, sent + 2 * self._patience)
                    if now < patience_ends:
                        answers = child.receive(min(self._patience, patience_ends - now))  # it may begin at any time
                        continue
                elif len(done) == len(items):  # all is answered and on its way to us
                    patience_ends = begun + _START_SECONDS
                elif began_late and not done:
                    patience_ends = begun + self._patience  # the time it took to begin is not the item's fault
                else:
                    patience_ends = min(begun + self._patience, deadline)
                if now < patience_ends:
                    answers = child.receive(patience_ends - now)
                    continue
                if begun is None or len(done) == len(items):
                    self._free = None
                    child.close()
                    return [Failed(0, f"the child did not get to work within {_START_SECONDS:g} s")] * len(items)
                return self._give_up(child, items, done, begun)
        except _Ended as ended:
            self._free = None
            _, done = child.progress()
            child.close()
            lost = Failed(0, f"the child that asked ended: {ended}")
            return [*map(_given, done), lost][: len(items)] or [lost]
        return [answer[0] if len(answer) == 1 else Failed(*answer) for answer in answers]

    def _give_up(self, child: _Child, items: Sequence[Any], done: list[Any], begun: float) -> list[Any]:
        child.silent_since = time.time() - (time.monotonic() - begun)
        if self._kill:
            child.kill()
        self._hung[items[len(done)]] = child
        self._free = None
        return [*map(_given, done), Silent(child.silent_since)]

    def _keep(self, child: _Child) -> None:
        if self._free is None and not self._kill and not child.ended:
            self._free = child
        else:
            child.close()


def _given(answer: tuple[Any, ...]) -> Any:
    return answer[0] if len(answer) == 1 else Failed(*answer)


class _Ended(Exception):  # noqa: N818  not an error of ours: the child has ended
    pass


class _Child:
    """One process and the descriptors to it: requests, answers, and the board on which it notes progress."""

    def __init__(self, service: str) -> None:
        _reap()
        opened: list[int] = []
        try:
            theirs_in, self._requests = _pipe(opened)
            self._answers, theirs_out = _pipe(opened)
            self._board = _above_std(os.memfd_create("bongsu-worker", os.MFD_CLOEXEC), opened)
            theirs_life, self._lifeline = _pipe(opened)  # ours is closed when we end, however we end
            fds = (theirs_in, theirs_out, self._board, theirs_life)
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-S", "-c", _CHILD, _HERE, *map(str, fds), service],
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                pass_fds=fds, close_fds=True, cwd="/",
                process_group=0,  # a Ctrl-C in the terminal is ours to handle
            )  # fmt: skip
        except BaseException:
            for fd in opened:
                os.close(fd)
            raise
        _STARTED.append(self._process)
        for fd in (theirs_in, theirs_out, theirs_life):
            os.close(fd)
        os.set_blocking(self._requests, False)
        os.set_blocking(self._answers, False)
        self.pid = self._process.pid
        self.started = time.monotonic()
        self.silent_since = 0.0
        self.ended = False
        self._open = True
        self._buffer = bytearray()
        self._deadline = 0
        self._incoming = select.poll()
        self._incoming.register(self._answers, select.POLLIN)
        with contextlib.suppress(_Ended):  # the first question will tell
            self._write(marshal.dumps((sys.path, service)))

    def send(self, items: Sequence[Any], patience: float, deadline: float) -> None:
        self._deadline = int(deadline * 1e9)
        self._write(marshal.dumps((list(items), int(patience * 1e9), self._deadline)))

    def receive(self, seconds: float) -> list[Any] | None:
        """All answers, or None if they did not come in time. Raises _Ended in the middle of a request."""
        until = time.monotonic() + seconds
        while self._incoming.poll(max(0, int((until - time.monotonic()) * 1000) + 1) if seconds else 0):
            try:
                data = os.read(self._answers, 65536)
            except BlockingIOError:
                continue
            if not data:
                self.ended = True
                if seconds:
                    raise _Ended(self._how_it_ended())
                return []
            if self._buffer or len(data) < _LENGTH + int.from_bytes(data[:_LENGTH], "little"):
                self._buffer += data
                if len(self._buffer) < _LENGTH + int.from_bytes(self._buffer[:_LENGTH], "little"):
                    continue
                data = bytes(self._buffer)
                self._buffer.clear()
            answers: list[Any] = marshal.loads(data[_LENGTH:])  # noqa: S302  our own child wrote it
            return answers
        return None

    def progress(self) -> tuple[float | None, list[Any]]:
        """Since when (monotonic s) the current item is being asked, None before the first; the answers so far."""
        records = []
        place = 0
        while size := int.from_bytes(os.pread(self._board, _LENGTH, place), "little"):
            place += _LENGTH
            record = os.pread(self._board, size, place)  # only now: it is whole once its length stands there
            records.append(marshal.loads(record))  # noqa: S302  our own child wrote it
            place += size
        if not records or records[0][1] != self._deadline:  # empty, or of the request before
            return None, []
        return records[-1][0] / 1e9, [answer for _, answer in records[1:]]

    def kill(self) -> None:
        self._process.kill()  # safe once it has ended: Popen looks first

    def close(self) -> None:
        """Kill it and let go of it. An idle one is reaped at once, one that the kernel holds when it is let go."""
        if self._open:
            self._open = False
            for fd in (self._requests, self._answers, self._board, self._lifeline):
                os.close(fd)
            self.kill()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(0 if self.silent_since else _END_SECONDS)
            _reap()

    def _write(self, data: bytes) -> None:
        data = len(data).to_bytes(_LENGTH, "little") + data
        try:
            written = os.write(self._requests, data)
            while written < len(data):  # only a request of thousands of items is longer than the pipe
                room = select.poll()
                room.register(self._requests, select.POLLOUT)
                if not room.poll(int(_START_SECONDS * 1000)):
                    self.kill()
                    raise _Ended("it does not read")
                written += os.write(self._requests, data[written:])
        except BrokenPipeError:
            raise _Ended(self._how_it_ended()) from None

    def _how_it_ended(self) -> str:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(_END_SECONDS)
        code = self._process.returncode
        if code is None:
            return "it closed its answers"
        return f"killed by signal {-code}" if code < 0 else f"exit code {code}"


_STARTED: list[subprocess.Popen[bytes]] = []  # all children until they are reaped, whoever forgets about them


def _reap() -> None:
    _STARTED[:] = [process for process in _STARTED if process.poll() is None]


@atexit.register
def _end_all() -> None:
    until = time.monotonic() + 0.2
    for process in _STARTED:
        process.kill()
    for process in _STARTED:
        with contextlib.suppress(subprocess.TimeoutExpired):  # the kernel holds it: init will reap it
            process.wait(max(0.0, until - time.monotonic()))


def _pipe(opened: list[int]) -> tuple[int, int]:
    reading, writing = os.pipe()
    return _above_std(reading, opened), _above_std(writing, opened)


def _above_std(fd: int, opened: list[int]) -> int:
    """The descriptor, moved out of 0 to 2 where a daemon that closed those gets it: the child has these itself."""
    if fd <= 2:
        low, fd = fd, fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 3)
        os.close(low)
    opened.append(fd)
    return fd
