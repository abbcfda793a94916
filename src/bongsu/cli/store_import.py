"""`bongsu store import`: samples of the past into the history."""

from __future__ import annotations

import contextlib
import os
import re
import sys
import time
from collections.abc import Callable, Iterator
from typing import IO, TYPE_CHECKING

import click

from bongsu.cli.options import loaded
from bongsu.cli.progress import Progress
from bongsu.cli.store import alone, file_of, no_room, say, sqlite_errors, store_options
from bongsu.model.errors import BadInput
from bongsu.model.message import Message

if TYPE_CHECKING:
    from bongsu.model.metric import MetricPattern, MetricSpec
    from bongsu.store.moving.importing import Reading
    from bongsu.store.moving.past import Added
    from bongsu.store.moving.spool import Known

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
    from bongsu.store.layout.file import open_for_writing
    from bongsu.store.layout.interruptible import interruptible
    from bongsu.store.moving import importing, past
    from bongsu.store.moving.spool import Spool

    shown = "standard input" if file == "-" else file
    with alone(path, "import"), no_room(os.path.dirname(path)), contextlib.ExitStack() as stack:
        spool = stack.enter_context(
            contextlib.closing(Spool(os.path.dirname(path), labels=added_labels, now_ms=round(now * 1000)))
        )
        with _opened(file) as dump, Progress(f"reading {shown}") as progress:
            read = importing.read(
                dump, shown, spool, form=form, time_ms=time_ms, keep_going=keep_going, progress=progress
            )
        with (
            sqlite_errors(path),
            contextlib.closing(open_for_writing(path, say=lambda message: say(str(message)))) as connection,
            interruptible(connection),
            Progress("storing") as progress,
        ):
            added = past.add(connection, spool, known=_kinds(), progress=progress)
        span = None if spool.oldest is None or spool.newest is None else (spool.oldest, spool.newest)
    click.echo(_json(path, read, added, span) if as_json else f"{path}: {_summary(read, added)}")
    _say_left_out(read, added)
    _say_too_old(ctx, span)
    return 1 if read.skipped else 0


def _json(path: str, read: Reading, added: Added, span: tuple[int, int] | None) -> str:
    """What was done, for programs; ``span`` are the times of the oldest and the newest sample, in Unix ms."""
    from bongsu.views.json_text import json_text

    return json_text(
        {
            "path": path, "format": read.format, "lines": read.lines, "read": read.samples,
            "stored": added.samples, "already": added.already, "replaced": added.replaced,
            "left_out": added.left_out, "only_minutes": added.coarse, "new_series": added.series,
            "skipped_lines": read.skipped, "cut_off_lines": read.cut_off,
            "oldest": span and span[0], "newest": span and span[1],
        }
    )  # fmt: skip


def _summary(read: Reading, added: Added) -> str:
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


def _say_left_out(read: Reading, added: Added) -> None:
    """What of the file is not in the history as it stood there."""
    for problem in read.wrong[:_SOME_WRONG]:
        say(f"passed over {problem}")
    if read.skipped > _SOME_WRONG:
        say(f"passed over {read.skipped - _SOME_WRONG} more wrong lines")
    if added.coarse:
        say(f"{added.coarse} of the samples stored are kept as values of minutes, as all else of their time is")
    if added.left_out:
        say(
            f"{added.left_out} samples were left out: their time is kept only as values of minutes, which cannot take "
            "in more; import into a file of its own (--store) to have them"
        )


def _say_too_old(ctx: click.Context, span: tuple[int, int] | None) -> None:
    """What the next start of the writer will let go at once is better said now."""
    from bongsu.views.units import seconds_text

    store = loaded(ctx).settings.store
    keeps = max(store.raw, store.minutes)
    if span is not None and span[0] < (time.time() - keeps) * 1000:
        say(
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
    """What the collectors here say of the metrics that they give; JSONL does not say it."""
    from bongsu.cli.wire import classes
    from bongsu.collectors.agent import AgentCollector
    from bongsu.model import health
    from bongsu.model.metric import MetricPattern
    from bongsu.store.moving.spool import Known
    from bongsu.store.writing import facts

    plain: dict[str, MetricSpec] = {}
    patterns: list[tuple[re.Pattern[str], MetricPattern]] = []
    own = (*health.SPECS, *AgentCollector.specs, *facts.SPECS)
    for spec in [*own, *(spec for cls in classes() for spec in cls.specs)]:
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
