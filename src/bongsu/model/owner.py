"""Who a process belongs to, and how that is known."""

from __future__ import annotations

import enum

import msgspec


class OwnerKind(enum.StrEnum):
    """What manages the process. A Slurm job or a pod comes before the containers that it runs."""

    SLURM = "slurm"
    POD = "pod"
    CONTAINER = "container"  # Docker, Podman, containerd, LXC, nspawn, a virtual machine
    UNIT = "unit"  # a service or scope of the system's systemd
    USER = "user"
    UNKNOWN = "unknown"


class By(enum.StrEnum):
    """What told something about an owner; the value is what a person reads, as "from the cgroup path"."""

    CGROUP = "cgroup path"
    ENVIRONMENT = "environment"
    STEPD_TITLE = "title of slurmstepd"
    PODS_API = "kubelet Pods API"
    POD_RESOURCES = "kubelet PodResources"
    POD_LOGS = "names in the pod log directory"
    RUNTIME = "files of the container runtime"
    UID = "user id of the process"
    KERNEL = "thread of the kernel"
    NOTHING = "nothing"  # why nothing is known: not allowed, gone


class Evidence(msgspec.Struct, frozen=True, gc=False):
    """One reason for an answer: what told it, and what it said, as read. Never holds a secret."""

    by: By
    saw: str


class Owner(msgspec.Struct, frozen=True, gc=False):
    """What a process belongs to. A text is "" where it does not apply or is not known: nothing in here is guessed.

    Bytes that are not UTF-8 are lone surrogates, and any control character may occur: a view cleans them.
    """

    kind: OwnerKind
    id: str  # job id (a SLUID where only that is known), pod UID, container id, unit, user id; of UNKNOWN "kernel" or ""
    name: str = ""  # what people call it: of the job, the pod, the container; the user's name of USER
    namespace: str = ""  # of a pod
    container: str = ""  # in a job or pod: the container's name, or its id where no name is known
    step: str = ""  # of a job: "0", "batch", "extern", "interactive"
    user: str = ""  # the name of the user whose process this is, or the number where there is no name
    runtime: str = ""  # of a container: docker, podman, containerd, cri-o, lxc, nspawn, vm
    unit: str = ""  # the unit inside of an owner of another kind: of a user, or in a container that runs systemd
    inside: str = ""  # in what this owner lies, where ids are only unique there: "user 1000", "docker 4f…"
    evidence: tuple[Evidence, ...] = ()

    @property
    def key(self) -> tuple[OwnerKind, str, str]:
        """What use is summed over: the job, not its step; the pod, not its container."""
        return (self.kind, self.id, self.inside)

    @property
    def label_id(self) -> str:
        """The label ``id`` of its series: with what it lies in, where ids are only unique there."""
        return f"{self.id} in {self.inside}" if self.inside else self.id
