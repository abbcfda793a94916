"""How many calls a look at the GPUs takes, as the fake library counts them."""

from __future__ import annotations

from pathlib import Path

import pytest

from bongsu.sources.nvml.reader import NvmlReader
from bongsu.sources.nvml.scenario import Device, Instance, Mig, Process, Scenario, Use
from bongsu.sources.root import Machine
from fake_nvml.machine import FakeNvml

DEVICES = (Device(), Device(mig=Mig(instances=(Instance(slot=0, gpu_instance=3),))))
ON = (Use(gpu=0, sm=5.0), Use(gpu=1, gpu_instance=3, compute_instance=0))


def _calls(folder: Path, monkeypatch: pytest.MonkeyPatch, processes: int) -> int:
    """Of the third look and later ones, the least: the waiter for errors makes a call every ten seconds."""
    folder.mkdir()
    made = tuple(Process(pid=1_000_000 + n, on=(ON[n % 2],)) for n in range(processes))
    library = FakeNvml(folder, Scenario(devices=DEVICES, processes=made), measured=True)
    monkeypatch.setenv("LD_LIBRARY_PATH", str(folder))
    reader = NvmlReader(Machine.at(), patience=20.0, same=0.0)
    try:
        for _ in range(2):  # the room for long lists is found in the first
            assert len(reader.read().processes) == processes
        counts = []
        for _ in range(4):
            before, _ = library.spent()
            reader.read()
            counts.append(library.spent()[0] - before)
    finally:
        reader.close()
    return min(counts)


def test_no_call_is_made_for_a_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A look at a thousand processes takes as many calls as one at two, on a whole device and on an instance."""
    few = _calls(tmp_path / "few", monkeypatch, 2)
    assert few > 10
    assert _calls(tmp_path / "many", monkeypatch, 1000) == few
