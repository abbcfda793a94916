"""Folding processes into groups."""

from __future__ import annotations

import random

import pytest

from bongsu.collectors import process_groups
from bongsu.collectors.process_groups import KERNEL, REST_KEY, Groups, Key, kernel_thread_name
from bongsu.sources.procfs.process import Process


def process(
    pid: int, executable: str = "x", *, start: int = 0, ppid: int = 1, uid: int = 0, cpu: int = 0, children: int = 0,
    resident: int = 0, read: int | None = 0, written: int | None = 0, kernel: bool = False,
) -> Process:  # fmt: skip
    return Process(
        pid, start, 1000.0 + start, ppid, uid, executable, executable, kernel, "S", 1, cpu, children, resident, 0,
        read, written, None,
    )  # fmt: skip


def value(groups: Groups, executable: str, name: str = "cpu_ticks") -> int | None:
    for group in (*groups.shown, groups.rest):
        if group.key[1] == executable:
            found: int = getattr(group, name)
            return found
    return None


def test_before_the_first_look_is_not_counted() -> None:
    """A process that was there before counts from its first reading; one born later from zero."""
    groups = Groups(str, 10)
    groups.take([process(1, "old", start=5, cpu=1000, read=500)])
    assert value(groups, "old") == 0
    groups.take([process(1, "old", start=5, cpu=1010, read=700), process(2, "new", start=9, cpu=30, read=40)])
    assert (value(groups, "old"), value(groups, "old", "read_bytes")) == (10, 200)
    assert (value(groups, "new"), value(groups, "new", "read_bytes")) == (30, 40)


def test_a_reused_pid_is_another_process() -> None:
    """The same number with another start does not take the old one's readings as its own last ones."""
    groups = Groups(str, 10)
    groups.take([process(7, start=5, cpu=1000)])
    groups.take([process(7, start=80, cpu=3)])
    assert value(groups, "x") == 3


def test_counters_stay_when_processes_end() -> None:
    """A group's counters do not fall when its processes end; it shows zero processes, then goes."""
    now = [0.0]
    groups = Groups(str, 10, clock=lambda: now[0])
    groups.take([process(1), process(2, "y", start=1)])
    groups.take([process(1, cpu=50), process(2, "y", start=1, cpu=7)])
    groups.take([process(2, "y", start=1, cpu=7)])
    assert (value(groups, "x"), value(groups, "x", "processes")) == (50, 0)
    now[0] = 299.0
    groups.take([process(2, "y", start=1, cpu=7)])
    assert value(groups, "x") == 50
    now[0] = 301.0
    groups.take([process(2, "y", start=1, cpu=7)])
    assert value(groups, "x") is None
    groups.take([process(9, start=99, cpu=1), process(2, "y", start=1, cpu=7)])
    assert value(groups, "x") == 51, "it goes on where it was"


def test_exec_moves_the_process_not_what_it_did() -> None:
    """What a process did before it became another program stays with the first program's group."""
    groups = Groups(str, 10)
    groups.take([process(1, "bash")])
    groups.take([process(1, "bash", cpu=10)])
    groups.take([process(1, "python", cpu=14)])
    assert (value(groups, "bash"), value(groups, "python")) == (10, 4)


def test_folded_groups_share_one_row() -> None:
    """Beyond the budget groups are folded, counted, and told from a program that is called other."""
    groups = Groups(str, 2)
    first = [process(i, f"p{i}", resident=100 - i) for i in range(1, 6)] + [process(9, "other", resident=1000)]
    groups.take(first)
    assert [g.key[1] for g in groups.shown] == ["other", "p1"]
    assert (groups.alive, groups.folded) == (6, 4)
    assert groups.rest.key == REST_KEY
    assert groups.rest.processes == 4
    assert groups.rest.resident_bytes == 98 + 97 + 96 + 95
    assert REST_KEY not in {g.key for g in groups.shown}


def test_a_busier_group_takes_a_place_and_nothing_falls() -> None:
    """A folded group that comes to use clearly more is shown; what it did while folded stays in the rest."""
    groups = Groups(str, 1)
    groups.take([process(1, "idle", resident=10), process(2, "busy", resident=9)])
    assert [g.key[1] for g in groups.shown] == ["idle"]
    cpu, seen_rest = 0, 0
    for _ in range(30):
        cpu += 100
        groups.take([process(1, "idle", resident=10), process(2, "busy", resident=9, cpu=cpu)])
        assert groups.rest.cpu_ticks >= seen_rest
        seen_rest = groups.rest.cpu_ticks
    assert [g.key[1] for g in groups.shown] == ["busy"]
    busy = value(groups, "busy")
    assert busy is not None
    assert busy + groups.rest.cpu_ticks == cpu
    assert busy > 0
    assert groups.rest.cpu_ticks > 0


def test_io_of_a_waited_for_child_is_not_counted_twice() -> None:
    """The kernel adds an ended child's IO to its parent's: what we saw of it stays where we saw it."""
    groups = Groups(str, 10)
    groups.take([process(1, "sh", start=1)])
    groups.take([process(1, "sh", start=1), process(2, "dd", start=5, ppid=1, read=800)])
    groups.take([process(1, "sh", start=1, read=1000)])  # dd read 200 more, then ended
    assert value(groups, "dd", "read_bytes") == 800
    assert value(groups, "sh", "read_bytes") == 200


def test_a_child_waited_for_just_after_its_parent_was_read() -> None:
    """The parent's gain may come a scan after the child is gone."""
    groups = Groups(str, 10)
    groups.take([process(1, "sh", start=1)])
    groups.take([process(1, "sh", start=1), process(2, "dd", start=5, ppid=1, read=800)])
    groups.take([process(1, "sh", start=1, read=0)])
    groups.take([process(1, "sh", start=1, read=800)])
    assert value(groups, "sh", "read_bytes") == 0
    groups.take([process(1, "sh", start=1, read=850)])
    assert value(groups, "sh", "read_bytes") == 50


def test_cpu_of_children_too_short_to_be_seen() -> None:
    """What a parent was told of ended children, less what was seen of them, is booked on the parent's group."""
    groups = Groups(str, 10)
    groups.take([process(1, "make", start=1)])
    groups.take([process(1, "make", start=1, children=300)])  # came and went between two scans
    assert value(groups, "make", "unseen_ticks") == 300
    groups.take([process(1, "make", start=1, children=300), process(2, "cc", start=9, ppid=1, cpu=40)])
    groups.take([process(1, "make", start=1, children=345)])  # cc used 5 more and ended
    assert value(groups, "cc") == 40
    assert value(groups, "make", "unseen_ticks") == 305


def test_a_whole_branch_that_ends_is_credited_to_who_is_left() -> None:
    """When parent and child end between two scans, the grandparent hears of both, and both were seen."""
    groups = Groups(str, 10)
    tree = [process(1, "a", start=1), process(2, "b", start=2, ppid=1), process(3, "c", start=3, ppid=2)]
    groups.take(tree)
    groups.take([tree[0], process(2, "b", start=2, ppid=1, cpu=10), process(3, "c", start=3, ppid=2, cpu=20)])
    groups.take([process(1, "a", start=1, children=31)])
    assert value(groups, "a", "unseen_ticks") == 1


def test_unreadable_io_is_unknown_and_never_a_jump() -> None:
    """IO that becomes readable later counts from then on; until then it is not known."""
    groups = Groups(str, 10)
    groups.take([process(1, read=None, written=None)])
    assert groups.take([process(1, read=None, written=None)])[1, 0].read is None
    assert not value(groups, "x", "io_known")
    groups.take([process(1, read=5000, written=5000)])
    assert value(groups, "x", "io_known")
    assert value(groups, "x", "read_bytes") == 0


def test_kernel_threads_are_grouped_by_kind() -> None:
    """Numbers of cores, queues and disks do not make groups."""
    names = {
        "kworker/3:1H-kblockd": "kworker", "ksoftirqd/12": "ksoftirqd", "kswapd0": "kswapd", "irq/24-nvme0q0": "irq",
        "rcu_preempt": "rcu_preempt", "scsi_eh_1": "scsi_eh", "jbd2/sda1-8": "jbd2", "42": "42",
    }  # fmt: skip
    assert {name: kernel_thread_name(name) for name in names} == names
    groups = Groups(str, 10)
    groups.take([process(i, f"kworker/{i}:0", kernel=True) for i in range(2, 9)] + [process(50, "kworker")])
    assert {g.key: g.processes for g in groups.shown} == {("0", "kworker", KERNEL): 7, ("0", "kworker", "program"): 1}


def test_nothing_ever_falls_and_nothing_is_forgotten() -> None:
    """Whatever comes, execs, ends and is folded: no counter falls, and their sum is all that was used."""
    dice = random.Random(5)
    now = [0.0]
    groups = Groups(str, 4, clock=lambda: now[0])
    groups.take([])
    alive: dict[int, Process] = {}
    used = 0
    before: dict[Key, int] = {}
    for scan in range(1, 400):
        now[0] += dice.choice([5.0, 5.0, 200.0])
        for pid in [pid for pid in alive if dice.random() < 0.1]:
            del alive[pid]
        for pid, p in alive.items():
            step = dice.choice([0, 0, 3, 50])
            used += step
            name = f"p{dice.randrange(12)}" if dice.random() < 0.05 else p.executable
            alive[pid] = process(pid, name, start=p.start_ticks, cpu=p.cpu_ticks + step, resident=dice.randrange(99))
        for _ in range(dice.randrange(3)):
            pid = dice.randrange(1, 60)
            if pid not in alive:
                step = dice.randrange(20)
                used += step
                alive[pid] = process(pid, f"p{dice.randrange(12)}", start=scan, cpu=step)
        groups.take(alive.values())
        assert len(groups.shown) <= 4
        after = {g.key: g.cpu_ticks for g in groups._groups.values()} | {REST_KEY: groups.rest.cpu_ticks}
        for key, count in before.items():
            assert after.get(key, count) >= count, key
        assert sum(after.values()) == used
        assert groups.rest.processes + sum(g.processes for g in groups.shown) == len(alive)
        before = after


def test_memory_does_not_grow_with_names(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that makes up names for ever does not fill our memory."""
    monkeypatch.setattr(process_groups, "_MOST_REMEMBERED", 50)
    groups = Groups(str, 5)
    for scan in range(300):
        groups.take([process(10_000 + scan * 20 + i, f"job{scan}-{i}", start=scan + 1) for i in range(20)])
    assert len(groups._groups) <= 50 + 20 + 5
    assert len(groups._seen) == 20
