"""Use of GPUs by owner."""

from __future__ import annotations

from typing import Any

import pytest

from bongsu.collectors.gpu_energy import Energy
from bongsu.collectors.gpu_member import Member, Unit
from bongsu.collectors.gpu_workload import SPECS, Workloads
from bongsu.model.owner import Owner, OwnerKind
from bongsu.owners.placement import Placed
from bongsu.owners.resolver import Seen
from bongsu.sources.nvml.reading import Ended
from gpu_looks import GIB, UNSUPPORTED, device, look, process, uuid
from usage_house import process as real

JOB = Owner(OwnerKind.SLURM, "42", "train", user="alice")
POD = Owner(OwnerKind.POD, "u-1", "trainer-0", "ml", user="bob")
JOB_LABELS = ("slurm", "42", "train", "", "alice")


def member(pid: int, owner: Owner, *, memory: float = GIB, started: float = 0.0, **more: Any) -> Member:
    """A process on the first device."""
    seen = Seen(real(pid, start_time=started), Placed(owner))
    one = process(pid, memory=memory, **more)
    return Member(one, Unit("0", uuid(0), uuid(0), 80.0 * GIB), (pid, pid), seen, owner, "python")


class Owners:
    """Workloads and their energy, look after look."""

    def __init__(self, most: int = 200) -> None:
        self.workloads = Workloads(most)
        self.energy = Energy()

    def look(self, at: float, *members: Member, joules: float = 0.0, ended: tuple[Ended, ...] = ()) -> dict[str, dict[tuple[str, ...], float]]:  # fmt: skip
        snapshot = look((device(energy=joules),), at=at, ended=ended)
        self.energy.take(snapshot, members)
        found: dict[str, dict[tuple[str, ...], float]] = {}
        for sample in self.workloads.take(snapshot, members, self.energy):
            assert sample.spec in SPECS
            assert sample.labels not in found.setdefault(sample.spec.name, {})
            found[sample.spec.name][sample.labels] = sample.value
        return found


def finished(pid: int, start: float) -> Ended:
    """A process of which the driver's accounting tells."""
    return Ended(pid=pid, uuid=uuid(0), start_time=start, seconds=1.0, max_memory_bytes=1.0, sm_ratio=0.5)


def test_an_owner_is_the_sum_of_its_processes() -> None:
    """Processes, memory and use are summed, under the owner's labels."""
    found = Owners().look(100, member(1, JOB), member(2, JOB, memory=2 * GIB), member(3, POD))
    pod = ("pod", "u-1", "trainer-0", "ml", "bob")
    assert found["gpu_workload_processes"] == {JOB_LABELS: 2, pod: 1}
    assert found["gpu_workload_memory_bytes"] == {JOB_LABELS: 3 * GIB, pod: GIB}
    assert found["gpu_workload_sm_ratio"] == {JOB_LABELS: 1.0, pod: 0.5}
    assert found["gpu_workloads_folded"] == {(): 0}


def test_a_sum_with_an_unknown_part_is_unknown() -> None:
    """Half of an owner's use would be a lie; its processes are known all the same."""
    found = Owners().look(100, member(1, JOB), member(2, JOB, sm=UNSUPPORTED))
    assert "gpu_workload_sm_ratio" not in found
    assert found["gpu_workload_processes"] == {JOB_LABELS: 2}


def test_energy_outlives_the_process_for_five_minutes() -> None:
    """A job of short processes keeps counting; what it holds now vanishes at once, and all of it after five minutes."""
    owners = Owners()
    owners.look(100, member(1, JOB))
    assert owners.look(110, member(1, JOB), joules=50)["gpu_workload_energy_joules_total"] == {
        (*JOB_LABELS, "sole"): 50
    }
    found = owners.look(120, joules=60)
    assert found["gpu_workload_energy_joules_total"] == {(*JOB_LABELS, "sole"): 50}
    assert "gpu_workload_processes" not in found
    owners.look(130, member(2, JOB), joules=70)
    found = owners.look(140, member(2, JOB), joules=90)
    assert found["gpu_workload_energy_joules_total"] == {(*JOB_LABELS, "sole"): 70}
    assert "gpu_workload_energy_joules_total" not in owners.look(500, joules=100)


def test_ended_processes_are_their_owners_where_one_was_seen() -> None:
    """By number and time; what the driver repeats counts once, what ended before we looked not at all."""
    owners = Owners()
    old = finished(9, 50)
    owners.look(100, member(1, JOB, started=90), ended=(old,))
    known, short, reused = finished(1, 91), finished(2, 101), finished(1, 300)
    found = owners.look(110, member(1, JOB, started=90), ended=(old, known, short))
    assert found["gpu_workload_ended_processes_total"] == {JOB_LABELS: 1}
    assert found["gpu_ended_processes_total"] == {("0", uuid(0)): 1}
    found = owners.look(301, ended=(old, known, short, reused))
    assert found["gpu_workload_ended_processes_total"] == {JOB_LABELS: 1}
    assert found["gpu_ended_processes_total"] == {("0", uuid(0)): 2}  # the number was another's by then


def test_a_look_that_leaves_a_device_out_counts_no_ended_process_twice() -> None:
    """The driver repeats what it told: after a look at other devices alone, as at a reload, each is still counted once."""
    workloads, energy = Workloads(), Energy()

    def count(at: float, *devices: int, ended: tuple[Ended, ...]) -> float:
        snapshot = look([device(index) for index in devices], at=at, ended=ended)
        found = workloads.take(snapshot, (), energy)
        return sum(sample.value for sample in found if sample.spec.name == "gpu_ended_processes_total")

    assert count(100, 0, 1, ended=()) == 0
    assert count(101, 0, 1, ended=(finished(7, 100),)) == 1
    assert count(102, 1, ended=()) == 0
    assert count(103, 0, 1, ended=(finished(7, 100), finished(8, 102))) == 2


def test_owners_beyond_the_budget_are_one() -> None:
    """Those that hold most memory are shown; the others, and what they used while folded, are of kind other."""
    owners = Owners(most=1)
    both = member(1, JOB, memory=3 * GIB), member(2, POD)
    owners.look(100, *both)
    found = owners.look(110, *both, joules=100)
    rest = ("other", "other", "", "", "")
    assert found["gpu_workload_memory_bytes"] == {JOB_LABELS: 3 * GIB, rest: GIB}
    assert found["gpu_workload_energy_joules_total"] == {(*JOB_LABELS, "sm_share"): 50, (*rest, "sm_share"): 50}
    assert found["gpu_workloads_folded"] == {(): 1}


@pytest.mark.parametrize("users", [("alice", "alice"), ("alice", "root")])
def test_the_user_is_named_where_it_is_one(users: tuple[str, str]) -> None:
    """An owner with processes of several users has none, so that its series does not change from look to look."""
    owners = [Owner(OwnerKind.CONTAINER, "c1", "web", user=user) for user in users]
    found = Owners().look(100, *(member(n, owner) for n, owner in enumerate(owners, 1)))
    assert [labels[-1] for labels in found["gpu_workload_processes"]] == ["alice" if len(set(users)) == 1 else ""]
