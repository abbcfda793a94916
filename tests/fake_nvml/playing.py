"""Readers of a machine on which the fake library plays a scenario."""

from __future__ import annotations

import time
from collections.abc import Callable

from bongsu.sources.nvml.reader import NvmlReader
from bongsu.sources.nvml.reading import Gap, Gpu, GpuProcess, Instance, Snapshot
from bongsu.sources.root import Machine
from fake_nvml.machine import FakeNvml

LONG = 60.0  # s; what a test waits at most for a state


class Playing:
    """A scenario and a reader of it. A reader made by another call reads the same library."""

    def __init__(self, fake: FakeNvml) -> None:
        self.fake = fake
        self.readers: list[NvmlReader] = []

    def reader(
        self, machine: Machine | None = None, *, patience: float = 20.0, hangs: float = LONG, same: float = 0.0
    ) -> NvmlReader:
        """One that looks each time, and waits long enough for a machine on its knees."""
        one = NvmlReader(machine or Machine.at(), patience=patience, hangs=hangs, same=same)
        self.readers.append(one)
        return one


Play = Callable[..., Playing]


def value(of: Gpu | Instance, name: str, *labels: str) -> float | Gap:
    """One figure by its name and further labels."""
    (found,) = (each.value for each in of.values if (each.name, each.labels) == (name, labels))
    return found


def error(of: float | Gap | None) -> str:
    """NVML's name for why there is no figure."""
    assert isinstance(of, Gap), of
    return of.error


def process(look: Snapshot, pid: int) -> GpuProcess:
    """The one entry of a process."""
    (found,) = (each for each in look.processes if each.pid == pid)
    return found


def until(reader: NvmlReader, wanted: Callable[[Snapshot], bool]) -> Snapshot:
    """Look until a look is as wanted."""
    end = time.monotonic() + LONG
    while time.monotonic() < end:
        look = reader.read()
        if wanted(look):
            return look
        time.sleep(0.02)
    raise AssertionError(f"not in {LONG:g} s; the last look was {look}")
