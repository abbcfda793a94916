"""Jobs by the slurmstepd above a process, by a verified environment, and by the pids of a SLUID's steps."""

from __future__ import annotations

import os
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bongsu.model.owner import By, OwnerKind
from bongsu.owners import slurm
from bongsu.owners.slurm import Jobs, Step, step_of
from bongsu.sources.procfs.process import Processes
from bongsu.sources.root import Machine
from kernel_tree import Tree


@dataclass(frozen=True)
class Asked:
    """A process as a caller knows it."""

    pid: int
    ppid: int
    start_ticks: int
    uid: int
    kernel: bool = False


class Node(Tree):
    """A captured machine on which Slurm runs."""

    def process(
        self, pid: int, ppid: int, name: str, *, uid: int = 2001, real: int | None = None, start: int | None = None,
        title: str = "", environ: str = "", namespaces: str | None = None,
    ) -> Asked:  # fmt: skip
        """Add a process; its start is its pid unless given. ``environ`` has a space where NUL belongs."""
        start = pid if start is None else start
        tail = " ".join(["0"] * 17)
        real = uid if real is None else real
        self.write(
            {
                f"proc/{pid}/stat": f"{pid} ({name}) S {ppid} {tail} {start} 0 0\n",
                f"proc/{pid}/status": f"Name:\t{name}\nUid:\t{real}\t{uid}\t{uid}\t{uid}\nNSpid:\t{namespaces or pid}\n",
                f"proc/{pid}/cmdline": title or name,
                f"proc/{pid}/environ": environ.replace(" ", "\0") + "\0" if environ else "",
            }
        )
        return Asked(pid, ppid, start, uid)

    def stepd(self, pid: int, title: str, **more: int | str) -> Asked:
        """A slurmstepd as it is: root's, below the first process, its title filled up."""
        return self.process(pid, 1, "slurmstepd", uid=0, title=f"slurmstepd: [{title}]   \0\0", **more)  # type: ignore[arg-type]  # the words of `process`


@pytest.fixture
def node(tmp_path: Path) -> Node:
    """A machine with a first process, slurmd, and users."""
    made = Node(tmp_path)
    made.process(1, 0, "systemd", uid=0)
    made.process(90, 1, "slurmd", uid=0)
    made.write({"root/etc/passwd": "root:x:0:0::/:/bin/sh\nalice:x:2001:2001::/:/bin/sh\nbob:x:2002:2002::/:/bin/sh\n"})
    return made


def test_a_descendant_of_slurmstepd_belongs_to_its_step(node: Node) -> None:
    """Every process below a slurmstepd, and it itself, is of the step in the title, with the user who runs it."""
    stepd = node.stepd(104, "2.batch")
    script = node.process(108, 104, "slurm_script", environ="SLURM_JOB_ID=2 SLURM_JOB_NAME=train SECRET=x")
    deep = node.process(111, 108, "python3", uid=2002)
    jobs = Jobs(node.machine)
    for process, user in ((script, "alice"), (deep, "bob"), (stepd, "root")):
        owner = jobs.claimed(process)
        assert owner
        assert (owner.kind, owner.id, owner.step, owner.user) == (OwnerKind.SLURM, "2", "batch", user)
        assert [(e.by, e.saw) for e in owner.evidence] == [(By.STEPD_TITLE, "slurmstepd: [2.batch]")]
        assert owner.name == "train"


def test_an_ancestor_that_only_looks_like_slurmstepd_is_not_believed(node: Node) -> None:
    """A user's program of that name, a set-user-ID one, root of a container, and a wrong title tell nothing."""
    pretend: tuple[dict[str, str | int], ...] = (
        {"uid": 2001},
        {"uid": 0, "real": 2001},
        {"uid": 0, "namespaces": "300\t1"},
        {"uid": 0, "title": "slurmstepd: [2.batch] --evil"},
        {"uid": 0, "title": "/usr/sbin/slurmstepd infinity"},
    )
    for number, how in enumerate(pretend):
        pid = 300 + 10 * number
        more: dict[str, str | int] = {"title": "slurmstepd: [2.0]", **how}
        node.process(pid, 1, "slurmstepd", **more)  # type: ignore[arg-type]  # the words of `process`
        child = node.process(pid + 1, pid, "sleep", environ="SLURM_JOB_ID=2")
        assert Jobs(node.machine).claimed(child) is None, how


def test_a_reused_number_is_no_ancestor(node: Node) -> None:
    """A parent that started after its child is another process with the number of the one that ended."""
    node.stepd(400, "7.0", start=9000)
    assert Jobs(node.machine).claimed(node.process(401, 400, "sleep", start=500)) is None
    node.stepd(400, "7.0", start=10)
    of_another = Asked(402, 400, 5, 2001)
    assert Jobs(node.machine).claimed(of_another) is None


def test_a_child_of_slurmd_that_becomes_a_slurmstepd_is_seen_to(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was found out about an ancestor is soon found out anew."""
    monkeypatch.setattr(slurm, "_ANCESTORS_SECONDS", -1.0)
    node.process(104, 90, "slurmd", uid=0)
    script = node.process(108, 104, "sh")
    jobs = Jobs(node.machine)
    assert jobs.claimed(script) is None
    node.stepd(104, "2.batch")
    assert jobs.claimed(script)


def test_the_environment_counts_where_the_job_runs_for_the_same_user(node: Node) -> None:
    """A daemon that left its step is of the job it names, if a slurmstepd of that job has something of its user below."""
    node.stepd(368, "6.0")
    node.process(373, 368, "sh")
    daemon = node.process(376, 1, "sleep", environ="SLURM_JOB_ID=6 SLURM_STEP_ID=0 SLURM_JOB_NAME=wrap")
    owner = Jobs(node.machine).claimed(daemon)
    assert owner
    assert (owner.id, owner.step, owner.name, owner.user) == ("6", "0", "wrap", "alice")
    assert [(e.by, e.saw) for e in owner.evidence] == [
        (By.ENVIRONMENT, "SLURM_JOB_ID=6"),
        (By.STEPD_TITLE, "slurmstepd: [6.0]"),
    ]


@pytest.mark.parametrize(
    ("uid", "environ"),
    [
        (2002, "SLURM_JOB_ID=6"),  # another user's job
        (2001, "SLURM_JOB_ID=7"),  # no such job
        (2001, "SLURM_JOB_ID=06"),
        (2001, "SLURM_JOB_ID=6;id"),
        (2001, "XSLURM_JOB_ID=6"),
        (0, "SLURM_JOB_ID=6"),  # what Slurm itself starts as root is no sign of root's work
    ],
)
def test_a_lying_environment_tells_nothing(node: Node, uid: int, environ: str) -> None:
    """A job that does not run here, or not for this user, is not the owner, whatever a process says."""
    node.stepd(360, "6.extern")
    node.process(361, 360, "sleep", uid=0)
    node.stepd(368, "6.0")
    node.process(373, 368, "sh")
    assert Jobs(node.machine).claimed(node.process(500, 1, "sleep", uid=uid, environ=environ)) is None


def test_a_step_that_does_not_run_is_not_named(node: Node) -> None:
    """Of a believed job the step is believed only if it runs, too."""
    node.stepd(368, "6.0")
    node.process(373, 368, "sh")
    owner = Jobs(node.machine).claimed(node.process(500, 1, "sleep", environ="SLURM_JOB_ID=6 SLURM_STEP_ID=5"))
    assert owner
    assert (owner.id, owner.step) == ("6", "")


@pytest.mark.parametrize("number", ["4294967291", "-5"])
def test_the_batch_step_is_known_by_its_number(node: Node, number: str) -> None:
    """Slurm numbers the special steps from the end; 26.05 with a minus sign."""
    node.stepd(368, "6.batch")
    node.process(373, 368, "sh")
    owner = Jobs(node.machine).claimed(node.process(500, 1, "sleep", environ=f"SLURM_JOB_ID=6 SLURM_STEP_ID={number}"))
    assert owner
    assert owner.step == "batch"


def test_the_environment_can_be_left_unread(node: Node) -> None:
    """Switched off, no environment is opened; the title of slurmstepd still tells, without a name."""
    node.stepd(368, "6.0")
    child = node.process(373, 368, "sh", environ="SLURM_JOB_ID=6 SLURM_JOB_NAME=wrap")
    daemon = node.process(376, 1, "sleep", environ="SLURM_JOB_ID=6")
    jobs = Jobs(node.machine, environment=False)
    owner = jobs.claimed(child)
    assert owner
    assert (owner.id, owner.name) == ("6", "")
    assert jobs.claimed(daemon) is None


def test_a_job_that_ended_is_not_claimed_again(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was seen of a job counts only while it still runs; a job that began since is found."""
    monkeypatch.setattr(slurm, "_LOOK_AGAIN_SECONDS", 0.0)
    node.stepd(368, "6.0")
    node.process(373, 368, "sh")
    daemon = node.process(376, 1, "sleep", environ="SLURM_JOB_ID=6")
    later = node.process(377, 1, "sleep", environ="SLURM_JOB_ID=8")
    jobs = Jobs(node.machine)
    assert jobs.claimed(daemon)
    assert jobs.claimed(later) is None
    os.remove(node.path / "proc/368/stat")
    assert jobs.claimed(daemon) is None
    node.stepd(380, "8.0")
    node.process(381, 380, "sh")
    assert jobs.claimed(later)


def test_a_name_is_taken_only_from_a_process_of_that_job(node: Node) -> None:
    """A process that speaks of another job than its own names neither; of one job there is one name."""
    jobs = Jobs(node.machine)
    liar = node.process(500, 1, "sh", environ="SLURM_JOB_ID=9 SLURM_JOB_NAME=mine")
    honest = node.process(501, 1, "sh", environ="SLURM_JOB_ID=3 SLURM_JOB_NAME=theirs")
    second = node.process(502, 1, "sh", environ="SLURM_JOB_ID=3 SLURM_JOB_NAME=other")
    assert [jobs.name(liar, "3"), jobs.name(honest, "3"), jobs.name(second, "3")] == ["", "theirs", "theirs"]


@pytest.mark.parametrize("inside", ["slurm/", ""])
def test_a_sluid_is_told_by_what_runs_its_steps(node: Node, inside: str) -> None:
    """The job id of a SLUID directory is in the title of its slurmstepd; a user's process in there tells nothing."""
    place = "/system.slice/slurmstepd.scope/sEKNKTV3WPV500"
    node.write(
        {
            "sys/fs/cgroup/cgroup.controllers": "",
            f"sys/fs/cgroup{place}/step_0/{inside}cgroup.procs": "700\n0\nx\n701\n",
        }
    )
    node.process(700, 1, "slurmstepd", title="slurmstepd: [1.0]")
    node.stepd(701, "42.0")
    told = Jobs(node.machine).job_of_sluid(place)
    assert told
    assert (told[0], told[1].by, told[1].saw) == ("42", By.STEPD_TITLE, "slurmstepd: [42.0]")
    assert Jobs(node.machine).job_of_sluid("/system.slice/slurmstepd.scope/sEKNKTV3WPV501") is None
    assert Jobs(node.machine).job_of_sluid("/../sEKNKTV3WPV500") is None


def test_titles_are_read_as_slurm_writes_them() -> None:
    """Numbers, the special steps, steps over several jobs, and the special numbers that some versions show instead."""
    for title, job, name in (
        (b"slurmstepd: [42.0]", "42", "0"),
        (b"slurmstepd: [42.batch]  \0 \0", "42", "batch"),
        (b"slurmstepd: [42.extern]", "42", "extern"),
        (b"slurmstepd: [42.interactive]", "42", "interactive"),
        (b"slurmstepd: [42.0+1]", "42", "0+1"),
        (b"slurmstepd: [42+1.0]", "42+1", "0"),
        (b"slurmstepd: [42.4294967291]", "42", "batch"),
        (b"slurmstepd: [42.4294967292]", "42", "extern"),
        (b"slurmstepd: [42.4294967290]", "42", "interactive"),
    ):
        assert step_of(title) == Step(job, name, title.rstrip(b" \0").decode())


@given(st.binary(max_size=200) | st.from_regex(rb"slurmstepd: \[.{0,20}\].{0,4}", fullmatch=True))
def test_any_bytes_are_a_title_or_none(title: bytes) -> None:
    """Nothing but a whole title is one: what is taken can be written back and is what stood there."""
    step = step_of(title)
    if step is not None:
        assert title.rstrip(b" \0") == step.title.encode()
        assert step.title.startswith(f"slurmstepd: [{step.job}.")


@given(
    st.binary(max_size=300),
    st.binary(max_size=300) | st.builds(lambda text: b"SLURM_JOB_ID=" + text, st.binary(max_size=50)),
)
def test_any_bytes_in_a_process_s_files_harm_nobody(
    tmp_path_factory: pytest.TempPathFactory, title: bytes, environ: bytes
) -> None:
    """Whatever lies in cmdline and environ of processes, the answer is a job that runs, or none."""
    node = Node(tmp_path_factory.mktemp("node"))
    node.stepd(368, "6.0")
    node.process(373, 368, "sh")
    node.process(400, 1, "slurmstepd", uid=0)
    process = node.process(401, 400, "sh")
    node.write({"proc/400/cmdline": title, "proc/401/environ": environ})
    owner = Jobs(node.machine).claimed(process)
    assert owner is None or owner.id == "6" or step_of(title)


@pytest.mark.needs_root
@pytest.mark.parametrize(("uid", "job"), [(0, "77"), (65534, None)])
def test_real_processes_below_one_that_calls_itself_slurmstepd(uid: int, job: str | None) -> None:
    """On the running kernel: root's process of that name and title owns its child, and a user's does not."""
    machine = Machine.at()
    script = b"printf slurmstepd >/proc/$$/comm; sleep 600 >/dev/null & echo $!; wait"
    with subprocess.Popen(
        ["slurmstepd: [77.0]"], executable="/bin/sh", stdin=subprocess.PIPE, stdout=subprocess.PIPE, user=uid, cwd="/"
    ) as shell:
        assert shell.stdin
        assert shell.stdout
        shell.stdin.write(script)
        shell.stdin.close()
        child = int(shell.stdout.readline())
        try:
            process = next(found for found in Processes(machine.proc).scan() if found.pid == child)
            owner = Jobs(machine).claimed(process)
        finally:
            os.kill(child, signal.SIGKILL)
            shell.kill()
    assert (owner.id if owner else None) == job
