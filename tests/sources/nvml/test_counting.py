"""What the child must remember between looks: counters that begin again, and samples of which two are needed."""

from __future__ import annotations

import ctypes
import time
from types import SimpleNamespace
from typing import Any, cast

import pytest

from bongsu.sources.nvml import answers, gpm
from bongsu.sources.nvml.calls import Library
from bongsu.sources.nvml.device import Device
from bongsu.sources.nvml.processes import NO_INSTANCE, Buffers, Processes
from bongsu.sources.nvml.values import GPM

UINT, WIDE = 1, 3  # nvmlValueType_t


class _Metric(ctypes.Structure):
    _fields_ = (("metricId", ctypes.c_uint), ("nvmlReturn", ctypes.c_uint), ("value", ctypes.c_double))


class _Request(ctypes.Structure):
    _fields_ = (
        ("version", ctypes.c_uint), ("numMetrics", ctypes.c_uint), ("sample1", ctypes.c_void_p),
        ("sample2", ctypes.c_void_p), ("metrics", _Metric * 20),
    )  # fmt: skip


class _Support(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint), ("isSupportedDevice", ctypes.c_uint))


BINDING = SimpleNamespace(
    c_nvmlGpmMetricsGet_t=_Request, c_nvmlGpmSupport_t=_Support, c_nvmlGpmSample_t=ctypes.c_void_p
)


class Answering:
    """A library of which every call succeeds, but those that ``codes`` names; what was called is kept."""

    binding = BINDING

    def __init__(self) -> None:
        self.codes: dict[str, int] = {}
        self.called: list[str] = []
        self.refused: set[str] = set()  # handles whose processes are not for us
        self.samples: list[tuple[int, int, int]] = []  # pid, stamp, percent

    def __call__(self, name: str, *arguments: Any) -> int:
        self.called.append(name)
        if name == "nvmlGpmQueryDeviceSupport":
            arguments[1]._obj.isSupportedDevice = 1
        elif name == "nvmlGpmMetricsGet":
            for place in range(len(GPM)):
                arguments[0]._obj.metrics[place].value = 25.0
        elif name == "nvmlDeviceGetProcessUtilization":
            for place, (pid, stamp, percent) in enumerate(self.samples):
                arguments[1][place].pid, arguments[1][place].stamp, arguments[1][place].sm = pid, stamp, percent
            arguments[2]._obj.value = len(self.samples)
        elif name.endswith("Processes_v3"):
            if arguments[0] in self.refused:
                return answers.NO_PERMISSION
            arguments[1]._obj.value = 1 if "Compute" in name and "MPS" not in name else 0
            arguments[2][0].pid, arguments[2][0].gi, arguments[2][0].ci = 7, NO_INSTANCE, NO_INSTANCE
        return self.codes.get(name, 0)

    def first_of(self, *names: str) -> str:
        return names[0]


@pytest.fixture
def library() -> Answering:
    return Answering()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Monotonic time, in s, as the test sets it."""
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    return now


def read(one: gpm.Gpm, key: tuple[Any, ...] = (1,), instance: int | None = None) -> Any:
    one.begin()
    numbers = one.read(None, 1, key, instance)
    one.end()
    return numbers[0]


def test_a_counter_of_32_bits_goes_on_after_its_end(library: Answering) -> None:
    """What the driver counts in 32 bits begins again at 2^32; the total does not."""
    device = Device(cast(Library, library), None, 1)
    counted = [device._count_on(197, value, UINT) for value in (2**32 - 100, 50, 60)]
    assert counted == [2**32 - 100, 2**32 + 50, 2**32 + 60]


def test_a_wide_counter_that_falls_was_reset(library: Answering) -> None:
    """Of a counter that cannot have reached its end, a fall means that it began anew: nothing is made up."""
    device = Device(cast(Library, library), None, 1)
    assert [device._count_on(197, value, WIDE) for value in (1000, 40, 50)] == [1000, 1040, 1050]


def test_activity_needs_two_looks(library: Answering, clock: list[float]) -> None:
    """The first look gives none; the second the mean since; one that comes too soon none, and harms nothing."""
    one = gpm.Gpm(cast(Library, library))
    assert read(one) == (answers.ONE_LOOK, "nvmlGpmMetricsGet")
    clock[0] += 0.05
    assert read(one) == (answers.ONE_LOOK, "nvmlGpmMetricsGet")
    clock[0] += 0.95
    assert read(one) == 0.25


def test_activity_begins_anew_after_a_long_time_and_after_a_failure(library: Answering, clock: list[float]) -> None:
    """A mean over an hour is no reading of now, and a failed sample must not be compared with."""
    one = gpm.Gpm(cast(Library, library))
    read(one)
    clock[0] += 3600.0
    assert read(one) == (answers.ONE_LOOK, "nvmlGpmMetricsGet")
    clock[0] += 1.0
    library.codes["nvmlGpmSampleGet"] = answers.NO_PERMISSION
    assert read(one) == (answers.NO_PERMISSION, "nvmlGpmSampleGet")
    library.codes.clear()
    clock[0] += 1.0
    assert read(one) == (answers.ONE_LOOK, "nvmlGpmMetricsGet")
    clock[0] += 1.0
    assert read(one) == 0.25


def test_a_new_instance_of_an_old_number_is_not_compared_with_the_old(library: Answering, clock: list[float]) -> None:
    """Numbers of GPU instances are given out again: another UUID or profile begins anew, and the old samples are freed."""
    one = gpm.Gpm(cast(Library, library))
    read(one, (1, 3, "MIG-a", "1g.10gb"), 3)
    clock[0] += 1.0
    assert read(one, (1, 3, "MIG-a", "2g.20gb"), 3) == (answers.ONE_LOOK, "nvmlGpmMetricsGet")
    assert library.called.count("nvmlGpmSampleFree") == 2


def test_a_device_without_activity_is_asked_once(library: Answering, clock: list[float]) -> None:
    """Before Hopper there is none, which does not change; a refusal may."""
    library.codes["nvmlGpmQueryDeviceSupport"] = answers.NOT_SUPPORTED
    one = gpm.Gpm(cast(Library, library))
    assert [read(one), read(one)] == [(answers.NOT_SUPPORTED, "nvmlGpmQueryDeviceSupport")] * 2
    assert library.called.count("nvmlGpmQueryDeviceSupport") == 1


def shares(processes: Processes) -> Any:
    rows, _ = processes.read(None, None)
    return rows[0][5]


def test_old_samples_do_not_make_a_process_busy(library: Answering) -> None:
    """The first answer reaches back as far as the driver remembers: what is older than a moment is not told."""
    library.samples = [(7, 1_000_000, 90)]
    assert shares(Processes(cast(Library, library), Buffers())) == (
        answers.ONE_LOOK, "nvmlDeviceGetProcessUtilization",
    )  # fmt: skip


def test_the_newest_sample_of_a_process_counts(library: Answering) -> None:
    """Samples come in any order; pid 0 is padding; a share of more than 100 % is left out, its time too."""
    one = Processes(cast(Library, library), Buffers())
    library.samples = [(7, 1_000_000, 90)]
    shares(one)
    library.samples = [(7, 3_000_000, 30), (7, 2_000_000, 60), (0, 9_000_000, 50), (7, 8_000_000, 4_000_000)]
    assert shares(one) == 0.3
    assert one._last_seen == 3_000_000
    library.samples = [(7, 4_000_000, 4_000_000)]
    assert shares(one) == (answers.NO_NUMBER, "nvmlDeviceGetProcessUtilization")
    library.samples = []
    assert shares(one) == 0.0


def test_without_the_privilege_for_the_whole_device_its_instances_are_asked(library: Answering) -> None:
    """The list of a divided device may be refused where those of its instances are not; each says which it is."""
    library.refused = {"device"}
    one = Processes(cast(Library, library), Buffers())
    rows, gap = one.read("device", [("first", 3, 0), ("second", 3, 1)])
    assert gap is None
    assert [row[:3] for row in rows] == [(7, 3, 0), (7, 3, 1)]
    library.refused = {"device", "second"}
    rows, gap = one.read("device", [("first", 3, 0), ("second", 3, 1)])
    assert gap == (answers.NO_PERMISSION, "nvmlDeviceGetComputeRunningProcesses_v3")
    assert [row[:3] for row in rows] == [(7, 3, 0)]
