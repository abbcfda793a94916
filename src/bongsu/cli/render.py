"""`bongsu render`: files for other systems."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile

import click

from bongsu.cli.families import Entry, Families

SYSTEMD = """Write a unit that runs `bongsu agent` as a service with as few rights as its readings allow.

The exposure that `systemd-analyze security` gives it is below 2.0. Each of --process-io, --root-files, --gpu and
a port below 1024 raises it, to 2.8 where all are given and others may connect. What each restriction costs
in readings stands in the unit as a comment.

\b
Examples:
  bongsu render systemd                              print it
  bongsu render systemd -c /etc/bongsu.yaml --output /etc/systemd/system
  bongsu render systemd --user monitor --process-io  an existing user; per-process disk use of all users
"""


@click.command(help=SYSTEMD)
@click.option("-c", "--config", metavar="FILE", envvar="BONGSU_CONFIG", help="The settings that the service will use.")
@click.option("--output", metavar="DIR", help="Write DIR/bongsu.service instead of printing.")
@click.option("--user", metavar="USER", help="Run as this existing user; without it systemd makes one (DynamicUser).")
@click.option("--program", metavar="PATH", help="The bongsu to run.  [default: the one that you just called]")
@click.option("--process-io", is_flag=True, help="Allow reading what other users' processes read and write.")
@click.option("--root-files", is_flag=True, help="Allow reading what only root may: energy counters, serial numbers.")
@click.option("--gpu", is_flag=True, help="Allow reading GPUs of NVIDIA, by the devices of their driver.")
def systemd(
    config: str | None, output: str | None, user: str | None, program: str | None, process_io: bool, root_files: bool,
    gpu: bool,
) -> None:  # fmt: skip
    """Render the unit from the settings."""
    from bongsu.cli.serve import is_loopback
    from bongsu.cli.settings_file import load
    from bongsu.model.errors import BadInput
    from bongsu.model.message import Message
    from bongsu.render.systemd import NAME, unit

    settings = load(config, {}, ()).settings
    command = [program] if program else _self()
    command += ["agent"] if config is None else ["agent", "-c", os.path.abspath(config)]
    sinks = settings.sinks
    paths = [sinks.textfile, None if sinks.jsonl is None else sinks.jsonl.path]
    writable = sorted({os.path.dirname(os.path.abspath(path)) for path in paths if path is not None})
    if settings.data_dir is not None:
        writable.append(os.path.abspath(settings.data_dir))
    text = unit(
        command, user=user, loopback=is_loopback(settings.host), port=settings.port, writable=writable,
        process_io=process_io, root_files=root_files, gpu=gpu,
    )  # fmt: skip
    if command[0].startswith(("/home/", f"{os.path.expanduser('~root')}/")):
        click.echo(
            f"bongsu: {command[0]} lies in a home directory, where a service of another user may not be able to run "
            "it; install bongsu in /opt, say, and give --program",
            err=True,
        )
    if output is None:
        click.echo(text, nl=False)
        return
    path = os.path.join(output, NAME)
    try:
        _replace(path, text)
    except OSError as error:
        reason = (error.strerror or "").lower()
        raise BadInput(
            Message("--output {path}: {reason}; give a directory that you may write to", path=output, reason=reason)
        ) from None
    click.echo(f"{path} written. Now: systemctl daemon-reload && systemctl enable --now {NAME}")


HELM = """Write a Helm chart that reads the GPU nodes of a Kubernetes cluster.

It goes to DIR/bongsu, as a whole. What an earlier call wrote there is replaced; what you changed in it only with
--force. Keep your values in a file of your own.

\b
Examples:
  bongsu render helm --output .          then: helm install bongsu ./bongsu --namespace monitoring
  bongsu render helm --output . --diff   what that would change, and nothing is written
"""


@click.command(help=HELM)
@click.option("--output", metavar="DIR", required=True, help="Write DIR/bongsu.")
@click.option("--force", is_flag=True, help="Also over files that were changed since, or that are not ours.")
@click.option("--diff", "only_show", is_flag=True, help="Show what would change, and write nothing.")
def helm(output: str, force: bool, only_show: bool) -> None:
    """Write the chart, or show how it differs."""
    from bongsu.render.helm import difference, write

    if only_show:
        from bongsu.views.printable import printable

        for line in difference(output):
            click.echo(printable(line))
        return
    place = write(output, force=force)
    shown = place if place.startswith(("/", ".")) else f"./{place}"
    click.echo(f"{place} written. Now: helm install bongsu {shown} --namespace monitoring --set image.repository=…")


def _replace(path: str, text: str) -> None:
    """Put the file there in one step; a file or link that someone left in the way is not written through."""
    fd, unfinished = tempfile.mkstemp(prefix=f".{os.path.basename(path)}.", dir=os.path.dirname(path) or ".")
    try:
        with os.fdopen(fd, "w", encoding="utf-8") as file:
            file.write(text)
            os.fchmod(fd, 0o644)
        os.replace(unfinished, path)
    except OSError:
        os.unlink(unfinished)
        raise


def _self() -> list[str]:
    """How this program was called, with full paths."""
    program = sys.argv[0]
    if os.path.basename(program) == "bongsu":
        found = shutil.which(program)
        if found:
            return [os.path.abspath(found)]
    return [sys.executable, "-m", "bongsu"]


render = Families(
    {
        "helm": Entry("bongsu.cli.render:helm", "Files", "A chart for Kubernetes."),
        "systemd": Entry("bongsu.cli.render:systemd", "Files", "A hardened unit for the agent."),
    },
    name="render",
    help="Write files for other systems.",
    subcommand_metavar="COMMAND [OPTIONS]",
    no_args_is_help=True,
)
