"""What each owner uses now, from the table of owners and its rates, and in words whose limit is near."""

from __future__ import annotations

from collections.abc import Iterator

from bongsu.model.batch import Batch
from bongsu.model.owner import Owner
from bongsu.model.summary import OwnerUse
from bongsu.model.usage import OwnerRow
from bongsu.views.owned import called
from bongsu.views.owner_rates import NO_OWNER_RATES, OwnerRates
from bongsu.views.rates import Rates
from bongsu.views.units import bytes_text, ratio_text

NEAR = 0.9  # of a limit
_THROTTLED = 0.1  # of the periods


def owner_uses(batch: Batch, rates: Rates) -> list[tuple[Owner, OwnerUse]] | None:
    """Those that have a process now, the most CPU first and then the most memory; None where owners were not read."""
    table = batch.table("owners")
    if table is None:
        return None
    known = rates.owners()
    found = [
        (row.owner, _use(row, known.get(row.owner.key, NO_OWNER_RATES)))
        for row in table.rows
        if isinstance(row, OwnerRow) and not row.ended
    ]
    found.sort(key=lambda pair: (-(pair[1].cores or 0.0), -(pair[1].held_bytes or 0), pair[0].key))
    return found


def _use(row: OwnerRow, rates: OwnerRates) -> OwnerUse:
    owner, usage = row.owner, row.usage
    return OwnerUse(
        owner.kind, owner.id, owner.name, owner.namespace, owner.user, owner.runtime, owner.inside,
        usage.processes, usage.since, usage.cpu_from.value, rates.cores, usage.cpu_seconds, usage.cpu_limit_cores,
        rates.throttled, usage.memory_from.value, usage.memory_bytes, usage.working_set_bytes,
        usage.memory_limit_bytes, usage.swap_bytes, usage.oom_kills, usage.io_from.value, rates.read_bytes,
        rates.write_bytes, usage.tasks, usage.tasks_limit,
    )  # fmt: skip


def near_limits(use: OwnerUse) -> Iterator[str]:
    """One sentence for each limit that an owner has nearly reached."""
    name, held = called(use), use.held_bytes
    if use.memory_limit_bytes and held is not None and held >= NEAR * use.memory_limit_bytes:
        yield f"{name} holds {bytes_text(held)} of the {bytes_text(use.memory_limit_bytes)} of memory that it may"
    if use.cpu_throttled_ratio is not None and use.cpu_throttled_ratio >= _THROTTLED:
        cores = use.cpu_limit_cores
        limit = "" if cores is None else f" of {cores:.3g} core{'' if cores == 1 else 's'}"
        yield f"{name} was stopped by its CPU limit{limit} in {ratio_text(use.cpu_throttled_ratio)} of its periods"
    if use.tasks_limit and use.tasks is not None and use.tasks >= NEAR * use.tasks_limit:
        yield f"{name} has {use.tasks:,} of the {use.tasks_limit:,} processes and threads that it may"
