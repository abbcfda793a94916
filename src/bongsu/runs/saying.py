"""Says a line on standard error beside a command that may own it, without ever failing.

Standard library only, as all that the monitor imports.
"""

from __future__ import annotations

import os


def say(line: str) -> None:
    """One line, if anybody listens."""
    text(f"bongsu: {line}\n")


def text(lines: str) -> None:
    """Lines as they are, if anybody listens."""
    data = lines.encode("utf-8", "backslashreplace")
    try:
        while data:
            data = data[os.write(2, data) :]
    except OSError:
        pass
