"""Says on stderr how far something long has come, where a person may be watching."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import Self

_EVERY = 0.1  # seconds between two words
_WAITS = 0.5  # what is done sooner needs no word
_CLEAR = "\r\x1b[K"


class Progress:
    """Called with the share that is done, 0 to 1; silent where stderr is no terminal. Its line goes at the end."""

    def __init__(self, doing: str) -> None:
        self._doing = doing
        self._watched = sys.stderr.isatty()
        self._due = time.monotonic() + _WAITS
        self._shown = False

    def __call__(self, share: float) -> None:
        """Take note that this share is done."""
        if self._watched and time.monotonic() >= self._due:
            self._due = time.monotonic() + _EVERY
            self._shown = True
            sys.stderr.write(f"{_CLEAR}bongsu: {self._doing} {100 * min(share, 1.0):.0f} %")
            sys.stderr.flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._shown:
            sys.stderr.write(_CLEAR)
            sys.stderr.flush()
