"""Memory over a sped-up day: as many rounds as a day has at the agent's default pace, one after another.

The agent with every collector in every round, both files, a scrape a second, and programs that come and go all the
time. It is built from settings as `bongsu agent` builds it, only its clock is wound up beyond what settings allow. Its
memory, descriptors and threads are taken after a tenth of the rounds and at the end.
"""

from __future__ import annotations

import dataclasses
import itertools
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import NamedTuple

from bongsu.agent import Agent, Setup
from bongsu.cli.serve import Builder
from bongsu.cli.settings_file import load
from bongsu.pipeline import Gatherer
from measure import EXTRA, cpu_seconds, fetch, free_port, pss_bytes, running, tree

TICKS = 24 * 60 * 60 // 15
GOAL_BYTES = 1_000_000
PROGRAMS = 400  # of different names, more than the groups that have series of their own


class Use(NamedTuple):
    """What the agent holds, its children included; threads of the agent alone."""

    pss: int
    descriptors: int
    threads: int
    processes: int


def _use(pid: int) -> Use:
    pids = tree(pid)
    descriptors = sum(len(os.listdir(f"/proc/{one}/fd")) for one in pids)
    return Use(pss_bytes(pid), descriptors, len(os.listdir(f"/proc/{pid}/task")), len(pids))


def _come_and_go(folder: Path, stop: threading.Event) -> None:
    """Twenty programs a second, each alive for a second."""
    program = shutil.which("sleep") or "/bin/sleep"
    for number in range(PROGRAMS):
        (folder / f"program{number}").symlink_to(program)
    alive: list[subprocess.Popen[bytes]] = []
    for number in itertools.count():
        if stop.wait(0.05):
            break
        alive.append(subprocess.Popen([folder / f"program{number % PROGRAMS}", "1"]))
        alive = [process for process in alive if process.poll() is None]
    for process in alive:
        process.wait()


def hasten(settings: str) -> None:
    """Be the agent of these settings, without a pause between two rounds."""
    build = Builder(lambda: load(settings, {}, ()), page=False)

    def hasty(previous: Setup | None) -> Setup:
        setup = build(previous)
        return dataclasses.replace(setup, interval=1e-6, gatherer=Gatherer(setup.gatherer.collectors))

    Agent(hasty, build.counts).run()


def main() -> None:
    """Print what it held after the first tenth and at the end."""
    port = free_port()
    url = f"http://127.0.0.1:{port}/metrics"
    stop = threading.Event()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        settings = folder / "bongsu.yaml"
        settings.write_text(
            f"port: {port}\ncollectors: {{{', '.join(f'{name}: on' for name in EXTRA)}}}\nsinks:\n"
            f"  jsonl: {{path: {folder}/out.jsonl, max_bytes: 16000000, keep: 2}}\n  textfile: {folder}/out.prom\n"
        )
        traffic = threading.Thread(target=_come_and_go, args=(folder, stop))
        traffic.start()
        try:
            with running([sys.executable, __file__, str(settings)]) as agent:
                started, early, ticks = time.monotonic(), None, 0
                while ticks < TICKS:
                    found = re.search(rb"\nbongsu_agent_ticks_total (\d+)\n", fetch(url))
                    assert found
                    ticks = int(found[1])
                    if early is None and ticks >= TICKS // 10:
                        early = _use(agent.pid)
                    time.sleep(1)
                late, cpu, took = _use(agent.pid), cpu_seconds(agent.pid), time.monotonic() - started
        finally:
            stop.set()
            traffic.join()
    assert early is not None
    print(f"{ticks} rounds in {took:.0f} s, {cpu / ticks * 1000:.1f} ms CPU each, load {os.getloadavg()[0]:.1f}")
    for when, use in (("after a tenth", early), ("at the end", late)):
        print(f"{when}: {use.pss / 1e6:.2f} MB PSS, {use.descriptors} descriptors, {use.threads} threads, "
              f"{use.processes} processes")  # fmt: skip
    grown = late.pss - early.pss
    met = grown <= GOAL_BYTES and late.descriptors <= early.descriptors + 5 and late.threads <= early.threads + 1
    print(
        f"PSS {grown / 1e3:+.0f} kB, goal ≤ {GOAL_BYTES / 1e3:g} kB, no more descriptors or threads: {'met' if met else 'NOT MET'}"
    )


if __name__ == "__main__":
    hasten(sys.argv[1]) if sys.argv[1:] else main()
