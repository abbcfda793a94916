"""Processes to owners: whose lines they are, what is remembered, and what is asked of others."""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import pytest

from bongsu.model.owner import By, Evidence, Owner, OwnerKind
from bongsu.model.settings import OwnerSettings
from bongsu.owners import resolver as module
from bongsu.owners import slurm
from bongsu.owners.kubernetes import Way
from bongsu.owners.placement import Known, Place, Placed
from bongsu.owners.resolver import Jobs, PodNames, Resolver, configure, resolver_of
from bongsu.sources.root import Machine, Root

UID = "9aac5b5c-8815-4ef0-9a2e-f9e37b89da55"
H = "4f" * 32
POD = f"0::/kubepods/burstable/pod{UID}/{H}\n"


class Task(NamedTuple):
    """A process as a caller knows it."""

    pid: int
    start_ticks: int = 100
    uid: int = 1000
    ppid: int = 1
    kernel: bool = False


class Name(NamedTuple):
    """What a kubelet told."""

    uid: str
    name: str
    namespace: str = "default"
    container: str = "main"
    evidence: tuple[Evidence, ...] = (Evidence(By.PODS_API, "told"),)


class Kubelet:
    """Knows what it is given, and notes what it is asked."""

    def __init__(self, **known: Name) -> None:
        self.known = known
        self.asked: list[tuple[str, str]] = []

    def names(self, uid: str, container_id: str) -> Name | None:
        self.asked.append((uid, container_id))
        return self.known.get(uid)

    def pod_of_container(self, container_id: str) -> Name | None:
        self.asked.append(("", container_id))
        return self.known.get(container_id)

    awaited = False

    def tend(self) -> None:
        """Nothing comes late here."""

    def state(self) -> tuple[Way, ...]:
        return ()

    def devices(self) -> None:
        """It has given none."""


class Slurm:
    """Knows the jobs that it is given."""

    def __init__(self, claims: dict[int, Owner] | None = None, sluids: dict[str, str] | None = None) -> None:
        self.claims, self.sluids = claims or {}, sluids or {}
        self.named: list[str] = []

    def claimed(self, process: Known) -> Owner | None:
        return self.claims.get(process.pid)

    def job_of_sluid(self, path: str) -> tuple[str, Evidence] | None:
        job = self.sluids.get(path)
        return None if job is None else (job, Evidence(By.STEPD_TITLE, f"slurmstepd: [{job}.0]"))

    def name(self, process: Known, job: str) -> str:  # noqa: ARG002  as Jobs has it
        self.named.append(job)
        return "train"


class Tree:
    """A captured machine with a few processes."""

    def __init__(self, top: Path) -> None:
        self.top = top
        for name in ("proc", "sys", "root/etc"):
            (top / name).mkdir(parents=True)
        (top / "proc/stat").write_text("cpu  0 0\nbtime 1\n")
        (top / "root/etc/passwd").write_text(
            "alice:x:1000:1000::/home/alice:/bin/sh\nbob:x:1001:1001::/home/bob:/bin/sh\n"
        )
        self.machine = Machine.at(str(top / "proc"), str(top / "sys"), str(top / "root"))

    def process(self, pid: int, lines: str | None, *, start: int = 100) -> Task:
        folder = self.top / "proc" / str(pid)
        folder.mkdir(exist_ok=True)
        (folder / "stat").write_text(f"{pid} (a) b) S 1 {'0 ' * 17}{start} 0 0 0\n")
        if lines is not None:
            (folder / "cgroup").write_text(lines)
        return Task(pid, start)

    def resolver(self, *, pods: PodNames | None = None, jobs: Jobs | None = None) -> Resolver:
        return Resolver(self.machine, pods=pods, jobs=jobs)


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    return Tree(tmp_path)


@pytest.fixture
def each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every process is looked at again at each call."""
    monkeypatch.setattr(module, "_LOOK_AGAIN_SECONDS", -1.0)


def owner(resolver: Resolver, task: Task) -> Owner:
    return resolver.resolve([task])[task.pid, task.start_ticks].owner


def test_a_process_is_its_users_where_nothing_better_is_known(tree: Tree) -> None:
    """In the root cgroup, and on a kernel without any, the user id is what is known, and that is exact."""
    for lines in ("0::/\n", "", None):
        found = owner(tree.resolver(), tree.process(7, lines))
        assert found == Owner(OwnerKind.USER, "1000", "alice", user="alice", evidence=(Evidence(By.UID, "1000"),))


def test_an_owner_says_what_told_it_and_whose_process_it_is(tree: Tree) -> None:
    """The evidence is the path as read; the user is the process's own, not the owner's."""
    placed = tree.resolver().resolve([tree.process(7, "1:name=systemd:/\n" + POD)])[7, 100]
    assert placed == Placed(
        Owner(OwnerKind.POD, UID, container=H, user="alice", evidence=(Evidence(By.CGROUP, POD[3:-1]),)),
        (Place((), f"/kubepods/burstable/pod{UID}"),),
    )
    sudo = tree.process(8, "0::/user.slice/user-1001.slice/session-3.scope\n")
    found = owner(tree.resolver(), sudo)
    assert (found.kind, found.id, found.name, found.user, found.unit) == (
        OwnerKind.USER,
        "1001",
        "bob",
        "alice",
        "session-3.scope",
    )


def test_a_reused_number_never_gets_the_other_ones_owner(tree: Tree) -> None:
    """The caller read a process that has ended; the lines that stand there now are another's."""
    tree.process(7, POD, start=200)
    found = owner(tree.resolver(), Task(7, 100))
    assert (found.kind, found.id, found.user, found.evidence[0].by) == (OwnerKind.UNKNOWN, "", "alice", By.NOTHING)


def test_a_process_that_has_gone_is_unknown(tree: Tree) -> None:
    """Its user alone would be a guess: it may have been a job's."""
    found = owner(tree.resolver(), Task(7))
    assert found.kind is OwnerKind.UNKNOWN
    assert found.evidence == (Evidence(By.NOTHING, "/proc/7/cgroup: the process has ended"),)


def test_what_was_known_of_a_process_stays_when_it_ends(tree: Tree, each_time: None) -> None:
    """A caller may ask once more about a process that it read a moment ago."""
    resolver, task = tree.resolver(), tree.process(7, POD)
    assert owner(resolver, task).id == UID
    (tree.top / "proc/7/cgroup").unlink()
    (tree.top / "proc/7/stat").unlink()
    assert owner(resolver, task).id == UID


@pytest.mark.parametrize("number", [errno.EACCES, errno.EPERM, errno.ESRCH, errno.EIO])
def test_lines_that_cannot_be_read_are_not_guessed(tree: Tree, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    """Where hidepid or a security module refuses, the owner is unknown, and the reason is said."""
    task = tree.process(7, POD)

    read_once = Root.read_once

    def refuse(root: Root, relative: str) -> bytes:
        if relative == "7/cgroup":
            raise OSError(number, os.strerror(number), relative)
        return read_once(root, relative)

    monkeypatch.setattr(Root, "read_once", refuse)
    found = owner(tree.resolver(), task)
    assert (found.kind, found.user) == (OwnerKind.UNKNOWN, "alice")
    assert found.evidence[0].by is By.NOTHING
    assert ("not allowed" in found.evidence[0].saw) == (number in {errno.EACCES, errno.EPERM})


def test_a_thread_of_the_kernel_is_nobodys(tree: Tree) -> None:
    """It has a user id, which means nothing."""
    found = owner(tree.resolver(), Task(2, kernel=True))
    assert (found.kind, found.id, found.name, found.user) == (OwnerKind.UNKNOWN, "kernel", "kernel", "")


def test_a_change_of_cgroup_is_noticed(tree: Tree, each_time: None) -> None:
    """A login that is adopted by a job belongs to the job from then on."""
    resolver = tree.resolver()
    task = tree.process(7, "0::/user.slice/user-1000.slice/session-3.scope\n")
    assert owner(resolver, task).kind is OwnerKind.USER
    tree.process(7, "0::/system.slice/slurmstepd.scope/job_42/step_extern/user/task_0\n")
    assert owner(resolver, task).key == (OwnerKind.SLURM, "42", "")


def test_what_is_known_is_not_read_again_at_once(tree: Tree) -> None:
    """A process that is not young is remembered for a while; that is what makes asking cheap."""
    resolver, task = tree.resolver(), tree.process(7, POD)
    before = resolver.resolve([task])[7, 100]
    tree.process(7, "0::/\n")
    assert resolver.resolve([task])[7, 100] is before


def test_another_user_is_noticed_at_once(tree: Tree) -> None:
    """A process that has given up being root belongs to its new user at the next call."""
    resolver, task = tree.resolver(), tree.process(7, "0::/\n")
    assert owner(resolver, task._replace(uid=1001)).name == "bob"
    assert owner(resolver, task).name == "alice"


def test_names_of_a_pod_may_come_late(tree: Tree) -> None:
    """Until the kubelet has answered, a pod has its UID; then its processes have the name without being read again."""
    kubelet = Kubelet()
    resolver, task = tree.resolver(pods=kubelet), tree.process(7, POD)
    assert (owner(resolver, task).name, owner(resolver, task).container) == ("", H)
    kubelet.known[UID] = Name(UID, "web-1", container="")
    assert (owner(resolver, task).name, owner(resolver, task).container) == ("web-1", H)
    kubelet.known[UID] = Name(UID, "web-1")
    found = owner(resolver, task)
    assert (found.id, found.name, found.namespace, found.container) == (UID, "web-1", "default", "main")
    assert [evidence.by for evidence in found.evidence] == [By.CGROUP, By.PODS_API]
    asked = len(kubelet.asked)
    owner(resolver, task)
    assert len(kubelet.asked) == asked


def test_the_kubelet_is_asked_once_in_a_pass(tree: Tree) -> None:
    """A hundred processes of one container are one question."""
    kubelet = Kubelet()
    tree.resolver(pods=kubelet).resolve([tree.process(pid, POD) for pid in range(10, 110)])
    assert kubelet.asked == [(UID, H)]


def test_names_of_a_pod_in_a_container_are_not_looked_up_here(tree: Tree) -> None:
    """Its UID was made by whoever is root in that container: this machine's kubelet must not lend it a name."""
    kubelet, slurm = Kubelet(**{UID: Name(UID, "payments")}), Slurm()
    resolver = tree.resolver(pods=kubelet, jobs=slurm)
    found = owner(resolver, tree.process(7, f"0::/system.slice/docker-{'0a' * 32}.scope/kubepods/pod{UID}/{H}\n"))
    assert (found.kind, found.name, found.inside) == (OwnerKind.POD, "", f"docker {'0a' * 32}")
    job = owner(resolver, tree.process(8, f"0::/docker/{H}/slurm/uid_0/job_42/step_0\n"))
    assert (job.kind, job.id, job.name, job.inside) == (OwnerKind.SLURM, "42", "", f"docker {H}")
    assert (kubelet.asked, slurm.named) == ([], [])


def test_a_container_whose_pod_is_hidden_is_asked_about(tree: Tree) -> None:
    """From within a pod only the neighbour's container id is seen: the kubelet knows which pod has it."""
    kubelet = Kubelet(**{H: Name(UID.replace("-", "_"), "web-1")})
    found = owner(tree.resolver(pods=kubelet), tree.process(7, f"0::/../cri-containerd-{H}.scope\n"))
    assert (found.kind, found.id, found.name, found.container) == (OwnerKind.POD, UID, "web-1", "main")
    kubelet = Kubelet(**{H: Name(UID, "web-1")})
    found = owner(tree.resolver(pods=kubelet), tree.process(8, f"0::/system.slice/docker-{H}.scope\n"))
    assert (found.kind, kubelet.asked) == (OwnerKind.CONTAINER, [])


def test_a_job_comes_before_units_users_and_containers(tree: Tree) -> None:
    """Where Slurm has no cgroups, what it knows of a process wins; a pod's process is never asked about."""
    job = Owner(OwnerKind.SLURM, "42", "train", step="0", evidence=(Evidence(By.STEPD_TITLE, "slurmstepd: [42.0]"),))
    resolver = tree.resolver(jobs=Slurm(dict.fromkeys(range(1, 9), job)))
    rootless = f"0::/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-{H}.scope\n"
    for pid, lines in enumerate(("0::/\n", "0::/system.slice/slurmd.service\n", rootless), 1):
        placed = resolver.resolve([tree.process(pid, lines)])[pid, 100]
        assert placed.owner.key == (OwnerKind.SLURM, "42", "")
        assert (placed.owner.user, placed.places) == ("alice", ())
        assert placed.owner.container == (H if "libpod" in lines else "")
    assert owner(resolver, tree.process(8, POD)).kind is OwnerKind.POD


def test_other_owners_cgroups_that_have_a_jobs_processes_are_told(tree: Tree) -> None:
    """By its lines, where Slurm uses few hierarchies; and where the job is known by slurmd's word alone."""
    unit = "/system.slice/slurmd.service"
    task = tree.process(7, f"5:memory:/slurm/uid_1000/job_42/step_0\n2:pids:{unit}\n0::{unit}\n")
    placed = tree.resolver().resolve([task])[task.pid, task.start_ticks]
    assert placed.places == (Place(("memory",), "/slurm/uid_1000/job_42"),)
    assert placed.others == (Place(("pids",), unit), Place((), unit))
    claimed = tree.process(8, f"0::{unit}\n")
    jobs = Slurm({8: Owner(OwnerKind.SLURM, "42")})
    placed = tree.resolver(jobs=jobs).resolve([claimed])[claimed.pid, claimed.start_ticks]
    assert (placed.owner.id, placed.places, placed.others) == ("42", (), (Place((), unit),))


def test_a_job_that_is_named_by_a_number_of_slurms_own_gets_its_id(tree: Tree) -> None:
    """By the title of what runs its steps, else by what its processes say, else the number itself is the id."""
    scope = "/system.slice/slurmstepd.scope/sEKNKTV3WPV500"
    task = tree.process(7, f"0::{scope}/step_0/user/task_0\n")
    found = owner(tree.resolver(jobs=Slurm(sluids={scope: "42"})), task)
    assert (found.id, found.name, found.step, found.evidence[-1].by) == ("42", "train", "0", By.STEPD_TITLE)
    claim = Owner(OwnerKind.SLURM, "43", evidence=(Evidence(By.ENVIRONMENT, "SLURM_JOB_ID=43"),))
    assert owner(tree.resolver(jobs=Slurm({7: claim})), task).id == "43"
    assert owner(tree.resolver(jobs=Slurm()), task).id == "sEKNKTV3WPV500"


def test_what_is_not_asked_about_is_forgotten(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory is bounded by what is asked about, and one caller's short question forgets nothing of another's."""
    resolver = tree.resolver()
    tasks = [tree.process(pid, f"0::/system.slice/u{pid}.service\n") for pid in range(10, 60)]
    before = resolver.resolve(tasks)
    resolver.resolve(tasks[:1])
    assert resolver.resolve(tasks)[20, 100] is before[20, 100]
    entry = resolver._entries[10, 100]
    monkeypatch.setattr(module, "_FORGET_SECONDS", -1.0)
    for _ in range(3):
        resolver.resolve(tasks[:1])
    kept = {**resolver._entries, **resolver._older_entries}
    assert kept == {(10, 100): entry}  # what is asked about is not found out anew
    assert len(resolver._groups) + len(resolver._older_groups) <= 1


def test_a_hundred_thousand_cgroups(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each process in a cgroup of its own: all are told apart."""
    many = 100_000

    def read(_root: Root, relative: str) -> bytes:
        pid, _, file = relative.partition("/")
        if file == "cgroup":
            return f"4:memory:/kubepods/pod{int(pid):08x}-0000-4000-8000-000000000000/{int(pid):064x}\n0::/\n".encode()
        return f"{pid} (x) S 1 {'0 ' * 17}100 0 0 0\n".encode()

    monkeypatch.setattr(Root, "read_once", read)
    found = tree.resolver().resolve(Task(pid) for pid in range(1, many + 1))
    assert len({placed.owner.key for placed in found.values()}) == many
    assert found[many, 100].owner.id == f"{many:08x}-0000-4000-8000-000000000000"


def test_any_thread_may_ask(tree: Tree, each_time: None) -> None:
    """Several at once get the same answers."""
    resolver = tree.resolver()
    tasks = [tree.process(pid, POD if pid % 2 else "0::/\n") for pid in range(10, 40)]
    wrong: list[object] = []

    def ask(some: Iterable[Task]) -> None:
        try:
            for _ in range(20):
                found = resolver.resolve(some)
                wrong.extend(key for key, one in found.items() if (one.owner.kind is OwnerKind.POD) != bool(key[0] % 2))
        except Exception as error:  # noqa: BLE001  whatever it is, the test must see it
            wrong.append(error)

    threads = [threading.Thread(target=ask, args=(tasks[number:],)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_a_machine_has_one_resolver(tree: Tree) -> None:
    """What one room found out the next one knows; what may be asked is said by the settings."""
    configure(tree.machine, OwnerSettings(kubelet=False, environment=False))
    found = resolver_of(tree.machine)
    assert resolver_of(tree.machine) is found
    assert found._pods is None
    assert isinstance(found._jobs, slurm.Jobs)
    assert not found._jobs._environment


def test_one_process_is_read_and_told(tree: Tree) -> None:
    """The process of this test has an owner; one that does not exist has none."""
    resolver = Resolver(Machine.at())
    seen = resolver.one(os.getpid())
    assert seen is not None
    assert (seen.process.pid, seen.process.uid) == (os.getpid(), os.geteuid())
    assert seen.placed.owner.evidence
    assert resolver.one(2**22 + 1) is None
