"""What is said of GPUs, on trees of machines with and without them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml

import bongsu.render
from bongsu.collectors import gpu_none
from bongsu.collectors.gpu import GpuCollector
from bongsu.collectors.gpu_gaps import cure
from bongsu.model.batch import Sample, Why
from bongsu.model.errors import NoData
from bongsu.model.message import Message
from bongsu.sources import nvidia
from bongsu.sources.nvml.reading import Gap
from bongsu.sources.root import Machine
from bongsu.sources.sysfs import pci
from gpu_by_hand import Looks, look
from kernel_tree import Tree

LIBRARY = "usr/lib/x86_64-linux-gnu/libnvidia-ml.so.1"
NONE = "no GPU here: no PCI display or 3D device of NVIDIA, AMD or Intel, and no /dev/nvidia0"


def device(address: str, kind: str, vendor: str) -> Mapping[str, str]:
    """The files of one PCI device."""
    at = f"sys/bus/pci/devices/{address}"
    return {f"{at}/class": f"{kind}\n", f"{at}/vendor": f"{vendor}\n"}


def said(path: Path, *files: Mapping[str, str] | Mapping[str, str | bytes]) -> tuple[str, str]:
    """What the collector says of a machine with these files, and the cure."""
    tree = Tree(path)
    for each in files:
        tree.write(each)
    with pytest.raises(NoData) as caught:
        list(GpuCollector(tree.machine).collect())
    return str(caught.value), str(caught.value.cure or "")


def test_a_machine_without_gpus_says_so(tmp_path: Path) -> None:
    """A network card of NVIDIA, a virtual display, and a damaged device are no GPUs."""
    files: tuple[Mapping[str, str], ...] = (
        device("0000:00:01.0", "0x020000", "0x10de"), device("0000:00:02.0", "0x030000", "0x1234"),
        {"sys/bus/pci/devices/0000:00:03.0/class": "?"}, {"root/dev/nvidiactl": ""},
    )  # fmt: skip
    assert said(tmp_path / "some", *files) == (NONE, "")
    assert said(tmp_path / "no") == (NONE, "")


@pytest.mark.parametrize("kind", ["0x030000", "0x030200", "0x120000"])
def test_a_gpu_without_its_driver_has_a_cure(tmp_path: Path, kind: str) -> None:
    """VGA, 3D and accelerator count; the library that is missing is named."""
    sentence, helps = said(tmp_path, device("0000:17:00.0", kind, "0x10de"), device("0000:65:00.0", kind, "0x10de"))
    assert sentence == "no GPU driver for 2 NVIDIA: libnvidia-ml.so.1 is not installed"
    assert helps == "install NVIDIA's driver on this machine"


@pytest.mark.parametrize(
    "files",
    [
        {f"root/{LIBRARY}": ""},
        {"root/usr/local/nvidia/lib64/libnvidia-ml.so.1": ""},
        {"root/run/nvidia/driver/usr/lib64/libnvidia-ml.so.1": ""},
        {"root/opt/odd/libnvidia-ml.so.1": "", "root/etc/ld.so.cache": b"glibc\0\xff\0libnvidia-ml.so.1\0/opt/odd/libnvidia-ml.so.1\0"},
    ],
)  # fmt: skip
def test_the_library_of_another_machine_is_not_read(tmp_path: Path, files: dict[str, str | bytes]) -> None:
    """The library is found in the usual folders and where the linker's cache has it; nodes count without the bus."""
    nodes = {"root/dev/nvidia0": "", "root/dev/nvidia12": "", "root/dev/nvidia-uvm": ""}
    assert said(tmp_path, files, nodes)[0].startswith("2 NVIDIA: these are the files of another machine")


def test_a_name_in_the_cache_is_no_library(tmp_path: Path) -> None:
    """The driver was taken away and the linker's cache not made anew."""
    files: dict[str, str | bytes] = {"root/dev/nvidia0": "", "root/etc/ld.so.cache": b"\0/opt/odd/libnvidia-ml.so.1\0"}
    assert said(tmp_path, files)[0] == "no GPU driver for 1 NVIDIA: libnvidia-ml.so.1 is not installed"


def test_other_vendors_are_named(tmp_path: Path) -> None:
    """AMD and Intel by their PCI vendor."""
    amd, intel = device("0000:03:00.0", "0x038000", "0x1002"), device("0000:00:02.0", "0x030000", "0x8086")
    assert said(tmp_path, amd, intel) == ("1 AMD, 1 Intel: this version reads GPUs of NVIDIA only", "")


MISSING = "NVML_ERROR_LIBRARY_NOT_FOUND"


def test_a_container_without_the_drivers_library_has_a_cure(tmp_path: Path) -> None:
    """The machine has GPU and driver; the library is not where this process runs."""
    tree = Tree(tmp_path)
    tree.write({"root/dev/nvidia0": "", f"root/{LIBRARY}": ""})
    reader = Looks(look(error=Gap(Why.MISSING, "dlopen libnvidia-ml.so.1", MISSING)))
    with pytest.raises(NoData) as caught:
        list(GpuCollector(tree.machine, reader).collect())
    assert str(caught.value).startswith(
        "1 NVIDIA: NVIDIA's library is not here (dlopen libnvidia-ml.so.1: NVML_ERROR_LIBRARY"
    )
    for place in (
        "plain machine install NVIDIA's driver",
        "Docker start with `--gpus all --pid host`",
        "in a pod see gpu.access",
    ):
        assert place in str(caught.value.cure)


@pytest.mark.parametrize("error", [MISSING, "NVML_ERROR_DRIVER_NOT_LOADED", "NVML_ERROR_NO_PERMISSION"])
def test_a_driver_that_is_not_here_has_a_cure_for_each_kind_of_place(error: str) -> None:
    """A plain machine, Docker, and a pod, whose key is one of the chart's values."""
    values = yaml.safe_load((Path(bongsu.render.__file__).parent / "chart" / "values.yaml").read_text())
    helps = str(cure(Gap(Why.MISSING, "nvmlInit", error)))
    for words in (
        "run as root" if "PERMISSION" in error else "on a plain machine",
        "in Docker",
        "`--gpus all --pid host`",
        "pod",
    ):
        assert words in helps
    keys = re.findall(r"gpu\.(\w+)", helps)
    assert "access" in keys
    assert set(keys) <= values["gpu"].keys()


def test_our_own_files_may_be_a_containers(monkeypatch: pytest.MonkeyPatch) -> None:
    """A GPU on the bus and no library beside us: the driver is missing, or the runtime did not bring it."""
    monkeypatch.setattr(pci, "displays", lambda _: [SimpleNamespace(vendor=0x10DE)])
    monkeypatch.setattr(nvidia, "has_library", lambda _: False)
    reader = Looks(look(error=Gap(Why.MISSING, "dlopen libnvidia-ml.so.1", MISSING)))
    with pytest.raises(NoData) as caught:
        list(GpuCollector(Machine.at(), reader).collect())
    assert str(caught.value).endswith("NVIDIA: libnvidia-ml.so.1 is not installed")
    assert "in a pod see gpu.access" in str(caught.value.cure)


@pytest.mark.parametrize(
    ("files", "lacking", "cure"),
    [
        ({}, "; there is no /dev/nvidiactl and no /dev/nvidia0", "modprobe nvidia"),
        ({"root/dev/nvidia3": ""}, "; there is no /dev/nvidiactl", "modprobe nvidia"),
        ({"root/dev/nvidiactl": "", "sys/module/nvidia/version": "580.95\n"}, "; there is no /dev/nvidia0", "in a pod see gpu.access"),
        ({"root/dev/nvidiactl": "", "root/dev/nvidia0": ""}, "", "modprobe nvidia"),
    ],
)  # fmt: skip
def test_a_driver_that_is_not_loaded_is_named(tmp_path: Path, files: dict[str, str], lacking: str, cure: str) -> None:
    """The library is here, its kernel module is not: both are said, the device files that are missing, and what helps."""
    gap = Gap(Why.MISSING, "nvmlInit", "NVML_ERROR_DRIVER_NOT_LOADED")
    tree = Tree(tmp_path)
    tree.write(files)
    with pytest.raises(NoData) as caught:
        list(GpuCollector(tree.machine, Looks(look(error=gap))).collect())
    assert str(caught.value) == f"NVIDIA's driver is not loaded (nvmlInit: NVML_ERROR_DRIVER_NOT_LOADED){lacking}"
    assert cure in str(caught.value.cure)


def test_a_driver_and_its_binding_that_are_both_missing_are_both_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who installs the driver and then reads nothing would come a second time."""
    monkeypatch.setattr(gpu_none, "find_spec", lambda _: None)
    assert said(tmp_path, device("0000:17:00.0", "0x030000", "0x10de"))[1].endswith("pip install 'bongsu[gpu]'")


def test_a_package_that_is_not_installed_has_a_cure(tmp_path: Path) -> None:
    """Told also where no GPU is on the bus, as in WSL; the source is down, since there is one."""
    finding, helps = Message("nvidia-ml-py is not installed"), Message("pip install 'bongsu[gpu]'")
    gap = Gap(Why.MISSING, "import pynvml", "nvidia-ml-py is not installed")
    collector = GpuCollector(Tree(tmp_path).machine, Looks(look(error=gap, finding=finding, cure=helps)))
    found = collector.collect()
    first = next(found)
    assert isinstance(first, Sample)
    assert (first.spec.name, first.value) == ("bongsu_source_up", 0)
    with pytest.raises(NoData, match=r"^nvidia-ml-py is not installed$") as caught:
        list(found)
    assert str(caught.value.cure) == "pip install 'bongsu[gpu]'"
