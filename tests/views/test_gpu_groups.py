"""Who is on GPUs, in one line each: sums that are known, what was given and lies idle, and no power that nobody told."""

from __future__ import annotations

import pytest

from bongsu.collectors import gpu_process as series
from bongsu.collectors import gpu_workload
from bongsu.collectors.gpu_allocation import ALLOCATION
from bongsu.model.batch import Batch, Outcome, Part, Sample, Table
from bongsu.model.gpu import GpuProcessRow
from bongsu.model.owner import Owner, OwnerKind
from bongsu.views import gpu_groups
from bongsu.views.gpu_entries import entries
from bongsu.views.gpu_groups import GpuGroup
from bongsu.views.gpu_power import GpuPower
from bongsu.views.gpu_visible import Visible
from bongsu.views.groups import By
from bongsu.views.processes import Order
from bongsu.views.ruled import Sort
from views.test_top_gpu import EVIL, JOB, on_gpu

POD = Owner(OwnerKind.POD, "u-1", "chat", "prod", "server", user="bob")


def look(at: float, rows: tuple[GpuProcessRow, ...], *samples: Sample) -> Batch:
    tables = (Table("gpu_processes", rows),)
    part = Part("gpu_process", 1000.0 + at, at, samples, (), tables, Outcome("gpu_process", 0.0, 0.0))
    return Batch(1000.0 + at, at, (part,))


def grouped(
    *looks: Batch, by: By = By.OWNER, order: Order = Order(), visible: Visible | None = None  # noqa: B008  it is frozen
) -> list[GpuGroup]:  # fmt: skip
    power = GpuPower()
    for one in looks:
        power.take(one)
    return gpu_groups.arrange(entries(looks[-1], (), visible), by, order, looks[-1], power, visible)


def energy(gpu: str, pid: int, joules: float, owner: Owner = JOB) -> tuple[Sample, Sample]:
    """What a process got, which is all that its owner did."""
    labels = (owner.kind.value, owner.id, owner.name, owner.namespace, owner.user, "sm_share")
    return (
        Sample(series.ENERGY, (gpu, f"GPU-{gpu}", str(pid), "sm_share"), joules),
        Sample(gpu_workload.ENERGY, labels, joules),
    )


def device(gpu: str, *, idle: float = 0.0, folded: int = 0) -> tuple[Sample, ...]:
    return (
        Sample(series.UNATTRIBUTED_ENERGY, (gpu, f"GPU-{gpu}", "idle"), idle),
        Sample(series.FOLDED, (gpu, f"GPU-{gpu}"), folded),
    )


def given(gpu: str, kind: str, identity: str, name: str = "", namespace: str = "", user: str = "") -> Sample:
    return Sample(ALLOCATION, (gpu, f"GPU-{gpu}", kind, identity, name, namespace, "", user, "test"), 1.0)


def test_sums_are_of_all_its_processes_and_gpus() -> None:
    """A process on two GPUs is one; memory and use are sums; the age is that of the oldest."""
    rows = (
        on_gpu(1, "0", start=50),
        on_gpu(1, "1", start=50),
        on_gpu(2, "1", start=400),
        on_gpu(3, owner=POD, user="bob"),
    )
    job, pod = grouped(look(0.0, rows))
    assert (job.name, job.use.processes, job.use.gpus) == ("job 42 train", 2, ("0", "1"))
    assert (job.use.memory_bytes, job.use.sm_ratio, job.age) == (3 << 30, 1.5, 400.0)
    assert (pod.name, pod.user, pod.use.processes) == ("pod prod/chat", "bob", 1)
    assert [group.name for group in grouped(look(0.0, rows), by=By.USER)] == ["ada", "bob"]
    [together] = grouped(look(0.0, rows), by=By.COMMAND)
    assert (together.user, together.use.processes) == ("2 users", 3)


def test_a_sum_of_what_is_not_known_is_not_known() -> None:
    """One process without a figure leaves none for its owner; it is not the sum of the others."""
    [job] = grouped(look(0.0, (on_gpu(1), on_gpu(2, memory_bytes=None, sm_ratio=None))))
    assert (job.use.memory_bytes, job.use.sm_ratio, job.use.watts) == (None, None, None)
    assert gpu_groups.line(job, 80).plain.split()[4:7] == ["-", "-", "-"]


def test_by_user_and_command_power_is_the_energy_of_their_processes() -> None:
    """By owner it is the owner's; a series that is new began at 0, and who used nothing has 0 W."""
    rows = (on_gpu(1, "0"), on_gpu(2, "0", user="eve", sm_ratio=0.0), on_gpu(3, "0", owner=POD, user="bob"))
    first, new = energy("0", 1, 1000.0), energy("0", 3, 108.0, POD)
    before = look(10.0, rows, *device("0", idle=3.0), *first)
    after = look(12.0, rows, *device("0", idle=5.0), *energy("0", 1, 1200.0), *new)
    assert [one.use.watts for one in grouped(before, after, by=By.USER)] == [100.0, 54.0, 0.0]
    assert [one.use.watts for one in grouped(before, after, by=By.COMMAND)] == [154.0]
    assert [one.use.watts for one in grouped(before, after)] == [54.0, 100.0]
    assert {one.use.watts for one in grouped(before)} == {None}


@pytest.mark.parametrize("folded", [(1, 1), (1, 0), (0, 1)])
def test_power_of_processes_beyond_the_budget_is_known_of_owners_only(folded: tuple[int, int]) -> None:
    """Where some have no series of their own, one without may be among them."""
    rows = (on_gpu(1, "0"), on_gpu(2, "0"))
    labels = (JOB.kind.value, JOB.id, "", "", "", "sm_share")

    def at(second: float, folded: int) -> Batch:
        mine = energy("0", 1, second * 5)[0], Sample(gpu_workload.ENERGY, labels, second * 7)
        return look(second, rows, *device("0", folded=folded), *mine)

    looks = at(10.0, folded[0]), at(12.0, folded[1])
    [job] = grouped(*looks)
    [user] = grouped(*looks, by=By.USER)
    assert (job.use.watts, user.use.watts) == (7.0, None)


def test_what_is_visible_has_the_energy_of_its_processes() -> None:
    """What an owner does on another GPU is no part of it; a process on two instances has one share of their device."""
    rows = (on_gpu(1, "0_1_0"), on_gpu(1, "0_2_0"), on_gpu(2, "1"))
    looks = [
        look(at, rows, *device("0"), *device("1"), energy("0", 1, at * 3)[0], energy("1", 2, at * 5)[0])
        for at in (10.0, 12.0)
    ]
    [job] = grouped(*looks, visible=Visible(("0",)))
    assert (job.use.watts, job.use.joules) == (3.0, {"sm_share": 36.0})


def test_who_was_given_a_gpu_and_does_nothing_on_it_has_a_line() -> None:
    """Held GPUs are counted; a pod is known by its name, since the kubelet tells no UID; zero only where all GPUs are listed."""
    samples = (
        given("0", "slurm", "42", "train", user="ada"), given("1", "slurm", "42", "train", user="ada"),
        given("2", "pod", "", "chat", "prod"), given("3", "slurm", "7", "idle", user="ada"),
        given("4", "slurm", "8", user="bob"), *(Sample(series.COUNT, (n, f"GPU-{n}"), 0.0) for n in "0123"),
    )  # fmt: skip
    rows = (on_gpu(1, "0"), on_gpu(2, "2", owner=POD, user="bob"))
    found = {group.name: group for group in grouped(look(0.0, rows, *samples))}
    assert {name: (one.use.processes, one.use.gpus, one.held) for name, one in found.items()} == {
        "job 42 train": (1, ("0",), ("0", "1")), "pod prod/chat": (1, ("2",), ("2",)),
        "job 7 idle": (None, (), ("3",)), "job 8": (None, (), ("4",)),
    }  # fmt: skip
    assert (found["job 42 train"].empty, found["job 7 idle"].empty, found["job 8"].empty) == (("1",), ("3",), None)
    assert "-" in gpu_groups.line(found["job 8"], 80).plain.split()[0]
    all_told = (*samples, Sample(series.TOTAL, (), 2.0))
    told = {group.name: group.use for group in grouped(look(0.0, rows, *all_told))}["job 7 idle"]
    assert (told.processes, told.memory_bytes, told.sm_ratio, told.watts) == (0, 0, 0, 0)
    idle = (given("0", "pod", "", "a", "prod"), given("1", "pod", "", "b", "prod"))
    assert len({one.key for one in grouped(look(0.0, (), *idle))}) == 2
    assert [one.name for one in grouped(look(0.0, rows, *samples), order=Order(words="job", user="bob"))] == ["job 8"]
    assert [one.name for one in grouped(look(0.0, rows, *samples), visible=Visible(("3",)))] == ["job 7 idle"]
    assert [one.name for one in grouped(look(0.0, rows, *samples), by=By.USER)] == ["ada", "bob"]


def test_groups_are_filtered_and_ordered_as_the_table_of_all_processes() -> None:
    """Words find a group by its name or by a process in it, whose sum stays whole; keys order, twice turns round."""
    rows = (on_gpu(1, command="one"), on_gpu(2, command="two"), on_gpu(3, owner=POD, user="bob", sm_ratio=0.9))
    [job] = grouped(look(0.0, rows), order=Order(words="two"))
    assert job.use.processes == 2
    assert [group.user for group in grouped(look(0.0, rows), order=Order(words="prod"))] == ["bob"]
    assert [group.user for group in grouped(look(0.0, rows), order=Order(user="bob"))] == ["bob"]
    by = {sort: [one.user for one in grouped(look(0.0, rows), order=Order(sort))] for sort in Sort}
    assert by[Sort.CPU] == ["ada", "bob"]
    assert by[Sort.MEMORY] == ["ada", "bob"]
    assert by[Sort.USER] == ["ada", "bob"]
    assert [one.user for one in grouped(look(0.0, rows), order=Order(Sort.PID, turned=True))] == ["bob", "ada"]


@pytest.mark.parametrize("width", [20, 40, 60, 80, 100, 120, 160, 200])
def test_lines_fit_and_cannot_steer(width: int) -> None:
    """Whatever an owner is called, a line is one line of printable characters of that width."""
    rows = (on_gpu(1, user=EVIL, owner=Owner(OwnerKind.UNIT, EVIL, user=EVIL)),)
    korean = on_gpu(2, user="김연구", owner=Owner(OwnerKind.SLURM, "7", "봉수 훈련", user="김연구"))
    [group] = grouped(look(0.0, rows))
    assert gpu_groups.line(grouped(look(0.0, (korean,)))[0], width).cell_len == width
    for text in (gpu_groups.line(group, width), gpu_groups.heading(width, By.OWNER, Order())):
        assert text.cell_len == width
        assert text.plain.isprintable()


@pytest.mark.parametrize(
    ("gpus", "text"),
    [
        ((), ""), (("0",), "0"), (("0", "1"), "0-1"), (("0", "2"), "0,2"), (("0", "1", "2", "5", "7_1_0"), "0-2,5,7_1_0"),
        (("7_1_0", "7_2_0"), "7_1_0,7_2_0"), (("7_1_0", "7_2_0", "7_3_0"), "7_1_0 +2"),
        (("0", "2", "4", "6", "8", "10", "12", "13"), "0,2,4,6,8 +3"), (("123456789_12_0",) * 2, "+2"),
    ],
)  # fmt: skip
def test_devices_in_a_row_are_one_word(gpus: tuple[str, ...], text: str) -> None:
    """No name is cut: how many there is no room for is said."""
    assert gpu_groups.ranges(gpus, 13) == text
