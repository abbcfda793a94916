"""How full a mounted file system is, asked in a worker's child: a dead network file system blocks the asker."""

from __future__ import annotations

import posix  # not os: see worker_child

SERVICE = "bongsu.sources.statvfs:ask"


def ask(path: bytes) -> tuple[int, ...]:
    """Fragment size in bytes, then blocks, free and available ones (in fragments), files, free files.

    Source: statvfs(3). Blocks count fragments (POSIX), which differ from ``f_bsize`` on some FUSE
    file systems.

    Raises:
        OSError: as the file system answers; ENOTCONN and ESTALE mean that its server has gone.
    """
    answer = posix.statvfs(path)
    return (
        answer.f_frsize, answer.f_blocks, answer.f_bfree, answer.f_bavail, answer.f_files, answer.f_ffree,
    )  # fmt: skip
