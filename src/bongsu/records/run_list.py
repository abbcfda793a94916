"""The list of runs: one row each, kept in an index beside the folders so that a thousand of them are listed at once."""

from __future__ import annotations

import contextlib
import fnmatch
import os
import time
from collections.abc import Callable, Iterable

import msgspec

from bongsu.model.owner import Owner
from bongsu.records import run_finding, run_folder, segment
from bongsu.records.run_folder import ENDED, LOST, RUNNING

INDEX = "index.json"
SORTS = ("started", "wall", "cpu", "memory", "name")
UNREADABLE, NEWER = "unreadable", "newer"  # states of a row beside those of a run

# A folder that was changed later than this before it was read may change again within one tick of the clock.
_SETTLED_SECONDS = 2.0


class RunRow(msgspec.Struct, frozen=True, kw_only=True):
    """One run, as a list shows it. None is not known."""

    id: str
    name: str = ""
    command: tuple[str, ...] = ()
    started: float | None = None  # Unix s
    wall_seconds: float | None = None
    cpu_seconds: float | None = None
    cpu_source: str = ""
    peak_memory_bytes: int | None = None  # PSS where it was read, else RSS
    exit_code: int | None = None
    signal: str = ""
    state: str = ""
    tags: tuple[str, ...] = ()
    message: str = ""
    experiment: str = ""
    host: str = ""
    user: str = ""
    owner: Owner | None = None

    @property
    def failed(self) -> bool:
        """Whether it ended badly, or nobody knows how."""
        return self.state == LOST or bool(self.exit_code)


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """Which runs to list, and in what order."""

    sort: str = "started"
    reverse: bool = False
    name: str = ""  # a pattern as a shell has it, of the program's name or the command's first word
    tag: str = ""
    since: float | None = None  # Unix s
    failed: bool = False
    running: bool = False
    limit: int | None = None


class _Kept(msgspec.Struct, frozen=True):
    folder: tuple[int, int, int]  # inode, mtime_ns, ctime_ns
    row: RunRow


class _Index(msgspec.Struct, frozen=True):
    version: str
    rows: dict[str, _Kept]


def rows(directory: str, read: Callable[[str], RunRow], version: str) -> list[RunRow]:
    """One row for each run in a directory, newest first.

    The index is only ever believed of a folder that has not changed since and of a run that is over; without one,
    or with a damaged one, all folders are read and it is written again, where it may be.

    Args:
        directory: where runs lie.
        read: the row of one folder.
        version: of this program: another's index is not read.

    Raises:
        NotKnown: the directory may not be read.
    """
    kept = _read_index(directory, version)
    now: dict[str, _Kept] = {}
    found = []
    for name in run_finding.ids(directory):
        folder = os.path.join(directory, name)
        try:
            stamp = _stamp(folder)
        except OSError:
            continue  # removed meanwhile
        known = kept.get(name)
        if known is None or known.folder != stamp:
            known = _Kept(stamp, read(folder))
        found.append(known.row)
        if known.row.state in {ENDED, LOST} and abs(time.time() - stamp[1] / 1e9) > _SETTLED_SECONDS:
            now[name] = known
    if now != kept:
        with contextlib.suppress(OSError):  # another user's runs, or a full disk: the list is there all the same
            run_folder.write_whole(os.path.join(directory, INDEX), run_folder.encoded(_Index(version, now)))
    return found


def chosen(all_rows: Iterable[RunRow], wanted: Wanted) -> list[RunRow]:
    """The rows that are wanted, in the order that is. What is not known comes last."""
    some = [row for row in all_rows if _matches(row, wanted)]
    some.sort(key=lambda row: row.id, reverse=True)
    some.sort(key=lambda row: row.started or 0.0, reverse=True)
    if wanted.sort != "started":
        key = _ORDERS[wanted.sort]
        known = [row for row in some if key(row) is not None]
        known.sort(key=key, reverse=wanted.sort != "name")  # type: ignore[arg-type]  # none is None here
        some = known + [row for row in some if key(row) is None]
    if wanted.reverse:
        some.reverse()
    return some if wanted.limit is None else some[: wanted.limit]


_ORDERS: dict[str, Callable[[RunRow], float | str | None]] = {
    "started": lambda row: row.started,
    "wall": lambda row: row.wall_seconds,
    "cpu": lambda row: row.cpu_seconds,
    "memory": lambda row: row.peak_memory_bytes,
    "name": lambda row: row.name,
}


def _matches(row: RunRow, wanted: Wanted) -> bool:
    if wanted.name:
        program = os.path.basename(row.command[0]) if row.command else ""
        if not any(fnmatch.fnmatchcase(text, wanted.name) for text in (row.name, program)):
            return False
    return (
        (not wanted.tag or wanted.tag in row.tags)
        and (wanted.since is None or (row.started is not None and row.started >= wanted.since))
        and (not wanted.failed or row.failed)
        and (not wanted.running or row.state == RUNNING)
    )


def _stamp(folder: str) -> tuple[int, int, int]:
    status = os.stat(folder, follow_symlinks=False)
    return (status.st_ino, status.st_mtime_ns, status.st_ctime_ns)


def _read_index(directory: str, version: str) -> dict[str, _Kept]:
    try:
        with segment.plain(os.path.join(directory, INDEX)) as file:
            index = msgspec.json.decode(file.read(), type=_Index)
    except (OSError, msgspec.MsgspecError):
        return {}
    return index.rows if index.version == version else {}
