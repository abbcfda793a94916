"""Who holds which GPU: by a real devices cgroup, a real environment, and a kubelet over a real socket."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from begun import begun
from bongsu.collectors.gpu import GpuCollector
from bongsu.collectors.gpu_allocation import Allocations, allowed_minors, holders_of
from bongsu.model.batch import Sample
from bongsu.model.owner import Owner, OwnerKind
from bongsu.model.settings import OwnerSettings
from bongsu.owners.resolver import configure
from bongsu.sources.nvml.reading import Snapshot
from bongsu.sources.root import Machine
from fake_kubelet import FakeKubelet, devices, resources
from gpu_looks import Looks, device, instance, look, uuid
from kernel_tree import Tree
from real_cgroups import Cgroups, cgroups

JOB = "slurm/uid_0/job_42/step_0/task_0"


@pytest.fixture
def made() -> Iterator[Cgroups]:
    """Real cgroups for one test."""
    with cgroups() as each:
        yield each


@pytest.fixture
def kubelet() -> Iterator[FakeKubelet]:
    """A kubelet that listens."""
    one = FakeKubelet()
    one.start()
    yield one
    one.remove()


def held(snapshot: Snapshot, machine: Machine | None = None, until: int = 0) -> set[tuple[str, ...]]:
    """The label values of each sample; asked again until there are so many, or a minute and a half has passed."""
    allocations = Allocations(machine or Machine.at())
    end = time.monotonic() + 90
    while True:
        samples = list(allocations.take(snapshot))
        assert all(len(sample.labels) == len(sample.spec.labels) and sample.value == 1 for sample in samples)
        assert len({sample.labels for sample in samples}) == len(samples)
        if len(samples) >= until or time.monotonic() > end:
            return {sample.labels for sample in samples}
        time.sleep(0.1)


def test_a_jobs_devices_cgroup_tells_by_minor(made: Cgroups) -> None:
    """NVML's index and the number of the device node differ: the node's counts, also with no process on the GPU."""
    if not made.has("devices"):
        pytest.skip("no devices controller of cgroup v1 here")
    job = made.directory("slurm/uid_0/job_42", "devices")  # a default can only be set before there are steps
    (job / "devices.deny").write_text("a")
    for allowed in ("c 195:3 rwm", "c 195:255 rwm", "c 1:3 rwm"):
        (job / "devices.allow").write_text(allowed)
    made.sleeper(JOB, "devices", made.first)
    gpus = [msgspec.structs.replace(device(index), minor=minor) for index, minor in enumerate((3, 0))]
    snapshot = look(gpus)
    found = {labels for labels in held(snapshot) if labels[3] == "42"}
    assert found == {("0", uuid(0), "slurm", "42", "", "", "", "root", "devices cgroup")}


_MINORS = "config 1\nmonitor 2\n" + "".join(
    f"gpu{gpu}/gi{gi}/access {1000 * gpu + 10 * gi}\n"
    + "".join(f"gpu{gpu}/gi{gi}/ci{ci}/access {1000 * gpu + 10 * gi + 1 + ci}\n" for ci in range(2))
    for gpu in (4, 5)
    for gi in range(3)
)
_DEVICES = "Character devices:\n  1 mem\n195 nvidia\n237 nvidia-caps\n238 nvidia-caps-imex-channels\n\nBlock devices:\n237 sd\n"


@pytest.mark.parametrize(
    ("allowed", "expected"),
    [
        ("c 195:4 rw\nc 237:4010 rw\nc 237:4011 rw\n", {"0_1_0"}),
        ("c 195:4 rw\nc 237:4010 rw\nc 237:4011 rw\nc 237:4012 rw\nc 237:4020 rw\nc 237:4021 rw\n", {"0_1_0", "0_1_1", "0_2_0"}),
        ("c 195:4 rw\nc 237:4010 rw\n", set()),  # no compute instance can be opened
        ("c 195:4 rw\nc 237:4011 rw\n", set()),  # nor one whose GPU instance cannot
        ("c 237:4010 rw\nc 237:4011 rw\n", set()),  # nor without the GPU
        ("c 195:4 rw\nc 237:5010 rw\nc 237:5011 rw\n", set()),  # of another GPU
        ("c 195:4 rw\nc 237:* rw\n", set()),  # all, which says nothing of what was given
        ("c 195:4 rw\nc 238:4010 rw\nc 238:4011 rw\n", set()),
        ("c 195:4 rw\nc 237:1 rw\nc 237:2 rw\n", set()),
        ("a *:* rwm\n", set()),
    ],
)  # fmt: skip
def test_a_jobs_devices_cgroup_tells_which_instances_it_may_open(
    tmp_path: Path, allowed: str, expected: set[str]
) -> None:
    """One of a divided GPU is a job's where it may open the GPU, the GPU instance and the compute instance.

    No process need be on it. NVML's index (0) is not the number of the device file (4).
    """
    tree = Tree(tmp_path)
    tree.write(
        {
            "proc/stat": "cpu 1 2 3 4\nbtime 1\n",
            "proc/100/stat": "100 (python) S 1 100 100 0 -1 0 0 0 0 0 5 5 0 0 20 0 1 0 900 1000 10" + " 0" * 28 + "\n",
            "proc/100/statm": "10 10 0 0 0 0 0\n",
            "proc/100/cmdline": "python\0",
            "proc/100/status": "Name:\tpython\nUid:\t0\t0\t0\t0\n",
            "proc/100/cgroup": f"4:devices:/{JOB}\n1:name=systemd:/{JOB}\n",
            "proc/devices": _DEVICES,
            "proc/driver/nvidia-caps/mig-minors": _MINORS,
            "sys/fs/cgroup/devices/slurm/uid_0/job_42/devices.list": allowed,
        }
    )
    gpu = device(0, instances=(instance(1, 0), instance(1, 1), instance(2, 0)))
    snapshot = look([msgspec.structs.replace(gpu, minor=4)])
    found = held(snapshot, tree.machine)
    assert {labels[0] for labels in found} == expected
    assert {(labels[2], labels[3], labels[8]) for labels in found} <= {("slurm", "42", "devices cgroup")}
    (tmp_path / "proc/driver/nvidia-caps/mig-minors").unlink()
    assert held(snapshot, tree.machine) == set()


def test_a_job_that_may_open_all_holds_none_for_certain(made: Cgroups) -> None:
    """Where Slurm constrains no devices, its cgroup says nothing; neither does a list of indexes."""
    if not made.has("devices"):
        pytest.skip("no devices controller of cgroup v1 here")
    made.sleeper(JOB, "devices", made.first)
    assert {labels for labels in held(look((device(0),))) if labels[3] == "42"} == set()


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (uuid(1), {("1", uuid(1))}),
        (f"{uuid(0)},{uuid(1)}", {("0", uuid(0)), ("1", uuid(1))}),
        ("0", set()),
        ("", set()),
    ],
)
def test_the_environment_of_a_jobs_process_tells_by_uuid(
    made: Cgroups, said: str, expected: set[tuple[str, str]]
) -> None:
    """A number in CUDA_VISIBLE_DEVICES is the job's own count, so it is not believed to be NVML's."""
    environment = {**os.environ, "CUDA_VISIBLE_DEVICES": said, "SLURM_JOB_NAME": "train", "SLURM_JOB_ID": "42"}
    with subprocess.Popen(["/bin/sleep", "600"], env=environment) as one:
        try:
            begun(one.pid)
            made.move(one.pid, JOB, made.first)
            found = {labels for labels in held(look((device(0), device(1)))) if labels[3] == "42"}
        finally:
            one.kill()
    assert found == {(*unit, "slurm", "42", "train", "", "", "root", "environment") for unit in expected}


def test_no_environment_is_read_where_that_is_off(made: Cgroups) -> None:
    """The setting owners.environment holds here too."""
    environment = {**os.environ, "CUDA_VISIBLE_DEVICES": uuid(0)}
    for allowed in (True, False):
        machine = Machine.at()
        configure(machine, OwnerSettings(environment=allowed))
        with subprocess.Popen(["/bin/sleep", "600"], env=environment) as one:
            try:
                begun(one.pid)
                made.move(one.pid, JOB, made.first)
                found = {labels for labels in held(look((device(0),)), machine) if labels[3] == "42"}
            finally:
                one.kill()
        assert bool(found) is allowed


def test_the_kubelet_tells_by_the_plugins_words(kubelet: FakeKubelet) -> None:
    """UUIDs, shared ones, instances in both spellings, GKE's numbers; what is not NVIDIA's or not here is left out."""
    divided = device(1, instances=(instance(1), instance(2, 0)))
    snapshot = look((device(0), divided, device(2)))
    mig = divided.instances[0].uuid
    kubelet.says(
        List=[
            resources("ml", "a-0", "main", devices("nvidia.com/gpu", [f"{uuid(0)}::7", f"{uuid(0)}::8"], [0])).hex(),
            resources("ml", "b-0", "main", devices("nvidia.com/mig-1g.10gb", [mig], [0])).hex(),
            resources("ml", "c-0", "main", devices("nvidia.com/mig-1g.10gb", [f"MIG-{uuid(1)}/2/0"], [0])).hex(),
            resources("ml", "d-0", "main", devices("nvidia.com/gpu", ["nvidia2/vgpu1"], [0])).hex(),
            resources("ml", "e-0", "main", devices("nvidia.com/gpu", ["GPU-gone"], [0]), devices("rdma/hca", ["nvidia0"], [])).hex(),
        ]
    )  # fmt: skip
    machine = Machine.at(rootfs=str(kubelet.rootfs))
    found = {labels for labels in held(snapshot, machine, 4) if labels[2] == "pod"}
    rest = ("ml", "main", "", "kubelet PodResources")
    assert found == {
        ("0", uuid(0), "pod", "", "a-0", *rest), ("1_1_0", mig, "pod", "", "b-0", *rest),
        ("1_2_0", divided.instances[1].uuid, "pod", "", "c-0", *rest), ("2", uuid(2), "pod", "", "d-0", *rest),
    }  # fmt: skip


def test_whose_a_whole_device_is(tmp_path: Path) -> None:
    """Only where one holds all of it: not where it is shared or divided, and no longer than it holds it."""
    one, other = Owner(OwnerKind.SLURM, "42", "train"), Owner(OwnerKind.POD, "u-1", "a", "ml", "main")
    beside = Owner(OwnerKind.POD, "u-1", "a", "ml", "helper")
    machine = Machine.at(rootfs=str(tmp_path))
    allocations, holders = Allocations(machine), holders_of(machine)
    gpus = [device(index, held_by=held_by) for index, held_by in enumerate([(one,), (one, other), (other, beside), ()])]
    list(allocations.take(look(gpus, demo=True)))
    assert [holders.of(uuid(n)) for n in range(4)] == [one, None, Owner(OwnerKind.POD, "u-1", "a", "ml"), None]
    found = {
        sample.labels[:4]
        for sample in GpuCollector(machine, Looks(look(gpus, demo=True))).collect()
        if isinstance(sample, Sample) and sample.spec.name == "gpu_owner_info"
    }
    assert found == {("0", uuid(0), "slurm", "42"), ("2", uuid(2), "pod", "u-1")}
    list(allocations.take(look((), demo=True)))
    assert holders.of(uuid(0)) is None


def test_no_kubelet_and_no_gpu(tmp_path: Path) -> None:
    """Nothing is said, and nothing fails."""
    assert {
        labels for labels in held(look((device(),)), Machine.at(rootfs=str(tmp_path))) if labels[2] == "pod"
    } == set()
    assert held(look(())) == set()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"a *:* rwm\n", None), (b"c 195:* rwm\n", None), (b"c *:* m\n", None), (b"c 195:2 rw\nc 195:255 rw\n", {2}),
        (b"b 195:2 rw\nc 1:3 rw\n", set()), (b"", set()), (b"c 195:x rw\nc 195\n\xff\n", set()),
    ],
)  # fmt: skip
def test_lists_of_devices(text: bytes, expected: set[int] | None) -> None:
    """None where all are allowed: that tells nothing of what was given."""
    assert allowed_minors(text) == expected
