"""Services that a worker's child runs in the tests: quick, slow, stuck, noisy and deadly ones."""

from __future__ import annotations

import os
import signal
import time


def double(number: int) -> int:
    """A quick answer; 0 is refused as a file system would."""
    if number == 0:
        raise PermissionError(13, "Permission denied")
    if number < 0:
        raise ValueError("negative")
    return 2 * number


def nap(seconds: float) -> float:
    """Answers after that many seconds."""
    time.sleep(seconds)
    return seconds


def until_gone(path: bytes) -> bytes:
    """Blocks as long as the file is there."""
    while os.path.exists(path):
        time.sleep(0.01)
    return path


def die(number: int) -> int:
    """Kills its process for the number 13."""
    if number == 13:
        os.kill(os.getpid(), signal.SIGSEGV)
    return number


def chatter(text: str) -> str:
    """Prints where the answers could be, and reads where the requests could be."""
    print(text * 100, flush=True)  # noqa: T201  the point of it
    os.write(2, b"x" * 100)
    os.read(0, 10)
    return text


def about(what: str) -> object:
    """Facts about the child's process."""
    if what == "fds":
        return sorted(int(name) for name in os.listdir("/proc/self/fd"))
    if what == "group":
        return os.getpgid(0)
    return what * 100_000


def user(uid: int) -> str | None:
    """A name service that knows everybody beyond 70 000."""
    return f"user{uid}" if uid > 70_000 else None


def never(_uid: int) -> str | None:
    """A name service whose server is dead."""
    time.sleep(3600)
    return None
