"""The processes on GPUs, each joined with the one of this machine that it is; who shows them, and whom they are."""

from __future__ import annotations

import pwd
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from bongsu.model.batch import Batch, Part
from bongsu.model.gpu import GpuProcessRow
from bongsu.model.process import ProcessRow
from bongsu.views.gpu_visible import Visible
from bongsu.views.owned import keys, searched
from bongsu.views.processes import Order
from bongsu.views.rates import NO_RATES, Identity, ProcessRates

TABLE, COLLECTOR = "gpu_processes", "gpu_process"
_NONE: Mapping[Identity, ProcessRates] = {}


class OnGpu(NamedTuple):
    """One line: a process on one device or instance, the same one of this machine where it can be seen, and its age (s).

    ``cores`` of the machine is how many it kept busy; None where that is not known. In a tree ``branch`` stands before its name; ``context`` is one that is not on the GPU, but started those below.
    """

    row: GpuProcessRow
    process: ProcessRow | None
    age: float | None
    branch: str = ""
    context: bool = False
    cores: float | None = None

    @property
    def identity(self) -> tuple[str, str, int, int | None]:
        """What stays the same of it; a process on two devices has two lines."""
        return self.row.gpu, self.row.uuid, self.row.pid, self.row.start_ticks


def entries(
    batch: Batch | None,
    seen: Iterable[ProcessRow],
    visible: Visible | None = None,
    rates: Mapping[Identity, ProcessRates] = _NONE,
) -> list[OnGpu]:
    """Those on GPUs that are visible; ``seen`` are the processes of this machine and ``rates`` what these do per second."""
    part = None if batch is None else part_of(batch)
    if batch is None or part is None:
        return []
    by_identity = {row.identity: row for row in seen}
    return [
        _joined(
            row, None if row.start_ticks is None else by_identity.get((row.pid, row.start_ticks)), batch.time, rates
        )
        for row in rows_of(part)
        if visible is None or visible.shows(row.gpu)
    ]


def _joined(
    row: GpuProcessRow, process: ProcessRow | None, now: float, rates: Mapping[Identity, ProcessRates]
) -> OnGpu:
    cores = None if process is None else rates.get(process.identity, NO_RATES).cores
    return OnGpu(row, process, age(now, row.start_time), cores=cores)


def part_of(batch: Batch) -> Part | None:
    """The part that has the table of processes on GPUs; None where they were not read."""
    return next((part for part in batch.parts if any(table.name == TABLE for table in part.tables)), None)


def rows_of(part: Part) -> list[GpuProcessRow]:
    """The processes in it."""
    return [row for table in part.tables if table.name == TABLE for row in table.rows if isinstance(row, GpuProcessRow)]


def age(now: float, start_time: float | None) -> float | None:
    """Seconds since then; None where that is not known."""
    return None if start_time is None else max(0.0, now - start_time)


class Shown:
    """Whether an entry is one of those that an order asks for."""

    def __init__(self, order: Order) -> None:
        self._order = order
        self._name = _name(order.uid)
        self.words = order.words.lower().split()

    def of_user(self, entry: OnGpu) -> bool:
        """By its number where it is seen here, else by the name that it goes by."""
        if entry.process is not None:
            return self._order.shows(entry.process)
        return self.of_name(entry.row.user)

    def of_name(self, user: str) -> bool:
        """Whether what belongs to a user of this name is wanted."""
        return (self._order.uid is None or user == self._name) and self._order.user in {"", user}

    def found(self, entry: OnGpu) -> bool:
        """Whether it holds all words of the filter."""
        row = entry.row
        text = f"gpu{row.gpu} {row.uuid} {row.pid} {row.user} {row.command} ".lower() + searched(row.owner)
        return all(word in text for word in self.words)

    def __call__(self, entry: OnGpu) -> bool:
        """Both."""
        return self.of_user(entry) and self.found(entry)


def document(entry: OnGpu) -> dict[str, Any]:
    """A line as a program reads it: base units, null for what is not known."""
    row = entry.row
    return {
        "gpu": row.gpu, "uuid": row.uuid, "pid": row.pid, "command": row.command, "user": row.user,
        "owner": keys(row.owner), "kinds": row.kinds, "start_time": row.start_time, "age_seconds": entry.age,
        "memory_bytes": row.memory_bytes, "memory_ratio": row.memory_ratio, "sm_ratio": row.sm_ratio,
        "memory_bandwidth_ratio": row.memory_bandwidth_ratio, "encoder_ratio": row.encoder_ratio,
        "decoder_ratio": row.decoder_ratio, "cores": entry.cores,
        "resident_bytes": None if entry.process is None else entry.process.resident_bytes,
    }  # fmt: skip


def place(gpu: str) -> tuple[int, ...]:
    """Where a label stands among others: 2 before 10, 0_2_0 before 0_11_0."""
    return tuple(int(part) for part in gpu.split("_") if part.isdigit())


def _name(uid: int | None) -> str:
    try:
        return "" if uid is None else pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
