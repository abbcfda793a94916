"""Every process of real nodes has the owner that its manager says: systemd, Slurm, Docker, podman, containerd, nspawn."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from cluster import containers
from cluster.asking import owners, those
from cluster.cluster import Cluster
from cluster.truth import Compared, compare

Say = Callable[[str, object], None]

# Makes cgroups with the names of a pod and of a job in the cgroup that was handed to the user, and lives in one of them.
_FORGE = r"""
for line in $(cat /proc/self/cgroup); do
  case $line in
    0::*) top=/sys/fs/cgroup; [ -d $top/unified ] && top=$top/unified; own=$top${line#0::} ;;
    *:name=systemd:*) [ -d /sys/fs/cgroup/systemd ] || continue; own=/sys/fs/cgroup/systemd${line#*:name=systemd:} ;;
    *) continue ;;
  esac
  mkdir -p "$own/@NAME@" && echo $$ >"$own/@NAME@/cgroup.procs"
done
exec sleep 604
"""
_POD_NAME = f"kubepods.slice/kubepods-pod{containers.POD.replace('-', '_')}.slice/cri-containerd-{7:064x}.scope"
_JOB_NAME = "slurmstepd.scope/job_1/step_0/user/task_0"


def _agreed(compared: Compared, *labels: str) -> None:
    assert not compared.wrong, "\n".join(compared.wrong)
    assert [label for label in labels if not compared.right.get(label)] == [], compared.right


@pytest.mark.parametrize("node", ["compute01", "compute02"])
def test_containers_and_those_who_watch_them(fresh: Cluster, node: str, record_property: Say) -> None:
    """What runs in a container is the container's or its pod's; conmon and shims are not, with any runtime or driver."""
    containers.start(fresh, node)
    compared = compare(fresh, node, containers.PODS)
    record_property("said", compared.line(node))
    v1_alone = ("container of a pod",) if node == "compute01" else ("podman rootless",)
    _agreed(compared, "podman", "docker", "nspawn", "conmon", "shim", "unit", "unit of a user", *v1_alone)


@pytest.mark.parametrize("node", ["compute01", "compute02"])
def test_services_scopes_and_sessions(fresh: Cluster, node: str, record_property: Say) -> None:
    """A service is the system's, and whatever a user runs is the user's, with the unit or session that systemd says."""
    fresh.ssh(
        node,
        "systemd-run -q --unit=plain sleep 601; systemd-run -q --unit=of-bob -p User=bob sleep 602; loginctl enable-linger alice",
    )
    fresh.wait(node, "test -e /run/user/2001/bus && echo yes")
    fresh.ssh(
        node,
        "systemd-run -q --user --unit=mine sleep 603;"
        "nohup systemd-run -q --user --scope --unit=scoped sh -c 'sleep 604; true' </dev/null >/dev/null 2>&1 &"
        "nohup sleep 605 </dev/null >/dev/null 2>&1 &",
        user="alice",
    )
    fresh.wait(node, "[ $(pgrep -c -f '^(/usr/bin/)?sleep 60[1-5]') = 5 ] && echo yes")
    compared = compare(fresh, node)
    record_property("said", compared.line(node))
    _agreed(compared, "unit", "unit of a user", "session")
    asked = {one.arguments: one.owner for one in owners(fresh, node)}
    assert (asked["/usr/bin/sleep 602"].id, asked["/usr/bin/sleep 602"].user) == ("of-bob.service", "bob")
    assert (asked["/usr/bin/sleep 603"].name, asked["/usr/bin/sleep 603"].unit) == ("alice", "mine.service")
    assert asked["sleep 604"].unit == "scoped.scope"
    assert asked["sleep 605"].unit.startswith("session-")


@pytest.mark.parametrize("node", ["compute01", "compute02"])
@pytest.mark.parametrize("name", [_POD_NAME, _JOB_NAME], ids=["pod", "job"])
def test_a_forged_path_is_not_believed(fresh: Cluster, node: str, name: str, record_property: Say) -> None:
    """A user who was handed a cgroup can name what is below it as he likes: it stays the unit's, or his own."""
    fresh.write(node, "/tmp/forge.sh", _FORGE.replace("@NAME@", name))
    fresh.ssh(
        node,
        "systemd-run -q --unit=handed -p User=alice -p Delegate=yes sh /tmp/forge.sh; loginctl enable-linger alice",
    )
    fresh.wait(node, "test -e /run/user/2001/bus && echo yes")
    fresh.ssh(node, "systemd-run -q --user --unit=own -p Delegate=yes sh /tmp/forge.sh", user="alice")
    fresh.wait(
        node,
        f"[ $(cat $(pgrep -f 'sleep 604' | sed 's,.*,/proc/&/cgroup,') | grep -c {name[-20:]}) -ge 2 ] && echo yes",
    )
    forgers = those(owners(fresh, node), lambda one: one.arguments == "sleep 604")
    told = sorted((one.owner.kind.value, one.owner.id, one.owner.inside, one.owner.user) for one in forgers)
    record_property("said", f"{node}: forged, and told as {told}")
    assert len(told) == 2
    assert told[-1] == ("unit", "handed.service", "", "alice") or told[0] == ("unit", "handed.service", "", "alice")
    mine = next(one for one in told if one[1] != "handed.service")
    assert mine in {
        ("user", "2001", "", "alice"),
        ("container", f"{7:064x}", "user 2001", "alice"),  # his own thing, and said to be
    }


def test_the_command_tells_it_too(slurm: Cluster) -> None:
    """`bongsu owner` says of a job, a service and a user's own process what they are, and how it is known."""
    job = slurm.ssh(
        "head01", "cd /tmp && sbatch --parsable -n1 -w compute01 -J train --wrap 'sleep 620; true'", user="alice"
    ).strip()
    pid = slurm.wait("compute01", "pgrep -f '^sleep 620'").strip()
    told = json.loads(slurm.bongsu("compute01", "owner", pid, "--json"))
    assert (told["kind"], told["id"], told["name"], told["step"], told["user"]) == (
        "slurm",
        job,
        "train",
        "batch",
        "alice",
    )
    assert told["evidence"]
    daemon = slurm.ssh("compute01", "pgrep -x slurmd").strip()
    told = json.loads(slurm.bongsu("compute01", "owner", daemon, "--json"))
    assert (told["kind"], told["id"]) == ("unit", "slurmd.service")
    told = json.loads(slurm.bongsu("compute01", "owner", "self", "--json", user="bob"))
    assert (told["kind"], told["id"], told["name"]) == ("user", "2002", "bob")


_JOB = r"""#!/bin/sh
srun -n1 --overlap sleep 600 &
srun -n1 --overlap sh -c 'sleep 601; true' &
sleep 602 &
wait
"""
# A terminal of its own, in which a shell on the node is opened that reads what never comes.
_SALLOC = "(sleep 600 | nohup script -qfc 'salloc -Q -n1 -w {node}' /dev/null) </dev/null >/dev/null 2>&1 &"


def test_jobs_of_slurm(slurm: Cluster, record_property: Say) -> None:
    """Batch, two steps at once, interactive, extern, an array and another user's job, by cgroup and without, also when slurmd is new."""
    slurm.write("head01", "/tmp/job.sh", _JOB)
    for node in ("compute01", "compute02"):
        submit = f"cd /tmp && sbatch --parsable -n2 -w {node} -J 'two steps'"
        slurm.ssh(
            "head01", f"{submit} job.sh; sbatch --parsable -n1 -w {node} -a 0-1 --wrap 'sleep 603; true'", user="alice"
        )
        slurm.ssh("head01", f"cd /tmp && sbatch --parsable -n1 -w {node} --wrap 'sleep 604; true'", user="bob")
        slurm.ssh("head01", _SALLOC.format(node=node), user="alice")
    kinds = ("step 0", "step 1", "batch", "interactive", "extern", "slurmstepd", "unit")
    for node in ("compute01", "compute02"):
        slurm.wait(node, "[ $(pgrep -c -f '^(/usr/bin/)?sleep 60[0-4]') = 6 ] && echo yes")
        slurm.wait(node, "pgrep -P $(pgrep -f '^slurmstepd: .*interactive') bash")
        before = compare(slurm, node)
        record_property("said", before.line(node))
        _agreed(before, *kinds)
        slurm.ssh(node, "systemctl restart slurmd")
        after = compare(slurm, node)
        record_property("said", after.line(f"{node} after a restart of slurmd"))
        _agreed(after, *kinds)
        names = {(one.owner.id, one.owner.name) for one in owners(slurm, node) if one.arguments.endswith("sleep 602")}
        assert {name for _, name in names} == {"two steps"}
        bobs = those(owners(slurm, node), lambda one: one.arguments == "sleep 604")
        assert {one.owner.user for one in bobs} == {"bob"}


def test_a_daemon_that_left_its_step(slurm: Cluster, record_property: Say) -> None:
    """Where processes are not in a cgroup of the job, one that is nobody's child is known by its environment, if verified."""
    command = "setsid sh -c 'sleep 610 & :' & SLURM_JOB_ID=9999 setsid sh -c 'sleep 611 & :' & sleep 612"
    slurm.write("head01", "/tmp/leave.sh", f"#!/bin/sh\n{command}\n")
    job = slurm.ssh("head01", "cd /tmp && sbatch --parsable -n1 -w compute02 leave.sh", user="alice").strip()
    slurm.wait("compute02", "[ $(pgrep -c -f '^sleep 61[0-2]') = 3 ] && echo yes")
    asked = {one.arguments: one.owner for one in owners(slurm, "compute02")}
    told = [(asked[f"sleep {n}"].kind.value, asked[f"sleep {n}"].id) for n in (610, 611, 612)]
    record_property("said", f"compute02: in its environment, lying, below slurmstepd: {told}")
    assert told == [("slurm", job), ("unit", "slurmd.service"), ("slurm", job)]
