"""One look at all processes for all that need it."""

from __future__ import annotations

import os
import subprocess

import pytest

from begun import begun
from bongsu.owners import census
from bongsu.owners.census import Censuses, censuses_of
from bongsu.sources.root import Machine


class Reader:
    """Somebody who asks."""


def test_two_readers_share_a_look_and_nobody_gets_one_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    """What asks second gets the same processes; what asks again gets new ones."""
    monkeypatch.setattr(census, "_GOOD_FOR_SECONDS", 600.0)  # however slow this machine is
    look = Censuses(Machine.at())
    one, other = Reader(), Reader()
    first = look.take(one)
    assert look.take(other) is first
    assert look.take(other) is not first
    assert look.take(one) is not first


def test_an_old_look_is_not_shared() -> None:
    """A reader that comes later than a second gets its own."""
    look = Censuses(Machine.at())
    first = look.take(Reader())
    look._time -= census._GOOD_FOR_SECONDS * 2
    assert look.take(Reader()) is not first


def test_each_process_has_its_owner_and_arguments_on_request() -> None:
    """Who is in the list is placed; command lines are read once somebody wants them."""
    machine = Machine.at()
    assert censuses_of(machine) is censuses_of(machine)
    look = censuses_of(machine)
    with subprocess.Popen(["sleep", "100"]) as child:
        try:
            begun(child.pid)
            found = look.take(Reader())
            by_pid = {process.pid: process for process in found.processes}
            assert {os.getpid(), child.pid} <= by_pid.keys()
            assert {(p.pid, p.start_ticks) for p in found.processes} == set(found.placed)
            assert by_pid[child.pid].arguments is None
            look.with_arguments()
            again = {process.pid: process for process in look.take(Reader()).processes}
            assert again[child.pid].arguments == b"sleep\x00100\x00"
        finally:
            child.kill()
