"""`bongsu report`: what recorded runs did and cost; also under the name that the source document has for it."""

from __future__ import annotations

import os
import re
import sys
from typing import NoReturn

import click

from bongsu.cli.families import Entry, Families
from bongsu.cli.report_runs import runs_dir_option

HELP = """What recorded runs did and cost: the latest one, or the one that is named.

RUN is an id or its beginning (as `bongsu report list` shows it), `latest`, `latest~1` (the one before), `tag:NAME`
(the newest that has it), the folder of a run, or the file that a report was exported to.

\b
Examples:
  bongsu report                          the latest run
  bongsu report list --failed            runs that ended badly
  bongsu report compare tag:old tag:new  which is better, by how much, and how sure that is
  bongsu report export latest~1 old.json the one before it, as JSON
"""
_LOOK, _KEEP, _OUT = "Look", "Keep", "Out and in"
_RUN = re.compile(r"latest(~\d+)?|tag:.+|\d{4,8}(-.*)?")


class Reports(Families):
    """The commands of this family; where a run is named instead of a command, it is shown."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As the others do, but `bongsu report RUN` is `bongsu report show RUN`."""
        word, file = args[0] if args else "", ctx.params.get("file")
        if word in self.entries and (file is not None or ctx.params.get("listed")):
            raise click.UsageError(f"--{'list' if file is None else 'export'} stands alone; leave out {word}", ctx)
        if word not in self.entries and (_RUN.fullmatch(word) or os.sep in word or os.path.isfile(word)):
            args = ["show", *_document_options(ctx), *args] if file is None else ["export", *args, file]
        return super().resolve_command(ctx, args)


def _document_options(ctx: click.Context) -> list[str]:
    most = ctx.params.get("top_functions")
    return [] if most is None else ["--top-functions", str(most)]


@click.command(
    cls=Reports,
    entries={
        "show": Entry("bongsu.cli.report_show:show", _LOOK, "What a run cost, and where the time went."),
        "timeline": Entry("bongsu.cli.report_show:timeline", _LOOK, "A run over time, and its processes as they came and went."),
        "list": Entry("bongsu.cli.report_list:list_", _LOOK, "All runs, sorted and filtered."),
        "open": Entry("bongsu.cli.report_open:open_", _LOOK, "A run on the live page of the `bongsu up` that runs here."),
        "compare": Entry("bongsu.cli.report_compare:compare", _LOOK, "Which runs cost less, and whether noise could say so too."),
        "export": Entry("bongsu.cli.report_export:export", _OUT, "A report as JSON, CSV, a page or a trace."),
        "import-duct": Entry("bongsu.cli.report_import:import_duct", _OUT, "A run that con-duct logged."),
        "recover": Entry("bongsu.cli.report_keep:recover", _KEEP, "Sum up runs whose recorder was killed."),
        "prune": Entry("bongsu.cli.report_keep:prune", _KEEP, "Remove old runs."),
    },
    name="report", help=HELP, invoke_without_command=True, subcommand_metavar="[RUN | COMMAND] [OPTIONS]",
)  # fmt: skip
@click.option("--list", "listed", is_flag=True, help="The list of runs, as `bongsu report list` has it.")
@click.option("--export", "file", metavar="FILE", help="Export instead: .csv or .json, as `bongsu report export` does.")
@click.option("--top-functions", type=click.IntRange(min=0), metavar="N", help="How many functions to show.")
@runs_dir_option
@click.pass_context
def report(ctx: click.Context, listed: bool, file: str | None, top_functions: int | None) -> object:  # noqa: ARG001  read where `show` is called
    """Do what was asked for without a command: show the latest run, list or export."""
    if ctx.invoked_subcommand is not None:
        return None
    words = (
        ["list"] if listed else ["export", "latest", file] if file is not None else ["show", *_document_options(ctx)]
    )
    assert isinstance(ctx.command, Reports)
    command = ctx.command.get_command(ctx, words[0])
    assert command is not None
    with command.make_context(words[0], words[1:], parent=ctx) as context:
        return command.invoke(context)


def view_performance_report() -> NoReturn:
    """The command of that name in the source document: the same with another name."""
    from bongsu.cli.main import main

    main(["report", *sys.argv[1:]])
