"""`bongsu report recover` and `prune`: look after the folders of runs."""

from __future__ import annotations

import os
import re
import sys
import time

import click

from bongsu import __version__
from bongsu.cli.report_runs import REFERENCE, complete, directory, runs_dir_option
from bongsu.model.errors import BadInput, BongsuError, NotKnown
from bongsu.model.message import Message

RECOVER = f"""Make the summaries of runs anew from what their recorders wrote, after a crash of whatever kind.

Says what is known and what is lost. Runs that go on are left alone; doing it twice changes nothing. A report of a lost
run that is asked for is recovered on the way, so this is for all of them, or to be told.

RUN: {REFERENCE[0].lower()}{REFERENCE[1:]}
"""
PRUNE = """Remove runs that are no longer wanted; asks first.

A run is removed if any of the conditions holds for it. One that goes on is never removed, nor one that cannot be read
or that a newer bongsu wrote.

\b
Examples:
  bongsu report prune --older-than 30d --dry-run
  bongsu report prune --keep 100 --max-bytes 5GB --yes
"""
_SIZE = re.compile(r"(\d+(?:\.\d+)?) ?([KMGT]?)(i?)B?", re.IGNORECASE | re.ASCII)


@click.command(help=RECOVER)
@runs_dir_option
@click.option("--all", "everything", is_flag=True, help="Every run.")
@click.argument("runs", metavar="[RUN]...", nargs=-1, shell_complete=complete)
@click.pass_context
def recover(ctx: click.Context, runs: tuple[str, ...], everything: bool) -> int:
    """Recover what is named; 1 if something could not be."""
    from bongsu.records.run_finding import find, ids
    from bongsu.runs.reporting import recover as recovered
    from bongsu.views.printable import printable

    place = directory(ctx)
    if everything == bool(runs):
        raise click.UsageError("give the runs to recover, or --all", ctx)
    folders = (
        [os.path.join(place, name) for name in ids(place)] if everything else [find(run, place).path for run in runs]
    )
    problems = 0
    for folder in folders:
        if not os.path.isdir(folder):
            raise BadInput(Message("{path}: this is an exported report; give the run that it was made of", path=folder))
        try:
            done = recovered(folder)
        except (BongsuError, OSError) as error:
            problems += 1
            reason = (
                str(error)
                if isinstance(error, BongsuError)
                else f"{error.filename or folder}: {(error.strerror or '').lower()}"
            )
            click.echo(f"bongsu: {printable(reason)}", err=True)
            continue
        click.echo(printable(f"{done.id}: {done.state}: {done.text}"))
    return 1 if problems else 0


@click.command(help=PRUNE)
@runs_dir_option
@click.option("--older-than", metavar="TIME", help="Those that started longer ago than this: 30d, 12h.")
@click.option("--keep", type=click.IntRange(min=0), metavar="N", help="All but the N newest.")
@click.option("--max-bytes", metavar="SIZE", help="The oldest, until the others take no more than this: 500MB, 5GiB.")
@click.option("--dry-run", is_flag=True, help="Only say what would be removed.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@click.pass_context
def prune(
    ctx: click.Context, older_than: str | None, keep: int | None, max_bytes: str | None, dry_run: bool, yes: bool
) -> None:
    """Remove runs."""
    from bongsu.cli.query_times import span
    from bongsu.records.run_list import rows
    from bongsu.records.run_pruning import remove, to_remove
    from bongsu.runs.reporting import row
    from bongsu.views.printable import printable
    from bongsu.views.units import bytes_text

    if older_than is None and keep is None and max_bytes is None:
        raise click.UsageError("say which runs: --older-than, --keep or --max-bytes", ctx)
    before = None if older_than is None else time.time() - span("--older-than", older_than)
    place = directory(ctx)
    going = to_remove(
        place, rows(place, row, __version__), before=before, keep=keep,
        max_bytes=None if max_bytes is None else _bytes(max_bytes),
    )  # fmt: skip
    if not going:
        click.echo("nothing to remove")
        return
    what = f"{len(going)} run{'s' if len(going) > 1 else ''}, {bytes_text(sum(one.bytes for one in going))}"
    for one in going:
        click.echo(f"{printable(one.row.id)}  {bytes_text(one.bytes)}", err=not dry_run)
    if dry_run:
        click.echo(f"would remove {what}")
        return
    if not yes:
        if not sys.stdin.isatty():
            raise BadInput(
                Message("prune: nobody is there to be asked whether to remove {what}; give --yes", what=what)
            )
        click.confirm(f"Remove {what}?", abort=True, err=True)
    removed = 0
    for one in going:
        try:
            removed += remove(place, one.row.id)
        except OSError as error:
            raise NotKnown(
                Message("{path}: it could not be removed: {reason}; {removed} runs were removed before",
                        path=error.filename or one.row.id, reason=(error.strerror or "").lower(), removed=removed)
            ) from None  # fmt: skip
    click.echo(f"removed {removed} run{'' if removed == 1 else 's'}")


def _bytes(text: str) -> int:
    found = _SIZE.fullmatch(text.strip())
    if found is None:
        raise BadInput(
            Message("--max-bytes {text!r}: this is no size; give such as 500MB, 5GiB or a number", text=text)
        )
    step = 1024 if found[3] else 1000
    return int(float(found[1]) * step ** ("KMGT".find(found[2].upper()) + 1 if found[2] else 0))
