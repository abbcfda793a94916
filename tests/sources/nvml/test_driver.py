"""Looks at a driver that answers: figures in base units, divided devices, processes, and each failure for itself."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time

import pytest

from bongsu.model.batch import Why
from bongsu.sources.nvml.reading import Gap
from bongsu.sources.nvml.scenario import (
    Activity,
    Device,
    Fault,
    Instance,
    Limits,
    Mig,
    NvLink,
    Pcie,
    Process,
    Quirks,
    Scenario,
    Use,
    Xid,
)  # fmt: skip
from fake_nvml.playing import Play, error, process, until, value

US = os.getpid()  # a process that /proc has
MIB = 2**20


def test_figures_are_in_base_units(play: Play) -> None:
    """Watts, joules, hertz, bytes, seconds and shares of 1, whatever the driver counts in."""
    device = Device(
        utilization=50.0, encoder=10.0, power=250.5, energy_start=1000, temperature=61.0, limits=Limits(gpu_max=87),
        fan=40.0, event_reasons={"sw_power_cap": 1.0}, pcie=Pcie(transmit=1000.0, transmit_start=5),
        nvlink=NvLink(links=18, transmit=4096.0), memory_mib=1000, reserved_mib=100, used_mib=300.0,
    )  # fmt: skip
    look = play(Scenario(devices=(device,)), frozen=10.0).reader().read()
    (gpu,) = look.gpus
    assert value(gpu, "gpu_utilization_ratio") == 0.5
    assert value(gpu, "gpu_encoder_ratio") == 0.1
    assert value(gpu, "gpu_power_watts") == pytest.approx(250.5)
    assert value(gpu, "gpu_energy_joules_total") == pytest.approx(1000 + 2505)
    assert value(gpu, "gpu_temperature_celsius", "gpu") == 61.0
    assert value(gpu, "gpu_temperature_limit_celsius", "gpu") == 87.0
    assert value(gpu, "gpu_fan_speed_ratio") == pytest.approx(0.4)
    assert value(gpu, "gpu_clock_hertz", "memory") == 2619e6
    assert value(gpu, "gpu_clock_max_hertz", "sm") == 1980e6
    assert value(gpu, "gpu_clock_event_active", "sw_power_cap") == 1.0
    assert value(gpu, "gpu_clock_event_active", "hw_slowdown") == 0.0
    assert value(gpu, "gpu_clock_event_seconds_total", "sw_power_cap") == pytest.approx(10.0)
    assert value(gpu, "gpu_pcie_transmit_bytes_total") == 10005.0
    assert value(gpu, "gpu_nvlink_transmit_bytes_total") == pytest.approx(40960.0)
    assert value(gpu, "gpu_memory_total_bytes") == 1000 * MIB
    assert value(gpu, "gpu_memory_reserved_bytes") == 100 * MIB
    assert value(gpu, "gpu_memory_used_bytes") == 300 * MIB
    assert value(gpu, "gpu_memory_free_bytes") == 600 * MIB
    assert look.library_seconds > 0


def test_a_device_tells_what_it_is(play: Play) -> None:
    """Its identity, and the driver's versions."""
    look = play(Scenario(devices=(Device(uuid="GPU-one", minor=3), Device()))).reader().read()
    first, second = look.gpus
    assert (first.uuid, first.index, first.minor, first.architecture, first.mig) == ("GPU-one", 0, 3, "hopper", None)
    assert (first.name, first.pci_bus_id) == ("NVIDIA H100 80GB HBM3", "00000000:19:00.0")
    assert second.index == 1
    assert (look.driver_version, look.cuda_version, look.nvml_version) == ("580.95.05", "13.0", "13.580.95.05")


def test_newer_links_are_summed(play: Play) -> None:
    """NVLink 5 counts each link: the device's figure is their sum."""
    device = Device(architecture="blackwell", nvlink=NvLink(links=4, receive=1000.0))
    (gpu,) = play(Scenario(devices=(device,)), frozen=8.0).reader().read().gpus
    assert value(gpu, "gpu_nvlink_receive_bytes_total") == pytest.approx(8000.0, abs=4)


def test_activity_is_there_at_the_first_question(play: Play) -> None:
    """It is a mean between two looks: the child takes both, so that who asks once has it too."""
    (gpu,) = play(Scenario(devices=(Device(activity=Activity(sm=30.0, tensor=12.5)),))).reader().read().gpus
    assert value(gpu, "gpu_sm_activity_ratio") == pytest.approx(0.3, abs=0.01)
    assert value(gpu, "gpu_tensor_activity_ratio") == pytest.approx(0.125, abs=0.01)


DIVIDED = Device(
    mig=Mig(
        instances=(
            Instance(slot=1, gpu_instance=3, compute_instance=0, profile="1c.2g.20gb", memory_mib=20000),
            Instance(slot=2, gpu_instance=3, compute_instance=1, profile="1c.2g.20gb", memory_mib=20000),
            Instance(slot=6, gpu_instance=9, profile="1g.10gb", memory_mib=10000, activity=Activity(sm=40.0)),
        )
    ),
    activity=Activity(sm=10.0),
)
ON_INSTANCES = (
    Process(pid=US, on=(Use(gpu=0, gpu_instance=3, compute_instance=1, memory_mib=600.0, sm=80.0),)),
    Process(pid=US + 1, on=(Use(gpu=0, gpu_instance=9, compute_instance=0, memory_mib=100.0),)),
)


def test_empty_slots_lie_between_instances(play: Play) -> None:
    """All instances are found, those that share a GPU instance with its one memory."""
    (gpu,) = play(Scenario(devices=(DIVIDED,), processes=ON_INSTANCES)).reader().read().gpus
    assert gpu.mig is True
    assert [(each.gpu_instance, each.compute_instance, each.profile) for each in gpu.instances] == [
        (3, 0, "1c.2g.20gb"), (3, 1, "1c.2g.20gb"), (9, 0, "1g.10gb"),
    ]  # fmt: skip
    assert [each.memory_used_bytes for each in gpu.instances] == [600 * MIB, 600 * MIB, 100 * MIB]
    assert [each.memory_total_bytes for each in gpu.instances] == [20000 * MIB, 20000 * MIB, 10000 * MIB]
    assert [each.slices for each in gpu.instances] == [1, 1, 1]
    assert len({each.uuid for each in gpu.instances}) == 3


def test_a_divided_device_tells_no_use_and_that_is_not_zero(play: Play) -> None:
    """NVML has no utilisation there, of device or process; activity belongs to a GPU instance that is not shared."""
    look = play(Scenario(devices=(DIVIDED,), processes=ON_INSTANCES)).reader().read()
    (gpu,) = look.gpus
    assert error(value(gpu, "gpu_utilization_ratio")) == "NVML_ERROR_NOT_SUPPORTED"
    one = process(look, US)
    assert (one.gpu_instance, one.compute_instance, one.memory_bytes) == (3, 1, 600 * MIB)
    assert error(one.sm_ratio) == "NVML_ERROR_NOT_SUPPORTED"
    assert value(gpu.instances[2], "gpu_sm_activity_ratio") == pytest.approx(0.4, abs=0.01)
    assert error(value(gpu.instances[0], "gpu_sm_activity_ratio")) == "NVML_ERROR_NOT_SUPPORTED"


def test_a_new_division_is_seen_at_the_next_look(play: Play) -> None:
    """Instances are found anew each time; a device with no instance has none."""
    playing = play(Scenario(devices=(DIVIDED,)))
    reader = playing.reader()
    assert len(reader.read().gpus[0].instances) == 3
    other = Instance(slot=0, gpu_instance=9, profile="7g.80gb")
    playing.fake.play(Scenario(devices=(Device(mig=Mig(instances=(other,))),)))
    assert [(each.gpu_instance, each.profile) for each in reader.read().gpus[0].instances] == [(9, "7g.80gb")]
    playing.fake.play(Scenario(devices=(Device(mig=Mig()),)))
    assert reader.read().gpus[0].instances == ()
    playing.fake.play(Scenario(devices=(Device(mig=Mig(enabled=False)),)))
    assert reader.read().gpus[0].mig is False


def test_processes_of_a_divided_device_may_be_for_others_only(play: Play) -> None:
    """Where the lists are refused, of the device and of its instances, that is told and none is made up."""
    lists = [f"nvmlDeviceGet{kind}RunningProcesses_v3" for kind in ("Compute", "Graphics", "MPSCompute")]
    errors = tuple(Fault(call=call, error="NVML_ERROR_NO_PERMISSION") for call in lists)
    look = play(Scenario(devices=(DIVIDED,), processes=ON_INSTANCES, errors=errors)).reader().read()
    assert [(uuid == look.gpus[0].uuid, gap.why) for uuid, gap in look.processes_gaps] == [(True, Why.FORBIDDEN)]
    assert look.processes == ()


def test_a_process_in_two_lists_is_one(play: Play) -> None:
    """What computes and draws is listed twice: its memory is the larger of the two, not the sum; two devices are two."""
    both = (Use(gpu=0, kinds=("compute", "graphics"), memory_mib=100.0), Use(gpu=0, kinds=("mps",), memory_mib=300.0))
    look = (
        play(Scenario(devices=(Device(), Device()), processes=(Process(pid=US, on=(*both, Use(gpu=1))),)))
        .reader()
        .read()
    )
    first, second = look.processes
    assert (first.kinds, first.memory_bytes) == (("compute", "graphics", "mps"), 300 * MIB)
    assert (second.kinds, second.memory_bytes) == (("compute",), 512 * MIB)
    assert first.uuid != second.uuid


def test_memory_that_the_driver_does_not_tell_is_not_zero(play: Play) -> None:
    """Some drivers list a process without its memory."""
    look = play(Scenario(devices=(Device(),), processes=(Process(pid=US, on=(Use(gpu=0, memory_mib=None),)),)))
    assert error(process(look.reader().read(), US).memory_bytes) == "the driver gave no number"


@pytest.mark.parametrize("quirk", ["", "padded_samples", "impossible_samples", "empty_samples", "clock_since_boot"])
def test_a_process_that_does_nothing_has_a_share_of_zero(play: Play, quirk: str) -> None:
    """The driver tells only of those that do something, and each driver in its own way."""
    busy = Process(pid=US, on=(Use(gpu=0, sm=37.0, memory_bandwidth=12.0, decoder=5.0),))
    idle = Process(pid=US + 1, on=(Use(gpu=0, sm=0.0), Use(gpu=1, sm=0.0)))
    quirks = Quirks(**{quirk: True}) if quirk else Quirks()
    reader = play(Scenario(devices=(Device(), Device()), processes=(busy, idle), quirks=quirks)).reader()
    for _ in range(2):
        look = reader.read()
        one = process(look, US)
        shares = (one.sm_ratio, one.memory_bandwidth_ratio, one.encoder_ratio, one.decoder_ratio)
        assert shares == (0.37, 0.12, 0.0, 0.05)
        assert [each.sm_ratio for each in look.processes if each.pid == US + 1] == [0.0, 0.0]


def test_a_process_of_which_no_use_is_told_has_none(play: Play) -> None:
    """Nonsense in place of a share is none of the four figures, not 0; the process beside it keeps its own."""
    there = (Process(pid=US, on=(Use(gpu=0, sm=37.0),)), Process(pid=US + 1, on=(Use(gpu=0),)))
    reader = play(Scenario(devices=(Device(),), processes=there)).reader()
    for _ in range(2):
        look = reader.read()
        untold = process(look, US + 1)
        for figure in (untold.sm_ratio, untold.memory_bandwidth_ratio, untold.encoder_ratio, untold.decoder_ratio):
            assert error(figure) == "the driver gave no number"
        assert process(look, US).sm_ratio == 0.37


def test_processes_come_and_go(play: Play) -> None:
    """Each look has those that are there, more than fit the first list, too."""
    many = tuple(Process(pid=US + number, on=(Use(gpu=0, sm=1.0),)) for number in range(400))
    playing = play(Scenario(devices=(Device(),)))
    reader = playing.reader()
    assert reader.read().processes == ()
    playing.fake.play(Scenario(devices=(Device(),), processes=many))
    look = reader.read()
    assert len(look.processes) == 400
    assert {each.sm_ratio for each in look.processes} == {0.01}
    playing.fake.play(Scenario(devices=(Device(),), processes=many[:3]))
    assert len(reader.read().processes) == 3


def test_each_failing_call_is_a_gap_of_its_own(play: Play) -> None:
    """Every error keeps its name and meaning, and hides nothing of the other calls; not found is no zero here."""
    errors = {
        "nvmlDeviceGetPowerUsage": ("NVML_ERROR_NO_PERMISSION", Why.FORBIDDEN),
        "nvmlDeviceGetUtilizationRates": ("NVML_ERROR_NOT_FOUND", Why.MISSING),
        "nvmlDeviceGetTemperature": ("NVML_ERROR_TIMEOUT", Why.FAILED),
        "nvmlDeviceGetFanSpeed": ("NVML_ERROR_UNKNOWN", Why.FAILED),
        "nvmlDeviceGetPerformanceState": ("NVML_ERROR_NOT_SUPPORTED", Why.UNSUPPORTED),
    }
    names = ("gpu_power_watts", "gpu_utilization_ratio", "gpu_temperature_celsius", "gpu_fan_speed_ratio",
             "gpu_performance_state")  # fmt: skip
    scenario = Scenario(
        devices=(Device(),), errors=tuple(Fault(call=call, error=name) for call, (name, _) in errors.items())
    )
    (gpu,) = play(scenario).reader().read().gpus
    for name, (call, (text, why)) in zip(names, errors.items(), strict=True):
        assert value(gpu, name, *(("gpu",) if "celsius" in name else ())) == Gap(why, call, text)
    assert value(gpu, "gpu_clock_hertz", "sm") == 345e6
    assert gpu.failed is None


def test_each_field_answers_for_itself(play: Play) -> None:
    """Fields are asked for together; one that fails leaves the others."""
    errors = (Fault(call="nvmlDeviceGetFieldValues", error="NVML_ERROR_NO_PERMISSION", field=94),)
    (gpu,) = play(Scenario(devices=(Device(pcie=Pcie(transmit_start=7)),), errors=errors)).reader().read().gpus
    assert error(value(gpu, "gpu_pcie_replays_total")) == "NVML_ERROR_NO_PERMISSION"
    assert value(gpu, "gpu_pcie_transmit_bytes_total") == 7.0
    assert error(value(gpu, "gpu_ecc_errors_total", "corrected", "volatile")) == "NVML_ERROR_NOT_SUPPORTED"


def test_a_list_that_fails_is_told_and_not_empty(play: Play) -> None:
    """Where processes cannot be listed their number is not 0 but unknown, on that device alone."""
    failing = Fault(call="nvmlDeviceGetComputeRunningProcesses_v3", error="NVML_ERROR_UNKNOWN", gpu=0)
    look = play(Scenario(devices=(Device(), Device()), errors=(failing,))).reader().read()
    assert [(uuid, gap.error) for uuid, gap in look.processes_gaps] == [(look.gpus[0].uuid, "NVML_ERROR_UNKNOWN")]


def test_an_old_driver_lacks_functions_and_no_more(play: Play) -> None:
    """Without MIG, newer lists, v2 of memory, GPM and events the rest is read by what the driver has."""
    missing = (
        "nvmlInitWithFlags", "nvmlDeviceGetMigMode", "nvmlDeviceGetMaxMigDeviceCount", "nvmlDeviceGetMemoryInfo_v2",
        "nvmlDeviceGetComputeRunningProcesses_v3", "nvmlDeviceGetComputeRunningProcesses_v2",
        "nvmlDeviceGetGraphicsRunningProcesses_v3", "nvmlDeviceGetMPSComputeRunningProcesses_v3",
        "nvmlDeviceGetMPSComputeRunningProcesses_v2", "nvmlDeviceGetMPSComputeRunningProcesses",
        "nvmlGpmQueryDeviceSupport", "nvmlEventSetCreate", "nvmlDeviceGetCurrentClocksEventReasons",
        "nvmlDeviceGetTemperature", "nvmlSystemGetCudaDriverVersion_v2", "nvmlDeviceGetProcessUtilization",
    )  # fmt: skip
    scenario = Scenario(
        devices=(Device(event_reasons={"gpu_idle": 1.0}, memory_mib=1000),), missing=missing,
        processes=(Process(pid=US, on=(Use(gpu=0, kinds=("compute", "graphics"), memory_mib=9.0),)),),
    )  # fmt: skip
    look = play(scenario).reader().read()
    (gpu,) = look.gpus
    assert gpu.mig is None
    assert value(gpu, "gpu_memory_total_bytes") == 1000 * MIB
    assert error(value(gpu, "gpu_memory_reserved_bytes")) == "NVML_ERROR_FUNCTION_NOT_FOUND"
    assert error(value(gpu, "gpu_sm_activity_ratio")) == "NVML_ERROR_FUNCTION_NOT_FOUND"
    assert value(gpu, "gpu_clock_event_active", "gpu_idle") == 1.0
    assert value(gpu, "gpu_temperature_celsius", "gpu") == 30.0
    one = process(look, US)
    assert (one.kinds, one.memory_bytes) == (("compute", "graphics"), 9 * MIB)
    assert error(one.sm_ratio) == "NVML_ERROR_FUNCTION_NOT_FOUND"
    assert look.processes_gaps == ()
    assert look.cuda_version == "13.0"


def test_xids_are_counted_as_they_come(play: Play) -> None:
    """How often each came since we listen, and when last."""
    playing = play(Scenario(devices=(Device(), Device(uuid="GPU-b"))))
    reader = playing.reader()
    reader.read()
    began = time.time()
    now = began - playing.fake.start
    xids = (Xid(at=now + 0.3, xid=79), Xid(at=now + 0.5, xid=79), Xid(at=now + 0.4, xid=31))
    playing.fake.play(Scenario(devices=(Device(), Device(uuid="GPU-b", xids=xids))))
    look = until(reader, lambda look: sum(xid.count for xid in look.xids) == 3)
    assert {(xid.uuid, xid.xid, xid.count) for xid in look.xids} == {("GPU-b", 79, 2), ("GPU-b", 31, 1)}
    assert all(began - 1 < xid.last_time < time.time() + 1 for xid in look.xids)


def test_processes_that_ended_between_looks_are_told(play: Play) -> None:
    """By the driver's accounting, where that is on; those that ended before we came are not told."""
    device = Device(accounting=True)
    before = Process(pid=US + 5, on=(Use(gpu=0),), until=1.0)
    short = Process(pid=US + 6, on=(Use(gpu=0, sm=50.0, memory_mib=700.0),), after=11.0, until=13.0)
    playing = play(Scenario(devices=(device,), processes=(before, short)), frozen=10.0)
    reader = playing.reader()
    assert reader.read().ended == ()
    playing.fake.at(20.0)
    (ended,) = reader.read().ended
    assert (ended.pid, ended.uuid) == (US + 6, reader.read().gpus[0].uuid)
    assert ended.seconds == pytest.approx(2.0)
    assert ended.start_time == pytest.approx(playing.fake.start + 11.0, abs=1e-3)
    assert (ended.max_memory_bytes, ended.sm_ratio) == (700 * MIB, 0.5)
    assert reader.read().ended == (ended,)  # the same for a while, for those who look seldom


COUNTING = """
import collections, json
from bongsu.sources.nvml import calls, child
called = collections.Counter()
ask = calls.Library.__call__
def counted(self, name, *arguments):
    called[name] += 1
    return ask(self, name, *arguments)
calls.Library.__call__ = counted
looker = child.Looker()
looker.look(())
called.clear()
looker.look(())
called.pop("nvmlEventSetWait_v2", None)  # by the thread that waits for errors, whenever it gets to it
print(json.dumps(called))
"""


def calls_of_a_look(play: Play, scenario: Scenario) -> dict[str, int]:
    """How often each function is called in a look that is not the first."""
    done = subprocess.run(
        [sys.executable, "-c", COUNTING],
        env=play(scenario).fake.environment,
        capture_output=True,
        text=True,
        check=True,
    )
    called: dict[str, int] = json.loads(done.stdout)
    return called


def test_no_call_is_made_for_a_process(play: Play) -> None:
    """A look at 100 processes takes the calls of one at a single process."""
    one, many = (
        tuple(Process(pid=US + each, on=(Use(gpu=0, sm=1.0),)) for each in range(number)) for number in (1, 100)
    )
    devices = (Device(accounting=True),)
    assert calls_of_a_look(play, Scenario(devices=devices, processes=one)) == calls_of_a_look(
        play, Scenario(devices=devices, processes=many)
    )


def test_a_look_asks_for_nothing_twice(play: Play) -> None:
    """All fields in one call, the memory once for each GPU instance, and limits and modes only now and then."""
    called = calls_of_a_look(play, Scenario(devices=(DIVIDED,)))
    assert called["nvmlDeviceGetFieldValues"] == 1
    assert called["nvmlDeviceGetMemoryInfo_v2"] == 1 + len({3, 9})
    assert "nvmlDeviceGetTemperatureThreshold" not in called
    assert "nvmlDeviceGetPcieThroughput" not in called  # it would wait for 20 ms
