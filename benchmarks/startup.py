"""`bongsu --help`, and the time from `bongsu agent` to its first answer."""

from __future__ import annotations

import resource
import statistics
import subprocess
import time

from measure import BONGSU, fetch, free_port, running, spread

RUNS = 15
HELP_GOAL, FIRST_GOAL = 0.15, 2.0


def main() -> None:
    """Print CPU seconds of the help and wall seconds to first data."""
    cost = []
    for _ in range(RUNS):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([*BONGSU, "--help"], stdout=subprocess.DEVNULL, check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        cost.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    median = statistics.median(cost)
    print(f"bongsu --help: {spread(cost)} s CPU, goal ≤ {HELP_GOAL}: {'met' if median <= HELP_GOAL else 'NOT MET'}")
    for command in ("agent", "up"):
        waited = []
        for _ in range(5):
            port = free_port()
            started = time.monotonic()
            with running([*BONGSU, command, "--port", str(port)]):
                fetch(f"http://127.0.0.1:{port}/metrics")
                waited.append(time.monotonic() - started)
        median = statistics.median(waited)
        print(
            f"bongsu {command}: first data after {spread(waited)} s, goal ≤ {FIRST_GOAL}: {'met' if median <= FIRST_GOAL else 'NOT MET'}"
        )


if __name__ == "__main__":
    main()
