"""A run's control group from a real systemd: a scope of the user's own, a delegated one, and none where none may be made."""

from __future__ import annotations

import json
from typing import Any

import pytest

import run_scenarios
from cluster.cluster import Cluster

# As the monitor does, with counters refused where the first word says so; the answer as one line of JSON.
_RUN = r"""
import ctypes, json, os, sys
from bongsu.runs import exact
from bongsu.runs.plan import Plan
from bongsu.sources.perf_event import NOT_PERMITTED, NoCounter
class Refused:
    @classmethod
    def open(cls, pid): raise NoCounter(NOT_PERMITTED, "kernel.perf_event_paranoid is 4")
if sys.argv[1] == "refused": exact.TaskClock = Refused
ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)
held, release = os.pipe()
pid = os.fork()
if pid == 0:
    os.read(held, 1)
    os.execv(sys.argv[2], sys.argv[2:])
own = open("/proc/self/cgroup").read()
counters = exact.Exact.open(pid, Plan(folder="/", run="20260101-000000-test-0000"))
where = open(f"/proc/{pid}/cgroup").read().split("0::")[1].strip()
os.write(release, b"g")
waited = 0.0
while True:
    ended, _, used = os.wait4(-1, 0)
    waited += used.ru_utime + used.ru_stime
    if ended == pid: break
answer = counters.final(waited=waited)
keeper = counters.keeper
counters.close()
print(json.dumps({"where": where, "answer": answer, "refused": counters.refused, "keeper": keeper,
    "kept": keeper > 0 and os.path.exists(f"/proc/{keeper}"), "moved": open("/proc/self/cgroup").read() != own}))
"""


def _counted(cluster: Cluster, node: str, counter: str, name: str, *, before: str = "") -> dict[str, Any]:
    cluster.write(node, "/run/recorded.py", _RUN)
    argv = run_scenarios.scenario(name, python="/usr/bin/python3")
    cluster.write(node, "/run/scenario.py", argv[-3])
    command = f"{before} env PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=/srv/bongsu python3 /run/recorded.py {counter}"
    words = f"{command} /usr/bin/python3 -I -S /run/scenario.py {' '.join(argv[-2:])}"
    said: dict[str, Any] = json.loads(cluster.ssh(node, words, user="alice", timeout=300))
    return said


@pytest.mark.parametrize("name", ["sequential", "orphans"])
@pytest.mark.parametrize("node", ["compute01", "compute02"])
def test_where_counters_are_refused_the_users_systemd_counts(cluster: Cluster, node: str, name: str) -> None:
    """In a scope that begins with the run, is read after its last process ended, and is gone when the run is."""
    said = _counted(cluster, node, "refused", name)
    seconds, source, sources = said["answer"]
    assert source == "cgroup", said
    assert said["where"].endswith("/bongsu-20260101-000000-test-0000.scope")
    assert seconds > 2
    assert seconds == pytest.approx(sources["wait4"], rel=0.01)
    assert said["keeper"] > 0
    assert not said["kept"]
    assert not said["moved"]
    cluster.wait(node, f"test ! -e /sys/fs/cgroup{said['where']} -a ! -e /sys/fs/cgroup/unified{said['where']}")
    units = cluster.ssh(node, "XDG_RUNTIME_DIR=/run/user/$(id -u) systemctl --user list-units --all", user="alice")
    assert "bongsu-" not in units


def test_a_delegated_group_is_used_and_left_clean(cluster: Cluster) -> None:
    """In a scope that was delegated to the user the run has a group of its own below, without asking anybody."""
    before = "XDG_RUNTIME_DIR=/run/user/$(id -u) systemd-run --user --scope -q -p Delegate=yes --unit=mine"
    said = _counted(cluster, "compute02", "open", "grandchildren", before=before)
    seconds, source, sources = said["answer"]
    assert source == "cgroup", said
    assert "/mine.scope/bongsu-20260101-000000-test-0000-" in said["where"]
    assert set(sources) == {"cgroup", "perf", "wait4"}
    assert seconds == pytest.approx(sources["wait4"], rel=0.01)
    cluster.wait("compute02", f"test ! -e /sys/fs/cgroup{said['where']}")


def test_in_a_session_that_is_not_delegated_the_counter_is_used(cluster: Cluster) -> None:
    """Nothing of the user's session is changed as long as the kernel lets count."""
    said = _counted(cluster, "compute02", "open", "ignored")
    assert said["answer"][1] == "perf", said
    assert "session-" in said["where"]
    assert "no cgroup may be made" in said["refused"]["cgroup"]


@pytest.mark.parametrize("node", ["compute01", "compute02"])
def test_a_step_of_slurm_is_counted_and_stays_in_its_job(slurm: Cluster, node: str) -> None:
    """`bongsu run` in a step, all of whose children are orphans: the whole tree, and nobody taken out of the job's groups."""
    argv = run_scenarios.scenario("orphans", python="/usr/bin/python3", count=50)
    slurm.write(node, "/run/scenario.py", argv[-3])
    slurm.write(
        node,
        "/run/step.sh",
        "export BONGSU_RUNS_DIR=/tmp/runs-of-step\nsort /proc/self/cgroup\n"
        "bongsu run --quiet -- sh -c 'sort /proc/self/cgroup; exec \"$@\"' sh /usr/bin/python3 -I -S /run/scenario.py orphans 50\n"
        "bongsu report show --json\n",
    )
    words = f"cd /tmp && srun -w {node} -n1 sh /run/step.sh"
    said = slurm.ssh("head01", words, user="alice", timeout=200).splitlines()
    groups = [line for line in said if not line.startswith("{")]
    ours, programs = groups[: len(groups) // 2], groups[len(groups) // 2 :]
    assert [group.partition("/bongsu-")[0] for group in programs] == ours  # the step's, or below it
    cpu = json.loads(said[-1])["summary"]["cpu"]
    # the step's cpuacct group is the user's own where Slurm uses them, so that one can be made in it
    assert (cpu["source"] == "cgroup") == (node == "compute01")
    assert cpu["total_seconds"] > 1
    assert cpu["sources"]["perf"] == pytest.approx(cpu["sources"]["wait4"], rel=0.05)
    slurm.wait(node, "test -z \"$(find /sys/fs/cgroup -name 'bongsu-*')\"")
