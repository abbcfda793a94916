"""`bongsu completion`: what a shell needs to complete commands, options, collectors and metrics."""

from __future__ import annotations

import click

HELP = """Print the lines that teach a shell to complete bongsu: commands, options, collectors, metrics.

SHELL is bash, zsh or fish.

\b
Examples:
  eval "$(bongsu completion bash)"                           for this session
  bongsu completion bash > ~/.local/share/bash-completion/completions/bongsu
  bongsu completion zsh > ~/.zfunc/_bongsu                   with ~/.zfunc in $fpath
  bongsu completion fish > ~/.config/fish/completions/bongsu.fish
"""


@click.command(help=HELP)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]), metavar="SHELL")
def completion(shell: str) -> None:
    """Print the script for a shell."""
    from click.shell_completion import get_completion_class

    from bongsu.cli.main import cli

    kind = get_completion_class(shell)
    assert kind is not None
    click.echo(kind(cli, {}, "bongsu", "_BONGSU_COMPLETE").source())
