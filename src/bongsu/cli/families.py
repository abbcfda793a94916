"""A click group that knows its commands' names and summaries without importing them."""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Mapping
from typing import NamedTuple

import click


class Entry(NamedTuple):
    """One command: where it is defined (``module:object``), the heading it stands under, one line on it."""

    where: str
    section: str
    summary: str


class Families(click.Group):
    """Commands under headings, each imported when it is called and not before."""

    def __init__(self, entries: Mapping[str, Entry], **attributes: object) -> None:
        super().__init__(**attributes)  # type: ignore[arg-type]  # handed on as they come
        self.entries = dict(entries)

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  click hands it
        """Names in the order in which help shows them."""
        return list(self.entries)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002  click hands it
        """Import the command's family and take the command out of it."""
        entry = self.entries.get(cmd_name)
        if entry is None:
            return None
        module, _, name = entry.where.partition(":")
        command = getattr(importlib.import_module(module), name)
        assert isinstance(command, click.Command)
        return command

    def invoke(self, ctx: click.Context) -> object:
        """As click does, but every complaint about a command's words knows the command, so that its own help is named.

        Raises:
            click.UsageError: as click does.
        """
        try:
            return super().invoke(ctx)
        except click.UsageError as error:
            name = ctx.invoked_subcommand
            command = self.get_command(ctx, name) if name else None
            if error.ctx is None and command is not None:  # click's parser leaves it out for `--switch=value`
                error.ctx = click.Context(command, ctx, info_name=name)
            raise

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click does, but an unknown command gets the nearest ones as advice."""
        if args and args[0] not in self.entries and not args[0].startswith("-"):
            near = difflib.get_close_matches(args[0], self.entries, n=2, cutoff=0.5)
            advice = f"did you mean {' or '.join(near)}?" if near else f"there are: {', '.join(self.entries)}"
            raise click.UsageError(f"there is no command {args[0]!r}; {advice}", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002  click hands it
        """The commands with their summaries, heading by heading."""
        width = max(map(len, self.entries))
        for section in dict.fromkeys(entry.section for entry in self.entries.values()):
            rows = [(n.ljust(width), e.summary) for n, e in self.entries.items() if e.section == section]
            with formatter.section(section):
                formatter.write_dl(rows)
