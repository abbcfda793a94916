"""The history on disk that a command keeps: which file, with which labels, and what stands in its way."""

from __future__ import annotations

import importlib.util
import logging
import os
import platform
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from bongsu.cli import data_dir, memory
from bongsu.cli.settings_file import Loaded
from bongsu.model.errors import BadInput
from bongsu.model.message import Message
from bongsu.model.settings import Settings
from bongsu.sinks.file_path import resolved

if TYPE_CHECKING:
    from bongsu.store.writing.writer import Writer

FILE = "history.db"
_NEEDS = ("numpy", "promql_parser", "re2")
_LABEL = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
_log = logging.getLogger("bongsu.history")
_begun_with: dict[str, tuple[Mapping[str, str], bool]] = {}  # by file: labels and durability of its writer


def path(settings: Settings, environment: Mapping[str, str]) -> str | None:
    """The file of the history; None where this user has no place for one.

    A link there, as to a larger disk, is followed here: the log and the lock lie beside the file that it names, and
    two names of one file must not have two locks. Raises BadInput where the link cannot be followed.
    """
    if settings.store.path is not None:
        file = os.path.abspath(settings.store.path)
    else:
        directory = settings.data_dir or data_dir.default_directory(environment)
        if directory is None:
            return None
        file = os.path.join(os.path.abspath(directory), FILE)
    return resolved(file, "store.path") if os.path.islink(file) else file


def missing_package() -> str | None:
    """The first package that the history needs and that is not installed."""
    return next((name for name in _NEEDS if importlib.util.find_spec(name) is None), None)


def wanted(loaded: Loaded, *, page: bool) -> str | None:
    """The file of the history that these settings ask for, whether or not it can be had; None where they want none."""
    return path(loaded.settings, os.environ) if _is_wanted(loaded.settings, page=page) else None


def _is_wanted(settings: Settings, *, page: bool) -> bool:
    """Made-up readings never come into a history, whatever else the settings say."""
    return settings.demo is None and (page if settings.store.enabled is None else settings.store.enabled)


def kept(loaded: Loaded, *, page: bool, running: Writer | None) -> Writer | None:
    """The writer that these settings ask for; the one that runs already if it writes to the same file.

    Where history was not asked for by name and cannot be kept, a line in the log says why.

    Raises:
        BadInput: it was asked for and cannot be kept, or another process writes to it.
    """
    store = loaded.settings.store
    if not _is_wanted(loaded.settings, page=page):
        return None
    labels = _labels(loaded)
    asked = store.enabled or loaded.origins.is_given(("data_dir",)) or loaded.origins.is_given(("store", "path"))
    file = path(loaded.settings, os.environ)
    refusal = _refusal(file)
    if refusal is not None:
        if asked:
            raise BadInput(refusal)
        _log.warning("%s", refusal)
        return None
    assert file is not None
    memory.stay_small()
    memory.import_numpy()
    from bongsu.store.layout.file import check_place
    from bongsu.store.writing.writer import Writer

    if running is not None and running.path == file:  # its labels and durability are those of its start
        running.configure(
            raw_seconds=store.raw, minutes_seconds=store.minutes, max_bytes=store.max_bytes,
            commit_every=store.commit_every,
        )  # fmt: skip
        if _begun_with.get(file) != (labels, store.durable):
            _log.warning("store.labels and store.durable count from the next start on: %s goes on as it was", file)
        return running
    check_place(file)
    _begun_with[file] = (labels, store.durable)
    return Writer(
        file, labels=labels, raw_seconds=store.raw, minutes_seconds=store.minutes, max_bytes=store.max_bytes,
        commit_every=store.commit_every, durable=store.durable,
    )  # fmt: skip


def _refusal(file: str | None) -> Message | None:
    """Why there can be no history here; None if nothing stands in its way."""
    name = missing_package()
    if name is not None:
        return Message(
            "history is not kept: the package {name} is not installed; install it with `pip install 'bongsu[store]'`, "
            "or give --no-store",
            name=name,
        )  # fmt: skip
    if file is None:
        return Message("history is not kept: this user has no home directory; give --data-dir DIR, or --no-store")
    directory = os.path.dirname(file)
    try:
        os.makedirs(directory, mode=0o700, exist_ok=True)
    except OSError as error:
        return _unwritable(directory, (error.strerror or "").lower())
    if not os.access(directory, os.W_OK | os.X_OK):
        return _unwritable(directory, "this user may not write there")
    return None


def _unwritable(directory: str, reason: str) -> Message:
    return Message(
        "history is not kept: {directory}: {reason}; give --data-dir DIR that this user may write to, or --no-store",
        directory=directory, reason=reason,
    )  # fmt: skip


def _labels(loaded: Loaded) -> dict[str, str]:
    labels = {"job": "bongsu", "instance": platform.node() or "localhost"}
    for name, value in loaded.settings.store.labels.items():
        if not _LABEL.fullmatch(name) or name.startswith("__"):
            raise BadInput(
                Message("{where}: {name} is no label name; it takes letters, digits and _, and does not begin with __",
                        where=loaded.origins.of(("store", "labels", name)), name=name)
            )  # fmt: skip
        labels[name] = value
    return labels
