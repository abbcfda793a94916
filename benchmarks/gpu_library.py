"""Reading 8 GPUs, one in 7 slices, with 64 processes, through the fake library: our CPU time beside the library's own.

The library counts its CPU time, so that the rest, in the child and here, is ours. No driver is as fast: on a real
machine the library's part is larger, ours is not. Goals: 5 ms a look, and no call for a process: with a thousand of
them as many calls as with one on each GPU.
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

import msgspec

from bongsu.sources.nvml import demo, scenario_file
from bongsu.sources.nvml.reader import NvmlReader
from bongsu.sources.nvml.scenario import Process, Scenario, Use
from bongsu.sources.root import Machine
from fake_nvml.machine import FakeNvml
from measure import exact_cpu_seconds, spread

LOOKS = 40  # in each of the rounds
ROUNDS = 9
GOAL = 5.0
COUNTS = (1, 8, 64, 1000)


def _calls(scenario: Scenario, processes: int) -> float:
    """Calls that a look takes with so many processes, dealt to the eight GPUs and the slices of the last."""
    made = []
    for number in range(processes):
        gpu = number % len(scenario.devices)
        mig = scenario.devices[gpu].mig
        one = mig.instances[number // len(scenario.devices) % len(mig.instances)] if mig else None
        use = Use(
            gpu=gpu, sm=5.0, gpu_instance=one.gpu_instance if one else None,
            compute_instance=one.compute_instance if one else None,
        )  # fmt: skip
        made.append(Process(pid=1_000_000 + number, on=(use,)))
    with tempfile.TemporaryDirectory() as folder:
        machine = FakeNvml(Path(folder), msgspec.structs.replace(scenario, processes=tuple(made)), measured=True)
        os.environ["LD_LIBRARY_PATH"] = folder
        reader = NvmlReader(Machine.at(), patience=30.0, same=0.0)
        assert len(reader.read().processes) == processes
        counts = []
        for _ in range(LOOKS // 2):
            before, _ = machine.spent()
            reader.read()
            counts.append(machine.spent()[0] - before)
        reader.close()
    return statistics.median(counts)


def main() -> int:
    """Print the medians; 1 if the goal is missed."""
    scenario = scenario_file.load(demo.SHIPPED)
    always = tuple(msgspec.structs.replace(process, after=0.0, until=None) for process in scenario.processes)
    scenario = msgspec.structs.replace(scenario, processes=always)
    with tempfile.TemporaryDirectory() as folder:
        machine = FakeNvml(Path(folder), scenario, measured=True)
        os.environ["LD_LIBRARY_PATH"] = folder
        reader = NvmlReader(Machine.at(), patience=30.0, same=0.0)
        look = reader.read()
        rounds: list[tuple[float, float, float, float]] = []
        for _ in range(ROUNDS):
            calls, library = machine.spent()
            child, here = exact_cpu_seconds(*reader.pids), time.process_time()
            for _ in range(LOOKS):
                look = reader.read()
                time.sleep(0.005)
            after_calls, after_library = machine.spent()
            rounds.append(
                (
                    (after_calls - calls) / LOOKS,
                    (after_library - library) / LOOKS * 1e3,
                    (exact_cpu_seconds(*reader.pids) - child) / LOOKS * 1e3,
                    (time.process_time() - here) / LOOKS * 1e3,
                )
            )
        reader.close()
    _, in_library, in_child, here_ms = ([one[part] for one in rounds] for part in range(4))
    ours = [child - library + here for library, child, here in zip(in_library, in_child, here_ms, strict=True)]
    print(f"{len(look.gpus)} GPUs, {len(look.processes)} processes: {rounds[-1][0]:.0f} calls a look")
    print(f"in the library: {spread(in_library)} ms a look")
    print(f"in the child:   {spread(in_child)} ms CPU a look, the library's included")
    print(f"here:           {spread(here_ms)} ms CPU a look")
    met = statistics.median(ours) <= GOAL
    print(f"ours: {spread(ours)} ms CPU a look, goal ≤ {GOAL:g} ms: {'met' if met else 'NOT MET'}")
    counts = {count: _calls(scenario, count) for count in COUNTS}
    few, many = COUNTS[1], COUNTS[-1]
    each = (counts[many] - counts[few]) / (many - few)
    print("calls a look: " + ", ".join(f"{found:.0f} with {count} processes" for count, found in counts.items()))
    print(f"calls for each process: {each:g}, goal 0: {'met' if each == 0 else 'NOT MET'}")
    return 0 if met and each == 0 else 1


if __name__ == "__main__":
    sys.exit(main())
