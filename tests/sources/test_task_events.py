"""The kernel's records of each process of a tree, from real trees and from rings made by hand."""

from __future__ import annotations

import mmap
import os
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

import pytest

import run_scenarios
from bongsu.sources import task_events
from bongsu.sources.perf_event import NOT_PERMITTED, NOT_SUPPORTED, NoCounter
from bongsu.sources.task_events import Ended, Forked, Happened, Named, TaskEvents

SRC = str(Path(task_events.__file__).parents[2])
_PAGE = mmap.PAGESIZE
Kind = TypeVar("Kind", Forked, Named, Ended)
Held = Callable[..., tuple[int, Callable[[], None]]]


@pytest.fixture
def held() -> Iterator[Held]:
    """Starts a command that waits to be let go: its pid, and what lets it go."""
    made: list[int] = []
    pids: list[int] = []

    def start(*argv: str, files: tuple[int, ...] = ()) -> tuple[int, Callable[[], None]]:
        waiting, release = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.close(release)
            os.read(waiting, 1)
            for number, descriptor in enumerate(files):
                os.dup2(descriptor, number)
            os.execvp(argv[0], argv)
        os.close(waiting)
        made.append(release)
        pids.append(pid)

        def go() -> None:
            made.remove(release)
            os.close(release)

        return pid, go

    yield start
    for release in made:
        os.close(release)
    for pid in pids:
        with suppress(ChildProcessError):  # the test has waited for it
            os.waitpid(pid, 0)


def _of(kind: type[Kind], happened: list[Happened]) -> list[Kind]:
    return [one for one in happened if isinstance(one, kind)]


def test_every_process_has_a_start_a_name_and_an_end(held: Held) -> None:
    """Four hundred that live a millisecond, two at a time: none is missed, and its times are on CLOCK_BOOTTIME."""
    loop = "f() { i=0; while [ $i -lt 200 ]; do /bin/true; i=$((i+1)); done; }; f & f & wait"
    pid, go = held("sh", "-c", loop)
    events = TaskEvents.open(pid)
    before = time.clock_gettime(time.CLOCK_BOOTTIME)
    try:
        go()
        happened: list[Happened] = []
        while os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
            happened += events.drain()
            time.sleep(0.005)
        os.waitpid(pid, 0)
        happened += events.drain(last=True)
    finally:
        events.close()
    after = time.clock_gettime(time.CLOCK_BOOTTIME)
    assert (events.lost, events.damaged) == (0, 0)
    assert [one.at_seconds for one in happened] == sorted(one.at_seconds for one in happened)
    assert before <= happened[0].at_seconds
    assert happened[-1].at_seconds <= after
    begun = {one.pid: one for one in _of(Forked, happened)}
    named = {one.pid: one for one in _of(Named, happened)}
    ended = {one.pid: one for one in _of(Ended, happened)}
    assert len(begun) == 402  # two shells and what they start
    assert set(ended) == {pid, *begun}
    assert [one.name for one in named.values()].count("true") == 400
    assert named[pid].name == "sh"
    assert named[pid].by_exec
    for number, one in begun.items():
        assert one.at_seconds < ended[number].at_seconds
        assert one.parent == pid or begun[one.parent].parent == pid


@pytest.mark.needs_root
def test_it_needs_no_rights() -> None:
    """As nobody, without capabilities, where kernel.perf_event_paranoid is 2 or lower."""
    code = (
        "import os, sys; sys.path.insert(0, sys.argv[1])\n"
        "from bongsu.sources.task_events import Ended, TaskEvents\n"
        "held, release = os.pipe()\n"
        "pid = os.fork()\n"
        "if pid == 0: os.read(held, 1); os.execv('/bin/sh', ['sh', '-c', '/bin/true; /bin/true'])\n"
        "events = TaskEvents.open(pid)\n"
        "os.write(release, b'g'); os.wait()\n"
        "print(sum(isinstance(one, Ended) for one in events.drain(last=True)))"
    )
    command = [*run_scenarios.UNPRIVILEGED, run_scenarios.anyones_python(), "-I", "-S", "-c", code, SRC]
    assert subprocess.run(command, check=True, capture_output=True, text=True, cwd="/").stdout == "3\n"


def test_threads_are_told_from_processes(held: Held) -> None:
    """A thread is a task of its own whose parent is its process."""
    code = "import threading\nfor _ in range(3):\n t = threading.Thread(target=print); t.start(); t.join()"
    pid, go = held(sys.executable, "-I", "-S", "-c", code)
    events = TaskEvents.open(pid)
    try:
        go()
        os.waitpid(pid, 0)
        happened = events.drain(last=True)
    finally:
        events.close()
    threads = _of(Forked, happened)
    assert len(threads) == 3
    assert all(one.pid == one.parent == pid != one.tid for one in threads)
    assert {one.tid for one in threads} < {one.tid for one in _of(Ended, happened)}


def test_what_found_no_room_is_counted(held: Held, monkeypatch: pytest.MonkeyPatch) -> None:
    """Records that nobody took in time are lost, and about how many is known as soon as there is room again.

    By the kernel's count, which was four short of 722 once; so a ring that was full makes all that is counted "at least".
    """
    monkeypatch.setattr(task_events, "_SIZES", (1,))
    loop = "i=0; while [ $i -lt 300 ]; do /bin/true; i=$((i+1)); done"
    ready, said = os.pipe()
    listening, tell = os.pipe()
    pid, go = held("sh", "-c", f"{loop}; echo; read x; {loop}", files=(listening, said))
    events = TaskEvents.open(pid)
    try:
        go()
        os.read(ready, 1)
        first = events.drain()
        os.write(tell, b"\n")
        os.waitpid(pid, 0)
        events.drain(last=True)
    finally:
        events.close()
        for descriptor in (ready, said, listening, tell):
            os.close(descriptor)
    assert 0 < len(first) < 900  # two pages hold a few dozen
    assert events.lost >= 0.95 * (900 - len(first))
    assert events.full


def _record(kind: int, at_ns: int, body: bytes, flags: int = 0) -> bytes:
    return struct.pack("=IHH", kind, flags, 24 + len(body)) + body + struct.pack("=IIQ", 7, 7, at_ns)


def _ring(data: bytes, *, tail: int = 0) -> mmap.mmap:
    """A ring of one page that holds this from ``tail`` on."""
    ring = mmap.mmap(-1, 2 * _PAGE)
    for place, byte in enumerate(data, tail):
        ring[_PAGE + place % _PAGE] = byte
    struct.pack_into("=QQ", ring, 1024, tail + len(data), tail)
    return ring


def _fork(pid: int, at_ns: int) -> bytes:
    return _record(7, at_ns, struct.pack("=IIIIQ", pid, 1, pid, 1, at_ns))


def test_rings_are_merged_by_time_and_wrap() -> None:
    """Records of all CPUs come in one order, also one that lies across the end of its ring."""
    rings = [_ring(_fork(10, 1_000) + _fork(12, 3_000), tail=5 * _PAGE - 60), _ring(_fork(11, 2_000))]
    events = TaskEvents([], rings)
    assert [one.pid for one in events.drain()] == [10, 11, 12]
    assert events.drain() == []
    assert struct.unpack_from("=QQ", rings[0], 1024) == (5 * _PAGE + 36,) * 2


def test_what_is_younger_than_the_drain_waits_for_the_next() -> None:
    """Another ring may get an older record while one is read; at the last drain nothing is kept back."""
    future = time.clock_gettime_ns(time.CLOCK_BOOTTIME) + 3600 * 10**9
    events = TaskEvents([], [_ring(_fork(10, 1_000) + _fork(11, future))])
    assert [one.pid for one in events.drain()] == [10]
    assert [one.pid for one in events.drain(last=True)] == [11]


def test_lost_and_damaged_are_counted_and_the_rest_is_read() -> None:
    """A lost record tells how many; a ring that makes no sense is emptied and the other one still read."""
    lost = _record(2, 5, struct.pack("=QQ", 99, 17))
    events = TaskEvents([], [_ring(lost + b"\xff" * 48), _ring(_fork(11, 2_000))])
    assert [one.pid for one in events.drain()] == [11]
    assert (events.lost, events.damaged) == (17, 1)


def test_a_ring_without_room_is_told_from_one_that_has_some() -> None:
    """The kernel tells of lost records with the next one that finds room; after the last ones only the full ring tells."""
    many = b"".join(_fork(pid, pid) for pid in range(_PAGE // 48))
    full = TaskEvents([], [_ring(many)])
    assert len(full.drain()) == _PAGE // 48
    assert (full.full, full.lost) == (1, 0)
    roomy = TaskEvents([], [_ring(many[48:])])
    roomy.drain()
    roomy.drain()
    assert roomy.full == 0


def test_a_name_that_is_not_utf8_is_kept() -> None:
    """Its bytes come back by os.fsencode."""
    named = _record(3, 1_000, struct.pack("=II8s", 5, 6, b"\xff\xfeab"), flags=1 << 13)
    (one,) = TaskEvents([], [_ring(named)]).drain()
    assert isinstance(one, Named)
    assert (one.pid, one.tid, os.fsencode(one.name), one.by_exec) == (5, 6, b"\xff\xfeab", True)


def test_too_many_cpus_and_no_room_are_answers(held: Held, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each says what stands in the way, and no descriptor is left open."""
    pid, _ = held("true")
    before = set(os.listdir("/proc/self/fd"))
    with pytest.raises(NoCounter, match="33 CPUs") as none:
        TaskEvents.open(pid, cpus=range(33))
    assert none.value.kind == NOT_SUPPORTED

    def refuse(*_: object) -> mmap.mmap:
        raise PermissionError

    monkeypatch.setattr(mmap, "mmap", refuse)
    with pytest.raises(NoCounter, match="perf_event_mlock_kb") as none:
        TaskEvents.open(pid)
    assert none.value.kind == NOT_PERMITTED
    assert set(os.listdir("/proc/self/fd")) <= before
