"""Builds the part of /sys that a machine with certain devices has."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from bongsu.sources.root import Machine

Files = dict[str, str | bytes | int | None]


def build(sys: Path, files: Mapping[str, str | bytes | int | None]) -> Machine:
    """Files by path below ``sys``; a text that begins with ``->`` is a link, None a file that answers EIO.

    The machine has an empty /proc beside it.
    """
    for name, content in files.items():
        path = sys / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if content is None:
            os.symlink("/proc/self/mem", path)  # nothing is mapped at 0
        elif isinstance(content, str) and content.startswith("->"):
            os.symlink(content[2:], path)
        else:
            path.write_bytes(content if isinstance(content, bytes) else f"{content}\n".encode())
    proc = sys.parent / "proc"
    proc.mkdir(exist_ok=True)
    (proc / "stat").touch()
    sys.mkdir(exist_ok=True)
    return Machine.at(procfs=str(proc), sysfs=str(sys))
