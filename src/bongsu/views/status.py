"""Draws a summary of the machine for a terminal of any width, with or without colour."""

from __future__ import annotations

from rich.cells import cell_len
from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

from bongsu.model.owner import OwnerKind
from bongsu.model.summary import OwnerUse, Process, Summary
from bongsu.views.columns import GAP, fitted, plain_console, short
from bongsu.views.gpu_uses import trouble
from bongsu.views.owned import called
from bongsu.views.owner_uses import near_limits
from bongsu.views.printable import printable
from bongsu.views.units import UNKNOWN, bytes_text, rate_text, ratio_text, seconds_text, when_text

_BAR = 12  # cells
_WARM, _HOT = 0.80, 0.95
_MOST = 8  # rows of a kind; the summary is one page
_MOST_OWNERS = 5
_MOST_GPUS = 16
_OWNERS_GIVE = ((0, 28), (1, 8), (0, 12), (7, 0), (6, 0), (1, 0), (5, 0), (3, 0), (0, 6))


def draw(machine: Summary, console: Console) -> None:
    """Print the summary."""
    console.print(_heading(machine), soft_wrap=False)
    console.print()
    console.print(_gauges(machine, console))
    for section in (
        _filesystems(machine, console),
        _gpus(machine, console),
        _disks(machine, console),
        _network(machine, console),
        _processes(machine, console),
        _owners(machine, console),
    ):
        if section is not None:
            console.print()
            console.print(section, crop=False)  # numbers are whole also where the terminal is too narrow for them
    for lines in (_near(machine), _temperatures(machine, console), _absent(machine), _problems(machine, console)):
        if lines:
            console.print()
            for line in lines:
                console.print(line)


def _heading(machine: Summary) -> Text:
    host = machine.host
    uptime = None if host.uptime_seconds is None else f"up {seconds_text(host.uptime_seconds)}"
    kernel = " ".join(filter(None, ("Linux" if host.kernel else None, host.kernel, host.architecture)))
    name = printable(host.name or "this machine")
    what = " - ".join(printable(part) for part in (host.os, kernel) if part)
    since = ", ".join(part for part in (uptime, f"read at {when_text(machine.time)}") if part)
    demo = (("DEMO: the GPUs are made up\n", "bold reverse"),) if machine.demo else ()
    return Text.assemble(*demo, (name, "bold"), f" - {what}\n" if what else "\n", since)


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


def _filesystems(machine: Summary, console: Console) -> Group | None:
    if not machine.filesystems:
        return None
    rows = []
    ranked = sorted(machine.filesystems, key=lambda fs: (fs.stale_since is None, -(fs.used_ratio or 0.0)))
    for fs in ranked[:_MOST]:
        bar, share = _gauge(fs.used_ratio, console)
        kind = fs.type + (", read-only" if fs.read_only else "")
        if fs.stale_since is not None:
            kind += f", no answer since {when_text(fs.stale_since)}"
        rows.append(
            [
                Text(printable(fs.mountpoint)), bar, share, Text(bytes_text(fs.available_bytes)),
                Text(bytes_text(fs.size_bytes)),
                Text(printable(kind), style="red" if fs.stale_since is not None else ""),
            ]
        )  # fmt: skip
    titles = ("File systems", "", "used", "free", "size", "type")
    table = fitted(titles, rows, console, left=(0, 1, 5), give=((0, 28), (0, 16), (5, 10), (1, 0), (0, 6), (5, 0)))
    return _more(table, len(ranked), "the others are less full")


def _gpus(machine: Summary, console: Console) -> Group | None:
    if not machine.gpus:
        return None
    rows = []
    for gpu in machine.gpus[:_MOST_GPUS]:
        bar, share = _gauge(gpu.busy_ratio, console)
        name = printable(f"{gpu.index or gpu.uuid} {gpu.name.removeprefix('NVIDIA ')}".rstrip())
        rows.append(
            [
                Text(name), bar, share,
                Text(f"{bytes_text(gpu.memory_used_bytes)} of {bytes_text(gpu.memory_total_bytes)}"),
                Text(_of(gpu.celsius, gpu.slowdown_celsius, "C" if plain_console(console) else "°C")),
                Text(_of(gpu.power_watts, gpu.power_limit_watts, "W")),
                Text(printable(trouble(gpu)), style="red" if gpu.up is False or gpu.stuck else ""),
            ]
        )  # fmt: skip
    titles = ("GPUs", "", "use", "memory", "temperature", "power", "held down by")
    table = fitted(titles, rows, console, left=(0, 1, 6), give=((0, 24), (6, 12), (1, 0), (0, 8), (6, 0), (0, 3)))
    return _more(table, len(machine.gpus), "--json has all", most=_MOST_GPUS)


def _of(value: float | None, limit: float | None, unit: str) -> str:
    if value is None:
        return UNKNOWN
    return f"{value:.0f} {unit}" if limit is None else f"{value:.0f} of {limit:.0f} {unit}"


def _disks(machine: Summary, console: Console) -> Group | None:
    if not machine.disks:
        return None
    ranked = sorted(machine.disks, key=lambda d: (-(d.busy_ratio or 0.0), d.device))
    rows = [
        [
            Text(printable(disk.device)), Text(rate_text(disk.read_bytes_per_second)),
            Text(rate_text(disk.written_bytes_per_second)), Text(ratio_text(disk.busy_ratio)),
            Text(_span(disk.read_latency_seconds, console)), Text(_span(disk.write_latency_seconds, console)),
        ]
        for disk in ranked[:_MOST]
    ]  # fmt: skip
    titles = ("Disks", "read", "written", "busy", "read takes", "write takes")
    table = fitted(titles, rows, console, give=((0, 28), (0, 10), (5, 0), (4, 0), (0, 4)))
    return _more(table, len(ranked), "the others are less busy")


def _network(machine: Summary, console: Console) -> Group | None:
    if not machine.network:
        return None
    ranked = sorted(
        machine.network, key=lambda i: -((i.received_bytes_per_second or 0.0) + (i.sent_bytes_per_second or 0.0))
    )
    rows = []
    for interface in ranked[:_MOST]:
        errors = interface.errors_per_second
        rows.append(
            [
                Text(printable(interface.device)), Text(rate_text(interface.received_bytes_per_second)),
                Text(rate_text(interface.sent_bytes_per_second)), Text(UNKNOWN if errors is None else f"{errors:.3g}/s"),
            ]
        )  # fmt: skip
    titles = ("Network", "received", "sent", "errors")
    return _more(fitted(titles, rows, console, give=((0, 28), (0, 4))), len(ranked), "the others carry less")


def _processes(machine: Summary, console: Console) -> Group | None:
    if machine.processes is None:
        return None
    running = "" if machine.cpu.running is None else f", {machine.cpu.running} running"
    busy = [ratio_text(process.cores) for process in machine.top_cpu]
    large = [bytes_text(process.resident_bytes) for process in machine.top_memory]
    numbers = max(map(len, ("CPU", *busy))) + max(map(len, ("memory", *large)))
    room = max(10, (console.width - numbers - 3 * GAP) // 2)  # for each of the two lists of names
    rows = []
    for place in range(max(len(busy), len(large))):
        row = [Text(), Text(), Text(), Text()]
        if place < len(busy):
            row[:2] = [_process(machine.top_cpu[place], room, console), Text(busy[place])]
        if place < len(large):
            row[2:] = [_process(machine.top_memory[place], room, console), Text(large[place])]
        rows.append(row)
    titles = (short(f"{machine.processes} processes{running}", room, console), "CPU", "", "memory")
    return fitted(titles, rows, console, left=(0, 2))


def _process(process: Process, room: int, console: Console) -> Text:
    """Name, number and user; where room is short the name shrinks and the user goes, the number never."""
    number, user = str(process.pid), short(printable(process.user), 10, console)
    name = min(18, room - len(number) - cell_len(user) - 2)
    if name < 8:
        name, user = max(2, min(18, room - len(number) - 1)), ""
    return Text(" ".join(filter(None, (short(printable(process.executable), name, console), number, user))))


def _owners(machine: Summary, console: Console) -> Group | None:
    """Those that use most of the CPU time and memory that is used, with what they may use."""
    if not machine.owners:
        return None
    all_cores = sum(use.cores or 0.0 for use in machine.owners) or 1.0
    all_bytes = sum(use.held_bytes or 0 for use in machine.owners) or 1
    ranked = sorted(
        machine.owners, key=lambda use: (use.cores or 0.0) / all_cores + (use.held_bytes or 0) / all_bytes, reverse=True
    )
    rows = [_owner(use) for use in ranked[:_MOST_OWNERS]]
    titles = ("Who uses this machine", "user", "CPU", "of", "memory", "of", "read", "written")
    shown = [at for at in range(len(titles)) if at not in {1, 3, 5} or any(row[at].plain for row in rows)]
    give = [(shown.index(at), least) for at, least in _OWNERS_GIVE if at in shown]
    rows = [[row[at] for at in shown] for row in rows]
    left = [place for place, at in enumerate(shown) if at < 2]
    table = fitted([titles[at] for at in shown], rows, console, left=left, give=give)
    return _more(table, len(ranked), "the others use less: bongsu top --by owner", most=_MOST_OWNERS)


def _owner(use: OwnerUse) -> list[Text]:
    held, most = use.held_bytes, use.memory_limit_bytes
    style = (
        "" if held is None or not most else "red" if held >= _HOT * most else "yellow" if held >= _WARM * most else ""
    )
    name = f" {use.name}" if use.kind is OwnerKind.SLURM and use.name else ""
    return [
        Text(printable(called(use) + name)), Text(printable(use.user) if use.kind is not OwnerKind.USER else ""), Text(ratio_text(use.cores)),
        Text("" if use.cpu_limit_cores is None else f"{use.cpu_limit_cores * 100:.0f} %"),
        Text(bytes_text(held), style=style), Text("" if most is None else bytes_text(most)),
        Text(rate_text(use.read_bytes_per_second)), Text(rate_text(use.written_bytes_per_second)),
    ]  # fmt: skip


def _near(machine: Summary) -> list[Text]:
    """Who is near a limit, in words; it is theirs to judge, so it is no problem of the machine."""
    said = [sentence for use in machine.owners or () for sentence in near_limits(use)]
    lines = [Text(f"  {printable(sentence)}", style="yellow") for sentence in said[:_MOST]]
    if not lines:
        return []
    rest = [Text(f"  and {len(said) - _MOST} more")] if len(said) > _MOST else []
    return [Text("Near their limits", style="bold"), *lines, *rest]


def _temperatures(machine: Summary, console: Console) -> list[Text]:
    if not machine.temperatures:
        return []
    degrees = "C" if plain_console(console) else "°C"
    hottest = []
    for sensor in machine.temperatures[:_MOST]:
        limit = f" of {sensor.critical:.0f}" if sensor.critical else ""
        hottest.append(f"{printable(sensor.sensor)} {sensor.celsius:.0f}{limit} {degrees}")
    rest = len(machine.temperatures) - len(hottest)
    text = Text("Hottest  ", style="bold")
    text.append(", ".join(hottest) + (f", and {rest} cooler ones" if rest > 0 else ""), style="not bold")
    return [text]


def _absent(machine: Summary) -> list[Text]:
    lines = []
    for gap in machine.absent:
        if not gap.failed:
            text = Text(f"{'Not all of' if gap.partly else 'No'} {gap.collector}: ", style="dim")
            text.append(printable(f"{gap.reason}; {gap.cure}" if gap.cure else gap.reason))
            lines.append(text)
    return lines


def _problems(machine: Summary, console: Console) -> list[Text]:
    rates = f"Rates are over {seconds_text(machine.window_seconds)}."
    if not machine.problems:
        return [Text(f"Nothing is wrong that this can see. {rates}")]
    lines = [
        Text(f"{len(machine.problems)} problem{'s' if len(machine.problems) > 1 else ''}. {rates}", style="bold red")
    ]
    for problem in machine.problems:
        said = printable(problem.text)
        if problem.subject == "temperature" and plain_console(console):
            said = said.replace("°C", "C")
        text = Text(f"  {said}", style="red")
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


def _more(table: Group, rows: int, why: str, *, most: int = _MOST) -> Group:
    return Group(table, Text(f"and {rows - most} more; {why}", style="dim italic")) if rows > most else table


def _span(seconds: float | None, console: Console) -> str:
    text = seconds_text(seconds)
    return text.replace("µ", "u") if plain_console(console) else text
