"""GPU processes and their owners: CPU time of a cycle with 64 and with 1 000 processes, and of one that is new.

Looks at eight GPUs are made up, one of them divided into seven instances; the processes are real, in real cgroups of
kubelet's and Slurm's shapes, made as root. Goals: 5 ms a cycle with 64 processes, 15 ms with 1 000. The driver's own
time is not in it.
"""

from __future__ import annotations

import statistics
import sys
import time
from pathlib import Path
from unittest import mock

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from bongsu.collectors.gpu_process import GpuProcessCollector
from bongsu.owners import resolver
from bongsu.pipeline import Gatherer
from bongsu.sinks.exposition import Exposition
from bongsu.sources.nvml.reading import Gpu, GpuProcess
from bongsu.sources.root import Machine
from gpu_looks import GIB, UNSUPPORTED, Looks, device, instance, look, process
from measure import spread
from real_cgroups import cgroups

ROUNDS = 15
GOALS = {64: 5.0, 1000: 15.0}


def _path(number: int) -> str:
    pod = f"{number:08x}-8815-4ef0-9a2e-f9e37b89da55"
    return f"kubepods/burstable/pod{pod}/{number:064x}" if number % 2 else f"slurm_node1/uid_1000/job_{number}/step_0"


def _gpus(turn: int) -> tuple[Gpu, ...]:
    slices = tuple(instance(n) for n in range(7, 14))
    return tuple(
        device(index, energy=1000.0 * turn * (index + 1), instances=slices if index == 7 else ()) for index in range(8)
    )


def _processes(pids: list[int], turn: int) -> tuple[GpuProcess, ...]:
    return tuple(
        process(pid, 7, on=(7 + n // 8 % 7, 0), memory=GIB + n, sm=UNSUPPORTED)
        if n % 8 == 7
        else process(pid, n % 8, memory=GIB + n * 1000 + turn, sm=0.001 * (n % 50))
        for n, pid in enumerate(pids)
    )


def _cycles(machine: Machine, pids: list[int]) -> tuple[list[float], float, list[float]]:
    """Milliseconds of CPU: of each cycle, of the first one, and of writing the text."""
    looks = Looks()
    collector = GpuProcessCollector(machine, looks)
    gatherer, exposition = Gatherer([collector]), Exposition()
    cycles: list[float] = []
    texts: list[float] = []
    for turn in range(ROUNDS + 1):
        looks.now = look(_gpus(turn), *_processes(pids, turn))
        before = time.process_time()
        samples = sum(1 for _ in collector.collect())
        cycles.append((time.process_time() - before) * 1e3)
        batch = gatherer.gather()
        before = time.process_time()
        exposition.text(batch)
        texts.append((time.process_time() - before) * 1e3)
    print(f"{len(pids)} processes: {samples} samples, absences and tables")
    gatherer.close()
    return cycles[1:], cycles[0], texts[1:]


def main() -> int:
    """Print the medians; 1 if a goal is missed."""
    machine = Machine.at()
    missed = False
    # A process in its first 10 s is looked at anew in each cycle; these stand for old ones.
    with cgroups() as made, mock.patch.object(resolver, "_YOUNG_SECONDS", 0.0):
        pids = [made.sleeper(_path(number // 8), made.first) for number in range(max(GOALS))]
        for count, goal in GOALS.items():
            cycles, first, texts = _cycles(machine, pids[:count])
            met = statistics.median(cycles) <= goal
            missed |= not met
            print(
                f"a cycle: {spread(cycles)} ms, goal ≤ {goal:g} ms: {'met' if met else 'NOT MET'}; "
                f"the first, with all of them new: {first:.1f} ms; the text: {spread(texts)} ms"
            )
    return int(missed)


if __name__ == "__main__":
    sys.exit(main())
