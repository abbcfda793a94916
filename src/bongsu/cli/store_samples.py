"""`bongsu store export|import`: samples out of the history, and into it."""

from __future__ import annotations

import contextlib
import os
import re
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from typing import IO, TYPE_CHECKING

import click

from bongsu.cli.progress import Progress
from bongsu.cli.store import alone, file_of, sqlite_errors, store_options
from bongsu.model.errors import BadInput
from bongsu.model.message import Message

if TYPE_CHECKING:
    from bongsu.model.metric import MetricPattern, MetricSpec
    from bongsu.store.export import Format
    from bongsu.store.reader import Reader
    from bongsu.store.series import Matcher
    from bongsu.store.spool import Known

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
IMPORT = """Take samples of the past into the history: all of a file or, if a line is wrong, none.

FILE is a dump in the Prometheus text format with timestamps (also what `promtool tsdb dump` writes), OpenMetrics, or
JSONL: what the sink jsonl and `bongsu store export` write; `-` is standard input, gzip is unpacked. Samples that the
history has already are not stored twice. Labels come as they are: for readings of this machine give the labels that
`bongsu up` gives (see the second example). What is older than the history keeps goes at the next start of `bongsu up`.

\b
Examples:
  bongsu store import dump.prom
  bongsu store import readings.jsonl.gz --label job=bongsu --label instance=$(hostname)
  promtool tsdb dump /var/lib/prometheus | bongsu store import - --store old.db
  curl -s localhost:9100/metrics | bongsu store import - --time now
"""
_LABEL = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
_SOME_WRONG = 5  # lines that are told one by one


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
    any_of = [_matchers(text) for text in matches]
    from bongsu.store.export import MINUTE_COLUMNS, of_source
    from bongsu.store.export import export as write
    from bongsu.store.reader import Reader
    from bongsu.store.tiers import minutes, raw

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
        with _output(None if to_stdout else output, form, reader, columns) as table, Progress("exporting") as progress:
            rows = write(read, start, stop, table, progress=progress)
    finally:
        reader.close()
    for note in notes:
        _say(str(note))
    if not rows:
        _say("no samples: nothing fits at that time; `bongsu store info` shows since when there are some")
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
    from bongsu.store.file import open_for_reading
    from bongsu.store.inventory import extent
    from bongsu.store.schema import MINUTES, RAW

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
def _output(output: str | None, form: str, reader: Reader, columns: Sequence[str]) -> Iterator[Format]:
    from bongsu.sinks.file_path import resolved
    from bongsu.store.export import Csv, Jsonl, Parquet
    from bongsu.store.new_file import appearing

    def text(file: IO[bytes]) -> Format:
        ascii_only = file.isatty()
        if form == "csv":
            return Csv(file, columns, ascii_only=ascii_only)
        kinds = {name: found[-1].kind for name, found in reader.describe().items()}
        return Jsonl(file, kinds, columns, ascii_only=ascii_only)

    if output is None:
        sys.stdout.flush()
        yield text(sys.stdout.buffer)
        sys.stdout.buffer.flush()
        return
    with appearing(resolved(output, "-o"), replace=True, private=False) as unfinished:
        if form == "parquet":
            yield Parquet(unfinished, columns)
            return
        with open(unfinished, "wb") as file:
            yield text(file)


@click.command("import", help=IMPORT)
@click.argument("file", metavar="FILE")
@store_options
@click.option(
    "--format",
    "form",
    metavar="FORMAT",
    type=click.Choice(("prometheus", "openmetrics", "jsonl")),
    help="prometheus, openmetrics or jsonl.  [default: told by the content]",
)
@click.option(
    "--label",
    "labels",
    metavar="NAME=VALUE",
    multiple=True,
    help="A label for each series that has none of that name; may be repeated.",
)
@click.option("--time", "at", metavar="TIME", help="The time of samples without a timestamp: now, 2026-01-31T08:00.")
@click.option("--keep-going", is_flag=True, help="Pass over lines that are wrong, and count them.")
@click.option("--json", "as_json", is_flag=True, help="What was done, as one JSON object.")
@click.pass_context
def import_(
    ctx: click.Context, file: str, form: str | None, labels: tuple[str, ...], at: str | None, keep_going: bool,
    as_json: bool,
) -> int:  # fmt: skip
    """Read all of it, then store all of it."""
    from bongsu.cli.query_times import moment

    now = time.time()
    time_ms = None if at is None else round(moment("--time", at, now) * 1000)
    added_labels = dict(map(_label, labels))
    path = file_of(ctx, must_exist=False)
    from bongsu.store import importing, past
    from bongsu.store.file import open_for_writing
    from bongsu.store.interruptible import interruptible
    from bongsu.store.spool import Spool

    shown = "standard input" if file == "-" else file
    with alone(path, "import"), contextlib.ExitStack() as stack:
        spool = stack.enter_context(
            contextlib.closing(Spool(os.path.dirname(path), labels=added_labels, now_ms=round(now * 1000)))
        )
        with _opened(file) as dump, Progress(f"reading {shown}") as progress:
            read = importing.read(
                dump, shown, spool, form=form, time_ms=time_ms, keep_going=keep_going, progress=progress
            )
        with (
            sqlite_errors(path),
            contextlib.closing(open_for_writing(path, say=lambda message: _say(str(message)))) as connection,
            interruptible(connection),
            Progress("storing") as progress,
        ):
            added = past.add(connection, spool, known=_kinds(), progress=progress)
        span = None if spool.oldest is None or spool.newest is None else (spool.oldest, spool.newest)
    if as_json:
        from bongsu.views.json_text import json_text

        click.echo(
            json_text(
                {
                    "path": path, "format": read.format, "lines": read.lines, "read": read.samples,
                    "stored": added.samples, "already": added.already, "replaced": added.replaced,
                    "new_series": added.series, "skipped_lines": read.skipped, "cut_off_lines": read.cut_off,
                    "oldest": span and span[0], "newest": span and span[1],
                }
            )
        )  # fmt: skip
    else:
        click.echo(f"{path}: {_summary(read, added)}")
    for problem in read.wrong[:_SOME_WRONG]:
        _say(f"passed over {problem}")
    if read.skipped > _SOME_WRONG:
        _say(f"passed over {read.skipped - _SOME_WRONG} more wrong lines")
    _say_too_old(ctx, span)
    return 1 if read.skipped else 0


def _summary(read: object, added: object) -> str:
    from bongsu.store.importing import Reading
    from bongsu.store.past import Added

    assert isinstance(read, Reading)
    assert isinstance(added, Added)
    parts = [f"{added.samples} of {read.samples} samples stored ({read.format})"]
    if added.already:
        parts.append(f"{added.already} were there already")
    if added.replaced:
        parts.append(f"{added.replaced} took the place of another value")
    if added.series:
        parts.append(f"{added.series} new series")
    if read.cut_off:
        parts.append(f"{read.cut_off} lines were cut off when their writer was killed")
    if read.skipped:
        parts.append(f"{read.skipped} wrong lines passed over")
    return ", ".join(parts)


def _say_too_old(ctx: click.Context, span: tuple[int, int] | None) -> None:
    """What the next start of the writer will let go at once is better said now."""
    from bongsu.cli.options import loaded
    from bongsu.views.units import seconds_text

    store = loaded(ctx).settings.store
    keeps = max(store.raw, store.minutes)
    if span is not None and span[0] < (time.time() - keeps) * 1000:
        _say(
            f"some of it is older than the history keeps ({seconds_text(keeps)}): it goes when `bongsu up` starts; "
            "import into a file of its own (--store) to keep it, or give `bongsu up` a longer --retention"
        )


def _label(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not _LABEL.fullmatch(name) or name.startswith("__"):
        raise BadInput(
            Message("--label {text}: this is not NAME=VALUE, where NAME has letters, digits and _, and does not begin "
                    "with a digit or __", text=text)
        )  # fmt: skip
    return name, value


@contextlib.contextmanager
def _opened(file: str) -> Iterator[IO[bytes]]:
    if file == "-":
        if sys.stdin.isatty():
            raise BadInput(Message("-: standard input is a terminal; give a file, or pipe a dump in"))
        yield sys.stdin.buffer
        return
    try:
        opened = open(file, "rb")  # noqa: SIM115  closed below
        opened.read(0)
        if os.path.isdir(file):
            raise IsADirectoryError
    except OSError as error:
        reason = (error.strerror or "is a directory").lower()
        raise BadInput(Message("{file}: {reason}; give the file of a dump", file=file, reason=reason)) from None
    with opened:
        yield opened


def _kinds() -> Callable[[str], Known | None]:
    """What our own collectors say of the metrics that they give; JSONL does not say it."""
    from bongsu.cli.wire import CLASSES
    from bongsu.model import health
    from bongsu.model.metric import MetricPattern
    from bongsu.store.spool import Known

    plain: dict[str, MetricSpec] = {}
    patterns: list[tuple[re.Pattern[str], MetricPattern]] = []
    for spec in [*health.SPECS, *(spec for cls in CLASSES for spec in cls.specs)]:
        if isinstance(spec, MetricPattern):
            before, _, after = spec.pattern.partition("{}")
            patterns.append((re.compile(f"{re.escape(before)}([a-zA-Z0-9_:]+){re.escape(after)}"), spec))
        else:
            plain[spec.name] = spec

    patterns.sort(key=lambda found: -len(found[0].pattern))  # of two that fit, the one that says more

    def known(name: str) -> Known | None:
        spec = plain.get(name)
        if spec is not None:
            return Known(spec.kind, spec.help, spec.unit)
        for pattern, found in patterns:
            if pattern.fullmatch(name):
                return Known(found.kind, "", found.unit)
        return None

    return known


def _say(line: str) -> None:
    from bongsu.views.printable import printable

    click.echo(f"bongsu: {printable(line)}", err=True)
