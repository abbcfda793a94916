"""The lines about GPUs above the table of `bongsu top`: one for each, or all in one where there is no room."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby

from rich.text import Text

from bongsu.model.summary import GpuInstance, GpuUse
from bongsu.views.gpu_past import GpuPast
from bongsu.views.gpu_uses import oddities, trouble
from bongsu.views.printable import printable
from bongsu.views.units import UNKNOWN, ratio_text, short_bytes

_BAR = {False: ("█", "·"), True: ("#", ".")}
_WIDE = 100  # columns from which on there is room for clocks
_WIDER = 120  # and for a graph
_WIDEST = 160  # and for more than one thing that is odd
_HOT = 0.95  # of the temperature at which it slows down


def gpu_lines(
    gpus: Sequence[GpuUse], width: int, room: int, *, ascii_only: bool, past: GpuPast | None = None, whole: bool = False
) -> list[Text]:
    """A line of each GPU where ``room`` lines hold them, else one line of all; none where there is no GPU.

    With a graph of ``past`` where the lines are long. ``whole``: what is odd is told in full, beyond ``width`` too.
    """
    if not gpus:
        return []
    if len(gpus) > room:
        return [_together(gpus, ascii_only=ascii_only)]
    return [_line(gpu, width, past, ascii_only=ascii_only, whole=whole) for gpu in gpus]


def _line(gpu: GpuUse, width: int, past: GpuPast | None, *, ascii_only: bool, whole: bool) -> Text:
    line = Text(f"gpu{printable(gpu.index)}".ljust(6), style="dim")
    if not gpu.up:
        line.append(
            printable(f"{trouble(gpu)} {gpu.reason if gpu.up is False else ''}".strip()), style="not dim bold red"
        )
        return line
    left = width - 28 if width >= _WIDEST else width
    half = max(8, (left - 58) // 2) if width < _WIDE else max(8, (left - 70) // 2)
    graph = 0
    if past is not None and width >= _WIDER:
        half = graph = (left - 73) // 3
    if gpu.instances:
        gap = graph + 2 if graph else 0
        line.append(f"divided in {len(gpu.instances)}".ljust(half + 9 + gap), style="not dim")
        line.append_text(_slices(gpu.instances, half, ascii_only=ascii_only))
    else:
        line.append_text(_bar(gpu.busy_ratio, half, ascii_only, stuck=gpu.stuck))
        line.append(f"{ratio_text(gpu.busy_ratio):>7}  ", style="not dim")
        if past is not None and graph:
            line.append(past.graph(gpu.uuid, graph, ascii_only=ascii_only) + "  ", style="not dim green")
        line.append_text(_bar(_full(gpu), half, ascii_only))
    memory = f"{short_bytes(gpu.memory_used_bytes)}/{short_bytes(gpu.memory_total_bytes)}"
    line.append(f"{memory:>12}{_whole(gpu.power_watts):>5} W", style="not dim")
    limit = gpu.slowdown_celsius
    hot = gpu.celsius is not None and limit is not None and gpu.celsius >= _HOT * limit
    line.append(
        f"{_whole(gpu.celsius):>4} {'C' if ascii_only else '°C'}", style="not dim bold red" if hot else "not dim"
    )
    if width >= _WIDE:
        clock = UNKNOWN if gpu.clock_hertz is None else f"{gpu.clock_hertz / 1e6:.0f}"
        line.append(f"{clock:>6} MHz", style="not dim")
    room = None if whole else width - line.cell_len - 2
    line.append(f"  {_odd(oddities(gpu), room)}", style="not dim bold red" if gpu.stuck else "not dim yellow")
    return line


def _odd(words: Sequence[str], room: int | None) -> str:
    """As many as fit, and how many there are beside: a word that ends in the middle says nothing."""
    text = ", ".join(words)
    for count in range(len(words) - 1, 0, -1):
        if room is None or len(text) <= room:
            break
        text = f"{', '.join(words[:count])} +{len(words) - count}"
    return text if room is None or len(text) <= room else "".join(words[:1])


def _slices(instances: Iterable[GpuInstance], width: int, *, ascii_only: bool) -> Text:
    """How full the memory of each GPU instance is, which its compute instances share; wider where it has more of it."""
    parts = [next(found) for _, found in groupby(instances, lambda one: one.gpu_instance)]
    whole = sum(part.memory_total_bytes or 0.0 for part in parts)
    room = max(len(parts), width - len(parts) + 1)
    text = Text()
    for place, part in enumerate(parts):
        share = (part.memory_total_bytes or 0.0) / whole if whole else 1 / len(parts)
        if place:
            text.append("|", style="dim")
        text.append_text(_bar(_full(part), max(1, int(share * room)), ascii_only))
    text.append(" " * max(0, width - text.cell_len))
    return text


def _bar(ratio: float | None, width: int, ascii_only: bool, *, stuck: bool = False) -> Text:
    full, empty = _BAR[ascii_only]
    filled = min(width, round((ratio or 0.0) * width))
    style = "red" if stuck else "green" if (ratio or 0.0) < 0.95 else "yellow"
    text = Text(full * filled, style=f"not dim {style}")
    text.append((" " if ratio is None else empty) * (width - filled), style="dim")
    return text


def _together(gpus: Sequence[GpuUse], *, ascii_only: bool) -> Text:
    line = Text("gpus  ", style="dim")
    busy = [gpu.busy_ratio for gpu in gpus if gpu.busy_ratio is not None]
    used = [gpu.memory_used_bytes for gpu in gpus if gpu.memory_used_bytes is not None]
    total = [gpu.memory_total_bytes for gpu in gpus if gpu.memory_total_bytes is not None]
    power = [gpu.power_watts for gpu in gpus if gpu.power_watts is not None]
    heat = [gpu.celsius for gpu in gpus if gpu.celsius is not None]
    line.append(
        f"{len(gpus)}  use {ratio_text(sum(busy) / len(busy) if busy else None)}"
        f"  mem {short_bytes(sum(used) if used else None)}/{short_bytes(sum(total) if total else None)}"
        f"  {_whole(sum(power) if power else None)} W  hottest {_whole(max(heat, default=None))} {'C' if ascii_only else '°C'}",
        style="not dim",
    )
    odd = [f"{gpu.index} {trouble(gpu)}" for gpu in gpus if not gpu.up or gpu.stuck]
    if odd:
        line.append(printable(f"  {'; '.join(odd)}"), style="not dim bold red")
    return line


def _full(one: GpuUse | GpuInstance) -> float | None:
    """How much of its memory is in use, 0 to 1."""
    if not one.memory_total_bytes or one.memory_used_bytes is None:
        return None
    return one.memory_used_bytes / one.memory_total_bytes


def _whole(value: float | None) -> str:
    return UNKNOWN if value is None else f"{value:.0f}"
