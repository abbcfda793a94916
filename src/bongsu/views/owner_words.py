"""What an owner is called where there is little room, what finds it, and its keys for programs; nothing here is cleaned."""

from __future__ import annotations

from typing import Any

from bongsu.model.owner import Owner, OwnerKind
from bongsu.model.summary import OwnerUse

_SHORT = 12  # characters of a container's id that people compare


def called(owner: Owner | OwnerUse) -> str:
    """A few words: ``job 42``, ``pod ml/trainer-0``, ``docker web``, ``ollama.service``, ``alice``."""
    match owner.kind:
        case OwnerKind.SLURM:
            words = f"job {owner.id}"
        case OwnerKind.POD:
            words = f"pod {owner.namespace}/{owner.name}" if owner.name else f"pod {owner.id}"
        case OwnerKind.CONTAINER:
            words = f"{owner.runtime or 'container'} {owner.name or owner.id[:_SHORT]}"
        case OwnerKind.USER:
            words = owner.name or owner.id
        case OwnerKind.UNIT:
            words = owner.id
        case OwnerKind.UNKNOWN:
            words = "kernel" if owner.name else "unknown"
    if owner.inside and not owner.inside.startswith("user "):
        where, _, number = owner.inside.partition(" ")
        words += f" in {where} {number[:_SHORT]}".rstrip()
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
