"""The headless agent with everything on at 1 Hz, beside glances in a terminal: CPU and memory in one run.

Everything is each collector, processes every second too (they are read every 5 s unless told otherwise), and both files.
"""

from __future__ import annotations

import fcntl
import os
import pty
import statistics
import struct
import subprocess
import sys
import tempfile
import termios
import threading
import time
from pathlib import Path

from measure import (
    BONGSU,
    EVERYTHING,
    cpu_seconds,
    fetch,
    free_port,
    pss_bytes,
    running,
    sleepers,
    spread,
    tree,
    verdict,
)

PROCESSES, WINDOW, ROUNDS = 250, 20.0, 5
CPU_GOAL, MEMORY_GOAL_BYTES = 0.5, 40e6


def _drain(fd: int, seen: list[int]) -> None:
    try:
        while data := os.read(fd, 65536):
            seen[0] += len(data)
    except OSError:
        pass


def main() -> None:
    """Print what each uses in the same windows."""
    port = free_port()
    master, slave = pty.openpty()
    os.set_blocking(master, True)
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 50, 160, 0, 0))
    drawn = [0]
    threading.Thread(target=_drain, args=(master, drawn), daemon=True).start()
    with tempfile.TemporaryDirectory() as folder:
        settings = Path(folder, "bongsu.yaml")
        settings.write_text(
            f"processes: {{interval: 1}}\nsinks:\n  jsonl: {{path: {folder}/out.jsonl}}\n  textfile: {folder}/out.prom\n"
        )
        ours = [*BONGSU, "agent", "-c", str(settings), "--port", str(port), "--interval", "1", *EVERYTHING]
        glances = [str(Path(sys.executable).with_name("glances")), "--time", "1", "--disable-check-update"]
        environment = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "160", "LINES": "50"}
        with sleepers(PROCESSES), running(ours) as mine:
            his = subprocess.Popen(
                glances, stdin=slave, stdout=slave, stderr=subprocess.DEVNULL, env=environment, start_new_session=True
            )
            try:
                fetch(f"http://127.0.0.1:{port}/metrics")
                time.sleep(5)
                costs: dict[str, list[float]] = {"bongsu": [], "glances": []}
                for _ in range(ROUNDS):
                    drawn_before = drawn[0]
                    before = {"bongsu": cpu_seconds(mine.pid), "glances": cpu_seconds(his.pid)}
                    time.sleep(WINDOW)
                    for name, pid in (("bongsu", mine.pid), ("glances", his.pid)):
                        costs[name].append((cpu_seconds(pid) - before[name]) / WINDOW * 1000)
                    # One that draws nothing would be no anchor, one that leaves ticks out no product.
                    assert drawn[0] - drawn_before > 100 * WINDOW
                assert b"\nbongsu_agent_missed_ticks_total 0\n" in fetch(f"http://127.0.0.1:{port}/metrics")
                memory = {"bongsu": pss_bytes(mine.pid), "glances": pss_bytes(his.pid)}
                processes = len([n for n in os.listdir("/proc") if n.isdigit()])
                parts = len(tree(mine.pid))
            finally:
                his.kill()
                his.wait()
    for name, cost in costs.items():
        print(f"{name}: {spread(cost)} ms CPU a second, {memory[name] / 1e6:.1f} MB PSS")
    print(f"{processes} processes on the machine, load {os.getloadavg()[0]:.1f}; the agent is {parts} processes")
    print("CPU: " + verdict(statistics.median(costs["bongsu"]) / statistics.median(costs["glances"]), CPU_GOAL))
    met = "met" if memory["bongsu"] <= MEMORY_GOAL_BYTES else "NOT MET"
    print(f"memory: {memory['bongsu'] / 1e6:.1f} MB, goal ≤ {MEMORY_GOAL_BYTES / 1e6:g} MB: {met}")


if __name__ == "__main__":
    main()
