"""The processes below one: found whoever made them, each known by its start, and read again only if they ran."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

import pytest

from bongsu.sources.procfs.tree import Tree

_PATIENCE = 60.0


def _until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + _PATIENCE
    while not true():
        assert time.monotonic() < end
        time.sleep(0.02)


def _start(program: str) -> subprocess.Popen[bytes]:
    """Start a Python program in a group of its own; it says a line once it is ready."""
    process = subprocess.Popen([sys.executable, "-I", "-S", "-c", program], stdout=subprocess.PIPE, process_group=0)
    assert process.stdout is not None
    assert process.stdout.readline()
    return process


def _stop(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.communicate()


@pytest.fixture
def family() -> Iterator[subprocess.Popen[bytes]]:
    """A process with a child made by its main thread, one made by another thread, and a grandchild."""
    process = _start(
        "import os, threading, time\n"
        "def child(more=False):\n"
        "    if os.fork() == 0:\n"
        "        if more: child()\n"
        "        time.sleep(600)\n"
        "child(True)\n"
        "release = threading.Event()\n"
        "threading.Thread(target=lambda: (child(), release.wait()), daemon=True).start()\n"
        "time.sleep(0.2); print('ready', flush=True); time.sleep(600)\n"
    )
    yield process
    _stop(process)


def _tree(pid: int, *, descriptors: int | None = None) -> Tree:
    tree = Tree(own=False, descriptors=descriptors)
    assert tree.add(pid) is not None
    return tree


@pytest.mark.parametrize("descriptors", [None, 0, 3])
def test_children_of_all_threads_are_found(family: subprocess.Popen[bytes], descriptors: int | None) -> None:
    """A thread's children stand in its own list; grandchildren follow; no descriptor is needed for it."""
    tree = _tree(family.pid, descriptors=descriptors)
    _until(lambda: (tree.read(), len(tree.processes) == 4)[1])
    root = tree.processes[family.pid]
    assert root.threads == 2
    assert sorted(seen.parent_pid == family.pid for seen in tree.processes.values()) == [False, False, True, True]
    tree.close()


def test_without_lists_of_children_all_processes_are_looked_at(family: subprocess.Popen[bytes]) -> None:
    """A kernel without CONFIG_PROC_CHILDREN gives the same tree."""
    tree = _tree(family.pid)
    tree._lists = False
    _until(lambda: (tree.read(), len(tree.processes) == 4)[1])
    tree.close()


def test_who_slept_is_not_read_again() -> None:
    """A process with one thread that has not run since is left as it was; asked for all, its memory is read."""
    process = _start("import time; print('ready', flush=True); time.sleep(600)")
    try:
        tree = _tree(process.pid)
        seen = tree.processes[process.pid]
        if not seen.schedule or seen.schedule == b"0 0 0\n":
            assert not tree.read()[1]  # this kernel keeps no account: all are read
            return
        _until(lambda: (tree.read(), not seen.ran)[1])
        held, seen.resident_bytes = seen.resident_bytes, 1
        tree.read()
        assert seen.resident_bytes == 1
        tree.read(all_of_them=True)
        assert not seen.ran
        assert seen.resident_bytes == pytest.approx(held, rel=0.5)
        tree.close()
    finally:
        _stop(process)


def test_one_that_ended_is_told_and_its_descriptors_are_closed(family: subprocess.Popen[bytes]) -> None:
    """A process that was waited for is among the ended, once; nothing of it stays open."""
    open_before = os.listdir("/proc/self/fd")
    tree = _tree(family.pid)
    _until(lambda: (tree.read(), len(tree.processes) == 4)[1])
    pids = set(tree.processes)
    os.killpg(family.pid, signal.SIGKILL)
    family.wait()
    gone: list[int] = []

    def all_gone() -> bool:
        gone.extend(seen.pid for seen in tree.read()[1])
        return not tree.processes

    _until(all_gone)
    assert sorted(gone) == sorted(pids)
    assert set(os.listdir("/proc/self/fd")) <= set(open_before)


def test_a_name_may_look_like_the_rest_of_the_line() -> None:
    """Parentheses and digits in a name do not shift the numbers after it."""
    process = _start(
        "import ctypes, os, time\n"
        "ctypes.CDLL(None).prctl(15, b') Z 1 (2 3 4', 0, 0, 0)\n"
        "os.fork(); print('ready', flush=True); time.sleep(600)\n"
    )
    try:
        tree = _tree(process.pid)
        _until(lambda: (tree.read(), len(tree.processes) == 2)[1])
        assert {seen.comm for seen in tree.processes.values()} == {b") Z 1 (2 3 4"}
        assert {seen.state for seen in tree.processes.values()} <= {b"S", b"R"}
        tree.close()
    finally:
        _stop(process)


def test_orphans_come_to_a_subreaper() -> None:
    """A process whose parents ended is found among our own children, if we are a subreaper; we are left as we were."""
    pid = os.fork()
    if pid == 0:  # only here: being a subreaper would stay with the tests
        code = 1
        try:
            ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)
            child = os.fork()
            if child == 0:
                if os.fork() == 0:
                    os.setsid()
                    time.sleep(600)
                os._exit(0)
            tree = Tree(own=True)
            os.waitpid(child, 0)
            found = tree.read()[0]
            code = 0 if [seen.parent_pid for seen in found] == [os.getpid()] else 2
            for seen in found:
                os.kill(seen.pid, signal.SIGKILL)
                os.waitpid(seen.pid, 0)
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def test_a_child_that_is_left_out_is_not_followed(family: subprocess.Popen[bytes]) -> None:
    """Neither it nor what is below it is of the tree."""
    whole = _tree(family.pid)
    _until(lambda: (whole.read(), len(whole.processes) == 4)[1])
    mother = next(
        seen.parent_pid for seen in whole.processes.values() if seen.parent_pid not in (family.pid, os.getpid())
    )
    tree = Tree(own=False)
    tree.leave_out(mother)
    tree.add(family.pid)
    tree.read()
    assert len(tree.processes) == 2
    assert tree.forget(mother)
    assert not tree.forget(mother)
    tree.close()
    whole.close()


def test_cpu_time_is_known_below_a_tick() -> None:
    """What the scheduler has counted of a process with one thread is taken where ticks would say nothing or less."""
    process = _start("import time\nwhile time.process_time() < 0.3: pass\nprint('ready', flush=True); time.sleep(600)")
    try:
        tree = _tree(process.pid)
        assert 0.25e9 < tree.processes[process.pid].own_ns < 10e9
        tree.close()
    finally:
        _stop(process)


def test_what_a_parent_disowns_is_seen() -> None:
    """A process that ignores SIGCHLD is known as one whose children are given to nobody."""
    process = _start(
        "import signal, time; signal.signal(signal.SIGCHLD, signal.SIG_IGN); print('ready', flush=True); time.sleep(600)"
    )
    try:
        tree = _tree(process.pid)
        assert tree.processes[process.pid].disowns
        tree.close()
    finally:
        _stop(process)


def test_too_many_are_counted_and_left(family: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    """A fork bomb is followed so far; the rest is counted, and found once there is room."""
    monkeypatch.setattr("bongsu.sources.procfs.tree.MOST", 2)
    tree = _tree(family.pid)
    _until(lambda: (tree.read(), tree.left_out > 0)[1])
    assert len(tree.processes) == 2
    monkeypatch.setattr("bongsu.sources.procfs.tree.MOST", 100)
    _until(lambda: (tree.read(), len(tree.processes) == 4)[1])
    tree.close()
