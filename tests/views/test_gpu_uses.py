"""The GPUs in the summary of a machine: rows, what is wrong, and how they are drawn."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from bongsu.collectors import gpu_process, gpu_values
from bongsu.collectors.gpu import GpuCollector
from bongsu.model.batch import Absence, Batch, Outcome, Part, Sample, Table, Why
from bongsu.model.message import Message
from bongsu.model.summary import Summary
from bongsu.sources.nvml.reading import Gap, Snapshot
from bongsu.sources.root import Machine
from bongsu.views import gpu_entries
from bongsu.views.rates import Rates
from bongsu.views.status import draw
from bongsu.views.summary import summary
from gpu_by_hand import LOST, UNSUPPORTED, Given, Looks, gpu, look

GIB = 2.0**30
WELL: Given = {
    "gpu_utilization_ratio": 0.97, "gpu_memory_used_bytes": 60 * GIB, "gpu_memory_total_bytes": 80 * GIB,
    ("gpu_temperature_celsius", "gpu"): 66.0, ("gpu_temperature_limit_celsius", "slowdown"): 92.0,
    "gpu_power_watts": 610.4, "gpu_power_limit_watts": 700.0, "gpu_clock_event_active": 0.0,
    ("gpu_clock_event_active", "sw_power_cap"): 1.0,
}  # fmt: skip


def of(snapshot: Snapshot, **options: object) -> Summary:
    """The summary of a machine with these GPUs and nothing else."""
    collector = GpuCollector(Machine.at(), Looks(snapshot), **options)  # type: ignore[arg-type]  # the options' own types
    items = list(collector.collect())
    samples = tuple(item for item in items if isinstance(item, Sample))
    absences = tuple(item for item in items if isinstance(item, Absence))
    batch = Batch(1.0, 1.0, (Part("gpu", 1.0, 1.0, samples, absences, (), Outcome("gpu", 0.0, 0.0)),))
    return summary(batch, Rates(), 1.0)


def drawn(machine: Summary, width: int = 120, encoding: str = "utf-8") -> str:
    """The summary as a terminal shows it."""
    file = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    draw(machine, Console(file=file, width=width, highlight=False, markup=False, emoji=False))
    file.seek(0)
    return file.read()


def test_each_gpu_is_a_row() -> None:
    """What is known of it; what is not stays None."""
    machine = of(look(gpu(0, WELL), gpu(1, {**WELL, "gpu_utilization_ratio": UNSUPPORTED})))
    first, second = machine.gpus
    assert (first.index, first.up, first.busy_ratio, first.celsius, first.slowdown_celsius) == ("0", True, 0.97, 66, 92)
    assert (first.held_down, second.busy_ratio, second.power_watts) == (("limit of power",), None, 610.4)
    assert machine.problems == ()
    text = drawn(machine)
    assert "97.0 %" in text
    assert "60 GiB of 80 GiB" in text
    assert "66 of 92 °C" in text
    assert "610 of 700 W" in text
    assert "limit of power" in text


def test_what_is_wrong_with_gpus_is_said_with_a_cure() -> None:
    """One that is lost, one that is too hot, and one that should be there and is not."""
    hot: Given = {**WELL, ("gpu_temperature_celsius", "gpu"): 93.0}
    machine = of(look(gpu(0, hot), gpu(1, values=(), failed=LOST)), count=3, devices="0,1,7")
    said = [problem.text for problem in machine.problems]
    assert said == [
        "GPU 0 NVIDIA H100 80GB HBM3 has 93 °C, at 92 °C it slows down",
        f"GPU 1 NVIDIA H100 80GB HBM3 does not answer: the GPU no longer answers ({LOST.call}: {LOST.error})",
        "GPU 7 does not answer: --collector.gpu.devices: the driver lists no GPU 7",
        "1 of 3 GPUs answer",
    ]
    assert all(problem.cure for problem in machine.problems)
    assert "dmesg" in machine.problems[1].cure
    assert "does not answer" in drawn(machine)


def test_as_many_gpus_as_expected_are_no_problem() -> None:
    """Nothing is said without an expectation either."""
    for count in (0, 2):
        assert of(look(gpu(0, WELL), gpu(1, WELL)), count=count).problems == ()
    assert of(look(gpu(0, WELL), gpu(1, WELL)), count=2, devices="0").problems == (), "nor of those that are not read"


@pytest.mark.parametrize("width", [40, 60, 80, 100])
def test_rows_fit_the_terminal(width: int) -> None:
    """Names give way to numbers, which are never cut; without Unicode there are letters."""
    machine = of(look(gpu(0, WELL), gpu(1, WELL)))
    text = drawn(machine, width)
    assert "97.0 %" in text
    assert "60 GiB of 80 GiB" in text
    assert drawn(machine, width, "ascii").isascii()


def test_a_machine_without_gpus_has_no_rows() -> None:
    """No heading over nothing."""
    empty = summary(Batch(1.0, 1.0, ()), Rates(), 1.0)
    assert (empty.gpus, empty.gpus_expected) == ((), None)
    assert "GPUs" not in drawn(empty)


def _told(gpus: Outcome, processes: Outcome, *absences: Absence) -> Summary:
    parts = (Part("gpu", 1.0, 1.0, (), (), (), gpus), Part("gpu_process", 1.0, 1.0, (), absences, (), processes))
    return summary(Batch(1.0, 1.0, parts), Rates(), 1.0)


def test_processes_that_cannot_be_seen_from_here_are_said_with_a_cure() -> None:
    """In a container without the machine's process numbers nobody's name stands on a GPU: that is said, not left blank."""
    unseen = Absence(
        gpu_process.INFO, ("",) * len(gpu_process.INFO.labels), Why.FORBIDDEN,
        Message("2 processes on GPUs are outside of this container"), Message("give it hostPID: true"),
    )  # fmt: skip
    machine = _told(Outcome("gpu", 0.0, 0.0), Outcome("gpu_process", 0.0, 0.0), unseen)
    assert machine.problems == ()
    assert "outside of this container; give it hostPID: true" in drawn(machine)


def test_two_collectors_of_one_driver_say_a_thing_once() -> None:
    """Where no GPU is read the sentence stands once; what only one of them says stands too."""
    none = Message("no GPU here")
    both = _told(Outcome("gpu", 0.0, 0.0, no_data=none), Outcome("gpu_process", 0.0, 0.0, no_data=none))
    assert [(gap.collector, gap.reason) for gap in both.absent] == [("gpu", "no GPU here")]
    one = _told(Outcome("gpu", 0.0, 0.0), Outcome("gpu_process", 0.0, 0.0, error=Message("it broke")))
    assert [problem.text for problem in one.problems] == ["gpu_process could not be read: it broke"]


def _refused(index: int, error: str, why: Why = Why.FORBIDDEN) -> Absence:
    labels = (str(index), f"GPU-{index}")
    return Absence(
        gpu_process.COUNT, labels, why, Message("the driver says {error}", error=error), Message("run as root")
    )


def test_processes_that_may_not_be_listed_are_no_empty_gpus() -> None:
    """Each reason once with its GPUs, the first of a GPU only; of one that does not answer, nothing beyond that."""
    silent = Sample(gpu_values.UP, ("4", "GPU-4"), 0.0)
    gaps = (
        *(_refused(index, "no") for index in (0, 1, 2)),
        _refused(2, "later"),
        _refused(3, "E", Why.FAILED),
        _refused(4, "no"),
    )
    parts = (
        Part("gpu", 1.0, 1.0, (silent,), (), (), Outcome("gpu", 0.0, 0.0)),
        Part("gpu_process", 1.0, 1.0, (), gaps, (Table(gpu_entries.TABLE, ()),), Outcome("gpu_process", 0.0, 0.0)),
    )
    machine = summary(Batch(1.0, 1.0, parts), Rates(), 1.0)
    said = [gap.reason for gap in machine.absent]
    assert said == [
        "processes on GPU 0-2 cannot be listed: the driver says no",
        "processes on GPU 3 cannot be listed: the driver says E",
    ]
    assert "Not all of gpu_process: processes on GPU 0-2 cannot be listed: the driver says no; run as root" in drawn(
        machine, 200
    )


def test_figures_that_the_driver_refuses_are_said() -> None:
    """What fails or is not allowed stands once for all GPUs; what a model does not offer is no news."""
    failing = Gap(Why.FAILED, "nvmlDeviceGetPowerUsage", "NVML_ERROR_UNKNOWN")
    figures: Given = {
        **WELL,
        "gpu_power_watts": failing,
        "gpu_power_limit_watts": failing,
        "gpu_utilization_ratio": UNSUPPORTED,
    }
    machine = of(look(gpu(0, figures), gpu(1, figures)))
    (gap,) = machine.absent
    assert (gap.collector, gap.failed, gap.partly) == ("gpu", False, True)
    assert gap.reason.startswith("GPU 0-1: gpu_power_watts and 1 more: the driver failed (nvmlDeviceGetPowerUsage: ")
