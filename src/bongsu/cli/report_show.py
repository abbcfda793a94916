"""`bongsu report show` and `bongsu report timeline`: one run, as a person reads it."""

from __future__ import annotations

import click

from bongsu.cli.report_runs import REFERENCE, complete, report_of, runs_dir_option

SHOW_HELP = f"""What a run cost, and where the time went: CPU time and who counted it, memory, storage, functions, processes.

RUN: {REFERENCE}  [default: latest]

CPU time is of the whole tree, also of processes that came and went between two samples. The residual is the part of it
that nobody saw by name. Memory is given as PSS (shared pages divided among those that share them), RSS (counted for
each) and USS (not counted); a dash or "not known" is never zero.

\b
Examples:
  bongsu report show                         the latest run
  bongsu report show latest~1 --sort self    functions by the time in themselves
  bongsu report show --json | jq .summary    for programs
"""
TIMELINE_HELP = f"""A run over time: CPU, memory and storage as charts, and below them its processes as they came and went.

RUN: {REFERENCE}  [default: latest]

Where there are more processes than rows, those that lived long have a row each and the others share one by program.

\b
Examples:
  bongsu report timeline
  bongsu report timeline tag:nightly --width 200
"""


@click.command(help=SHOW_HELP)
@click.argument("run", metavar="[RUN]", default="latest", shell_complete=complete)
@click.option("--json", "as_json", is_flag=True, help="The whole report as one JSON document.")
@click.option(
    "--top-functions", type=click.IntRange(min=0), default=30, metavar="N", show_default=True,
    help="How many functions to show.",
)  # fmt: skip
@click.option(
    "--sort", type=click.Choice(["total", "self", "cpu"]), default="total", show_default=True,
    help="Order functions by wall time, wall time without what they called, or CPU time.",
)  # fmt: skip
@click.option(
    "--processes", type=click.IntRange(min=0), default=10, metavar="N", show_default=True,
    help="How many processes and programs to show.",
)  # fmt: skip
@runs_dir_option
@click.pass_context
def show(ctx: click.Context, run: str, as_json: bool, top_functions: int, sort: str, processes: int) -> None:
    """Print the report of one run."""
    report = report_of(ctx, run)
    if as_json:
        from bongsu.runs.export_json import text

        click.echo(text(report))
        return
    from bongsu.views.run_summary import By, draw
    from bongsu.views.terminal import Terminal

    draw(report, Terminal(), functions=top_functions, by=By(sort), processes=processes)


@click.command(help=TIMELINE_HELP)
@click.argument("run", metavar="[RUN]", default="latest", shell_complete=complete)
@click.option(
    "--width", type=click.IntRange(min=40, max=10_000), metavar="N",
    help="Columns to draw in.  [default: as wide as the terminal]",
)  # fmt: skip
@runs_dir_option
@click.pass_context
def timeline(ctx: click.Context, run: str, width: int | None) -> None:
    """Draw one run over time."""
    from bongsu.views.run_timeline import draw
    from bongsu.views.terminal import Terminal

    draw(report_of(ctx, run), Terminal(), width=width)
