"""Which times the raw samples cover, so that the coarser tier answers only for the rest."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from bongsu.store.series import Times


class Coverage:
    """Windows ``(t0, t1]`` in Unix ms, joined where they touch."""

    def __init__(self, windows: Iterable[tuple[int, int]]) -> None:
        starts: list[int] = []
        ends: list[int] = []
        for t0, t1 in sorted(windows):
            if ends and t0 <= ends[-1]:
                ends[-1] = max(ends[-1], t1)
            else:
                starts.append(t0)
                ends.append(t1)
        self._starts = np.array(starts, np.int64)
        self._ends = np.array(ends, np.int64)

    @property
    def empty(self) -> bool:
        """Whether there is none."""
        return not self._starts.size

    def has(self, times: Times) -> NDArray[np.bool_]:
        """Which of these times lie in a window."""
        if self.empty:
            return np.zeros(times.shape, np.bool_)
        place = self._starts.searchsorted(times) - 1
        found: NDArray[np.bool_] = (place >= 0) & (times <= self._ends[place])
        return found

    def holds(self, t0: int, t1: int) -> bool:
        """Whether all of ``(t0, t1]`` is covered."""
        place = int(self._starts.searchsorted(t0, "right")) - 1
        return place >= 0 and t1 <= int(self._ends[place])


NOWHERE = Coverage([])
