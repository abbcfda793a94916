"""GPUs that sleep are left asleep."""

from __future__ import annotations

from pathlib import Path

from bongsu.sources.nvml.reading import Gpu, GpuProcess, Snapshot, Value
from bongsu.sources.nvml.sleeping import Sleep
from bongsu.sources.root import Root

ADDRESSES = ("0000:01:00.0", "0000:02:00.0")


def write(sys: Path, address: str, *, control: str = "auto", status: str = "suspended") -> None:
    """A display device of NVIDIA, as sysfs has it."""
    device = sys / "bus/pci/devices" / address
    (device / "power").mkdir(parents=True, exist_ok=True)
    (device / "class").write_text("0x030000\n")
    (device / "vendor").write_text("0x10de\n")
    (device / "power/control").write_text(control + "\n")
    (device / "power/runtime_status").write_text(status + "\n")


def gpu(address: str, *, busy: float = 0.0) -> Gpu:
    return Gpu(
        uuid=f"GPU-{address}", index=0, pci_bus_id=f"0000{address}".upper(),
        values=(Value("gpu_utilization_ratio", (), busy),),
    )  # fmt: skip


def process(kind: str) -> GpuProcess:
    return GpuProcess(
        pid=1, uuid=f"GPU-{ADDRESSES[0]}", kinds=(kind,), memory_bytes=1.0, sm_ratio=0.0, memory_bandwidth_ratio=0.0,
        encoder_ratio=0.0, decoder_ratio=0.0,
    )  # fmt: skip


def test_a_suspended_gpu_is_not_asked_and_shown_as_asleep(tmp_path: Path) -> None:
    """Where all sleep nobody is asked; each is told with what is known of it, and without figures."""
    write(tmp_path, ADDRESSES[0])
    sleep = Sleep(Root(str(tmp_path)))
    sleep.look_around(0.0)
    assert sleep.all_asleep
    (unknown,) = sleep.look(None).gpus
    assert (unknown.asleep, unknown.uuid, unknown.values) == (True, "", ())
    (known,) = sleep.look(Snapshot(time=1.0, gpus=(gpu(ADDRESSES[0]),))).gpus
    assert (known.asleep, known.uuid, known.values) == (True, f"GPU-{ADDRESSES[0]}", ())


def test_beside_a_sleeping_gpu_the_others_are_asked(tmp_path: Path) -> None:
    """Only the addresses of those that are awake are asked, and the sleeping one is added to what they say."""
    write(tmp_path, ADDRESSES[0])
    write(tmp_path, ADDRESSES[1], control="on", status="active")
    sleep = Sleep(Root(str(tmp_path)))
    sleep.look_around(0.0)
    assert not sleep.all_asleep
    assert sleep.awake == (ADDRESSES[1],)
    whole = sleep.add(Snapshot(time=1.0, gpus=(gpu(ADDRESSES[1]),)), None)
    assert sorted(each.asleep for each in whole.gpus) == [False, True]


def test_gpus_that_may_not_sleep_are_asked_without_further_ado(tmp_path: Path) -> None:
    """A server's GPUs (power/control is on) are all asked, whatever their status says."""
    write(tmp_path, ADDRESSES[0], control="on", status="suspended")
    sleep = Sleep(Root(str(tmp_path)))
    sleep.look_around(0.0)
    assert (sleep.all_asleep, sleep.awake) == (False, ())
    assert not sleep.wants_rest(Snapshot(time=0.0, gpus=(gpu(ADDRESSES[0]),)), 1e6)


def test_a_gpu_without_work_is_let_go_so_that_it_can_sleep(tmp_path: Path) -> None:
    """After half a minute without work we let go of a device that may sleep, for a while, and not again at once."""
    write(tmp_path, ADDRESSES[0], status="active")
    sleep = Sleep(Root(str(tmp_path)))
    idle = Snapshot(time=0.0, gpus=(gpu(ADDRESSES[0]),), processes=(process("graphics"),))
    sleep.look_around(1.0)
    assert not sleep.wants_rest(idle, 1.0)
    assert not sleep.wants_rest(idle, 20.0)
    assert sleep.wants_rest(idle, 40.0)
    held_back = []
    for now in (41.0, 60.0):
        sleep.look_around(now)
        held_back.append(sleep.all_asleep)
    assert held_back == [True, False]
    assert not sleep.wants_rest(idle, 100.0)
    assert not sleep.wants_rest(idle, 400.0)  # it begins to count anew
    assert sleep.wants_rest(idle, 440.0)


def test_a_gpu_with_work_is_not_let_go(tmp_path: Path) -> None:
    """Work is use of the device, or a process that computes."""
    write(tmp_path, ADDRESSES[0], status="active")
    for look in (
        Snapshot(time=0.0, gpus=(gpu(ADDRESSES[0], busy=0.01),)),
        Snapshot(time=0.0, gpus=(gpu(ADDRESSES[0]),), processes=(process("compute"),)),
    ):
        sleep = Sleep(Root(str(tmp_path)))
        sleep.look_around(1.0)
        assert not any(sleep.wants_rest(look, now) for now in (1.0, 40.0, 80.0))
