"""`bongsu report export`: a report as a file for other programs."""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

import click

from bongsu.cli.report_runs import REFERENCE, complete, report_of, runs_dir_option
from bongsu.model.errors import BadInput
from bongsu.model.message import Message

if TYPE_CHECKING:
    pass

EXPORT = f"""Write the report of a run to a file; - is standard output.

RUN: {REFERENCE[0].lower()}{REFERENCE[1:]}

\b
Examples:
  bongsu report export report.json                  the latest run
  bongsu report export latest~1 --format csv -      its samples, for a pipe
  bongsu report export latest processes.csv --what processes
  bongsu report export report.html                  one page with charts that zoom, to open, keep or send
  bongsu report export build.trace.json             for Perfetto or chrome://tracing
"""


class Form(NamedTuple):
    """A format: where it is made (``module:function`` of a report), the ends of its files' names, whether it knows --what."""

    where: str
    ends: tuple[str, ...]
    parts: bool = False


#: The formats; the first whose file names end so is taken where none is named.
FORMS = {
    "chrome-trace": Form("bongsu.runs.export_trace:text", (".trace.json",)),
    "json": Form("bongsu.runs.export_json:text", (".json",)),
    "csv": Form("bongsu.runs.export_csv:text", (".csv",), parts=True),
    "html": Form("bongsu.views.run_html.page:page", (".html", ".htm")),
}


@click.command(help=EXPORT)
@runs_dir_option
@click.option("--format", "form", type=click.Choice(tuple(FORMS)), help="How.  [default: by the name of FILE]")
@click.option(
    "--what", type=click.Choice(("samples", "processes", "functions")), help="Which table, of CSV.  [default: samples]"
)
@click.argument("words", metavar="[RUN] FILE", nargs=-1, shell_complete=complete)
@click.pass_context
def export(ctx: click.Context, form: str | None, what: str | None, words: tuple[str, ...]) -> None:
    """Write one report."""
    if len(words) not in {1, 2}:
        raise click.UsageError("give the file to write, before it the run if it is not the latest", ctx)
    run, file = ("latest", words[0]) if len(words) == 1 else words
    form = form or _by_name(file)
    if what is not None and not FORMS[form].parts:
        raise click.UsageError(f"--what is for CSV; {form} holds everything", ctx)
    module, _, name = FORMS[form].where.partition(":")
    make: Callable[..., str] = getattr(importlib.import_module(module), name)
    report = report_of(ctx, run)
    text = make(report, what) if what is not None else make(report)
    write(text, file)


def write(text: str, file: str) -> None:
    """Put a text in a file, in one step, or on standard output (``-``). Raises BadInput if it cannot be written."""
    if file == "-":
        click.echo(text, nl=not text.endswith("\n"))
        return
    from bongsu.records.run_folder import write_whole
    from bongsu.sinks.file_path import resolved

    path = resolved(file, "FILE")
    data = text.encode("utf-8", "surrogateescape")
    try:
        write_whole(path, data if data.endswith(b"\n") else data + b"\n")
    except OSError as error:
        raise BadInput(
            Message("FILE {file}: it cannot be written: {reason}; what was there is untouched",
                    file=file, reason=(error.strerror or "").lower())
        ) from None  # fmt: skip


def _by_name(file: str) -> str:
    for form, known in FORMS.items():
        if file.lower().endswith(known.ends):
            return form
    if file == "-":
        return "json"
    raise BadInput(
        Message("FILE {file}: its name ({end}) tells no format; give --format {forms}",
                file=file, end=os.path.splitext(file)[1] or "no ending", forms=", ".join(FORMS))
    )  # fmt: skip
