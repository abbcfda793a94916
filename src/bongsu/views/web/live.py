"""What the page shows now: takes each batch and tells all who listen."""

from __future__ import annotations

import asyncio
import math
import os
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from bongsu.boards.board import Board
from bongsu.collectors.process_groups import KERNEL, PROGRAM, kernel_thread_name
from bongsu.model import health
from bongsu.model.batch import Absence, Batch, Part
from bongsu.model.message import Message
from bongsu.model.owner import Owner
from bongsu.model.process import ProcessRow
from bongsu.model.query import Query
from bongsu.store.recent import Recent
from bongsu.views.gpu_power import GpuPower
from bongsu.views.owned import short
from bongsu.views.printable import printable
from bongsu.views.rates import NO_RATES, Rates
from bongsu.views.web import own, reasons
from bongsu.views.web.drawing import Drawing, Past
from bongsu.views.web.gpus import gpus
from bongsu.views.web.owners import Owners, key_of, part_with, within
from bongsu.views.web.stream import Hub, event

_MOST_PROCESSES = 2000
_MOST_ABSENCES = 50  # of one collector
_SAME_START_SECONDS = 2.0  # two clocks and their ticks lie between a run's time of a start and ours
_HEALTH_SECONDS = 5.0  # how often collectors' health is told while nothing about it changes
COLUMNS = (
    "pid", "user", "executable", "state", "cpu", "memory", "read", "write", "threads", "start", "arguments", "group", "owner",
    "run",
)  # fmt: skip


class Live:
    """A sink that feeds the page. Stands after ``recent`` in the list of sinks, whose answers it sends on.

    ``about`` says in a sentence what each collector reads, by its name. ``past`` answers for times that
    ``recent`` does not hold, ``trouble`` says what is wrong with keeping it, ``store`` how it is; None where no history
    is kept. ``members`` are the processes of recorded runs: pid → Unix time of its start, and its run.
    """

    name = "web"

    def __init__(
        self,
        recent: Recent,
        boards: Sequence[Board],
        *,
        about: Mapping[str, str] | None = None,
        past: Past | None = None,
        trouble: Callable[[], Message | None] = lambda: None,
        store: own.Store | None = None,
        members: Callable[[], Mapping[int, tuple[float, str]]] = dict,
    ) -> None:
        self.recent = recent
        self.hub = Hub()
        self.drawings = {board.name: Drawing(board, recent, past, self._why_empty) for board in boards}
        self.batch: Batch | None = None
        self._about = dict(about or {})
        self._trouble = trouble
        self._store = store
        self._members = members
        self._rates = Rates()
        self._owners = Owners()
        self._gpu_power = GpuPower()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._processes_of = self._owners_of = self._health_of = -math.inf  # monotonic times of what was told last
        self._states: list[str] = []
        self._lock = threading.Lock()

    def write(self, batch: Batch) -> None:
        """Take one batch; costs little while nobody looks."""
        with self._lock:
            self.batch = batch
            self._rates.take(batch)
            self._owners.take(batch, self._rates.owners())
            self._gpu_power.take(batch)
        loop = self._loop
        if loop is None or not len(self.hub):
            return
        told: list[tuple[str, Any]] = [
            ("values", {"time": round(batch.time, 3), **drawing.newest()}) for drawing in self.drawings.values()
        ]
        part = part_with("processes", batch)
        if part is not None and part.monotonic != self._processes_of:
            self._processes_of = part.monotonic
            told.append(("processes", self.processes()))
        part = part_with("owners", batch)
        if part is not None and part.monotonic != self._owners_of:
            self._owners_of = part.monotonic
            told.append(("owners", self.owners()))
        states = [_state(p) for p in batch.parts]
        if states != self._states or batch.monotonic - self._health_of >= _HEALTH_SECONDS:
            self._states, self._health_of = states, batch.monotonic
            told.append(("health", self.health()))
        try:
            loop.call_soon_threadsafe(self._publish, told)
        except RuntimeError:
            self._loop = None  # the server has ended

    def close(self) -> None:
        """Nothing is held back. Pages stay connected: a sink may be closed and used again at a reload."""

    def end(self) -> None:
        """End every stream, for the server is about to stop."""
        loop, self._loop = self._loop, None
        if loop is not None and not loop.is_closed():
            loop.call_soon_threadsafe(self.hub.close)

    def attach(self, loop: asyncio.AbstractEventLoop) -> None:
        """Tell the sink in which event loop its listeners are."""
        self._loop = loop

    def first_events(self) -> list[bytes]:
        """What a client that has just come is told at once: processes, owners and health."""
        if self.batch is None:
            return []
        return [
            event("processes", self.processes()),
            event("owners", self.owners()),
            event("health", self.health()),
        ]

    def processes(self) -> dict[str, Any]:
        """The table of processes, as rows in the order of `COLUMNS`; None is not known.

        ``run`` is the id of the recorded run that it belongs to. ``owner`` in a row is the place in ``owners`` of what it belongs to: short name, key, what else may be looked
        for, and user. ``mine`` is the user that runs this, None if that is root or has no process here.
        """
        with self._lock:
            batch = self.batch
            rates = self._rates.processes()
        part = part_with("processes", batch) if batch is not None else None
        if part is None:
            return {"columns": COLUMNS, "rows": [], "total": 0, "time": None, "owners": [], "mine": None}
        found = [row for table in part.tables if table.name == "processes" for row in table.rows]
        owners = _Owners()
        members = self._members()
        rows = [[*_process(row, rates, owners), _run(row, members)] for row in found if isinstance(row, ProcessRow)]
        me = os.geteuid()
        mine = next((printable(row.user) for row in found if isinstance(row, ProcessRow) and row.uid == me != 0), None)
        total = len(rows)
        if total > _MOST_PROCESSES:
            rows.sort(key=lambda row: (row[4] or 0.0, row[5]), reverse=True)
            del rows[_MOST_PROCESSES:]
        return {
            "columns": COLUMNS, "rows": rows, "total": total, "time": round(part.time, 3), "owners": owners.said,
            "mine": mine,
        }  # fmt: skip

    def owners(self) -> dict[str, Any]:
        """The table of owners, as rows in the order of `owners.COLUMNS`."""
        with self._lock:
            return self._owners.table(self.batch, self._rates.owners())

    def gpus(self) -> dict[str, Any]:
        """The GPUs, the processes on them as rows in the order of `gpus.COLUMNS`, and their owners."""
        with self._lock:
            return gpus(self.batch, self._gpu_power)

    def health(self) -> dict[str, Any]:
        """How each collector fares, and what is not there and why."""
        with self._lock:
            batch = self.batch
            cost = own.cost(batch, self._rates)
        problems = [problem for problem in (self.recent.problem, self._trouble()) if problem is not None]
        failures = batch.table(health.SINK_FAILURES_TABLE) if batch is not None else None
        for row in failures.rows if failures is not None else ():
            if isinstance(row, health.SinkFailure) and row.error not in problems:
                problems.append(Message("{sink} gets no readings: {error}", sink=row.sink, error=row.error))
        return {
            "time": round(time.time(), 3),
            "collectors": []
            if batch is None
            else [self._collector(part) for part in batch.parts if part.collector != health.NAME],
            "problems": [printable(problem) for problem in problems],
            "clients": len(self.hub),
            "dropped": self.hub.dropped,
            "cost": cost,
            "store": own.kept(self._store),
        }

    def _why_empty(self, queries: Iterable[Query], collector: str) -> str:
        return reasons.why(queries, self.batch, collector)

    def _collector(self, part: Part) -> dict[str, Any]:
        outcome = part.outcome
        said = outcome.error or outcome.no_data
        return {
            "name": part.collector,
            "about": self._about.get(part.collector, ""),
            "state": _state(part),
            "time": round(part.time, 3),
            "seconds": float(f"{outcome.seconds:.3g}"),
            "cpu": float(f"{outcome.cpu_seconds:.3g}"),
            "samples": len(part.samples) + sum(len(table.rows) for table in part.tables),
            "last_success": outcome.last_success,
            "said": printable(said) if said is not None else None,
            "cure": printable(outcome.cure) if outcome.cure is not None else None,
            "absences": _absences(part.absences),
        }

    def _publish(self, told: Sequence[tuple[str, Any]]) -> None:
        for name, data in told:
            self.hub.publish(name, data)


class _Owners:
    """What is said of owners, which many processes share."""

    def __init__(self) -> None:
        self.said: list[list[str]] = []
        self._places: dict[int, int] = {}

    def place(self, owner: Owner | None) -> int | None:
        if owner is None:
            return None
        place = self._places.get(id(owner))
        if place is None:
            place = self._places[id(owner)] = len(self.said)
            self.said.append([short(owner), key_of(owner), within(owner), printable(owner.user)])
        return place


def _process(row: ProcessRow, rates: Mapping[tuple[int, int], Any], owners: _Owners) -> list[Any]:
    rate = rates.get(row.identity, NO_RATES)
    return [
        row.pid, printable(row.user), printable(row.executable), row.state, _brief(rate.cores), row.resident_bytes,
        _brief(rate.read_bytes), _brief(rate.write_bytes), row.threads, round(row.start_time),
        None if row.arguments is None else printable(row.arguments), _group(row), owners.place(row.owner),
    ]  # fmt: skip


def _run(row: ProcessRow, members: Mapping[int, tuple[float, str]]) -> str | None:
    """The recorded run that it belongs to; a number that was given anew is told by when its process started."""
    start, run = members.get(row.pid, (0.0, ""))
    return printable(run) if run and abs(row.start_time - start) <= _SAME_START_SECONDS else None


def _group(row: ProcessRow) -> list[str] | None:
    """Which series fold it, as [user, executable, kind]: only where that is not what the row shows, and a program.

    Empty where a name is not UTF-8, so that no question can name it.
    """
    if not row.kernel and row.user.isprintable() and row.executable.isprintable():
        return None
    kind = KERNEL if row.kernel else PROGRAM
    group = [row.user, kernel_thread_name(row.executable) if row.kernel else row.executable, kind]
    try:
        "".join(group).encode()
    except UnicodeEncodeError:
        return []
    return group


def _brief(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.4g}")


def _state(part: Part) -> str:
    """``ok``, ``late`` (no answer in time), ``failed``, ``none`` (this machine has none) or ``partly``."""
    outcome = part.outcome
    if outcome.timed_out:
        return "late"
    if outcome.error is not None:
        return "failed"
    if outcome.no_data is not None:
        return "none"
    return "partly" if part.absences else "ok"


def _absences(absences: Sequence[Absence]) -> list[dict[str, Any]]:
    """What is not there, one entry for each reason: which metrics and devices it is true of."""
    found: dict[tuple[str, str, str], dict[str, Any]] = {}
    for absence in absences:
        reason, cure = printable(absence.reason), "" if absence.cure is None else printable(absence.cure)
        entry = found.get((absence.why.value, reason, cure))
        if entry is None:
            if len(found) >= _MOST_ABSENCES:
                break
            entry = found[absence.why.value, reason, cure] = {
                "why": absence.why.value, "reason": reason, "cure": cure or None, "what": [], "count": 0,
            }  # fmt: skip
        entry["count"] += 1
        if len(entry["what"]) < 5:
            device = " ".join(map(printable, absence.labels))
            entry["what"].append(f"{absence.spec.name} {device}".strip())
    return list(found.values())
