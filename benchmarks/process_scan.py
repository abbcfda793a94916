"""One scan of a thousand processes, folded and rendered, beside Debian's process exporter: CPU time in turns, in one run.

Ours is the collector of processes with its defaults and the rendering of what it gives; theirs is a scrape with every
process grouped by name. Theirs is measured by the scheduler's exact run time of its threads.
"""

from __future__ import annotations

import os
import re
import resource
import statistics
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

from bongsu.collectors.process import ProcessCollector
from bongsu.pipeline import Gatherer
from bongsu.sinks.exposition import Exposition
from bongsu.sources.procfs.process import Processes
from bongsu.sources.root import Machine
from measure import fetch, free_port, running, sleepers, spread, verdict

PROCESSES, ROUNDS = 1000, 9
GOAL = 0.2
EXPORTER = "/usr/bin/prometheus-process-exporter"
EVERY_PROCESS = 'process_names:\n  - name: "{{.Comm}}"\n    cmdline:\n    - ".+"\n'
FLAGS = {"default flags": (), "-threads=false -gather-smaps=false": ("-threads=false", "-gather-smaps=false")}


def _run_seconds(pid: int) -> float:
    """Time that the threads of a process have run, to the nanosecond (Documentation/scheduler/sched-stats.rst)."""
    return sum(int(path.read_text().split()[0]) for path in Path(f"/proc/{pid}/task").glob("*/schedstat")) / 1e9


def main() -> None:
    """Print what a scan costs each, and the ratios of medians."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(1024, hard), hard))  # ours must do with what a login gives
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        config = Path(folder, "names.yml")
        config.write_text(EVERY_PROCESS)
        stack.enter_context(sleepers(PROCESSES))
        anchors = {}
        for title, flags in FLAGS.items():
            port = free_port()
            argv = [EXPORTER, "-config.path", str(config), "-web.listen-address", f"127.0.0.1:{port}", *flags]
            anchors[title] = (stack.enter_context(running(argv)).pid, f"http://127.0.0.1:{port}/metrics")
            fetch(anchors[title][1])  # it holds its port before the next one looks for a free one
        machine = Machine.at()
        reader = Processes(machine.proc)
        gatherer = Gatherer([ProcessCollector(machine)])
        exposition = Exposition()
        costs: dict[str, list[float]] = {name: [] for name in ("reading alone", "bongsu", *anchors)}
        for turn in range(ROUNDS + 2):
            cost = {}
            before = time.process_time()
            found = len(reader.scan())
            cost["reading alone"] = time.process_time() - before
            before = time.process_time()
            exposition.text(gatherer.gather(), openmetrics=False)
            cost["bongsu"] = time.process_time() - before
            for title, (pid, url) in anchors.items():
                run = _run_seconds(pid)
                text = fetch(url)
                cost[title] = _run_seconds(pid) - run
                # A scrape that did not see the processes would be no anchor.
                seen = re.search(rb'num_procs\{groupname="sleep"\} (\S+)', text)
                assert seen
                assert float(seen[1]) >= PROCESSES
            if turn >= 2:  # the first two fill caches, on both sides
                for name, seconds in cost.items():
                    costs[name].append(seconds * 1000)
            time.sleep(0.2)
        gatherer.close()
    print(f"{found} processes, load {os.getloadavg()[0]:.1f}, at most 1024 descriptors for ours")
    for name in ("reading alone", "bongsu"):
        each = statistics.median(costs[name]) / found * 1000
        print(f"{name}: {spread(costs[name])} ms CPU a scan, {each:.1f} µs a process")
    for name in anchors:
        ratio = statistics.median(costs["bongsu"]) / statistics.median(costs[name])
        print(f"process-exporter, {name}: {spread(costs[name])} ms CPU a scrape; {verdict(ratio, GOAL)}")


if __name__ == "__main__":
    main()
