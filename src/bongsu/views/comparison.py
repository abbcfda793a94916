"""Draws a comparison of runs: what may be said, a dot for each run on one axis, and a table of all metrics."""

from __future__ import annotations

from rich.console import Console
from rich.text import Text

from bongsu.model.comparison import Comparison, Difference, Row, Side, Verdict
from bongsu.model.message import Message
from bongsu.views.columns import fitted, plain_console, short
from bongsu.views.plot import Scale
from bongsu.views.printable import printable
from bongsu.views.run_dots import dots
from bongsu.views.units import UNKNOWN, bytes_text, count_text, ratio_text, seconds_text

_SCALES = {"seconds": Scale(seconds_text, 60), "bytes": Scale(bytes_text, 1024), "count": Scale(count_text)}
_SHORTEST_LABEL = 12  # cells that a label may take, however short the numbers below it are
_STYLES = {Verdict.HIGHER: "bold red", Verdict.LOWER: "bold green"}


def draw(comparison: Comparison, console: Console) -> None:
    """Print it for eyes; as wide as the console, also without colour and where only ASCII shows."""
    for group in comparison.groups:
        runs = f"({len(group.runs)} run{'s' * (len(group.runs) != 1)})"
        line = Text(printable(group.label), style="bold")
        line.append(f" {runs} ", style="not bold dim")
        console.print(line.append(printable(group.command), style="not bold"), soft_wrap=True)
    console.print()
    primary = comparison.rows[0]
    for difference in primary.differences:
        _sentence(said(primary, difference), _STYLES.get(difference.verdict, "bold"), console)
    noise = floors(primary)
    if noise is not None:
        _sentence(noise, "dim", console)
    console.print()
    picture = list(dots(primary, _SCALES[primary.metric.unit], console))
    for line in picture:
        console.print(line, no_wrap=True, crop=False)
    if picture:
        console.print()
    _table(comparison, console)
    if comparison.warnings:
        console.print()
    for warning in comparison.warnings:
        _sentence(Message("note: {warning}", warning=warning), "yellow", console)


def said(row: Row, difference: Difference) -> Message:
    """What may be said of one difference, in one sentence."""
    base, title, other = row.sides[0].group, row.metric.title, difference.group
    ratio = _factor(difference.ratio)
    match difference.verdict:
        case Verdict.SAME:
            return Message(
                "{other} against {base}: {title} is the same in all runs", other=other, base=base, title=title
            )
        case Verdict.NOT_KNOWN:
            return Message("{other} against {base}: {title} is not known", other=other, base=base, title=title)
        case Verdict.MORE_RUNS:
            return Message(
                "{other} against {base}: {title} times {ratio}, but so few runs cannot show a difference; make {n} a side",
                other=other, base=base, title=title, ratio=ratio, n=difference.runs_needed,
            )  # fmt: skip
        case Verdict.DESCRIBED:
            return Message(
                "{other} against {base}: {title} times {ratio}, only described: one run does not show how runs scatter; "
                "make {n} a side",
                other=other, base=base, title=title, ratio=ratio, n=difference.runs_needed,
            )  # fmt: skip
        case verdict:
            return Message(
                "{other} against {base}: {verdict}, {title} times {ratio} (95 %: {interval}), p {p}",
                other=other, base=base, verdict=_word(row, difference) if verdict in _STYLES else verdict.value,
                title=title, ratio=ratio, interval=_interval(difference), p=_p(difference.adjusted_p),
            )  # fmt: skip


def floors(row: Row) -> Message | None:
    """How far apart sides must lie to be told apart, or None where no side can say."""
    known = [f"±{ratio_text(side.noise_ratio)} ({side.group})" for side in row.sides if side.noise_ratio is not None]
    if not known:
        return None
    return Message(
        "noise of {title}: {all}; as many runs cannot tell what is less", title=row.metric.title, all=", ".join(known)
    )


def _table(comparison: Comparison, console: Console) -> None:
    """Two groups side by side, more below each other, one by itself; what is the same everywhere is told on one line."""
    same = [row for row in comparison.rows if len({value for side in row.sides for value in side.values}) == 1]
    rows = [row for row in comparison.rows if row not in same]
    if len(comparison.groups) > 2:
        titles = ["", "", "median", "ratio", "95 %", "p", ""]
        lines = [
            [
                Text(printable("" if difference else row.metric.title)), Text(printable(side.group)),
                Text(_median(row, side)), *_judged(row, difference),
            ]
            for row in rows
            for side, difference in zip(row.sides, (None, *row.differences), strict=True)
        ]  # fmt: skip
        left, give = [0, 1, 6], [(5, 0), (0, 8), (1, 8)]
    elif len(comparison.groups) == 1:
        titles, left, give = ["", "median", "95 %"], [0], [(0, 8)]
        lines = [
            [Text(printable(row.metric.title)), Text(_median(row, row.sides[0])), Text(_around(row, row.sides[0]))]
            for row in rows
        ]
    else:
        lines = [
            [
                Text(printable(row.metric.title)), *(Text(_median(row, side)) for side in row.sides),
                *_judged(row, row.differences[0]),
            ]
            for row in rows
        ]  # fmt: skip
        titles = ["", "", "", "ratio", "95 %", "p", ""]
        for at, group in enumerate(comparison.groups, 1):
            widest = max((line[at].cell_len for line in lines), default=0)
            titles[at] = short(printable(group.label), max(_SHORTEST_LABEL, widest), console)
        left, give = [0, 6], [(0, 11), (5, 0), (0, 8)]
    if rows:
        console.print(fitted(titles, lines, console, left=left, give=give), crop=False)
    if same:
        values = ", ".join(f"{row.metric.title} {_median(row, row.sides[0])}" for row in same)
        _sentence(Message("the same in all runs: {values}", values=values), "dim", console)


def _judged(row: Row, difference: Difference | None) -> list[Text]:
    """Ratio, interval, p and verdict; nothing for the baseline."""
    if difference is None:
        return [Text("")] * 4
    return [
        Text(_factor(difference.ratio)),
        Text(_interval(difference)),
        Text(_p(difference.adjusted_p), style="dim"),
        Text(_word(row, difference), style=_STYLES.get(difference.verdict, "dim")),
    ]


def _word(row: Row, difference: Difference) -> str:
    """The verdict in a word or two."""
    match difference.verdict:
        case Verdict.HIGHER:
            return row.metric.higher
        case Verdict.LOWER:
            return row.metric.lower
        case Verdict.NOT_SHOWN:
            return "not shown"
        case Verdict.MORE_RUNS:
            return f"make {difference.runs_needed} runs"
        case Verdict.DESCRIBED:
            return "described"
        case verdict:
            return verdict.value


def _median(row: Row, side: Side) -> str:
    """The median; of how many runs, where not all of them have a value."""
    text = _SCALES[row.metric.unit].text(side.median)
    known = sum(value is not None for value in side.values)
    return text if known in {0, len(side.values)} else f"{known} of {len(side.values)}: {text}"


def _around(row: Row, side: Side) -> str:
    """The interval of the median."""
    text = _SCALES[row.metric.unit].text
    return UNKNOWN if side.median_low is None else f"{text(side.median_low)} to {text(side.median_high)}"


def _factor(ratio: float | None) -> str:
    if ratio is None:
        return UNKNOWN
    return f"{ratio:.3f}" if ratio < 9.995 else f"{ratio:,.0f}" if ratio >= 99.5 else f"{ratio:.1f}"


def _interval(difference: Difference) -> str:
    if difference.ratio_low is None:
        return UNKNOWN
    if difference.ratio_high is None:
        return f"from {_factor(difference.ratio_low)}" if difference.ratio_low else UNKNOWN
    return f"{_factor(difference.ratio_low)} to {_factor(difference.ratio_high)}"


def _p(p: float | None) -> str:
    if p is None:
        return UNKNOWN
    return "<0.0001" if p < 0.0001 else f"{p:.2g}" if p < 0.995 else "1"


def _sentence(message: Message, style: str, console: Console) -> None:
    text = printable(message)
    drawn = Text(text.replace("±", "+-") if plain_console(console) else text, style=style)
    for line in drawn.wrap(console, console.width):
        line.rstrip()
        console.print(line, soft_wrap=True)
