"""`bongsu run`: record a program and all its children."""

from __future__ import annotations

import os
import socket
import sys
import time

import click
import msgspec

from bongsu import __version__
from bongsu.cli.data_dir import default_directory
from bongsu.model.run import Metadata
from bongsu.runs.monitor import become
from bongsu.runs.plan import Plan
from bongsu.sources.redact import masked

SYNOPSIS = "[OPTIONS] -- COMMAND [ARGUMENT...]"


@click.command(
    "run", context_settings={"ignore_unknown_options": False, "allow_interspersed_args": False}, options_metavar=""
)
@click.option("--interval", type=float, default=1.0, show_default=True, help="Seconds between two readings.")
@click.option("--runs-dir", default=None, metavar="DIR", help="Where runs are kept.  [default: in the state directory]")
@click.option("--quiet", is_flag=True, help="No summary at the end.")
@click.argument("command", nargs=-1, type=click.UNPROCESSED, required=True)
def run(interval: float, runs_dir: str | None, quiet: bool, command: tuple[str, ...]) -> None:
    """Record what COMMAND and all its children cost, and what their functions do.

    COMMAND runs as if it had been started alone: same terminal, same exit code. `bongsu report` shows what was recorded.
    """
    base = runs_dir or os.environ.get("BONGSU_RUNS_DIR") or os.path.join(default_directory(os.environ) or ".", "runs")
    now = time.time()
    name = os.path.basename(command[0]) or "run"
    run_id = f"{time.strftime('%Y%m%d-%H%M%S', time.gmtime(now))}-{name}-{os.urandom(2).hex()}"
    folder = os.path.join(os.path.abspath(base), run_id)
    os.makedirs(folder, mode=0o700)
    known = Metadata(
        id=run_id, command=tuple(masked(list(command))), directory=os.getcwd(), host=socket.gethostname(),
        user=str(os.getuid()), started=now, zone=time.strftime("%z"), interval_seconds=interval, version=__version__,
        name=name,
    )  # fmt: skip
    with open(os.path.join(folder, "run.json"), "wb") as file:
        file.write(msgspec.json.encode(known))
    boottime = time.clock_gettime(time.CLOCK_BOOTTIME) - (time.time() - now)
    become(
        Plan(
            folder=folder, run=run_id, argv=command, interval_seconds=interval, started=now, started_boottime=boottime,
            environment={"BONGSU_RUN_DIR": folder}, quiet=quiet, path=tuple(sys.path),
        )
    )  # fmt: skip
