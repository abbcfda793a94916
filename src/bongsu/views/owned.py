"""Says in words who a process belongs to."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from bongsu.model.owner import By, Owner, OwnerKind
from bongsu.model.summary import OwnerUse
from bongsu.owners.kubernetes import Way
from bongsu.sources.procfs.process import Process
from bongsu.views.printable import printable

_SHORT = 12  # characters of a container's id that people compare


def document(process: Process, owner: Owner) -> dict[str, Any]:
    """What `bongsu owner --json` prints: an object whose keys stay; a text is "" where it is not known."""
    return {
        **keys(owner),
        "evidence": [{"by": evidence.by, "saw": evidence.saw} for evidence in owner.evidence],
        "runtime": owner.runtime, "unit": owner.unit, "inside": owner.inside,
        "pid": process.pid, "start_time": process.start_time, "command": process.executable,
    }  # fmt: skip


def lines(process: Process, owner: Owner, ways: Iterable[Way] = ()) -> Iterator[str]:
    """One sentence, and below it what told it; of a pod without a name, why no way to name it worked."""
    yield f"{process.pid} {printable(process.executable)}: {sentence(owner)}"
    for evidence in owner.evidence:
        if evidence.by is By.NOTHING:
            yield f"  because {printable(evidence.saw)}"
        elif evidence.saw:
            yield f"  from the {evidence.by}: {printable(evidence.saw)}"
    if owner.kind is OwnerKind.POD and not owner.name and not owner.inside:
        for way in ways:
            if way.works:
                yield f"  no name ({way.by}): it does not know this pod"
            elif way.works is False:
                cure = f"; {way.cure}" if way.cure is not None else ""
                yield f"  no name ({way.by}): {printable(str(way.said) + cure)}"


def sentence(owner: Owner) -> str:
    """The owner as people call it: what manages the process, and whose it is."""
    of = f", of {owner.user}" if owner.user else ""
    inside = f", in {_shortened(owner.inside)}" if owner.inside and not owner.inside.startswith("user ") else ""
    match owner.kind:
        case OwnerKind.SLURM:
            name = f" ({owner.name})" if owner.name else ""
            step = f", step {owner.step}" if owner.step else ""
            text = f"Slurm job {owner.id}{name}{step}{_container(owner)}{of}{inside}"
        case OwnerKind.POD:
            name = f"{owner.name} of namespace {owner.namespace}" if owner.name else owner.id
            text = f"pod {name}{_container(owner)}{of}{inside}"
        case OwnerKind.CONTAINER:
            what = "virtual machine" if owner.runtime == "vm" else f"{owner.runtime} container".lstrip()
            name = f" {owner.name}" if owner.name else ""
            number = f" {_shortened(owner.id)}" if owner.id != owner.name else ""
            unit = f", unit {owner.unit}" if owner.unit else ""
            text = f"{what}{name}{f' ({number[1:]})' if name and number else number}{unit}{of}{inside}"
        case OwnerKind.UNIT:
            text = f"unit {owner.id}{of}"
        case OwnerKind.USER:
            unit = f", unit {owner.unit}" if owner.unit else ""
            text = f"user {owner.name}{unit}" + (f", running as {owner.user}" if owner.user != owner.name else "")
        case OwnerKind.UNKNOWN:
            text = "the kernel" if owner.name else f"unknown{of}"
    return printable(text)


def short(owner: Owner) -> str:
    """The owner in the few words that a line of a table has room for: ``job 42 train (alice)``, ``pod ml/trainer-0``."""
    match owner.kind:
        case OwnerKind.SLURM:
            text = f"job {owner.id}{f' {owner.name}' if owner.name else ''}{f' ({owner.user})' if owner.user else ''}"
        case OwnerKind.POD:
            text = f"pod {owner.namespace}/{owner.name}" if owner.name else f"pod {owner.id}"
        case OwnerKind.CONTAINER:
            what = "machine" if owner.runtime == "vm" else "container"
            runtime = f" ({owner.runtime})" if owner.runtime and owner.runtime != "vm" else ""
            text = f"{what} {owner.name or _shortened(owner.id)}{runtime}"
        case OwnerKind.UNIT:
            text = f"unit {owner.id}"
        case OwnerKind.USER:
            text = f"user {owner.name or owner.id}"
        case OwnerKind.UNKNOWN:
            text = "the kernel" if owner.name else "unknown"
    return printable(text)


def called(owner: Owner | OwnerUse) -> str:
    """A few words: ``job 42``, ``pod ml/trainer-0``, ``docker web``, ``ollama.service``, ``alice``."""
    match owner.kind:
        case OwnerKind.SLURM:
            words = f"job {owner.id}"
        case OwnerKind.POD:
            words = f"pod {owner.namespace}/{owner.name}" if owner.name else f"pod {owner.id}"
        case OwnerKind.CONTAINER:
            words = f"{owner.runtime or 'container'} {owner.name or _shortened(owner.id)}"
        case OwnerKind.USER:
            words = owner.name or owner.id
        case OwnerKind.UNIT:
            words = owner.id
        case OwnerKind.UNKNOWN:
            words = "kernel" if owner.name else "unknown"
    if owner.inside and not owner.inside.startswith("user "):
        words += f" in {_shortened(owner.inside)}"
    return words


def searched(owner: Owner) -> str:
    """All by which somebody may look for it, in small letters."""
    return " ".join(
        (
            called(owner), owner.kind, owner.id, owner.name, owner.namespace, owner.container, owner.step, owner.user,
            owner.unit, owner.runtime, owner.inside,
        )
    ).lower()  # fmt: skip


def keys(owner: Owner) -> dict[str, Any]:
    """A process's owner in JSON; a text is "" where it does not apply or is not known."""
    return {
        "kind": owner.kind, "id": owner.id, "name": owner.name, "namespace": owner.namespace,
        "container": owner.container, "step": owner.step, "user": owner.user,
    }  # fmt: skip


def _container(owner: Owner) -> str:
    return f", container {_shortened(owner.container)}" if owner.container else ""


def _shortened(text: str) -> str:
    """Ids of containers are 64 digits long, of which people read the first."""
    return " ".join(
        word[:_SHORT] if len(word) == 64 and set(word) <= set("0123456789abcdef") else word for word in text.split(" ")
    )
