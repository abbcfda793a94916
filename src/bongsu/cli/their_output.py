"""What the code of other packages prints goes to standard error: standard output is where readings go."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TextIO, cast


@contextmanager
def aside() -> Iterator[None]:
    """While this thread is in here, what it prints goes to standard error; the other threads print where they did.

    Not what it writes to descriptor 1, nor what programs and threads that it starts print.
    """
    with _lock:
        if sys.stdout is not None and not isinstance(sys.stdout, _Output):
            sys.stdout = cast(TextIO, _Output(sys.stdout))
    before, _now.theirs = _now.theirs, True
    try:
        yield
    finally:
        _now.theirs = before


class _Now(threading.local):
    theirs = False


class _Output:
    """Standard output, and standard error where the code of a package runs. Everything of it is one of these two's."""

    def __init__(self, ours: TextIO) -> None:
        self._ours = ours

    def __getattr__(self, name: str) -> Any:
        return getattr(sys.stderr if _now.theirs else self._ours, name)


_lock = threading.Lock()
_now = _Now()
