"""A reload of the agent: what was counted of GPUs goes on, whatever the settings changed."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from bongsu.agent import Setup
from bongsu.cli.serve import Builder
from bongsu.cli.settings_file import load
from bongsu.sources.nvml.reader import reader_of
from bongsu.sources.nvml.scenario import Device, Fault, Process, Scenario, Use, Xid
from fake_nvml.machine import FakeNvml

XID, ENERGY = "gpu_xid_errors_total", "gpu_process_energy_joules_total"
OWNER, DROPPED = "gpu_workload_energy_joules_total", "gpu_exporter_series_dropped_total"
UP = "bongsu_source_up"
LONG = 120.0  # s


class Agent:
    """The setups that an agent runs one after another, by the settings in a file."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "bongsu.yaml"
        self._builder = Builder(lambda: load(str(self._file), {}, ()), page=False)
        self.setup: Setup | None = None

    def reload(self, collectors: str, more: str = "") -> None:
        self._file.write_text(f"port: 0\ncollector_defaults: off\ncollectors: {{{collectors}}}\n{more}")
        before, self.setup = self.setup, self._builder(self.setup)
        if before is not None:
            before.gatherer.close()

    def read(self) -> dict[str, float]:
        """The sum of each metric's series."""
        assert self.setup is not None
        found: dict[str, float] = {}
        batch = self.setup.gatherer.gather()
        for sample in batch.samples:
            found[sample.spec.name] = found.get(sample.spec.name, 0.0) + sample.value
        return found

    def until(self, wanted: Callable[[dict[str, float]], bool]) -> dict[str, float]:
        """Read until it is as wanted."""
        end = time.monotonic() + LONG
        while not wanted(found := self.read()):
            assert time.monotonic() < end, found
            time.sleep(0.1)
        return found

    def close(self) -> None:
        if self.setup is not None:
            self.setup.gatherer.close()
            reader_of(self.setup.kept.machine).close()


@pytest.fixture
def agent(tmp_path: Path) -> Iterator[Agent]:
    """One that has not begun."""
    one = Agent(tmp_path)
    yield one
    one.close()


def _scenario(*xids: float) -> Scenario:
    return Scenario(
        devices=(Device(power=1000.0, xids=tuple(Xid(at=each, xid=48) for each in xids)),),
        processes=(Process(pid=os.getpid(), on=(Use(gpu=0, sm=50.0),)), Process(pid=1, on=(Use(gpu=0, sm=20.0),))),
    )


def test_counters_go_on_over_a_reload(
    agent: Agent, fake_nvml: Callable[..., FakeNvml], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Errors, energy and dropped series are those of the life of the process: a reload neither loses nor repeats any."""
    fake = fake_nvml(_scenario())
    monkeypatch.setenv("LD_LIBRARY_PATH", str(fake.folder))
    agent.reload("gpu: on, gpu_process: {processes: 1}")
    agent.read()
    first = time.time() - fake.start + 0.2
    fake.play(_scenario(first))
    before = agent.until(lambda now: now.get(XID) == 1 and now.get(OWNER, 0.0) > 500 and now[DROPPED] > 0)
    for more in ("", "owners: {environment: off}\n"):
        agent.reload("gpu: {count: 1}, gpu_process: {processes: 1, command_lines: on}", more)
        after = agent.read()
        assert after[XID] == 1
        for name in (ENERGY, OWNER, DROPPED):
            assert after[name] >= before[name] > 0
        before = after
    fake.play(_scenario(first, time.time() - fake.start + 0.2))
    assert agent.until(lambda now: now.get(XID, 0.0) > 1)[XID] == 2


def test_a_driver_that_went_is_a_failure_after_a_reload_too(
    agent: Agent, fake_nvml: Callable[..., FakeNvml], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was here and is gone is down, with its reason, as long as the agent lives; it is not said that none was here."""
    fake = fake_nvml(_scenario())
    monkeypatch.setenv("LD_LIBRARY_PATH", str(fake.folder))
    agent.reload("gpu: on, gpu_process: on")
    agent.until(lambda now: now.get(UP) == 1)
    fake.play(replace(_scenario(), errors=(Fault(call="*", error="NVML_ERROR_DRIVER_NOT_LOADED"),)))
    agent.until(lambda now: now[UP] == 0)
    agent.reload("gpu: {count: 1}, gpu_process: {command_lines: on}")
    assert agent.until(lambda now: UP in now)[UP] == 0
    assert agent.setup is not None
    for outcome in agent.setup.gatherer.gather().outcomes:
        if outcome.collector.startswith("gpu"):
            assert outcome.no_data is None
            assert "DRIVER_NOT_LOADED" in str(outcome.error)


def test_a_made_up_machine_goes_on_over_a_reload_and_another_begins_anew(agent: Agent, tmp_path: Path) -> None:
    """A scenario is not begun again; one whose file was written again is another."""
    file, settings = tmp_path / "demo.yaml", f"demo: {tmp_path}/demo.yaml\n"
    file.write_text("devices: [{energy_start: 5, power: 1000}]\n")
    agent.reload("gpu: on", settings)
    machine = agent.setup.kept.machine if agent.setup else None
    before = agent.until(lambda now: now.get("gpu_energy_joules_total", 0.0) > 500)
    agent.reload("gpu: {count: 1}", settings)
    assert agent.setup is not None
    assert agent.setup.kept.machine is machine
    assert agent.read()["gpu_energy_joules_total"] >= before["gpu_energy_joules_total"]
    file.write_text("devices: [{energy_start: 5, power: 1000}, {}]\n")
    agent.reload("gpu: on", settings)
    assert agent.setup.kept.machine is not machine
    assert agent.read()["gpu_up"] == 2
