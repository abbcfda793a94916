"""`bongsu status` and `bongsu top`: this machine in the terminal."""

from __future__ import annotations

import math
import sys
import time
from typing import TYPE_CHECKING

import click

from bongsu.cli.options import ObservingCommand, loaded, machine_options

if TYPE_CHECKING:
    from bongsu.model.summary import Summary
    from bongsu.pipeline import Gatherer
    from bongsu.views.rates import Rates

WINDOW = 1.0  # seconds between the two readings that rates are made of

STATUS = """Show this machine on one page: load, memory, disks, network, temperatures, the largest processes.

Rates are measured over one second. With --json the keys are stable; a value that is not known is null.

\b
Examples:
  bongsu status                    once
  bongsu status --watch 5          again every 5 seconds, until Ctrl-C
  bongsu status --json | jq .problems
  bongsu status >/dev/null || mail -s "$(hostname) needs a look" root </dev/null

\b
Exit code 1 when something is wrong:
  a file system that can be written is 95 % full (room or inodes), or one no longer answers
  less than 5 % of memory is available
  everything waited for disks or memory during a fifth of the time
  a sensor is at its critical limit
  something could not be read
"""


@click.command(cls=ObservingCommand, help=STATUS)
@machine_options
@click.option("--watch", metavar="SECONDS", help="Show it again every so many seconds, until Ctrl-C.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object (with --watch: one a line).")
@click.pass_context
def status(ctx: click.Context, watch: str | None, as_json: bool) -> int:
    """Read twice, a second apart, and show what that says."""
    from bongsu.cli import wire  # noqa: PLC0415  loads all collectors
    from bongsu.views.rates import Rates  # noqa: PLC0415  same
    from bongsu.views.summary import COLLECTORS  # noqa: PLC0415  same

    again = _seconds(watch)
    settings = loaded(ctx)
    gatherer = wire.gatherer(settings, wire.collectors(settings, wire.machine(settings), only=COLLECTORS), slower=False)
    rates = Rates()
    before = gatherer.gather()
    rates.take(before)
    due = before.monotonic + WINDOW
    since = before.monotonic
    while True:
        time.sleep(max(0.0, due - time.monotonic()))
        machine, since = _read(gatherer, rates, since)
        _show(machine, as_json=as_json, again=again is not None)
        if again is None:
            return 1 if machine.problems else 0
        due += again * max(1, math.ceil((time.monotonic() - due) / again))


@click.command(cls=ObservingCommand)
@machine_options
@click.option("--interval", metavar="SECONDS", default="2", help="How often to read.  [default: 2]")
@click.pass_context
def top(ctx: click.Context, interval: str) -> int:
    """Show processes live: sort, filter, tree, disk use of each, signals (after a question). `h` lists the keys.

    When the output is no terminal, one page is printed.
    """
    from bongsu.cli import wire  # noqa: PLC0415  loads all collectors

    del wire, interval, ctx
    raise click.ClickException("top is not wired yet")


def _read(gatherer: Gatherer, rates: Rates, since: float) -> tuple[Summary, float]:
    from bongsu.views.summary import summary  # noqa: PLC0415  loaded already

    batch = gatherer.gather()
    rates.take(batch)
    return summary(batch, rates, batch.monotonic - since), batch.monotonic


def _show(machine: Summary, *, as_json: bool, again: bool) -> None:
    if as_json:
        import msgspec  # noqa: PLC0415  loaded already

        click.echo(msgspec.json.encode(machine).decode())
    else:
        from rich.console import Console  # noqa: PLC0415  loaded only to draw

        from bongsu.views.status import draw  # noqa: PLC0415  same

        console = Console(highlight=False, markup=False, emoji=False)
        if again and console.is_terminal:
            console.clear()
        draw(machine, console)
        if again and not console.is_terminal:
            console.print()
    sys.stdout.flush()


def _seconds(text: str | None) -> float | None:
    if text is None:
        return None
    try:
        seconds = float(text.removesuffix("s"))
    except ValueError:
        seconds = math.nan
    if not 0.1 <= seconds <= 86400:
        raise click.UsageError(f"--watch {text} is not allowed; give seconds from 0.1 to 86400")
    return seconds
