"""Where the store's file lies, and who else has hold of it: asked without opening it.

A process that opens and closes a file loses all its POSIX locks on it (fcntl(2)), SQLite's among them. So nothing in
here opens the store's file or those beside it.
"""

from __future__ import annotations

import os

from bongsu.model.message import Message
from bongsu.sources.procfs import mounts
from bongsu.sources.root import Root

# File systems whose locks or shared memory do not reach, or not surely, from one machine to the next, so that SQLite
# asks not to use its write-ahead log on them (sqlite.org/wal.html, "All processes … must be on the same host").
_NETWORK = frozenset(
    {
        "nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "lustre", "gpfs", "beegfs", "ceph", "afs", "panfs", "wekafs",
        "pvfs2", "ocfs2", "gfs2", "glusterfs", "ncpfs", "coda",
        "fuse.sshfs", "fuse.glusterfs", "fuse.ceph", "fuse.s3fs", "fuse.rclone", "fuse.juicefs", "fuse.davfs",
    }
)  # fmt: skip
# Where SQLite locks the -shm file (sqlite.org/walformat.html, "WAL Locks"): five places for readers from byte 123 on.
_READERS = range(123, 128)


def doubt(path: str) -> Message | None:
    """Why ``path`` is no good place for a store; None where nothing is known against it."""
    kind = network_file_system(path)
    if kind is None:
        return None
    return Message(
        "{path} lies on a {kind} file system: SQLite's locks may fail there and the history with them; give a file on a "
        "local disk (store.path)", path=path, kind=kind,
    )  # fmt: skip


def network_file_system(path: str, proc: Root | None = None) -> str | None:
    """The type of the file system that ``path`` lies on if that is one of the network, else None.

    Tells by the table of mounts, which answers also where the server does not.
    """
    place = os.fsencode(os.path.realpath(path))
    try:
        found = mounts.parse((proc or Root("/proc")).read_once("self/mounts"))
    except (OSError, ValueError):
        return None
    best, kind = -1, ""
    for mount in found:
        point = mount.mountpoint.rstrip(b"/")
        if len(point) >= best and (place == point or place.startswith(point + b"/")):
            best, kind = len(point), mount.fstype
    return kind if kind in _NETWORK else None


def readers(path: str) -> list[tuple[int, str]]:
    """Pid and name of the other processes that read the store at ``path`` now (proc_locks(5))."""
    try:
        status = os.stat(path + "-shm")
        text = Root("/proc").read_once("locks")
    except OSError:
        return []
    place = f"{os.major(status.st_dev):02x}:{os.minor(status.st_dev):02x}:{status.st_ino}"
    found = {}
    for line in text.decode("ascii", "replace").splitlines():
        fields = line.split()  # 1: POSIX ADVISORY READ 1234 fe:01:5678 124 124
        if len(fields) < 8 or fields[1] != "POSIX" or fields[5] != place or not fields[6].isdigit():
            continue
        pid = int(fields[4])
        if int(fields[6]) in _READERS and pid not in {-1, 0, os.getpid()}:
            found[pid] = _name(pid)
    return sorted(found.items())


def _name(pid: int) -> str:
    try:
        return Root("/proc").read_once(f"{pid}/comm").decode("utf-8", "replace").strip()
    except OSError:
        return "?"
