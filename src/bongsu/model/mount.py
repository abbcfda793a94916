"""One mounted file system as a live row for people."""

from __future__ import annotations

import msgspec


class MountRow(msgspec.Struct, frozen=True, gc=False):
    """A mounted file system; sizes in bytes, None where it has never answered.

    With ``stale_since`` (Unix s) set it does not answer since then, and the numbers are the last ones.
    Names hold bytes that are not UTF-8 as lone surrogates and may hold any control character.
    """

    device: str
    mountpoint: str
    fstype: str
    size_bytes: int | None
    free_bytes: int | None
    avail_bytes: int | None  # to users without special rights
    files: int | None  # inodes that it can hold
    files_free: int | None
    read_only: bool
    stale_since: float | None = None
