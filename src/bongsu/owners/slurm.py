"""Jobs of Slurm where the cgroup does not tell: by the slurmstepd above a process, or by its environment if one agrees."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator
from typing import NamedTuple

from bongsu.model.owner import By, Evidence, Owner, OwnerKind
from bongsu.owners.placement import Known
from bongsu.sources.cgroup import UNIFIED, Hierarchies
from bongsu.sources.names import Users
from bongsu.sources.procfs.environ import environment
from bongsu.sources.procfs.lineage import Relative, relative, title_of_roots, user_of
from bongsu.sources.root import Machine

_STEPD = b"slurmstepd"
# setproctitle of src/slurmd/slurmstepd/slurmstepd.c; what was longer before is filled up with spaces or NULs
_TITLE = re.compile(
    rb"slurmstepd: \[(\d{1,10}(?:\+\d{1,10})?)\.(batch|extern|interactive|TBD|\d{1,10}(?:\+\d{1,10})?)\][ \0]*"
)
# slurm.h of 20.11 and later, and for the two highest of before: the steps that are not numbered from 0. 26.05 writes
# them into the environment as negative numbers.
SPECIAL_STEPS = {
    "4294967290": "interactive", "4294967291": "batch", "4294967292": "extern", "4294967293": "TBD",
    "4294967294": "batch", "4294967295": "extern", "-6": "interactive", "-5": "batch", "-4": "extern", "-3": "TBD",
}  # fmt: skip
_NUMBER = re.compile(r"[1-9]\d{0,9}")
_DEEPEST = 128  # ancestors
_ANCESTORS_SECONDS = 1.0
_LOOK_AGAIN_SECONDS = 1.0  # how soon after a look at all processes the next one may be
_MOST_NAMES = 4096  # of jobs, remembered


class Step(NamedTuple):
    """A step of a job, as its slurmstepd calls it."""

    job: str
    name: str  # "0", "batch", "extern", "interactive"; "0+1" of a step over several jobs
    title: str


class _Running(NamedTuple):
    """What runs of a job on this node."""

    steps: dict[Step, Relative]  # with the slurmstepd of each
    users: set[int]  # of what descends from them, without what Slurm itself starts


def step_of(title: bytes) -> Step | None:
    """The step that a slurmstepd works for, by its title; None if this is not a title of one."""
    found = _TITLE.fullmatch(title)
    if found is None:
        return None
    job, name = found[1].decode("ascii"), found[2].decode("ascii")
    return Step(job, SPECIAL_STEPS.get(name, name), title.rstrip(b" \0").decode("ascii"))


class Jobs:
    """Finds the job of a process. One thread at a time.

    Of a process's environment nothing is believed that is not borne out: a job counts only while
    a slurmstepd of that job runs here, run by root, and something of the same user descends from it.
    """

    def __init__(self, machine: Machine, environment: bool = True, *, users: Users | None = None) -> None:
        self._proc = machine.proc
        self._sys = machine.sys
        self._hierarchies = Hierarchies(machine.sys)
        self._environment = environment
        self._users = users or Users(machine.rootfs)
        self._running: dict[str, _Running] = {}
        self._looked = float("-inf")
        self._names: dict[str, str] = {}
        self._ancestors: dict[int, tuple[int, Step | None]] = {}  # pid → its start, and whose step it is or is below
        self._ancestors_since = float("-inf")

    def claimed(self, process: Known) -> Owner | None:
        """The job of a process that has no cgroup of one: proctrack/linuxproc, or a daemon that left its step."""
        if process.kernel:
            return None
        step = self._above(process)
        if step is not None:
            return self._owner(process, step.job, step.name, Evidence(By.STEPD_TITLE, step.title))
        variables = self._variables(process)
        job = variables.get("SLURM_JOB_ID") or variables.get("SLURM_JOBID", "")
        if not _NUMBER.fullmatch(job):
            return None
        running = self._agreeing(job, process.uid)
        if running is None:
            return None
        number = variables.get("SLURM_STEP_ID") or variables.get("SLURM_STEPID", "")
        name = SPECIAL_STEPS.get(number, number)
        told = next((step for step in running if step.name == name), None)
        return self._owner(
            process, job, told.name if told else "",
            Evidence(By.ENVIRONMENT, f"SLURM_JOB_ID={job}"), Evidence(By.STEPD_TITLE, (told or running[0]).title),
        )  # fmt: skip

    def name(self, process: Known, job: str) -> str:
        """What its user called the job that this process certainly belongs to; "" if that is not known.

        It is the user's own word, from the environment of the process, and taken only where that
        speaks of the same job. The first word holds: of one job there is one name.
        """
        known = self._names.get(job)
        if known is None:
            variables = self._variables(process)
            claimed = variables.get("SLURM_JOB_ID") or variables.get("SLURM_JOBID", "")
            known = variables.get("SLURM_JOB_NAME", "") if claimed == job else ""
            if known:
                if len(self._names) >= _MOST_NAMES:
                    self._names.clear()
                self._names[job] = known
        return known

    def job_of_sluid(self, path: str) -> tuple[str, Evidence] | None:
        """The job id of a job whose cgroup has a SLUID for a name, by what runs its steps; None if that is not seen.

        ``path`` is the job's, as in /proc/PID/cgroup.
        """
        for controller in (UNIFIED, "memory", "freezer"):
            directory = self._hierarchies.directory(controller, path)
            if directory is None:
                continue
            for pid in self._pids_of_steps(directory):
                one = relative(self._proc, pid)
                step = self._step_by(one) if one is not None else None
                if step is not None:
                    return step.job, Evidence(By.STEPD_TITLE, step.title)
        return None

    def _pids_of_steps(self, directory: str) -> Iterator[int]:
        """Those in which slurmstepd itself may be: on v2 it has a cgroup of its own in the step's, on v1 it has not."""
        try:
            steps = [name for name in self._sys.names(directory) if name.startswith("step_")]
        except OSError:
            return  # we may not look
        for name in steps:
            for inside in ("slurm/", ""):
                try:
                    numbers = self._sys.read_once(f"{directory}/{name}/{inside}cgroup.procs").split()
                except OSError:
                    continue
                yield from (int(number) for number in numbers if number.isdigit() and number != b"0")

    def _owner(self, process: Known, job: str, step: str, *evidence: Evidence) -> Owner:
        return Owner(
            OwnerKind.SLURM, job, self.name(process, job), step=step, user=self._users.name(process.uid),
            evidence=evidence,
        )  # fmt: skip

    def _variables(self, process: Known) -> dict[str, str]:
        if not self._environment:
            return {}
        return environment(self._proc, process.pid, process.start_ticks) or {}

    def _above(self, process: Known) -> Step | None:
        """The step whose slurmstepd the process is or descends from.

        What was found for an ancestor serves its other descendants for a second: a child of slurmd
        may become a slurmstepd at any time.
        """
        if process.uid == 0:
            one = relative(self._proc, process.pid)
            if one is None or one.start_ticks != process.start_ticks:
                return None
            step = self._step_by(one)
            if step is not None:
                return step
        now = time.monotonic()
        if now - self._ancestors_since > _ANCESTORS_SECONDS:
            self._ancestors, self._ancestors_since = {}, now
        chain: list[tuple[int, int]] = []
        found: Step | None = None
        pid, start = process.ppid, process.start_ticks
        while pid > 1 and len(chain) < _DEEPEST:
            one = relative(self._proc, pid)
            if one is None or one.start_ticks > start:
                break  # the parent ended just now; the second time its number has been given anew
            known_start, known = self._ancestors.get(pid, (-1, None))
            if known_start == one.start_ticks:
                found = known
                break
            chain.append((pid, one.start_ticks))
            found = self._step_by(one)
            if found is not None:
                break
            pid, start = one.ppid, one.start_ticks
        for pid, start in chain:
            self._ancestors[pid] = (start, found)
        return found

    def _step_by(self, one: Relative) -> Step | None:
        if one.comm != _STEPD:
            return None
        title = title_of_roots(self._proc, one)
        return None if title is None else step_of(title)

    def _agreeing(self, job: str, uid: int) -> list[Step] | None:
        """The steps of this job that run here, if something of this user descends from one of them."""
        running = self._running.get(job)
        if (running is None or uid not in running.users) and time.monotonic() - self._looked >= _LOOK_AGAIN_SECONDS:
            self._look()
            running = self._running.get(job)
        if running is None or uid not in running.users:
            return None
        return [step for step, stepd in running.steps.items() if self._lives(stepd)] or None

    def _lives(self, one: Relative) -> bool:
        now = relative(self._proc, one.pid)
        return now is not None and now.start_ticks == one.start_ticks

    def _look(self) -> None:
        """Find every slurmstepd, and the users of what descends from each."""
        self._looked = time.monotonic()
        self._running = {}
        children: dict[int, list[int]] = {}
        found: list[tuple[Step, Relative]] = []
        for name in os.listdir(self._proc.path):
            one = relative(self._proc, int(name)) if name.isascii() and name.isdigit() else None
            if one is None:
                continue
            children.setdefault(one.ppid, []).append(one.pid)
            step = self._step_by(one)
            if step is not None:
                found.append((step, one))
        for step, stepd in found:
            running = self._running.setdefault(step.job, _Running({}, set()))
            running.steps[step] = stepd
            for pid in _below(stepd.pid, children):
                uid = user_of(self._proc, pid)
                if uid is not None and (uid or step.name != "extern"):  # Slurm's own place-holder there is root's
                    running.users.add(uid)


def _below(pid: int, children: dict[int, list[int]]) -> Iterator[int]:
    todo = list(children.get(pid, ()))
    seen = {pid}
    while todo:
        one = todo.pop()
        if one not in seen:
            seen.add(one)
            yield one
            todo += children.get(one, ())
