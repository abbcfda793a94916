"""Runs the programs of the host that make the cluster, and says what they said when they fail."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path


class ClusterError(Exception):
    """Something of the cluster could not be made, with what the program said."""


def run(
    *command: str | Path,
    text: str | None = None,
    check: bool = True,
    timeout: float = 120,
    cwd: Path | None = None,
) -> str:
    """What a command writes to its output; ``text`` is its input.

    Raises:
        ClusterError: it failed and ``check`` is set, or took more than ``timeout`` seconds.
    """
    argv = [str(word) for word in command]
    try:
        done = subprocess.run(
            argv, input=text or "", capture_output=True, text=True, errors="surrogateescape",
            check=False, timeout=timeout, cwd=cwd,
        )  # fmt: skip
    except subprocess.TimeoutExpired as error:
        raise ClusterError(f"no end after {timeout:g} s: {_shown(argv)}\n{_tail(error.stdout)}") from None
    if check and done.returncode:
        raise ClusterError(f"failed with {done.returncode}: {_shown(argv)}\n{done.stdout[-2000:]}{done.stderr[-3000:]}")
    return done.stdout


def _shown(argv: Sequence[str]) -> str:
    return " ".join(argv)[:400]


def _tail(output: bytes | str | None) -> str:
    return output.decode(errors="replace")[-2000:] if isinstance(output, bytes) else (output or "")[-2000:]
