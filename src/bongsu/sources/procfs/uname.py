"""/proc/sys/kernel: the names of the machine and its kernel, as uname(2) gives them."""

from __future__ import annotations

import os
from typing import NamedTuple

from bongsu.sources.root import Root


class Kernel(NamedTuple):
    """What does not change while a kernel runs."""

    sysname: str
    release: str
    version: str
    machine: str


def kernel(proc: Root) -> Kernel:
    """Read what kernel it is.

    The machine's architecture is in a file since Linux 6.1; before, it is that of the kernel which runs us.

    Raises:
        OSError: a name cannot be read.
    """
    sysname, release, version = (_name(proc, name) for name in ("ostype", "osrelease", "version"))
    try:
        machine = _name(proc, "arch")
    except FileNotFoundError:
        machine = os.uname().machine
    return Kernel(sysname, release, version, machine)


def names(proc: Root) -> tuple[str, str]:
    """The host's name and its NIS domain, which Python's `os.uname` does not give.

    Raises:
        OSError: one cannot be read.
    """
    return _name(proc, "hostname"), _name(proc, "domainname")


def _name(proc: Root, name: str) -> str:
    return proc.text(f"sys/kernel/{name}").rstrip("\n")
