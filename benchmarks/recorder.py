"""What recording a program costs and how much of its CPU time is found, beside psrecord, con-duct, mprof, GNU time and perf stat.

Windows are short and scaled to a minute, so that all of it ends within ten minutes. A recorder's cost is its CPU time, with
that of what it starts (con-duct's `ps`), while the children sleep. The truth of a scenario is an inner `perf stat`, whose own
hundredth of a second stands above 100 %.
"""

from __future__ import annotations

import itertools
import json
import math
import os
import shlex
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from bongsu.records import segment
from bongsu.runs.columns import END
from measure import BONGSU

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from run_scenarios import NAMES, scenario

BIN = Path(sys.executable).parent
CHILDREN, WINDOW, LONG_WINDOW, PAIRS, REPEATS = 200, 12.0, 61.0, 60, 3
GOALS = {1.0: 0.25, 0.2: 1.0}  # CPU s for each minute
_TICK = os.sysconf("SC_CLK_TCK")
_FAMILY = (
    f"import os, time\nfor _ in range({CHILDREN}):\n if os.fork() == 0: time.sleep(3600); os._exit(0)\n"
    "open(__import__('sys').argv[1], 'w').close(); time.sleep(3600)\n"
)
_WORK = (
    "import time\nwall, cpu = time.perf_counter(), time.process_time()\n"
    "total = 0\nfor i in range(6_000_000): total += i * i\n"
    "print(time.perf_counter() - wall, time.process_time() - cpu)\n"
)
_BARE = "import os; print(int(open('/proc/self/statm').read().split()[1]) * os.sysconf('SC_PAGE_SIZE'))"

Command = Callable[[Sequence[str], float, Path], list[str]]


def _bongsu(argv: Sequence[str], interval: float, folder: Path) -> list[str]:
    return [*BONGSU, "run", "--quiet", "--interval", str(interval), "--runs-dir", str(folder), "--", *argv]


def _psrecord(argv: Sequence[str], interval: float, folder: Path) -> list[str]:
    options = ["--include-children", "--interval", str(interval), "--log", str(folder / "log")]
    return [str(BIN / "psrecord"), *options, "exec " + shlex.join(argv)]


def _duct(argv: Sequence[str], interval: float, folder: Path) -> list[str]:
    options = ["--s-i", str(interval), "--r-i", str(max(1.0, interval)), "-c", "none", "-p", f"{folder}/duct_"]
    return [str(BIN / "con-duct"), "run", *options, *argv]


def _mprof(argv: Sequence[str], interval: float, folder: Path) -> list[str]:
    options = ["--nopython", "-C", "-T", str(interval), "-o", str(folder / "log")]
    return [str(BIN / "mprof"), "run", *options, *argv]


def _time(argv: Sequence[str], interval: float, folder: Path) -> list[str]:  # noqa: ARG001  it reads once
    return ["/usr/bin/time", "-f", "%U %S", "-o", str(folder / "log"), *argv]


def _perf(argv: Sequence[str], interval: float, folder: Path) -> list[str]:  # noqa: ARG001  as above
    return ["perf", "stat", "-x,", "-e", "task-clock", "-o", str(folder / "log"), *argv]


TOOLS: dict[str, Command] = {
    "bongsu": _bongsu, "psrecord": _psrecord, "con-duct": _duct, "mprof (memory)": _mprof, "GNU time": _time,
    "perf stat": _perf,
}  # fmt: skip


def _environment() -> dict[str, str]:
    return {**os.environ, "PATH": f"{BIN}:{os.environ['PATH']}"}


def _own_seconds(pid: int) -> float:
    """CPU time of a recorder, and of what it started and waited for (proc_pid_stat(5)); of one thread, to the nanosecond."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    below = (int(fields[13]) + int(fields[14])) / _TICK
    return below + sum(int(path.read_text().split()[0]) for path in Path(f"/proc/{pid}/task").glob("*/schedstat")) / 1e9


def watching(tool: Command, interval: float, window: float = WINDOW) -> tuple[float, float]:
    """A recorder's CPU seconds for each minute of 200 sleeping children, and its resident MiB."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        argv = [sys.executable, "-I", "-S", "-c", _FAMILY, str(folder / "ready")]
        process = subprocess.Popen(
            tool(argv, interval, folder), env=_environment(), cwd=folder, process_group=0, stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            while not (folder / "ready").exists():
                if process.poll() is not None:
                    raise SystemExit(f"the recorder ended with {process.returncode}")
                time.sleep(0.05)
            time.sleep(2.0)
            before, began = _own_seconds(process.pid), time.monotonic()
            time.sleep(window)
            used, took = _own_seconds(process.pid) - before, time.monotonic() - began
            resident = int(Path(f"/proc/{process.pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
        finally:
            _end(process.pid)
            process.wait()
    return used * 60 / took, resident / 2**20


def _end(pid: int) -> None:
    """End a recorder and all that is below it, by number."""
    below = [pid]
    for one in below:
        for path in Path(f"/proc/{one}/task").glob("*/children"):
            below += map(int, path.read_text().split())
    for one in reversed(below):
        try:
            os.kill(one, 9)
        except ProcessLookupError:
            continue


def found(tool: str, name: str) -> float | None:
    """The share of a scenario's true CPU time that a recorder reports, in percent; None if it records none."""
    with tempfile.TemporaryDirectory() as text:
        folder = Path(text)
        group, inner = _group(), folder / "truth"
        try:
            before = ["perf", "stat", "-x,", "-e", "task-clock", "-o", str(inner)]
            if group is not None:
                before = ["/bin/sh", "-c", 'echo 0 > "$0"; exec "$@"', str(group / "cgroup.procs")]
            subprocess.run(
                TOOLS[tool]([*before, *scenario(name, count=100)], 1.0, folder), env=_environment(), cwd=folder, check=False,
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            )  # fmt: skip
            told = _told(tool, folder)
            true = _perf_seconds(inner) if group is None else int((group / "cpuacct.usage").read_text()) / 1e9
        finally:
            if group is not None:
                group.rmdir()
        return None if told is None else told / true * 100


def _group() -> Path | None:
    """A new group of cpuacct below our own (cgroup-v1/cpuacct.rst); None where none may be made."""
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        _, names, path = line.split(":", 2)
        if "cpuacct" in names.split(","):
            group = Path("/sys/fs/cgroup/cpuacct") / path.lstrip("/") / f"bongsu-benchmark-{os.getpid()}"
            try:
                group.mkdir()
            except OSError:
                return None
            return group
    return None


def _perf_seconds(path: Path) -> float:
    return float(path.read_text().splitlines()[-1].split(",")[0]) / 1000


def _told(tool: str, folder: Path) -> float | None:
    if tool == "bongsu":
        (path,) = folder.glob("*/record.seg")
        end = next(record for record in segment.read(str(path)).records if record[0] == "end")
        row = dict(zip(END, end[1:], strict=True))
        return float(row["sources"][row["cpu_source"]])
    if tool == "GNU time":
        return sum(map(float, (folder / "log").read_text().split()[-2:]))
    if tool == "perf stat":
        return _perf_seconds(folder / "log")
    if tool == "psrecord":
        rows = [[float(word) for word in line.split()] for line in (folder / "log").read_text().splitlines()[1:]]
        return sum(b[1] / 100 * (b[0] - a[0]) for a, b in itertools.pairwise(rows))
    if tool == "con-duct":
        told = json.loads((folder / "duct_info.json").read_text())["execution_summary"]
        return float(told["average_pcpu"] or 0) / 100 * float(told["wall_clock_time"])
    return None


def slowdown() -> tuple[list[float], list[float]]:
    """Wall and CPU time of a program under the recorder over that of the same before and after, by its own clocks."""
    plain = [sys.executable, "-I", "-S", "-c", _WORK]
    walls, cpus = [], []
    with tempfile.TemporaryDirectory() as folder:
        recorded = _bongsu(plain, 1.0, Path(folder))
        before = _clocked(plain)
        for _ in range(PAIRS):
            between, after = _clocked(recorded), _clocked(plain)
            walls.append(2 * between[0] / (before[0] + after[0]))
            cpus.append(2 * between[1] / (before[1] + after[1]))
            before = after
    return walls, cpus


def _clocked(argv: list[str]) -> tuple[float, float]:
    wall, cpu = subprocess.run(argv, check=True, capture_output=True, text=True).stdout.split()
    return float(wall), float(cpu)


def interval_of_median(values: Sequence[float]) -> tuple[float, float]:
    """95 % or a little more, by the sign test: the sixth and the fifteenth of twenty values."""
    ordered, count, place = sorted(values), len(values), 0
    while sum(math.comb(count, k) for k in range(place + 2)) / 2**count <= 0.025:
        place += 1
    return ordered[place], ordered[-1 - place]


def main() -> None:
    """Print cost, memory, slowdown, and the share of the truth, with the goals."""
    bare = (
        float(subprocess.run([sys.executable, "-I", "-S", "-c", _BARE], check=True, capture_output=True).stdout) / 2**20
    )
    print(
        f"CPU s for each 60 s of {CHILDREN} sleeping children (least of {REPEATS} windows of {WINDOW:g} s), and resident"
    )
    print(f"MiB above the bare interpreter's {bare:.1f}:\n")
    print(f"{'':16}{'@1 s':>8}{'@0.2 s':>8}{'MiB':>8}")
    cost: dict[tuple[str, float], float] = {}
    memory: dict[str, float] = {}
    turns = list(itertools.product(range(REPEATS), (1.0, 0.2), TOOLS))
    for turn, interval, name in turns:
        if name in ("GNU time", "perf stat") and (interval < 1 or turn):
            continue  # they read only at the end
        if turn and name not in ("bongsu", "psrecord"):
            continue
        used, resident = watching(TOOLS[name], interval)
        cost[name, interval] = min(used, cost.get((name, interval), used))
        memory[name] = max(resident, memory.get(name, 0.0))
    for name in TOOLS:
        fast = cost.get((name, 0.2))
        print(f"{name:16}{cost[name, 1.0]:8.3f}{'' if fast is None else f'{fast:8.3f}':>8}{memory[name] - bare:8.1f}")
    print()
    for interval, goal in GOALS.items():
        used = cost["bongsu", interval]
        print(f"bongsu @{interval:g} s: {used:.3f} CPU s, goal ≤ {goal:g}: {'met' if used <= goal else 'NOT MET'}")
    above, theirs = memory["bongsu"] - bare, memory["psrecord"] - bare
    print(
        f"bongsu's memory: +{above:.1f} MiB, goal ≤ psrecord's +{theirs:.1f}: {'met' if above <= theirs else 'NOT MET'}"
    )
    rare = watching(_bongsu, 60.0, LONG_WINDOW)[0] / 60
    print(f"bongsu @60 s, its first minute with the first reading: {rare:.4%} of a core (a day: recorder_day.py)")
    walls, cpus = slowdown()
    for what, ratios in (("wall", walls), ("CPU", cpus)):
        low, high = interval_of_median(ratios)
        held = low <= 1.0 <= high <= 1.02
        print(
            f"slowdown @1 s, {PAIRS} A-B-A pairs, {what} time by the program's own clock: {statistics.median(ratios):.4f} "
            f"(95 %: {low:.4f} to {high:.4f}), goal: holds 1 and ends ≤ 1.02: {'met' if held else 'NOT MET'}"
        )
    print(f"\nShare of the true CPU time, %:\n\n{'':16}" + "".join(f"{name:>15}" for name in NAMES))
    for tool in TOOLS:
        shares = [found(tool, name) for name in NAMES]
        print(f"{tool:16}" + "".join(f"{'-' if share is None else f'{share:.1f}':>15}" for share in shares))
        if tool == "bongsu":
            verdict = "met" if all(share is not None and 99 <= share <= 101 for share in shares) else "NOT MET"
    print(f"\nbongsu: goal 99 to 101 % in all five: {verdict}")


if __name__ == "__main__":
    main()
