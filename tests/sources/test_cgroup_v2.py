"""Reading one cgroup v2."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from bongsu.sources import cgroup_v2
from bongsu.sources.cgroup_use import Cpu, DeviceIO, Directory, Gone, Memory, Throttling, Waited
from one_cgroup import real_cgroup

HUGE = 18446744073709551615  # the largest number that the kernel prints


def cgroup(tmp_path: Path, files: dict[str, str]) -> Directory:
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    return Directory(str(tmp_path))


def test_cpu_time_and_throttling(tmp_path: Path) -> None:
    """Microseconds become seconds; periods are counts."""
    text = (
        "usage_usec 3000001\nuser_usec 2000001\nsystem_usec 1000000\nnice_usec 7\n"
        "nr_periods 12\nnr_throttled 5\nthrottled_usec 1500000\nnr_bursts 0\nburst_usec 0\n"
    )
    with cgroup(tmp_path, {"cpu.stat": text}) as one:
        assert cgroup_v2.cpu(one) == (Cpu(3.000001, 2.000001, 1.0), Throttling(12, 5, 1.5))


def test_without_the_cpu_controller_there_is_time_but_no_throttling(tmp_path: Path) -> None:
    """The three basic fields are there without any controller; throttling is then not known, not zero."""
    with cgroup(tmp_path, {"cpu.stat": "usage_usec 5\nuser_usec 2\nsystem_usec 3\n"}) as one:
        assert cgroup_v2.cpu(one) == (Cpu(5e-06, 2e-06, 3e-06), None)


@pytest.mark.parametrize(
    ("text", "cores"),
    [
        ("max 100000\n", None),
        ("150000 100000\n", 1.5),
        ("5 0\n", None),
        ("-1 100000\n", None),
        ("x\n", None),
        ("", None),
    ],
)
def test_the_cpu_limit_is_in_cores(tmp_path: Path, text: str, cores: float | None) -> None:
    """Quota by period; "max" is no limit, and what makes no sense is none either."""
    with cgroup(tmp_path, {"cpu.max": text}) as one:
        assert cgroup_v2.cpu_limit(one) == cores


@pytest.mark.parametrize(
    ("text", "number"),
    [("0-3,8\n", 5), ("7\n", 1), ("\n", None), ("3-1\n", None), ("0-9999999999\n", None), ("a-b", None)],
)
def test_cpus_are_counted(tmp_path: Path, text: str, number: int | None) -> None:
    """A list of ranges gives how many there are; an empty or senseless one is not known."""
    with cgroup(tmp_path, {"cpuset.cpus.effective": text}) as one:
        assert cgroup_v2.cpus(one) == number


def test_memory_parts_add_up(tmp_path: Path) -> None:
    """The kernel counts tmpfs as file too; here it is counted once."""
    files = {
        "memory.current": "1000\n", "memory.peak": f"{HUGE}\n", "memory.swap.current": "0\n",
        "memory.stat": "anon 400\nfile 500\nkernel 100\nshmem 200\ninactive_file 50\nnew_thing ?\n",
        "memory.events": "low 0\nhigh 0\nmax 9\noom 3\noom_kill 2\noom_group_kill 0\n",
    }  # fmt: skip
    with cgroup(tmp_path, files) as one:
        assert cgroup_v2.memory(one) == Memory(1000, 400, 300, 200, 100, 50, HUGE, 0, 2)


def test_what_an_older_kernel_lacks_is_not_known(tmp_path: Path) -> None:
    """memory.peak came with 5.19, `kernel` with 5.18, swap needs its accounting: None, not 0."""
    with cgroup(tmp_path, {"memory.current": "7\n", "memory.stat": "anon -5\nfile zero\n"}) as one:
        assert cgroup_v2.memory(one) == Memory(7)


def test_limits_are_none_where_there_is_no_limit(tmp_path: Path) -> None:
    """The word max is no limit; a number is one, 0 too."""
    with cgroup(
        tmp_path, {"memory.max": "max\n", "memory.swap.max": "0\n", "pids.max": "max\n", "pids.current": "3\n"}
    ) as one:
        limits = (
            cgroup_v2.memory_limit(one),
            cgroup_v2.swap_limit(one),
            cgroup_v2.pids_limit(one),
            cgroup_v2.pids(one),
        )
        assert limits == (None, 0, None, 3)


def test_io_by_device(tmp_path: Path) -> None:
    """Each line is a device; one that is not whole is left out, and an empty file is no IO yet."""
    text = (
        "8:0 rbytes=4096 wbytes=8192 rios=1 wios=2 dbytes=0 dios=0\n"
        "253:1 rbytes=1 wbytes=2\n8:16 \n7:0 rbytes=-4 wbytes=1\ngarbage=\n\n"
    )
    with cgroup(tmp_path, {"io.stat": text}) as one:
        assert cgroup_v2.io(one) == (DeviceIO("8:0", 4096, 8192, 1, 2), DeviceIO("253:1", 1, 2, None, None))
        (tmp_path / "io.stat").write_text("")
        assert cgroup_v2.io(one) == ()


def test_a_long_file_is_read_whole(tmp_path: Path) -> None:
    """With hundreds of disks no one is lost."""
    text = "".join(f"8:{n} rbytes={HUGE} wbytes={HUGE} rios={HUGE} wios={HUGE} dbytes=0 dios=0\n" for n in range(900))
    with cgroup(tmp_path, {"io.stat": text}) as one:
        assert len(cgroup_v2.io(one) or ()) == 900


def test_pressure(tmp_path: Path) -> None:
    """Totals in seconds; a line that is missing or damaged is not known."""
    whole = "some avg10=0.10 avg60=2.00 avg300=3.85 total=1500000\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=7\n"
    with cgroup(
        tmp_path,
        {"cpu.pressure": whole, "io.pressure": whole.split("\n", maxsplit=1)[0], "memory.pressure": "some total=x"},
    ) as one:
        assert cgroup_v2.pressure(one, "cpu") == Waited(1.5, 7e-06)
        assert cgroup_v2.pressure(one, "io") == Waited(1.5, None)
        assert cgroup_v2.pressure(one, "memory") is None


def test_a_cgroup_without_controllers_knows_nothing(tmp_path: Path) -> None:
    """No file is no answer, in every reader; none of them is zero."""
    with cgroup(tmp_path, {}) as one:
        assert cgroup_v2.cpu(one) == (None, None)
        answers = [
            cgroup_v2.cpu_limit(one), cgroup_v2.cpus(one), cgroup_v2.memory(one), cgroup_v2.memory_limit(one),
            cgroup_v2.swap_limit(one), cgroup_v2.io(one), cgroup_v2.pids(one), cgroup_v2.pids_limit(one),
            cgroup_v2.pressure(one, "cpu"),
        ]  # fmt: skip
        assert answers == [None] * len(answers)


def test_no_such_cgroup_is_gone(tmp_path: Path) -> None:
    """A cgroup that is not there cannot be read as an empty one."""
    with pytest.raises(Gone):
        Directory(str(tmp_path / "nothing"))


def test_a_replaced_directory_is_gone(tmp_path: Path) -> None:
    """A new cgroup of the same name is not taken for the old one, whose files have vanished."""
    (tmp_path / "job").mkdir()
    with Directory(str(tmp_path / "job")) as one:
        (tmp_path / "job").rename(tmp_path / "was")
        (tmp_path / "job").mkdir()
        with pytest.raises(Gone):
            cgroup_v2.cpu(one)


def test_a_real_cgroup_that_is_removed_while_it_is_read_is_gone() -> None:
    """The kernel's own answer once a cgroup was removed is no zero."""
    with real_cgroup("") as real, Directory(str(real.directories[""])) as one:
        known, _ = cgroup_v2.cpu(one)
        assert known == Cpu(0.0, 0.0, 0.0)
        real.remove()
        with pytest.raises(Gone):
            cgroup_v2.cpu(one)


def test_the_descriptor_is_closed(tmp_path: Path) -> None:
    """Reading ten thousand cgroups leaves none open."""
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(100):
        with Directory(str(tmp_path)) as one:
            assert one.read("nothing") is None
    assert len(os.listdir("/proc/self/fd")) <= before
