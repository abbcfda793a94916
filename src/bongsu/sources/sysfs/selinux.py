"""/sys/fs/selinux and /etc/selinux/config: whether SELinux enforces its policy (selinux(8))."""

from __future__ import annotations

import enum

from bongsu.sources.root import Root


class Mode(enum.IntEnum):
    """What SELinux does with what its policy forbids."""

    DISABLED = -1
    PERMISSIVE = 0
    ENFORCING = 1


def current(sys: Root, proc: Root) -> Mode:
    """The mode of the running kernel.

    Raises:
        OSError: it cannot be read.
        ValueError: it is not what the kernel writes.
    """
    try:
        enforcing = sys.read("fs/selinux/enforce").strip()
    except FileNotFoundError:
        return Mode.DISABLED
    try:
        # With no policy loaded every task has the context of the kernel (libselinux, is_selinux_enabled).
        if proc.read_once("self/attr/current").rstrip(b"\0\n") == b"kernel":
            return Mode.DISABLED
    except OSError:
        pass
    if enforcing not in {b"0", b"1"}:
        raise ValueError(f"selinux/enforce: {enforcing[:20]!r} is neither 0 nor 1")
    return Mode(int(enforcing))


def configured(rootfs: Root) -> Mode:
    """The mode that the machine starts with; disabled where none is written down.

    Raises:
        OSError: the file is there and cannot be read.
    """
    try:
        text = rootfs.text("etc/selinux/config")
    except FileNotFoundError:
        return Mode.DISABLED
    mode = Mode.DISABLED
    for line in text.splitlines():
        key, equals, value = line.strip().partition("=")
        if equals and key.strip() == "SELINUX":
            mode = {"enforcing": Mode.ENFORCING, "permissive": Mode.PERMISSIVE}.get(
                value.strip().strip('"').lower(), Mode.DISABLED
            )
    return mode
