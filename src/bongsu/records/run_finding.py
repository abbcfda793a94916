"""Finds the run that a person means: by id, the beginning of one, `latest`, `latest~2`, `tag:NAME`, or a path."""

from __future__ import annotations

import os
import re
from collections import Counter
from typing import NamedTuple

from bongsu.model.errors import BadInput, BongsuError, NotKnown
from bongsu.model.message import Message
from bongsu.records.run_folder import ID, METADATA, RECORD, read_metadata

_LATEST = re.compile(r"latest(?:~(\d{1,9}))?")
_TAG = "tag:"
_SHOWN = 5  # candidates that a complaint names


class Found(NamedTuple):
    """Where a run is: a folder, or a file that a report was exported to."""

    path: str
    exported: bool = False


def ids(directory: str) -> list[str]:
    """The runs in a directory, newest first; links are none of them.

    Raises:
        NotKnown: it may not be read.
    """
    try:
        with os.scandir(directory) as entries:
            names = [
                entry.name for entry in entries if ID.fullmatch(entry.name) and entry.is_dir(follow_symlinks=False)
            ]
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise NotKnown(
            Message("{directory}: {reason}; run this as the user whose runs they are, or as root",
                    directory=directory, reason=(error.strerror or "").lower())
        ) from None  # fmt: skip
    return in_order(names, directory)


def find(reference: str, directory: str) -> Found:
    """The run that is meant.

    Raises:
        BadInput: there is none of that name, or more than one.
        NotKnown: the directory may not be read.
    """
    latest = _LATEST.fullmatch(reference)
    if latest:
        names = ids(directory)
        back = int(latest[1] or 0)
        if back >= len(names):
            raise BadInput(_none_there(directory) if not names else _too_few(reference, directory, len(names)))
        return Found(os.path.join(directory, names[back]))
    if reference.startswith(_TAG):
        return _tagged(reference, directory)
    if os.sep in reference or reference in {".", ".."}:
        return _at(reference)
    if ID.fullmatch(reference) and os.path.isdir(os.path.join(directory, reference)):
        return Found(os.path.join(directory, reference))
    names = [name for name in ids(directory) if name.startswith(reference)] if reference else []
    if len(names) == 1:
        return Found(os.path.join(directory, names[0]))
    if names:
        raise BadInput(
            Message(
                "run {reference}: {count} runs begin so: {names}; give more of the id",
                reference=reference, count=len(names),
                names=", ".join(names[:_SHOWN]) + (", ..." if len(names) > _SHOWN else ""),
            )
        )  # fmt: skip
    if reference and os.path.exists(reference):
        return _at(reference)
    if not ids(directory):
        raise BadInput(_none_there(directory))
    raise BadInput(
        Message(
            "run {reference!r}: there is none in {directory}; give an id or the beginning of one as `bongsu report list` "
            "shows it, latest, latest~1, tag:NAME, or the path of a run's folder or of an exported report",
            reference=reference, directory=directory,
        )
    )  # fmt: skip


def in_order(names: list[str], directory: str) -> list[str]:
    """Newest first. An id tells the second; within one, what run.json says decides."""
    shared = {second for second, count in Counter(name[:15] for name in names).items() if count > 1}
    return sorted(
        names,
        key=lambda name: (name[:15], _started(directory, name) if name[:15] in shared else 0.0, name),
        reverse=True,
    )


def _started(directory: str, name: str) -> float:
    try:
        known = read_metadata(os.path.join(directory, name))
    except (BongsuError, OSError):
        return 0.0
    return known.started if known else 0.0


def _tagged(reference: str, directory: str) -> Found:
    tag = reference.removeprefix(_TAG)
    for name in ids(directory):
        path = os.path.join(directory, name)
        try:
            known = read_metadata(path)
        except (BongsuError, OSError):
            continue  # one that cannot be read has no tags for us
        if known is not None and tag in known.tags:
            return Found(path)
    raise BadInput(
        Message("run {reference}: no run in {directory} has the tag {tag!r}; `bongsu report list` shows the tags",
                reference=reference, directory=directory, tag=tag)
    )  # fmt: skip


def _at(path: str) -> Found:
    if os.path.isdir(path):
        if os.path.lexists(os.path.join(path, METADATA)) or os.path.lexists(os.path.join(path, RECORD)):
            return Found(os.path.abspath(path))
        raise BadInput(
            Message("{path}: this is not the folder of a run: it holds neither {metadata} nor {record}",
                    path=path, metadata=METADATA, record=RECORD)
        )  # fmt: skip
    if not os.path.exists(path):
        raise BadInput(Message("{path}: there is no such file or folder", path=path))
    if os.path.basename(path) in {METADATA, RECORD}:
        return Found(os.path.dirname(os.path.abspath(path)))
    return Found(os.path.abspath(path), exported=True)


def _none_there(directory: str) -> Message:
    return Message(
        "{directory}: there are no runs here yet; record one with `bongsu run -- COMMAND`, or say with --runs-dir DIR "
        "where they are",
        directory=directory,
    )


def _too_few(reference: str, directory: str, count: int) -> Message:
    return Message(
        "run {reference}: there are only {count} runs in {directory}",
        reference=reference,
        count=count,
        directory=directory,
    )
