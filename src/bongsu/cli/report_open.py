"""`bongsu report open`: a run on the live page of the `bongsu up` that runs here."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import click

from bongsu.cli.report_runs import complete, directory, runs_dir_option
from bongsu.model.errors import BadInput, NotKnown
from bongsu.model.message import Message

if TYPE_CHECKING:
    from bongsu.cli.up_file import Noted

HELP = """Open a run on the live page of the `bongsu up` that runs here, and print its address.

RUN: an id or its beginning, latest, latest~1, tag:NAME, or a run's folder.  [default: latest]

A run that goes on is live there. The address holds the page's token: keep it to yourself.

\b
Examples:
  bongsu report open                  the latest run
  bongsu report open --print latest~1 the address only, for a browser elsewhere
"""


@click.command(help=HELP)
@click.argument("run", metavar="[RUN]", default="latest", shell_complete=complete)
@click.option("--print", "only_print", is_flag=True, help="Print the address, and open nothing.")
@click.option("--data-dir", metavar="DIR", help="What `bongsu up` was started with.")
@runs_dir_option
@click.pass_context
def open_(ctx: click.Context, run: str, only_print: bool, data_dir: str | None) -> None:
    """Find the page, print where the run is on it, and open that where there is a browser."""
    from bongsu.cli import up_file
    from bongsu.cli.data_dir import default_directory
    from bongsu.records.run_finding import find

    found = find(run, directory(ctx))
    if found.exported:
        raise BadInput(
            Message(
                "{path}: the page shows runs, not files that they were exported to; `bongsu report export {path} page.html` "
                "makes a page of its own", path=found.path,
            )
        )  # fmt: skip
    runs, name = os.path.split(os.path.realpath(found.path))
    place = data_dir or default_directory(os.environ)
    pages = up_file.running(place) if place else []
    page = next((page for page in pages if os.path.realpath(page.runs_dir) == runs), None)
    if page is None:
        raise NotKnown(_nowhere(runs, pages))
    url = address(page.url, name)
    click.echo(url)
    if not only_print and _has_browser():
        import webbrowser

        webbrowser.open(url)


def address(page: str, run: str) -> str:
    """Where a run is on a page whose own address may hold a token."""
    from urllib.parse import quote

    return f"{page}{'&' if '?' in page else '?'}run={quote(run)}#runs"


def _has_browser() -> bool:
    """Whether opening one would open a window, not take over the terminal."""
    return any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER"))


def _nowhere(runs: str, pages: list[Noted]) -> Message:
    if not pages:
        return Message(
            "no live page of this user runs here; start one with `bongsu up` (with --data-dir, name it here too), or make a "
            "page of this run alone: `bongsu report export latest run.html`"
        )
    return Message(
        "the page that runs here shows runs of {shown}, and this one is in {runs}; start another one: "
        "`bongsu up --port 0 --runs-dir {runs}`", shown=pages[0].runs_dir, runs=runs,
    )  # fmt: skip
