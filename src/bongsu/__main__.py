"""Starts the command line, also as `python -m bongsu`; light, so that a Ctrl-C finds it here and not amid the imports."""

from __future__ import annotations

import sys
from typing import NoReturn

INTERRUPTED = 130  # 128 + SIGINT, what a shell reports for Ctrl-C


def main() -> NoReturn:
    """Import the program and run it; Ctrl-C meanwhile ends it without a word."""
    try:
        from bongsu.cli.main import main as run  # noqa: PLC0415  what takes long happens here

        run()
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)


if __name__ == "__main__":
    main()
