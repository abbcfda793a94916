"""The collector of GPUs on the library that plays a scenario: calls, errors and slices as a driver gives them."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from bongsu.collectors.gpu import GpuCollector
from bongsu.collectors.gpu_values import VALUES
from bongsu.model.batch import Absence, Sample, Why
from bongsu.sources.nvml import scenario_file, values
from bongsu.sources.nvml.reader import NvmlReader
from bongsu.sources.nvml.scenario import Device, Scenario
from bongsu.sources.root import Machine
from fake_nvml.machine import FakeNvml

DEMO = scenario_file.__file__.replace("scenario_file.py", "demo.yaml")
PATIENCE = 30.0  # s; for a machine on its knees


@pytest.fixture
def collector(fake_nvml: Callable[..., FakeNvml], monkeypatch: pytest.MonkeyPatch) -> Iterator[GpuCollector]:
    """One that reads the made-up machine of 8 GPUs, one of them divided, 20 s after its start."""
    fake = fake_nvml(scenario_file.load(DEMO), frozen=20.0)
    monkeypatch.setenv("LD_LIBRARY_PATH", fake.environment["LD_LIBRARY_PATH"])
    reader = NvmlReader(Machine.at(), patience=PATIENCE, same=0.0)
    yield GpuCollector(Machine.at(), reader, count=8, profile="dcgm")
    reader.close()


def test_a_played_machine_is_read_whole(collector: GpuCollector) -> None:
    """Each figure is a number or absent, of each GPU; nothing is both, nothing is neither, and no series stands twice."""
    items = list(collector.collect())
    keys = [(item.spec.name, item.labels) for item in items]
    assert len(keys) == len(set(keys))
    told = {(item.spec.name, item.labels[0]) for item in items if item.spec.name in VALUES}
    assert {(name, str(index)) for name in VALUES for index in range(8)} <= told
    up = [item.value for item in items if isinstance(item, Sample) and item.spec.name == "gpu_up"]
    assert up == [1.0] * 8
    slices = [item.value for item in items if isinstance(item, Sample) and item.spec.name == "gpu_mig_slices"]
    assert sum(slices) == 7
    between = {name for name, _ in values.GPM}  # activity is told between two looks, which may come too fast here
    assert {item.why for item in items if isinstance(item, Absence) and item.spec.name not in between} == {
        Why.UNSUPPORTED
    }
    use = [item for item in items if item.spec.name == "gpu_utilization_ratio" and item.labels[0] == "7"]
    assert [type(item) for item in use] == [Absence]  # a divided GPU has none


def test_dcgms_memory_adds_up(collector: GpuCollector) -> None:
    """In MiB, of the whole of each GPU that is not divided; a sum over all is what the driver counts."""
    samples = [item for item in collector.collect() if isinstance(item, Sample)]
    parts = [s.value for s in samples if s.spec.name.startswith("DCGM_FI_DEV_FB_") and s.labels[0] == "0"]
    (total,) = [s.value for s in samples if s.spec.name == "gpu_memory_total_bytes" and s.labels[0] == "0"]
    assert sum(parts) * 2**20 == pytest.approx(total, abs=1.0)


@pytest.mark.parametrize("missing", [(), ("nvmlDeviceGetMemoryInfo_v2",)])
def test_memory_in_use_has_the_reserved_only_where_that_is_absent(
    fake_nvml: Callable[..., FakeNvml], monkeypatch: pytest.MonkeyPatch, missing: tuple[str, ...]
) -> None:
    """An old driver does not tell the two apart, as the help of gpu_memory_used_bytes says: the parts add up to the total."""
    fake = fake_nvml(Scenario(devices=(Device(used_mib=1000, reserved_mib=500),), missing=missing), frozen=1.0)
    monkeypatch.setenv("LD_LIBRARY_PATH", fake.environment["LD_LIBRARY_PATH"])
    reader = NvmlReader(Machine.at(), patience=PATIENCE, same=0.0)
    items = list(GpuCollector(Machine.at(), reader).collect())
    reader.close()
    told = {item.spec.name: item.value for item in items if isinstance(item, Sample)}
    parts = [told.get(f"gpu_memory_{part}_bytes", 0.0) for part in ("used", "free", "reserved")]
    assert sum(parts) == told["gpu_memory_total_bytes"]
    assert told["gpu_memory_used_bytes"] == (1500 if missing else 1000) * 2**20
    assert ("gpu_memory_reserved_bytes" in told) == (not missing)
