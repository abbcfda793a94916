"""The fake library answers NVIDIA's own binding, and nvitop, with what its scenario says."""

from __future__ import annotations

import json
import math
import random
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from bongsu.sources.nvml import curve, scenario_file
from bongsu.sources.nvml.known_calls import CALLS
from bongsu.sources.nvml.scenario import (
    Activity,
    Device,
    Ecc,
    Fault,
    Hang,
    Instance,
    Mig,
    NvLink,
    Pcie,
    Process,
    Quirks,
    Remapped,
    Scenario,
    Use,
    Xid,
    instance_uuid,
    uuid_of,
)
from fake_nvml.machine import FakeNvml, built

Play = Callable[..., FakeNvml]
MIB = 2**20
SHIPPED = scenario_file.load(str(Path(scenario_file.__file__).parent / "demo.yaml"))

_ASK = """
import json, sys, time
from pynvml import *
def tried(call, *args, **more):
    try:
        return call(*args, **more)
    except NVMLError as error:
        return f"error {error.value}"
answers = {}
nvmlInit()
def device(index=0):
    return nvmlDeviceGetHandleByIndex(index)
"""


def ask(machine: FakeNvml, script: str) -> dict[str, Any]:
    """What a script with NVIDIA's binding puts into ``answers``, in a process that finds the fake library."""
    done = subprocess.run(
        [sys.executable, "-c", _ASK + textwrap.dedent(script) + "\nprint(json.dumps(answers))"],
        env=machine.environment, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    answers: dict[str, Any] = json.loads(done.stdout)
    return answers


FULL = Device(
    utilization=curve.Sine(mean=50, swing=20, period=7),
    memory_utilization=curve.Noise(mean=40, swing=9, every=2, seed=3),
    encoder=12,
    decoder=curve.Steps(at=((0, 0), (3, 9)), repeat=5),
    power=curve.Sum(of=(curve.Sawtooth(low=100, high=300, period=9), curve.Noise(swing=20, seed=5))),
    energy_start=1000,
    temperature=61.7,
    memory_temperature=70,
    fan=33,
    performance_state=2,
    event_reasons={"sw_power_cap": curve.Steps(at=((0, 0), (2, 1)), repeat=4), "hw_slowdown": 1},
    pcie=Pcie(transmit=1e6, receive=3e6, receive_start=2**31 - 5, wraps_at=2**31 - 1, replays=4),
    nvlink=NvLink(links=6, down=(2,), transmit=1e9, receive=2e9, crc_errors=5),
    ecc=Ecc(corrected=3, uncorrected=1, corrected_lifetime=30, uncorrected_lifetime=10),
    remapped=Remapped(corrected=2, pending=True),
    activity=Activity(sm=33.25, tensor=curve.Sine(mean=30, swing=5, period=3)),
    accounting=True,
)
WHEN = 11.3


def test_each_call_of_the_binding_gives_what_the_scenario_says(fake_nvml: Play) -> None:
    """Python's and C's curves are one; figures round as the driver's whole numbers do; counters are the integral."""
    machine = fake_nvml(Scenario(devices=(FULL,)), frozen=WHEN)
    got = ask(
        machine,
        """
        h = device()
        answers["versions"] = [nvmlSystemGetDriverVersion(), nvmlSystemGetNVMLVersion(), nvmlSystemGetCudaDriverVersion()]
        answers["who"] = [nvmlDeviceGetName(h), nvmlDeviceGetUUID(h), nvmlDeviceGetIndex(h), nvmlDeviceGetMinorNumber(h),
                          nvmlDeviceGetArchitecture(h), nvmlDeviceGetNumGpuCores(h), nvmlDeviceGetPciInfo(h).busId]
        rates = nvmlDeviceGetUtilizationRates(h)
        answers["rates"] = [rates.gpu, rates.memory, nvmlDeviceGetEncoderUtilization(h)[0], nvmlDeviceGetDecoderUtilization(h)[0]]
        answers["power"] = [nvmlDeviceGetPowerUsage(h), nvmlDeviceGetEnforcedPowerLimit(h), nvmlDeviceGetPowerManagementDefaultLimit(h),
                            nvmlDeviceGetTotalEnergyConsumption(h)]
        answers["heat"] = [nvmlDeviceGetTemperature(h, 0), nvmlDeviceGetTemperatureV(h, 0),
                           *(nvmlDeviceGetTemperatureThreshold(h, n) for n in range(4)), nvmlDeviceGetFanSpeed(h)]
        answers["state"] = [nvmlDeviceGetPerformanceState(h), nvmlDeviceGetPersistenceMode(h), nvmlDeviceGetComputeMode(h)]
        answers["clocks"] = [nvmlDeviceGetClockInfo(h, n) for n in range(4)] + [nvmlDeviceGetMaxClockInfo(h, n) for n in range(4)]
        answers["reasons"] = [nvmlDeviceGetCurrentClocksEventReasons(h), nvmlDeviceGetCurrentClocksThrottleReasons(h)]
        answers["pcie"] = [nvmlDeviceGetCurrPcieLinkGeneration(h), nvmlDeviceGetMaxPcieLinkGeneration(h), nvmlDeviceGetCurrPcieLinkWidth(h),
                           nvmlDeviceGetMaxPcieLinkWidth(h), nvmlDeviceGetPcieThroughput(h, 0), nvmlDeviceGetPcieReplayCounter(h)]
        answers["links"] = [tried(nvmlDeviceGetNvLinkState, h, n) for n in (0, 2, 6)]
        answers["ecc"] = [nvmlDeviceGetEccMode(h), nvmlDeviceGetTotalEccErrors(h, 0, 0), nvmlDeviceGetTotalEccErrors(h, 1, 1), nvmlDeviceGetRemappedRows(h)]
        fields = [1, 3, 74, 76, 82, 83, 91, 94, (138, 0xFFFFFFFF), (139, 2), 144, 186, 197, 198, (202, 0), 204, 230, 269, 142, 29, 9999]
        answers["fields"] = [[v.nvmlReturn, v.value.dVal if v.valueType == 0 else v.value.uiVal if v.valueType == 1 else v.value.ullVal]
                             for v in nvmlDeviceGetFieldValues(h, fields)]
        m1, m2 = nvmlDeviceGetMemoryInfo(h), nvmlDeviceGetMemoryInfo(h, version=nvmlMemory_v2)
        answers["memory"] = [m1.total, m1.used, m1.free, m2.total, m2.reserved, m2.used, m2.free]
        answers["mig"] = [tried(nvmlDeviceGetMigMode, h), tried(nvmlDeviceGetMaxMigDeviceCount, h), tried(nvmlDeviceGetMigDeviceHandleByIndex, h, 0)]
        answers["by"] = [nvmlDeviceGetIndex(nvmlDeviceGetHandleByUUID(nvmlDeviceGetUUID(h))), nvmlDeviceGetIndex(nvmlDeviceGetHandleByPciBusId(nvmlDeviceGetPciInfo(h).busId))]
        answers["beyond"] = tried(nvmlDeviceGetHandleByIndex, 1)
        """,
    )
    at = {
        name: curve.value(getattr(FULL, name), WHEN)
        for name in ("utilization", "memory_utilization", "decoder", "power")
    }
    watts, joules = at["power"], curve.total(FULL.power or 0.0, WHEN)
    assert got["versions"] == ["580.95.05", "13.580.95.05", 13000]
    assert got["who"] == [FULL.name, uuid_of(FULL, 0), 0, 0, 9, 16896, "00000000:19:00.0"]
    assert got["rates"] == [
        math.floor(at["utilization"]),
        math.floor(at["memory_utilization"]),
        12,
        math.floor(at["decoder"]),
    ]
    assert got["power"] == [math.floor(watts * 1e3), 700_000, 700_000, 1_000_000 + math.floor(joules * 1e3)]
    assert got["heat"] == [61, 61, 95, 92, 95, 87, 33]
    assert got["state"] == [2, 1, 0]
    assert got["clocks"] == [345, 345, 2619, 765, 1980, 1980, 2619, 1545]
    assert got["reasons"] == [0xC, 0xC]
    assert got["pcie"] == [5, 5, 16, 16, 1000, 4]
    assert got["links"] == [1, 0, "error 2"]
    assert got["ecc"] == [[1, 1], 3, 10, [2, 0, 1, 0]]
    capped = math.floor(curve.total(curve.Steps(at=((0, 0), (2, 1)), repeat=4), WHEN) * 1e9)
    assert got["fields"] == [
        [0, 1], [0, 3], [0, capped], [0, 0], [0, 70], [0, got["power"][3]], [0, 6], [0, 4],
        [0, math.floor(1e9 * WHEN / 1024)], [0, math.floor(2e9 * WHEN / 6 / 1024)], [0, 1], [0, got["power"][0]],
        [0, math.floor(1e6 * WHEN)], [0, (math.floor(3e6 * WHEN) + 2**31 - 5) % (2**31 - 1)], [3, got["fields"][14][1]],
        [3, got["fields"][15][1]], [0, 0], [0, 0], [0, 2], [3, got["fields"][19][1]], [3, got["fields"][20][1]],
    ]  # fmt: skip
    total, reserved = 81559 * MIB, 551 * MIB
    assert got["memory"] == [total, reserved, total - reserved, total, reserved, 0, total - reserved]
    assert got["mig"] == ["error 3", 0, "error 3"]
    assert got["by"] == [0, 0]
    assert got["beyond"] == "error 2"


def _any_curve(chance: random.Random) -> curve.Curve:
    def part() -> curve.Part:
        period = chance.uniform(0.1, 100)
        times = sorted(chance.uniform(0.01, 50) for _ in range(chance.randrange(4)))
        return chance.choice(
            (
                chance.uniform(0, 500),
                curve.Sine(
                    mean=chance.uniform(100, 500),
                    swing=chance.uniform(0, 100),
                    period=period,
                    phase=chance.uniform(-2, 2),
                ),
                curve.Steps(
                    at=((0, 7.5), *((t, chance.uniform(0, 400)) for t in times)), repeat=chance.choice((None, period))
                ),
                curve.Sawtooth(low=chance.uniform(0, 300), high=chance.uniform(0, 300), period=period),
                curve.Noise(mean=200, swing=chance.uniform(0, 200), every=period, seed=chance.randrange(2**32)),
            )
        )

    return chance.choice((part(), curve.Sum(of=tuple(part() for _ in range(chance.randrange(1, 5))))))


def test_any_curve_is_the_same_number_in_both_languages(fake_nvml: Play) -> None:
    """64 devices with curves drawn by lot: power and energy to the last digit, early and after a month."""
    chance = random.Random(7)
    devices = tuple(Device(power=_any_curve(chance)) for _ in range(64))
    machine = fake_nvml(Scenario(devices=devices), frozen=0)
    for seconds in (0.0, 0.1, 33.3, 1234.567, 2.6e6 + 1 / 3):
        machine.at(seconds)
        got = ask(
            machine,
            """
            answers["all"] = [[nvmlDeviceGetPowerUsage(device(n)), nvmlDeviceGetTotalEnergyConsumption(device(n))] for n in range(64)]
            """,
        )
        assert got["all"] == [
            [
                math.floor(curve.value(one.power or 0.0, seconds) * 1e3),
                math.floor(curve.total(one.power or 0.0, seconds) * 1e3),
            ]
            for one in devices
        ]


def _busy(pid: int, gpu: int = 0, **more: Any) -> Process:
    life = {key: more.pop(key) for key in ("after", "until") if key in more}
    return Process(pid=pid, **life, on=(Use(gpu=gpu, **more),))


_LIST = """
def listed(call, *args):
    return [[p.pid, p.usedGpuMemory, p.gpuInstanceId, p.computeInstanceId] for p in call(*args)]
def samples(h, since=0):
    found = tried(nvmlDeviceGetProcessUtilization, h, since)
    return found if isinstance(found, str) else [[s.pid, s.smUtil, s.memUtil, s.encUtil, s.decUtil] for s in found]
"""


def test_processes_come_and_go_and_tell_what_they_use(fake_nvml: Play) -> None:
    """Lists by kind; memory that is not told is None; who does nothing has no sample; nobody busy is NOT_FOUND."""
    scenario = Scenario(
        devices=(msgspec.structs.replace(FULL), Device(name="idle")),
        processes=(
            _busy(
                101, kinds=("compute", "graphics"), memory_mib=1000, sm=40, memory_bandwidth=20, encoder=3, decoder=1
            ),
            _busy(102, memory_mib=None, kinds=("compute", "mps"), sm=0),
            _busy(103, after=5, until=9, memory_mib=7, sm=50),
            _busy(104, gpu=1, sm=0),
        ),
    )
    machine = fake_nvml(scenario, frozen=4)
    script = (
        _LIST
        + """
h = device()
answers["compute"] = listed(nvmlDeviceGetComputeRunningProcesses_v3, h)
answers["older"] = listed(nvmlDeviceGetComputeRunningProcesses_v2, h)
answers["graphics"] = listed(nvmlDeviceGetGraphicsRunningProcesses, h)
answers["mps"] = listed(nvmlDeviceGetMPSComputeRunningProcesses, h)
answers["detail"] = [p.pid for p in nvmlDeviceGetRunningProcessDetailList(h, 0x1000018, 1)]  # the binding breaks on memory that is not told
answers["samples"] = samples(h)
answers["info"] = [[s.pid, s.smUtil] for s in nvmlDeviceGetProcessesUtilizationInfo(h, 0)]
answers["future"] = samples(h, 2**62)
answers["idle"] = samples(device(1))
pids = nvmlDeviceGetAccountingPids(h)
stats = tried(nvmlDeviceGetAccountingStats, h, 103)
answers["accounting"] = [list(pids), stats if isinstance(stats, str) else [stats.gpuUtilization, stats.maxMemoryUsage, stats.time, stats.isRunning]]
answers["off"] = tried(nvmlDeviceGetAccountingPids, device(1))
"""
    )
    none = 0xFFFFFFFF
    first = ask(machine, script)
    assert first["compute"] == first["older"] == [[101, 1000 * MIB, none, none], [102, None, none, none]]
    assert first["graphics"] == [[101, 1000 * MIB, none, none]]
    assert first["mps"] == [[102, None, none, none]]
    assert first["detail"] == [101]
    assert first["samples"] == [[101, 40, 20, 3, 1]]
    assert first["info"] == [[101, 40]]
    assert first["future"] == first["idle"] == "error 6"
    assert first["accounting"] == [[101, 102], "error 6"]
    assert first["off"] == "error 3"
    machine.at(8)
    second = ask(machine, script)
    assert [row[0] for row in second["compute"]] == [101, 102, 103]
    assert second["samples"] == [[101, 40, 20, 3, 1], [103, 50, 0, 0, 0]]
    machine.at(9)
    third = ask(machine, script)
    assert third["compute"] == first["compute"]
    assert third["accounting"] == [[101, 102, 103], [50, 7 * MIB, 4000, 0]]


def test_buffers_are_asked_for_in_two_calls(fake_nvml: Play) -> None:
    """Too small a buffer is INSUFFICIENT_SIZE with the size that is needed, and nothing is written beyond it."""
    machine = fake_nvml(Scenario(devices=(Device(),), processes=tuple(_busy(100 + n, sm=5) for n in range(3))))
    got = ask(
        machine,
        """
        import ctypes
        from pynvml import _nvmlGetFunctionPointer
        h = device()
        call = _nvmlGetFunctionPointer("nvmlDeviceGetComputeRunningProcesses_v3")
        count, room = ctypes.c_uint(2), (c_nvmlProcessInfo_v3_t * 3)()
        answers["list"] = [call(h, ctypes.byref(count), room), count.value, room[2].pid]
        call = _nvmlGetFunctionPointer("nvmlDeviceGetProcessUtilization")
        count, room = ctypes.c_uint(2), (c_nvmlProcessUtilizationSample_t * 3)()
        answers["samples"] = [call(h, room, ctypes.byref(count), ctypes.c_ulonglong(0)), count.value, room[0].pid]
        """,
    )
    assert got == {"list": [7, 3, 0], "samples": [7, 3, 0]}


def test_quirks_of_drivers(fake_nvml: Play) -> None:
    """100 samples with pid 0 and one beyond 100 %; a success without samples, which the binding cannot say."""
    busy = Scenario(devices=(Device(),), processes=(_busy(100, sm=5),))
    machine = fake_nvml(msgspec.structs.replace(busy, quirks=Quirks(padded_samples=True, impossible_samples=True)))
    script = _LIST + "answers['samples'] = samples(device())"
    samples = ask(machine, script)["samples"]
    assert len(samples) == 100
    assert [row[0] for row in samples[:3]] == [100, 100, 0]
    assert samples[1][1] > 100
    machine.play(Scenario(devices=(Device(),), quirks=Quirks(empty_samples=True)))
    assert ask(machine, script)["samples"] == "error 0"


DIVIDED = Device(
    mig=Mig(
        max_instances=7,
        instances=(
            Instance(slot=1, gpu_instance=3, profile="1c.2g.20gb", memory_mib=20000, activity=Activity(sm=41)),
            Instance(slot=2, gpu_instance=3, compute_instance=1, profile="1c.2g.20gb", memory_mib=20000),
            Instance(slot=5, gpu_instance=9, slices=2),
        ),
    )
)


def test_a_divided_gpu(fake_nvml: Play) -> None:
    """Slots are sparse, instances share their GPU instance's memory, and nobody is told how busy the whole is."""
    scenario = Scenario(
        devices=(DIVIDED,),
        processes=(
            _busy(7, gpu_instance=3, compute_instance=1, memory_mib=100, sm=5),
            _busy(8, gpu_instance=9, compute_instance=0),
        ),
    )
    machine = fake_nvml(scenario)
    got = ask(
        machine,
        _LIST
        + """
h = device()
answers["mode"] = [nvmlDeviceGetMigMode(h), nvmlDeviceGetMaxMigDeviceCount(h)]
slots = [tried(nvmlDeviceGetMigDeviceHandleByIndex, h, n) for n in range(8)]
answers["slots"] = [slot if isinstance(slot, str) else "there" for slot in slots]
answers["ids"] = [[nvmlDeviceGetUUID(m), nvmlDeviceGetName(m), nvmlDeviceGetGpuInstanceId(m), nvmlDeviceGetComputeInstanceId(m),
                   nvmlDeviceIsMigDeviceHandle(m).value] for m in (slots[1], slots[2], slots[5])]
answers["memory"] = [[nvmlDeviceGetMemoryInfo(m).total, nvmlDeviceGetMemoryInfo(m).used] for m in (slots[1], slots[2], slots[5])]
a = nvmlDeviceGetAttributes(slots[5])
answers["attributes"] = [a.gpuInstanceSliceCount, a.computeInstanceSliceCount, a.memorySizeMB]
answers["processes"] = [listed(nvmlDeviceGetComputeRunningProcesses, m) for m in (h, slots[1], slots[2], slots[5])]
answers["busy"] = [tried(nvmlDeviceGetUtilizationRates, h), samples(h), samples(slots[1])]
answers["parent"] = nvmlDeviceGetIndex(nvmlDeviceGetDeviceHandleFromMigDeviceHandle(slots[5]))
answers["power"] = tried(nvmlDeviceGetPowerUsage, slots[5])
one, two = nvmlGpmSampleAlloc(), nvmlGpmSampleAlloc()
nvmlGpmMigSampleGet(h, 3, one); nvmlGpmMigSampleGet(h, 3, two)
get = c_nvmlGpmMetricsGet_t(); get.version = 1; get.numMetrics = 2; get.sample1 = one; get.sample2 = two
get.metrics[0].metricId = 2; get.metrics[1].metricId = 400
nvmlGpmMetricsGet(get)
answers["gpm"] = [get.metrics[0].value, get.metrics[1].nvmlReturn, tried(nvmlGpmMigSampleGet, h, 9, one)]
""",
    )
    first, second, third = DIVIDED.mig.instances if DIVIDED.mig else ()
    assert got["mode"] == [[1, 1], 7]
    assert got["slots"] == ["error 6", "there", "there", "error 6", "error 6", "there", "error 6", "error 2"]
    assert got["ids"] == [
        [instance_uuid(one, 0), f"{DIVIDED.name} MIG {one.profile}", one.gpu_instance, one.compute_instance, 1]
        for one in (first, second, third)
    ]
    assert got["memory"] == [[20000 * MIB, 100 * MIB], [20000 * MIB, 100 * MIB], [9984 * MIB, 512 * MIB]]
    assert got["attributes"] == [2, 2, 9984]
    seven, eight = [7, 100 * MIB, 3, 1], [8, 512 * MIB, 9, 0]
    assert got["processes"] == [[seven, eight], [], [seven], [eight]]
    assert got["busy"] == ["error 3", "error 3", "error 3"]
    assert got["parent"] == 0
    assert got["power"] == "error 3"
    assert got["gpm"] == [41, 3, "error 3"]


def test_faults_strike_what_they_name(fake_nvml: Play) -> None:
    """An error of one call on one device, of one field, from a time on; a lost device does not hide the other."""
    scenario = Scenario(
        devices=(Device(lost_at=10), Device()),
        errors=(
            Fault(call="nvmlDeviceGetPowerUsage", error="NVML_ERROR_NO_PERMISSION", gpu=1),
            Fault(call="nvmlDeviceGetFieldValues", error="NVML_ERROR_UNKNOWN", field=186),
            Fault(call="nvmlDeviceGetName", error="NVML_ERROR_RESET_REQUIRED", after=5, until=6),
        ),
    )
    machine = fake_nvml(scenario, frozen=4)
    script = """
    answers["first"] = tried(device) if isinstance(tried(device), str) else tried(nvmlDeviceGetPowerUsage, device())
    answers["power"] = tried(nvmlDeviceGetPowerUsage, device(1))
    answers["fields"] = [v.nvmlReturn for v in nvmlDeviceGetFieldValues(device(1), [186, 82])]
    answers["name"] = tried(nvmlDeviceGetName, device(1))
    """
    assert ask(machine, script) == {"first": 70000, "power": "error 4", "fields": [999, 0], "name": Device().name}
    machine.at(5.5)
    assert ask(machine, script)["name"] == "error 16"
    machine.at(10)
    assert ask(machine, script) == {"first": "error 15", "power": "error 4", "fields": [999, 0], "name": Device().name}
    machine.play(Scenario(errors=(Fault(call="nvmlInit_v2", error="NVML_ERROR_DRIVER_NOT_LOADED"),)))
    done = subprocess.run(
        [sys.executable, "-c", _ASK], env=machine.environment, capture_output=True, text=True, check=False
    )
    assert "Driver Not Loaded" in done.stderr


def test_a_call_hangs_until_the_scenario_lets_it_go(fake_nvml: Play) -> None:
    """A process in a hanging call stays there, and goes on when another scenario is played."""
    machine = fake_nvml(Scenario(devices=(Device(),), hangs=(Hang(call="nvmlDeviceGetPowerUsage"),)))
    script = "print(nvmlDeviceGetName(device()), flush=True); print(nvmlDeviceGetPowerUsage(device()))"
    with subprocess.Popen(
        [sys.executable, "-c", f"{_ASK}\n{script}"], env=machine.environment, stdout=subprocess.PIPE, text=True
    ) as asking:
        try:
            assert asking.stdout
            assert asking.stdout.readline() == f"{Device().name}\n"
            with pytest.raises(subprocess.TimeoutExpired):
                asking.wait(0.5)
            machine.play(Scenario(devices=(Device(power=99.5),)))
            assert asking.stdout.read() == "99500\n"
        finally:
            asking.kill()


def test_an_old_driver_lacks_symbols(fake_nvml: Play) -> None:
    """What ``missing`` names is not in the library; the rest is."""
    gone = ("nvmlDeviceGetMigMode", "nvmlDeviceGetComputeRunningProcesses_v3")
    machine = fake_nvml(Scenario(devices=(Device(),), missing=gone))
    got = ask(
        machine,
        """
        answers["mig"] = tried(nvmlDeviceGetMigMode, device())
        answers["v3"] = tried(nvmlDeviceGetComputeRunningProcesses_v3, device())
        answers["v2"] = tried(nvmlDeviceGetComputeRunningProcesses_v2, device())
        """,
    )
    assert got == {"mig": "error 13", "v3": "error 13", "v2": []}


def test_errors_of_the_driver_wake_who_waits(fake_nvml: Play) -> None:
    """An XID after the registration is told once; one before it never; then the wait times out."""
    device = Device(xids=(Xid(at=0, xid=13), Xid(at=5, xid=79)))
    machine = fake_nvml(Scenario(devices=(device,)), frozen=1)
    script = """
    events = nvmlEventSetCreate()
    nvmlDeviceRegisterEvents(device(), nvmlEventTypeXidCriticalError, events)
    print("waits", flush=True)
    told = nvmlEventSetWait_v2(events, 100_000)
    answers["told"] = [told.eventData, told.eventType == nvmlEventTypeXidCriticalError, nvmlDeviceGetIndex(told.device)]
    answers["then"] = tried(nvmlEventSetWait_v2, events, 20)
    """
    with subprocess.Popen(
        [sys.executable, "-c", _ASK + textwrap.dedent(script) + "print(json.dumps(answers))"],
        env=machine.environment, stdout=subprocess.PIPE, text=True,
    ) as waiting:  # fmt: skip
        try:
            assert waiting.stdout
            assert waiting.stdout.readline() == "waits\n"
            machine.at(6)
            assert json.loads(waiting.stdout.read()) == {"told": [79, True, 0], "then": "error 10"}
        finally:
            waiting.kill()


def test_nvitop_reads_the_same_machine(fake_nvml: Play) -> None:
    """A second reader: nvitop's devices, slices and processes are the scenario's."""
    machine = fake_nvml(SHIPPED, frozen=70)
    got = ask(
        machine,
        """
        import nvitop
        for d in nvitop.Device.all():
            answers[d.index] = [d.name(), d.uuid(), d.memory_used(), d.power_usage(), d.temperature(), str(d.gpu_utilization()),
                                sorted(d.processes()), [m.uuid() for m in d.mig_devices()]]
        """,
    )
    for index, device in enumerate(SHIPPED.devices):
        there = [
            (process.pid, use)
            for process in SHIPPED.processes
            for use in process.on
            if use.gpu == index and process.after <= 70 and (process.until is None or process.until > 70)
        ]
        name, uuid, used, power, temperature, busy, pids, slices = got[str(index)]
        assert (name, uuid) == (device.name, uuid_of(device, index))
        assert used == sum(math.floor(curve.value(use.memory_mib or 0.0, 70) * MIB) for _, use in there)
        assert power == math.floor(curve.value(device.power or 0.0, 70) * 1e3)
        assert temperature == math.floor(curve.value(device.temperature or 0.0, 70))
        if device.utilization is not None:
            assert busy == str(math.floor(curve.value(device.utilization, 70)))
        assert pids == sorted(pid for pid, _ in there)
        # nvitop stops at the first empty slot
        mine = [instance_uuid(one, index) for one in device.mig.instances if one.slot < 2] if device.mig else []
        assert slices == mine


def test_a_scenario_may_speak_of_each_call_of_the_library_and_of_no_other() -> None:
    """The list of calls that scenarios are checked against is what the library exports."""
    listed = subprocess.run(["nm", "-D", "--defined-only", built()], capture_output=True, text=True, check=True)
    assert {line.split()[-1] for line in listed.stdout.splitlines()} == CALLS


def test_the_library_can_tell_what_its_calls_cost(tmp_path: Path) -> None:
    """So that a benchmark can tell the library's CPU time from ours; a latency uses none."""
    machine = FakeNvml(tmp_path, Scenario(devices=(Device(),), latency={"nvmlDeviceGetName": 0.05}), measured=True)
    assert machine.spent() == (0, 0.0)
    ask(machine, "[nvmlDeviceGetName(device()) for _ in range(4)]")
    calls, seconds = machine.spent()
    assert calls == 1 + 4 + 4
    assert 0 < seconds < 0.2
