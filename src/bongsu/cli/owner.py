"""`bongsu owner`: who a process belongs to, and how that is known."""

from __future__ import annotations

import os

import click

from bongsu.cli.options import config_option, loaded, setting
from bongsu.model.errors import BadInput, NotKnown
from bongsu.model.message import Message

HELP = """Say who a process belongs to: a Slurm job, a pod, a container, a unit, a user, and what tells so.

PID is the number of a process, or `self`. What is not known is said to be unknown, never guessed. As root, more is
known: the names of containers, and the jobs of processes that left their job's cgroup.

\b
Examples:
  bongsu owner 4711
  bongsu owner $(pgrep python)         several at once
  bongsu owner --json 4711 | jq -r .id one JSON object for each PID, on a line of its own

\b
Exit code 3 when there is no such process, or it may not be read.
"""
_PATIENCE_SECONDS = 2.0  # for a pod's names; whoever asks once cannot come back for them
_LONGEST = 10  # digits of the highest number that a process can have


def _complete(_ctx: click.Context, _parameter: click.Parameter, incomplete: str) -> list[str]:
    numbers = (name for name in os.listdir("/proc") if name.isdigit())
    return [word for word in ("self", *numbers) if word.startswith(incomplete)]


@click.command(help=HELP)
@config_option
@setting("paths.procfs", "--procfs", metavar="DIR", help="Read this /proc.")
@setting("paths.sysfs", "--sysfs", metavar="DIR", help="Read this /sys.")
@setting("paths.rootfs", "--rootfs", metavar="DIR", help="The root of that machine.")
@setting("log_level", "--log-level", metavar="LEVEL", hidden=True)
@click.argument("pids", metavar="PID...", nargs=-1, required=True, shell_complete=_complete)
@click.option("--json", "as_json", is_flag=True, help="One JSON object for each PID, on a line of its own.")
@click.pass_context
def owner(ctx: click.Context, pids: tuple[str, ...], as_json: bool) -> None:
    """Print the owner of each process; complain at the end about those that are not there."""
    from bongsu.cli import wire
    from bongsu.owners.resolver import resolver_of
    from bongsu.views.json_text import json_text
    from bongsu.views.owned import document, lines

    numbers = [_number(pid) for pid in pids]
    machine = wire.machine(loaded(ctx))
    resolver = resolver_of(machine)
    missing: list[Message] = []
    for number in numbers:
        try:
            seen = resolver.one(number, patience=_PATIENCE_SECONDS)
        except PermissionError:
            missing.append(Message("process {pid} may not be read; try again as root", pid=number))
            continue
        if seen is None:
            missing.append(Message("there is no process {pid}", pid=number))
        elif as_json:
            click.echo(json_text(document(seen.process, seen.placed.owner)))
        else:
            click.echo("\n".join(lines(seen.process, seen.placed.owner, resolver.ways_to_name_pods())))
    if len(missing) == 1:
        raise NotKnown(missing[0])
    if missing:
        raise NotKnown(Message("{all}", all="; ".join(map(str, missing))))


def _number(text: str) -> int:
    if text == "self":
        return os.getpid()
    if not (text.isascii() and text.isdigit()) or len(text) > _LONGEST or int(text) == 0:
        raise BadInput(
            Message("PID {text}: this is not the number of a process; give a whole number, as ps shows it", text=text)
        )
    return int(text)
