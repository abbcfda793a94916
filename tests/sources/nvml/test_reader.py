"""The reader, where there is no driver to ask, and where what there is cannot be used."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import time
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bongsu.model.batch import Why
from bongsu.sources import nvidia, worker
from bongsu.sources.nvml import reader as module
from bongsu.sources.nvml.reader import NvmlReader, reader_of
from bongsu.sources.nvml.scenario import Device, Scenario
from bongsu.sources.nvml.values import DEVICE_VALUES, INSTANCE_VALUES
from bongsu.sources.root import Machine
from fake_nvml.machine import FakeNvml


@pytest.fixture
def reader() -> Iterator[NvmlReader]:
    """A reader of this machine that looks each time it is asked."""
    one = NvmlReader(Machine.at(), patience=20.0, same=0.0)
    yield one
    one.close()


@pytest.fixture
def some_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Something of the library's name, so that a child is started."""
    (tmp_path / nvidia.LIBRARY).write_bytes(b"not a library")
    monkeypatch.setenv("LD_LIBRARY_PATH", str(tmp_path))


def binding(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    """What `import pynvml` finds in the child."""
    folder = tmp_path / "modules"
    folder.mkdir()
    (folder / "pynvml.py").write_text(text)
    monkeypatch.syspath_prepend(str(folder))


def test_without_a_library_no_child_is_started(reader: NvmlReader, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without NVIDIA's library pays nothing for it, and the answer says that it is missing."""
    monkeypatch.setattr(module, "_has_library", lambda: False)
    look = reader.read()
    assert look.error is not None
    assert look.error.why is Why.MISSING
    assert "LIBRARY_NOT_FOUND" in look.error.error
    assert look.gpus == ()
    assert reader.pids == ()


@pytest.mark.usefixtures("some_library")
def test_a_library_that_cannot_be_loaded_is_missing(reader: NvmlReader) -> None:
    """What bears the name and is none is said to be there and of no use, and the child does not stay."""
    look = reader.read()
    assert look.error is not None
    assert look.error.why is Why.MISSING
    assert "is here, but cannot be loaded" in str(look.finding)
    assert "ldd" in str(look.cure)
    assert reader.pids == ()


@pytest.mark.usefixtures("some_library")
def test_without_the_package_the_cure_is_told(
    reader: NvmlReader, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where nvidia-ml-py is not installed the sentence names it, and how to install it."""
    binding(tmp_path, monkeypatch, "raise ImportError")
    look = reader.read()
    assert look.error is not None
    assert look.error.why is Why.MISSING
    assert "nvidia-ml-py" in str(look.finding)
    assert "bongsu[gpu]" in str(look.cure)


@pytest.mark.usefixtures("some_library")
def test_another_package_of_the_name_is_not_used(
    reader: NvmlReader, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two packages bring a module pynvml: the wrong one is recognised and told."""
    binding(tmp_path, monkeypatch, "def nvmlInit(): pass")
    look = reader.read()
    assert look.error is not None
    assert look.error.why is Why.MISSING
    assert "not the one of nvidia-ml-py" in str(look.finding)
    assert "uninstall" in str(look.cure)


def test_files_of_another_machine_do_not_show_the_gpus_of_this_one(tmp_path: Path) -> None:
    """With a captured tree in place of /proc this machine's GPUs are not asked."""
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc/stat").write_text("cpu 1 2 3 4\n")
    machine = Machine.at(str(tmp_path / "proc"))
    look = reader_of(machine).read()
    assert look.error is not None
    assert look.error.why is Why.MISSING


def test_one_machine_has_one_reader() -> None:
    """All collectors share a reader, and thereby its looks."""
    machine = Machine.at()
    assert reader_of(machine) is reader_of(machine)
    assert reader_of(machine) is not reader_of(Machine.at())


def test_a_reader_ends_with_its_machine(fake_nvml: Callable[..., FakeNvml], monkeypatch: pytest.MonkeyPatch) -> None:
    """A reload of the settings makes another machine: the reader of the old one, and the child that asks, are gone."""
    fake = fake_nvml(Scenario(devices=(Device(),)))
    monkeypatch.setenv("LD_LIBRARY_PATH", fake.environment["LD_LIBRARY_PATH"])
    machine = Machine.at()
    reader = reader_of(machine)
    assert isinstance(reader, NvmlReader)
    reader.read()
    pids = reader.pids
    assert pids
    gone = weakref.ref(reader)
    del machine, reader
    gc.collect()
    assert gone() is None
    end = time.monotonic() + 60
    while any(os.path.exists(f"/proc/{pid}") for pid in pids):
        assert time.monotonic() < end
        time.sleep(0.02)
        worker._reap()  # as whoever starts or ends a child does


def test_the_reader_loads_nothing_of_the_driver() -> None:
    """Only the child imports the binding or ctypes for it."""
    code = (
        "import sys; import bongsu.sources.nvml.reader; "
        "print([name for name in sys.modules if name in {'pynvml', 'ctypes'} or name.endswith(('.child', '.calls'))])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_child_imports_no_more_of_ours_than_it_needs() -> None:
    """Each module costs memory on every machine with a GPU: msgspec and the model stay with the parent."""
    code = (
        "import sys; import bongsu.sources.nvml.child; "
        "print([name for name in sys.modules if 'msgspec' in name or name.startswith('bongsu.model')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_no_figure_is_listed_twice() -> None:
    """A metric and its labels name one figure."""
    assert len(set(DEVICE_VALUES)) == len(DEVICE_VALUES)
    assert set(INSTANCE_VALUES) <= set(DEVICE_VALUES)
