"""What timing a function costs a program, beside yappi, cProfile and line_profiler: CPU time of each call, in turns, in one run.

Each is measured in a process of its own, on the same function that does nothing; what the bare call takes is
subtracted. The CPU clock of `timed` is read when 30 µs have passed, its exact mode reads it at each call, as yappi does.
Beside that: what a coroutine that sleeps is charged while another one computes, and what `timed` costs where nothing
is recorded.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from measure import spread, verdict

CALLS, ROUNDS = 200_000, 7
GOAL, ASYNC_GOAL = 0.6, 0.01
LOOP = f"""
import json, sys, time
def bare(): pass
def cost(function):
    before = time.thread_time()
    for _ in range({CALLS}): function()
    return (time.thread_time() - before) / {CALLS} * 1e9
cost(bare)
"""
WAYS = {
    "bongsu": "from bongsu.emit import timed\n@timed\ndef empty(): pass",
    "bongsu, exact": "from bongsu.emit import timed\n@timed(exact=True)\ndef empty(): pass",
    "bongsu, nothing recorded": "from bongsu.emit import timed\n@timed\ndef empty(): pass",
    "yappi, CPU": "import yappi\nyappi.set_clock_type('cpu')\ndef empty(): pass\nyappi.start(builtins=False)",
    "yappi, wall": "import yappi\nyappi.set_clock_type('wall')\ndef empty(): pass\nyappi.start(builtins=False)",
    "cProfile, wall": "import cProfile\nprofile = cProfile.Profile()\ndef empty(): pass\nprofile.enable(builtins=False)",
    "line_profiler": "import line_profiler\nprofile = line_profiler.LineProfiler()\n@profile\ndef empty(): pass",
}
ASYNC = """
import asyncio, time
from bongsu.emit import timed
@timed
async def sleeper():
    for _ in range(20): await asyncio.sleep(0.02)
@timed
async def hog():
    for _ in range(40):
        end = time.thread_time() + 0.01
        while time.thread_time() < end: pass
        await asyncio.sleep(0)
async def main(): await asyncio.gather(sleeper(), hog())
asyncio.run(main())
"""


def _run(text: str, folder: str = "") -> str:
    environment = {key: value for key, value in os.environ.items() if not key.startswith("BONGSU_")}
    if folder:
        environment["BONGSU_RUN_DIR"] = folder
    return subprocess.run(
        [sys.executable, "-c", text], env=environment, stdout=subprocess.PIPE, text=True, check=True
    ).stdout


def _nanoseconds(way: str) -> float:
    """CPU time of one call, less that of a bare one in the same process."""
    setup = "bare_cost = min(cost(bare) for _ in range(3))\n" + WAYS[way]
    with tempfile.TemporaryDirectory() as folder:
        text = f"{LOOP}\n{setup}\ncost(empty)\nprint(json.dumps(cost(empty) - bare_cost))\nsys.stdout.flush()\nimport os; os._exit(0)"
        return float(json.loads(_run(text, folder if way in {"bongsu", "bongsu, exact"} else "")))


def _ratio(costs: dict[str, list[float]], way: str) -> float:
    """To yappi's CPU mode, of those measured one after the other."""
    return statistics.median(one / anchor for one, anchor in zip(costs[way], costs["yappi, CPU"], strict=True))


def main() -> None:
    """Print what a call costs each, the ratio to yappi's CPU mode, and how well coroutines are told apart."""
    costs: dict[str, list[float]] = {way: [] for way in WAYS}
    for _ in range(ROUNDS):
        for way, some in costs.items():
            some.append(_nanoseconds(way))
    print(
        f"load {os.getloadavg()[0]:.1f}, {CALLS} calls of a function that does nothing; ns CPU a call over a bare one"
    )
    for way, some in costs.items():
        print(f"{way}: {spread(some)} ns")
    print(f"timed over yappi, CPU: {verdict(_ratio(costs, 'bongsu'), GOAL)}")
    print(f"timed in its exact mode over yappi, CPU: {_ratio(costs, 'bongsu, exact'):.2f}")
    with tempfile.TemporaryDirectory() as folder:
        _run(ASYNC, folder)
        from bongsu.records.functions import read  # noqa: PLC0415  what is measured is not to have it

        stats = read(folder).stats
        size = sum(path.stat().st_size for path in Path(folder).iterdir())
    sleeper, hog = stats["sleeper"].cpu_time or 0.0, stats["hog"].cpu_time or 0.0
    print(
        f"a coroutine that sleeps beside one that computes {hog:.3f} s: charged {sleeper:.4f} s in its 21 steps; {size} bytes written"
    )
    print(f"error of the one that computes its 0.4 s: {verdict(abs(hog - 0.4) / 0.4, ASYNC_GOAL)}")


if __name__ == "__main__":
    main()
