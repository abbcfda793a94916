"""Which runs a command of `bongsu report` is about: where they lie, and the report of the one that is named."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from bongsu.model.errors import NotKnown
from bongsu.model.message import Message

if TYPE_CHECKING:
    from bongsu.model.run import RunReport

_Function = TypeVar("_Function", bound=Callable[..., Any])
_GIVEN = "bongsu.runs_dir"
REFERENCE = "An id or its beginning, latest, latest~1, tag:NAME, a run's folder, or an exported report."


def _keep(ctx: click.Context, _option: click.Parameter, value: str | None) -> None:
    if value is not None:
        ctx.meta[_GIVEN] = value


def runs_dir_option(command: _Function) -> _Function:
    """Where runs lie: for every command of this family, before or after its name."""
    return click.option(
        "--runs-dir", metavar="DIR", expose_value=False, callback=_keep,
        help="Where runs are kept.  [default: $BONGSU_RUNS_DIR, or runs in the state directory]",
    )(command)  # fmt: skip


def directory(ctx: click.Context) -> str:
    """Where the runs of this call lie. Raises BadInput if nobody can tell."""
    return runs_directory(ctx.meta.get(_GIVEN))


def runs_directory(given: str | None) -> str:
    """Where runs lie when this was given. Raises BadInput if nobody can tell."""
    from bongsu.cli.data_dir import default_directory
    from bongsu.records.run_folder import runs_directory as chosen

    state = default_directory(os.environ)
    return chosen(given, os.environ, os.path.join(state, "runs") if state else None)


def report_of(ctx: click.Context, reference: str) -> RunReport:
    """The report of the run that is meant.

    Raises:
        BadInput: there is none, or it cannot be read.
        NotKnown: it may not be read.
    """
    from bongsu.records.run_finding import find
    from bongsu.runs.reporting import opened

    found = find(reference, directory(ctx))
    try:
        return opened(found)
    except PermissionError as error:
        raise NotKnown(
            Message("{path}: permission denied; run this as the user whose run it is, or as root",
                    path=error.filename or found.path)
        ) from None  # fmt: skip


def complete(ctx: click.Context, _parameter: click.Parameter, incomplete: str) -> list[str]:
    """Ids for the shell, newest first."""
    from bongsu.model.errors import BongsuError
    from bongsu.records.run_finding import ids

    try:
        names = ids(directory(ctx))
    except BongsuError:
        return []
    return [name for name in ("latest", *names) if name.startswith(incomplete)]
