"""The table of processes on GPUs: order, tree and columns, as text that is safe to print."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from rich.cells import cell_len
from rich.text import Text

from bongsu.model.process import ProcessRow
from bongsu.views import gpu_tree, ruled
from bongsu.views.gpu_entries import OnGpu, Shown, place
from bongsu.views.gpu_units import age_text, percent, rank
from bongsu.views.owned import called
from bongsu.views.printable import printable
from bongsu.views.processes import Order
from bongsu.views.ruled import Column, Sort
from bongsu.views.units import short_bytes


def arrange(
    entries: Iterable[OnGpu], seen: Iterable[ProcessRow], order: Order, now: float, *, ascii_only: bool = False
) -> list[OnGpu]:
    """Those that ``order`` shows, in its order: CPU means time of the SMs, reads and writes those of the GPU's memory.

    ``seen`` are the processes of this machine and ``now`` (Unix s) when that was. As a tree, each stands below its GPU
    and below what started it.
    """
    found = list(filter(Shown(order), entries))
    found.sort(key=lambda one: one.identity[:3])
    found.sort(key=lambda one: rank(one.row.memory_bytes), reverse=True)
    found.sort(key=_KEYS[order.sort], reverse=(order.sort not in {Sort.USER, Sort.THREADS}) is not order.turned)
    return gpu_tree.tree(found, seen, now, ascii_only=ascii_only) if order.tree else found


def heading(width: int, order: Order) -> Text:
    """The line of titles."""
    return ruled.heading(_COLUMNS, "COMMAND", width, order.sort)


def line(entry: OnGpu, width: int, *, selected: bool = False) -> Text:
    """One process on one line of exactly ``width`` cells; nothing in it can steer the terminal."""
    style = "dim" if entry.context else ""
    return ruled.line(_COLUMNS, entry, _command(entry), width, _style, selected=selected, last_style=style)


def plain(entries: Iterable[OnGpu], width: int | None, order: Order) -> list[str]:
    """The table as plain lines; as wide as it needs where ``width`` is None."""
    shown = list(entries)
    if width is None:
        width = 140 + max((cell_len(_command(one)) for one in shown), default=0)
    return [text.plain.rstrip() for text in (heading(width, order), *(line(one, width) for one in shown))]


def _command(one: OnGpu) -> str:
    return one.branch + printable(one.row.command)


_KEYS: dict[Sort, Callable[[OnGpu], Any]] = {
    Sort.CPU: lambda one: rank(one.row.sm_ratio),
    Sort.MEMORY: lambda one: rank(one.row.memory_bytes),
    Sort.IO: lambda one: rank(one.row.memory_bandwidth_ratio),
    Sort.THREADS: lambda one: place(one.row.gpu),
    Sort.PID: lambda one: one.row.pid,
    Sort.USER: lambda one: one.row.user,
}


def _owner(one: OnGpu) -> str:
    return printable(called(one.row.owner))


def _on_it(text: Callable[[OnGpu], str]) -> Callable[[OnGpu], str]:
    """Nothing for what is not on the GPU: that is not a figure that is not known."""
    return lambda one: "" if one.context else text(one)


_COLUMNS: tuple[Column[OnGpu], ...] = (
    Column("GPU", 6, 0, lambda one: printable(one.row.gpu), left=True, sort=Sort.THREADS),
    Column("PID", 7, 0, lambda one: str(one.row.pid), sort=Sort.PID),
    Column("USER", 8, 44, lambda one: printable(one.row.user), left=True, sort=Sort.USER),
    Column("KIND", 4, 110, lambda one: "+".join(kind[:1].upper() for kind in one.row.kinds), left=True),
    Column("MEM", 5, 30, _on_it(lambda one: short_bytes(one.row.memory_bytes)), sort=Sort.MEMORY),
    Column("MEM %", 5, 64, _on_it(lambda one: percent(one.row.memory_ratio))),
    Column("SM %", 4, 36, _on_it(lambda one: percent(one.row.sm_ratio)), sort=Sort.CPU),
    Column("BW %", 4, 72, _on_it(lambda one: percent(one.row.memory_bandwidth_ratio)), sort=Sort.IO),
    Column("ENC %", 5, 150, _on_it(lambda one: percent(one.row.encoder_ratio))),
    Column("DEC %", 5, 150, _on_it(lambda one: percent(one.row.decoder_ratio))),
    Column("CPU %", 5, 130, _on_it(lambda one: percent(one.cores))),
    Column(
        "HOST", 5, 130, _on_it(lambda one: short_bytes(None if one.process is None else one.process.resident_bytes))
    ),
    Column("AGE", 4, 56, lambda one: age_text(one.age)),
    Column("OWNER", 16, 72, _owner, left=True, below=110),
    Column("OWNER", 20, 110, _owner, left=True, below=140),
    Column("OWNER", 28, 140, _owner, left=True),
)


def _style(column: Column[OnGpu], one: OnGpu) -> str:
    if one.context:
        return "dim"
    if column.sort is Sort.CPU and (one.row.sm_ratio or 0.0) >= 0.5:
        return "bold green"
    return "dim" if column.title in {"PID", "AGE", "KIND"} else ""
