"""What the benchmarks share: CPU time and memory of whole process trees, and honest medians."""

from __future__ import annotations

import os
import signal
import socket
import statistics
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from bongsu.collectors import COLLECTORS

_TICK = os.sysconf("SC_CLK_TCK")
BONGSU = [str(Path(sys.executable).with_name("bongsu"))]
EXTRA = [collector.name for collector in COLLECTORS if not collector.on_by_default]
EVERYTHING = [f"--collector.{name}" for name in EXTRA]


def tree(pid: int) -> list[int]:
    """The process and all its living descendants."""
    children: dict[int, list[int]] = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                fields = Path(f"/proc/{name}/stat").read_text(errors="replace").rsplit(")", 1)[1].split()
            except OSError:
                continue
            children.setdefault(int(fields[1]), []).append(int(name))
    found, todo = [], [pid]
    while todo:
        found.append(todo.pop())
        todo += children.get(found[-1], [])
    return found


def cpu_seconds(pid: int) -> float:
    """User and system time of the tree, children that were waited for included (proc_pid_stat(5), 10 ms steps).

    The kernel scales these to the scheduler's exact run time, so a window of a second is good to 1 %.
    """
    total = 0.0
    for one in tree(pid):
        try:
            fields = Path(f"/proc/{one}/stat").read_text(errors="replace").rsplit(")", 1)[1].split()
        except OSError:
            continue
        total += sum(int(field) for field in fields[11:15]) / _TICK
    return total


def exact_cpu_seconds(*pids: int) -> float:
    """CPU time of these processes, of threads that have ended too, to the nanosecond (clock_getcpuclockid(3))."""
    return sum(time.clock_gettime_ns(~pid << 3 | 2) for pid in pids) / 1e9


def pss_parts(pid: int) -> dict[int, int]:
    """Proportional set size in bytes of each process of the tree: what it really takes, shared pages counted once."""
    parts = {}
    for one in tree(pid):
        try:
            text = Path(f"/proc/{one}/smaps_rollup").read_text()
        except OSError:
            continue
        parts[one] = sum(int(line.split()[1]) for line in text.splitlines() if line.startswith("Pss:")) * 1024
    return parts


def pss_bytes(pid: int) -> int:
    """That of the whole tree."""
    return sum(pss_parts(pid).values())


def free_port() -> int:
    """A port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def running(argv: Sequence[str], **kwargs: object) -> Iterator[subprocess.Popen[bytes]]:
    """A program for the length of the block; ended by its pid."""
    process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, **kwargs)  # type: ignore[call-overload]  # options are handed through
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def fetch(url: str, seconds: float = 10.0, *, headers: Mapping[str, str] | None = None) -> bytes:
    """The body, once the server answers; for at most so many seconds."""
    request = urllib.request.Request(url, headers=dict(headers or {}))
    deadline = time.monotonic() + seconds
    while True:
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return bytes(answer.read())
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


@contextmanager
def sleepers(count: int) -> Iterator[None]:
    """That many more processes on this machine, which do nothing."""
    started = [subprocess.Popen(["sleep", "3600"]) for _ in range(count)]
    try:
        yield
    finally:
        for process in started:
            process.kill()
            process.wait()


def spread(values: Sequence[float]) -> str:
    """Median with minimum and maximum."""
    return f"{statistics.median(values):.3g} ({min(values):.3g} to {max(values):.3g})"


def verdict(ratio: float, goal: float) -> str:
    """One line: the ratio, the goal, and whether it is met."""
    return f"ratio {ratio:.2f}, goal ≤ {goal:g}: {'met' if ratio <= goal else 'NOT MET'}"
