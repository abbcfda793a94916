r"""The grammar of cgroup paths: what each component says, read from the left, as one table.

Where the forms come from: the Kubernetes kubelet's cgroup manager (systemd and cgroupfs drivers), the container
runtimes' ``--cgroup-parent`` and ``slice:prefix:name`` paths, Slurm's cgroup plugins, systemd.unit(5),
systemd-nspawn(1), libvirt's "Control Groups Resource Management", lxc.container.conf(5).
This module only reads words. Whether they are to be believed is not known here (see `cgroup`).
"""

from __future__ import annotations

import enum
import re
from typing import NamedTuple

_DEEPEST = 128  # components that are looked at; systemd, Kubernetes and a nested one together make about 15
_LONGEST = 255  # NAME_MAX: no component of a real path is longer
_DELETED = " (deleted)"  # the kernel's mark on the path of a cgroup that was removed, as a zombie has it


class Part(enum.Enum):
    """What a component is."""

    TOP = enum.auto()  # the root of the hierarchy
    OUTSIDE = enum.auto()  # what is above is hidden by our cgroup namespace
    OTHER = enum.auto()  # a slice, or a directory that says nothing
    USERS = enum.auto()  # all below is made by users
    USER = enum.auto()
    MANAGER = enum.auto()  # the user's own systemd
    SLURM = enum.auto()  # Slurm's own directory on v1
    SLURM_USER = enum.auto()
    STEPD = enum.auto()  # Slurm's own scope on v2
    JOB = enum.auto()
    SLUID = enum.auto()  # a job, named by a number of Slurm's own that is not the job id
    STEP = enum.auto()
    KUBEPODS = enum.auto()
    POD = enum.auto()
    CONTAINER = enum.auto()
    MONITOR = enum.auto()  # of a container, but not in it
    RUNTIME = enum.auto()  # a directory in which a runtime has its containers
    LXC = enum.auto()
    LXC_MONITOR = enum.auto()
    BUILDKIT = enum.auto()
    QEMU = enum.auto()
    MACHINE = enum.auto()  # nspawn's scope; what is in it decides
    NSPAWN = enum.auto()  # nspawn's service; likewise
    UNIT = enum.auto()


class Rule(NamedTuple):
    """A component that matches ``pattern`` and stands directly below one of ``below`` (anywhere, if empty) is ``part``."""

    part: Part
    pattern: str
    below: tuple[Part, ...] = ()
    runtime: str = ""


_H = "[0-9a-f]{64}"
_UUID = "[0-9a-f]{8}[-_][0-9a-f]{4}[-_][0-9a-f]{4}[-_][0-9a-f]{4}[-_][0-9a-f]{12}"
_QOS = "besteffort|burstable|guaranteed"
_UNIT = r".+\.(?:service|scope|socket|mount|swap)"
_SLURM_ABOVE = (Part.SLURM_USER, Part.STEPD, Part.OUTSIDE)

# The first rule that matches holds.
RULES = (
    # Users. `user` is what cgmanager and systemd before 205 made.
    Rule(Part.USERS, r"user\.slice"),
    Rule(Part.USERS, r"user", (Part.TOP,)),
    Rule(Part.USER, r"user-(?P<id>\d{1,10})\.slice", (Part.USERS, Part.OUTSIDE)),
    Rule(Part.MANAGER, r"user@(?P<id>\d{1,10})\.service", (Part.USER, Part.OUTSIDE)),
    # Slurm: v1 /slurm[_NODE]/uid_1000/job_42/step_0, v2 …/[NODE_]slurmstepd.scope/job_42/step_0
    Rule(Part.SLURM, rf"(?!{_UNIT}\Z)slurm(?:_.+)?", (Part.TOP, Part.OTHER, Part.CONTAINER, Part.POD, Part.OUTSIDE, Part.UNIT)),
    Rule(Part.SLURM_USER, r"uid_\d{1,10}", (Part.SLURM, Part.OUTSIDE)),
    Rule(Part.STEPD, r"(?P<id>(?:.+_)?slurmstepd\.scope)"),
    Rule(Part.JOB, r"job_(?P<id>\d{1,10})", _SLURM_ABOVE),
    Rule(Part.SLUID, r"(?P<id>s[0-9A-HJKMNP-TV-Z]{13})", _SLURM_ABOVE),
    Rule(Part.STEP, r"step_(?P<id>.+)", (Part.JOB, Part.SLUID)),
    # Kubernetes. In a slice's name the kubelet writes `_` for `-` and puts the parents' names before it.
    Rule(Part.POD, rf"(?:.+-)?kubepods(?:-(?:{_QOS}))?-pod(?P<id>[0-9A-Za-z_.]{{8,}})\.slice"),
    Rule(Part.KUBEPODS, rf"(?:.+-)?kubepods(?:(?:-(?:{_QOS}))?\.slice)?"),
    Rule(Part.KUBEPODS, _QOS, (Part.KUBEPODS, Part.OUTSIDE)),
    Rule(Part.POD, r"pod(?P<id>[0-9A-Za-z_.-]{8,})", (Part.KUBEPODS,)),
    Rule(Part.POD, rf"pod(?P<id>{_UUID}|[0-9a-f]{{32}})", (Part.OUTSIDE,)),
    # Containers of the usual runtimes. crun and systemd put children below them.
    Rule(Part.MONITOR, rf"(?P<id>(?:crio|libpod)-conmon-{_H}(?:\.scope)?)"),
    Rule(Part.CONTAINER, rf"docker-(?P<id>{_H})(?:\.scope)?", runtime="docker"),
    Rule(Part.CONTAINER, rf"libpod-(?:payload-)?(?P<id>{_H})(?:\.scope)?", runtime="podman"),
    Rule(Part.CONTAINER, rf"(?:cri-containerd|nerdctl)-(?P<id>{_H})(?:\.scope)?", runtime="containerd"),
    Rule(Part.CONTAINER, rf"crio-(?P<id>{_H})(?:\.scope)?", runtime="cri-o"),
    Rule(Part.CONTAINER, rf"(?:runc|crun|runsc|youki)-(?P<id>{_H})\.scope"),
    Rule(Part.CONTAINER, rf"(?P<id>{_H})"),
    Rule(Part.BUILDKIT, r"buildkit", (Part.RUNTIME,)),
    Rule(Part.CONTAINER, r"(?P<id>[0-9a-z]{10,64})", (Part.BUILDKIT,), runtime="buildkit"),
    Rule(Part.RUNTIME, r"docker|moby|libpod_parent|default|k8s\.io"),
    # LXC, LXD, Incus, Proxmox
    Rule(Part.CONTAINER, r"lxc\.payload\.(?P<id>.+)", runtime="lxc"),
    Rule(Part.MONITOR, r"lxc\.monitor\..+"),
    Rule(Part.LXC_MONITOR, r"lxc\.monitor"),
    Rule(Part.MONITOR, r".+", (Part.LXC_MONITOR,)),
    Rule(Part.LXC, r"lxc|lxc\.payload"),
    Rule(Part.CONTAINER, r"(?P<id>.+)", (Part.LXC,), runtime="lxc"),
    # Virtual machines: libvirt with and without systemd, Proxmox, systemd-vmspawn. Then what systemd-machined names.
    Rule(Part.CONTAINER, r"machine-lxc\\x2d\d+\\x2d(?P<id>.+)\.scope", runtime="lxc"),
    Rule(Part.CONTAINER, r"machine-(?P<id>(?:qemu|ch|xen|libxl)\\x2d\d+\\x2d.+)\.scope", runtime="vm"),
    Rule(Part.CONTAINER, r"(?P<id>.+)\.libvirt-qemu", runtime="vm"),
    Rule(Part.CONTAINER, r"(?P<id>.+)\.libvirt-lxc", runtime="lxc"),
    Rule(Part.QEMU, r"qemu\.slice", (Part.TOP,)),
    Rule(Part.CONTAINER, r"(?P<id>\d+)\.scope", (Part.QEMU,), runtime="vm"),
    Rule(Part.CONTAINER, r"systemd-vmspawn@(?P<id>.+)\.service", runtime="vm"),
    Rule(Part.MACHINE, r"machine-(?P<id>.+)\.scope"),
    Rule(Part.NSPAWN, r"systemd-nspawn@(?P<id>.+)\.service"),
    # systemd. systemd writes `_` before a name that the kernel could take for its own.
    Rule(Part.UNIT, rf"_?(?P<id>{_UNIT})"),
)  # fmt: skip
_RUNTIMES = {
    "docker": "docker",
    "moby": "docker",
    "libpod_parent": "podman",
    "default": "containerd",
    "k8s.io": "containerd",
}
# One component that holds what a runtime was given for systemd while it makes cgroups itself: SLICE:PREFIX:ID
_JOINED = re.compile(rf"([^:]*):([^:]*):({_H})", re.DOTALL)
_PREFIXES = {
    "cri-containerd": "containerd", "nerdctl": "containerd", "crio": "cri-o", "docker": "docker", "libpod": "podman",
}  # fmt: skip


class Claim(NamedTuple):
    """What one component says."""

    part: Part
    id: str  # of a unit or a monitor, its name as systemd knows it; "" where there is none
    depth: int  # how many components lead to it, itself included
    runtime: str = ""  # of a container
    whole: bool = True  # its directory holds all of it


class Reading(NamedTuple):
    """A path, read."""

    components: tuple[str, ...]  # those that are below what we can see; without the mark of a removed one
    hidden: int  # how many ``..`` stood before them
    deleted: bool
    claims: tuple[Claim, ...]

    def prefix(self, depth: int) -> str:
        """The path that the first ``depth`` components make."""
        return "/" + "/".join((*(("..",) * self.hidden), *self.components[:depth]))


class _Table(NamedTuple):
    """The rules that may hold below one part, as one expression."""

    match: re.Pattern[str]
    rules: dict[str, tuple[Rule, str]]  # name of the group that matched → rule, name of the group of its id


def _table(above: Part) -> _Table:
    patterns, rules = [], {}
    for number, rule in enumerate(RULES):
        if not rule.below or above in rule.below:
            patterns.append(f"(?P<r{number}>{rule.pattern.replace('(?P<id>', f'(?P<id{number}>')})")
            rules[f"r{number}"] = (rule, f"id{number}" if "(?P<id>" in rule.pattern else "")
    return _Table(re.compile("|".join(patterns), re.DOTALL | re.ASCII), rules)


_TABLES = {part: _table(part) for part in Part}


def read(path: str) -> Reading:
    """What the components of a path say, outermost first. Any text is taken; what follows no rule says nothing."""
    deleted = path.endswith(_DELETED)
    components = tuple(word for word in path.removesuffix(_DELETED).split("/") if word)
    hidden = 0
    while hidden < len(components) and components[hidden] == "..":
        hidden += 1
    components = components[hidden:]
    claims: list[Claim] = []
    above = Part.OUTSIDE if hidden else Part.TOP
    for depth, word in enumerate(components[:_DEEPEST], 1):
        if word == "..":
            break  # no cgroup is called so: this was not written by a kernel
        if len(word) > _LONGEST:
            above = Part.OTHER
            continue
        above = _one(word, depth, above, claims, components)
    return Reading(components, hidden, deleted, tuple(claims))


def _one(word: str, depth: int, above: Part, claims: list[Claim], components: tuple[str, ...]) -> Part:
    """Note what one component says, and what it is to the next one."""
    if word.count(":") == 2 and (joined := _JOINED.fullmatch(word)):
        held = _TABLES[above].match.fullmatch(joined[1])
        if held is not None and (kind := str(held.lastgroup)) and _TABLES[above].rules[kind][0].part is Part.POD:
            claims.append(Claim(Part.POD, _pod_uid(held[f"id{kind[1:]}"]), depth, whole=False))
        claims.append(Claim(Part.CONTAINER, joined[3], depth, _PREFIXES.get(joined[2], "")))
        return Part.CONTAINER
    if above in {Part.MACHINE, Part.NSPAWN}:
        _machine(word, depth, above, claims)
    table = _TABLES[above]
    found = table.match.fullmatch(word)
    if found is None:
        return Part.OTHER
    rule, group = table.rules[str(found.lastgroup)]
    name, runtime = found[group] if group else "", rule.runtime
    match rule.part:
        case Part.POD:
            name = _pod_uid(name)
        case Part.CONTAINER if runtime == "vm" or "\\" in name:
            name = unescaped(name)
        case Part.CONTAINER if not runtime and depth > 1:
            runtime = _RUNTIMES.get(components[depth - 2], "")
        case Part.MONITOR if not name.endswith(".scope"):
            name = ""  # cgroupfs: no unit
        case Part.MACHINE if depth == len(components):  # before nspawn parted itself from what it runs
            claims.append(Claim(Part.CONTAINER, unescaped(name), depth, "nspawn"))
            return Part.CONTAINER
        case Part.MACHINE | Part.NSPAWN:
            claims.append(Claim(Part.UNIT, word, depth))
            return rule.part
        case Part.STEPD:
            claims.append(Claim(Part.UNIT, name, depth))
            return rule.part
    claims.append(Claim(rule.part, name, depth, runtime))
    return rule.part


def _machine(word: str, depth: int, above: Part, claims: list[Claim]) -> None:
    """Below nspawn's unit: all but its supervisor is the container."""
    if word == "supervisor":
        claims.append(Claim(Part.MONITOR, "", claims[-1].depth))
        return
    unit = claims.pop()
    name = unit.id.removeprefix("machine-" if above is Part.MACHINE else "systemd-nspawn@")
    name = unescaped(name.removesuffix(".scope").removesuffix(".service"))
    claims.append(Claim(Part.CONTAINER, name, depth if word == "payload" else unit.depth, "nspawn"))


def _pod_uid(text: str) -> str:
    """A pod's UID as the API has it."""
    return text.replace("_", "-")


def unescaped(text: str) -> str:
    r"""A name as it was before systemd wrote some of its bytes as ``\x2d`` (systemd-escape(1))."""
    if "\\x" not in text:
        return text
    parts = re.split(r"\\x([0-9a-fA-F]{2})", text)
    octets = b"".join(
        bytes((int(part, 16),)) if number % 2 else part.encode("utf-8", "surrogateescape")
        for number, part in enumerate(parts)
    )
    return octets.decode("utf-8", "surrogateescape")
