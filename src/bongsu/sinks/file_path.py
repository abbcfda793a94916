"""Says which file a path means that the user gave for writing, and refuses what cannot be a file of ours."""

from __future__ import annotations

import errno
import os
import stat

from bongsu.model.errors import BadInput
from bongsu.model.message import Message

_MOST_LINKS = 40  # as the kernel has it (path_resolution(7))


def resolved(path: str, option: str) -> str:
    """The path with all its links followed; write there without following any more.

    A stranger's link in a directory that everybody may write to (``/tmp``) is not followed: it would have us
    replace whatever file he names. The rule is that of ``fs.protected_symlinks`` (proc_sys_fs(5)), which
    stands on its own because the kernel's is often off, and because it is asked of links that are opened only.

    Raises:
        BadInput: it is something else than a file, there is no such directory, or a stranger's link is in it.
    """
    try:
        found = _follow(os.path.join(os.getcwd(), path))
    except PermissionError as error:
        raise BadInput(
            Message("{option} {path}: {link} is a link that another user made where everybody may; remove it, or "
                    "give another path",
                    option=option, path=path, link=error.filename)
        ) from None  # fmt: skip
    except OSError as error:
        raise BadInput(
            Message("{option} {path}: {reason}; give another path", option=option, path=path,
                    reason=(error.strerror or "").lower())
        ) from None  # fmt: skip
    try:
        mode = os.stat(found).st_mode
    except OSError:
        mode = stat.S_IFREG  # not there yet; whether it can be made is seen when it is made
    if not stat.S_ISREG(mode):
        kind = "a directory" if stat.S_ISDIR(mode) else "not a file"
        raise BadInput(
            Message("{option} {path}: this is {kind}; give the path of a file", option=option, path=path, kind=kind)
        )
    directory = os.path.dirname(found)
    try:
        missing = not stat.S_ISDIR(os.stat(directory).st_mode)
    except OSError as error:
        missing = error.errno in {errno.ENOENT, errno.ENOTDIR}  # else it may be there, and we may not look
    if missing:
        raise BadInput(
            Message("{option} {path}: there is no directory {directory}; create it, or give another path",
                    option=option, path=path, directory=directory)
        )  # fmt: skip
    return found


def _follow(path: str) -> str:
    """Raises PermissionError with the link that may not be followed."""
    at, rest, links = "/", path.split("/")[::-1], 0
    while rest:
        part = rest.pop()
        if part in {"", "."}:
            continue
        if part == "..":
            at = os.path.dirname(at)
            continue
        here = os.path.join(at, part)
        try:
            status = os.lstat(here)
        except OSError:
            return os.path.normpath(os.path.join(here, *rest[::-1]))  # what is not there has no links
        if not stat.S_ISLNK(status.st_mode):
            at = here
            continue
        links += 1
        if links > _MOST_LINKS:
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), here)
        if not _may_follow(status, os.lstat(at)):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), here)
        target = os.readlink(here)
        at = "/" if target.startswith("/") else at
        rest += target.split("/")[::-1]
    return at


def _may_follow(link: os.stat_result, directory: os.stat_result) -> bool:
    shared = directory.st_mode & stat.S_ISVTX and directory.st_mode & stat.S_IWOTH
    return not shared or link.st_uid in {os.geteuid(), directory.st_uid}
