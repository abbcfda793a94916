"""Starts the command line: `python -m bongsu`."""

from __future__ import annotations

from bongsu.cli.main import main

if __name__ == "__main__":
    main()
