"""`bongsu collect`: read everything once and write it for Prometheus, for a program or for eyes."""

from __future__ import annotations

import sys

import click

from bongsu.cli.options import ObservingCommand, demo_option, loaded, machine_options

HELP = """Read every collector once and print what it gave.

\b
Examples:
  bongsu collect --once                                  the text that Prometheus reads
  bongsu collect --once --format json | jq .collectors   for programs
  bongsu collect --once --format table cpu meminfo       two collectors, for eyes
  bongsu collect --once --textfile /var/lib/node_exporter/bongsu.prom

Exit code 3 if a collector failed (the others are printed all the same).
"""


def _complete(_ctx: click.Context, _parameter: click.Parameter, incomplete: str) -> list[str]:
    from bongsu.cli.wire import classes

    return [cls.name for cls in classes() if cls.name.startswith(incomplete)]


@click.command(cls=ObservingCommand, help=HELP)
@machine_options
@demo_option
@click.argument("names", nargs=-1, metavar="[COLLECTOR]...", shell_complete=_complete)
@click.option("--once", is_flag=True, help="Collect once; what this command does anyway.")
@click.option(
    "--format", "form", type=click.Choice(["prometheus", "json", "table"]), metavar="FORMAT",
    help="prometheus, json or table.  [default: prometheus]",
)  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="The same as --format json.")
@click.option("--textfile", metavar="PATH", help="Write to this file in one step instead of printing (prometheus).")
@click.pass_context
def collect(
    ctx: click.Context, names: tuple[str, ...], once: bool, form: str | None, as_json: bool, textfile: str | None
) -> int:
    """Gather one batch and write it in the form asked for."""
    del once  # the only way for now; it is in the fixed set of commands
    from bongsu.cli import wire

    if as_json and form not in {None, "json"}:
        raise click.UsageError(f"--json and --format {form} contradict each other; give one of them", ctx)
    if textfile is not None and (as_json or form not in {None, "prometheus"}):
        given = "--json" if form is None else f"--format {form}"
        raise click.UsageError(f"{given} and --textfile contradict each other; a textfile is in prometheus form", ctx)
    form = form or ("json" if as_json else "prometheus")
    settings = loaded(ctx)
    wanted = wire.collectors(settings, wire.machine(settings, once=True), only=wire.known(names))
    gatherer = wire.gatherer(settings, wanted)
    batch = gatherer.gather()
    gatherer.close()
    if textfile is not None:
        from bongsu.sinks.textfile import TextfileSink

        TextfileSink(textfile).write(batch)
    elif form == "prometheus":
        from bongsu.sinks.exposition import Exposition

        _write(Exposition().text(batch, openmetrics=False))
    elif form == "json":
        from bongsu.views.tables import batch_json

        click.echo(batch_json(batch))
    else:
        from bongsu.views.tables import print_batch

        print_batch(batch)
    failed = [outcome for outcome in batch.outcomes if outcome.error is not None]
    if form == "prometheus":  # the other forms tell it themselves
        from bongsu.views.printable import printable

        for outcome in failed:
            click.echo(f"bongsu: {outcome.collector}: {printable(str(outcome.error))}", err=True)
    return 3 if failed else 0


def _write(text: bytes) -> None:
    """Exactly as it is into a file or pipe; without what could steer it, on a terminal."""
    if not sys.stdout.isatty():
        click.echo(text, nl=False)
        return
    from bongsu.views.printable import printable

    for line in text.decode().removesuffix("\n").split("\n"):
        click.echo(printable(line))
