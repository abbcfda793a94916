"""Renders the Helm chart: its files as they are in the package, and what a folder holds instead of them."""

from __future__ import annotations

import difflib
import hashlib
import os
import tempfile
from collections.abc import Iterator

from bongsu.model.errors import BadInput
from bongsu.model.message import Message

NAME = "bongsu"
RECORD = ".written"  # lines of sha256sum(1): by these a later call knows what it wrote


def files() -> dict[str, bytes]:
    """The chart's files by their path in it."""
    return _read(os.path.join(os.path.dirname(__file__), "chart"))


def difference(directory: str) -> Iterator[str]:
    """What `write` would change in ``directory``, as lines of a unified diff; of the record nothing."""
    old, new = _present(os.path.join(directory, NAME)), files()
    old.pop(RECORD, None)
    for name in sorted(old.keys() | new.keys()):
        before, after = (each.get(name, b"").decode("utf-8", "replace").splitlines() for each in (old, new))
        yield from difflib.unified_diff(
            before, after, f"a/{NAME}/{name}" if name in old else "/dev/null",
            f"b/{NAME}/{name}" if name in new else "/dev/null", lineterm="",
        )  # fmt: skip


def write(directory: str, *, force: bool = False) -> str:
    """Put the chart into the folder ``directory``/bongsu, as a whole or not at all; the folder's path.

    What an earlier call wrote there is replaced; what somebody changed or added since only with ``force``.

    Raises:
        BadInput: something there is not ours, or the directory cannot be written.
    """
    place = os.path.join(directory, NAME)
    try:
        if not force and os.path.lexists(place):
            _check_ours(place)
        return _put(directory, place)
    except OSError as error:
        reason = (error.strerror or "").lower()
        raise BadInput(
            Message("--output {path}: {reason}; give a directory that you may write to", path=directory, reason=reason)
        ) from None


def _put(directory: str, place: str) -> str:
    chart = files()
    with tempfile.TemporaryDirectory(prefix=f".{NAME}.", dir=directory) as beside:
        new, old = os.path.join(beside, "new"), os.path.join(beside, "old")
        record = "".join(f"{hashlib.sha256(text).hexdigest()}  {name}\n" for name, text in sorted(chart.items()))
        for name, text in (*chart.items(), (RECORD, record.encode())):
            path = os.path.join(new, name)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "xb") as file:
                file.write(text)
        if os.path.lexists(place):
            os.rename(place, old)
        try:
            os.rename(new, place)
        except OSError:
            if os.path.lexists(old):
                os.rename(old, place)
            raise
    return place


def _check_ours(place: str) -> None:
    """Raises BadInput with the first file that is not as a call of ours left it."""
    found = _present(place)
    wrote = _digests(found.pop(RECORD, b""))
    if not wrote:
        raise _not_ours(place, Message("this was not written by `bongsu render helm`"))
    for name in sorted(found.keys() | wrote.keys()):
        if name not in found:
            raise _not_ours(place, Message("{name} was removed since it was written", name=name))
        if name not in wrote:
            raise _not_ours(place, Message("{name} was added since it was written", name=name))
        if hashlib.sha256(found[name]).hexdigest() != wrote[name]:
            raise _not_ours(place, Message("{name} was changed since it was written", name=name))


def _digests(record: bytes) -> dict[str, str]:
    """What each file held that a record names; nothing for what is no record."""
    lines = [line.partition("  ") for line in record.decode("utf-8", "replace").splitlines()]
    return {name: digest for digest, _, name in lines} if all(name for *_, name in lines) else {}


def _not_ours(place: str, what: Message) -> BadInput:
    return BadInput(
        Message("{place}: {what}; see --diff, and keep your values in a file of your own; --force writes over it",
                place=place, what=what)
    )  # fmt: skip


def _present(place: str) -> dict[str, bytes]:
    """The files in a folder; nothing for what is no folder, which is then not ours either."""
    return _read(place) if os.path.isdir(place) and not os.path.islink(place) else {}


def _read(top: str) -> dict[str, bytes]:
    found = {}
    for folder, _, names in os.walk(top):
        for name in names:
            path = os.path.join(folder, name)
            data = b""  # what is no file is none of ours; and a link may lead to what is nobody's to be shown
            if os.path.isfile(path) and not os.path.islink(path):
                with open(path, "rb") as file:
                    data = file.read()
            found[os.path.relpath(path, top)] = data
    return found
