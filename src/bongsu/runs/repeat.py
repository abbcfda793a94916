"""Runs several commands in turn, many times each: in which order, and until when."""

from __future__ import annotations

import contextlib
import os
import random
import shlex
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from types import FrameType
from typing import NamedTuple

from bongsu.model.errors import BadInput
from bongsu.model.message import Message

_OWN_FAILURE = 125  # what `bongsu run` ends with where it is itself at fault: no run would fare better
_PASSED_ON = (signal.SIGTERM, signal.SIGHUP)


class Turn(NamedTuple):
    """One run: of which side (0 is the first), and whether it only warms up."""

    side: int
    warmup: bool = False


class Ended(NamedTuple):
    """How it went: turns that were completed, and the exit code that ended it early, or 0."""

    done: tuple[Turn, ...]
    code: int = 0
    interrupted: bool = False


def order(sides: int, repeats: int, warmup: int = 0, seed: int | None = None) -> list[Turn]:
    """The turns, in rounds of one run a side, so that a machine that changes does so for all of them alike.

    Every second round goes backwards (ABBA ABBA ...): a steady rise falls on the sides alike. With a seed each round
    is shuffled instead, which also holds against what recurs.
    """
    turns = [Turn(side, warmup=True) for _ in range(warmup) for side in range(sides)]
    shuffled = None if seed is None else random.Random(seed)  # noqa: S311  an order, not a secret
    for number in range(repeats):
        one = list(range(sides))
        if shuffled is not None:
            shuffled.shuffle(one)
        elif number % 2:
            one.reverse()
        turns += [Turn(side) for side in one]
    return turns


def words(command: str) -> list[str]:
    """A command as a shell would take it apart, but no shell sees it: no variables, no patterns, no pipes.

    Raises:
        BadInput: it cannot be taken apart, or is empty.
    """
    try:
        found = shlex.split(command)
    except ValueError as error:
        raise BadInput(
            Message("--vs {command!r}: {reason}; quote it as a shell would", command=command, reason=str(error).lower())
        ) from None
    if not found:
        raise BadInput(Message("--vs {command!r}: give the command to compare with", command=command))
    return found


def experiment(now: float) -> str:
    """A name for what belongs together."""
    return f"{time.strftime('%Y%m%d-%H%M%S', time.gmtime(now))}-{os.urandom(2).hex()}"


def run_all(
    turns: Sequence[Turn], argv: Callable[[Turn], Sequence[str]], tell: Callable[[int, Turn], None], *,
    ignore_failure: bool = False,
) -> Ended:  # fmt: skip
    """Run one turn after the other, each with this process' stdout, stderr and terminal, and nothing to read.

    Ctrl-C reaches the command from the terminal; SIGTERM and SIGHUP are passed on to it. When that turn has ended
    there are no more. A command that fails ends it too, unless told otherwise.

    Args:
        turns: what is to be run.
        argv: what to start for a turn: a recorder that ends as its command does.
        tell: called with the number of a turn, from 0, before it.
        ignore_failure: go on when a command fails.
    """
    done: list[Turn] = []
    with _signals() as waiting:
        for number, turn in enumerate(turns):
            tell(number, turn)
            with subprocess.Popen(argv(turn), stdin=subprocess.DEVNULL) as child:
                waiting.child = child
                if waiting.received is not None:  # between two turns
                    child.terminate()
                code = child.wait()
                waiting.child = None
            if waiting.received is not None:
                return Ended(tuple(done), 128 + waiting.received, interrupted=True)
            if code and (not ignore_failure or code == _OWN_FAILURE):
                return Ended(tuple(done), 128 - code if code < 0 else code)
            done.append(turn)
    return Ended(tuple(done))


class _Waiting:
    """What came for this process while it waits for a child."""

    def __init__(self) -> None:
        self.child: subprocess.Popen[bytes] | None = None
        self.received: int | None = None

    def take(self, number: int, _frame: FrameType | None) -> None:
        """Remember it; pass on what the terminal has not sent to the child itself."""
        self.received = number
        if number in _PASSED_ON and self.child is not None:
            self.child.send_signal(number)


@contextlib.contextmanager
def _signals() -> Iterator[_Waiting]:
    waiting = _Waiting()
    heeded = [number for number in (signal.SIGINT, *_PASSED_ON) if signal.getsignal(number) is not signal.SIG_IGN]
    before = {number: signal.signal(number, waiting.take) for number in heeded}  # not what nohup has set aside
    try:
        yield waiting
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
