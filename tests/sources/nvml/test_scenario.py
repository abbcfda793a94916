"""A scenario is read strictly: what no machine could be is one line with file, line, key, value and cure."""

from __future__ import annotations

from pathlib import Path

import pytest

from bongsu.model.errors import BadInput
from bongsu.sources.nvml import curve, scenario_file
from bongsu.sources.nvml.scenario import Device, Scenario

SHIPPED = Path(scenario_file.__file__).parent / "demo.yaml"


def test_the_shipped_scenario_is_the_machine_it_says() -> None:
    """8 GPUs, one in 7 slices with empty slots between them, 64 processes, and nothing impossible."""
    scenario = scenario_file.load(str(SHIPPED))
    assert len(scenario.devices) == 8
    (mig,) = [device.mig for device in scenario.devices if device.mig]
    assert len(mig.instances) == 7
    slots = [instance.slot for instance in mig.instances]
    assert slots != list(range(7))
    assert len(scenario.processes) == len({process.pid for process in scenario.processes}) == 64


def test_a_file_with_nothing_in_it_but_a_device_is_a_machine(tmp_path: Path) -> None:
    """Everything has a default; JSON is read too."""
    path = tmp_path / "one.json"
    path.write_text('{"devices": [{}]}')
    assert scenario_file.load(str(path)) == Scenario(devices=(Device(),))


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("devices:\n- pwer: 3\n", 2, "devices.0.pwer: there is no such key; allowed: uuid, name,"),
        ("devices:\n- power: loud\n", 2, "devices.0.power: 'loud' cannot be used: expected"),
        ("devices:\n- power: {kind: sine, mean: 3, swing: 1, perod: 4}\n", 2, "perod: there is no such key; allowed: kind, mean, swing, period"),
        ("devices:\n- power: {kind: wave}\n", 2, "kind: 'wave' cannot be used: invalid value"),
        ("devices:\n- power: {kind: sine, mean: 3, swing: 1}\n", 2, "devices.0.power: period must be given; add it"),
        ("devices:\n- utilization: {kind: sine, mean: 90, swing: 20, period: 9}\n", 2, "70 to 110 cannot be; it can be 0 to 100"),
        ("devices:\n- power: .nan\n", 2, "devices.0.power: nan cannot be"),
        ("devices:\n- power: {kind: steps, at: [[1, 2]]}\n", 2, "the times of steps begin with 0 and grow"),
        ("devices:\n- memory_mib: 0\n", 2, "devices.0.memory_mib: 0 cannot be used"),
        ("devices:\n- memory_mib: 100\n", 2, "devices.0.reserved_mib: 551 is more than memory_mib (100); give less"),
        ("devices:\n- uuid: GPU-1\n", 2, "devices.0.uuid: 'GPU-1' is not of the form GPU-"),
        ("devices:\n- {}\n- pci_bus_id: '00000000:19:00.0'\n", 3, "stands also in devices.0.pci_bus_id; give another"),
        ("devices:\n- event_reasons: {tired: 1}\n", 2, "devices.0.event_reasons: "),
        ("devices:\n- nvlink: {links: 2, down: [2]}\n", 2, "the links are 0 to 1"),
        ("devices:\n- mig: {max_instances: 2, instances: [{slot: 2, gpu_instance: 1}]}\n", 2, "the slots are 0 to 1"),
        ("devices:\n- mig: {instances: [{slot: 2, gpu_instance: 1}, {slot: 2, gpu_instance: 3}]}\n", 2, "instances.1.slot: 2 is taken"),
        ("devices:\n- mig: {instances: [{slot: 1, gpu_instance: 1}, {slot: 2, gpu_instance: 1, compute_instance: 1, memory_mib: 5}]}\n", 2, "the memory of GPU instance 1 is 9984 above"),
        ("devices:\n- mig: {instances: [{slot: 1, gpu_instance: 1, memory_mib: 90000}]}\n", 2, "their memory is 90000 MiB, the device has 81559"),
        ("devices: [{}]\nprocesses:\n- pid: 7\n  on: [{gpu: 1}]\n", 4, "processes.0.on.0.gpu: 1 is none of the 1 devices"),
        ("devices: [{}]\nprocesses:\n- pid: 7\n  on: [{gpu: 0, gpu_instance: 4, compute_instance: 0}]\n", 4, "GPU 0 has no such instance; it has none"),
        ("devices: [{mig: {}}]\nprocesses:\n- pid: 7\n  on: [{gpu: 0}]\n", 4, "GPU 0 is divided"),
        ("devices: [{}]\nprocesses:\n- pid: 7\n  on: [{gpu: 0, encoder: 4}]\n", 4, "without sm the driver tells none of the four; give sm too"),
        ("processes:\n- pid: 0\n  on: []\n", 2, "processes.0.pid: 0 cannot be used"),
        ("processes:\n- pid: 5\n", 2, "processes.0: on must be given; add it"),
        ("processes:\n- pid: 5\n  on: []\n  after: 9\n  until: 9\n", 5, "9.0 is not later than after (9.0)"),
        ("errors:\n- {call: nvmlInit_v2, error: NVML_ERROR_TIRED}\n", 2, "is no error of NVML; give one of NVML_ERROR_"),
        ("errors:\n- {call: nvmlDeviceGetPowerUsed, error: NVML_ERROR_UNKNOWN}\n", 2, "errors.0.call: 'nvmlDeviceGetPowerUsed' is no call that can be played; did you mean nvmlDeviceGetPowerUsage?"),
        ("missing: ['*']\n", 1, "missing.0: '*' is no call that can be played"),
        ("hangs: [{call: nvmlHang}]\n", 1, "hangs.0.call: 'nvmlHang' is no call that can be played"),
        ("errors:\n- {call: init, error: NVML_ERROR_UNKNOWN}\n", 2, "errors.0.call: 'init' cannot be used"),
        ("cuda_version: 13\n", 1, "cuda_version: 13 cannot be used: expected `str`, got `int`"),
        ("- 1\n", 1, "scenario files hold keys with values"),
        ("latency: {what: 1}\n", 1, "latency: "),
    ],
)  # fmt: skip
def test_what_cannot_be_is_one_line(tmp_path: Path, text: str, line: int, said: str) -> None:
    """File, line, key, value, what is allowed and the cure."""
    path = tmp_path / "s.yaml"
    path.write_text(text)
    with pytest.raises(BadInput) as refused:
        scenario_file.load(str(path))
    assert str(refused.value).startswith(f"{path}:{line}: ")
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


CURVES: tuple[curve.Curve, ...] = (
    7.5,
    curve.Sine(mean=50, swing=20, period=7, phase=0.3),
    curve.Steps(at=((0, 1), (2.5, 9), (6, 4))),
    curve.Steps(at=((0, 0), (3, 1)), repeat=5),
    curve.Sawtooth(low=2, high=12, period=3),
    curve.Sum(of=(curve.Sine(mean=5, swing=1, period=4), curve.Sawtooth(low=0, high=1, period=2), 3.0)),
)


@pytest.mark.parametrize("shape", CURVES)
def test_a_counter_counts_what_its_curve_is(shape: curve.Curve) -> None:
    """The closed form of a counter is the sum of many thin slices of its curve, and stays within the curve's bounds."""
    low, high = curve.bounds(shape)
    steps, seconds = 20_000, 23.7
    thin = [curve.value(shape, (k + 0.5) * seconds / steps) for k in range(steps)]
    assert low - 1e-9 <= min(thin)
    assert max(thin) <= high + 1e-9
    assert curve.total(shape, seconds) == pytest.approx(sum(thin) * seconds / steps, rel=1e-3)


def test_noise_is_the_same_for_the_same_seed_and_time() -> None:
    """Noise stays within its swing, changes each ``every`` seconds, and differs between seeds."""
    noise = curve.Noise(mean=10, swing=3, every=2, seed=1)
    values = [curve.value(noise, 2 * k) for k in range(200)]
    assert values == [curve.value(noise, 2 * k + 1.9) for k in range(200)]
    assert 7 <= min(values) < 7.5
    assert 12.5 < max(values) <= 13
    assert values != [curve.value(curve.Noise(mean=10, swing=3, every=2, seed=2), 2 * k) for k in range(200)]


def test_the_example_of_the_documents_is_a_scenario(tmp_path: Path) -> None:
    """Who copies it from docs/scenarios.md gets what stands beside it."""
    page = (Path(__file__).parents[3] / "docs" / "scenarios.md").read_text()
    path = tmp_path / "example.yaml"
    path.write_text(page.split("```yaml\n")[1].split("```")[0])
    scenario = scenario_file.load(str(path))
    assert [device.lost_at for device in scenario.devices] == [None, 90]
    assert [process.pid for process in scenario.processes] == [4711, 4712]
