"""What owners use: captured trees of cgroup v1, v2 and both."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bongsu.model.owner import Owner, OwnerKind
from bongsu.model.usage import DeviceUse, From, InterfaceUse, Usage, Waits
from bongsu.owners.placement import Place, Placed
from bongsu.owners.rising import Rising
from bongsu.owners.usage import since, usages_of
from bongsu.sources.cgroup_use import Directory
from usage_house import JOB, USER, V2, House, process

TICK = os.sysconf("SC_CLK_TCK")
CPU = (
    "usage_usec 3000000\nuser_usec 2000000\nsystem_usec 1000000\nnr_periods 10\nnr_throttled 4\nthrottled_usec 500000\n"
)


def whole(house: House, path: str = "/job", cpu: str = CPU, kills: int = 1) -> None:
    """A cgroup v2 that has every controller."""
    house.cgroup(
        path, cpu_stat=cpu, cpu_max="150000 100000\n", memory_current="1000\n", memory_peak="2000\n",
        memory_stat="anon 400\nfile 500\nkernel 100\nshmem 200\ninactive_file 50\n", memory_max="4096\n",
        memory_events=f"oom_kill {kills}\n", io_stat="8:0 rbytes=10 wbytes=20 rios=1 wios=2\n", pids_current="3\n",
        pids_max="max\n", cpuset_cpus="", cpu_pressure="some avg10=0 total=1000000\nfull avg10=0 total=0\n",
    )  # fmt: skip
    house.write(f"sys/fs/cgroup{path}/memory.swap.current", "7\n")
    house.write(f"sys/fs/cgroup{path}/cpuset.cpus.effective", "0-3\n")


def test_an_owner_with_a_cgroup_is_what_that_says(tmp_path: Path) -> None:
    """Every part comes from the owner's own cgroup; what its processes say is not mixed in."""
    house = House(tmp_path)
    whole(house)
    os.makedirs(tmp_path / "sys/dev/block")
    os.symlink("../../devices/pci/block/sda", tmp_path / "sys/dev/block/8:0")
    used = house.use((process(5, cpu_ticks=999, read_bytes=999), Placed(JOB, V2)))
    assert used == Usage(
        processes=1, since=1005.0, cpu_from=From.CGROUP, cpu_seconds=3.0, cpu_user_seconds=2.0,
        cpu_system_seconds=1.0, cpu_periods=10, cpu_throttled_periods=4, cpu_throttled_seconds=0.5,
        cpu_limit_cores=1.5, cpus=4, memory_from=From.CGROUP, memory_bytes=1000, working_set_bytes=950, anon_bytes=400,
        file_bytes=300, shmem_bytes=200, kernel_bytes=100, memory_peak_bytes=2000, memory_limit_bytes=4096,
        swap_bytes=7, oom_kills=1, resident_bytes=5 * 4096, io_from=From.CGROUP,
        io=(DeviceUse("sda", 10, 20, 1, 2),), tasks=3, cpu_waits=Waits(1.0, 0.0),
    )  # fmt: skip
    assert (used.read_bytes, used.written_bytes) == (10, 20)


def test_an_owner_without_a_cgroup_is_the_sum_of_its_processes(tmp_path: Path) -> None:
    """CPU time and resident memory are summed, and it is said that they are; limits are not known."""
    house = House(tmp_path)
    first = house.use(
        (process(5, cpu_ticks=2 * TICK, system_ticks=TICK // 2), Placed(USER)),
        (process(6, cpu_ticks=TICK), Placed(USER)),
    )
    assert (first.cpu_from, first.memory_from, first.io_from) == (From.PROCESSES,) * 3
    assert (first.cpu_seconds, first.cpu_user_seconds, first.cpu_system_seconds) == (3.0, 2.5, 0.5)
    assert first.memory_bytes == first.resident_bytes == 11 * 4096
    assert first.io == (DeviceUse("", 0, 0),)
    assert (first.memory_limit_bytes, first.oom_kills, first.working_set_bytes, first.cpu_throttled_seconds) == (
        None,
    ) * 4


def test_an_owner_half_in_a_cgroup_is_both(tmp_path: Path) -> None:
    """A job's process that a login brought in from elsewhere is added to what the cgroup says, and that is said."""
    house = House(tmp_path)
    whole(house)
    used = house.use((process(5), Placed(JOB, V2)), (process(6, cpu_ticks=TICK), Placed(JOB)))
    assert (used.cpu_from, used.memory_from, used.io_from) == (From.BOTH, From.BOTH, From.CGROUP)
    assert (used.cpu_seconds, used.memory_bytes) == (4.0, 1000 + 6 * 4096)
    later = (process(6, cpu_ticks=TICK, read_bytes=7), Placed(JOB))
    used = house.use((process(5), Placed(JOB, V2)), later)
    assert (used.io_from, used.io) == (From.BOTH, (DeviceUse("8:0", 10, 20, 1, 2), DeviceUse("", 7, 0)))


def test_a_controller_that_is_off_is_made_good_by_the_processes(tmp_path: Path) -> None:
    """CPU time is in every cgroup v2; memory and IO are then summed, each for itself."""
    house = House(tmp_path)
    house.cgroup("/job", cpu_stat=CPU)
    used = house.use((process(5, cpu_ticks=9), Placed(JOB, V2)))
    assert (used.cpu_from, used.memory_from, used.io_from) == (From.CGROUP, From.PROCESSES, From.PROCESSES)
    assert (used.cpu_seconds, used.memory_bytes) == (3.0, 5 * 4096)


def test_limits_of_the_way_up_count(tmp_path: Path) -> None:
    """The smallest of each binds, whichever level has it."""
    house = House(tmp_path)
    whole(house, "/pods/pod/c")
    house.cgroup("/pods/pod", memory_max="2048\n", cpu_max="max 100000\n", pids_max="50\n")
    house.cgroup("/pods", memory_max="max\n", cpu_max="50000 100000\n", pids_max="70\n")
    used = house.use((process(5), Placed(JOB, (Place((), "/pods/pod/c"),))))
    assert (used.memory_limit_bytes, used.cpu_limit_cores, used.tasks_limit, used.swap_limit_bytes) == (
        2048,
        0.5,
        50,
        None,
    )


def v1(house: House, path: str = "/slurm/uid_1/job_42") -> tuple[Place, ...]:
    """A job's cgroups on v1, as Slurm makes them: without cpu, blkio and pids."""
    at = "sys/fs/cgroup"
    house.write(f"{at}/cpuacct{path}/cpuacct.usage", "5000000000\n")
    house.write(f"{at}/cpuacct{path}/cpuacct.stat", "user 300\nsystem 100\n")
    house.write(f"{at}/memory{path}/memory.usage_in_bytes", "1000\n")
    house.write(f"{at}/memory{path}/memory.max_usage_in_bytes", "1500\n")
    house.write(f"{at}/memory{path}/memory.oom_control", "oom_kill 0\n")
    house.write(
        f"{at}/memory{path}/memory.stat", "total_cache 5\ntotal_shmem 1\ntotal_rss 6\nhierarchical_memory_limit 2048\n"
    )
    house.write(f"{at}/cpuset{path}/cpuset.cpus", "2-3\n")
    return (Place(("cpuacct",), path), Place(("memory",), path), Place(("cpuset",), path))


def test_v1_hierarchies_are_put_together(tmp_path: Path) -> None:
    """Each controller's directory tells its part; where there is none for IO, the processes do."""
    house = House(tmp_path, v2=False)
    used = house.use((process(5, read_bytes=4), Placed(JOB, v1(house))))
    assert (used.cpu_seconds, used.cpu_user_seconds, used.cpu_system_seconds) == (5.0, 4.0, 1.0)
    assert (used.memory_bytes, used.file_bytes, used.memory_limit_bytes, used.cpus) == (1000, 4, 2048, 2)
    assert (used.cpu_throttled_seconds, used.tasks, used.cpu_waits) == (None, None, None)
    assert (used.cpu_from, used.memory_from, used.io_from) == (From.CGROUP, From.CGROUP, From.PROCESSES)


def test_throttling_on_v1_is_seen_from_its_first_period(tmp_path: Path) -> None:
    """Who has a limit is asked each time, although nothing was counted yet: a short job must not be missed."""
    house = House(tmp_path, v2=False)
    cpu = "sys/fs/cgroup/cpu/slurm/uid_1/job_42"
    house.write(f"{cpu}/cpu.cfs_quota_us", "150000\n")
    house.write(f"{cpu}/cpu.cfs_period_us", "100000\n")
    house.write(f"{cpu}/cpu.stat", "nr_periods 0\nnr_throttled 0\nthrottled_time 0\n")
    member = (process(5), Placed(JOB, (Place(("cpu",), "/slurm/uid_1/job_42"),)))
    assert house.use(member).cpu_periods == 0
    house.write(f"{cpu}/cpu.stat", "nr_periods 9\nnr_throttled 4\nthrottled_time 500000000\n")
    used = house.use(member)
    assert (used.cpu_periods, used.cpu_throttled_periods, used.cpu_throttled_seconds) == (9, 4, 0.5)


def test_hybrid_takes_pressure_from_v2_and_the_rest_from_v1(tmp_path: Path) -> None:
    """Of a machine with both, CPU time comes from cpuacct and is not counted twice."""
    house = House(tmp_path, v2=False)
    house.write("sys/fs/cgroup/unified/cgroup.controllers", "\n")
    house.usages = type(house.usages)(house.machine)
    house.write("sys/fs/cgroup/unified/job/cpu.stat", "".join(CPU.splitlines(keepends=True)[:3]))
    house.write("sys/fs/cgroup/unified/job/io.pressure", "some avg10=0 total=2000000\n")
    used = house.use((process(5), Placed(JOB, (*v1(house), Place((), "/job")))))
    assert (used.cpu_seconds, used.cpu_throttled_seconds) == (5.0, None)
    assert (used.io_waits, used.cpu_waits) == (Waits(2.0), None)


def test_two_cgroups_of_one_owner_add_up(tmp_path: Path) -> None:
    """Several slurmds on one machine have a directory of the same job each; one inside of another counts once."""
    house = House(tmp_path)
    whole(house, "/a")
    whole(house, "/b")
    whole(house, "/a/step")
    places = [Placed(JOB, (Place((), path),)) for path in ("/a/step", "/a", "/b")]
    used = house.use(*((process(5 + n), place) for n, place in enumerate(places)))
    assert (used.cpu_seconds, used.memory_bytes, used.oom_kills, used.tasks) == (6.0, 2000, 2, 6)
    assert (used.memory_limit_bytes, used.memory_peak_bytes) == (8192, None)
    assert used.io == (DeviceUse("8:0", 20, 40, 2, 4),)
    assert used.cpu_from is From.CGROUP


def test_counters_do_not_fall_when_a_cgroup_is_made_again(tmp_path: Path) -> None:
    """A unit that restarts begins its cgroup anew; what the owner had used stays."""
    house = House(tmp_path)
    whole(house)
    member = (process(5), Placed(JOB, V2))
    house.use(member)
    whole(house, cpu="usage_usec 1000000\nuser_usec 900000\nsystem_usec 100000\n", kills=0)
    house.cgroup("/job", io_stat="8:0 rbytes=1 wbytes=0 rios=1 wios=0\n")
    again = house.use(member)
    assert (again.cpu_seconds, again.cpu_user_seconds, again.cpu_system_seconds) == (4.0, 2.9, 1.1)
    assert (again.oom_kills, again.read_bytes, again.cpu_throttled_seconds) == (1, 11, 0.5)


def test_an_owner_that_ends_comes_once_more_with_its_last_values(tmp_path: Path) -> None:
    """Its cgroup is asked again after its last process; then nothing of it lingers."""
    house = House(tmp_path)
    whole(house)
    house.take((process(5), Placed(JOB, V2)))
    whole(house, cpu=CPU.replace("usage_usec 3", "usage_usec 8"))
    ended = house.take()["42"]
    assert ended.ended
    assert (ended.usage.cpu_seconds, ended.usage.processes, ended.usage.since) == (8.0, 0, 1005.0)
    assert house.take() == {}
    assert house.usages.latest(JOB.key) is None


def test_an_owner_whose_cgroup_has_gone_keeps_what_it_had_counted(tmp_path: Path) -> None:
    """Counters are the last that were read; of what it holds nothing is known, which is not zero."""
    house = House(tmp_path)
    whole(house)
    house.take((process(5), Placed(JOB, V2)))
    shutil.rmtree(tmp_path / "sys/fs/cgroup/job")
    last = house.take()["42"].usage
    assert (last.cpu_seconds, last.oom_kills, last.read_bytes, last.memory_peak_bytes) == (3.0, 1, 10, 2000)
    assert (last.memory_bytes, last.anon_bytes, last.tasks, last.memory_limit_bytes) == (None,) * 4


def test_an_ended_process_keeps_what_it_was_seen_to_use(tmp_path: Path) -> None:
    """By processes, what the dead had used when last seen stays in the sum; a reused number starts its own."""
    house = House(tmp_path)
    one, other = (process(5, cpu_ticks=3 * TICK), Placed(USER)), (process(6), Placed(USER))
    assert house.use(one, other).cpu_seconds == 3.0
    assert house.use(other).cpu_seconds == 3.0
    reused = (process(5, start_ticks=900, cpu_ticks=TICK), Placed(USER))
    assert house.use(other, reused).cpu_seconds == 4.0
    assert house.take()["1000"].usage.cpu_seconds == 4.0


def test_children_that_were_too_short_to_be_seen_count_and_seen_ones_only_once(tmp_path: Path) -> None:
    """A shell's counter of ended children grows by both kinds; what a pass saw of them is taken off."""
    house = House(tmp_path)
    shell = process(5, children_ticks=7 * TICK)  # of before the first pass: nobody knows whose those were
    child = process(6, ppid=5, start_ticks=900, cpu_ticks=2 * TICK)
    assert house.use((shell, Placed(USER))).cpu_seconds == 0.0
    assert house.use((shell, Placed(USER)), (child, Placed(USER))).cpu_seconds == 2.0
    # The child used one second more before its end, and another one, never seen, used four.
    later = process(5, children_ticks=(7 + 3 + 4) * TICK)
    assert house.use((later, Placed(USER))).cpu_seconds == 7.0


def test_another_owners_child_is_not_its_parents(tmp_path: Path) -> None:
    """A daemon that waits for a job's process is not charged with what the job was seen to use."""
    house = House(tmp_path)
    whole(house)
    daemon = process(5)
    child = process(6, ppid=5, start_ticks=900, cpu_ticks=2 * TICK, read_bytes=50)
    house.take((daemon, Placed(USER)), (child, Placed(JOB, V2)))
    later = process(5, children_ticks=2 * TICK, read_bytes=50)
    used = house.take((later, Placed(USER)))["1000"].usage
    assert (used.cpu_seconds, used.read_bytes) == (0.0, 0)


def test_an_owner_within_another_is_not_counted_twice(tmp_path: Path) -> None:
    """A cgroup with another owner's below it (kind's container, Slurm's scope) holds both: the outer one is summed."""
    house = House(tmp_path)
    whole(house, "/d")
    node, pod = Owner(OwnerKind.CONTAINER, "d"), Owner(OwnerKind.POD, "p", inside="docker d")
    first = process(5, cpu_ticks=TICK), Placed(node, (Place((), "/d"),))
    assert house.take(first)["d"].usage.cpu_seconds == 3.0
    whole(house, "/d/p")
    house.cgroup("/d", cpu_stat=CPU.replace("usage_usec 3", "usage_usec 6"), memory_current="2000\n")
    first = process(5, cpu_ticks=2 * TICK), first[1]
    both = house.take(first, (process(6), Placed(pod, (Place((), "/d/p"),))))
    assert (both["p"].usage.cpu_seconds, both["p"].usage.memory_bytes) == (3.0, 1000)
    assert (both["d"].usage.cpu_seconds, both["d"].usage.memory_bytes) == (4.0, 5 * 4096)
    assert house.take(first)["p"].ended  # the outer cgroup still holds what the pod used
    assert house.take(first)["d"].usage.cpu_seconds == 4.0


def test_a_cgroup_with_another_owners_processes_in_it_is_not_read(tmp_path: Path) -> None:
    """Slurmd's unit has the jobs in the hierarchies that Slurm does not use: it is summed there from the first job on."""
    house = House(tmp_path)
    whole(house, "/u")
    unit, places = Owner(OwnerKind.UNIT, "slurmd.service"), (Place((), "/u"),)
    daemon = process(5, cpu_ticks=TICK), Placed(unit, places)
    assert house.take(daemon)["slurmd.service"].usage.cpu_seconds == 3.0
    house.cgroup("/u", cpu_stat=CPU.replace("usage_usec 3", "usage_usec 9"))
    both = house.take(daemon, (process(6, cpu_ticks=6 * TICK), Placed(JOB, (), places)))
    assert (both["slurmd.service"].usage.cpu_seconds, both["42"].usage.cpu_seconds) == (3.0, 6.0)
    assert (both["slurmd.service"].usage.memory_bytes, both["slurmd.service"].usage.tasks) == (5 * 4096, None)
    assert house.take(daemon)["slurmd.service"].usage.cpu_seconds == 3.0  # the job has ended, its use stays in there


def test_a_process_that_leaves_a_cgroup_counts_elsewhere_from_then_on(tmp_path: Path) -> None:
    """What the cgroup of its first owner told is not counted once more where processes are summed."""
    house = House(tmp_path)
    whole(house)
    house.take((process(5, cpu_ticks=3 * TICK, system_ticks=TICK, read_bytes=9), Placed(JOB, V2)))
    moved = process(5, cpu_ticks=5 * TICK, system_ticks=2 * TICK, read_bytes=10)
    used = house.take((moved, Placed(USER)))["1000"].usage
    assert (used.cpu_user_seconds, used.cpu_system_seconds, used.read_bytes) == (1.0, 1.0, 1)


def test_a_cgroup_that_cannot_be_read_for_once_counts_nothing_twice(tmp_path: Path) -> None:
    """Its processes are summed meanwhile, from what they were at the last pass."""
    house = House(tmp_path)
    whole(house)
    member = process(5, cpu_ticks=3 * TICK), Placed(JOB, V2)
    directory = tmp_path / "sys/fs/cgroup/job"
    assert house.use(member).cpu_seconds == 3.0
    os.rename(directory, tmp_path / "away")
    assert house.use(member).cpu_seconds == 3.0
    os.rename(tmp_path / "away", directory)
    assert house.use(member).cpu_seconds == 3.0


def test_io_that_may_not_be_read_is_not_zero(tmp_path: Path) -> None:
    """Of another user's processes we may not know: None, and from nowhere."""
    used = House(tmp_path).use((process(5, read_bytes=None, write_bytes=None), Placed(USER)))
    assert (used.io, used.read_bytes, used.io_from) == (None, None, From.UNKNOWN)


def test_one_name_for_all_processes_of_an_owner(tmp_path: Path) -> None:
    """A step or container that differs is left out; the user is the one that is not root; a name that came late counts."""
    house = House(tmp_path)
    said = [
        Owner(OwnerKind.SLURM, "42", "", step="0", user="root"),
        Owner(OwnerKind.SLURM, "42", "train", step="1", user="alice"),
    ]
    found = house.take(*((process(5 + n), Placed(owner)) for n, owner in enumerate(said)))["42"].owner
    assert (found.name, found.step, found.user) == ("train", "", "alice")
    both = [Owner(OwnerKind.UNKNOWN, "", "kernel"), Owner(OwnerKind.UNKNOWN, "")]
    found = house.take(*((process(7 + n), Placed(owner)) for n, owner in enumerate(both)))[""].owner
    assert found.name == ""


def test_the_same_id_in_two_places_is_two_owners(tmp_path: Path) -> None:
    """Job 42 of a Slurm inside of a container is not job 42 of this machine."""
    house = House(tmp_path)
    inner = Owner(OwnerKind.SLURM, "42", inside="docker 4f")
    placed = {(5, 105): Placed(JOB), (6, 106): Placed(inner)}
    found = house.usages.take([process(5), process(6)], placed)
    assert sorted((one.owner.inside, one.usage.resident_bytes) for one in found) == [
        ("", 5 * 4096),
        ("docker 4f", 6 * 4096),
    ]


def netdev(*devices: tuple[str, int, int]) -> str:
    lines = ["Inter-|   Receive  |  Transmit", " face |bytes packets|bytes packets"]
    return "\n".join([*lines, *(f"{d}: {r} 1 0 0 0 0 0 0 {s} 1 0 0 0 0 0 0" for d, r, s in devices)]) + "\n"


def space(house: House, pid: int, number: int, text: str) -> None:
    (house.path / f"proc/{pid}/ns").mkdir(parents=True, exist_ok=True)
    link = house.path / f"proc/{pid}/ns/net"
    link.unlink(missing_ok=True)
    os.symlink(f"net:[{number}]", link)
    house.write(f"proc/{pid}/net/dev", text)


def test_network_only_where_the_namespace_is_the_owners_alone(tmp_path: Path) -> None:
    """What the machine's own or a shared namespace carried is nobody's; loopback is no network."""
    house = House(tmp_path)
    pod = Owner(OwnerKind.POD, "u")
    space(house, 1, 1, netdev(("eth0", 9, 9)))
    space(house, 5, 2, netdev(("lo", 7, 7), ("eth0", 100, 200), ("eth1", 1, 2)))
    space(house, 6, 2, netdev(("eth0", 999, 999)))
    space(house, 7, 1, netdev(("eth0", 9, 9)))
    mine = [(process(5), Placed(pod)), (process(6), Placed(pod))]
    found = house.take(*mine, (process(7), Placed(USER)))
    assert found["u"].usage.network == (InterfaceUse("eth0", 100, 200), InterfaceUse("eth1", 1, 2))
    assert found["1000"].usage.network is None
    space(house, 8, 2, netdev())
    assert house.take(*mine, (process(8), Placed(USER)))["u"].usage.network is None


def test_a_namespace_that_was_left_is_not_read(tmp_path: Path) -> None:
    """A process that is now in the machine's own namespace does not bring that traffic to its owner."""
    house = House(tmp_path)
    pod = Owner(OwnerKind.POD, "u")
    space(house, 1, 1, netdev())
    space(house, 5, 2, netdev(("eth0", 100, 200)))
    assert house.use((process(5), Placed(pod))).network
    space(house, 5, 1, netdev(("eth0", 5000, 5000)))
    assert house.use((process(5), Placed(pod))).network is None


def test_interfaces_without_number_make_no_series_without_number(tmp_path: Path) -> None:
    """Any user may make thousands in a namespace of his own: some are told, the same ones each time, and vanished ones make room."""
    house = House(tmp_path)
    pod = Owner(OwnerKind.POD, "u")
    space(house, 1, 1, netdev())
    space(house, 5, 2, netdev(*((f"a{n}", n, n) for n in range(500))))
    member = (process(5), Placed(pod))
    first = house.use(member).network
    assert first is not None
    assert len(first) == 32
    assert house.use(member).network == first
    space(house, 5, 2, netdev(*((f"b{n}", n, n) for n in range(3))))
    told = house.use(member).network
    assert told == tuple(InterfaceUse(f"b{n}", n, n) for n in range(3))


def test_a_recorder_asks_what_was_used_since_a_mark(tmp_path: Path) -> None:
    """Counters are differences, a new disk counts whole, all else is as now; what was not known at the mark is not known."""
    mark = Usage(1, 0.0, cpu_seconds=3.0, io=(DeviceUse("sda", 5, 5, 1, 1),), memory_bytes=7, cpu_waits=Waits(1.0))
    now = Usage(
        2, 0.0, cpu_seconds=4.5, oom_kills=1, io=(DeviceUse("sda", 6, 7, 2, 2), DeviceUse("sdb", 8, 9)), memory_bytes=9,
        cpu_waits=Waits(1.5, 2.0), network=(InterfaceUse("eth0", 1, 1),),
    )  # fmt: skip
    used = since(now, mark)
    assert (used.cpu_seconds, used.oom_kills, used.memory_bytes, used.processes) == (1.5, None, 9, 2)
    assert used.io == (DeviceUse("sda", 1, 2, 1, 1), DeviceUse("sdb", 8, 9, None, None))
    assert (used.cpu_waits, used.network) == (Waits(0.5), None)


def test_who_is_followed_keeps_its_last_values(tmp_path: Path) -> None:
    """A recorder reads what a job had used at the end, passes after it ended; then it is forgotten."""
    house = House(tmp_path)
    whole(house)
    with house.usages.follow(JOB.key):
        house.take((process(5), Placed(JOB, V2)))
        for _ in range(3):
            house.take()
        last = house.usages.latest(JOB.key)
        assert last
        assert last.ended
        assert last.usage.cpu_seconds == 3.0
    assert house.usages.latest(JOB.key) is None


def test_a_measure_by_process_joins_by_key(tmp_path: Path) -> None:
    """What measures GPU memory by process finds the owner's use by the key of the same placement."""
    house = House(tmp_path)
    placed = {(5, 105): Placed(JOB), (6, 106): Placed(JOB)}
    house.usages.take([process(5), process(6)], placed)
    gpu = {(5, 105): 100, (6, 106): 200}
    by_owner: dict[object, int] = {}
    for identity, size in gpu.items():
        key = placed[identity].owner.key
        by_owner[key] = by_owner.get(key, 0) + size
    found = house.usages.latest(JOB.key)
    assert found
    assert (by_owner, found.usage.resident_bytes) == ({JOB.key: 300}, 11 * 4096)


def test_one_for_each_machine(tmp_path: Path) -> None:
    """All that ask for one machine's usages share the counters."""
    house = House(tmp_path)
    assert usages_of(house.machine) is usages_of(house.machine)


def test_paths_that_cannot_be_reached_leave_the_processes(tmp_path: Path) -> None:
    """A place above our cgroup namespace, or one that is not there, is no zero."""
    house = House(tmp_path)
    used = house.use((process(5, cpu_ticks=TICK), Placed(JOB, (Place((), "/../pod"), Place((), "/nothing")))))
    assert (used.cpu_seconds, used.cpu_from, used.memory_from) == (1.0, From.PROCESSES, From.PROCESSES)


def test_only_the_owners_own_cgroups_are_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many cgroups a machine has, none is looked at but those of owners and the way up."""
    house = House(tmp_path)
    whole(house, "/top/job")
    for number in range(200):
        house.cgroup(f"/top/job/{number}", cpu_stat=CPU)
        house.cgroup(f"/other/{number}", cpu_stat=CPU)
    opened = []
    before = Directory.__init__

    def note(self: Directory, path: str) -> None:
        opened.append(path.removeprefix(f"{tmp_path}/sys/fs/cgroup"))
        before(self, path)

    monkeypatch.setattr(Directory, "__init__", note)
    house.use((process(5), Placed(JOB, (Place((), "/top/job"),))))
    assert sorted(set(opened)) == ["", "/top", "/top/job"]
    assert len(opened) <= 4


@given(st.lists(st.tuples(st.integers(0, 100), st.none() | st.integers(0, 100)), min_size=1))
def test_counters_never_fall(readings: list[tuple[int, int | None]]) -> None:
    """Whatever the kernel's counters do, ours only rise."""
    rising, last = Rising(), (0.0, 0.0)
    for reading in readings:
        now = tuple(number or 0.0 for number in rising.take(*reading))
        assert all(later >= earlier for later, earlier in zip(now, last, strict=True))
        last = (now[0], now[1])


def test_an_owner_that_rests_is_asked_little_and_one_that_wakes_is_asked_all(tmp_path: Path) -> None:
    """While no CPU time is used and the sum stands, the parts of memory are as they were; then they are read again."""
    house = House(tmp_path)
    whole(house)
    member = (process(5), Placed(JOB, V2))
    house.use(member)
    house.cgroup("/job", memory_events="oom_kill 9\n")
    assert house.use(member).oom_kills == 1
    house.cgroup("/job", cpu_stat=CPU.replace("usage_usec 3", "usage_usec 4"))
    assert house.use(member).oom_kills == 9
    house.cgroup("/job", memory_events="oom_kill 10\n", memory_current="1001\n")
    assert house.use(member).oom_kills == 10


def test_limits_are_looked_at_again(tmp_path: Path) -> None:
    """A limit that is changed while the owner lives is seen, if not at once."""
    house = House(tmp_path)
    whole(house)
    member = (process(5), Placed(JOB, V2))
    house.use(member)
    house.cgroup("/job", memory_max="max\n", cpu_max="max 100000\n")
    assert house.use(member).memory_limit_bytes == 4096
    for one in house.usages._states[JOB.key].charged._cgroups:
        one._due = 0.0
    used = house.use(member)
    assert (used.memory_limit_bytes, used.cpu_limit_cores) == (None, None)
