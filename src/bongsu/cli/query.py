"""`bongsu query`: PromQL over the history on disk, as a table, a chart in the terminal, JSON or CSV."""

from __future__ import annotations

import contextlib
import os
import stat
import sys
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

import click

from bongsu.cli.store import file_of, say, store_options
from bongsu.model.errors import BadInput, NotKnown
from bongsu.model.message import Message
from bongsu.views.printable import printable

if TYPE_CHECKING:
    from bongsu.store.promql.engine import Result
    from bongsu.store.reading.reader import Reader
    from bongsu.views.plot import Scale

HELP = """Ask the history of this machine in PromQL.

The file that `bongsu up` keeps is read, also while it runs. EXPR is answered for now, or for --at; with --since or
--from over that time: as a chart where a terminal shows it, else as CSV.

\b
Examples:
  bongsu query node_load1
  bongsu query 'rate(node_cpu_seconds_total{mode="user"}[5m])' --since 1h
  bongsu query 'topk(3, node_filesystem_avail_bytes)' --at 'yesterday 14:30'
  bongsu query node_memory_MemAvailable_bytes --since 1d --csv > memory.csv
  bongsu query 'increase(node_vmstat_oom_kill[1d])' --json | jq .result
  bongsu query node_load1 --from 08:00 --to 09:30 --plot

\b
Exit codes: 0 answered, also where there is nothing to show (a line on stderr says so); 2 EXPR or an
option is not understood; 3 there is no history that can be read, or it took too long.
"""
_HOUR = 3600.0
_CELLS = 125  # of a range that is not drawn: 250 steps, about as many as Prometheus' own page asks for
_LOOKBACK_MS = 300_000  # a step finds what is younger than this
_HIGHEST = 24  # rows of curves, on a terminal however high


class _When(NamedTuple):
    """Unix seconds; ``step`` 0 is one moment (``start`` is ``end``), None leaves the step to who shows it."""

    start: float
    end: float
    step: float | None


def _complete(ctx: click.Context, _parameter: click.Parameter, incomplete: str) -> list[str]:
    """Names of metrics, for the word that is being typed."""
    import re

    typed = re.split(r"[^a-zA-Z0-9_:]", incomplete)[-1]
    with contextlib.suppress(Exception), _reader(file_of(ctx, must_exist=False)) as reader:
        before = incomplete[: len(incomplete) - len(typed)]
        return [before + name for name in sorted(reader.describe()) if name.startswith(typed)]
    return []


@click.command(help=HELP)
@click.argument("expr", shell_complete=_complete)
@click.option("--since", metavar="TIME", help="Over this long until now (or --to): 15m, 1h30m, 7d.")
@click.option(
    "--from", "begin", metavar="TIME", help="From then on: 14:30, 'yesterday 14:30', 2026-01-31T08:00, '2h ago'."
)
@click.option("--to", "end", metavar="TIME", help="Until then.  [default: now]")
@click.option("--at", metavar="TIME", help="At one moment.  [default: now]")
@click.option("--step", metavar="TIME", help="One value each so often.  [default: what a chart can show]")
@click.option(
    "--plot", is_flag=True, help="A chart, also where the output is no terminal.  [with --since 1h if none is given]"
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object: the `data` of Prometheus' API.")
@click.option("--csv", "as_csv", is_flag=True, help="Comma-separated values: time, metric, labels, value.")
@store_options
@click.pass_context
def query(
    ctx: click.Context, expr: str, since: str | None, begin: str | None, end: str | None, at: str | None,
    step: str | None, plot: bool, as_json: bool, as_csv: bool,
) -> None:  # fmt: skip
    """Read, ask, show."""
    if plot + as_json + as_csv > 1:
        raise click.UsageError("--plot, --json and --csv exclude each other; give one of them")
    when = _when(time.time(), since=since, begin=begin, end=end, at=at, step=step, plot=plot)
    charted = when.step != 0 and (plot or not (as_json or as_csv or not sys.stdout.isatty()))
    with _reader(file_of(ctx, must_exist=False)) as reader:
        if charted:
            _chart(reader, expr, when)
            return
        result = _asked(reader, expr, when)
        if as_json:
            _print_json(result)
        elif as_csv or when.step != 0:
            _print_csv(result)
        else:
            _print_table(reader, expr, result)
        _say(reader, expr, result)


def _when(
    now: float, *, since: str | None, begin: str | None, end: str | None, at: str | None, step: str | None, plot: bool
) -> _When:
    from bongsu.cli.query_times import moment, span

    ranged = plot or any(given is not None for given in (since, begin, end, step))
    if at is not None:
        if ranged:
            raise click.UsageError("--at is one moment: leave it out with --since, --from, --to, --step and --plot")
        then = moment("--at", at, now)
        return _When(then, then, 0)
    if not ranged:
        return _When(now, now, 0)
    if since is not None and begin is not None:
        raise click.UsageError("--since and --from exclude each other: --since counts back from --to")
    last = now if end is None else moment("--to", end, now)
    if begin is None:
        first = last - (_HOUR if since is None else span("--since", since))
    else:
        first = moment("--from", begin, now)
    if first >= last:
        raise click.UsageError(f"--from {begin} is not before --to {end or 'now'}")
    return _When(first, last, None if step is None else span("--step", step))


@contextlib.contextmanager
def _reader(file: str) -> Iterator[Reader]:
    """The history in that file. Raises NotKnown where there is none that can be read."""
    try:
        if not stat.S_ISREG(os.stat(file).st_mode):  # a pipe would be waited for
            kind = "a directory" if os.path.isdir(file) else "not a file"
            raise NotKnown(Message("{file}: this is {kind}; give --store FILE", file=file, kind=kind))
        with open(file, "rb"):
            pass
    except FileNotFoundError:
        raise NotKnown(
            Message("{file}: there is no history here; `bongsu up` keeps one, or give --store FILE", file=file)
        ) from None
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        cure = "; run this as the user who runs `bongsu up`" if isinstance(error, PermissionError) else ""
        raise NotKnown(Message("{file}: {reason}{cure}", file=file, reason=reason, cure=cure)) from None
    from bongsu.store.reading.reader import Reader

    with contextlib.closing(Reader(file)) as reader:
        yield reader


def _asked(reader: Reader, expr: str, when: _When, cells: int = _CELLS) -> Result:
    """The answer, in steps that a chart of so many cells can show. Raises BadInput where the query is at fault, NotKnown where it took too long."""
    from bongsu.store.promql import engine
    from bongsu.store.promql.values import PromqlError
    from bongsu.views.plot import step_for

    try:
        if when.step == 0:
            return engine.instant(reader, expr, round(when.end * 1000))
        start, end = round(when.start * 1000), round(when.end * 1000)
        if when.step is None:  # on the clock's grid, so that the same a moment later shows the same values
            step = round(step_for(when.end - when.start, cells) * 1000)
            start = min(end, -(-start // step) * step)
        else:
            step = max(1, round(when.step * 1000))
        return engine.over_range(reader, expr, start, end, step)
    except PromqlError as error:
        raise (NotKnown if error.kind == "timeout" else BadInput)(error.message) from None


def _print_json(result: Result) -> None:
    import json

    from bongsu.sinks.query_json import result_json
    from bongsu.views.json_text import json_text

    click.echo(json_text(json.loads(result_json(result.value, result.steps)[0])))


def _print_csv(result: Result) -> None:
    from bongsu.store.promql.values import Text
    from bongsu.views.query_results import rows_of
    from bongsu.views.query_tables import as_csv

    if isinstance(result.value, Text):
        raise BadInput(Message("a text is no table: --csv shows numbers over time or at one moment"))
    rows = rows_of(result)
    names = sorted({name for row in rows for name, _ in row.labels})
    for line in as_csv(rows, names):
        click.echo(line)


def _print_table(reader: Reader, expr: str, result: Result) -> None:
    from bongsu.store.promql.values import Matrix, Scalar, Text
    from bongsu.views.query_results import rows_of
    from bongsu.views.query_tables import draw, named, utc
    from bongsu.views.terminal import Terminal

    if isinstance(result.value, Text):
        click.echo(printable(result.value.value))
        return
    rows = rows_of(result)
    if isinstance(result.value, Matrix):
        for row in rows:
            click.echo(f"{utc(row.at)} {named(row.labels)} {row.exact}")
    elif isinstance(result.value, Scalar):
        click.echo(rows[0].exact)
    elif not sys.stdout.isatty():
        for row in rows:  # whole, however long: a program or a file reads it
            click.echo(f"{named(row.labels)} {row.exact}")
    elif rows:
        draw(rows, _scale(reader, expr), Terminal())


def _scale(reader: Reader, expr: str) -> Scale:
    from bongsu.store.promql.parse import parse
    from bongsu.views.quantities import by_suffix, scale_for, unit_of

    described = reader.describe()

    def unit(name: str) -> str:
        return next((one.unit for one in described.get(name, ()) if one.unit), "") or by_suffix(name)

    return scale_for(unit_of(parse(expr).root, unit))


def _chart(reader: Reader, expr: str, when: _When) -> None:
    from rich.text import Text

    from bongsu.views.columns import plain_console
    from bongsu.views.plot import MOST_LINES, chart, highest
    from bongsu.views.query_results import lines_of
    from bongsu.views.query_tables import named
    from bongsu.views.terminal import Terminal
    from bongsu.views.units import seconds_text, span_text

    console = Terminal()
    result = _asked(reader, expr, when, console.width - 10)
    lines, common = lines_of(result)
    drawn = highest(lines)
    if drawn:
        height = min(console.height - 2, _HIGHEST + len(drawn) + 3) if console.is_terminal else _HIGHEST
        title = Text(printable(expr), style="bold")
        title.append(
            f"  {span_text(when.start, when.end)}, each {seconds_text(result.steps.step / 1000)}"
            f"{f'  {named(common)}' if common else ''}",
            style="not bold dim",
        )
        console.print(title, soft_wrap=True)
        times = (result.steps.times / 1000).tolist()
        scale = _scale(reader, expr)
        for line in chart(
            drawn, times, scale, width=console.width, height=height, ascii_only=plain_console(console)
        ):  # fmt: skip
            console.print(line, soft_wrap=True)
    _say(reader, expr, result)
    if len(lines) > len(drawn) > 0:
        say(
            str(Message("the {most} highest of {all} series are drawn; topk(), sum by (...) or --csv show others",
                    most=min(MOST_LINES, len(drawn)), all=len(lines)))
        )  # fmt: skip


def _say(reader: Reader, expr: str, result: Result) -> None:
    """On stderr: what the result does not show by itself."""
    from bongsu.views.query_results import is_empty

    for message in (*result.warnings, *result.infos):
        say(str(message))
    if is_empty(result):
        say(str(_nothing(reader, expr, result)))


def _nothing(reader: Reader, expr: str, result: Result) -> Message:
    """Why an answer may be empty: a name that is not there, steps beside what there is, or a time without samples."""
    import difflib

    from bongsu.store.promql.parse import parse
    from bongsu.views.quantities import names_in
    from bongsu.views.query_tables import utc
    from bongsu.views.units import seconds_text

    known = reader.describe()
    for name in names_in(parse(expr).root):
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            advice = f"; did you mean {near[0]}?" if near else ""
            return Message("no series: the history has no metric {name}{advice}", name=name, advice=advice)
    there = _extent(reader.path)
    if there is None:
        return Message("no series: the history is empty")
    oldest, newest = there
    steps = result.steps
    if steps.step > _LOOKBACK_MS and steps.start - steps.step < newest and oldest <= steps.end + steps.step:
        return Message(
            "no series: nothing fits at steps of {step}; the history goes from {oldest} to {newest}: ask for a shorter "
            "time, or a smaller --step",
            step=seconds_text(steps.step / 1000), oldest=utc(oldest / 1000), newest=utc(newest / 1000),
        )  # fmt: skip
    return Message(
        "no series: nothing fits at that time; the history goes from {oldest} to {newest}",
        oldest=utc(oldest / 1000), newest=utc(newest / 1000),
    )  # fmt: skip


def _extent(file: str) -> tuple[int, int] | None:
    """Unix milliseconds of the oldest and the newest sample, of whichever tier."""
    from bongsu.store.layout.file import open_for_reading
    from bongsu.store.layout.schema import MINUTES, RAW, SEAL_MS
    from bongsu.store.moving.inventory import extent

    with contextlib.closing(open_for_reading(file)) as connection:
        raw, minutes = extent(connection, RAW), extent(connection, MINUTES)
    if raw is None or minutes is None:
        return raw or minutes
    # Of minutes only the window is told in which they begin: where raw samples begin in it too, these are the oldest.
    oldest = raw[0] if raw[0] - SEAL_MS < minutes[0] else minutes[0]
    return oldest, max(raw[1], minutes[1])
