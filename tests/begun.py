"""Waits until a program that was started is what /proc says of it."""

from __future__ import annotations

import time
from pathlib import Path


def begun(pid: int) -> None:
    """Return once its arguments and environment are in place: execve(2) closes the pipe that Popen waits for before that."""
    until = time.monotonic() + 60
    while not all(Path(f"/proc/{pid}/{name}").read_bytes() for name in ("cmdline", "environ")):
        assert time.monotonic() < until
        time.sleep(0.001)
