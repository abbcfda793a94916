"""What the page is told of GPUs: each with its instances and what is odd about it, and the processes on them."""

from __future__ import annotations

from typing import Any

import msgspec

from bongsu.model.batch import Batch
from bongsu.model.gpu import GpuProcessRow
from bongsu.model.metric import MetricSpec
from bongsu.views.gpu_entries import part_of, rows_of
from bongsu.views.gpu_power import GpuPower
from bongsu.views.gpu_uses import gpu_uses, trouble
from bongsu.views.owned import searched, short
from bongsu.views.printable import printable
from bongsu.views.web.gpu_owners import gpu_owners

COLUMNS = (
    "gpu", "pid", "user", "owner", "memory", "share", "sm", "bandwidth", "start", "command", "uuid", "within",
)  # fmt: skip
_MOST = 2000


def gpus(batch: Batch | None, power: GpuPower) -> dict[str, Any]:
    """``gpus`` by index, rows in the order of `COLUMNS`, most memory first, and ``owners`` as their own table; None is not known."""
    part = None if batch is None else part_of(batch)
    found = [] if part is None else rows_of(part)
    found.sort(key=lambda row: -(row.memory_bytes or 0))
    return {
        "gpus": _cards(batch), "columns": COLUMNS, "rows": [_row(row) for row in found[:_MOST]], "total": len(found),
        "time": None if part is None else round(part.time, 3), "owners": gpu_owners(batch, power),
    }  # fmt: skip


def _cards(batch: Batch | None) -> list[dict[str, Any]]:
    if batch is None:
        return []
    now: dict[MetricSpec, dict[tuple[str, ...], float]] = {}
    for part in batch.parts:
        if part.collector == "gpu":
            for sample in part.samples:
                now.setdefault(sample.spec, {})[sample.labels] = sample.value
    return [
        {
            **msgspec.structs.asdict(use), "name": printable(use.name), "reason": printable(use.reason),
            "cure": printable(use.cure), "trouble": printable(trouble(use)),
        }
        for use in gpu_uses(batch, now)
    ]  # fmt: skip


def _row(row: GpuProcessRow) -> list[Any]:
    return [
        row.gpu, row.pid, printable(row.user), short(row.owner), row.memory_bytes, row.memory_ratio, row.sm_ratio,
        row.memory_bandwidth_ratio, row.start_time, printable(row.command), row.uuid, printable(searched(row.owner)),
    ]  # fmt: skip
