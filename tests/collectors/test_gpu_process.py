"""The collector of GPU processes, on looks made by hand and real processes in real cgroups."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from begun import begun
from bongsu.collectors import gpu_member
from bongsu.collectors.gpu_process import GpuProcessCollector
from bongsu.model.batch import Absence, Sample, Table, Why
from bongsu.model.errors import BadInput, NoData, NotKnown
from bongsu.model.gpu import GpuProcessRow
from bongsu.model.message import Message
from bongsu.model.owner import Owner, OwnerKind
from bongsu.sources.nvml.reading import Gap, Played, Snapshot
from bongsu.sources.root import Machine
from gpu_looks import GIB, UNSUPPORTED, Looks, device, instance, look, process, uuid
from kernel_tree import Tree
from real_cgroups import Cgroups, cgroups

POD = "9aac5b5c-8815-4ef0-9a2e-f9e37b89da55"
H = "e" * 64
LOST = Gap(Why.LOST, "nvmlDeviceGetComputeRunningProcesses_v3", "NVML_ERROR_GPU_IS_LOST")
Found = dict[str, dict[tuple[str, ...], float]]


class Made:
    """A collector whose looks are made up; the processes are real."""

    def __init__(self, machine: Machine | None = None, **options: Any) -> None:
        self.looks = Looks()
        self.collector = GpuProcessCollector(machine or Machine.at(), self.looks, **options)
        self.rows: tuple[GpuProcessRow, ...] = ()
        self.absences: list[Absence] = []

    def collect(self, snapshot: Snapshot) -> Found:
        """Samples by metric and labels; each stands once, and is one of those that are declared."""
        self.looks.now = snapshot
        items = list(self.collector.collect())
        self.absences = [item for item in items if isinstance(item, Absence)]
        (table,) = [item for item in items if isinstance(item, Table)]
        assert table.name == "gpu_processes"
        self.rows = table.rows  # type: ignore[assignment]  # a table holds any rows
        found: Found = {}
        for sample in (item for item in items if isinstance(item, Sample)):
            assert sample.spec in self.collector.specs
            assert len(sample.labels) == len(sample.spec.labels)
            family = found.setdefault(sample.spec.name, {})
            assert sample.labels not in family
            family[sample.labels] = sample.value
        assert all(absence.spec in self.collector.specs for absence in self.absences)
        assert all(len(absence.labels) == len(absence.spec.labels) for absence in self.absences)
        return found


@pytest.fixture
def made_cgroups() -> Iterator[Cgroups]:
    """Real cgroups for one test."""
    with cgroups() as made:
        yield made


@pytest.fixture
def sleeper() -> Iterator[int]:
    """A real process; its pid."""
    with subprocess.Popen(["/bin/sleep", "600"]) as one:
        yield one.pid
        one.kill()


def test_the_documents_families(made_cgroups: Cgroups) -> None:
    """Count, info and both utilisations have the names, labels and 0 to 100 of the document, and the UUID beside."""
    pid = made_cgroups.sleeper(f"kubepods/burstable/pod{POD}/{H}")
    found = Made().collect(look((device(0), device(1)), process(pid, 1, memory=48 * GIB, sm=0.85)))
    assert found["gpu_process_count"] == {("0", uuid(0)): 0, ("1", uuid(1)): 1}
    assert found["gpu_total_processes"] == {(): 1}
    assert found["gpu_process_info"] == {("1", str(pid), "sleep", POD, "", H, "active", uuid(1)): 1}
    named = ("1", str(pid), "sleep", POD, "", uuid(1))
    assert found["gpu_process_utilization"] == {named: 85}
    assert found["gpu_process_memory_utilization"] == {named: 60}


def test_base_units(sleeper: int) -> None:
    """Bytes, ratios from 0 to 1 and Unix seconds, by GPU, UUID and pid."""
    found = Made().collect(look((device(),), process(sleeper, memory=GIB, sm=0.5, bandwidth=0.25)))
    short = ("0", uuid(0), str(sleeper))
    assert found["gpu_process_memory_bytes"] == {short: GIB}
    assert found["gpu_process_sm_ratio"] == {short: 0.5}
    assert found["gpu_process_memory_bandwidth_ratio"] == {short: 0.25}
    assert found["gpu_process_encoder_ratio"] == found["gpu_process_decoder_ratio"] == {short: 0}
    assert abs(found["gpu_process_start_time_seconds"][short] - time.time()) < 600
    assert found["gpu_exporter_unattributed_processes"] == {(): 0}


def test_memory_as_a_label_only_if_asked_for(sleeper: int) -> None:
    """The document's gpu_memory label makes a series of each change, so it is there only with compat_labels."""
    found = Made(compat_labels=True).collect(look((device(),), process(sleeper, memory=4096 * 2**20)))
    (labels,) = found["gpu_process_info"]
    assert labels[:3] == ("0", str(sleeper), "sleep")
    assert labels[-2:] == (uuid(0), "4096MiB")
    assert "gpu_memory" not in next(s for s in GpuProcessCollector.specs if s.name == "gpu_process_info").labels


def test_a_divided_gpu_has_a_count_for_each_instance(sleeper: int) -> None:
    """Instances are 0_1_2 by GPU, GPU instance and compute instance; use is unknown there, and memory is of the instance."""
    gpu = device(0, mig=True, instances=(instance(1, 2), instance(7)))
    made = Made()
    found = made.collect(
        look((gpu,), process(sleeper, on=(1, 2), memory=5 * GIB, sm=UNSUPPORTED, bandwidth=UNSUPPORTED))
    )
    one, other = (each.uuid for each in gpu.instances)
    assert found["gpu_process_count"] == {("0_1_2", one): 1, ("0_7_0", other): 0}
    assert list(found["gpu_process_memory_utilization"].values()) == [50]
    assert "gpu_process_utilization" not in found
    assert "gpu_workload_sm_ratio" not in found
    assert {a.spec.name: a.why for a in made.absences} == {
        "gpu_process_sm_ratio": Why.UNSUPPORTED, "gpu_process_memory_bandwidth_ratio": Why.UNSUPPORTED
    }  # fmt: skip
    assert [(row.gpu, row.sm_ratio, row.memory_ratio) for row in made.rows] == [("0_1_2", None, 0.5)]


def test_what_cannot_be_listed_is_not_idle() -> None:
    """A GPU whose processes cannot be listed has no count, the others do, and there is no total."""
    made = Made()
    found = made.collect(look((device(0), device(1)), processes_gaps=((uuid(1), LOST),)))
    assert found["gpu_process_count"] == {("0", uuid(0)): 0}
    assert "gpu_total_processes" not in found
    assert [(a.spec.name, a.labels, a.why) for a in made.absences] == [
        ("gpu_process_count", ("1", uuid(1)), Why.LOST), ("gpu_total_processes", (), Why.LOST)
    ]  # fmt: skip


def test_a_list_that_is_told_in_part_is_no_count(sleeper: int) -> None:
    """Where one kind of processes may not be listed, those of the others are shown, but nobody knows how many there are."""
    made = Made()
    refused = Gap(Why.FORBIDDEN, "nvmlDeviceGetGraphicsRunningProcesses_v3", "NVML_ERROR_NO_PERMISSION")
    found = made.collect(look((device(0), device(1)), process(sleeper), processes_gaps=((uuid(0), refused),)))
    assert found["gpu_process_count"] == {("1", uuid(1)): 0}
    assert len(found["gpu_process_info"]) == 1
    assert ("gpu_process_count", ("0", uuid(0)), Why.FORBIDDEN) in [
        (a.spec.name, a.labels, a.why) for a in made.absences
    ]


def test_a_gpu_that_needs_a_reset_still_lists_its_processes(sleeper: int) -> None:
    """What still answers is told: one broken GPU hides neither its own processes nor the total of the machine."""
    reset = Gap(Why.LOST, "nvmlDeviceGetPowerUsage", "NVML_ERROR_RESET_REQUIRED")
    found = Made().collect(look((device(0, failed=reset), device(1)), process(sleeper)))
    assert found["gpu_process_count"] == {("0", uuid(0)): 1, ("1", uuid(1)): 0}
    assert found["gpu_total_processes"] == {(): 1}


def test_a_sleeping_gpu_is_not_said_to_have_no_process() -> None:
    """It was not asked, so there is no 0, and no total; the others are counted."""
    made = Made()
    found = made.collect(look((device(0, asleep=True), device(1))))
    assert found["gpu_process_count"] == {("1", uuid(1)): 0}
    assert "gpu_total_processes" not in found
    assert [(a.spec.name, a.labels) for a in made.absences] == [
        ("gpu_process_count", ("0", uuid(0))), ("gpu_total_processes", ())
    ]  # fmt: skip


def test_unknown_memory_is_absent(sleeper: int) -> None:
    """Where the driver does not say what a process holds, nothing is zero: no series, and the reason."""
    made = Made()
    found = made.collect(look((device(),), process(sleeper, memory=UNSUPPORTED)))
    assert {"gpu_process_memory_bytes", "gpu_process_memory_utilization", "gpu_workload_memory_bytes"} & set(
        found
    ) == set()
    assert [a.spec.name for a in made.absences] == ["gpu_process_memory_bytes"]
    assert made.rows[0].memory_bytes is None


def test_a_process_on_two_gpus_is_one(sleeper: int) -> None:
    """The total counts processes, the counts of GPUs count where they are; the owner has one process with both memories."""
    found = Made().collect(look((device(0), device(1)), process(sleeper, 0), process(sleeper, 1)))
    assert set(found["gpu_process_count"].values()) == {1}
    assert found["gpu_total_processes"] == {(): 1}
    assert list(found["gpu_workload_processes"].values()) == [1]
    assert list(found["gpu_workload_memory_bytes"].values()) == [2 * GIB]
    assert list(found["gpu_workload_sm_ratio"].values()) == [1.0]


def test_nothing_remains_of_one_that_has_ended(made_cgroups: Cgroups) -> None:
    """Also while the driver hangs and the look is old, a process that has ended is on no GPU."""
    pid, other = made_cgroups.sleeper("a.service"), made_cgroups.sleeper("b.service")
    made = Made()
    snapshot = look((device(),), process(pid), process(other))
    assert made.collect(snapshot)["gpu_total_processes"] == {(): 2}
    made_cgroups.end(pid)
    for _ in range(2):
        found = made.collect(msgspec.structs.replace(snapshot, stale_seconds=5.0))
        assert found["gpu_process_count"] == {("0", uuid(0)): 1}
        assert {labels[1] for labels in found["gpu_process_info"]} == {str(other)}
        assert len(found["gpu_workload_memory_bytes"]) == 1
    assert [row.pid for row in made.rows] == [other]


def test_a_later_process_of_the_same_number_is_not_the_one(sleeper: int) -> None:
    """A process that started after the driver was asked is another: nobody's use is put down to it."""
    found = Made().collect(look((device(),), process(sleeper), at=time.time() - 3600))
    assert "gpu_process_info" not in found
    assert found["gpu_process_count"] == {("0", uuid(0)): 0}


@pytest.mark.parametrize(
    ("user", "cure"),
    [
        (1000, "run as root, or mount the proc file system without hidepid"),
        (0, "if it lasts, see what holds the devices open: fuser -v /dev/nvidia*"),
    ],
)
def test_a_number_that_nobody_has_here_is_unseen(user: int, cure: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The driver says that it holds memory, so it is shown, as nobody's, and with what helps: root sees all there are."""
    monkeypatch.setattr(os, "geteuid", lambda: user)
    made = Made()
    found = made.collect(look((device(),), process(2**31 - 5)))
    assert [labels[-2] for labels in found["gpu_process_info"]] == ["unseen"]
    assert found["gpu_exporter_unattributed_processes"] == {(): 1}
    assert list(found["gpu_workload_processes"]) == [("unknown", "", "", "", "")]
    assert [str(a.cure) for a in made.absences if a.spec.name == "gpu_process_info"] == [cure]


def test_in_a_container_no_number_is_believed_without_a_device(sleeper: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the machine's pid namespace the same number may be another process: only an open device makes it ours."""
    monkeypatch.setattr(gpu_member, "shows_whole_machine", lambda _: False)
    made = Made()
    found = made.collect(look((device(),), process(sleeper)))
    assert found["gpu_exporter_pid_namespace_host"] == {(): 0}
    assert [row.owner.kind for row in made.rows] == [OwnerKind.UNKNOWN]
    cures = [str(absence.cure) for absence in made.absences]
    assert any("hostPID: true" in cure and "--pid=host" in cure for cure in cures)
    monkeypatch.setattr(gpu_member, "has_open", lambda *_: True)
    made = Made()
    made.collect(look((device(),), process(sleeper)))
    assert made.rows[0].owner.kind is not OwnerKind.UNKNOWN
    assert made.absences == []


def test_owners_of_several_kinds(made_cgroups: Cgroups) -> None:
    """A pod, a job and a user: each with its own use of all GPUs, under the names that owners have elsewhere."""
    pod = made_cgroups.sleeper(f"kubepods/burstable/pod{POD}/{H}")
    job = made_cgroups.sleeper("slurm/uid_0/job_42/step_0/task_0")
    found = Made().collect(look((device(),), process(pod, memory=GIB), process(job, memory=3 * GIB, sm=0.25)))
    memory = {labels[:2]: value for labels, value in found["gpu_workload_memory_bytes"].items()}
    assert memory == {("pod", POD): GIB, ("slurm", "42"): 3 * GIB}
    assert {labels[:2]: v for labels, v in found["gpu_workload_sm_ratio"].items()} == {("pod", POD): 0.5, ("slurm", "42"): 0.25}  # fmt: skip


def test_the_budget_sums_the_rest(made_cgroups: Cgroups) -> None:
    """Those that hold most memory have series, the others are one of pid other, and their number is told."""
    pids = [made_cgroups.sleeper("a.service") for _ in range(4)]
    made = Made(processes=2)
    members = [process(pid, memory=(n + 1) * GIB, sm=0.1 * (n + 1)) for n, pid in enumerate(pids)]
    found = made.collect(look((device(),), *members))
    assert found["gpu_process_count"] == {("0", uuid(0)): 4}
    assert found["gpu_process_memory_bytes"] == {
        ("0", uuid(0), str(pids[3])): 4 * GIB, ("0", uuid(0), str(pids[2])): 3 * GIB, ("0", uuid(0), "other"): 3 * GIB
    }  # fmt: skip
    assert found["gpu_process_sm_ratio"]["0", uuid(0), "other"] == pytest.approx(0.3)
    assert found["gpu_process_utilization"]["0", "other", "other", "", "", uuid(0)] == pytest.approx(30)
    assert found["gpu_processes_folded"] == {("0", uuid(0)): 2}
    assert found["gpu_exporter_series_dropped_total"][()] > 0
    assert len(made.rows) == 4
    # A little more than one that is shown does not take its place, clearly more does.
    grown = members[1], members[2], members[3]
    found = made.collect(look((device(),), process(pids[0], memory=3.2 * GIB), *grown))
    assert {labels[2] for labels in found["gpu_process_memory_bytes"]} == {str(pids[3]), str(pids[2]), "other"}
    found = made.collect(look((device(),), process(pids[0], memory=9 * GIB), *grown))
    assert {labels[2] for labels in found["gpu_process_memory_bytes"]} == {str(pids[3]), str(pids[0]), "other"}


def test_command_lines_only_masked_and_if_asked_for() -> None:
    """The program's name, unless command lines are wanted; then without what looks like a secret."""
    secret = "hf_AbCdEfGhIjKlMnOpQrStUvWx"
    argv = ["/bin/sleep", "600"]
    script = ["/bin/sh", "-c", "read _; exit", "train.sh", f"--hf-token={secret}", "--lr=0.1"]
    with subprocess.Popen(argv) as plain, subprocess.Popen(script, stdin=subprocess.PIPE) as shell:
        try:
            begun(plain.pid)
            begun(shell.pid)
            snapshot = look((device(),), process(plain.pid), process(shell.pid), at=time.time() + 1)
            made = Made()
            made.collect(snapshot)
            assert "--" not in "".join(row.command for row in made.rows)
            made = Made(command_lines=True)
            found = made.collect(snapshot)
            commands = {row.pid: row.command for row in made.rows}
            assert commands[plain.pid] == "/bin/sleep 600"
            assert "--lr=0.1" in commands[shell.pid]
            assert "***" in commands[shell.pid]
            assert secret not in repr(found)
        finally:
            plain.kill()
            shell.kill()


def test_a_scenario_is_not_joined_with_real_processes() -> None:
    """The numbers of a demo are nobody's here; what the scenario says of them is shown."""
    owner = Owner(OwnerKind.POD, "u-1", "trainer-0", "ml", "main")
    made = Made()
    found = made.collect(
        look((device(0, held_by=(owner,)),), process(os.getpid(), played=Played("python3", owner)), demo=True)
    )
    assert list(found["gpu_process_info"]) == [
        ("0", str(os.getpid()), "python3", "trainer-0", "ml", "main", "active", uuid(0))
    ]
    assert list(found["gpu_allocation"]) == [("0", uuid(0), "pod", "u-1", "trainer-0", "ml", "main", "", "scenario")]
    assert made.absences == []


def test_only_the_devices_that_are_wanted(sleeper: int) -> None:
    """By number or UUID; of the others nothing is said, also not that they cannot be listed."""
    snapshot = look(
        (device(0), device(1), device(2)), process(sleeper, 0), process(sleeper, 2), processes_gaps=((uuid(1), LOST),)
    )
    for wanted in ("2", uuid(2)):
        made = Made(devices=wanted)
        found = made.collect(snapshot)
        assert found["gpu_process_count"] == {("2", uuid(2)): 1}
        assert found["gpu_total_processes"] == {(): 1}
        assert [row.gpu for row in made.rows] == ["2"]
        assert made.absences == []
    with pytest.raises(BadInput, match=r"--collector.gpu_process.devices: 'all' is no GPU"):
        Made(devices="all")


def test_no_driver_and_a_driver_that_fails(tmp_path: Path) -> None:
    """Without a GPU, or its driver, the collector gpu's sentence is said, not NVML's; a driver that fails is a failure."""
    tree = Tree(tmp_path)
    missing = look((), error=Gap(Why.MISSING, "dlopen libnvidia-ml.so.1", "NVML_ERROR_LIBRARY_NOT_FOUND"))
    for files, sentence in (
        ({}, "no GPU here: no PCI display or 3D device of NVIDIA, AMD or Intel, and no /dev/nvidia0"),
        ({"root/dev/nvidia0": ""}, "no GPU driver for 1 NVIDIA: libnvidia-ml.so.1 is not installed"),
    ):
        tree.write(files)
        made = Made(tree.machine)
        made.looks.now = missing
        with pytest.raises(NoData) as caught:
            list(made.collector.collect())
        assert str(caught.value) == sentence
    made.looks.now = look(
        (), error=Gap(Why.MISSING, "nvmlInit_v2", "NVML_ERROR_DRIVER_NOT_LOADED"), cure=Message("load it")
    )
    with pytest.raises(NoData, match="DRIVER_NOT_LOADED") as caught:
        list(made.collector.collect())
    assert str(caught.value.cure) == "load it"
    made.looks.now = look((), error=Gap(Why.FAILED, "nvmlInit_v2", "NVML_ERROR_UNKNOWN"))
    with pytest.raises(NotKnown, match="nvmlInit_v2: NVML_ERROR_UNKNOWN"):
        list(made.collector.collect())


def test_a_driver_that_goes_is_a_failure_not_a_machine_without_gpus(sleeper: int) -> None:
    """Who has read GPUs does not say later that there are none, and does not work again while the driver is unloaded."""
    gone = look((), error=Gap(Why.MISSING, "nvmlDeviceGetCount_v2", "NVML_ERROR_DRIVER_NOT_LOADED"))
    looks = Looks(look((device(),), process(sleeper)))
    collector = GpuProcessCollector(Machine.at(), looks)
    assert list(collector.collect())
    looks.now = gone
    for each in (collector, GpuProcessCollector(Machine.at(), looks)):  # also one that a reload made
        with pytest.raises(NotKnown, match="modprobe nvidia"):
            list(each.collect())


def test_while_the_driver_hangs_the_living_are_listed(sleeper: int) -> None:
    """Who is on the GPUs is what one wants to know then; old figures are no readings, so there are none."""
    made = Made()
    snapshot = look((device(),), process(sleeper))
    made.collect(snapshot)
    made.looks.now = msgspec.structs.replace(snapshot, stale_seconds=60.0, finding=Message("it hangs since 60 s"))
    collected: list[Sample | Absence | Table] = []
    with pytest.raises(NotKnown, match="it hangs since 60 s"):
        collected.extend(made.collector.collect())
    (table,) = [item for item in collected if isinstance(item, Table)]
    (row,) = table.rows
    assert isinstance(row, GpuProcessRow)
    assert (row.pid, row.command, row.memory_bytes, row.sm_ratio) == (sleeper, "sleep", None, None)
    assert not [item for item in collected if isinstance(item, Sample) and item.spec.name.startswith("gpu_process")]


def test_a_negative_budget_is_refused() -> None:
    """With the option and what is allowed."""
    with pytest.raises(BadInput, match=r"--collector.gpu_process.processes: -1 is negative; give 0 or more"):
        Made(processes=-1)


def test_a_machine_that_shows_few_files(tmp_path: Path) -> None:
    """A captured tree without processes: what the driver lists is unseen, and nothing fails."""
    proc = tmp_path / "proc"
    proc.mkdir()
    (proc / "stat").write_text("btime 1\n")
    made = Made(Machine.at(str(proc), str(tmp_path), str(tmp_path)))
    found = made.collect(look((device(),), process(7)))
    assert found["gpu_exporter_pid_namespace_host"] == {(): 0}
    assert [row.start_ticks for row in made.rows] == [None]
