"""From the lines of /proc/PID/cgroup to an owner: what of the paths is believed, and which line says most."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from bongsu.model.owner import OwnerKind
from bongsu.owners.paths import Claim, Part, Reading, read
from bongsu.owners.placement import Place
from bongsu.sources.cgroup import Hierarchies, Membership
from bongsu.sources.root import Root

_BELIEVED_SECONDS = 1.0  # how long the maker of a directory is not looked at again: one pass over all processes
_MOST_DIRECTORIES = 65_536
# Numbers of the steps that have names (slurm.h), of Slurm since 20.11 and before; a directory may have either.
_STEPS = {"4294967290": "interactive", "4294967291": "batch", "4294967292": "extern", "4294967294": "batch",
          "4294967295": "extern"}  # fmt: skip
# Of two lines that say as much, the one of the hierarchy that is most carefully kept: systemd keeps its own in order,
# runtimes and Slurm those in which they set limits.
_CAREFUL = ("name=systemd", "", "memory", "pids", "freezer", "devices", "cpuset", "cpuacct", "cpu", "blkio")
_MANAGED = {Part.CONTAINER, Part.POD, Part.JOB, Part.SLUID, Part.UNIT}
_RANK = {OwnerKind.SLURM: 4, OwnerKind.POD: 3, OwnerKind.CONTAINER: 2, OwnerKind.USER: 1, OwnerKind.UNIT: 1}


class Grouped(NamedTuple):
    """The owner of all processes with the same lines, as far as the lines tell; for the fields see Owner."""

    kind: OwnerKind  # UNKNOWN where they tell nothing
    id: str = ""
    container: str = ""
    step: str = ""
    runtime: str = ""
    unit: str = ""
    inside: str = ""
    user: int | None = None  # whose own thing it is, by the path; -1 where it is a user's, but not which
    hidden: bool = False  # the path begins above what we can see
    sluid: str = ""  # the path of a job's directory that is named by a SLUID
    saw: str = ""  # the path that told
    places: tuple[Place, ...] = ()
    others: tuple[Place, ...] = ()  # as in Placed

    @property
    def key(self) -> tuple[OwnerKind, str, str]:
        """As Owner.key."""
        return (self.kind, self.id, self.inside)


class _Said(NamedTuple):
    """What one line says, and the owner's own directory in it, "" if it has none."""

    owner: Grouped
    place: str


class Belief:
    """How far a path is believed: a component counts while all directories above it belong to root.

    Who may write a directory may make any name in it, so what stands below a user's directory
    (a subtree that was delegated to him) is that user's claim. Directories are looked at again
    after a second.
    """

    def __init__(self, sys: Root) -> None:
        self._sys = sys
        self._hierarchies = Hierarchies(sys)
        self._bases: dict[str, str | None] = {}  # controller → full path of its hierarchy, None if out of reach
        self._roots: dict[str, tuple[bool, float]] = {}  # full path of a directory → only root writes it, since when

    def depth(self, controllers: Sequence[str], reading: Reading) -> int:
        """How many components are believed; all of them where the directories cannot be looked at."""
        everything = len(reading.components)
        base = self._base(controllers[0] if controllers else "")
        if base is None or reading.hidden:
            return everything
        now = time.monotonic()
        directory = base
        for depth, word in enumerate(reading.components):
            known = self._roots.get(directory)
            if known is None or now - known[1] > _BELIEVED_SECONDS:
                only = _only_root_writes(directory)
                if only is None:  # gone, or on another machine's tree than ours
                    return depth if reading.deleted else everything
                if len(self._roots) >= _MOST_DIRECTORIES:
                    self._roots.clear()
                known = self._roots[directory] = (only, now)
            if not known[0]:
                return depth
            directory = f"{directory}/{word}"
        return everything

    def _base(self, controller: str) -> str | None:
        if controller not in self._bases:
            relative = self._hierarchies.directory(controller, "/")
            base = None if relative is None else self._sys.join(relative)
            # A top that is not root's is a copy that somebody unpacked, or is seen from another user namespace.
            self._bases[controller] = base if base is not None and _only_root_writes(base) else None
        return self._bases[controller]


def _only_root_writes(directory: str) -> bool | None:
    try:
        found = os.stat(directory)
    except (OSError, ValueError):
        return None
    return found.st_uid == 0 and not found.st_mode & (stat.S_IWGRP | stat.S_IWOTH)


def grouped(lines: Iterable[Membership], belief: Belief) -> Grouped:
    """What the lines of one process say, together.

    Every line is looked at: a container may be seen only on v1 while v2 says ``/``, or the other way round.
    """
    readings: dict[str, Reading] = {}
    said: dict[tuple[str, int], _Said] = {}  # on v1 most hierarchies say the same
    told: list[tuple[Membership, _Said]] = []
    for line in lines:
        reading = readings.get(line.path)
        if reading is None:
            reading = readings[line.path] = read(line.path)
        if reading.claims:
            believed = belief.depth(line.controllers, reading)
            one = said.get((line.path, believed))
            if one is None:
                one = said[line.path, believed] = _of_line(reading, believed)
            told.append((line, one))
    if not told:
        return Grouped(OwnerKind.UNKNOWN)
    best = max(told, key=_worth)[1].owner
    places = tuple(Place(line.controllers, one.place) for line, one in told if one.place and one.owner.key == best.key)
    others = tuple(Place(line.controllers, one.place) for line, one in told if one.place and one.owner.key != best.key)
    return best._replace(places=places, others=others)


def _worth(told: tuple[Membership, _Said]) -> tuple[int, bool, bool, int]:
    line, (one, _) = told
    care = max((-_CAREFUL.index(name) for name in line.controllers or ("",) if name in _CAREFUL), default=-99)
    return (_RANK.get(one.kind, 0), bool(one.container), bool(one.step), care)


def _of_line(reading: Reading, believed: int) -> _Said:
    found, depth = _owner(reading, believed)
    return _Said(found, reading.prefix(depth) if depth and not reading.deleted else "")


def _owner(reading: Reading, believed: int) -> tuple[Grouped, int]:
    """What one line says, and the depth of the owner's own directory in it, 0 if it has none."""
    trusted, user = _trusted(reading, believed)
    saw = reading.prefix(len(reading.components))
    hidden = reading.hidden > 0
    if user is None:
        job = _first(trusted, Part.JOB, Part.SLUID)
        if job is not None:
            return _job(job, trusted, reading, saw), job.depth
        pod = _first(trusted, Part.POD)
        if pod is not None:
            container = _first(_after(trusted, pod), Part.CONTAINER, Part.MONITOR)
            if container is not None and container.part is Part.MONITOR:
                container = None
            return Grouped(
                OwnerKind.POD, pod.id, container=container.id if container else "",
                runtime=container.runtime if container else "", inside=_inside(_before(trusted, pod)), hidden=hidden,
                saw=saw,
            ), pod.depth if pod.whole else 0  # fmt: skip
    container = _first(trusted, Part.CONTAINER, Part.MONITOR)
    if container is not None and container.part is Part.CONTAINER:
        unit = _first(_after(reading.claims, container), Part.UNIT)
        return Grouped(
            OwnerKind.CONTAINER, container.id, runtime=container.runtime, unit=unit.id if unit else "", user=user,
            hidden=hidden, saw=saw,
        ), container.depth  # fmt: skip
    units = [claim for claim in trusted if claim.id and claim.part in {Part.UNIT, Part.MONITOR, Part.MANAGER}]
    if user is not None:
        unit = units[1] if len(units) > 1 and units[0].part is Part.MANAGER else units[0] if units else None
        name = "" if unit is None else f"user@{unit.id}.service" if unit.part is Part.MANAGER else unit.id
        return Grouped(OwnerKind.USER, str(user), unit=name, user=user, hidden=hidden, saw=saw), 0
    if units and _only_slices(reading, units[0].depth - 1):
        above_jobs = units[0].id.endswith("slurmstepd.scope")  # it has all jobs of the node in it
        return Grouped(OwnerKind.UNIT, units[0].id, saw=saw), 0 if above_jobs else units[0].depth
    return Grouped(OwnerKind.UNKNOWN), 0


def _trusted(reading: Reading, believed: int) -> tuple[list[Claim], int | None]:
    """The claims that count, and whose they are if they are a user's own (-1: not known whose).

    Below a container or a service, ``user.slice`` is of a systemd in there, whose users are not ours.
    """
    trusted: list[Claim] = []
    user: int | None = None
    for claim in reading.claims:
        if user is None and claim.depth > believed:
            break
        if claim.part in {Part.USERS, Part.USER, Part.MANAGER}:
            if user is None and any(above.part in _MANAGED for above in trusted):
                break
            if claim.id and user in {None, -1} and claim.depth <= believed and _only_slices(reading, claim.depth - 1):
                user = int(claim.id)
            elif user is None:
                user = -1
        trusted.append(claim)
    return trusted, user


def _only_slices(reading: Reading, depth: int) -> bool:
    """Whether this machine's systemd made it: another directory above belongs to something that runs its own."""
    return all(word.endswith(".slice") for word in reading.components[:depth])


def _job(job: Claim, trusted: list[Claim], reading: Reading, saw: str) -> Grouped:
    step = next((c for c in _after(trusted, job) if c.part is Part.STEP and c.depth == job.depth + 1), None)
    container = _first(_after(trusted, job), Part.CONTAINER)
    return Grouped(
        OwnerKind.SLURM, job.id, container=container.id if container else "",
        step=_STEPS.get(step.id, step.id) if step else "", runtime=container.runtime if container else "",
        inside=_inside(_before(trusted, job)), hidden=reading.hidden > 0,
        sluid=reading.prefix(job.depth) if job.part is Part.SLUID else "", saw=saw,
    )  # fmt: skip


def _inside(above: Sequence[Claim]) -> str:
    """In which containers and pods, the outermost first."""
    return " ".join(
        f"pod {claim.id}" if claim.part is Part.POD else f"{claim.runtime or 'container'} {claim.id}"
        for claim in above
        if claim.part in {Part.POD, Part.CONTAINER}
    )


def _first(claims: Iterable[Claim], *parts: Part) -> Claim | None:
    return next((claim for claim in claims if claim.part in parts), None)


def _before(claims: Sequence[Claim], one: Claim) -> Sequence[Claim]:
    return claims[: claims.index(one)]


def _after(claims: Sequence[Claim], one: Claim) -> Sequence[Claim]:
    return claims[claims.index(one) + 1 :]
