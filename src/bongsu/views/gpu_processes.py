"""The table of processes on GPUs: order, filter and columns, as text that is safe to print."""

from __future__ import annotations

import pwd
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from rich.cells import cell_len
from rich.text import Text

from bongsu.model.batch import Batch
from bongsu.model.gpu import GpuProcessRow
from bongsu.model.process import ProcessRow
from bongsu.views import ruled
from bongsu.views.owned import called, keys, searched
from bongsu.views.printable import printable
from bongsu.views.processes import Order
from bongsu.views.ruled import Column, Sort
from bongsu.views.units import UNKNOWN, short_bytes

TABLE, COLLECTOR = "gpu_processes", "gpu_process"
_UNITS = ((86400, "d"), (3600, "h"), (60, "m"), (1, "s"))


class OnGpu(NamedTuple):
    """One line: a process on one device or instance, the same one of this machine where it can be seen, and its age (s)."""

    row: GpuProcessRow
    process: ProcessRow | None
    age: float | None

    @property
    def identity(self) -> tuple[str, str, int, int | None]:
        """What stays the same of it; a process on two devices has two lines."""
        return self.row.gpu, self.row.uuid, self.row.pid, self.row.start_ticks


def arrange(batch: Batch | None, seen: Iterable[ProcessRow], order: Order) -> list[OnGpu]:
    """Those that ``order`` shows, in its order: CPU means time of the SMs, reads and writes those of the GPU's memory.

    ``seen`` are the processes of this machine. As a tree, each stands below its GPU.
    """
    found = _table(batch)
    if batch is None or found is None:
        return []
    by_identity: Mapping[tuple[int, int | None], ProcessRow] = {(row.pid, row.start_ticks): row for row in seen}
    words = order.words.lower().split()
    entries = [
        OnGpu(
            row,
            by_identity.get((row.pid, row.start_ticks)),
            None if row.start_time is None else max(0.0, batch.time - row.start_time),
        )
        for row in found
    ]
    name = _name(order.uid)
    entries = [one for one in entries if _shown(one, order, name) and all(word in _searched(one.row) for word in words)]
    entries.sort(key=lambda one: one.identity[:3])
    entries.sort(key=lambda one: _number(one.row.memory_bytes), reverse=True)
    entries.sort(key=_KEYS[order.sort], reverse=(order.sort not in {Sort.USER, Sort.THREADS}) is not order.turned)
    if order.tree:
        entries.sort(key=lambda one: _place(one.row.gpu))
    return entries


def document(entry: OnGpu) -> dict[str, Any]:
    """A line as a program reads it: base units, null for what is not known."""
    row = entry.row
    return {
        "gpu": row.gpu, "uuid": row.uuid, "pid": row.pid, "command": row.command, "user": row.user,
        "owner": keys(row.owner), "kinds": row.kinds, "start_time": row.start_time, "age_seconds": entry.age,
        "memory_bytes": row.memory_bytes, "memory_ratio": row.memory_ratio, "sm_ratio": row.sm_ratio,
        "memory_bandwidth_ratio": row.memory_bandwidth_ratio, "encoder_ratio": row.encoder_ratio,
        "decoder_ratio": row.decoder_ratio,
    }  # fmt: skip


def has_table(batch: Batch | None) -> bool:
    """Whether processes on GPUs were read."""
    return _table(batch) is not None


def heading(width: int, order: Order) -> Text:
    """The line of titles."""
    return ruled.heading(_COLUMNS, "COMMAND", width, order.sort)


def line(entry: OnGpu, width: int, *, selected: bool = False) -> Text:
    """One process on one line of exactly ``width`` cells; nothing in it can steer the terminal."""
    return ruled.line(_COLUMNS, entry, printable(entry.row.command), width, _style, selected=selected)


def plain(entries: Iterable[OnGpu], width: int | None, order: Order) -> list[str]:
    """The table as plain lines; as wide as it needs where ``width`` is None."""
    shown = list(entries)
    if width is None:
        width = 140 + max((cell_len(printable(one.row.command)) for one in shown), default=0)
    return [text.plain.rstrip() for text in (heading(width, order), *(line(one, width) for one in shown))]


def _table(batch: Batch | None) -> list[GpuProcessRow] | None:
    table = None if batch is None else batch.table(TABLE)
    return None if table is None else [row for row in table.rows if isinstance(row, GpuProcessRow)]


def _name(uid: int | None) -> str:
    try:
        return "" if uid is None else pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _shown(entry: OnGpu, order: Order, name: str) -> bool:
    if entry.process is not None:
        return order.shows(entry.process)
    return (order.uid is None or entry.row.user == name) and order.user in {"", entry.row.user}


def _searched(row: GpuProcessRow) -> str:
    return f"gpu{row.gpu} {row.uuid} {row.pid} {row.user} {row.command} ".lower() + searched(row.owner)


def _number(value: float | None) -> float:
    return -1.0 if value is None else value


def _place(gpu: str) -> tuple[int, ...]:
    return tuple(int(part) for part in gpu.split("_") if part.isdigit())


_KEYS: dict[Sort, Callable[[OnGpu], Any]] = {
    Sort.CPU: lambda one: _number(one.row.sm_ratio),
    Sort.MEMORY: lambda one: _number(one.row.memory_bytes),
    Sort.IO: lambda one: _number(one.row.memory_bandwidth_ratio),
    Sort.THREADS: lambda one: _place(one.row.gpu),
    Sort.PID: lambda one: one.row.pid,
    Sort.USER: lambda one: one.row.user,
}


def _percent(ratio: float | None) -> str:
    return UNKNOWN if ratio is None else f"{ratio * 100:.0f}"


def _age(seconds: float | None) -> str:
    if seconds is None:
        return UNKNOWN
    size, unit = next((pair for pair in _UNITS if seconds >= pair[0]), _UNITS[-1])
    return f"{seconds / size:.0f}{unit}" if seconds < 10 * size or unit == "s" else f"{seconds // size:.0f}{unit}"


def _owner(one: OnGpu) -> str:
    return printable(called(one.row.owner))


_COLUMNS: tuple[Column[OnGpu], ...] = (
    Column("GPU", 6, 0, lambda one: printable(one.row.gpu), left=True, sort=Sort.THREADS),
    Column("PID", 7, 0, lambda one: str(one.row.pid), sort=Sort.PID),
    Column("USER", 8, 44, lambda one: printable(one.row.user), left=True, sort=Sort.USER),
    Column("KIND", 7, 110, lambda one: "+".join(one.row.kinds), left=True),
    Column("MEM", 5, 30, lambda one: short_bytes(one.row.memory_bytes), sort=Sort.MEMORY),
    Column("MEM %", 5, 64, lambda one: _percent(one.row.memory_ratio)),
    Column("SM %", 4, 36, lambda one: _percent(one.row.sm_ratio), sort=Sort.CPU),
    Column("BW %", 4, 72, lambda one: _percent(one.row.memory_bandwidth_ratio), sort=Sort.IO),
    Column("ENC %", 5, 120, lambda one: _percent(one.row.encoder_ratio)),
    Column("DEC %", 5, 120, lambda one: _percent(one.row.decoder_ratio)),
    Column("AGE", 4, 56, lambda one: _age(one.age)),
    Column("OWNER", 16, 72, _owner, left=True, below=110),
    Column("OWNER", 28, 110, _owner, left=True),
)


def _style(column: Column[OnGpu], one: OnGpu) -> str:
    if column.sort is Sort.CPU and (one.row.sm_ratio or 0.0) >= 0.5:
        return "bold green"
    return "dim" if column.title in {"PID", "AGE", "KIND"} else ""
