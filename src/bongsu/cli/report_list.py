"""`bongsu report list`: all runs, sorted and filtered."""

from __future__ import annotations

import shutil
import sys
import time

import click

from bongsu import __version__
from bongsu.cli.report_runs import directory, runs_dir_option
from bongsu.records.run_list import SORTS

LIST = """List runs, the newest first.

CPU is the time of a run's whole tree; memory its peak, shared pages counted once where that could be read.

\b
Examples:
  bongsu report list --sort cpu --limit 10
  bongsu report list --name 'train*' --since 7d --failed
  bongsu report list --json | jq -r '.[0].id'
"""


@click.command("list", help=LIST)
@runs_dir_option
@click.option("--sort", type=click.Choice(SORTS), default="started", help="The largest first; names from A to Z.")
@click.option("--reverse", is_flag=True, help="The other way round.")
@click.option("--name", metavar="GLOB", default="", help="Whose program or name fits, such as 'train*'.")
@click.option("--tag", metavar="TAG", default="", help="Those with this tag.")
@click.option("--since", metavar="TIME", help="Started since then: 7d, 2h, 2026-01-31, 14:30.")
@click.option("--failed", is_flag=True, help="Those that ended badly, or whose recorder was lost.")
@click.option("--running", is_flag=True, help="Those that go on.")
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="At most so many.")
@click.option("--json", "as_json", is_flag=True, help="One JSON array.")
@click.pass_context
def list_(
    ctx: click.Context, sort: str, reverse: bool, name: str, tag: str, since: str | None, failed: bool, running: bool,
    limit: int | None, as_json: bool,
) -> None:  # fmt: skip
    """Print a line for each run."""
    from bongsu.records.run_list import Wanted, chosen, rows
    from bongsu.runs.reporting import row

    wanted = Wanted(
        sort=sort, reverse=reverse, name=name, tag=tag, since=None if since is None else _since(since), failed=failed,
        running=running, limit=limit,
    )  # fmt: skip
    place = directory(ctx)
    there = rows(place, row, __version__)
    some = chosen(there, wanted)
    if as_json:
        from bongsu.views.json_text import json_text

        click.echo(json_text(some))
        return
    from bongsu.views.run_list import table

    if some:
        width = shutil.get_terminal_size().columns if sys.stdout.isatty() else 0
        click.echo("\n".join(table(some, width, ascii_only=not _unicode())))
    elif there:
        click.echo(f"none of the {len(there)} runs in {place} is such a run", err=True)
    else:
        click.echo(f"no runs in {place} yet; record one with `bongsu run -- COMMAND`", err=True)


def _unicode() -> bool:
    return (sys.stdout.encoding or "").lower().replace("-", "") in {"utf8", "utf16", "utf32"}


def _since(text: str) -> float:
    """A length of time back from now, or a moment. Raises BadInput."""
    from bongsu.cli.query_times import moment, span
    from bongsu.model.errors import BadInput

    now = time.time()
    try:
        return now - span("--since", text)
    except BadInput:
        return moment("--since", text, now)
