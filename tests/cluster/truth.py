"""What each process of a node belongs to, by the word of those who manage it: systemd, Slurm, and the container runtimes."""

from __future__ import annotations

import re
from typing import NamedTuple

from bongsu.model.owner import Owner, OwnerKind
from cluster.asking import owners
from cluster.cluster import Cluster

# One line for each container: its kind, id, first process and name. ps asks libsystemd for units and users.
_MANAGERS = r"""
runs() { systemctl -q is-active "$1"; }
runs docker && docker ps -q --no-trunc | xargs -r docker inspect -f 'docker {{.Id}} {{.State.Pid}} {{.Name}}' | sed 's, /, ,'
podman ps -q --no-trunc | xargs -r podman inspect -f 'podman {{.Id}} {{.State.Pid}} {{.Name}}'
runs containerd && ctr -n k8s.io task ls | awk '$3 == "RUNNING" {print "pod", $1, $2, "-"}'
runs systemd-machined && machinectl list --no-legend | awk '$3 == "systemd-nspawn" {print $1}' |
  while read -r m; do echo nspawn "$m" "$(machinectl show "$m" -p Leader --value)" "$m"; done
scontrol listpids 2>/dev/null | awk '$1 ~ /^[0-9]+$/ {print "slurm", $2, $1, $3}'
ps -wweo pid=,ppid=,unit=,uunit=,ouid=,args= | sed 's/^/ps /'
"""
_ROOTLESS = "podman ps -q --no-trunc | xargs -r podman inspect -f 'rootless {{.Id}} {{.State.Pid}} {{.Name}}'"
_STEPD = re.compile(r"slurmstepd: \[(\d+)\.(\w+)\]")
_PLACE = "/run/bongsu-truth.sh"


class Right(NamedTuple):
    """The right answer for one process; None is "whatever"."""

    label: str  # the kind of thing that this is an example of
    kind: OwnerKind
    id: str
    name: str | None = None
    step: str = ""
    runtime: str | None = ""
    unit: str | None = None
    inside: str = ""

    def wrong(self, owner: Owner) -> str:
        """What of an answer is wrong; "" if nothing is."""
        for field in self._fields[1:]:
            expected, got = getattr(self, field), getattr(owner, field)
            if expected is not None and expected != got:
                return f"{field} is {got!r}, not {expected!r}"
        return ""


class Compared(NamedTuple):
    """How the answers for all processes of a node compare with the truth."""

    right: dict[str, int]  # label → processes whose owner is right
    wrong: list[str]

    def line(self, node: str) -> str:
        """One line that says it all."""
        kinds = ", ".join(f"{label} {count}" for label, count in sorted(self.right.items()))
        return f"{node}: {kinds}; wrong: {len(self.wrong)}"


def compare(cluster: Cluster, node: str, pods: dict[str, str] | None = None) -> Compared:
    """Ask for the owner of every process of a node, and compare each with what its manager says.

    ``pods`` says in which pod each container of containerd is. Processes that began or ended
    meanwhile are left out.
    """
    truth = _truth(cluster, node, pods or {})
    compared = Compared({}, [])
    for one in owners(cluster, node):
        arguments, right = truth.get(one.pid, ("", None))
        if right is None or arguments != one.arguments:
            continue
        problem = right.wrong(one.owner)
        if problem:
            compared.wrong.append(f"{node} {right.label}: {one.pid} {one.arguments[:60]}: {problem}; {one.owner}")
        else:
            compared.right[right.label] = compared.right.get(right.label, 0) + 1
    return compared


def _truth(cluster: Cluster, node: str, pods: dict[str, str]) -> dict[int, tuple[str, Right]]:
    """Process → its arguments and the right answer."""
    rootless = cluster.ssh(node, _ROOTLESS, user="alice")
    cluster.write(node, _PLACE, _MANAGERS)
    lines = [line.split(None, 6) for line in (rootless + cluster.ssh(node, f"sh {_PLACE} </dev/null")).splitlines()]
    listed = {int(words[1]): words for words in lines if words[0] == "ps"}
    parents = {pid: int(words[2]) for pid, words in listed.items()}
    contained = {
        int(words[2]): _contained(words, pods)
        for words in lines
        if words[0] in {"docker", "podman", "pod", "nspawn", "rootless"}
    }
    if cluster.nodes[node].mode == "v1":  # there no cgroup is made for a container of a user
        contained = {pid: right for pid, right in contained.items() if not right.inside}
    jobs = {int(words[2]): (words[1], words[3]) for words in lines if words[0] == "slurm"}
    found = {}
    for pid, words in listed.items():
        unit, of_user, owner, arguments = words[3], words[4], words[5], " ".join(words[6].split())
        chain = _chain(pid, parents)
        container = next((contained[above] for above in chain if above in contained), None)
        stepd = _STEPD.match(arguments)
        if container is not None:
            right = container
        elif pid in jobs:
            right = _job(*jobs[pid])
        elif stepd is not None:
            right = _job(stepd[1], stepd[2])._replace(label="slurmstepd")
        elif owner != "-":
            label = "session" if of_user == "-" else "conmon" if "conmon" in arguments[:20] else "unit of a user"
            right = Right(label, OwnerKind.USER, owner, unit=unit if of_user == "-" else of_user)
        else:
            label = "conmon" if "conmon" in unit else "shim" if "containerd-shim" in arguments else "unit"
            right = Right(label, OwnerKind.UNIT, unit)
        found[pid] = (words[6].rstrip(), right)
    return found


def _contained(words: list[str], pods: dict[str, str]) -> Right:
    kind, identity, _, name = words
    match kind:
        case "pod":
            return Right("container of a pod", OwnerKind.POD, pods[identity], runtime=None)
        case "rootless":
            return Right("podman rootless", OwnerKind.CONTAINER, identity, name, runtime="podman", inside="user 2001")
        case _:
            return Right(kind, OwnerKind.CONTAINER, identity, name, runtime=kind)


def _job(job: str, step: str) -> Right:
    return Right(f"step {step}" if step.isdigit() else step, OwnerKind.SLURM, job, step=step)


def _chain(pid: int, parents: dict[int, int]) -> list[int]:
    """A process and those it descends from."""
    chain = []
    while pid in parents and pid not in chain:
        chain.append(pid)
        pid = parents[pid]
    return chain
