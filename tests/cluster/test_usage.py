"""What a real Slurm job used, by its cgroup and by its processes, is what the kernel's files and `sacct` say."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from cluster.cluster import Cluster

Say = Callable[[str, object], None]

# Looks at all owners each second until the job that it is told of has ended, and reads the job's own files beside.
_WATCH = r"""
import json, sys, time
import msgspec
from bongsu.owners.census import censuses_of
from bongsu.owners.usage import usages_of
from bongsu.sources.cgroup import Hierarchies
from bongsu.sources.root import Machine

machine, job = Machine.at(), sys.argv[1]
look, usages, hierarchies = censuses_of(machine), usages_of(machine), Hierarchies(machine.sys)
class Reader: pass
reader, files, until = Reader(), {}, time.monotonic() + 240
FILES = {"cpuacct": "cpuacct.usage", "memory": "memory.max_usage_in_bytes"}

def own():
    found = {}
    for controller, directory in files.items():
        try:
            found[controller] = int(machine.sys.read_once(directory + "/" + FILES[controller]))
        except OSError:
            pass
    return found

rows = []
while time.monotonic() < until:
    before = own()
    census = look.take(reader)
    for placed in census.placed.values():
        if placed.owner.kind == "slurm" and placed.owner.id == job:
            for place in placed.places:
                for controller in set(place.controllers) & FILES.keys():
                    files[controller] = hierarchies.directory(controller, place.path)
    row = next((r for r in usages.take(census.processes, census.placed) if r.owner.kind == "slurm" and r.owner.id == job), None)
    if row is not None:
        rows.append({"row": msgspec.to_builtins(row), "before": before, "after": own()})
        if row.ended:
            break
    time.sleep(1)
print(json.dumps(rows))
"""
# Eight seconds of CPU time, half of it in children too short to be seen, with a hundred megabytes; then it rests.
_JOB = r"""#!/bin/sh
#SBATCH -n1 --mem=512
python3 -c '
import subprocess, sys, time
room = bytearray(b"x" * (100 << 20))
while time.process_time() < 4: pass
burn = "import time\nwhile time.process_time() < 0.4: pass"
for _ in range(10): subprocess.run([sys.executable, "-c", burn])
time.sleep(15)'
"""
_PEAK_BYTES = 100 << 20
OUTSIDE_NS = 200_000_000  # CPU time that a step's daemon may use before it is in the job's cgroup


def _seconds(text: str) -> float:
    """Of sacct's ``[days-[hours:]]minutes:seconds``."""
    days, _, rest = text.rpartition("-")
    total = 0.0
    for part in rest.split(":"):
        total = total * 60 + float(part)
    return total + 86400 * int(days or 0)


def _bytes(text: str) -> float:
    """Of sacct's number with a letter for its unit."""
    scale = " KMG".find(text[-1])
    return float(text[:-1]) * 1024**scale if scale > 0 else float(text)


def _watched(slurm: Cluster, node: str) -> tuple[str, list[dict[str, Any]]]:
    slurm.write(node, "/run/watch.py", _WATCH)
    slurm.write("head01", "/tmp/job.sh", _JOB)
    job = slurm.ssh("head01", f"cd /tmp && sbatch --parsable -w {node} /tmp/job.sh", user="alice").strip()
    command = f"PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=/srv/bongsu:/srv/packages python3 /run/watch.py {job}"
    rows: list[dict[str, Any]] = json.loads(slurm.ssh(node, command, timeout=400))
    assert rows, "the job was never seen"
    assert rows[-1]["row"]["ended"], (
        rows[-1],
        slurm.ssh(node, "ps -eo pid,ppid,user,stat,etime,args"),
        slurm.ssh("head01", "squeue; sacct -nP"),
    )
    return job, rows


def _accounted(slurm: Cluster, job: str) -> tuple[float, float]:
    """TotalCPU of the job in seconds, and the largest MaxRSS of its steps in bytes, once all is written."""
    slurm.wait("head01", f"sacct -nXP -j {job} -o State,End | grep '^COMPLETED|2'")
    lines = [
        line.split("|") for line in slurm.ssh("head01", f"sacct -nP -j {job} -o JobID,TotalCPU,MaxRSS").splitlines()
    ]
    cpu = next(_seconds(total) for name, total, _ in lines if name == job)
    return cpu, max(_bytes(size) for _, _, size in lines if size)


@pytest.mark.parametrize(("node", "source"), [("compute01", "cgroup"), ("compute02", "processes")])
def test_a_finished_job_used_what_sacct_says(slurm: Cluster, node: str, source: str, record_property: Say) -> None:
    """CPU time within a second or 5 %; memory within what a look each second can miss; the cgroup's files exactly."""
    job, rows = _watched(slurm, node)
    cpu, rss = _accounted(slurm, job)
    last = rows[-1]["row"]["usage"]
    used = last["cpu_seconds"]
    parts = "anon_bytes" if source == "cgroup" else "memory_bytes"
    most = max(row["row"]["usage"][parts] or 0 for row in rows)
    record_property(
        "said", f"{node}, by {last['cpu_from']}: {used:.3f} s CPU, sacct {cpu:.3f} s; {most} bytes, MaxRSS {rss:.0f}"
    )
    assert source in last["cpu_from"]  # of a job with a cgroup, a step's daemon may be outside of it for a moment
    assert used == pytest.approx(cpu, abs=1.0, rel=0.05)
    assert used >= 7.9  # clock ticks
    assert most >= _PEAK_BYTES
    assert most == pytest.approx(
        rss, rel=0.1, abs=32 << 20
    )  # a sum over processes has those of the daemons of the steps too
    if source == "cgroup":
        _agrees_with_files(rows)


def _agrees_with_files(rows: list[dict[str, Any]]) -> None:
    """Each look lies between the files just before and just after it; where these are alike, it is exactly that."""
    exact = 0
    for one in rows:
        usage, before, after = one["row"]["usage"], one["before"], one["after"]
        if {"cpuacct", "memory"} <= before.keys() & after.keys():
            outside = 0 if usage["cpu_from"] == "cgroup" else OUTSIDE_NS
            assert before["cpuacct"] <= round(usage["cpu_seconds"] * 1e9) <= after["cpuacct"] + outside
            assert before["memory"] <= usage["memory_peak_bytes"] <= after["memory"]
            exact += before == after
    assert exact, "the job never rested"
