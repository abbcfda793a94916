"""What containers are called, from the files in which Docker and podman keep it; a user's own are read as that user."""

from __future__ import annotations

import errno
import json
import os
import pwd
import stat
from typing import Any

SERVICE = "bongsu.sources.container_files:users_names"
_LARGEST = 16 * 1024 * 1024  # podman keeps all containers in one file, about 1 kB each
_MOST = 20_000
_LONGEST = 255
_PODMAN = (
    "overlay-containers/containers.json",
    "overlay-containers/volatile-containers.json",
    "vfs-containers/containers.json",
)

Names = dict[str, str]  # id → name


def names(rootfs: str, runtime: str, identity: str) -> Names:
    """Names of containers of the machine's own Docker (of the one that is asked about) or podman (of all)."""
    if runtime == "docker":
        return _docker(os.path.join(rootfs, "var/lib/docker"), identity)
    return _podman(os.path.join(rootfs, "var/lib/containers/storage"))


def users_names(question: tuple[str, str, str, int]) -> Names:
    """Names of containers of a user's own Docker or podman, who may write there what he likes.

    Asked in a worker's child, since a home may lie on a dead server. The child takes on the user's
    rights for the reading, so that no link in a home leads to what the user may not read.
    ``question``: root file system, runtime, container id, user id.
    """
    rootfs, runtime, identity, uid = question
    user = _user(rootfs, uid)
    if user is None:
        return {}
    gid, home = user
    data = os.path.join(rootfs, home.lstrip("/"), ".local/share")
    root = os.geteuid() == 0
    if root:
        os.setgroups(())
        os.setegid(gid)
        os.seteuid(uid)
    try:
        return _docker(f"{data}/docker", identity) if runtime == "docker" else _podman(f"{data}/containers/storage")
    finally:
        if root:
            os.seteuid(0)


def _user(rootfs: str, uid: int) -> tuple[int, str] | None:
    """The group and the home of a user."""
    if rootfs == "/":
        try:
            found = pwd.getpwuid(uid)
        except KeyError:
            return None
        return found.pw_gid, found.pw_dir
    passwd = _read(os.path.join(rootfs, "etc/passwd")) or b""
    for line in passwd.split(b"\n"):
        fields = line.split(b":")
        if len(fields) == 7 and fields[2] == b"%d" % uid and fields[3].isdigit():
            return int(fields[3]), fields[5].decode("utf-8", "surrogateescape")
    return None


def _docker(data: str, identity: str) -> Names:
    """``Name`` in config.v2.json begins with a slash, which no command of Docker's shows."""
    config = _json(f"{data}/containers/{identity}/config.v2.json")
    name = config.get("Name") if isinstance(config, dict) else None
    return {identity: name.removeprefix("/")[:_LONGEST]} if isinstance(name, str) else {}


def _podman(storage: str) -> Names:
    found: Names = {}
    for file in _PODMAN:
        containers = _json(f"{storage}/{file}")
        for container in containers[:_MOST] if isinstance(containers, list) else ():
            if not isinstance(container, dict):
                continue
            identity, called = container.get("id"), container.get("names")
            if isinstance(identity, str) and isinstance(called, list) and called and isinstance(called[0], str):
                found[identity[:_LONGEST]] = called[0][:_LONGEST]
    return found


def _json(path: str) -> Any:
    text = _read(path)
    if text is None:
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None  # cut off in the middle of writing, or no JSON at all


def _read(path: str) -> bytes | None:
    """A regular file that is not too large, or None; nothing that stands there instead makes us wait."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_NOCTTY | os.O_CLOEXEC)
    except OSError as error:
        if error.errno in {errno.EMFILE, errno.ENFILE, errno.ENOMEM}:
            raise
        return None
    with open(fd, "rb") as file:
        found = os.fstat(fd)
        if not stat.S_ISREG(found.st_mode) or found.st_size > _LARGEST:
            return None
        return file.read(_LARGEST)
