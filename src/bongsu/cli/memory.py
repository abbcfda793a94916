"""Keeps a process that runs for weeks small: what a large question took is given back to the kernel."""

from __future__ import annotations

import ctypes
import os

# mallopt(3), from malloc.h of glibc
_TRIM_THRESHOLD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -3, -8
_LARGE = 256 * 1024  # bytes; without a fixed limit glibc raises it to the largest block that was ever freed


def stay_small() -> None:
    """Ask the C library to return large blocks at once and to keep few arenas; nothing where it has no such knobs."""
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError):  # another C library than glibc
        return
    for knob, value in ((_MMAP_THRESHOLD, _LARGE), (_TRIM_THRESHOLD, _LARGE), (_ARENA_MAX, 2)):
        mallopt(knob, value)


def import_numpy() -> None:
    """Import numpy without its threads for linear algebra: one for each core, with a buffer each, and we need none.

    The environment is left as it was, since programs that are started from here may want them.
    """
    name = "OPENBLAS_NUM_THREADS"
    before = os.environ.get(name)
    os.environ[name] = "1"
    try:
        import numpy as np  # noqa: F401  it reads the variable when it is imported
    finally:
        if before is None:
            del os.environ[name]
        else:
            os.environ[name] = before
