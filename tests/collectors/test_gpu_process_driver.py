"""The collector of GPU processes on the fake driver's library: real pids, its lists, samples, energy and accounting."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from bongsu.collectors.gpu_process import GpuProcessCollector
from bongsu.model.batch import Sample
from bongsu.sources.nvml.reader import NvmlReader
from bongsu.sources.nvml.scenario import Device, Instance, Mig, Process, Scenario, Use
from bongsu.sources.root import Machine
from fake_nvml.machine import FakeNvml
from real_cgroups import cgroups

POD = "9aac5b5c-8815-4ef0-9a2e-f9e37b89da55"
Found = dict[str, dict[tuple[str, ...], float]]


class Driven:
    """A collector, the library that it reads, and three sleeping processes: of a pod, a job, and a unit."""

    def __init__(self, fake: FakeNvml, reader: NvmlReader, pids: tuple[int, int, int]) -> None:
        self.fake = fake
        self.pod, self.job, self.unit = pids
        self.collector = GpuProcessCollector(Machine.at(), reader)

    def until(self, wanted: Callable[[Found], bool]) -> Found:
        """Collect until it is as wanted."""
        end = time.monotonic() + 90
        while True:
            found: Found = {}
            for item in self.collector.collect():
                if isinstance(item, Sample):
                    found.setdefault(item.spec.name, {})[item.labels] = item.value
            if wanted(found) or time.monotonic() > end:
                assert wanted(found), found
                return found
            time.sleep(0.05)


@pytest.fixture
def driven(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Driven]:
    """Two whole devices and a divided one, with the accounting on."""
    monkeypatch.setenv("LD_LIBRARY_PATH", str(tmp_path))
    with cgroups() as made:
        pod = made.sleeper(f"kubepods/burstable/pod{POD}/{'e' * 64}")
        job = made.sleeper("slurm/uid_0/job_42/step_0/task_0")
        unit = made.sleeper("a.service")
        slices = Mig(instances=(Instance(slot=2, gpu_instance=3), Instance(slot=5, gpu_instance=9)))
        scenario = Scenario(
            devices=(
                Device(memory_mib=81920, power=300.0, accounting=True), Device(power=100.0),
                Device(memory_mib=81920, mig=slices),
            ),
            processes=(
                Process(pid=pod, on=(Use(gpu=0, memory_mib=40960.0, sm=60.0), Use(gpu=2, gpu_instance=9, compute_instance=0))),
                Process(pid=job, on=(Use(gpu=0, memory_mib=1024.0, sm=20.0),)),
                Process(pid=unit, on=(Use(gpu=1, memory_mib=None, sm=5.0),)),
            ),
        )  # fmt: skip
        reader = NvmlReader(Machine.at(), patience=20.0, hangs=60.0, same=0.0)
        try:
            yield Driven(FakeNvml(tmp_path, scenario), reader, (pod, job, unit))
        finally:
            reader.close()


def test_what_the_driver_lists_has_owners(driven: Driven) -> None:
    """Counts, use and memory of real processes by GPU and instance, under their owners."""
    found = driven.until(lambda found: len(found.get("gpu_process_utilization", {})) == 3)
    assert {labels[0]: count for labels, count in found["gpu_process_count"].items()} == {
        "0": 2, "1": 1, "2_3_0": 0, "2_9_0": 1
    }  # fmt: skip
    assert found["gpu_total_processes"] == {(): 3}
    use = {labels[:2]: value for labels, value in found["gpu_process_utilization"].items()}
    assert use == {("0", str(driven.pod)): 60, ("0", str(driven.job)): 20, ("1", str(driven.unit)): 5}
    memory = {labels[:2]: value for labels, value in found["gpu_process_memory_utilization"].items()}
    assert memory["0", str(driven.pod)] == pytest.approx(50)
    assert ("1", str(driven.unit)) not in memory
    owners = {labels[:2]: count for labels, count in found["gpu_workload_processes"].items()}
    assert owners["pod", POD] == owners["slurm", "42"] == 1
    assert found["gpu_exporter_unattributed_processes"] == {(): 0}


def test_energy_goes_to_those_who_compute(driven: Driven) -> None:
    """By their shares of time on the shared device, all of it to the only process of another."""

    def wanted(found: Found) -> bool:
        spent = found.get("gpu_process_energy_joules_total", {})
        return len(spent) == 4 and min(spent.values()) > 2

    found = driven.until(wanted)
    spent = {
        (labels[0], labels[2], labels[3]): value for labels, value in found["gpu_process_energy_joules_total"].items()
    }
    assert set(spent) == {
        ("0", str(driven.pod), "sm_share"), ("0", str(driven.job), "sm_share"), ("1", str(driven.unit), "sole"),
        ("2", str(driven.pod), "sole"),  # the only process of a divided device, of which no use is told
    }  # fmt: skip
    assert spent["0", str(driven.pod), "sm_share"] == pytest.approx(
        3 * spent["0", str(driven.job), "sm_share"], rel=0.01
    )


def test_a_process_that_leaves_the_gpu(driven: Driven) -> None:
    """It lives on and is on no GPU: its series are gone, the others stay, and the accounting knows whose it was."""
    driven.until(lambda found: found["gpu_total_processes"] == {(): 3})
    first, *others = driven.fake.scenario.processes
    gone = Process(pid=first.pid, on=first.on, until=0.0)
    driven.fake.play(msgspec.structs.replace(driven.fake.scenario, processes=(gone, *others)))
    found = driven.until(lambda found: found["gpu_total_processes"] == {(): 2})
    assert {labels[2] for labels in found["gpu_process_sm_ratio"]} == {str(driven.job), str(driven.unit)}
    found = driven.until(lambda found: "gpu_workload_ended_processes_total" in found)
    assert {labels[:2]: n for labels, n in found["gpu_workload_ended_processes_total"].items()} == {("pod", POD): 1}
    assert "gpu_ended_processes_total" not in found
