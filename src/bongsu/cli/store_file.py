"""`bongsu store info|verify|compact|backup|restore`: the history's file as a whole."""

from __future__ import annotations

import contextlib
import os
import time

import click

from bongsu.cli.progress import Progress
from bongsu.cli.store import alone, file_of, new_file, sqlite_errors, store_options
from bongsu.model.errors import BadInput
from bongsu.model.message import Message

INFO = """Show what the history holds: its size, since when, how many samples, and where there are gaps.

\b
Examples:
  bongsu store info
  bongsu store info --gap 1m --top 20
  bongsu store info --json | jq .raw.oldest
"""
VERIFY = """Check the file: SQLite's own check, then every column of samples, and what refers to what.

\b
Examples:
  bongsu store verify
  bongsu store verify --quick         not each column: some times faster
  bongsu store verify --store history.db.corrupt-20260131T080000Z

Exit code 1 if anything is broken; each line of the output names one thing that is.
"""
COMPACT = """Make the file as small as it can be: seal, merge, join small parts, give free pages back.

Nothing is lost. It needs the file for itself: `bongsu up` does most of this by itself as time goes on.

\b
Examples:
  bongsu store compact
"""
BACKUP = """Copy the history into one file, also while `bongsu up` writes it.

The copy is of one moment (without what `up` has not written yet, some seconds), is checked whole, belongs to you
alone (mode 0600), and appears under its name only when it is done.

\b
Examples:
  bongsu store backup /backup/history-$(date +%F).db
  bongsu store backup /backup/history.db --force     replace the one of yesterday
"""
RESTORE = """Put a backup in the place of the history. What was there is kept beside it under another name.

The backup is checked before anything is changed.

\b
Examples:
  bongsu store restore /backup/history-2026-01-31.db
  bongsu store restore old.db --store /tmp/look/history.db    beside the present one
"""
_MOST_TOP = 10_000


@click.command(help=INFO)
@store_options
@click.option(
    "--gap", metavar="TIME", default="5m", help="Tell of times without samples longer than this.  [default: 5m]"
)
@click.option(
    "--top", metavar="N", type=click.IntRange(0, _MOST_TOP), default=10, help="Metrics that take most.  [default: 10]"
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object; times are Unix milliseconds.")
@click.pass_context
def info(ctx: click.Context, gap: str, top: int, as_json: bool) -> None:
    """Take stock and draw it."""
    from bongsu.cli.query_times import span

    gap_ms = round(span("--gap", gap) * 1000)
    path = file_of(ctx)
    from bongsu.store.moving.inventory import take_stock

    with sqlite_errors(path):
        stock = take_stock(path, gap_ms=gap_ms, top=top)
    if as_json:
        from bongsu.views.json_text import json_text

        click.echo(json_text(stock))
        return
    from bongsu.views.store import draw_stock
    from bongsu.views.terminal import Terminal

    draw_stock(stock, gap_ms / 1000, Terminal())


@click.command(help=VERIFY)
@store_options
@click.option("--quick", is_flag=True, help="Do not decode columns, nor compare indexes with tables.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@click.pass_context
def verify(ctx: click.Context, quick: bool, as_json: bool) -> int:
    """Check and say what is broken."""
    path = file_of(ctx)
    from bongsu.store.moving import verify as checking
    from bongsu.views.printable import printable

    with Progress("checking") as progress:
        done = checking.verify(path, quick=quick, progress=progress)
    if as_json:
        from bongsu.views.json_text import json_text

        counts = {name: getattr(done, name) for name in ("series", "batches", "segments", "chunks", "samples")}
        problems = [str(problem) for problem in done.problems]
        click.echo(json_text({"path": path, "quick": quick, "problems": problems, "more": done.more, **counts}))
        return 1 if problems else 0
    for problem in done.problems:
        click.echo(printable(problem))
    if done.more:
        click.echo(f"and {done.more} more")
    looked = f"{done.series} series, {done.segments} segments, {done.chunks} columns, {done.batches} batches"
    found = len(done.problems) + done.more
    verdict = f"{found} problem{'s' if found > 1 else ''}" if found else "whole"
    click.echo(f"{printable(path)}: {verdict} ({looked}{'; columns were not decoded' if quick else ''})")
    return 1 if found else 0


@click.command(help=COMPACT)
@store_options
@click.pass_context
def compact(ctx: click.Context) -> None:
    """Compact, and say what it gave."""
    path = file_of(ctx)
    from bongsu.store.layout.file import open_for_writing, size
    from bongsu.store.layout.interruptible import interruptible
    from bongsu.store.writing import compact as compacting
    from bongsu.views.units import bytes_text

    with alone(path, "compact it"), sqlite_errors(path):
        before = size(path) + size(f"{path}-wal")
        done: dict[str, int] = {}
        with contextlib.closing(open_for_writing(path)) as connection, Progress("compacting") as progress:
            with interruptible(connection):
                for word in compacting.compact(connection):
                    done[word] = done.get(word, 0) + 1
                    progress(0.0)
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        after = size(path) + size(f"{path}-wal")
    click.echo(f"{path}: {bytes_text(before)} before, {bytes_text(after)} now")


@click.command(help=BACKUP)
@click.argument("file", metavar="FILE")
@store_options
@click.option("--force", is_flag=True, help="Replace FILE if there is one.")
@click.pass_context
def backup(ctx: click.Context, file: str, force: bool) -> None:
    """Copy, and say where and how much."""
    from bongsu.views.units import bytes_text

    path = file_of(ctx)
    target = new_file(file, "FILE", path)
    from bongsu.store.moving.backup import back_up

    begun = time.monotonic()
    with Progress("copying") as progress:
        size = back_up(path, target, replace=force, progress=progress)
    click.echo(f"{target}: {bytes_text(size)}, checked, in {time.monotonic() - begun:.1f} s")


@click.command(help=RESTORE)
@click.argument("file", metavar="FILE")
@store_options
@click.pass_context
def restore(ctx: click.Context, file: str) -> None:
    """Check, set aside, replace."""
    path = file_of(ctx, must_exist=False)
    if os.path.exists(path) and os.path.exists(file) and os.path.samefile(path, file):
        raise BadInput(Message("{path}: this is the history itself; give the file of a backup", path=file))
    from bongsu.store.moving import backup as backups

    with alone(path, "restore"), Progress("copying") as progress:
        aside = backups.restore(file, path, progress=progress)
    click.echo(f"{path}: restored from {file}")
    if aside is not None:
        click.echo(f"what was there is kept as {aside}")
