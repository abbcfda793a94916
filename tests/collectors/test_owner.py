"""The collector of owners."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from bongsu.collectors.owner import OwnerCollector
from bongsu.collectors.process import ProcessCollector
from bongsu.model.batch import Sample, Table
from bongsu.model.errors import BadInput, NoData
from bongsu.model.owner import Owner, OwnerKind
from bongsu.model.process import ProcessRow
from bongsu.model.usage import From, OwnerRow
from bongsu.owners import census
from bongsu.owners.census import Census
from bongsu.owners.placement import Place, Placed
from bongsu.pipeline import Gatherer
from bongsu.sinks.exposition import Exposition
from bongsu.sources.procfs.process import Process
from bongsu.sources.root import Machine
from one_cgroup import RealCgroup, real_cgroup
from usage_house import JOB, USER, House, process

LOOP = "import sys, time\nfor line in sys.stdin:\n    end = time.process_time() + float(line)\n    while time.process_time() < end: pass\n    print(flush=True)"
V1 = ("cpuacct", "memory", "pids")


class Made:
    """A collector whose census is made up; its cgroups are real files."""

    def __init__(self, machine: Machine, **options: int) -> None:
        self.collector = OwnerCollector(machine, **options)
        self.members: list[tuple[Process, Placed]] = []
        self.collector._censuses = self  # type: ignore[assignment]  # it takes from here

    def take(self, _: object) -> Census:
        placed = {(one.pid, one.start_ticks): where for one, where in self.members}
        return Census([one for one, _ in self.members], placed, 0, 0)

    def collect(self, *members: tuple[Process, Placed]) -> dict[tuple[str, tuple[str, ...]], float]:
        self.members = list(members)
        items = list(self.collector.collect())
        samples = [item for item in items if isinstance(item, Sample)]
        self.rows = next(item.rows for item in items if isinstance(item, Table))
        assert len({(s.spec, s.labels) for s in samples}) == len(samples)
        assert {s.spec for s in samples} <= set(OwnerCollector.specs)
        assert all(len(s.labels) == len(s.spec.labels) for s in samples)
        return {(s.spec.name, s.labels): s.value for s in samples}


def of(samples: dict[tuple[str, tuple[str, ...]], float], *base: str) -> dict[tuple[str, ...], float]:
    """Samples of one owner, by name and further labels."""
    return {(name, *labels[2:]): value for (name, labels), value in samples.items() if labels[:2] == base}


FULL = {
    "cpu_stat": "usage_usec 3000000\nuser_usec 2000000\nsystem_usec 1000000\nnr_periods 10\nnr_throttled 4\nthrottled_usec 500000\n",
    "cpu_max": "150000 100000\n", "memory_current": "1000\n", "memory_peak": "2000\n",
    "memory_stat": "anon 400\nfile 500\nkernel 100\nshmem 200\ninactive_file 50\n", "memory_max": "4096\n",
    "memory_events": "oom_kill 1\n", "memory_swap.current": "7\n", "memory_swap.max": "8\n",
    "io_stat": "8:0 rbytes=10 wbytes=20 rios=1 wios=2\n", "pids_current": "3\n", "pids_max": "50\n",
    "cpuset_cpus.effective": "0-3\n", "cpu_pressure": "some total=1000000\nfull total=0\n",
    "io_pressure": "some total=2\nfull total=1\n",
}  # fmt: skip


def test_every_reading_of_a_cgroup_is_a_series_in_base_units(tmp_path: Path) -> None:
    """Seconds, bytes, cores and counts, with kind and id; who it is stands in one info series."""
    house = House(tmp_path)
    house.cgroup("/job", **FULL)
    found = of(Made(house.machine).collect((process(5), Placed(JOB, (Place((), "/job"),)))), "slurm", "42")
    assert found == {
        ("owner_info", "", "", "alice", "", "", "cgroup", "cgroup", "cgroup"): 1,
        ("owner_processes",): 1, ("owner_cpu_seconds_total", "user"): 2.0, ("owner_cpu_seconds_total", "system"): 1.0,
        ("owner_cpu_limit_cores",): 1.5, ("owner_cpus",): 4, ("owner_cpu_periods_total",): 10,
        ("owner_cpu_throttled_periods_total",): 4, ("owner_cpu_throttled_seconds_total",): 0.5,
        ("owner_memory_usage_bytes",): 1000, ("owner_memory_working_set_bytes",): 950,
        ("owner_memory_peak_bytes",): 2000, ("owner_memory_limit_bytes",): 4096, ("owner_swap_usage_bytes",): 7,
        ("owner_swap_limit_bytes",): 8, ("owner_memory_oom_kills_total",): 1, ("owner_memory_bytes", "anon"): 400,
        ("owner_memory_bytes", "file"): 300, ("owner_memory_bytes", "shmem"): 200, ("owner_memory_bytes", "kernel"): 100,
        ("owner_io_read_bytes_total", "8:0"): 10, ("owner_io_written_bytes_total", "8:0"): 20,
        ("owner_io_reads_total", "8:0"): 1, ("owner_io_writes_total", "8:0"): 2, ("owner_tasks",): 3,
        ("owner_tasks_limit",): 50, ("owner_pressure_waiting_seconds_total", "cpu"): 1.0,
        ("owner_pressure_stalled_seconds_total", "cpu"): 0.0, ("owner_pressure_waiting_seconds_total", "io"): 2e-06,
        ("owner_pressure_stalled_seconds_total", "io"): 1e-06,
    }  # fmt: skip


def test_what_is_not_known_has_no_series(tmp_path: Path) -> None:
    """An owner that is only a sum of processes has no limit, no peak and no kills: absent, not zero."""
    found = of(Made(House(tmp_path).machine).collect((process(5), Placed(USER))), "user", "1000")
    assert {name for name, *_ in found} == {
        "owner_info", "owner_processes", "owner_cpu_seconds_total", "owner_memory_usage_bytes",
        "owner_io_read_bytes_total", "owner_io_written_bytes_total",
    }  # fmt: skip
    assert ("owner_info", "alice", "", "alice", "", "", "processes", "processes", "processes") in found
    assert ("owner_io_read_bytes_total", "") in found


def test_an_owner_that_ended_is_there_once_more_and_then_gone(tmp_path: Path) -> None:
    """Its last values are in one collection after its end; nothing lingers."""
    house = House(tmp_path)
    house.cgroup("/job", **FULL)
    made = Made(house.machine)
    other = (process(9), Placed(USER))
    made.collect((process(5), Placed(JOB, (Place((), "/job"),))), other)
    house.cgroup("/job", cpu_stat="usage_usec 9000000\nuser_usec 8000000\nsystem_usec 1000000\n")
    last = of(made.collect(other), "slurm", "42")
    assert last["owner_cpu_seconds_total", "user"] == 8.0
    assert last["owner_processes",] == 0
    assert [row.ended for row in made.rows if isinstance(row, OwnerRow) and row.owner == JOB] == [True]
    assert of(made.collect(other), "slurm", "42") == {}
    assert not made.collector._labels.keys() - {USER.key}


def test_beyond_the_budget_owners_are_folded_and_counted(tmp_path: Path) -> None:
    """The rest is one owner of kind other; how many are in it, and how many ended unseen, is said."""
    made = Made(House(tmp_path).machine, owners=2)
    owners = [(process(n, resident_bytes=n << 20), Placed(Owner(OwnerKind.SLURM, str(n)))) for n in range(10, 20)]
    found = made.collect(*owners)
    assert {labels[1] for name, labels in found if name == "owner_processes"} == {"18", "19", "other"}
    assert of(found, "other", "other")["owner_processes",] == 8
    assert found["owner_memory_usage_bytes", ("other", "other")] == sum(range(10, 18)) << 20
    assert (found["owners_folded", ()], found["owners_dropped_total", ()]) == (8, 0)
    assert found["owners", ("slurm",)] == 10
    assert found["owners", ("pod",)] == 0
    assert len(made.rows) == 10
    made.collect(*owners[5:])
    assert made.collect(*owners[5:])["owners_dropped_total", ()] == 5


def test_ids_that_are_unique_only_inside_of_something_say_in_what(tmp_path: Path) -> None:
    """Two containers of one name for two users are two series."""
    made = Made(House(tmp_path).machine)
    inner = [Owner(OwnerKind.CONTAINER, "c", inside=inside) for inside in ("", "user 1000")]
    found = made.collect(*((process(5 + n), Placed(owner)) for n, owner in enumerate(inner)))
    assert {labels for name, labels in found if name == "owner_processes"} >= {
        ("container", "c"), ("container", "c in user 1000"),
    }  # fmt: skip


def test_two_that_cannot_be_told_apart_make_no_double_series(tmp_path: Path) -> None:
    """An id made to look like another's place does not break the whole scrape."""
    made = Made(House(tmp_path).machine)
    alike = [Owner(OwnerKind.CONTAINER, "c", inside="x"), Owner(OwnerKind.CONTAINER, "c in x")]
    found = made.collect(*((process(5 + n), Placed(owner)) for n, owner in enumerate(alike)))
    assert found["owner_processes", ("container", "c in x")] == 1


def test_options_are_checked() -> None:
    """A negative budget is refused in words."""
    with pytest.raises(BadInput, match=r"--collector\.owner\.owners: -1 is negative"):
        OwnerCollector(Machine.at(), owners=-1)


def test_a_tree_without_processes_has_no_data(tmp_path: Path) -> None:
    """That is no failure, and says what is lacking."""
    with pytest.raises(NoData, match="no processes"):
        list(OwnerCollector(House(tmp_path).machine).collect())


def test_this_machine_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every process has an owner, the rows add up to the processes, and the text is rendered."""
    monkeypatch.setattr(
        census, "_GOOD_FOR_SECONDS", 600.0
    )  # both collectors share a look, however slow this machine is
    machine = Machine.at()
    gatherer = Gatherer([OwnerCollector(machine), ProcessCollector(machine)], deadline=60)
    batch = gatherer.gather()
    gatherer.close()
    owners, processes = batch.table("owners"), batch.table("processes")
    assert owners
    assert processes
    rows = [row for row in owners.rows if isinstance(row, OwnerRow)]
    found = [row for row in processes.rows if isinstance(row, ProcessRow)]
    assert sum(row.usage.processes for row in rows) == len(found)
    assert all(row.owner for row in found)
    assert b"owner_info{" in Exposition().text(batch, openmetrics=False)


@contextmanager
def loop(real: RealCgroup, *seconds: float) -> Iterator[subprocess.Popen[bytes]]:
    """A process in a cgroup that uses this much CPU time, then waits."""
    with subprocess.Popen([sys.executable, "-c", LOOP], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        try:
            real.take(child.pid)
            assert child.stdin
            assert child.stdout
            for one in seconds:
                child.stdin.write(f"{one}\n".encode())
                child.stdin.flush()
                child.stdout.readline()
            yield child
        finally:
            child.kill()


class Here:
    """The collector on this machine, with the processes of one real cgroup as a job's."""

    def __init__(self, real: RealCgroup) -> None:
        self.job = Owner(OwnerKind.SLURM, real.path)
        self.places = tuple(Place((name,), real.path) if name else Place((), real.path) for name in real.directories)
        self.made = Made(Machine.at())

    def collect(self, *pids: int) -> dict[tuple[str, ...], float]:
        members = [(process(pid), Placed(self.job, self.places)) for pid in pids] + [(process(1), Placed(USER))]
        return of(self.made.collect(*members), "slurm", self.job.id)


def test_a_real_loop_is_what_its_cgroup_says() -> None:
    """A job's use equals the kernel's own files while it rests, and grows by what the loop used."""
    with real_cgroup(*V1) as real, loop(real, 0.3) as child:
        here = Here(real)
        found = here.collect(child.pid)
        used = found["owner_cpu_seconds_total", "user"] + found["owner_cpu_seconds_total", "system"]
        assert used == pytest.approx(int(real.file("cpuacct", "cpuacct.usage")) / 1e9, abs=0.05)
        assert used >= 0.29
        assert found["owner_tasks",] == int(real.file("pids", "pids.current"))
        assert found["owner_memory_peak_bytes",] == int(real.file("memory", "memory.max_usage_in_bytes"))
        row = here.made.rows[0]
        assert isinstance(row, OwnerRow)
        assert (row.usage.cpu_from, row.usage.memory_from) == (From.CGROUP, From.CGROUP)


def test_a_real_short_lived_owner_ends_with_all_it_used() -> None:
    """What it did after the pass that saw it, its children too, is in its last values."""
    with real_cgroup(*V1) as real:
        here = Here(real)
        with loop(real) as child:
            before = here.collect(child.pid)
            assert child.stdin
            assert child.stdout
            child.stdin.write(b"0.4\n")
            child.stdin.flush()
            child.stdout.readline()
        last = here.collect()
        used = last["owner_cpu_seconds_total", "user"] + last["owner_cpu_seconds_total", "system"]
        assert used == pytest.approx(int(real.file("cpuacct", "cpuacct.usage")) / 1e9)
        assert used > before["owner_cpu_seconds_total", "user"] + 0.35
        assert here.collect() == {}


def test_a_real_owner_whose_cgroup_goes_with_it_keeps_what_was_seen() -> None:
    """A job's cgroup that is removed at its end leaves the last reading, not zeros."""
    with real_cgroup(*V1) as real:
        here = Here(real)
        with loop(real, 0.2) as child:
            seen = here.collect(child.pid)
        real.remove()
        last = here.collect()
        assert last["owner_cpu_seconds_total", "user"] == seen["owner_cpu_seconds_total", "user"]
        assert ("owner_memory_usage_bytes",) not in last
        assert ("owner_tasks",) not in last


def test_a_real_owner_killed_for_lack_of_memory() -> None:
    """The kill is counted, and stays counted when the step's cgroup in which it happened is removed."""
    with real_cgroup("memory") as real, loop(real) as child:
        directory = real.directories["memory"]
        (directory / "memory.limit_in_bytes").write_text(str(64 << 20))
        here = Here(real)
        assert here.collect(child.pid)["owner_memory_oom_kills_total",] == 0
        (directory / "step").mkdir()
        code = "import sys\nsys.stdin.readline()\nbytearray(200 << 20)"
        with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE) as eater:
            (directory / "step" / "cgroup.procs").write_text(str(eater.pid))
            eater.communicate(b"\n")
        found = here.collect(child.pid)
        assert (found["owner_memory_oom_kills_total",], found["owner_memory_limit_bytes",]) == (1, 64 << 20)
        deadline = time.monotonic() + 30
        while True:
            try:
                os.rmdir(directory / "step")
                break
            except OSError:
                assert time.monotonic() < deadline
                time.sleep(0.02)
        assert here.collect(child.pid)["owner_memory_oom_kills_total",] == 1
