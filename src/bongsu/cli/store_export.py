"""`bongsu store export`: samples out of the history, as one long table."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Iterator, Sequence
from typing import IO, TYPE_CHECKING

import click

from bongsu.cli.progress import Progress
from bongsu.cli.store import file_of, new_file, no_room, say, sqlite_errors, store_options
from bongsu.model.errors import BadInput
from bongsu.model.message import Message

if TYPE_CHECKING:
    from bongsu.store.moving.export import Format
    from bongsu.store.series import Matcher

FORMATS = ("csv", "jsonl", "parquet")
TIERS = ("raw", "1m")
EXPORT = """Write samples as one long table: time, metric, labels, value.

Times are RFC 3339 in UTC, labels one JSON object, values have all their digits; where a series ended the value is
empty (null). JSONL has one object for each series and ten minutes, as VictoriaMetrics' export has, and `bongsu store
import` brings it back. Without --tier every sample that is kept, and one a minute before that; with --tier 1m
also lowest, highest, mean (of a counter: lowest and highest rate per second, increase) and how many samples.
Lines go window by window of ten minutes, within one by metric.

\b
Examples:
  bongsu store export --since 1d > yesterday.csv
  bongsu store export --match 'node_load1' --match '{__name__=~"node_cpu.*"}' -o cpu.parquet
  bongsu store export --format jsonl --from 2026-01-31 --to 2026-02-01 -o day.jsonl
  bongsu store export --tier 1m --format parquet -o minutes.parquet
"""


@click.command(help=EXPORT)
@store_options
@click.option(
    "--format",
    "form",
    type=click.Choice(FORMATS),
    metavar="FORMAT",
    help="csv, jsonl or parquet.  [default: by the name of -o, else csv]",
)
@click.option(
    "--match",
    "matches",
    metavar="SELECTOR",
    multiple=True,
    help="Series that fit, as PromQL selects them; may be repeated.  [default: all]",
)
@click.option("--since", metavar="TIME", help="This long until now (or --to): 15m, 1h30m, 7d.")
@click.option(
    "--from", "begin", metavar="TIME", help="From then on: 2026-01-31T08:00, 14:30, '2h ago'.  [default: all]"
)
@click.option("--to", "end", metavar="TIME", help="Until then.")
@click.option(
    "--tier", type=click.Choice(TIERS), metavar="TIER", help="raw: every sample as it was read; 1m: one row a minute."
)
@click.option(
    "-o", "--output", metavar="FILE", help="Write this file, whole or not at all; - is standard output.  [default: -]"
)
@click.pass_context
def export(
    ctx: click.Context, form: str | None, matches: tuple[str, ...], since: str | None, begin: str | None,
    end: str | None, tier: str | None, output: str | None,
) -> None:  # fmt: skip
    """Write the table and say how many rows it has."""
    if since is not None and begin is not None:
        raise click.UsageError("--since and --from exclude each other: --since counts back from --to")
    form = form or _form_by_name(output)
    to_stdout = output in {None, "-"}
    if form == "parquet" and to_stdout:
        raise click.UsageError("--format parquet needs a file; give -o FILE")
    path = file_of(ctx)
    target = None if output is None or to_stdout else new_file(output, "-o", path)
    any_of = [_matchers(text) for text in matches]
    from bongsu.store.moving.export import MINUTE_COLUMNS, of_source
    from bongsu.store.moving.export import export as write
    from bongsu.store.moving.tiers import minutes, raw
    from bongsu.store.reading.reader import Reader

    notes: list[Message] = []
    reader = Reader(path)
    try:
        with sqlite_errors(path):
            start, stop = _range(path, tier, since=since, begin=begin, end=end)
        columns = MINUTE_COLUMNS if tier == "1m" else ("value",)
        if tier == "raw":
            read = raw(reader, any_of)
        elif tier == "1m":
            read, stop = minutes(reader, any_of), -(-stop // 60_000) * 60_000
        else:
            read = of_source(reader, any_of, lambda note: _note(notes, note))
        with _output(target, form, path, columns) as table, Progress("exporting") as progress:
            rows = write(read, start, stop, table, progress=progress)
    finally:
        reader.close()
    for note in notes:
        say(str(note))
    if not rows:
        say("no samples: nothing fits at that time; `bongsu store info` shows since when there are some")
    elif not to_stdout:
        click.echo(f"{output}: {rows} rows")


def _note(notes: list[Message], note: Message) -> None:
    """Of all windows that were answered from the coarser tier, one sentence."""
    said = dict(note.values)
    first = dict(notes[0].values)["first"] if notes else said.get("first", "")
    notes[:] = [
        Message(
            "from {first} to {last} one sample a minute is all that is kept; --tier 1m gives lowest and highest too",
            first=first, last=said.get("last", ""),
        )
    ]  # fmt: skip


def _form_by_name(output: str | None) -> str:
    ending = os.path.splitext(output or "")[1].lower().removeprefix(".")
    return ending if ending in FORMATS else "csv"


def _matchers(text: str) -> Sequence[Matcher]:
    import promql_parser

    from bongsu.store.promql.parse import parse
    from bongsu.store.promql.selectors import matchers_of
    from bongsu.store.promql.values import PromqlError

    try:
        node = parse(text).root
    except PromqlError as error:
        raise BadInput(Message("--match: {problem}", problem=error.message)) from None
    if not isinstance(node, promql_parser.VectorSelector) or node.offset is not None or node.at is not None:
        raise BadInput(
            Message("--match {text}: this is no selector of series; give such as node_load1 or {example}", text=text,
                    example='\'{job="bongsu",__name__=~"node_cpu.*"}\'')
        )  # fmt: skip
    return matchers_of(node)


def _range(path: str, tier: str | None, *, since: str | None, begin: str | None, end: str | None) -> tuple[int, int]:
    """Unix ms of the first and last moment: what was asked for, within what there is."""
    from bongsu.cli.query_times import moment, span
    from bongsu.store.layout.file import open_for_reading
    from bongsu.store.layout.schema import MINUTES, RAW
    from bongsu.store.moving.inventory import extent

    now = time.time()
    last = now if end is None else moment("--to", end, now)
    first = -1e15
    if since is not None:
        first = last - span("--since", since)
    elif begin is not None:
        first = moment("--from", begin, now)
    if first >= last:
        raise click.UsageError(f"--from {begin} is not before --to {end or 'now'}")
    with contextlib.closing(open_for_reading(path)) as connection:
        wanted = {None: (RAW, MINUTES), "raw": (RAW,), "1m": (MINUTES,)}[tier]
        there = [found for one in wanted if (found := extent(connection, one)) is not None]
    if not there:
        return 0, -1
    newest = max(found[1] for found in there)
    return (
        max(round(first * 1000), min(found[0] for found in there)),
        newest if end is None else min(round(last * 1000), newest),
    )


@contextlib.contextmanager
def _output(output: str | None, form: str, path: str, columns: Sequence[str]) -> Iterator[Format]:
    from bongsu.store.layout.new_file import appearing
    from bongsu.store.moving.export import Csv, Jsonl, Parquet

    def text(file: IO[bytes]) -> Format:
        ascii_only = file.isatty()
        if form == "csv":
            return Csv(file, columns, ascii_only=ascii_only)
        return Jsonl(file, _stored_kinds(path), columns, ascii_only=ascii_only)

    if output is None:
        sys.stdout.flush()
        yield text(sys.stdout.buffer)
        sys.stdout.buffer.flush()
        return
    with no_room(output), appearing(output, replace=True, private=False) as unfinished:
        if form == "parquet":
            yield Parquet(unfinished, columns)
            return
        with open(unfinished, "wb") as file:
            yield text(file)


def _stored_kinds(path: str) -> dict[str, str]:
    from bongsu.store.layout.file import open_for_reading

    with sqlite_errors(path), contextlib.closing(open_for_reading(path)) as connection:
        return dict(connection.execute("SELECT name, kind FROM metric ORDER BY id").fetchall())
