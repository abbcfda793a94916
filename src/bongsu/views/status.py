"""Draws a summary of the machine for a terminal of any width, with or without colour."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from bongsu.model.summary import Summary
from bongsu.views.printable import printable
from bongsu.views.units import UNKNOWN, bytes_text, rate_text, ratio_text, seconds_text, when_text

_BAR = 12  # cells
_WARM, _HOT = 0.80, 0.95
_MOST = 8  # rows of a kind; the summary is one page


def draw(machine: Summary, console: Console) -> None:
    """Print the summary."""
    console.print(_heading(machine), soft_wrap=False)
    console.print()
    console.print(_gauges(machine, console))
    for section in (_filesystems(machine, console), _disks(machine), _network(machine), _processes(machine)):
        if section is not None:
            console.print()
            console.print(section)
    for lines in (_temperatures(machine), _absent(machine), _problems(machine)):
        if lines:
            console.print()
            for line in lines:
                console.print(line)


def plain_console(console: Console) -> bool:
    """Whether bars must be ASCII."""
    return "utf" not in (console.encoding or "").lower()


def _heading(machine: Summary) -> Text:
    host = machine.host
    uptime = None if host.uptime_seconds is None else f"up {seconds_text(host.uptime_seconds)}"
    kernel = " ".join(filter(None, ("Linux" if host.kernel else None, host.kernel, host.architecture)))
    name = printable(host.name or "this machine")
    what = " - ".join(printable(part) for part in (host.os, kernel) if part)
    since = ", ".join(part for part in (uptime, f"read at {when_text(machine.time)}") if part)
    return Text.assemble((name, "bold"), f" - {what}\n" if what else "\n", since)


def _gauges(machine: Summary, console: Console) -> Table:
    cpu, memory, pressure = machine.cpu, machine.memory, machine.pressure
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(style="bold", no_wrap=True)
    grid.add_column(no_wrap=True)
    grid.add_column(justify="right", no_wrap=True)
    grid.add_column(overflow="fold")
    cores = UNKNOWN if cpu.cores is None else f"{cpu.cores} core{'s' if cpu.cores > 1 else ''}"
    load = "load not known" if cpu.load is None else "load " + " ".join(f"{value:.2f}" for value in cpu.load)
    modes = (("iowait", "waits for disk"), ("steal", "taken by the hypervisor"))
    extra = [f"{ratio_text(cpu.modes[mode])} {words}" for mode, words in modes if cpu.modes.get(mode, 0) >= 0.01]
    grid.add_row("CPU", *_gauge(cpu.busy_ratio, console), ", ".join([cores, load, *extra]))
    grid.add_row(
        "Memory", *_gauge(memory.used_ratio, console),
        f"{bytes_text(memory.available_bytes)} of {bytes_text(memory.total_bytes)} available",
    )  # fmt: skip
    if memory.swap_total_bytes:
        used = None if memory.swap_used_bytes is None else memory.swap_used_bytes / memory.swap_total_bytes
        of = f"{bytes_text(memory.swap_used_bytes)} of {bytes_text(memory.swap_total_bytes)} used"
        grid.add_row("Swap", *_gauge(used, console), of)
    elif memory.swap_total_bytes == 0:
        grid.add_row("Swap", "", "", "there is none")
    waits = [
        f"{ratio_text(share)} {what}"
        for share, what in (
            (pressure.cpu_ratio, "for CPU"), (pressure.io_ratio, "for disk"), (pressure.memory_ratio, "for memory"),
        )
        if share is not None
    ]  # fmt: skip
    if waits:
        most = max(p for p in (pressure.cpu_ratio, pressure.io_ratio, pressure.memory_ratio) if p is not None)
        grid.add_row("Waiting", *_gauge(most, console), ", ".join(waits))
    return grid


def _filesystems(machine: Summary, console: Console) -> Table | None:
    if not machine.filesystems:
        return None
    table = _table("File systems", "", "used", "free", "size", "type")
    ranked = sorted(machine.filesystems, key=lambda fs: (fs.stale_since is None, -(fs.used_ratio or 0.0)))
    for fs in ranked[:_MOST]:
        bar, share = _gauge(fs.used_ratio, console)
        kind = fs.type + (", read-only" if fs.read_only else "")
        if fs.stale_since is not None:
            kind += f", no answer since {when_text(fs.stale_since)}"
        table.add_row(
            printable(fs.mountpoint), bar, share, bytes_text(fs.available_bytes), bytes_text(fs.size_bytes),
            Text(printable(kind), style="red" if fs.stale_since is not None else ""),
        )  # fmt: skip
    return _more(table, len(ranked), "the others are less full")


def _disks(machine: Summary) -> Table | None:
    if not machine.disks:
        return None
    table = _table("Disks", "read", "written", "busy", "read takes", "write takes")
    ranked = sorted(machine.disks, key=lambda d: (-(d.busy_ratio or 0.0), d.device))
    for disk in ranked[:_MOST]:
        table.add_row(
            printable(disk.device), rate_text(disk.read_bytes_per_second), rate_text(disk.written_bytes_per_second),
            ratio_text(disk.busy_ratio), seconds_text(disk.read_latency_seconds),
            seconds_text(disk.write_latency_seconds),
        )  # fmt: skip
    return _more(table, len(ranked), "the others are less busy")


def _network(machine: Summary) -> Table | None:
    if not machine.network:
        return None
    table = _table("Network", "received", "sent", "errors")
    ranked = sorted(
        machine.network, key=lambda i: -((i.received_bytes_per_second or 0.0) + (i.sent_bytes_per_second or 0.0))
    )
    for interface in ranked[:_MOST]:
        errors = interface.errors_per_second
        table.add_row(
            printable(interface.device), rate_text(interface.received_bytes_per_second),
            rate_text(interface.sent_bytes_per_second), UNKNOWN if errors is None else f"{errors:.3g}/s",
        )  # fmt: skip
    return _more(table, len(ranked), "the others carry less")


def _processes(machine: Summary) -> Table | None:
    if machine.processes is None:
        return None
    running = "" if machine.cpu.running is None else f", {machine.cpu.running} running"
    table = Table.grid(padding=(0, 2, 0, 0))
    for justify in ("left", "right", "left", "right"):
        table.add_column(justify=justify, no_wrap=True, overflow="ellipsis")
    table.add_row(
        Text(f"{machine.processes} processes{running}", style="bold"), Text("CPU", style="bold"), "",
        Text("memory", style="bold"),
    )  # fmt: skip
    for place in range(max(len(machine.top_cpu), len(machine.top_memory))):
        row: list[RenderableType] = ["", "", "", ""]
        if place < len(machine.top_cpu):
            busy = machine.top_cpu[place]
            row[:2] = [_process(busy.executable, busy.pid, busy.user), ratio_text(busy.cores)]
        if place < len(machine.top_memory):
            large = machine.top_memory[place]
            row[2:] = [_process(large.executable, large.pid, large.user), bytes_text(large.resident_bytes)]
        table.add_row(*row)
    return table


def _process(executable: str, pid: int, user: str) -> str:
    return f"{_short(printable(executable), 18)} {pid} {_short(printable(user), 10)}"


def _temperatures(machine: Summary) -> list[Text]:
    if not machine.temperatures:
        return []
    hottest = []
    for sensor in machine.temperatures[:_MOST]:
        limit = f" of {sensor.critical:.0f}" if sensor.critical else ""
        hottest.append(f"{printable(sensor.sensor)} {sensor.celsius:.0f}{limit} °C")
    rest = len(machine.temperatures) - len(hottest)
    text = Text("Hottest  ", style="bold")
    text.append(", ".join(hottest) + (f", and {rest} cooler ones" if rest > 0 else ""), style="not bold")
    return [text]


def _absent(machine: Summary) -> list[Text]:
    lines = []
    for gap in machine.absent:
        if not gap.failed:
            text = Text(f"No {gap.collector}: ", style="dim")
            text.append(printable(gap.reason))
            lines.append(text)
    return lines


def _problems(machine: Summary) -> list[Text]:
    rates = f"Rates are over {seconds_text(machine.window_seconds)}."
    if not machine.problems:
        return [Text(f"Nothing is wrong that this can see. {rates}")]
    lines = [
        Text(f"{len(machine.problems)} problem{'s' if len(machine.problems) > 1 else ''}. {rates}", style="bold red")
    ]
    for problem in machine.problems:
        text = Text(f"  {printable(problem.text)}", style="red")
        text.append(f"; {printable(problem.cure)}", style="not red")
        lines.append(text)
    return lines


def _gauge(share: float | None, console: Console) -> tuple[Text, Text]:
    """A bar and its number; the number says all that the colour does."""
    if share is None:
        return Text(" " * _BAR), Text(UNKNOWN)
    full, empty = ("#", ".") if plain_console(console) else ("█", "░")
    cells = min(_BAR, max(0, round(share * _BAR)))
    style = "red" if share >= _HOT else "yellow" if share >= _WARM else "green"
    bar = Text(full * cells, style=style)
    bar.append(empty * (_BAR - cells), style="dim")
    return bar, Text(ratio_text(share), style=style if share >= _WARM else "")


def _table(title: str, *columns: str) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="bold")
    table.add_column(title, no_wrap=True, overflow="ellipsis", max_width=28)
    for column in columns:
        left = column in {"", "type"}
        table.add_column(column, justify="left" if left else "right", no_wrap=True, overflow="ellipsis")
    return table


def _more(table: Table, rows: int, why: str) -> Table:
    if rows > _MOST:
        table.caption = f"and {rows - _MOST} more; {why}"
        table.caption_justify = "left"
    return table


def _short(text: str, width: int) -> str:
    return text if len(text) <= width else f"{text[: width - 1]}…"


def text_of(machine: Summary, console: Console) -> Iterable[str] | Iterator[str]:
    """The lines of the summary without colour: for tests and files."""
    with console.capture() as capture:
        draw(machine, console)
    return capture.get().splitlines()
