"""Real processes in real cgroups, shaped as Kubernetes, Slurm and the container runtimes shape them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator

import pytest

from bongsu.model.owner import By, Owner, OwnerKind
from bongsu.owners import resolver as resolver_module
from bongsu.owners.placement import Placed
from bongsu.owners.resolver import Resolver
from bongsu.sources.cgroup import UNIFIED
from bongsu.sources.root import Machine
from real_cgroups import Cgroups, cgroups

pytestmark = pytest.mark.needs_root
UID = "9aac5b5c-8815-4ef0-9a2e-f9e37b89da55"
OTHER = "01234567-89ab-4def-8123-456789abcdef"
UNDER = UID.replace("-", "_")
H, H2 = "4f" * 32, "0a" * 32
ALICE = 54_321  # nobody's number on any machine that runs these tests


@pytest.fixture
def made() -> Iterator[Cgroups]:
    with cgroups() as found:
        yield found


@pytest.fixture
def resolver() -> Resolver:
    return Resolver(Machine.at())


def placed(resolver: Resolver, pid: int) -> Placed:
    seen = resolver.one(pid)
    assert seen is not None
    return seen.placed


def owner(resolver: Resolver, pid: int) -> Owner:
    return placed(resolver, pid).owner


@pytest.mark.parametrize(
    ("path", "key", "container", "step"),
    [
        (f"kubepods/burstable/pod{UID}/{H}", (OwnerKind.POD, UID, ""), H, ""),
        (f"x-kubepods.slice/x-kubepods-burstable.slice/x-kubepods-burstable-pod{UNDER}.slice/cri-containerd-{H}.scope",
         (OwnerKind.POD, UID, ""), H, ""),
        (f"docker-{H2}.scope/kubelet.slice/kubelet-kubepods-pod{UNDER}.slice/cri-containerd-{H}.scope",
         (OwnerKind.POD, UID, f"docker {H2}"), H, ""),
        (f"containerd.service/kubepods-burstable-pod{UNDER}.slice:cri-containerd:{H}", (OwnerKind.POD, UID, ""), H, ""),
        (f"docker/{H}", (OwnerKind.CONTAINER, H, ""), "", ""),
        (f"libpod-{H}.scope/container", (OwnerKind.CONTAINER, H, ""), "", ""),
        ("lxc.payload.web01/init.scope", (OwnerKind.CONTAINER, "web01", ""), "", ""),
        ("machine-qemu\\x2d2\\x2dweb.scope/libvirt", (OwnerKind.CONTAINER, "qemu-2-web", ""), "", ""),
        ("slurm_node7/uid_1000/job_42/step_batch", (OwnerKind.SLURM, "42", ""), "", "batch"),
        ("node7_slurmstepd.scope/job_42/step_0/user/task_0", (OwnerKind.SLURM, "42", ""), "", "0"),
        ("ollama.service/sub", (OwnerKind.UNIT, "ollama.service", ""), "", ""),
    ],
)  # fmt: skip
def test_a_process_in_a_cgroup_of_each_shape(
    made: Cgroups, resolver: Resolver, path: str, key: tuple[OwnerKind, str, str], container: str, step: str
) -> None:
    """The kernel's own lines for it are understood, and the owner's own directory is there."""
    found = placed(resolver, made.sleeper(path))
    assert found.owner.key == key
    assert (found.owner.container, found.owner.step, found.owner.user) == (container, step, "root")
    assert found.owner.evidence[0].by is By.CGROUP
    for place in found.places:
        assert made.directory(place.path.removeprefix(f"/{made.top}/"), made.first).is_dir()
    assert found.places or ":cri-containerd:" in path


def test_a_pod_on_v1_beside_a_unit_on_v2(made: Cgroups, resolver: Resolver) -> None:
    """Both lines are looked at, and only the pod's own directory is its place."""
    if made.first == UNIFIED or not made.has(UNIFIED):
        pytest.skip("one kind of hierarchy only")
    pid = made.sleeper(f"kubepods/burstable/pod{UID}/{H}", "pids", "freezer")
    made.move(pid, "containerd.service", UNIFIED)
    found = placed(resolver, pid)
    assert found.owner.key == (OwnerKind.POD, UID, "")
    assert {place.controllers for place in found.places} == {("pids",), ("freezer",)}


@pytest.mark.parametrize(
    "path",
    [f"kubepods/burstable/pod{UID}/{H}", "slurm/uid_0/job_42/step_0", f"docker/{H}", "slurmstepd.scope/job_42/step_0"],
)
def test_a_forged_name_in_a_delegated_subtree_is_not_believed(made: Cgroups, resolver: Resolver, path: str) -> None:
    """A user who was lent a directory makes there what he likes; his process stays his."""
    lent = made.directory("lent", made.first)
    os.chown(lent, ALICE, ALICE)
    pid = made.sleeper(f"lent/{path}", user=ALICE)
    found = owner(resolver, pid)
    assert (found.kind, found.id, [evidence.by for evidence in found.evidence]) == (
        OwnerKind.USER,
        str(ALICE),
        [By.UID],
    )
    os.chown(lent, 0, 0)
    assert owner(Resolver(Machine.at()), pid).kind in {OwnerKind.POD, OwnerKind.SLURM, OwnerKind.CONTAINER}


def test_a_process_that_is_moved_is_noticed(made: Cgroups, resolver: Resolver, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that is adopted by a job just after its start belongs to it at the next look."""
    monkeypatch.setattr(resolver_module, "_YOUNG_SECONDS", 600.0)  # however slow this machine is
    pid = made.sleeper("login.service")
    assert owner(resolver, pid).kind is OwnerKind.UNIT
    made.move(pid, "slurm/uid_1000/job_42/step_extern", made.first)
    assert owner(resolver, pid).key == (OwnerKind.SLURM, "42", "")


def test_an_ended_process_whose_cgroup_was_removed(made: Cgroups, resolver: Resolver) -> None:
    """A zombie has an owner, or none is known; it is not an error, and no directory is named that is gone."""
    path = f"kubepods/pod{UID}/{H}"
    pid = made.sleeper(path)
    made.end(pid, wait=False)
    directory = made.directory(path, made.first)
    directory.rmdir()
    directory.parent.rmdir()
    found = placed(resolver, pid)
    assert found.owner.key in {(OwnerKind.POD, UID, ""), (OwnerKind.USER, "0", "")}
    assert all(UID not in place.path for place in found.places)


def test_a_reader_in_a_cgroup_namespace_of_its_own(made: Cgroups) -> None:
    """From a pod, another pod is seen by a path with dots, and a neighbour in its own pod by its container alone."""
    mine, neighbour, other = f"kubepods/pod{UID}/{H}", f"kubepods/pod{UID}/{H2}", f"kubepods/burstable/pod{OTHER}/{H2}"
    pids = [made.sleeper(path) for path in (other, neighbour, mine)]
    entry = made.directory(mine, made.first) / "cgroup.procs"
    script = f'echo $$ > {entry} && exec unshare --cgroup "$@"'
    argv = ["/bin/sh", "-c", script, "sh", sys.executable, "-m", "bongsu", "owner", "--json", *map(str, pids)]
    done = subprocess.run(argv, capture_output=True, text=True, check=True, timeout=120)
    seen = [json.loads(line) for line in done.stdout.splitlines()]
    assert [(one["kind"], one["id"]) for one in seen[:2]] == [("pod", OTHER), ("container", H2)]
    assert all("/../" in one["evidence"][0]["saw"] for one in seen[:2])
    assert seen[2]["kind"] == "user"  # its own cgroup is "/" to it


_AS_ANOTHER = """
import os, sys
from bongsu.owners.resolver import Resolver
from bongsu.sources.root import Machine
resolver = Resolver(Machine.at(sys.argv[1]))
os.setgroups([]); os.setegid(54321); os.seteuid(54321)
try:
    print(resolver.one(int(sys.argv[2])))
except PermissionError:
    print("refused")
"""


@pytest.mark.parametrize(("hidepid", "answer"), [(1, "refused\n"), (2, "None\n")])
def test_a_hidden_process_has_no_owner(hidepid: int, answer: str) -> None:
    """On a /proc that hides the processes of others, another user's is refused or not there, and nothing is guessed."""
    with tempfile.TemporaryDirectory() as top:
        os.chmod(top, 0o755)
        script = f'mount -t proc -o hidepid={hidepid} proc {top} && exec "$@"'
        argv = [
            "unshare",
            "--mount",
            "sh",
            "-c",
            script,
            "sh",
            sys.executable,
            "-c",
            _AS_ANOTHER,
            top,
            str(os.getpid()),
        ]
        done = subprocess.run(argv, capture_output=True, text=True, check=True, timeout=150)
    assert done.stdout == answer
