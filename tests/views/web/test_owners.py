"""What the page is told of owners."""

from __future__ import annotations

import os
import time
from typing import Any

import msgspec

from bongsu.model.batch import Batch, Table
from bongsu.model.owner import By, Evidence, Owner, OwnerKind
from bongsu.model.usage import DeviceUse, From, OwnerRow, Usage, Waits
from bongsu.store.recent import Recent
from bongsu.views.web import owners
from bongsu.views.web.live import COLUMNS, Live
from live_page import BOARD, process
from readings import batch, part

JOB = Owner(
    OwnerKind.SLURM, "42", "train", step="0", user="alice", evidence=(Evidence(By.CGROUP, "/slurm/job_42\x1b"),)
)
EVIL = Owner(OwnerKind.UNIT, "a\nb\udc80.service")
CONTROL = Owner(OwnerKind.UNIT, "a\nb.service")


def usage(**other: object) -> Usage:
    """A usage; what is not given is not known."""
    return Usage(**{"processes": 1, "since": 10.0, **other})  # type: ignore[arg-type]  # named as its fields are


def look(at: float, *rows: OwnerRow) -> Batch:
    """One look at owners."""
    return batch(at, part({}, at, collector="owner", tables=(Table("owners", rows),)))


def told(live: Live) -> list[dict[str, Any]]:
    """The rows, by the names of their columns."""
    table = live.owners()
    return [dict(zip(table["columns"], row, strict=True)) for row in table["rows"]]


def test_an_owner_is_told_with_use_and_limits() -> None:
    """Rates, limits, what counts against the limit, where it is known from, and why it is the owner."""
    live = Live(Recent(BOARD.queries), [BOARD])
    assert live.owners()["time"] is None
    row = usage(
        processes=3, cpu_from=From.CGROUP, cpu_seconds=5.0, cpu_limit_cores=2.0, cpu_periods=10, cpu_throttled_periods=0,
        memory_from=From.CGROUP, memory_bytes=100, working_set_bytes=90, memory_limit_bytes=120, io_from=From.PROCESSES,
        io=(DeviceUse("", 10, 0),), tasks=7, tasks_limit=9, cpu_waits=Waits(1.0), oom_kills=0,
    )  # fmt: skip
    live.write(look(10, OwnerRow(JOB, row)))
    later = msgspec.structs.replace(
        row, cpu_seconds=8.0, cpu_periods=20, cpu_throttled_periods=5, io=(DeviceUse("", 30, 0),), cpu_waits=Waits(1.5)
    )
    live.write(look(12, OwnerRow(CONTROL, usage()), OwnerRow(JOB, later)))
    job, control = told(live)
    assert job == {
        "key": "slurm/42", "kind": "slurm", "name": "job 42 train (alice)", "user": "alice", "processes": 3, "cpu": 1.5,
        "cpuLimit": 2.0, "throttled": 0.5, "memory": 90, "memoryLimit": 120, "killed": None, "read": 10.0, "write": 0.0,
        "tasks": 7, "tasksLimit": 9, "waits": [0.25, None, None], "start": 10, "known": ["cgroup", "cgroup", "processes"],
        "ended": None, "seconds": 8.0, "peak": None, "readAll": 30, "writtenAll": 0, "oom": 0,
        "evidence": [["cgroup path", "/slurm/job_42\\x1b"]], "id": None,
    }  # fmt: skip
    assert (control["key"], control["id"], control["cpu"]) == ("unit/a\\nb.service", "a\nb.service", None)


def test_what_ended_and_what_was_killed_is_told_for_an_hour() -> None:
    """An owner that ended stays with what it had used; one that had processes killed has the time of it."""
    live = Live(Recent(BOARD.queries), [BOARD])
    live.write(look(0, OwnerRow(JOB, usage(oom_kills=1)), OwnerRow(EVIL, usage(oom_kills=5))))
    live.write(
        look(5, OwnerRow(JOB, usage(oom_kills=2, cpu_seconds=9.0), ended=True), OwnerRow(EVIL, usage(oom_kills=5)))
    )
    for at in (10, 3000):
        live.write(look(at, OwnerRow(EVIL, usage(oom_kills=5))))
        evil, job = told(live)
        assert (job["ended"], job["killed"], job["seconds"], job["cpu"]) == (1005, 1005, 9.0, None)
        assert (evil["ended"], evil["killed"], evil["id"]) == (None, None, "")
    live.write(look(3700, OwnerRow(EVIL, usage(oom_kills=5))))
    assert [row["key"] for row in told(live)] == ["unit/a\\nb\\x80.service"]


def test_one_that_comes_back_has_not_ended() -> None:
    """A unit that is started again stands there once."""
    live = Live(Recent(BOARD.queries), [BOARD])
    live.write(look(0, OwnerRow(JOB, usage(), ended=True)))
    live.write(look(1, OwnerRow(JOB, usage())))
    assert [row["ended"] for row in told(live)] == [None]


def test_no_more_than_the_biggest_are_told() -> None:
    """Of very many owners those that use most CPU, and how many there are."""
    rows = [Owner(OwnerKind.UNIT, f"{i}.service") for i in range(owners.MOST_OWNERS + 5)]
    live = Live(Recent(BOARD.queries), [BOARD])
    live.write(look(0, *(OwnerRow(one, usage(cpu_seconds=0.0)) for one in rows)))
    live.write(look(1, *(OwnerRow(one, usage(cpu_seconds=float(i))) for i, one in enumerate(rows))))
    table = live.owners()
    assert (len(table["rows"]), table["total"]) == (owners.MOST_OWNERS, owners.MOST_OWNERS + 5)
    assert table["rows"][0][0] == f"unit/{owners.MOST_OWNERS + 4}.service"


def test_processes_say_whose_they_are_and_who_looks() -> None:
    """Each names its owner, which is said once; the user that runs this is told unless that is root."""
    live = Live(Recent(BOARD.queries), [BOARD])
    rows = (
        process(1, "a", owner=JOB, user="me", uid=os.geteuid()), process(2, "b", owner=JOB), process(3, "c"),
    )  # fmt: skip
    now = time.monotonic()
    live.write(Batch(time.time(), now, (part({}, now, tables=(Table("processes", rows),)),)))
    found = live.processes()
    assert found["owners"] == [["job 42 train (alice)", "slurm/42", "slurm 42 train step 0", "alice"]]
    assert [row[COLUMNS.index("owner")] for row in found["rows"]] == [0, 0, None]
    assert found["mine"] == (None if os.geteuid() == 0 else "me")
