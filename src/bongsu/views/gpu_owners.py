"""What each owner uses and holds of the GPUs, as every view says it: sums over its processes, and what it was given."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple, TypeVar

import msgspec

from bongsu.collectors import gpu_process as series
from bongsu.collectors.gpu_allocation import ALLOCATION
from bongsu.model.batch import Batch, Part
from bongsu.model.gpu import GpuProcessRow
from bongsu.model.owner import Owner, OwnerKind
from bongsu.model.usage import OwnerRow
from bongsu.views.gpu_entries import part_of, place, rows_of
from bongsu.views.gpu_power import GpuPower
from bongsu.views.gpu_visible import Visible

N = TypeVar("N", int, float)
_Key = tuple[str, str]  # the labels kind and id


class Use(NamedTuple):
    """What processes use together. A sum is None where one of them does not tell it, or where nobody told who is there."""

    processes: int | None  # one on two GPUs is one
    gpus: tuple[str, ...]  # devices and instances with one of them
    users: tuple[str, ...]
    memory_bytes: int | None
    sm_ratio: float | None  # 2 is two busy GPUs
    watts: float | None
    joules: dict[str, float] | None  # by method, since who reads the GPUs first looked
    start_time: float | None  # Unix s, of the oldest


class GpuOwner(NamedTuple):
    """One that has a process on a GPU, or was given one."""

    owner: Owner  # the job, not its step; its user where that is one; of a pod that nobody saw without UID
    use: Use
    rows: tuple[GpuProcessRow, ...]
    given: tuple[str, ...]  # with or without a process; () too where nobody tells
    empty: tuple[str, ...] | None  # of these without one; None where nobody tells what was given, or who is there


def owners_on(batch: Batch | None, power: GpuPower, visible: Visible | None = None) -> list[GpuOwner]:
    """Those with processes first; with ``visible`` only what they have on these GPUs."""
    part = None if batch is None else part_of(batch)
    if batch is None or part is None:
        return []
    complete = any(sample.spec is series.TOTAL for sample in part.samples)
    return [_told(one, complete, power, visible) for one in _holdings(batch, part, visible)]


def use_of(rows: Sequence[GpuProcessRow], power: GpuPower, owner: Owner | None = None) -> Use:
    """The sums over these processes, of which there is one; ``owner`` where they are all that it has."""
    starts = [row.start_time for row in rows if row.start_time is not None]
    return Use(
        len({(row.pid, row.start_ticks) for row in rows}), _placed(row.gpu for row in rows),
        tuple(sorted({row.user for row in rows} - {""})), _sum([row.memory_bytes for row in rows]),
        _sum([row.sm_ratio for row in rows]), power.watts(rows, owner), power.joules(rows, owner),
        min(starts, default=None),
    )  # fmt: skip


class _Holding:
    """What one owner has."""

    __slots__ = ("given", "listed", "owner", "rows")

    def __init__(self, owner: Owner) -> None:
        self.owner = owner
        self.rows: list[GpuProcessRow] = []
        self.given: set[str] = set()
        self.listed = True  # who is on what it was given is known

    def empty(self) -> tuple[str, ...] | None:
        """What it was given and has no process on; a process in an instance is on its divided GPU too."""
        if not self.given or not self.listed:
            return None
        used = {row.gpu for row in self.rows}
        return _placed(gpu for gpu in self.given if not any(on == gpu or on.startswith(f"{gpu}_") for on in used))


def _told(one: _Holding, complete: bool, power: GpuPower, visible: Visible | None) -> GpuOwner:
    owner, rows = msgspec.structs.replace(one.owner, step="", container=""), tuple(one.rows)
    if rows:
        use = use_of(rows, power, owner if visible is None else None)
        if len({row.user for row in rows}) > 1:
            owner = msgspec.structs.replace(owner, user="")
        if not use.users and owner.user:
            use = use._replace(users=(owner.user,))
    else:
        none = 0 if complete else None  # known only where all GPUs told their processes
        users = (owner.user,) if owner.user else ()
        joules = power.joules(rows, owner) if visible is None else None
        use = Use(none, (), users, none, none, none, joules, None)
    return GpuOwner(owner, use, rows, _placed(one.given), one.empty())


def _holdings(batch: Batch, part: Part, visible: Visible | None) -> Iterable[_Holding]:
    found: dict[_Key, _Holding] = {}
    for row in rows_of(part):
        if visible is None or visible.shows(row.gpu):
            found.setdefault(_key(row.owner), _Holding(row.owner)).rows.append(row)
    given = [sample.labels for sample in part.samples if sample.spec is ALLOCATION]
    if not given:
        return found.values()
    known: Mapping[_Key, Owner] = {_key(owner): owner for owner in _owners(batch, part)}
    pods = {(owner.namespace, owner.name): key for key, owner in known.items() if owner.kind is OwnerKind.POD}
    listed = {
        name for s in part.samples if s.spec is series.COUNT for name in (s.labels[0], s.labels[0].partition("_")[0])
    }
    for gpu, _, kind, identity, name, namespace, _, user, _ in given:
        if visible is not None and not visible.shows(gpu):
            continue
        key = (kind, identity)
        if kind == OwnerKind.POD and not identity:  # the kubelet tells a pod by its name only
            key = pods.get((namespace, name), (kind, f" {namespace}/{name}"))
        if key not in found:
            owner = known.get(key)
            found[key] = _Holding(owner or Owner(OwnerKind(kind), identity, name, namespace, user=user))
        found[key].given.add(gpu)
        found[key].listed &= gpu in listed
    return found.values()


def _owners(batch: Batch, part: Part) -> Iterator[Owner]:
    """All that are known, on a GPU or not."""
    table = batch.table("owners")
    yield from (row.owner for row in table.rows if isinstance(row, OwnerRow)) if table is not None else ()
    yield from (row.owner for row in rows_of(part))


def _key(owner: Owner) -> _Key:
    return owner.kind.value, owner.label_id


def _placed(gpus: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(set(gpus), key=place))


def _sum(values: Sequence[N | None]) -> N | None:
    known = [value for value in values if value is not None]
    return sum(known) if len(known) == len(values) else None
