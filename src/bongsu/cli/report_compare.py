"""`bongsu report compare`: which of two or more groups of runs costs less, and whether that can be told from noise."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Mapping, Sequence
from typing import IO, TYPE_CHECKING

import click

from bongsu.cli.report_runs import complete, directory, report_of, runs_dir_option
from bongsu.model.errors import BadInput, BongsuError, NotKnown
from bongsu.model.message import Message
from bongsu.views.printable import printable

if TYPE_CHECKING:
    from bongsu.model.comparison import Comparison
    from bongsu.runs.compare import Measured

HELP = """Compare runs: ratio of medians, its 95 % interval, and whether the difference can be told from noise.

Each GROUP is one or more runs with commas between: an id or the beginning of one, latest, latest~1, the path of a
run's folder or of an exported report, or tag:NAME for all runs of that tag. The first group is what the others are
set against.

\b
Examples:
  bongsu report compare latest~1 latest           two runs: described, one run shows no noise
  bongsu report compare tag:before tag:after      all runs of each tag
  bongsu report compare --by tag 5 10 20          several groups, the first is the baseline
  bongsu report compare A1,A2,A3,A4 B1,B2,B3,B4 --metric cpu
  bongsu report compare tag:main tag:branch --fail-if 'slower>5%'

\b
Metrics: wall, cpu, pss and rss (peaks), largest (process), read, write (storage), processes (started), waits,
preemptions (context switches), function:NAME. The one of --metric is judged by itself, the others together.

\b
Exit codes: 0 compared; 1 a limit of --fail-if is passed; 2 these cannot be compared; 3 a run cannot be read, or so
few runs leave a limit open.
"""
_TAG = "tag:"
_REPEATED = re.compile(r"^\d{8}-\d{6}-[0-9a-f]{4}-(?=[A-Z]$)")  # before the side, in the tags that `--repeat` gives


@click.command("compare", help=HELP)
@click.argument("groups", metavar="GROUP...", nargs=-1, required=True, shell_complete=complete)
@click.option("--metric", metavar="NAME", default="wall", show_default=True, help="What is to be compared first.")
@click.option("--by", type=click.Choice(["tag"]), help="Each GROUP is a tag, as with tag: before it.")
@click.option("--baseline", metavar="GROUP", help="The group that the others are set against.  [default: the first]")
@click.option(
    "--fail-if", "limits", metavar="LIMIT", multiple=True,
    help="Exit with 1 where that is shown: 'slower>5%', 'cpu>10%'; can be given several times.",
)  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@runs_dir_option
@click.pass_context
def compare(
    ctx: click.Context, groups: tuple[str, ...], metric: str, by: str | None, baseline: str | None,
    limits: tuple[str, ...], as_json: bool,
) -> int:  # fmt: skip
    """Find the runs, compare them, show it."""
    from bongsu.runs import compare as comparing
    from bongsu.runs.regression import judge, limit

    wanted = comparing.metric_of(metric)
    kept = [limit(text) for text in limits]
    words = [word if by is None or word.startswith(_TAG) else _TAG + word for word in groups]
    comparison = comparing.compare(_from_baseline(_named(ctx, words), baseline), wanted)
    show(comparison, as_json=as_json)
    judged = judge(comparison, kept)
    for line in (*judged.failed, *judged.untold):
        click.echo(f"bongsu: {printable(line)}", err=True)
    return 1 if judged.failed else NotKnown.exit_code if judged.untold else 0


def show(comparison: Comparison, *, as_json: bool = False, file: IO[str] | None = None) -> None:
    """Print it: on stdout, or where else it is to go."""
    if as_json:
        from bongsu.views.comparison_json import document
        from bongsu.views.json_text import json_text

        click.echo(json_text(document(comparison)), file=file)
        return
    from bongsu.views.comparison import draw
    from bongsu.views.terminal import Terminal

    draw(comparison, Terminal(file=file))


def _named(ctx: click.Context, words: Sequence[str]) -> dict[str, list[Measured]]:
    """The runs of each group. A tag is its own label, other groups are A, B, C, ...

    Raises:
        BadInput: there is no such run.
        NotKnown: one cannot be read.
    """
    from bongsu.runs.compare import measured

    found: dict[str, list[Measured]] = {}
    for label, word in zip(_labels(words), words, strict=True):
        if label in found:
            raise BadInput(Message("the group {label} is given twice", label=label))
        if _is_tag(word):
            references = _tagged(word.removeprefix(_TAG), directory(ctx))
        else:
            references = [word] if os.path.exists(word) else word.split(",")
        found[label] = [measured(report_of(ctx, reference)) for reference in references]
    return found


def _labels(words: Sequence[str]) -> list[str]:
    """What to call the groups: a tag is its own name, those of one `--repeat` have short ones, others are A, B, C, ..."""
    labels = [word.removeprefix(_TAG) if _is_tag(word) else _letters(number) for number, word in enumerate(words)]
    short = [_REPEATED.sub("", label) for label in labels]
    return short if len(set(short)) == len(short) else labels


def _is_tag(word: str) -> bool:
    return word.startswith(_TAG) and "," not in word


def _tagged(tag: str, where: str) -> list[str]:
    """The ids of all runs of a tag. Raises BadInput where there are none."""
    from bongsu.records.run_finding import ids
    from bongsu.records.run_folder import read_metadata

    found = []
    for name in ids(where):
        with contextlib.suppress(BongsuError, OSError):  # one that cannot be read has no tags for us
            known = read_metadata(os.path.join(where, name))
            if known is not None and tag in known.tags:
                found.append(name)
    if not found:
        raise BadInput(
            Message("tag:{tag}: no run in {where} has this tag; `bongsu run --tag NAME -- COMMAND` gives one",
                    where=where, tag=tag)
        )  # fmt: skip
    return found


def _from_baseline(found: Mapping[str, list[Measured]], baseline: str | None) -> dict[str, list[Measured]]:
    label = next(iter(found)) if baseline is None else baseline.removeprefix(_TAG)
    if label not in found:
        raise BadInput(
            Message("--baseline {label}: there is no such group; there are {all}", label=label, all=", ".join(found))
        )
    return {label: found[label], **found}


def _letters(number: int) -> str:
    return chr(ord("A") + number) if number < 26 else f"group {number + 1}"
