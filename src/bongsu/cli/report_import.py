"""`bongsu report import-duct`: bring in what con-duct logged."""

from __future__ import annotations

import click

from bongsu.cli.report_runs import directory, runs_dir_option
from bongsu.model.errors import BadInput
from bongsu.model.message import Message

HELP = """Make a run of what con-duct (0.23) logged, to look at it beside others.

PREFIX is what con-duct's --output-prefix was: PREFIXinfo.json and PREFIXusage.jsonl are read and left as they are.
Memory and processes are as it sampled them. CPU time stays unknown: what it logs are percentages that do not add up to it.

\b
Example:
  bongsu report import-duct .duct/logs/2026.01.31T12.00.00-4711_
"""


@click.command("import-duct", help=HELP)
@runs_dir_option
@click.argument("prefix", metavar="PREFIX", type=click.Path())
@click.pass_context
def import_duct(ctx: click.Context, prefix: str) -> None:
    """Import one run."""
    from bongsu.runs.import_duct import import_duct as imported
    from bongsu.views.printable import printable

    try:
        made = imported(prefix, directory(ctx))
    except OSError as error:
        raise BadInput(
            Message("{path}: {reason}", path=error.filename or prefix, reason=(error.strerror or str(error)).lower())
        ) from None
    click.echo(printable(made.id))
