"""A file system of our own that can stop answering: the kernel's FUSE protocol, spoken directly to /dev/fuse.

Source: linux/fuse.h, fuse(4). Only what statvfs(3) and a look at the root need is answered.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import stat
import struct
import threading
from pathlib import Path
from types import TracebackType
from typing import Self

_LOOKUP, _FORGET, _GETATTR, _STATFS, _INIT, _INTERRUPT, _BATCH_FORGET = 1, 2, 3, 17, 26, 36, 42
_IN = struct.Struct("<IIQQIIII")  # length, opcode, unique, node, uid, gid, pid, padding
_OUT = struct.Struct("<IiQ")  # length, error, unique
_MS_NOSUID_NODEV = 2 | 4
_MS_REC_PRIVATE = 1 << 14 | 1 << 18
_MNT_DETACH = 2
_CLONE_FS, _CLONE_NEWNS = 0x200, 0x20000
_CONNECTIONS = "/sys/fs/fuse/connections"
_libc = ctypes.CDLL(None, use_errno=True)


def _mount(source: str, target: str, fstype: str, options: str) -> None:
    texts = [text.encode() for text in (source, target, fstype)]
    if _libc.mount(*texts, _MS_NOSUID_NODEV, options.encode()):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), target)


class Fuse:
    """A mounted file system with one empty folder; ``hang()`` and ``resume()`` decide whether statfs is answered.

    It lies in a mount namespace of its own, so that nobody else on the machine can stumble over it. At the
    end of the ``with`` block its connection is aborted, so nobody stays blocked, and it is unmounted.
    """

    def __init__(self, where: Path, *, blocks: int = 1000, block_size: int = 4096, fragment_size: int = 4096) -> None:
        self.where = str(where)
        self.asked = 0  # statfs requests so far
        self._answer = struct.pack(
            "<5Q4I24x", blocks, blocks // 2, blocks // 4, 100, 60, block_size, 255, fragment_size, 0
        )
        self._held: list[int] = []
        self._hangs = False
        self._lock = threading.Lock()
        self._fd = -1
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> Self:
        self._outside = os.open("/proc/thread-self/ns/mnt", os.O_RDONLY | os.O_CLOEXEC)
        self._folder = os.getcwd()
        if _libc.unshare(_CLONE_NEWNS):
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
        _libc.mount(None, b"/", None, _MS_REC_PRIVATE, None)
        self._fd = os.open("/dev/fuse", os.O_RDWR | os.O_CLOEXEC)
        _mount("slow disk", self.where, "fuse.test", f"fd={self._fd},rootmode=40000,user_id=0,group_id=0")
        self._thread.start()
        self._connection = os.minor(os.stat(self.where).st_dev)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        with contextlib.suppress(OSError):
            self.abort()
        _libc.umount2(self.where.encode(), _MNT_DETACH)
        self._thread.join(60)
        os.close(self._fd)
        _libc.unshare(_CLONE_FS)  # threads begun meanwhile share our folder, and setns refuses that
        if _libc.setns(self._outside, _CLONE_NEWNS):
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
        os.close(self._outside)
        os.chdir(self._folder)

    def hang(self) -> None:
        """From now on statfs waits for ever, as on a dead server."""
        with self._lock:
            self._hangs = True

    def resume(self) -> None:
        """Answer again, also those who wait."""
        with self._lock:
            self._hangs = False
            for unique in self._held:
                self._reply(unique, self._answer)
            self._held.clear()

    def abort(self) -> None:
        """End the connection as an administrator would: whoever waits gets an error."""
        mounted_here = not os.listdir(_CONNECTIONS)
        if mounted_here:
            _mount("fusectl", _CONNECTIONS, "fusectl", "")
        try:
            Path(_CONNECTIONS, str(self._connection), "abort").write_text("1")
        finally:
            if mounted_here:
                _libc.umount2(_CONNECTIONS.encode(), _MNT_DETACH)

    def _serve(self) -> None:
        while True:
            try:
                request = os.read(self._fd, 1 << 20)
            except OSError as error:
                if error.errno in {errno.EINTR, errno.EAGAIN, errno.ENOENT}:
                    continue
                return  # ENODEV: aborted or unmounted
            _, opcode, unique, *_ = _IN.unpack_from(request)
            if opcode in {_FORGET, _BATCH_FORGET, _INTERRUPT}:
                continue
            with self._lock:
                if opcode == _STATFS:
                    self.asked += 1
                    if self._hangs:
                        self._held.append(unique)
                        continue
                    self._reply(unique, self._answer)
                elif opcode == _INIT:
                    self._reply(unique, struct.pack("<IIIIHHI", 7, 19, 0, 0, 12, 9, 4096))
                elif opcode == _GETATTR:
                    root = struct.pack("<QII6Q3I7I", 0, 0, 0, 1, *[0] * 8, stat.S_IFDIR | 0o755, 2, 0, 0, 0, 4096, 0)
                    self._reply(unique, root)
                else:
                    self._reply(unique, b"", errno.ENOENT if opcode == _LOOKUP else errno.ENOSYS)

    def _reply(self, unique: int, body: bytes, error: int = 0) -> None:
        with contextlib.suppress(OSError):  # the one who asked may have gone
            os.write(self._fd, _OUT.pack(_OUT.size + len(body), -error, unique) + body)
