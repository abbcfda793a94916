"""What the tests of the reader share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from bongsu.sources.nvml.scenario import Scenario
from fake_nvml.machine import FakeNvml
from fake_nvml.playing import Play, Playing


@pytest.fixture
def play(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Play]:
    """Makes a `Playing`: from a scenario, with the time stopped at ``frozen`` s if given."""
    made: list[Playing] = []

    def make(scenario: Scenario, frozen: float | None = None) -> Playing:
        folder = tmp_path / f"library{len(made)}"
        folder.mkdir()
        monkeypatch.setenv("LD_LIBRARY_PATH", str(folder))
        made.append(Playing(FakeNvml(folder, scenario, frozen)))
        return made[-1]

    yield make
    for playing in made:
        for reader in playing.readers:
            reader.close()
