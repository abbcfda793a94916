"""The books of a run: whatever processes do between readings, each nanosecond is booked once and to the right one."""

from __future__ import annotations

import random

import pytest

from bongsu.runs.accounts import NO_FLOW, Accounts, Book


class _Process:
    """What the kernel keeps of a process: its own time, and that of children it has waited for."""

    def __init__(self, parent: _Process | None, *, disowns: bool) -> None:
        self.parent = parent
        self.disowns = disowns
        self.own = self.children = 0
        self.dead = self.gone = self.disowned = False
        self.book: Book | None = None


class _Kernel:
    """Processes that fork, run, end and are waited for at random; the first is the monitor, a subreaper."""

    def __init__(self, chance: random.Random, *, disowning: bool) -> None:
        self.chance = chance
        self.disowning = disowning
        self.used = self.lost = 0
        self.accounts = Accounts()
        self.monitor = _Process(None, disowns=False)
        self.processes = [_Process(self.monitor, disowns=False)]
        self.known: list[_Process] = []

    def step(self) -> None:
        """One thing happens to one process."""
        alive = [one for one in self.processes if not one.dead]
        if not alive:
            return
        one = self.chance.choice(alive)
        what = self.chance.random()
        if what < 0.25:
            disowns = self.disowning and self.chance.random() < 0.3
            self.processes.append(_Process(one, disowns=disowns))
        elif what < 0.7:
            ns = self.chance.randrange(1, 1000)
            one.own += ns
            self.used += ns
        elif what < 0.85 and one is not self.processes[0]:
            self.end(one)
        else:
            for child in [child for child in self.processes if child.parent is one and child.dead][:2]:
                self.wait(child)

    def end(self, one: _Process) -> None:
        """A process ends: its children come to the monitor, and it is a zombie unless its parent disowns it."""
        one.dead = True
        for child in [child for child in self.processes if child.parent is one]:
            child.parent = self.monitor
            if child.dead:
                self.wait(child)
        assert one.parent is not None
        if one.parent is self.monitor:
            self.wait(one)
        elif one.parent.disowns:
            one.gone = one.disowned = True
            self.lost += one.own + one.children
            self.processes.remove(one)

    def wait(self, one: _Process) -> None:
        """The parent of a zombie waits for it."""
        assert one.parent is not None
        one.gone = True
        one.parent.children += one.own + one.children
        self.processes.remove(one)
        if one.parent is self.monitor:
            if one.book is None:
                self.accounts.reaped_unknown(one.own + one.children, (0, 0))
            else:
                self.known.remove(one)
                self.accounts.reaped(one.book, one.own + one.children, (0, 0))

    def read(self) -> None:
        """What the recorder does once an interval."""
        for one in [one for one in self.known if one.gone]:
            assert one.book is not None
            self.known.remove(one)
            self.accounts.ended(one.book, waited=one.book.parent is not None and not one.disowned)
        for one in self.processes:
            if one.book is None:
                one.book = self.accounts.open(None)
                self.known.append(one)
        for one in self.known:
            assert one.parent is not None
            assert one.book is not None
            one.book.parent = one.parent.book
            self.accounts.read(one.book, one.own, one.children)
        self.accounts.settle()


@pytest.mark.parametrize("seed", range(150))
def test_each_nanosecond_is_booked_once(seed: int) -> None:
    """Own and unseen time make up all that was ever used, at the end; never more than that at any time before."""
    chance = random.Random(seed)
    kernel = _Kernel(chance, disowning=False)
    often = chance.choice([0.05, 0.2, 0.6])
    for _ in range(400):
        kernel.step()
        if chance.random() < often:
            kernel.read()
            accounts = kernel.accounts
            assert accounts.own_ns + accounts.unseen_ns <= kernel.used
            assert all(one.book is not None and one.book.own_ns == one.own for one in kernel.known)
    while kernel.processes:
        ends = [one for one in kernel.processes if not one.dead]
        if not ends:
            for one in list(kernel.processes):
                kernel.wait(one)
        for one in reversed(ends):
            kernel.end(one)
        for one in [one for one in kernel.processes if one.dead and one.parent and not one.parent.dead]:
            kernel.wait(one)
        kernel.read()
    kernel.read()
    kernel.read()
    assert kernel.accounts.own_ns + kernel.accounts.unseen_ns == kernel.used
    assert kernel.accounts.waited_ns == kernel.used


def test_children_shorter_than_a_tick_are_not_booked_twice() -> None:
    """Of 100 children that each used 0.9 ms all was seen, but their parent's counter moves a tick at a time: there is no more."""
    accounts, tick, each = Accounts(20_000_000), 10_000_000, 900_000
    parent = accounts.open(None)
    for ended in range(1, 101):
        child = accounts.open(parent)
        accounts.read(child, each, 0)
        accounts.settle()
        accounts.ended(child, waited=True)
        accounts.read(parent, 0, ended * each // tick * tick)
        accounts.settle()
    assert (accounts.own_ns, accounts.unseen_ns) == (100 * each, 0)
    accounts.reaped(parent, 100 * each, (0, 0))
    accounts.settle()
    assert accounts.own_ns + accounts.unseen_ns == accounts.waited_ns


@pytest.mark.parametrize("seed", range(100))
def test_what_nobody_waited_for_is_never_booked_twice(seed: int) -> None:
    """Where parents ignore SIGCHLD some time is lost to us, but none is made up, and what was seen stays."""
    chance = random.Random(seed)
    kernel = _Kernel(chance, disowning=True)
    before = 0
    for _ in range(400):
        kernel.step()
        if chance.random() < 0.3:
            kernel.read()
            assert kernel.accounts.own_ns + kernel.accounts.unseen_ns <= kernel.used
            assert kernel.accounts.own_ns >= before
            before = kernel.accounts.own_ns


def test_a_child_that_was_seen_is_not_its_parents() -> None:
    """Of a lump that comes with a child that was waited for, only what no reading saw of it is unseen."""
    accounts = Accounts()
    parent = accounts.open(None)
    child = accounts.open(parent)
    accounts.read(parent, 10, 0)
    accounts.read(child, 400, 0)
    accounts.settle()
    accounts.ended(child, waited=True)
    accounts.read(parent, 12, 700)
    accounts.settle()
    assert (accounts.own_ns, accounts.unseen_ns, parent.own_ns, parent.unseen_ns) == (412, 300, 12, 300)


def test_the_last_moments_of_a_process_without_children_are_its_own() -> None:
    """What wait4 says above the last reading is the process's, unless it ever had a child."""
    accounts = Accounts()
    lonely, mother = accounts.open(None), accounts.open(None)
    accounts.open(mother)
    for book in (lonely, mother):
        accounts.read(book, 100, 0)
        accounts.reaped(book, 150, (0, 0))
    accounts.settle()
    assert (lonely.own_ns, lonely.unseen_ns) == (150, 0)
    assert (mother.own_ns, mother.unseen_ns) == (100, 50)


def test_the_time_before_attaching_is_not_the_runs() -> None:
    """What a process and the children it had waited for had used is taken off."""
    accounts = Accounts()
    book = accounts.open(None, before_ns=1000, before_children_ns=5000)
    accounts.read(book, 1300, 5200)
    accounts.settle()
    assert (accounts.own_ns, accounts.unseen_ns) == (300, 200)


def test_input_and_output_of_ended_children_is_counted_once() -> None:
    """The kernel adds it to a parent that waits; where none does, what was seen stays."""
    accounts = Accounts()
    parent = accounts.open(None)
    waited, lost = accounts.open(parent), accounts.open(parent)
    parent.flow = (1, 1, 1, 1, 1, 1)
    waited.flow = lost.flow = (10, 10, 10, 10, 10, 10)
    assert accounts.used_flow([parent, waited, lost], NO_FLOW) == (21,) * 6
    accounts.ended(waited, waited=True)
    accounts.ended(lost, waited=False)
    parent.flow = (11, 11, 11, 11, 11, 11)
    assert accounts.used_flow([parent], NO_FLOW) == (21,) * 6
    assert accounts.used_flow([], None) == (10,) * 6
    assert Accounts().used_flow([], None) is None


def test_switches_are_what_the_kernel_says_at_the_end() -> None:
    """wait4's counts hold the children that were waited for; nothing is added twice."""
    accounts = Accounts()
    parent = accounts.open(None)
    child = accounts.open(parent)
    accounts.switched(parent, 5, 1)
    accounts.switched(child, 7, 2)
    accounts.ended(child, waited=True)
    accounts.reaped(parent, 0, (20, 4))
    assert accounts.switches == (20, 4)
