"""`bongsu check`: lists of questions about a machine, each judged from its readings, with an exit code."""

from __future__ import annotations

import difflib
import time
from typing import TYPE_CHECKING

import click

from bongsu.cli.families import Entry, Families
from bongsu.cli.options import config_option, demo_option, loaded, setting
from bongsu.model.errors import BadInput
from bongsu.model.message import Message

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from bongsu.checks.gpu_readings import GpuReadings
    from bongsu.cli.settings_file import Loaded
    from bongsu.model.batch import Batch
    from bongsu.model.check import Result
    from bongsu.sources.nvml.reader import Reader
    from bongsu.sources.nvml.reading import Snapshot

_WINDOW_SECONDS = 1.0  # between the two looks that a share of time is made of
_PATIENCE_SECONDS = 30.0  # a driver that nothing keeps loaded wakes eight GPUs first, and who asks once can wait

HELP = """Check this machine: a list of questions, each answered ok, warning, failed or not known, and an exit code.

\b
Examples:
  bongsu check node             the health of its GPUs
  bongsu check node --gpus 8    there should be 8: fewer is a failure
"""
check = Families(
    {"node": Entry("bongsu.cli.check:node", "Lists", "The GPUs: there, answering, memory, heat, errors, stuck.")},
    name="check",
    help=HELP,
    subcommand_metavar="COMMAND [OPTIONS]",
    no_args_is_help=True,
)

NODE = """Check the health of this machine's NVIDIA GPUs.

Two looks a second apart are judged: whether the driver answers and each GPU is there, whether the driver asks for a
reset or tells of errors (XIDs), uncorrected memory errors, memory that waits to be replaced, temperatures against the
device's own limits, clocks held down by heat or power supply, and kernels that run without doing anything. What a GPU
or driver does not tell is "not known", with the reason: never ok. A driver that is silent is waited for half a minute.

\b
Examples:
  bongsu check node
  bongsu check node --gpus 8                there should be 8: fewer is a failure
  bongsu check node --only ecc --only remap
  bongsu check node --strict                warnings count too, as a clock that heat lowers
  bongsu check node --json | jq '.results[] | select(.state == "failed")'
  bongsu check node >gpus.txt || mail -s "$(hostname): look at its GPUs" root <gpus.txt

\b
Exit code:
  0  no check failed; with --strict none warns either. What is not known does not count, and stands in the list
  1  a check failed, or warns with --strict
  2  bad input
  3  nothing could be judged
"""


@click.command(help=NODE)
@config_option
@setting("paths.procfs", "--procfs", metavar="DIR", help="Read this /proc.")
@setting("paths.sysfs", "--sysfs", metavar="DIR", help="Read this /sys.")
@setting("paths.rootfs", "--rootfs", metavar="DIR", help="The root of that machine.")
@setting("log_level", "--log-level", metavar="LEVEL", hidden=True)
@setting(
    "collectors.gpu.count", "--gpus", "--collector.gpu.count", metavar="N",
    help="How many GPUs there should be; also from the settings (collectors.gpu.count).",
)  # fmt: skip
@click.option("--only", metavar="NAME", multiple=True, help="Only this check; may be given again.")
@click.option("--strict", is_flag=True, help="Exit 1 for a warning too.")
@demo_option
@click.option("--json", "as_json", is_flag=True, help="One JSON object, with the readings that each answer rests on.")
@click.pass_context
def node(ctx: click.Context, only: tuple[str, ...], strict: bool, as_json: bool) -> int:
    """Look twice, judge, show."""
    from bongsu.checks.node import NODE as CHECKS
    from bongsu.cli.main import FINE, NOT_KNOWN, PROBLEMS
    from bongsu.model.check import State

    wanted = _known(only, [one.name for one in CHECKS])
    settings = loaded(ctx)
    readings = _look(settings)
    results: list[Result] = [one for each in CHECKS if each.name in wanted for one in each.judge(readings)]
    states = {result.state for result in results}
    wrong = {State.FAILED, State.WARNING} if strict else {State.FAILED}
    code = PROBLEMS if states & wrong else FINE if states & {State.OK, State.WARNING} else NOT_KNOWN
    _show(results, code, as_json=as_json, demo=readings.now.demo)
    return code


def _look(settings: Loaded) -> GpuReadings:
    from bongsu.checks.gpu_readings import GpuReadings
    from bongsu.cli import wire
    from bongsu.collectors.gpu_values import EXPECTED
    from bongsu.sources.nvml.reader import reader_of

    machine = wire.machine(settings)
    # The collector knows what of GPUs a machine without a driver has, and how many there should be.
    gatherer = wire.gatherer(settings, wire.collectors(settings, machine, only=("gpu",), even_off=True), slower=False)
    reader = reader_of(machine)
    until = time.monotonic() + _PATIENCE_SECONDS
    before = _answer(reader, until)
    time.sleep(_WINDOW_SECONDS)
    batch = gatherer.gather()
    now = _answer(reader, until)  # the look that the collector just had
    expected = next((int(sample.value) for sample in batch.samples if sample.spec is EXPECTED), 0)
    reader.close()
    return GpuReadings(before=before, now=now, expected=expected, nothing=_nothing(batch))


def _answer(reader: Reader, until: float) -> Snapshot:
    """A look of now; at ``until`` (monotonic s) what there is, which says how old it is."""
    from bongsu.sources.nvml.answers import NO_ANSWER, OURS

    while True:
        look = reader.read()
        silent = look.stale_seconds > 0 or (look.error is not None and look.error.error == OURS[NO_ANSWER])
        if not silent or time.monotonic() >= until:
            return look
        time.sleep(0.5)


def _nothing(batch: Batch) -> tuple[Message, Message | None] | None:
    return next(
        ((part.no_data, part.cure) for part in batch.outcomes if part.collector == "gpu" and part.no_data is not None),
        None,
    )


def _show(results: Sequence[Result], code: int, *, as_json: bool, demo: bool) -> None:
    from bongsu.views.checks import checks_json, draw_checks
    from bongsu.views.terminal import Terminal

    if as_json:
        click.echo(checks_json(results, code, demo=demo))
    else:
        draw_checks(results, Terminal(), demo=demo)


def _known(only: Iterable[str], names: Sequence[str]) -> frozenset[str]:
    for name in only:
        if name not in names:
            near = difflib.get_close_matches(name, names, n=1)
            raise BadInput(
                Message("--only {name}: there is no such check; {advice}", name=name,
                        advice=f"did you mean {near[0]}?" if near else f"there are: {', '.join(names)}")
            )  # fmt: skip
    return frozenset(only or names)
