"""Notes where the page of a running `bongsu up` is, so that other commands find it; one file for each, gone with it."""

from __future__ import annotations

import contextlib
import os
import re
import stat
from collections.abc import Iterator

import msgspec

from bongsu.records.run_folder import encoded, write_whole
from bongsu.sources.procfs.process import parse_stat

_NAME = re.compile(r"up-(\d{1,10})\.json")
_MOST_BYTES = 64 * 1024


class Noted(msgspec.Struct, frozen=True):
    """One page that runs. ``url`` holds its token."""

    url: str
    pid: int
    start_ticks: int  # of the process: a number may be given anew
    boot_id: str
    runs_dir: str


def note(directory: str, url: str, runs_dir: str) -> None:
    """Write down that this process serves the page at ``url``; for this user alone. Raises OSError."""
    pid = os.getpid()
    ticks = _start_ticks(pid)
    assert ticks is not None  # it is this process
    write_whole(_path(directory, pid), encoded(Noted(url, pid, ticks, _boot_id(), runs_dir)))


def forget(directory: str) -> None:
    """This process serves no page any more."""
    with contextlib.suppress(OSError):
        os.unlink(_path(directory, os.getpid()))


def running(directory: str) -> list[Noted]:
    """The pages that run, newest first. What a process left behind that was killed is taken away."""
    found = []
    for path in _files(directory):
        noted = _read(path)
        if noted is None:
            continue
        if noted.boot_id == _boot_id() and _start_ticks(noted.pid) == noted.start_ticks:
            found.append(noted)
        else:
            with contextlib.suppress(OSError):
                os.unlink(path)
    return sorted(found, key=lambda one: -one.start_ticks)


def _path(directory: str, pid: int) -> str:
    return os.path.join(directory, f"up-{pid}.json")


def _files(directory: str) -> Iterator[str]:
    with contextlib.suppress(OSError):
        yield from (os.path.join(directory, name) for name in os.listdir(directory) if _NAME.fullmatch(name))


def _read(path: str) -> Noted | None:
    """What it says; None if it is nothing of ours, or others could have written it."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
        with os.fdopen(fd, "rb") as file:
            status = os.fstat(fd)
            content = file.read(_MOST_BYTES)
    except OSError:
        return None
    if status.st_mode & 0o077 or status.st_uid != os.geteuid() or not stat.S_ISREG(status.st_mode):
        return None
    try:
        return msgspec.json.decode(content, type=Noted)
    except msgspec.MsgspecError:
        return None


def _start_ticks(pid: int) -> int | None:
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return parse_stat(file.read()).start_ticks
    except (OSError, ValueError, IndexError):
        return None


def _boot_id() -> str:
    try:
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
            return file.read().strip()
    except OSError:
        return ""
