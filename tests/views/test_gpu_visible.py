"""CUDA_VISIBLE_DEVICES in `bongsu top`: what a CUDA program would be given, and in words what of the value counts for nothing."""

from __future__ import annotations

import json

import msgspec
import pytest

from bongsu.model.summary import GpuInstance
from bongsu.views.gpu_visible import CudaEnvironment, visible
from cli.command import bongsu
from views.test_top_gpu import WELL

_ONES = tuple(
    GpuInstance(f"3_{gi}_0", f"MIG-{gi}000abcd-0000-4000-8000-000000000003", str(gi), "1g", 1.0, None, None)
    for gi in (1, 7)
)
GPUS = (
    *(
        msgspec.structs.replace(WELL, index=str(n), uuid=f"GPU-{n}{n}aa0000-0000-4000-8000-00000000000{n}")
        for n in range(3)
    ),
    msgspec.structs.replace(WELL, index="3", uuid="GPU-1baa0000-0000-4000-8000-000000000003", instances=_ONES),
)


@pytest.mark.parametrize(
    ("value", "gpus", "problem"),
    [
        (None, ("0", "1", "2", "3"), ""),
        ("2,0", ("2", "0"), ""),
        (" 1 , 2 ", ("1", "2"), ""),
        ("", (), "it is empty"),
        ("-1", (), "`-1` is not here (0 to 3), CUDA gives none"),
        ("0,2,-1,1", ("0", "2"), "`-1` is not here (0 to 3), CUDA gives 0,2"),
        ("0,9,1", ("0",), "`9` is not here (0 to 3), CUDA gives 0"),
        ("0,,1", ("0",), "neither a number nor a UUID"),
        ("1x,2", ("1", "2"), ""),
        ("0,1,0", (), "GPU 0 stands there twice"),
        ("all", (), "neither a number nor a UUID"),
        ("GPU-00aa,GPU-22AA", ("0", "2"), ""),
        ("GPU-1", (), "is how several begin"),
        ("GPU-1b", ("3",), ""),
        ("GPU-ff", (), "is not here, CUDA gives none"),
        ("0,GPU-11aa", ("0",), "mixes numbers and UUIDs"),
        ("GPU-11aa,0", ("1",), "mixes numbers and UUIDs"),
        ("GPU-00aa,GPU-00", (), "GPU 0 stands there twice"),
        ("MIG-7000abcd-0000-4000-8000-000000000003", ("3_7_0",), ""),
        ("MIG-GPU-1baa0000-0000-4000-8000-000000000003/1/0", ("3_1_0",), ""),
        ("MIG-GPU-1baa0000-0000-4000-8000-000000000003/2/0", (), "is not here, CUDA gives none"),
    ],
)
def test_what_cannot_be_ends_the_list(value: str | None, gpus: tuple[str, ...], problem: str) -> None:
    """Numbers or shortened UUIDs in their order; nothing after a wrong one, nothing at all if one is named twice."""
    found = visible(CudaEnvironment(value), GPUS)
    assert found.gpus == gpus
    assert problem in found.problem
    assert bool(problem) is bool(found.problem)


def test_a_device_stands_for_its_instances_and_not_the_other_way_round() -> None:
    """Of a visible instance only its own processes are shown, and the line of its device."""
    whole, one = visible(CudaEnvironment("3"), GPUS), visible(CudaEnvironment("MIG-7000"), GPUS)
    assert [(whole.shows(gpu), one.shows(gpu)) for gpu in ("3", "3_1_0", "3_7_0", "30", "1")] == [
        (True, False), (True, False), (True, True), (False, False), (False, False),
    ]  # fmt: skip
    assert [gpu.index for gpu in one.of(GPUS)] == ["3"]
    assert [gpu.index for gpu in visible(CudaEnvironment("2,0"), GPUS).of(GPUS)] == ["0", "2"]


def test_numbers_are_only_certain_where_cuda_counts_as_the_driver_does() -> None:
    """With GPUs of two models and no order given, CUDA counts the fastest first: that is said, not guessed."""
    mixed = (*GPUS[:2], msgspec.structs.replace(GPUS[2], name="T4"))
    assert "CUDA_DEVICE_ORDER=PCI_BUS_ID" in visible(CudaEnvironment("0"), mixed).problem
    assert visible(CudaEnvironment("0", by_bus=True), mixed).problem == ""
    assert visible(CudaEnvironment("GPU-00"), mixed).problem == ""


def test_a_value_cannot_steer_the_terminal() -> None:
    """Whatever stands in the variable, what is said of it is one printable line."""
    assert visible(CudaEnvironment("0,\x1b]0;owned\x07\n"), GPUS).problem.isprintable()


def test_a_page_and_json_show_the_visible_only() -> None:
    """`--only-visible` leaves out lines of GPUs, processes and owners alike, and says what is wrong with the value."""
    text = bongsu("top", "--demo", "--gpu", "--only-visible", env={"CUDA_VISIBLE_DEVICES": "5,9"}).stdout
    assert "\ngpu5 " in text
    assert "\ngpu4 " not in text
    assert "411002" in text
    assert "305100" not in text
    assert "`9` is not here (0 to 7), CUDA gives 5" in text
    told = json.loads(bongsu("top", "--demo", "--json", "--only-visible", env={"CUDA_VISIBLE_DEVICES": "4"}).stdout)
    assert [gpu["index"] for gpu in told["gpus"]] == ["4"]
    assert {one["gpu"] for one in told["gpu_processes"]} == {"4"}
    assert [one["owner"]["kind"] for one in told["gpu_owners"]] == ["pod"]
    assert told["cuda_visible_devices"] == {"value": "4", "gpus": ["4"], "problem": ""}


def test_without_the_variable_all_are_visible(monkeypatch: pytest.MonkeyPatch) -> None:
    """As for CUDA; the page says so, since somebody asked for less."""
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    text = bongsu("top", "--demo", "--gpu", "--only-visible").stdout
    assert "CUDA_VISIBLE_DEVICES is not set: every GPU is visible." in text
    assert "\ngpu4 " in text
