"""Reading one cgroup of each v1 controller."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from bongsu.sources import cgroup_v1
from bongsu.sources.cgroup_use import Cpu, DeviceIO, Directory, Gone, Memory, Throttling
from one_cgroup import real_cgroup

NO_LIMIT = 0x7FFFFFFFFFFFF000


def cgroup(tmp_path: Path, files: dict[str, str]) -> Directory:
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return Directory(str(tmp_path))


def test_cpu_time_is_exact_in_its_sum(tmp_path: Path) -> None:
    """Nanoseconds where the kernel has them; its two parts add up to the sum."""
    with cgroup(tmp_path, {"cpuacct.usage": "3004000001\n", "cpuacct.stat": "user 200\nsystem 100\n"}) as one:
        assert cgroup_v1.cpu(one) == Cpu(3.004000001, 3.004000001 - 1.0, 1.0)


@pytest.mark.parametrize("stat", ["", "user 3\n", "user 3\nsystem many\n"])
def test_parts_that_are_not_told_are_not_known(tmp_path: Path, stat: str) -> None:
    """The sum stands without its parts."""
    with cgroup(tmp_path, {"cpuacct.usage": "1000000000\n", "cpuacct.stat": stat}) as one:
        assert cgroup_v1.cpu(one) == Cpu(1.0, None, None)


def test_throttling_and_limit(tmp_path: Path) -> None:
    """A quota of -1 is no limit."""
    files = {
        "cpu.stat": "nr_periods 9\nnr_throttled 4\nthrottled_time 2500000000\n",
        "cpu.cfs_quota_us": "-1\n",
        "cpu.cfs_period_us": "100000\n",
    }
    with cgroup(tmp_path, files) as one:
        assert cgroup_v1.throttling(one) == Throttling(9, 4, 2.5)
        assert cgroup_v1.cpu_limit(one) is None
        (tmp_path / "cpu.cfs_quota_us").write_text("50000\n")
        assert cgroup_v1.cpu_limit(one) == 0.5


def memory_files(limit: int = NO_LIMIT) -> dict[str, str]:
    return {
        "memory.usage_in_bytes": "1000\n", "memory.max_usage_in_bytes": "2000\n",
        "memory.oom_control": "oom_kill_disable 0\nunder_oom 0\noom_kill 1\n",
        "memory.stat": f"cache 1\nrss 1\nshmem 1\nhierarchical_memory_limit {limit}\ntotal_cache 500\ntotal_rss 400\n"
                       "total_shmem 200\ntotal_swap 3\ntotal_inactive_file 50\n",
    }  # fmt: skip


def test_memory_with_all_that_lies_below(tmp_path: Path) -> None:
    """The total_ fields count; the largest number of pages is no limit."""
    with cgroup(tmp_path, memory_files()) as one:
        assert cgroup_v1.memory(one) == Memory(1000, 400, 300, 200, None, 50, 2000, 3, 1, None)
    with cgroup(tmp_path, memory_files(4096)) as one:
        known = cgroup_v1.memory(one)
        assert known
        assert known.limit == 4096


def test_kills_below_are_added_up(tmp_path: Path) -> None:
    """v1 counts a kill only where the victim was; a job's steps are looked into."""
    files = memory_files() | {
        "step_0/memory.oom_control": "oom_kill 2\n", "step_0/task_0/memory.oom_control": "oom_kill 3\n",
        "step_1/memory.oom_control": "nothing\n",
    }  # fmt: skip
    with cgroup(tmp_path, files) as one:
        known = cgroup_v1.memory(one)
        assert known
        assert known.oom_kills == 6


def test_too_many_cgroups_below_are_not_walked(tmp_path: Path) -> None:
    """Then the kills are not known, which is not zero."""
    with cgroup(tmp_path, memory_files() | {f"c{n}/memory.oom_control": "oom_kill 0\n" for n in range(65)}) as one:
        known = cgroup_v1.memory(one)
        assert known
        assert known.oom_kills is None


def io_text(reads: int, writes: int) -> str:
    return (
        f"8:0 Read {reads}\n8:0 Write {writes}\n8:0 Sync 7\n8:0 Async 1\n8:0 Discard 0\n8:0 Total 8\n"
        "8:16 Read 1\n7:0 Read x\n7:0 Write 3\nTotal 8\n"
    )


def test_io_by_device(tmp_path: Path) -> None:
    """A device whose two lines are not both there is left out."""
    files = {
        "blkio.throttle.io_service_bytes_recursive": io_text(4096, 8192),
        "blkio.throttle.io_serviced_recursive": io_text(1, 2),
    }
    with cgroup(tmp_path, files) as one:
        assert cgroup_v1.io(one, "throttle") == (DeviceIO("8:0", 4096, 8192, 1, 2),)
        assert cgroup_v1.io(one, "bfq") is None


def test_a_policy_that_counts_nothing_at_the_root_is_not_believed(tmp_path: Path) -> None:
    """Where the kernel does not count, every file says "Total 0": that is no zero."""
    with cgroup(tmp_path, {"blkio.throttle.io_service_bytes_recursive": "Total 0\n"}) as root:
        assert cgroup_v1.io_policy(root) is None
        (tmp_path / "blkio.bfq.io_service_bytes_recursive").write_text(io_text(1, 1))
        assert cgroup_v1.io_policy(root) == "bfq"
        (tmp_path / "blkio.throttle.io_service_bytes_recursive").write_text(io_text(1, 1))
        assert cgroup_v1.io_policy(root) == "throttle"


def test_cpus_and_tasks(tmp_path: Path) -> None:
    """The effective list where the kernel has one, else the one that was set."""
    with cgroup(tmp_path, {"cpuset.cpus": "0-7\n", "pids.current": "12\n", "pids.max": "max\n"}) as one:
        assert (cgroup_v1.cpus(one), cgroup_v1.pids(one), cgroup_v1.pids_limit(one)) == (8, 12, None)
        (tmp_path / "cpuset.effective_cpus").write_text("0,2\n")
        assert cgroup_v1.cpus(one) == 2


def test_a_real_loop_is_counted_to_the_nanosecond() -> None:
    """Once the loop has ended, what is read is what the kernel's own files say."""
    with real_cgroup("cpuacct", "memory", "pids") as real:
        code = "import sys, time\nsys.stdin.readline()\nwhile time.process_time() < 0.5: pass\nbytearray(50_000_000)"
        with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE) as loop:
            real.take(loop.pid)
            with Directory(str(real.directories["pids"])) as tasks:
                assert cgroup_v1.pids(tasks) == 1
            loop.communicate(b"\n")
        with Directory(str(real.directories["cpuacct"])) as one:
            known = cgroup_v1.cpu(one)
        assert known
        assert known.seconds == int(real.file("cpuacct", "cpuacct.usage")) / 1e9
        assert 0.45 <= known.seconds < 60
        assert known.user_seconds is not None
        assert known.system_seconds is not None
        assert known.user_seconds + known.system_seconds == pytest.approx(known.seconds)
        with Directory(str(real.directories["memory"])) as one:
            memory = cgroup_v1.memory(one)
        assert memory
        assert memory.peak == int(real.file("memory", "memory.max_usage_in_bytes"))
        assert memory.peak > 40_000_000
        assert memory.oom_kills == 0


def test_a_real_kill_for_lack_of_memory_is_counted() -> None:
    """A process beyond its limit is killed; the cgroup above it, which has the limit, knows of it."""
    with real_cgroup("memory") as real:
        limit = 32 << 20
        top = real.directories["memory"]
        (top / "memory.limit_in_bytes").write_text(str(limit))
        step = top / "step_0"
        step.mkdir()
        code = "import sys\nsys.stdin.readline()\nbytearray(200 << 20)"
        with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE) as eater:
            (step / "cgroup.procs").write_text(str(eater.pid))
            eater.communicate(b"\n")
        assert eater.returncode == -9
        for directory in (top, step):
            with Directory(str(directory)) as one:
                known = cgroup_v1.memory(one)
            assert known
            assert known.oom_kills == 1
            assert known.limit == limit


def test_a_removed_real_cgroup_is_gone() -> None:
    """Each reader says so instead of giving zeros."""
    with (
        real_cgroup("cpuacct", "memory") as real,
        Directory(str(real.directories["cpuacct"])) as time,
        Directory(str(real.directories["memory"])) as room,
    ):
        real.remove()
        with pytest.raises(Gone):
            cgroup_v1.cpu(time)
        with pytest.raises(Gone):
            cgroup_v1.memory(room)
