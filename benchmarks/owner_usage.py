"""What a thousand processes in two hundred cgroups use, by owner, beside Debian's process exporter: CPU time in one run.

Ours is one pass: whose each process is, what each owner's cgroups and processes say, and the samples of it; the
scan of the processes is shared with the collector of processes (see process_scan) and told apart. Theirs is a
scrape with the processes grouped by their name, which reads no cgroup. Needs root, for real cgroups.
"""

from __future__ import annotations

import contextlib
import os
import re
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

from bongsu.collectors.owner import OwnerCollector
from bongsu.model.batch import Sample
from bongsu.owners.census import Census
from bongsu.owners.resolver import resolver_of
from bongsu.sources.cgroup import UNIFIED, Hierarchies
from bongsu.sources.procfs.process import Processes
from bongsu.sources.root import Machine
from measure import fetch, free_port, running, spread, verdict
from process_scan import EVERY_PROCESS, EXPORTER, FLAGS, _run_seconds

PROCESSES, CGROUPS, ROUNDS = 1000, 200, 9
GOAL_MS = 25.0
SETTLED = 11.0  # seconds after which a process is no longer looked at anew each time
CONTROLLERS = ("cpu", "cpuacct", "memory", "pids", "blkio", "cpuset", UNIFIED)


class Given:
    """A census that was taken before, so that its cost is measured apart."""

    def __init__(self) -> None:
        self.census: Census | None = None

    def take(self, _: object) -> Census:
        """The one that was given."""
        assert self.census is not None
        return self.census


@contextlib.contextmanager
def containers(machine: Machine) -> Iterator[None]:
    """Sleeping processes in cgroups as Docker names them, in each hierarchy of this machine."""
    hierarchies = Hierarchies(machine.sys)
    tops = [machine.sys.join(found) for name in CONTROLLERS if (found := hierarchies.directory(name, "/"))]
    slices = [Path(top, f"bongsubench{os.getpid()}.slice") for top in tops]
    made, children = [], []
    try:
        for number in range(-1, CGROUPS):
            for top in slices:
                directory = top / f"docker-{number:064x}.scope" if number >= 0 else top
                directory.mkdir()
                made.append(directory)
                for name in ("cpuset.cpus", "cpuset.mems"):
                    if (directory / name).exists():
                        (directory / name).write_text((directory.parent / name).read_text())
            for _ in range(PROCESSES // CGROUPS if number >= 0 else 0):
                children.append(subprocess.Popen(["sleep", "600"]))
                for directory in made[-len(slices) :]:
                    (directory / "cgroup.procs").write_text(str(children[-1].pid))
        yield
    finally:
        for child in children:
            child.kill()
        for child in children:
            child.wait()
        for directory in reversed(made):
            for _ in range(500):
                try:
                    directory.rmdir()
                    break
                except OSError:  # the last process leaves a moment after its end
                    time.sleep(0.02)


def main() -> None:
    """Print what a pass costs each, and the ratios of medians."""
    machine = Machine.at()
    with ExitStack() as stack:
        stack.enter_context(containers(machine))
        config = Path(stack.enter_context(tempfile.TemporaryDirectory()), "names.yml")
        config.write_text(EVERY_PROCESS)
        anchors = {}
        for title, flags in FLAGS.items():
            port = free_port()
            argv = [EXPORTER, "-config.path", str(config), "-web.listen-address", f"127.0.0.1:{port}", *flags]
            anchors[title] = (stack.enter_context(running(argv)).pid, f"http://127.0.0.1:{port}/metrics")
            fetch(anchors[title][1])
        reader, resolver = Processes(machine.proc), resolver_of(machine)
        collector, given = OwnerCollector(machine), Given()
        collector._censuses = given  # type: ignore[assignment]  # noqa: SLF001  the scan is measured apart
        costs: dict[str, list[float]] = {}
        time.sleep(SETTLED)
        for turn in range(ROUNDS + 2):
            cost = {}
            before = time.process_time()
            processes = reader.scan()
            cost["scan (shared)"] = time.process_time() - before
            before = time.process_time()
            placed = resolver.resolve(processes)
            cost["whose they are"] = time.process_time() - before
            given.census = Census(processes, placed, 0, 0)
            before = time.process_time()
            samples = [item for item in collector.collect() if isinstance(item, Sample)]
            cost["use and samples"] = time.process_time() - before
            shown = [s for s in samples if s.spec.name == "owner_info" and s.labels[0] == "container"]
            assert len(shown) >= CGROUPS * 0.9
            for title, (pid, url) in anchors.items():
                run = _run_seconds(pid)
                seen = re.search(rb'num_procs\{groupname="sleep"\} (\S+)', fetch(url))
                cost[title] = _run_seconds(pid) - run
                assert seen
                assert float(seen[1]) >= PROCESSES
            if turn >= 2:  # the first two fill caches, on both sides
                for name, seconds in cost.items():
                    costs.setdefault(name, []).append(seconds * 1000)
            time.sleep(0.2)
    ours = [whose + use for whose, use in zip(costs["whose they are"], costs["use and samples"], strict=True)]
    print(
        f"{len(processes)} processes, {len(shown)} containers shown, {len(samples)} samples, load {os.getloadavg()[0]:.1f}"
    )
    for name in ("scan (shared)", "whose they are", "use and samples"):
        print(f"{name}: {spread(costs[name])} ms CPU a pass")
    met = "met" if statistics.median(ours) <= GOAL_MS else "NOT MET"
    print(f"a pass without the scan: {spread(ours)} ms CPU, goal ≤ {GOAL_MS:g} ms: {met}")
    whole = statistics.median(ours) + statistics.median(costs["scan (shared)"])
    for name in anchors:
        print(f"process-exporter, {name}: {spread(costs[name])} ms CPU a scrape; with our scan: "
              f"{verdict(whole / statistics.median(costs[name]), 0.3)}")  # fmt: skip


if __name__ == "__main__":
    main()
