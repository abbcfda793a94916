"""The queries of the document on GPU processes, each asked of a real Prometheus that holds what the collector gives."""

from __future__ import annotations

import time
from collections.abc import Iterator

import numpy as np
import pytest

from bongsu.collectors.gpu_process import GpuProcessCollector
from bongsu.model.batch import Sample
from bongsu.sources.root import Machine
from bongsu.store.series import NAME, Series
from fake_kubelet import FakeKubelet, devices, pod, resources
from gpu_looks import GIB, Looks, device, instance, look, process, uuid
from prometheus import Prometheus
from real_cgroups import cgroups

UIDS = {"trainer-0": "9aac5b5c-8815-4ef0-9a2e-f9e37b89da55", "server-0": "1b2c5b5c-8815-4ef0-9a2e-f9e37b89da55"}
CONTAINERS = {"trainer-0": "a" * 64, "server-0": "b" * 64}
SPACES = {"trainer-0": "ml-workloads", "server-0": "serving"}
Answer = dict[tuple[str, ...], float]


def _samples(machine: Machine, looks: Looks) -> list[Sample]:
    """What is given once the kubelet has told the names."""
    collector = GpuProcessCollector(machine, looks)
    end = time.monotonic() + 60
    while True:
        found = [item for item in collector.collect() if isinstance(item, Sample)]
        named = {sample.labels[3] for sample in found if sample.spec.name == "gpu_process_info"}
        held = any(sample.spec.name == "gpu_allocation" for sample in found)
        if (held and set(UIDS) <= named) or time.monotonic() > end:
            return found
        time.sleep(0.2)


@pytest.fixture(scope="module")
def server() -> Iterator[tuple[Prometheus, int]]:
    """A Prometheus with one look at two GPUs and a divided one, and the time of that look in milliseconds."""
    kubelet = FakeKubelet()
    given = [resources("serving", "server-0", "pytorch", devices("nvidia.com/gpu", [uuid(n) for n in (1, 3)], [0]))]
    kubelet.says(
        *(pod(uid, name, SPACES[name], {"pytorch": CONTAINERS[name]}) for name, uid in UIDS.items()),
        List=[each.hex() for each in given],
    )
    kubelet.start()
    try:
        with cgroups() as made, Prometheus() as running:
            pids = {
                name: made.sleeper(f"kubepods/burstable/pod{uid}/{CONTAINERS[name]}", made.first)
                for name, uid in UIDS.items()
            }
            gpus = (device(0), device(1), device(2, instances=(instance(1, 2),)), device(3))
            looks = Looks(
                look(
                    gpus, process(pids["trainer-0"], 0, memory=72 * GIB, sm=0.85),
                    process(pids["trainer-0"], 1, memory=8 * GIB, sm=0.15),
                    process(pids["server-0"], 1, memory=16 * GIB, sm=0.2),
                    process(pids["server-0"], 2, on=(1, 2), memory=GIB), at=time.time() + 1,
                )
            )  # fmt: skip
            at = int(time.time() * 1000)
            running.write(
                Series(_labels(sample), np.array([at], dtype=np.int64), np.array([sample.value], dtype=np.float64))
                for sample in _samples(Machine.at(rootfs=str(kubelet.rootfs)), looks)
            )
            yield running, at
    finally:
        kubelet.remove()


def _labels(sample: Sample) -> tuple[tuple[str, str], ...]:
    pairs = [(NAME, sample.spec.name), *zip(sample.spec.labels, sample.labels, strict=True)]
    return tuple(sorted((name, value) for name, value in pairs if value))


def _ask(server: tuple[Prometheus, int], query: str, *labels: str) -> Answer:
    running, at = server
    status, body = running.query(query, at + 1000)
    assert status == 200, body
    found = {
        tuple(one["metric"].get(label, "") for label in labels): float(one["value"][1])
        for one in body["data"]["result"]
    }
    assert len(found) == len(body["data"]["result"])
    return found


def test_processes_of_each_gpu(server: tuple[Prometheus, int]) -> None:
    """The panel's plain series and the sum agree; a divided GPU counts by instance."""
    expected = {("0",): 1, ("1",): 2, ("2_1_2",): 1, ("3",): 0}
    assert _ask(server, "sum by (gpu) (gpu_process_count)", "gpu") == expected
    assert _ask(server, "gpu_process_count", "gpu") == expected
    assert _ask(server, "gpu_total_processes") == {(): 2}


def test_use_by_namespace(server: tuple[Prometheus, int]) -> None:
    """The mean of what the namespace's processes use, from 0 to 100."""
    found = _ask(server, "avg by (namespace) (gpu_process_utilization)", "namespace")
    assert found == {("ml-workloads",): pytest.approx(50), ("serving",): pytest.approx(35)}


def test_pods_with_an_active_process(server: tuple[Prometheus, int]) -> None:
    """Each pod by its name, with the number of its places on GPUs."""
    found = _ask(server, 'count by (pod) (gpu_process_info{status="active"})', "pod")
    assert found == {("trainer-0",): 2, ("server-0",): 2}


def test_processes_that_hold_much_memory(server: tuple[Prometheus, int]) -> None:
    """Of 80 GiB, 72 are more than 80 %."""
    found = _ask(server, "gpu_process_memory_utilization > 80", "gpu", "pod", "namespace", "command")
    assert found == {("0", "trainer-0", "ml-workloads", "sleep"): pytest.approx(90)}
    assert len(_ask(server, "gpu_process_memory_utilization", "gpu", "pid")) == 4


def test_held_and_idle(server: tuple[Prometheus, int]) -> None:
    """A GPU that was given to a pod and has no process of anybody is found by its UUID."""
    query = "gpu_allocation unless on (uuid) (gpu_process_count > 0)"
    assert _ask(server, query, "gpu", "name", "source") == {("3", "server-0", "kubelet PodResources"): 1}


def test_base_units_join_with_names(server: tuple[Prometheus, int]) -> None:
    """What is by pid takes the pod from the info series; what is by owner needs no join."""
    found = _ask(
        server, "sum by (pod) (gpu_process_memory_bytes * on (uuid, pid) group_left (pod) gpu_process_info)", "pod"
    )
    assert found == {("trainer-0",): 80 * GIB, ("server-0",): 17 * GIB}
    found = _ask(server, 'gpu_workload_memory_bytes{kind="pod"}', "name", "namespace")
    assert found == {("trainer-0", "ml-workloads"): 80 * GIB, ("server-0", "serving"): 17 * GIB}
