"""Draws the report of a run for a terminal of 80 columns and more: its facts, and tables of functions and processes."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Sequence

from rich.console import Console, Group
from rich.text import Text

from bongsu.model.run import FunctionStat, ProcessRow, RunReport
from bongsu.views.columns import fitted, plain_console
from bongsu.views.owned import sentence
from bongsu.views.printable import printable
from bongsu.views.run_report import clock_of, command, facts, heading
from bongsu.views.run_rows import by_program, called, how_many
from bongsu.views.units import UNKNOWN, bytes_text, count_text, ratio_text, seconds_text

_MOST_EVENTS = 20
_TITLE = 11  # cells


class By(enum.StrEnum):
    """What functions are ordered by."""

    TOTAL = "total"
    SELF = "self"
    CPU = "cpu"


def draw(report: RunReport, console: Console, *, functions: int = 30, by: By = By.TOTAL, processes: int = 10) -> None:
    """Print it, with so many functions and processes at most."""
    console.print(Text(command(report.metadata), style="bold"), soft_wrap=True)
    for line in heading(report):
        console.print(Text(line), soft_wrap=True)
    if report.metadata.owner is not None:
        console.print(Text(f"owner: {sentence(report.metadata.owner)}{_limits(report)}"), soft_wrap=True)
    console.print()
    _draw_facts(report, console)
    tables = (
        _functions(report.function_stats, console, functions, by), _programs(report, console, processes),
        _processes(report, console, processes),
    )  # fmt: skip
    for drawn in tables:
        if drawn is not None:
            table, more = drawn
            console.print()
            console.print(table, crop=False)
            if more:
                console.print(Text(more, style="dim"))
    _draw_events(report, console)


def _limits(report: RunReport) -> str:
    limits = report.metadata.limits
    parts = []
    if "cpus" in limits:
        parts.append(f"{limits['cpus']:g} CPUs")
    if "memory_bytes" in limits:
        parts.append(bytes_text(limits["memory_bytes"]))
    return f", limited to {' and '.join(parts)}" if parts else ""


def _draw_facts(report: RunReport, console: Console) -> None:
    room = max(40, console.width - _TITLE)
    for title, lines in facts(report):
        pieces = [piece for line in lines for piece in Text(line).wrap(console, room)]
        for number, piece in enumerate(pieces):
            piece.rstrip()
            console.print(Text.assemble((f"{title if number == 0 else '':<{_TITLE}}", "bold"), piece), soft_wrap=True)


def _functions(
    stats: dict[str, FunctionStat], console: Console, most: int, by: By
) -> tuple[Group, str] | None:  # fmt: skip
    if not stats or most <= 0:
        return None
    keys = {By.TOTAL: _total, By.SELF: _self, By.CPU: _cpu}
    ranked = sorted(stats.items(), key=lambda item: (-keys[by](item[1]), item[0]))
    rows = [
        [
            Text(printable(called)), Text(count_text(one.count)),
            Text(seconds_text(one.total_time)), Text(seconds_text(one.self_time)), Text(seconds_text(one.avg_time)),
            Text(seconds_text(one.max_time)), Text(_with_error(one.cpu_time, one.cpu_error)),
            Text(count_text(one.errors), style="red" if one.errors else ""), Text(count_text(one.running)),
        ]
        for called, one in ranked[:most]
    ]  # fmt: skip
    titles = ("Functions", "calls", "total", "self", "average", "longest", "CPU", "errors", "running")
    give = [(0, 24), *(((8, 0),) if not any(one.running for one in stats.values()) else ())]
    give += [(5, 0), (4, 0), (0, 12), (8, 0), (3, 0), (7, 0)]
    table = fitted(titles, rows, console, give=give)
    return table, _left(len(ranked), most, f"; sorted by {by}")


def _total(one: FunctionStat) -> float:
    return one.total_time


def _self(one: FunctionStat) -> float:
    return -1.0 if one.self_time is None else one.self_time


def _cpu(one: FunctionStat) -> float:
    return -1.0 if one.cpu_time is None else one.cpu_time


def _with_error(spent: float | None, error: float) -> str:
    """CPU time, and how far it may be off where that is more than one would read past."""
    if spent is None or error <= 0 or error < spent / 1000:
        return seconds_text(spent)
    return f"{seconds_text(spent)} ±{seconds_text(error)}"


def _programs(report: RunReport, console: Console, most: int) -> tuple[Group, str] | None:
    """Processes by program, where there are too many to look at each, and what is charged to none of them."""
    rows, use = report.processes, report.summary.cpu
    sign = ">= " if plain_console(console) else "≥ "

    def least(group: Sequence[ProcessRow], text: str) -> str:
        """A sum over some of whom it is known, and some of whom not: as much and more, if it is worth a word."""
        if all(row.cpu_seconds is not None for row in group) or text == UNKNOWN:
            return text
        return UNKNOWN if text[0] in "<0" and text[:2] != "0." else sign + text

    if len(rows) <= most or most <= 0:
        return None
    ranked = sorted(by_program(rows).items(), key=lambda item: (-_known(item[1]), -how_many(item[1]), item[0]))
    drawn = [
        [
            Text(printable(name)), Text(count_text(how_many(group))), Text(clock_of(group[0].start_seconds)), Text(_until(group)),
            Text(least(group, seconds_text(_spent(group)))),
            Text(least(group, ratio_text(_sum(one.cpu_share_ratio for one in group)))),
            Text(bytes_text(max((one.peak_rss_bytes for one in group if one.peak_rss_bytes is not None), default=None))),
            Text(count_text(_sum(bool(one.exit_code) for one in group if one.exit_code is not None))),
        ]
        for name, group in ranked[:most]
    ]  # fmt: skip
    if use.residual_seconds and use.residual_seconds >= 0.001 and use.total_seconds:
        spent = (seconds_text(use.residual_seconds), ratio_text(use.residual_seconds / use.total_seconds))
        drawn.append([Text(word) for word in ("unseen by name", *3 * (UNKNOWN,), *spent, UNKNOWN, UNKNOWN)])
    titles = ("Programs", "count", "from", "to", "CPU", "share", "peak RSS", "failed")
    return fitted(titles, drawn, console, give=((0, 16), (7, 0), (2, 0), (3, 0), (6, 0), (0, 12))), _left(
        len(ranked), most
    )


def _until(rows: Sequence[ProcessRow]) -> str:
    """When the last of them ended; nothing where one has no end."""
    ends = [row.end_seconds for row in rows if row.end_seconds is not None]
    return clock_of(max(ends)) if len(ends) == len(rows) else UNKNOWN


def _processes(report: RunReport, console: Console, most: int) -> tuple[Group, str] | None:
    rows = report.processes
    going = {"running": "running", "ended": "lived on"}.get(report.metadata.state, UNKNOWN)  # where no end was seen
    if not rows or most <= 0:
        return None
    ranked = sorted(rows, key=lambda row: (-_known([row]), row.index))
    drawn = [
        [
            Text(str(row.pid)), Text(seconds_text(row.cpu_seconds)), Text(ratio_text(row.cpu_share_ratio)),
            Text(bytes_text(row.peak_rss_bytes)), Text(clock_of(row.start_seconds)), Text(_lasted(row)), _end(row, going),
            Text(printable(called(row))),
        ]
        for row in ranked[:most]
    ]  # fmt: skip
    titles = ("Processes", "CPU", "share", "peak RSS", "began at", "lived", "end", "command")
    give = ((7, 24), (4, 0), (7, 16), (5, 0), (7, 8))
    return fitted(titles, drawn, console, left=(0, 6, 7), give=give), _left(len(ranked), most)


def _lasted(row: ProcessRow) -> str:
    return UNKNOWN if row.end_seconds is None else seconds_text(max(0.0, row.end_seconds - row.start_seconds))


def _end(row: ProcessRow, going: str) -> Text:
    if row.end_seconds is None:
        return Text(going)
    if row.signal:
        return Text(printable(row.signal), style="red")
    if row.exit_code is None:
        return Text(UNKNOWN)
    return Text(str(row.exit_code), style="red" if row.exit_code else "")


def _sum(values: Iterable[float | None]) -> float | None:
    """The sum of what is known of them; of nothing known, that."""
    known = [value for value in values if value is not None]
    return sum(known) if known else None


def _spent(rows: Sequence[ProcessRow]) -> float | None:
    return _sum(row.cpu_seconds for row in rows)


def _known(rows: Sequence[ProcessRow]) -> float:
    spent = _spent(rows)
    return -1.0 if spent is None else spent


def _left(all_there: int, most: int, more: str = "") -> str:
    return f"and {count_text(all_there - most)} more{more}" if all_there > most else ""


def _draw_events(report: RunReport, console: Console) -> None:
    if not report.events:
        return
    console.print()
    console.print(Text("Events", style="bold"))
    wide = max(len(clock_of(event.at_seconds)) for event in report.events)
    for event in report.events[:_MOST_EVENTS]:
        margin = f"  {clock_of(event.at_seconds):>{wide}}  "
        said = Text(f"{printable(event.what)}: {printable(event.text)}")
        room = max(40, console.width) - len(margin)
        for piece in said.wrap(console, room):  # never cut: why something is not known stands at its end
            piece.rstrip()
            console.print(Text.assemble(margin, piece), soft_wrap=True)
            margin = " " * len(margin)
    if len(report.events) > _MOST_EVENTS:
        console.print(Text(_left(len(report.events), _MOST_EVENTS), style="dim"))
