"""What the page is told of GPUs by owner: what its processes use of them, and what it was given and leaves empty."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from bongsu.collectors.gpu_process import UNATTRIBUTED_ENERGY
from bongsu.model.batch import Batch, Part
from bongsu.views.gpu_entries import part_of, place
from bongsu.views.gpu_owners import GpuOwner, owners_on
from bongsu.views.gpu_power import GpuPower
from bongsu.views.owned import short
from bongsu.views.printable import printable
from bongsu.views.web.owners import key_of, within

COLUMNS = (
    "key", "name", "users", "processes", "gpus", "empty", "memory", "sm", "power", "energy", "start", "within",
)  # fmt: skip
_MOST = 2000
_MOST_USERS = 20


def gpu_owners(batch: Batch | None, power: GpuPower) -> dict[str, Any]:
    """Rows in the order of `COLUMNS`, most memory first; None is not known.

    ``key`` is None where there is no page of the owner. ``sm`` and ``power`` (W) are sums over its processes and all
    GPUs, ``energy`` is in joules by the method that told it, ``empty`` are GPUs that it was given and has no process
    on; None where nobody told what it was given, or who is there. ``unattributed`` is energy that went to nobody.
    """
    part = None if batch is None else part_of(batch)
    if part is None:
        return {"columns": COLUMNS, "rows": [], "total": 0, "time": None, "unattributed": {}}
    found = owners_on(batch, power)
    found.sort(key=lambda one: (-(one.use.memory_bytes or 0), short(one.owner)))
    return {
        "columns": COLUMNS, "rows": [_row(one) for one in found[:_MOST]], "total": len(found),
        "time": round(part.time, 3), "unattributed": _unattributed(part),
    }  # fmt: skip


def _row(one: GpuOwner) -> list[Any]:
    owner, use = one.owner, one.use
    held = sorted({*use.gpus, *(one.given if one.empty is None else one.empty)}, key=place)
    return [
        key_of(owner) if owner.id else None, short(owner), [printable(user) for user in use.users[:_MOST_USERS]],
        use.processes, held, one.empty, use.memory_bytes, _brief(use.sm_ratio), _brief(use.watts),
        None if use.joules is None else {method: round(joules, 1) for method, joules in use.joules.items()},
        use.start_time, _within(one),
    ]  # fmt: skip


def _within(one: GpuOwner) -> str:
    """What may be looked for, of each step and container that is on a GPU."""
    owners: Iterable[str] = dict.fromkeys(within(row.owner) for row in one.rows)
    return " ".join(owners) or within(one.owner)


def _brief(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.4g}")


def _unattributed(part: Part) -> dict[str, float]:
    found: dict[str, float] = {}
    for sample in part.samples:
        if sample.spec is UNATTRIBUTED_ENERGY:
            reason = sample.labels[-1]
            found[reason] = round(found.get(reason, 0.0) + sample.value, 1)
    return found
