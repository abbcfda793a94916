"""What the page is told of owners: each with what it uses against its limits, those that ended of late too."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bongsu.model.batch import Batch, Part
from bongsu.model.owner import Owner, OwnerKind
from bongsu.model.usage import OwnerRow, Usage
from bongsu.views.owned import short
from bongsu.views.owner_rates import NO_OWNER_RATES, OwnerRates
from bongsu.views.printable import printable

MOST_OWNERS = 2000
_MOST_ENDED = 200
REMEMBERED_SECONDS = 3600.0  # how long one that ended, and that one had processes killed, is told
_LONGEST_EVIDENCE = 300  # characters
COLUMNS = (
    "key", "kind", "name", "user", "processes", "cpu", "cpuLimit", "throttled", "memory", "memoryLimit", "killed",
    "read", "write", "tasks", "tasksLimit", "waits", "start", "known", "ended", "seconds", "peak", "readAll", "writtenAll",
    "oom", "evidence", "id",
)  # fmt: skip

Key = tuple[OwnerKind, str, str]


class Owners:
    """Remembers which owners ended and where processes were killed within the last hour."""

    def __init__(self) -> None:
        self._ended: dict[Key, tuple[OwnerRow, float]] = {}  # with the Unix time of its end
        self._killed: dict[Key, float] = {}  # Unix time at which kills were seen
        self._taken: float | None = None

    def take(self, batch: Batch, rates: Mapping[Key, OwnerRates]) -> None:
        """Look at one batch."""
        part = part_with("owners", batch)
        if part is None or part.monotonic == self._taken:
            return
        self._taken = part.monotonic
        for row in _rows(part):
            key = row.owner.key
            self._ended.pop(key, None)
            if row.ended:
                self._ended[key] = (row, part.time)
            if rates.get(key, NO_OWNER_RATES).oom_kills:
                self._killed[key] = part.time
        since = part.time - REMEMBERED_SECONDS
        self._killed = {key: at for key, at in self._killed.items() if at > since}
        self._ended = dict([item for item in self._ended.items() if item[1][1] > since][-_MOST_ENDED:])

    def table(self, batch: Batch | None, rates: Mapping[Key, OwnerRates]) -> dict[str, Any]:
        """Rows in the order of `COLUMNS`, those that use most CPU first; None is not known, of a limit: there is none."""
        part = part_with("owners", batch) if batch is not None else None
        if part is None:
            return {"columns": COLUMNS, "rows": [], "total": 0, "time": None}
        alive = [row for row in _rows(part) if not row.ended]
        alive.sort(key=lambda row: -(rates.get(row.owner.key, NO_OWNER_RATES).cores or 0.0))
        rows = [
            _told(row, rates.get(row.owner.key, NO_OWNER_RATES), self._killed.get(row.owner.key), None)
            for row in alive[:MOST_OWNERS]
        ]
        rows += [_told(row, NO_OWNER_RATES, self._killed.get(key), round(at)) for key, (row, at) in self._ended.items()]
        total = len(alive) + len(self._ended)
        return {"columns": COLUMNS, "rows": rows, "total": total, "time": round(part.time, 3)}


def part_with(name: str, batch: Batch) -> Part | None:
    """The part that has the table ``name``."""
    for part in batch.parts:
        for table in part.tables:
            if table.name == name:
                return part
    return None


def key_of(owner: Owner) -> str:
    """What an address calls it: its labels ``kind`` and ``id``."""
    return printable(f"{owner.kind.value}/{owner.label_id}")


def within(owner: Owner) -> str:
    """What else may be looked for: ids, container, step and unit, beside the short name."""
    step = f"step {owner.step}" if owner.step else ""
    texts = (owner.kind.value, owner.id, owner.name, owner.namespace, owner.container, step, owner.unit, owner.inside)
    return printable(" ".join(filter(None, texts)))


def _rows(part: Part) -> list[OwnerRow]:
    return [row for table in part.tables if table.name == "owners" for row in table.rows if isinstance(row, OwnerRow)]


def _told(row: OwnerRow, rates: OwnerRates, killed: float | None, ended: int | None) -> list[Any]:
    owner, usage = row.owner, row.usage
    memory = usage.memory_bytes if usage.working_set_bytes is None else usage.working_set_bytes
    waits = (rates.cpu_waiting, rates.memory_waiting, rates.io_waiting)
    return [
        key_of(owner), owner.kind.value, short(owner), printable(owner.user), None if ended else usage.processes, _brief(rates.cores),
        usage.cpu_limit_cores, _brief(rates.throttled), None if ended else memory, usage.memory_limit_bytes,
        None if killed is None else round(killed), _brief(rates.read_bytes), _brief(rates.write_bytes),
        None if ended else usage.tasks, usage.tasks_limit, None if waits == (None, None, None) else list(map(_brief, waits)),
        round(usage.since), _known(usage), ended, _brief(usage.cpu_seconds), usage.memory_peak_bytes, usage.read_bytes,
        usage.written_bytes, usage.oom_kills, _evidence(owner), _asked(owner),
    ]  # fmt: skip


def _known(usage: Usage) -> list[str]:
    return [usage.cpu_from.value, usage.memory_from.value, usage.io_from.value]


def _evidence(owner: Owner) -> list[list[str]]:
    return [[each.by.value, printable(each.saw[:_LONGEST_EVIDENCE])] for each in owner.evidence]


def _asked(owner: Owner) -> str | None:
    """The label ``id`` where the key does not show it as it is; "" where it is not UTF-8, so that no question can name it."""
    name = owner.label_id
    if name.isprintable():
        return None
    try:
        name.encode()
    except UnicodeEncodeError:
        return ""
    return name


def _brief(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.4g}")
