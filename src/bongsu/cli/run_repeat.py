"""`bongsu run --repeat`: records commands many times in turn, and compares what they took."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from bongsu.model.errors import BadInput
from bongsu.model.message import Message
from bongsu.views.printable import printable

if TYPE_CHECKING:
    from bongsu.runs.compare import Measured
    from bongsu.runs.repeat import Turn


def repeat(
    command: Sequence[str], against: Sequence[str], *, repeats: int, directory: str, options: Sequence[str] = (),
    warmup: int = 0, seed: int | None = None, ignore_failure: bool = False, quiet: bool = False,
) -> int:  # fmt: skip
    """Record each command so often, in turn; print the comparison on stderr, since stdout belongs to the commands.

    Args:
        command: what the others are a baseline for, as argv.
        against: other commands as a shell would read them (``--vs``); the first is the baseline.
        repeats: recorded runs of each.
        directory: where runs are kept.
        options: further options of ``bongsu run`` for each of them.
        warmup: runs of each before those, which are recorded but not compared.
        seed: shuffle each round by it.
        ignore_failure: go on when a command fails, and compare those runs too.
        quiet: print nothing.

    Returns:
        0, or the exit code of the command that failed; 128 + the number of the signal that ended it early.

    Raises:
        BadInput: a command of ``against`` cannot be taken apart.
    """
    from bongsu.runs import repeat as repeating

    sides = [*(repeating.words(one) for one in against), list(command)]
    turns = repeating.order(len(sides), repeats, warmup, seed)
    experiment = repeating.experiment(time.time())
    labels = [chr(ord("A") + number) for number in range(len(sides))]

    def argv(turn: Turn) -> list[str]:
        tag = _tag(experiment, labels[turn.side], turn)
        recorder = [sys.executable, "-P", "-m", "bongsu", "run", "--quiet", "--runs-dir", directory]
        return [*recorder, *options, "--experiment", experiment, "--tag", tag, "--", *sides[turn.side]]

    def tell(number: int, turn: Turn) -> None:
        if not quiet:
            what = f"warming up {labels[turn.side]}" if turn.warmup else labels[turn.side]
            click.echo(f"bongsu: run {number + 1} of {len(turns)}: {what}", err=True)

    ended = repeating.run_all(turns, argv, tell, ignore_failure=ignore_failure)
    if ended.code and not ended.interrupted and not quiet:
        click.echo(
            f"bongsu: run {len(ended.done) + 1} ended with exit code {ended.code}, so there are no more; "
            "--ignore-failure goes on",
            err=True,
        )
    if not quiet:
        _conclude(_recorded(directory, experiment, ended.done, labels), experiment)
    return ended.code


def _tag(experiment: str, label: str, turn: Turn) -> str:
    return f"{experiment}-{'warmup' if turn.warmup else label}"


def _recorded(
    directory: str, experiment: str, done: Sequence[Turn], labels: Sequence[str]
) -> dict[str, list[Measured]]:
    """The runs of each side that were completed, by label."""
    import contextlib
    import os

    from bongsu.model.errors import BongsuError
    from bongsu.records.run_finding import ids
    from bongsu.records.run_folder import read_metadata
    from bongsu.runs.compare import measured
    from bongsu.runs.reporting import read_run

    counts = {label: sum(not turn.warmup and labels[turn.side] == label for turn in done) for label in labels}
    found: dict[str, list[Measured]] = {label: [] for label in labels}
    for name in reversed(ids(directory)):  # the oldest first: what was not completed is the last of its side
        folder = os.path.join(directory, name)
        with contextlib.suppress(BongsuError, OSError):
            known = read_metadata(folder)
            if known is not None and known.experiment == experiment:
                for label in labels:
                    if f"{experiment}-{label}" in known.tags and len(found[label]) < counts[label]:
                        found[label].append(measured(read_run(folder)))
    return {label: runs for label, runs in found.items() if runs}


def _conclude(groups: dict[str, list[Measured]], experiment: str) -> None:
    """Draw the comparison, and say how to see it again."""
    from bongsu.cli.report_compare import show
    from bongsu.runs.compare import compare

    if not groups:
        return
    try:
        comparison = compare(groups)
    except BadInput as error:
        click.echo(f"bongsu: {printable(error)}", err=True)
        return
    click.echo(err=True)
    show(comparison, file=sys.stderr)
    tags = " ".join(f"tag:{experiment}-{label}" for label in groups)
    click.echo(str(Message("again: bongsu report compare {tags}", tags=tags)), err=True)
