"""The agent with 8 GPUs, one in 7 slices, and 64 processes, beside nvitop-exporter: CPU time and memory in one run.

Both read the same fake library, which counts its own CPU time: that is subtracted, so that what is compared is the work
around a driver. Both read every 1.2 s, nvitop-exporter by itself and ours when it is scraped; both are scraped that often,
as Prometheus asks. (Within a second ours would answer from what it has just read: a speed that it does not have.)

A look at the GPUs takes the same number of calls each time, and once a minute some more for what seldom changes.

"GPUs alone" are the facts that both have: nvitop-exporter is kept from reading the host, and CPU time and memory of each
process, which our GPU collectors do not tell. "All its facts" is nvitop-exporter as it comes, and ours with collectors of
the same of the host; its CPU time and memory of each GPU process each time stand there against ours of all processes,
by program and user, every five. Ours tell more in both (owners, energy, errors, activity of slices); the agent as it
comes, with all its collectors, stands beside. Goals: 0.2 of its CPU time; 60 MB for the agent as it comes with all its
workers.
"""

from __future__ import annotations

import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from bongsu.sources.nvml import curve
from bongsu.sources.nvml.scenario import Activity, Device, Ecc, Instance, Mig, NvLink, Process, Remapped, Scenario, Use
from fake_nvml.machine import FakeNvml
from measure import BONGSU, exact_cpu_seconds, fetch, free_port, pss_parts, running, spread, tree, verdict
from scrape import PROMETHEUS

GPUS, SLICES, PROCESSES = 8, 7, 64
SCRAPES, TURNS, SETTLE, EVERY = 10, 5, 10, 1.2  # a process is looked at anew in its first 10 s
DEFAULT = "bongsu as it comes"
GOAL, MEMORY_GOAL_BYTES = 0.2, 60e6
GPU_COLLECTORS = ("gpu", "gpu_process")
ITS_FACTS = (
    *GPU_COLLECTORS, "cpu", "diskstats", "filesystem", "loadavg", "meminfo", "netdev", "process", "stat", "time",
)  # fmt: skip
# Nvitop-exporter without what our GPU collectors do not tell: the host, and the CPU time and memory of each process.
ALONE = """
import sys
from nvitop import GpuProcess
from nvitop.api.utils import Snapshot
from nvitop_exporter import cli

def what_ours_has(self):
    with self.host.oneshot():
        return Snapshot(
            real=self.host, status=self.status(), command=self.command(), running_time=self.running_time(),
            cpu_percent=0.0, host_memory=0, memory_percent=0.0,
        )

GpuProcess.host_snapshot = what_ours_has
cli.PrometheusExporter.update_host = lambda self: None
sys.exit(cli.main())
"""
THEIR_PROCESS = rb"(?m)^process_gpu_memory_MiB\{[^}]*pid=\"(\d+)\""
OUR_PROCESS = rb"(?m)^gpu_process_memory_bytes\{[^}]*pid=\"(\d+)\""


def _scenario(pids: list[int]) -> Scenario:
    """Slots without gaps: nvitop looks no further than the first empty one."""
    busy = curve.Sine(mean=60.0, swing=20.0, period=30.0)
    more = {"power": busy, "nvlink": NvLink(), "ecc": Ecc(), "remapped": Remapped(), "activity": Activity(sm=busy)}
    whole = Device(utilization=busy, memory_utilization=busy, **more)  # type: ignore[arg-type]  # the names are its own
    slices = tuple(Instance(slot=n, gpu_instance=7 + n, activity=Activity(sm=busy)) for n in range(SLICES))
    divided = Device(utilization=None, memory_utilization=None, mig=Mig(instances=slices))
    uses = [
        Use(gpu=n % GPUS, memory_mib=512.0, sm=3.0, memory_bandwidth=2.0)
        if n % GPUS < GPUS - 1
        else Use(gpu=GPUS - 1, gpu_instance=7 + n // GPUS % SLICES, compute_instance=0, memory_mib=512.0)
        for n in range(len(pids))
    ]
    processes = tuple(Process(pid=pid, on=(use,)) for pid, use in zip(pids, uses, strict=True))
    return Scenario(devices=(*[whole] * (GPUS - 1), divided), processes=processes)


@contextmanager
def _sleeping() -> Iterator[list[int]]:
    started = [subprocess.Popen(["sleep", "3600"]) for _ in range(PROCESSES)]
    try:
        yield [process.pid for process in started]
    finally:
        for process in started:
            process.kill()
            process.wait()


class Subject(NamedTuple):
    """One program with a library of its own, and what it cost in each turn (ms a scrape)."""

    pid: int
    url: str
    library: FakeNvml
    calls: list[float]
    in_library: list[float]
    own: list[float]

    def used(self) -> tuple[float, int, float]:
        """CPU s of the tree, calls, and CPU s in the library."""
        return exact_cpu_seconds(*tree(self.pid)), *self.library.spent()


def _start(stack: ExitStack, scenario: Scenario, argv: list[str], port: int) -> Subject:
    folder = stack.enter_context(tempfile.TemporaryDirectory())
    library = FakeNvml(Path(folder), scenario, measured=True)
    process = stack.enter_context(
        running([*argv, "--port", str(port)], env=library.environment, stderr=subprocess.DEVNULL)
    )
    url = f"http://127.0.0.1:{port}/metrics"
    fetch(url, 60.0)
    return Subject(process.pid, url, library, [], [], [])


def _agent(*flags: str) -> list[str]:
    return [*BONGSU, "agent", "--interval", "3600", *flags]


def _only(*collectors: str) -> list[str]:
    return ["--collector.disable-defaults", *(f"--collector.{name}" for name in collectors)]


def main() -> int:
    """Print what each costs, and the ratios of medians; 1 if a goal is missed."""
    with ExitStack() as stack:
        pids = stack.enter_context(_sleeping())
        scenario = _scenario(pids)
        theirs = stack.enter_context(ExitStack())
        often = ["--interval", str(EVERY)]
        programs = {
            "GPUs alone: bongsu": (stack, _agent(*_only(*GPU_COLLECTORS))),
            "GPUs alone: nvitop-exporter": (theirs, [sys.executable, "-c", ALONE, *often]),
            "all its facts: bongsu": (stack, _agent(*_only(*ITS_FACTS))),
            "all its facts: nvitop-exporter": (
                theirs,
                [str(Path(sys.executable).with_name("nvitop-exporter")), *often],
            ),
            DEFAULT: (stack, _agent()),
        }
        subjects = {name: _start(on, scenario, argv, free_port()) for name, (on, argv) in programs.items()}
        _scrape(subjects, SETTLE)
        texts = {name: fetch(one.url) for name, one in subjects.items()}
        time.sleep(EVERY)
        for name, text in texts.items():  # one that does not see the processes would be no anchor
            wanted = THEIR_PROCESS if "nvitop" in name else OUR_PROCESS
            assert {int(pid) for pid in re.findall(wanted, text)} == set(pids), name
        for _ in range(TURNS):
            before = {name: one.used() for name, one in subjects.items()}
            _scrape(subjects, SCRAPES)
            for name, one in subjects.items():
                cpu, calls, library = (now - then for now, then in zip(one.used(), before[name], strict=True))
                one.calls.append(calls / SCRAPES)
                one.in_library.append(library / SCRAPES * 1e3)
                one.own.append((cpu - library) / SCRAPES * 1e3)
        theirs.close()
        missed = _report_cpu(subjects, texts)
        return int(_report_memory(subjects[DEFAULT].pid) or missed)


def _scrape(subjects: dict[str, Subject], times: int) -> None:
    """Each scrape reads anew."""
    for _ in range(times):
        again = time.monotonic() + EVERY
        for one in subjects.values():
            fetch(one.url, headers=PROMETHEUS)
        time.sleep(max(0.0, again - time.monotonic()))


def _report_cpu(subjects: dict[str, Subject], texts: dict[str, bytes]) -> bool:
    """Print it; whether a goal was missed."""
    for name, one in subjects.items():
        series = sum(1 for line in texts[name].split(b"\n") if line and line[:1] != b"#")
        print(
            f"{name}: {spread(one.own)} ms CPU a scrape, and {spread(one.in_library)} in the library in "
            f"{spread(one.calls)} calls; {series} series"
        )
    missed = False
    for title in ("GPUs alone", "all its facts"):
        ours, its = (statistics.median(subjects[f"{title}: {who}"].own) for who in ("bongsu", "nvitop-exporter"))
        missed |= ours / its > GOAL
        print(f"{title}: {verdict(ours / its, GOAL)}")
    ours, its = (statistics.median(subjects[name].own) for name in (DEFAULT, "all its facts: nvitop-exporter"))
    print(f"{DEFAULT}, beside all its facts: ratio {ours / its:.2f}; load {os.getloadavg()[0]:.1f}")
    return missed


def _report_memory(agent: int) -> bool:
    """Print it; whether the goal was missed."""
    parts = pss_parts(agent)
    names = {agent: "agent"}
    for pid in parts.keys() - names.keys():
        arguments = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        names[pid] = "GPU worker" if any(b".nvml." in each for each in arguments) else "another worker"
    assert "GPU worker" in names.values()
    assert not any(b"grpc" in Path(f"/proc/{pid}/maps").read_bytes() for pid in parts)
    total = sum(parts.values())
    each = ", ".join(f"{names[pid]} {size / 1e6:.1f}" for pid, size in parts.items())
    met = total <= MEMORY_GOAL_BYTES
    print(f"{DEFAULT}: {total / 1e6:.1f} MB PSS ({each}), without gRPC", end="; ")
    print(f"goal ≤ {MEMORY_GOAL_BYTES / 1e6:g} MB: {'met' if met else 'NOT MET'}")
    return not met


if __name__ == "__main__":
    sys.exit(main())
