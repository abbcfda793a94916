"""What happens when the driver hangs, dies, goes, is exchanged, or loses a device."""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress
from pathlib import Path

import pytest

from bongsu.model.batch import Why
from bongsu.sources.nvml import reader as module
from bongsu.sources.nvml.reading import Snapshot
from bongsu.sources.nvml.scenario import Device, Fault, Hang, Process, Scenario, Use, Xid
from bongsu.sources.nvml.values import DEVICE_VALUES
from bongsu.sources.root import Machine
from fake_nvml.playing import LONG, Play, error, process, until, value

US = os.getpid()
PATIENCE = 0.3  # s


def stale(look: Snapshot) -> bool:
    return look.stale_seconds > 0


def fresh(look: Snapshot) -> bool:
    return look.error is None and not look.stale_seconds


def test_a_driver_that_hangs_leaves_the_last_look(play: Play) -> None:
    """While a call hangs the last look is shown with its age and the reason; when it comes back, so do fresh looks."""
    playing = play(Scenario(devices=(Device(power=100.0), Device())))
    reader = playing.reader(patience=PATIENCE)
    good = until(reader, fresh)
    child = reader.pids
    playing.fake.play(
        Scenario(devices=(Device(power=200.0), Device()), hangs=(Hang(call="nvmlDeviceGetPowerUsage", gpu=0),))
    )
    look = until(reader, stale)
    assert value(look.gpus[0], "gpu_power_watts") == 100.0
    assert look.time >= good.time
    assert "not answered" in str(look.finding)
    assert look.cure is not None
    assert until(reader, lambda later: later.stale_seconds > look.stale_seconds).time == look.time
    assert reader.pids == child
    playing.fake.play(Scenario(devices=(Device(power=200.0), Device())))
    assert value(until(reader, fresh).gpus[0], "gpu_power_watts") == 200.0
    assert reader.pids == child


def test_a_driver_that_hangs_from_the_start_is_an_error(play: Play) -> None:
    """Without any look before there is nothing to show, and no second child is started beside the one that hangs."""
    playing = play(Scenario(devices=(Device(),), hangs=(Hang(call="*"),)))
    reader = playing.reader(patience=PATIENCE)
    look = reader.read()
    assert look.error is not None
    assert (look.error.why, look.gpus) == (Why.FAILED, ())
    (child,) = reader.pids
    for _ in range(5):
        reader.read()
        assert reader.pids == (child,)


def test_a_child_that_hangs_for_long_is_killed(play: Play) -> None:
    """Only when it has really ended is another started, which sees the driver as it is then."""
    playing = play(Scenario(devices=(Device(),)))
    reader = playing.reader(patience=PATIENCE, hangs=0.5)
    until(reader, fresh)
    (first,) = reader.pids
    playing.fake.play(Scenario(devices=(Device(),), hangs=(Hang(call="nvmlDeviceGetPowerUsage"),)))
    until(reader, lambda _: first not in reader.pids)
    with suppress(FileNotFoundError, ProcessLookupError):  # nothing is left of it
        assert Path(f"/proc/{first}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    playing.fake.play(Scenario(devices=(Device(power=50.0),)))
    assert value(until(reader, fresh).gpus[0], "gpu_power_watts") == 50.0


def test_a_child_that_is_killed_is_replaced(play: Play) -> None:
    """Whatever ends it: one look says so, and a later one is good again. Errors heard of before stay counted, and new ones add to them."""
    playing = play(Scenario(devices=(Device(uuid="GPU-a"),)))
    reader = playing.reader()
    reader.read()
    xid = Xid(at=time.time() - playing.fake.start + 0.2, xid=48)
    playing.fake.play(Scenario(devices=(Device(uuid="GPU-a", xids=(xid,)),)))
    until(reader, lambda look: len(look.xids) == 1)
    (child,) = reader.pids
    os.kill(child, signal.SIGKILL)
    look = until(reader, lambda look: look.error is not None)
    assert look.error is not None
    assert look.error.why is Why.FAILED
    look = until(reader, fresh)
    assert child not in reader.pids
    assert [(each.uuid, each.xid, each.count) for each in look.xids] == [("GPU-a", 48, 1)]
    again = Xid(at=time.time() - playing.fake.start + 0.2, xid=48)
    playing.fake.play(Scenario(devices=(Device(uuid="GPU-a", xids=(xid, again)),)))
    look = until(reader, lambda look: [each.count for each in look.xids] != [1])
    assert [(each.uuid, each.xid, each.count) for each in look.xids] == [("GPU-a", 48, 2)]


def test_a_lost_gpu_does_not_hide_the_others(play: Play) -> None:
    """The device that fell off the bus keeps its name and says that it is lost; no figure of it is made up."""
    there = (Device(uuid="GPU-a", power=100.0), Device(uuid="GPU-b", power=150.0))
    processes = (Process(pid=US, on=(Use(gpu=0), Use(gpu=1))),)
    playing = play(Scenario(devices=there, processes=processes))
    reader = playing.reader()
    assert [gpu.failed for gpu in reader.read().gpus] == [None, None]
    playing.fake.play(Scenario(devices=(Device(uuid="GPU-a", power=100.0, lost_at=0.0), there[1]), processes=processes))
    look = reader.read()
    lost, other = look.gpus
    assert lost.uuid == "GPU-a"
    assert lost.failed is not None
    assert (lost.failed.why, lost.failed.error) == (Why.LOST, "NVML_ERROR_GPU_IS_LOST")
    assert all(error(each.value) == "NVML_ERROR_GPU_IS_LOST" for each in lost.values)
    assert value(other, "gpu_power_watts") == 150.0
    assert process(look, US).uuid == "GPU-b"
    assert [uuid for uuid, _ in look.processes_gaps] == ["GPU-a"]


def test_a_gpu_that_is_lost_in_the_middle_of_a_look_is_asked_no_more(play: Play) -> None:
    """What it told before stands, the rest is that answer, and its place in the look is whole."""
    fault = Fault(call="nvmlDeviceGetPowerUsage", error="NVML_ERROR_GPU_IS_LOST", gpu=0)
    look = play(Scenario(devices=(Device(temperature=55.0), Device()), errors=(fault,))).reader().read()
    lost, other = look.gpus
    assert lost.failed is not None
    assert lost.failed.call == "nvmlDeviceGetPowerUsage"
    assert value(lost, "gpu_temperature_celsius", "gpu") == 55.0
    assert error(value(lost, "gpu_clock_hertz", "sm")) == "NVML_ERROR_GPU_IS_LOST"
    assert [(each.name, each.labels) for each in lost.values] == list(DEVICE_VALUES)
    assert other.failed is None


def test_a_gpu_that_was_lost_keeps_its_name_with_another_child(play: Play) -> None:
    """A child that never saw the device alive cannot ask it who it is; the reader remembers."""
    playing = play(Scenario(devices=(Device(uuid="GPU-a", minor=4), Device(uuid="GPU-b"))))
    reader = playing.reader()
    reader.read()
    playing.fake.play(Scenario(devices=(Device(uuid="GPU-a", minor=4, lost_at=0.0), Device(uuid="GPU-b"))))
    os.kill(reader.pids[0], signal.SIGKILL)
    look = until(reader, fresh)
    assert [(gpu.uuid, gpu.failed is None) for gpu in look.gpus] == [("GPU-a", False), ("GPU-b", True)]
    assert look.gpus[0].minor == 4


def test_a_lost_gpu_that_returns_is_seen_by_a_new_child(play: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    """The library finds a returned device only when it is initialised anew, so the child is replaced now and then."""
    monkeypatch.setattr(module, "_LOST_AGAIN", 0.2)
    playing = play(Scenario(devices=(Device(), Device(lost_at=0.0))))
    reader = playing.reader()
    reader.read()
    (first,) = reader.pids
    until(reader, lambda _: first not in reader.pids)
    assert len(until(reader, fresh).gpus) == 2


def test_a_gpu_that_needs_a_reset_still_tells_what_it_can(play: Play) -> None:
    """The device is marked, and what answers is shown."""
    fault = Fault(call="nvmlDeviceGetUtilizationRates", error="NVML_ERROR_RESET_REQUIRED")
    (gpu,) = play(Scenario(devices=(Device(power=90.0),), errors=(fault,))).reader().read().gpus
    assert gpu.failed is not None
    assert gpu.failed.error == "NVML_ERROR_RESET_REQUIRED"
    assert value(gpu, "gpu_power_watts") == 90.0


@pytest.mark.parametrize(
    ("call", "name", "why"),
    [
        ("nvmlInit_v2", "NVML_ERROR_DRIVER_NOT_LOADED", Why.MISSING),
        ("nvmlInit_v2", "NVML_ERROR_NO_PERMISSION", Why.FORBIDDEN),
        ("nvmlInit_v2", "NVML_ERROR_LIB_RM_VERSION_MISMATCH", Why.FAILED),
        ("nvmlDeviceGetCount_v2", "NVML_ERROR_UNINITIALIZED", Why.LOST),
        ("nvmlDeviceGetCount_v2", "NVML_ERROR_UNKNOWN", Why.FAILED),
    ],
)
def test_a_driver_that_does_not_answer_is_an_error_until_it_does(play: Play, call: str, name: str, why: Why) -> None:
    """The state is told by NVML's name, the child with the library it loaded goes, and a later one tries again."""
    playing = play(Scenario(devices=(Device(),), errors=(Fault(call=call, error=name),)))
    reader = playing.reader()
    look = reader.read()
    assert look.error is not None
    assert (look.error.why, look.error.error, look.gpus) == (why, name, ())
    assert reader.pids == ()
    playing.fake.play(Scenario(devices=(Device(),)))
    assert len(until(reader, fresh).gpus) == 1


def test_attempts_become_rarer(play: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    """A driver that stays away is not asked each second: in the pause the last answer stands."""
    monkeypatch.setattr(module, "_AGAIN", LONG)
    errors = (Fault(call="nvmlInit_v2", error="NVML_ERROR_DRIVER_NOT_LOADED"),)
    playing = play(Scenario(errors=errors))
    reader = playing.reader()
    first = reader.read()
    playing.fake.play(Scenario(devices=(Device(),)))
    assert reader.read() is first


def test_who_says_so_is_answered_within_the_pause(play: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    """A reload of the agent may be because somebody mended the driver: the next look asks it."""
    monkeypatch.setattr(module, "_AGAIN", LONG)
    playing = play(Scenario(errors=(Fault(call="nvmlInit_v2", error="NVML_ERROR_DRIVER_NOT_LOADED"),)))
    machine, reader = Machine.at(), playing.reader()
    module.read_by(machine, reader)
    assert reader.read().error is not None
    playing.fake.play(Scenario(devices=(Device(),)))
    module.try_again(machine)
    assert reader.read().error is None


def test_another_driver_gets_another_child(play: Play, tmp_path: Path) -> None:
    """After an upgrade the loaded library is the old one: the child goes, and one that paused tries at once."""
    version = tmp_path / "sys/module/nvidia/version"
    version.parent.mkdir(parents=True)
    version.write_text("580.95.05\n")
    machine = Machine.at(sysfs=str(tmp_path / "sys"))
    reader = play(Scenario(devices=(Device(),))).reader(machine)
    reader.read()
    (first,) = reader.pids
    reader.read()
    assert reader.pids == (first,)
    version.write_text("590.10.01\n")
    assert fresh(reader.read())
    assert first not in reader.pids


def test_a_look_is_shared(play: Play) -> None:
    """Who asks again within the time gets the same look."""
    reader = play(Scenario(devices=(Device(),))).reader(same=LONG)
    assert reader.read() is reader.read()


def test_closing_ends_the_child(play: Play) -> None:
    """Nothing is left running."""
    reader = play(Scenario(devices=(Device(),))).reader()
    reader.read()
    (child,) = reader.pids
    reader.close()
    assert reader.pids == ()
    end = time.monotonic() + LONG
    while os.path.exists(f"/proc/{child}") and time.monotonic() < end:
        time.sleep(0.02)
        reader.close()  # one that the kernel had not yet let go of is reaped by the next
    assert not os.path.exists(f"/proc/{child}")


def test_a_driver_that_is_always_late_is_still_read(play: Play) -> None:
    """Where each look takes longer than we wait, the looks that come late are shown, with their age."""
    playing = play(Scenario(devices=(Device(power=100.0),), latency={"nvmlDeviceGetPowerUsage": 1.0}))
    reader = playing.reader(patience=PATIENCE)
    first = until(reader, lambda look: look.error is None)
    assert value(first.gpus[0], "gpu_power_watts") == 100.0
    playing.fake.play(Scenario(devices=(Device(power=200.0),), latency={"nvmlDeviceGetPowerUsage": 1.0}))
    look = until(reader, lambda look: value(look.gpus[0], "gpu_power_watts") == 200.0)
    assert look.stale_seconds > 0
    assert look.time > first.time
