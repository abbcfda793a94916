"""/proc/sys/kernel: the names of the machine and its kernel, as uname(2) gives them."""

from __future__ import annotations

import os
from typing import NamedTuple

from bongsu.sources.root import Root


class Uname(NamedTuple):
    """The six fields of uname(2)."""

    sysname: str
    release: str
    version: str
    machine: str
    nodename: str
    domainname: str


def read(proc: Root) -> Uname:
    """Read the names of the machine whose proc this is.

    Python's `os.uname` has no domain name, hence the files. The machine's architecture is in a file since
    Linux 6.1; before, it is that of the kernel which runs us.

    Raises:
        OSError: one cannot be read.
    """
    sysname, release, version, nodename, domainname = (
        proc.text(f"sys/kernel/{name}").rstrip("\n")
        for name in ("ostype", "osrelease", "version", "hostname", "domainname")
    )
    try:
        machine = proc.text("sys/kernel/arch").rstrip("\n")
    except FileNotFoundError:
        machine = os.uname().machine
    return Uname(sysname, release, version, machine, nodename, domainname)
