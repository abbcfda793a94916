"""Where what must survive a restart is kept, and the token of the page in it."""

from __future__ import annotations

import base64
import os
import re
import stat
from collections.abc import Mapping
from typing import NamedTuple

from bongsu.model.errors import BadInput
from bongsu.model.message import Message

_TOKEN = re.compile(rb"[A-Za-z0-9_-]{32,128}")
_FILE = "token"


class Token(NamedTuple):
    """The token; ``note`` is a line for the user when something about keeping it is worth a word.

    ``path`` is the file that it is kept in, None where it lives in memory only.
    """

    value: str
    note: Message | None = None
    path: str | None = None


def default_directory(environment: Mapping[str, str]) -> str | None:
    """$STATE_DIRECTORY (which systemd sets), else bongsu in the XDG state directory; None for a user without a home."""
    given = environment.get("STATE_DIRECTORY", "").split(":")[0]
    if given:
        return given
    base = environment.get("XDG_STATE_HOME", "")
    if not base.startswith("/"):  # the XDG specification: a relative one is to be ignored
        home = os.path.expanduser("~")  # stays "~" where there is neither $HOME nor an entry in passwd
        if not home.startswith("/"):
            return None
        base = os.path.join(home, ".local", "state")
    return os.path.join(base, "bongsu")


def token(directory: str | None, environment: Mapping[str, str], *, shown: bool = True) -> Token:
    """The token kept in ``directory`` (None: the default one), made if there is none.

    A token that others could read is not used again. Where the default directory cannot be
    written, the token lives in memory and the note says so; that is of use only where the token is
    ``shown`` to the user, and an error where its file is the only place to read it.

    Raises:
        BadInput: the directory was asked for and cannot be used, or the token could be read nowhere.
    """
    place = directory or default_directory(environment)
    if place is None:
        return _in_memory("the token", "this user has no home directory", shown=shown)
    try:
        os.makedirs(place, mode=0o700, exist_ok=True)
        return _kept(os.path.join(place, _FILE))
    except OSError as error:
        reason = (error.strerror or "").lower()
        if directory is not None:
            raise BadInput(
                Message(
                    "--data-dir {path}: {reason}; give a directory that this user may write to, or leave it out",
                    path=place, reason=reason,
                )
            ) from None  # fmt: skip
        return _in_memory(place, reason, shown=shown)


def _in_memory(place: str, reason: str, *, shown: bool) -> Token:
    if not shown:
        raise BadInput(
            Message(
                "{place}: {reason}, so nobody could read the token that is asked for beyond loopback; give --data-dir "
                "DIR that this user may write to, or users in --web.config.file",
                place=place, reason=reason,
            )
        )  # fmt: skip
    note = Message(
        "{place}: {reason}; the token is kept in memory, so the address changes at the next start",
        place=place, reason=reason,
    )  # fmt: skip
    return Token(_new(), note)


def _kept(path: str) -> Token:
    note = None
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    except FileNotFoundError:
        pass
    else:
        with os.fdopen(fd, "rb") as file:
            status = os.fstat(fd)
            content = file.read(256).strip()
        if status.st_mode & 0o077 or status.st_uid != os.geteuid() or not stat.S_ISREG(status.st_mode):
            note = Message("{path}: others could read or change it, so a new token was made", path=path)
        elif not _TOKEN.fullmatch(content):
            note = Message("{path}: this is no token of ours, so a new one was made", path=path)
        else:
            return Token(content.decode(), path=path)
    value = _new()
    unfinished = f"{path}.{os.getpid()}"
    fd = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(fd, "w") as file:
            file.write(f"{value}\n")
        os.replace(unfinished, path)
    except OSError:
        os.unlink(unfinished)
        raise
    return Token(value, note, path)


def _new() -> str:
    return base64.urlsafe_b64encode(os.urandom(24)).decode()
