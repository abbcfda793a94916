"""`bongsu store`: the commands that look after the history on disk, and what they share."""

from __future__ import annotations

import contextlib
import errno
import os
import sqlite3
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, TypeVar

import click

from bongsu.cli.families import Entry, Families
from bongsu.cli.options import config_option, loaded, setting
from bongsu.model.errors import BadInput, NotKnown
from bongsu.model.message import Message

if TYPE_CHECKING:
    from bongsu.store.layout.lock import Lock

_Function = TypeVar("_Function", bound=Callable[..., Any])

HELP = """Look after the history that `bongsu up` keeps: what is in it, whether it is whole, copies, exports, imports.

All but compact, restore and import work while `bongsu up` runs.
"""
_LOOK, _KEEP, _MOVE = "Look", "Keep", "In and out"

store = Families(
    {
        "info": Entry("bongsu.cli.store_file:info", _LOOK, "What the history holds: since when, how much, where gaps are."),
        "verify": Entry("bongsu.cli.store_file:verify", _LOOK, "Whether every part of the file can be read."),
        "compact": Entry("bongsu.cli.store_file:compact", _KEEP, "Make the file as small as it can be."),
        "backup": Entry("bongsu.cli.store_file:backup", _KEEP, "Copy it into one file, also while it is written."),
        "restore": Entry("bongsu.cli.store_file:restore", _KEEP, "Put a backup in its place; what was there is kept."),
        "export": Entry("bongsu.cli.store_export:export", _MOVE, "Samples as CSV, JSONL or Parquet."),
        "import": Entry("bongsu.cli.store_import:import_", _MOVE, "Samples of a Prometheus dump, OpenMetrics or JSONL."),
    },
    name="store",
    help=HELP,
    subcommand_metavar="COMMAND [OPTIONS]",
    no_args_is_help=True,
)  # fmt: skip


def store_options(command: _Function) -> _Function:
    """Which history: for every command of this family."""
    for option in reversed(
        (
            setting(
                "store.path", "--store", "--path", metavar="FILE",
                help="The file of the history.  [default: history.db in --data-dir]",
            ),
            setting("data_dir", "--data-dir", metavar="DIR", help="Where `bongsu up` keeps the history."),
            config_option,
        )
    ):  # fmt: skip
        command = option(command)
    return command


def file_of(ctx: click.Context, *, must_exist: bool = True) -> str:
    """The file that this call is about.

    Raises:
        BadInput: there is none, or it cannot be told which.
        NotKnown: a package that is needed is not installed.
    """
    from bongsu.cli import history

    package = history.missing_package()
    if package is not None:
        raise NotKnown(
            Message("the history needs the package {name}; install it with `pip install 'bongsu[store]'`", name=package)
        )
    path = history.path(loaded(ctx).settings, os.environ)
    if path is None:
        raise BadInput(
            Message("this user has no home directory to keep a history in; give --store FILE or --data-dir DIR")
        )
    if must_exist:
        _check_readable(path)
    return path


def _check_readable(path: str) -> None:
    """Raises BadInput, NotKnown. Only looks: a file that is opened and closed loses this process' locks on it."""
    try:
        os.stat(path)
        may = os.access(path, os.R_OK)
    except PermissionError:
        may = False
    except OSError:
        raise BadInput(
            Message("{path}: there is no history here; `bongsu up` keeps one, or give --store FILE", path=path)
        ) from None
    if not may:
        raise NotKnown(Message("{path}: permission denied; run this as the user who runs `bongsu up`", path=path))


def new_file(file: str, option: str, history: str) -> str:
    """Where to write, all links followed. Raises BadInput where it is none, or would take the history's own place."""
    from bongsu.sinks.file_path import resolved

    if file in {"", "-"}:
        raise BadInput(Message("{option} {file!r}: give the path of a file", option=option, file=file))
    found, own = resolved(file, option), os.path.realpath(history)
    if found in {own + ending for ending in ("", "-wal", "-shm", "-journal", ".lock")}:
        raise BadInput(Message("{file}: this is the history itself, or belongs to it; give another file", file=file))
    return found


@contextlib.contextmanager
def alone(path: str, doing: str) -> Iterator[Lock]:
    """Within the block no other process writes the history. Raises BadInput if one does, naming its pid."""
    from bongsu.store.layout.file import check_place
    from bongsu.store.layout.lock import Lock
    from bongsu.store.moving.inventory import writer

    check_place(path)
    if not os.path.isdir(os.path.dirname(path)):
        os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
    pid = writer(path)
    if pid is not None:
        raise BadInput(
            Message("{path}: process {pid} writes it now; stop that (`bongsu up`, or its service) to {doing}, then "
                    "start it again", path=path, pid=pid or "?", doing=doing)
        )  # fmt: skip
    with Lock(path) as lock:
        yield lock


@contextlib.contextmanager
def sqlite_errors(path: str) -> Iterator[None]:
    """What SQLite complains of becomes one line. Raises NotKnown, or OSError where there is no room."""
    try:
        yield
    except sqlite3.Error as error:
        from bongsu.store.layout.file import code

        if code(error) == sqlite3.SQLITE_FULL:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), path) from None
        raise NotKnown(
            Message("{path}: {reason}; `bongsu store verify` says what is wrong", path=path, reason=error)
        ) from None


@contextlib.contextmanager
def no_room(where: str) -> Iterator[None]:
    """A write that finds no room does not say where it was; nothing within the block writes elsewhere."""
    try:
        yield
    except OSError as error:
        if error.filename is None and error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}:
            raise OSError(error.errno, error.strerror, where) from None
        raise


def say(line: str) -> None:
    """A line for the user beside the output."""
    from bongsu.views.printable import printable

    click.echo(f"bongsu: {printable(line)}", err=True)
