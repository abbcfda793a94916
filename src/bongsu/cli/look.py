"""`bongsu status` and `bongsu top`: this machine in the terminal."""

from __future__ import annotations

import math
import os
import sys
import time
from typing import TYPE_CHECKING

import click

from bongsu.cli.options import ObservingCommand, demo_option, loaded, machine_options

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bongsu.model.batch import Batch
    from bongsu.model.contract import Collector
    from bongsu.model.summary import Summary
    from bongsu.pipeline import Gatherer
    from bongsu.views.rates import Rates

TOP_COLLECTORS = (
    "uname", "stat", "cpu", "loadavg", "meminfo", "pressure", "netdev", "diskstats", "process", "gpu", "gpu_process",
)  # fmt: skip
_WINDOW_SECONDS = 1.0  # between the two readings that rates are made of

STATUS = """Show this machine on one page: load, memory, disks, network, temperatures, the largest processes, who uses it.

Rates are measured over one second. With --json the keys are stable; a value that is not known is null. Owners (Slurm
jobs, pods, containers, units, users) are ordered by their share of CPU and memory; of their memory the page cache that
is given up first is left out. One that holds 90 % of what it may, or is stopped by its CPU limit, is named in words.

\b
Examples:
  bongsu status                    once
  bongsu status --watch 5          again every 5 seconds, until Ctrl-C
  bongsu status --json | jq .problems
  bongsu status --json | jq '.owners[] | [.kind, .id, .cores]'
  bongsu status >/dev/null || mail -s "$(hostname) needs a look" root </dev/null

\b
Exit code 1 when something is wrong:
  a file system that can be written is 95 % full (room or inodes), or one no longer answers
  less than 5 % of memory is available
  everything waited for disks or memory during a fifth of the time
  a sensor is at its critical limit
  something could not be read, or a collector of another package cannot be used
"""


@click.command(cls=ObservingCommand, help=STATUS)
@machine_options
@demo_option
@click.option("--watch", metavar="SECONDS", help="Show it again every so many seconds, until Ctrl-C.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object (with --watch: one a line).")
@click.pass_context
def status(ctx: click.Context, watch: str | None, as_json: bool) -> int:
    """Read twice, a second apart, and show what that says."""
    from bongsu.cli import wire
    from bongsu.views.rates import Rates
    from bongsu.views.summary import COLLECTORS

    again = None if watch is None else _seconds("--watch", watch)
    settings = loaded(ctx)
    only = (*COLLECTORS, *wire.brought())
    gatherer = wire.gatherer(settings, wire.collectors(settings, wire.machine(settings), only=only), slower=False)
    rates = Rates()
    before = gatherer.gather()
    rates.take(before)
    due = before.monotonic + _WINDOW_SECONDS
    since = before.monotonic
    while True:
        time.sleep(max(0.0, due - time.monotonic()))
        machine, since = _read(gatherer, rates, since)
        _show(machine, as_json=as_json, again=again is not None)
        if again is None:
            return 1 if machine.problems else 0
        due += again * max(1, math.ceil((time.monotonic() - due) / again))


TOP = """Show processes live, what they use and who they belong to.

Keys: `c` `m` `i` sort by CPU, memory, disk use; `o` shows owners (Slurm jobs, pods, containers, units, users) against
their limits and Enter the processes of one; `G` shows the processes on GPUs; `/` filters, also by job, pod, namespace,
container, unit and user; `M` shows only yours; `V` only the GPUs that CUDA_VISIBLE_DEVICES names; `T` draws the tree,
`k` sends a signal after asking, `?` lists all keys, `q` leaves. With --once, and when the output is no terminal, one
plain page is printed; into a file or a pipe --interval prints one after another.

\b
Examples:
  bongsu top
  bongsu top --sort memory --filter python
  bongsu top --by owner                      who uses what, against which limit
  bongsu top --filter 'job 42'
  bongsu top --gpu                           who is on which GPU
  bongsu top --gpu --by owner                which job, pod, user holds how many, and uses what
  bongsu top --gpu --only-visible            on those of CUDA_VISIBLE_DEVICES
  bongsu top --json | jq '.processes[0]'
  bongsu top --json | jq '.gpu_processes[] | [.gpu, .user, .memory_bytes]'
  bongsu top --json | jq '.gpu_owners[] | {id: .owner.id, gpus, memory_bytes, power_watts}'
  bongsu top --json --mine | jq '.owners[] | {id, cores, memory_bytes, memory_limit_bytes}'
"""
GROUPS = ("owner", "user", "command", "none")
SORTS = ("cpu", "memory", "io", "threads", "pid", "user")


@click.command(cls=ObservingCommand, help=TOP)
@machine_options
@demo_option
@click.option("--interval", metavar="SECONDS", default="2", help="How often to read.  [default: 2]")
@click.option(
    "--sort", type=click.Choice(SORTS), default="cpu", metavar="KEY", help=f"{', '.join(SORTS)}.  [default: cpu]"
)
@click.option(
    "--by",
    type=click.Choice(GROUPS),
    default="none",
    metavar="WHAT",
    help=f"Group by {', '.join(GROUPS)}.  [default: none]",
)
@click.option(
    "--filter",
    "words",
    metavar="WORDS",
    default="",
    help="Only lines that hold all of these words, or whose owner does.",
)
@click.option("--gpu", "on_gpus", is_flag=True, help="The processes on GPUs.")
@click.option(
    "--only-visible", is_flag=True, help="Only the GPUs that CUDA_VISIBLE_DEVICES lets a program started here see."
)
@click.option("--mine", is_flag=True, help="Only your own processes.")
@click.option("--user", metavar="NAME", default="", help="Only the processes of this user (a name or a number).")
@click.option("--tree", is_flag=True, help="Children below their parents.")
@click.option("--arguments", is_flag=True, help="Read arguments too; what looks like a secret is masked.")
@click.option("--once", "-1", is_flag=True, help="Print one page and end.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object with processes and owners, and end.")
@click.pass_context
def top(
    ctx: click.Context, interval: str, sort: str, by: str, words: str, on_gpus: bool, only_visible: bool, mine: bool,
    user: str, tree: bool, arguments: bool, once: bool, as_json: bool,
) -> int:  # fmt: skip
    """Hand the terminal to the live view, or print once."""
    from bongsu.cli import wire
    from bongsu.cli.settings_file import Given

    if mine and user:
        raise click.UsageError("--mine and --user contradict each other: give one of them")
    seconds = _seconds("--interval", interval)
    extra = (Given(("collectors", "process", "arguments"), value=True, origin="--arguments"),) if arguments else ()
    settings = loaded(ctx, extra)
    collecting = wire.collectors(settings, wire.machine(settings), only=(*TOP_COLLECTORS, "owner"))
    gatherer = wire.gatherer(settings, owners_last(collecting), slower=False)
    without_owners = [one.name for one in collecting if one.name != "owner"]

    def gather(*, owners: bool) -> Batch:
        return gatherer.gather(only=None if owners else without_owners)

    from bongsu.views.gpu_visible import CudaEnvironment
    from bongsu.views.processes import Order
    from bongsu.views.ruled import Sort

    order = Order(Sort[sort.upper()], words=words, tree=tree, uid=os.getuid() if mine else None, user=user)
    given = CudaEnvironment.of(os.environ)
    if as_json:
        from bongsu.views.process_json import process_json

        before = gather(owners=True)
        time.sleep(_WINDOW_SECONDS)
        click.echo(process_json(before, gather(owners=True), order, given if only_visible else None))
        return 0
    from bongsu.views.groups import By
    from bongsu.views.top import run_top

    # Elsewhere's process numbers mean nothing here: no signal may be sent by them.
    return run_top(
        gather,
        interval=seconds,
        once=once,
        order=order,
        by=By(by),
        on_gpus=on_gpus,
        given=given,
        only_visible=only_visible,
        may_signal=settings.settings.paths.procfs == "/proc",
        repeat=ctx.get_parameter_source("interval") is click.core.ParameterSource.COMMANDLINE,
    )


def owners_last(collecting: Iterable[Collector]) -> list[Collector]:
    """The collectors in the order in which `top` asks them.

    Owners are read now and then, and share a look at the processes that is a second old at most. They come after
    the collector that looks each time, so that their look is as new as the time that stands on it.
    """
    return sorted(collecting, key=lambda one: one.name == "owner")


def _read(gatherer: Gatherer, rates: Rates, since: float) -> tuple[Summary, float]:
    from bongsu.views.summary import summary

    batch = gatherer.gather()
    rates.take(batch)
    return summary(batch, rates, batch.monotonic - since), batch.monotonic


def _show(machine: Summary, *, as_json: bool, again: bool) -> None:
    if as_json:
        from bongsu.views.json_text import json_text

        click.echo(json_text(machine))
    else:
        from bongsu.views.status import draw
        from bongsu.views.terminal import Terminal

        console = Terminal()
        if again and console.is_terminal:
            console.clear()
        draw(machine, console)
        if again and not console.is_terminal:
            console.print()
    sys.stdout.flush()


def _seconds(option: str, text: str) -> float:
    try:
        seconds = float(text.removesuffix("s"))
    except ValueError:
        seconds = math.nan
    if not 0.1 <= seconds <= 86400:
        raise click.UsageError(f"{option} {text} is not allowed; give seconds from 0.1 to 86400")
    return seconds
