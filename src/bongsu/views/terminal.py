"""Rich's console as our commands need it: a broken pipe is raised, and a COLUMNS that cannot be is as if unset."""

from __future__ import annotations

import os
from typing import IO

from rich.console import Console

_NARROWEST, _WIDEST = 10, 10_000  # columns; what COLUMNS says beyond is no terminal


class Terminal(Console):
    """Prints what we hand it and guesses nothing into it: no markup, emoji or highlighting."""

    def __init__(self, *, file: IO[str] | None = None, soft_wrap: bool = False) -> None:
        environment = {name: value for name, value in os.environ.items() if name != "LINES"}
        columns = environment.get("COLUMNS", "")
        if not (columns.isascii() and columns.isdigit() and _NARROWEST <= int(columns[:9]) <= _WIDEST):
            environment.pop("COLUMNS", None)
        super().__init__(
            file=file, soft_wrap=soft_wrap, highlight=False, markup=False, emoji=False, _environ=environment
        )

    def on_broken_pipe(self) -> None:
        """Leave it to the command line, which ends as all commands do when their reader has gone.

        Raises:
            BrokenPipeError: always.
        """
        self.quiet = True
        raise BrokenPipeError
