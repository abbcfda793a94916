"""Removes old runs: which ones, and their folders, without ever leaving the directory that runs lie in."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from typing import NamedTuple

from bongsu.records import run_folder
from bongsu.records.run_folder import ID, RUNNING, UNKNOWN
from bongsu.records.run_list import NEWER, UNREADABLE, RunRow


class Prunable(NamedTuple):
    """A run that may be removed, and how much it takes on the disk."""

    row: RunRow
    bytes: int


def to_remove(
    directory: str, rows: Sequence[RunRow], *, before: float | None = None, keep: int | None = None,
    max_bytes: int | None = None,
) -> list[Prunable]:  # fmt: skip
    """The runs to remove, oldest first; one that goes on, or that cannot be read, is never among them.

    Args:
        directory: where runs lie.
        rows: all of them, newest first.
        before: those that started before this, Unix s.
        keep: all but so many of the newest.
        max_bytes: so many of the oldest that the others take no more than this.
    """
    sizes = {row.id: size(os.path.join(directory, row.id)) for row in rows}
    total = 0
    found = []
    for place, row in enumerate(rows):
        total += sizes[row.id]
        old = before is not None and row.started is not None and row.started < before
        if not (old or (keep is not None and place >= keep) or (max_bytes is not None and total > max_bytes)):
            continue
        if row.state in {RUNNING, UNKNOWN, NEWER, UNREADABLE}:
            continue
        found.append(Prunable(row, sizes[row.id]))
        if max_bytes is not None:
            total -= sizes[row.id]
    return found[::-1]


def remove(directory: str, run: str) -> bool:
    """Remove the folder of a run; False if it goes on after all. Links in it are removed, not followed.

    Raises:
        OSError: something of it cannot be removed.
        ValueError: this is no id of a run.
    """
    if not ID.fullmatch(run) or os.sep in run:
        raise ValueError(f"not the id of a run: {run!r}")
    folder = os.path.join(directory, run)
    if os.path.islink(folder) or run_folder.is_written(folder):
        return False
    shutil.rmtree(folder)
    return True


def size(folder: str) -> int:
    """Bytes of the files in a folder; what is linked to is not counted."""
    total = 0
    for place, _names, files in os.walk(folder):
        for file in files:
            try:
                total += os.lstat(os.path.join(place, file)).st_size
            except OSError:
                continue
    return total
