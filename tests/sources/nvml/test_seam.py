"""A scenario is one machine, whether it is played at the seam or through library, binding, child and reader."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from bongsu.sources.nvml import demo, scenario_file
from bongsu.sources.nvml.curve import Noise, Sine, Steps
from bongsu.sources.nvml.demo import DemoReader
from bongsu.sources.nvml.reader import NvmlReader, read_by, reader_of
from bongsu.sources.nvml.reading import Gpu, GpuProcess, Snapshot
from bongsu.sources.nvml.scenario import (
    Activity,
    Device,
    Fault,
    Hang,
    Limits,
    NvLink,
    Pcie,
    Process,
    Retired,
    Scenario,
    Use,
    Xid,
)
from bongsu.sources.root import Machine
from fake_nvml.machine import FakeNvml

Play = Callable[..., FakeNvml]
SHIPPED = scenario_file.load(demo.SHIPPED)
WHEN = 70.25


@pytest.fixture
def looks(
    fake_nvml: Play, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[Scenario, float], tuple[Snapshot, Snapshot]]]:
    """Looks at a scenario at one time, through the library and at the seam; what is between two looks is known."""
    readers: list[NvmlReader] = []

    def look(scenario: Scenario, when: float) -> tuple[Snapshot, Snapshot]:
        machine = fake_nvml(scenario, frozen=0)
        monkeypatch.setenv("LD_LIBRARY_PATH", str(machine.folder))
        reader = NvmlReader(Machine.at(), patience=30.0, same=0.0)
        readers.append(reader)
        reader.read()  # names the devices, before some are lost
        machine.at(when)
        reader.read()
        time.sleep(0.15)  # GPM: two samples at least 0.1 s apart
        now = [machine.start]
        player = DemoReader(scenario, clock=lambda: now[0], same=0.0)
        now[0] += when
        return reader.read(), player.read()

    yield look
    for reader in readers:
        reader.close()


def _device(gpu: Gpu) -> Gpu:
    """Without what no driver knows."""
    return msgspec.structs.replace(gpu, held_by=())


def _processes(look: Snapshot) -> list[GpuProcess]:
    plain = [msgspec.structs.replace(process, played=None) for process in look.processes]
    return sorted(plain, key=lambda one: (one.uuid, one.pid, one.gpu_instance or 0, one.compute_instance or 0))


def _same(read: Snapshot, played: Snapshot) -> None:
    assert (played.demo, read.demo) == (True, False)
    assert (read.error, read.driver_version, read.cuda_version, read.nvml_version) == (
        played.error, played.driver_version, played.cuda_version, played.nvml_version,
    )  # fmt: skip
    for one, other in zip(read.gpus, played.gpus, strict=True):
        for value, same in zip(one.values, other.values, strict=True):
            assert value == same
        assert _device(one) == _device(other)
    assert _processes(read) == _processes(played)
    assert sorted(read.processes_gaps) == sorted(played.processes_gaps)


def test_the_shipped_scenario_is_the_same_on_both_ways(
    looks: Callable[[Scenario, float], tuple[Snapshot, Snapshot]],
) -> None:
    """8 GPUs, one divided, and their processes: each figure and each gap is equal."""
    _same(*looks(SHIPPED, WHEN))


ODD = Scenario(
    driver_version="470.82.01",
    devices=(
        Device(
            architecture="blackwell",
            power=Sine(mean=400, swing=99.7, period=11),
            nvlink=NvLink(links=18, transmit=1e9 / 3, receive=2e9 / 7),
            pcie=Pcie(transmit=Noise(mean=1e6, swing=1e5), receive=None, transmit_start=2**40),
            event_reasons={"sync_boost": Steps(at=((0, 1), (3, 0)), repeat=7)},
            retired=Retired(corrected=3, pending=True),
            activity=Activity(sm=10 / 3),
        ),
        Device(
            architecture="turing", temperature=None, memory_temperature=None, pcie=None, power=None, event_reasons=None,
            recovery_action=None, accounting=None, utilization=None, memory_utilization=None, encoder=None,
            performance_state=32.0, limits=Limits(memory_max=None), power_limit=None, used_mib=777.7,
        ),
        Device(lost_at=5),
        Device(),
        Device(),
    ),
    processes=(
        Process(pid=11, on=(Use(gpu=0, kinds=("graphics", "compute"), memory_mib=33.3, sm=9.9), Use(gpu=3, sm=50))),
        Process(pid=12, on=(Use(gpu=1, memory_mib=None, sm=1, memory_bandwidth=2, encoder=3, decoder=4),)),
        Process(pid=13, until=5, on=(Use(gpu=4),)),
        Process(pid=14, on=(Use(gpu=2), Use(gpu=4))),
    ),
    errors=(
        Fault(call="nvmlDeviceGetPowerUsage", error="NVML_ERROR_RESET_REQUIRED", gpu=3),
        Fault(call="nvmlDeviceGetFieldValues", error="NVML_ERROR_UNKNOWN", gpu=0, field=82),
        Fault(call="nvmlDeviceGetFieldValues", error="NVML_ERROR_NO_PERMISSION", gpu=3),
        Fault(call="nvmlDeviceGetMemoryInfo_v2", error="NVML_ERROR_UNKNOWN", gpu=4),
        Fault(call="nvmlDeviceGetProcessUtilization", error="NVML_ERROR_NO_PERMISSION", gpu=4),
    ),
)  # fmt: skip


def test_odd_machines_are_the_same_on_both_ways(
    looks: Callable[[Scenario, float], tuple[Snapshot, Snapshot]],
) -> None:
    """A lost GPU, refused calls and fields, an old card that knows little, NVLink 5: the gaps are the same too."""
    _same(*looks(ODD, WHEN))


def test_an_old_driver_is_the_same_on_both_ways(
    looks: Callable[[Scenario, float], tuple[Snapshot, Snapshot]],
) -> None:
    """Calls that are missing are made up for by older ones, or said to be missing."""
    gone = (
        "nvmlDeviceGetMemoryInfo_v2", "nvmlDeviceGetTemperature", "nvmlDeviceGetCurrentClocksEventReasons",
        "nvmlDeviceGetMigMode", "nvmlDeviceGetComputeRunningProcesses_v3", "nvmlDeviceGetEnforcedPowerLimit",
        "nvmlGpmQueryDeviceSupport",
    )  # fmt: skip
    scenario = Scenario(devices=(Device(power=99, event_reasons={"hw_slowdown": 1}),), missing=gone,
                        processes=(Process(pid=4, on=(Use(gpu=0, sm=5),)),))  # fmt: skip
    _same(*looks(scenario, WHEN))


def _player(scenario: Scenario) -> tuple[DemoReader, list[float]]:
    now = [1000.0]
    return DemoReader(scenario, clock=lambda: now[0]), now


def _watts(look: Snapshot) -> object:
    return next(value.value for value in look.gpus[0].values if value.name == "gpu_power_watts")


def test_a_hang_is_the_last_look_and_its_age() -> None:
    """While a call hangs the look is that from before, and older each time; then it goes on."""
    scenario = Scenario(
        devices=(Device(power=Steps(at=((0, 50), (10, 90)))),),
        hangs=(Hang(call="nvmlDeviceGetName", after=10, until=30),),
    )
    player, now = _player(scenario)
    before = player.read()
    assert before.stale_seconds == 0
    now[0] = 1025
    hung = player.read()
    assert hung.stale_seconds == 15
    assert _watts(hung) == _watts(before) == 50
    assert str(hung.finding) == "NVIDIA's driver has not answered for 15 s"
    now[0] = 1030
    after = player.read()
    assert after.stale_seconds == 0
    assert _watts(after) == 90


def test_what_ended_is_told_once_and_errors_add_up() -> None:
    """Accounting tells of a process that came and went between two looks; XIDs are counted with their last time."""
    scenario = Scenario(
        devices=(Device(accounting=True, xids=(Xid(at=3, xid=79), Xid(at=8, xid=79))), Device()),
        processes=(
            Process(pid=5, after=2, until=6, on=(Use(gpu=0, sm=40, memory_mib=64), Use(gpu=1))),
            Process(pid=6, until=60, on=(Use(gpu=0),)),
        ),
    )
    player, now = _player(scenario)
    assert player.read().ended == ()
    now[0] = 1009
    look = player.read()
    (ended,) = look.ended
    assert (ended.pid, ended.start_time, ended.seconds, ended.max_memory_bytes, ended.sm_ratio) == (
        5,
        1002,
        4,
        64 * 2**20,
        0.4,
    )
    (xid,) = look.xids
    assert (xid.xid, xid.count, xid.last_time) == (79, 2, 1008)
    now[0] = 1020
    assert player.read().ended == ()


def test_the_demo_says_that_it_is_one_and_whose_its_processes_are() -> None:
    """Each look is marked; processes have commands and owners to show; GPUs have holders with and without processes."""
    player, now = _player(SHIPPED)
    now[0] += WHEN
    look = player.read()
    assert look.demo
    assert all(process.played is not None for process in look.processes)
    kinds = {process.played.owner.kind.value for process in look.processes if process.played}
    assert kinds == {"slurm", "pod", "container", "user"}
    assert {owner.id for gpu in look.gpus for owner in gpu.held_by} == {
        "48213",
        "48377",
        "48391",
        "6c1f7a52-0a7e-4b5e-9a66-0f3f5a1c7d10",
    }
    assert player.read() is look


def test_collectors_of_a_machine_read_the_demo_that_is_played_on_it() -> None:
    """Who asks for the machine's reader gets the player; other machines are not concerned."""
    machine, other = Machine.at(), Machine.at()
    player, _ = _player(SHIPPED)
    read_by(machine, player)
    assert reader_of(machine) is player
    assert reader_of(other) is not player


def test_a_driver_that_does_not_start_is_an_error() -> None:
    """No driver: an error and no devices, as the reader says it."""
    player, _ = _player(
        Scenario(devices=(Device(),), errors=(Fault(call="nvmlInit_v2", error="NVML_ERROR_DRIVER_NOT_LOADED"),))
    )
    look = player.read()
    assert look.gpus == ()
    assert look.error is not None
    assert look.error.error == "NVML_ERROR_DRIVER_NOT_LOADED"


def test_the_shipped_scenario_lies_where_the_package_is() -> None:
    """The demo needs no file of the user's."""
    assert Path(demo.SHIPPED).is_file()
