"""What the page is told of GPUs by owner: what its processes use of them, and what it was given and leaves empty."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from bongsu.collectors import gpu_allocation, gpu_process, gpu_workload
from bongsu.model.batch import Batch, Part
from bongsu.model.gpu import GpuProcessRow
from bongsu.model.owner import Owner, OwnerKind
from bongsu.model.usage import OwnerRow
from bongsu.views.owned import short
from bongsu.views.printable import printable
from bongsu.views.web.owners import key_of, part_with, within

COLUMNS = (
    "key", "name", "users", "processes", "gpus", "empty", "memory", "sm", "power", "energy", "start", "within",
)  # fmt: skip
_MOST = 2000
_MOST_USERS = 20
_POWER_SECONDS = 5.0  # over which energy makes a power; the driver's counters move less often than we may look

_Key = tuple[str, str]  # the labels kind and id
_Energies = Mapping[_Key, Mapping[str, float]]  # joules by method


class GpuOwners:
    """Remembers a few seconds of energy, for power."""

    def __init__(self) -> None:
        self._looks: deque[tuple[float, _Energies]] = deque()  # with the monotonic time of each

    def take(self, batch: Batch) -> None:
        """Look at one batch."""
        part = part_with("gpu_processes", batch)
        if part is None or (self._looks and part.monotonic <= self._looks[-1][0]):
            return
        self._looks.append((part.monotonic, _energies(part)))
        while len(self._looks) > 2 and self._looks[1][0] <= part.monotonic - _POWER_SECONDS:
            self._looks.popleft()

    def table(self, batch: Batch | None) -> dict[str, Any]:
        """Rows in the order of `COLUMNS`, most memory first; None is not known.

        ``key`` is None where there is no page of the owner. ``sm`` and ``power`` (W) are sums over its processes and all
        GPUs, ``energy`` is in joules by the method that told it, ``empty`` are GPUs that it was given and has no process
        on; None where nobody told what it was given, or who is there. ``unattributed`` is energy that went to nobody.
        """
        part = None if batch is None else part_with("gpu_processes", batch)
        if batch is None or part is None:
            return {"columns": COLUMNS, "rows": [], "total": 0, "time": None, "unattributed": {}}
        found = _holdings(batch, part)
        complete = any(sample.spec is gpu_process.TOTAL for sample in part.samples)
        now, power = self._looks[-1][1] if self._looks else {}, self._power()
        rows = [_row(one, complete, now.get(key), power.get(key)) for key, one in found.items()]
        rows.sort(key=lambda row: (-(row[6] or 0), row[1]))
        return {
            "columns": COLUMNS, "rows": rows[:_MOST], "total": len(rows), "time": round(part.time, 3),
            "unattributed": _unattributed(part),
        }  # fmt: skip

    def _power(self) -> dict[_Key, float]:
        if len(self._looks) < 2:
            return {}
        (since, before), (until, now) = self._looks[0], self._looks[-1]
        gains = {key: sum(now[key].values()) - sum(before[key].values()) for key in now.keys() & before.keys()}
        return {key: joules / (until - since) for key, joules in gains.items() if joules >= 0}


class _Holding:
    """What one owner has."""

    __slots__ = ("given", "listed", "owner", "rows")

    def __init__(self, owner: Owner) -> None:
        self.owner = owner
        self.rows: list[GpuProcessRow] = []
        self.given: set[str] = set()
        self.listed = True  # who is on what it was given is known

    def empty(self) -> list[str] | None:
        """What it was given and has no process on; a process in an instance is on its divided GPU too."""
        if not self.given or not self.listed:
            return None
        used = {row.gpu for row in self.rows}
        return [gpu for gpu in self.given if not any(on == gpu or on.startswith(f"{gpu}_") for on in used)]


def _holdings(batch: Batch, part: Part) -> dict[_Key, _Holding]:
    found: dict[_Key, _Holding] = {}
    for row in (row for table in part.tables if table.name == "gpu_processes" for row in table.rows):
        if isinstance(row, GpuProcessRow):
            found.setdefault(_key(row.owner), _Holding(row.owner)).rows.append(row)
    given = [sample.labels for sample in part.samples if sample.spec is gpu_allocation.ALLOCATION]
    if not given:
        return found
    known = {_key(owner): owner for owner in _owners(batch)}
    known.update((key, one.owner) for key, one in found.items())
    pods = {(owner.namespace, owner.name): key for key, owner in known.items() if owner.kind is OwnerKind.POD}
    listed = {
        name for s in part.samples if s.spec is gpu_process.COUNT for name in (s.labels[0], s.labels[0].split("_")[0])
    }
    for gpu, _, kind, identity, name, namespace, container, user, _ in given:
        key = (kind, identity)
        if kind == OwnerKind.POD and not identity:  # the kubelet tells a pod by its name only
            key = pods.get((namespace, name), (kind, f" {namespace}/{name}"))
        if key not in found:
            owner = known.get(key)
            found[key] = _Holding(owner or Owner(OwnerKind(kind), identity, name, namespace, container, user=user))
        found[key].given.add(gpu)
        found[key].listed &= gpu in listed
    return found


def _owners(batch: Batch) -> Iterator[Owner]:
    table = batch.table("owners")
    return (row.owner for row in table.rows if isinstance(row, OwnerRow)) if table is not None else iter(())


def _row(one: _Holding, complete: bool, energy: Mapping[str, float] | None, power: float | None) -> list[Any]:
    rows, owner, empty = one.rows, one.owner, one.empty()
    none = 0 if complete else None  # it has no process: known only where all GPUs told theirs
    sm = _sum(row.sm_ratio for row in rows) if rows else none
    if power == 0 and sm is None:
        power = None  # nothing was booked to it because nobody can tell its share
    starts = [row.start_time for row in rows if row.start_time is not None]
    users = sorted({printable(row.user) for row in rows if row.user} or ({printable(owner.user)} - {""}))
    return [
        key_of(owner) if owner.id else None, short(owner), users[:_MOST_USERS],
        len({(row.pid, row.start_ticks) for row in rows}) or none, sorted({row.gpu for row in rows}.union(
            one.given if empty is None else empty), key=_place), None if empty is None else sorted(empty, key=_place),
        _sum(row.memory_bytes for row in rows) if rows else none, _brief(sm), _brief(power),
        None if energy is None else {method: round(joules, 1) for method, joules in energy.items()},
        min(starts, default=None), within(owner),
    ]  # fmt: skip


def _key(owner: Owner) -> _Key:
    return owner.kind.value, f"{owner.id} in {owner.inside}" if owner.inside else owner.id


def _place(gpu: str) -> tuple[int, ...]:
    return tuple(int(number) for number in gpu.split("_") if number.isdigit())


def _sum(values: Iterable[float | None]) -> float | None:
    """None where one of them is not known."""
    found = list(values)
    return None if None in found else sum(value for value in found if value is not None)


def _brief(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.4g}")


def _energies(part: Part) -> _Energies:
    found: dict[_Key, dict[str, float]] = {}
    for sample in part.samples:
        if sample.spec is gpu_workload.ENERGY:
            kind, identity, *_, method = sample.labels
            found.setdefault((kind, identity), {})[method] = sample.value
    return found


def _unattributed(part: Part) -> dict[str, float]:
    found: dict[str, float] = {}
    for sample in part.samples:
        if sample.spec is gpu_process.UNATTRIBUTED_ENERGY:
            reason = sample.labels[-1]
            found[reason] = round(found.get(reason, 0.0) + sample.value, 1)
    return found
