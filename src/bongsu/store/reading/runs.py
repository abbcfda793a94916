"""Neighbouring segments' samples, joined and kept: who asks for the last hour asks for it again."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence

import numpy as np

from bongsu.store.reading.chunk_cache import OVERHEAD, Decoded
from bongsu.store.reading.pieces import Piece, merged
from bongsu.store.series import Times, Values

Numbers = tuple[int, ...]  # of segments, in their order


class Runs:
    """Remembers joined segments up to ``most_bytes``, those used last. Several threads may use it."""

    def __init__(self, most_bytes: int) -> None:
        self._most = most_bytes
        self._bytes = 0
        self._runs: OrderedDict[Numbers, Decoded] = OrderedDict()
        self._lock = threading.Lock()

    def clear(self) -> None:
        """Forget everything: the file is another one."""
        with self._lock:
            self._runs.clear()
            self._bytes = 0

    def known(self, numbers: Numbers, ids: Sequence[int]) -> list[Piece] | None:
        """The samples of these series in these segments; None where they must be read and joined."""
        with self._lock:
            run = self._runs.get(numbers)
            if run is None or not all(one in run.columns for one in ids):
                return None
            self._runs.move_to_end(numbers)
        return run.pieces(ids)

    def joined(self, numbers: Numbers, ids: Sequence[int], pieces: Sequence[Piece]) -> list[Piece]:
        """The pieces of these segments, in their order, as few pieces; kept for the next question."""
        run = _run(ids, pieces)
        with self._lock:
            old = self._runs.pop(numbers, None)
            if old is not None:  # others may be reading it: leave it as it is
                self._bytes -= old.size
                run = _both(old, run)
            self._runs[numbers] = run
            self._bytes += run.size
            while self._bytes > self._most:
                self._bytes -= self._runs.popitem(last=False)[1].size
        return run.pieces(ids)


def _run(ids: Sequence[int], pieces: Sequence[Piece]) -> Decoded:
    places: dict[int, list[tuple[int, int]]] = {}
    for number, piece in enumerate(pieces):
        for row, one in enumerate(piece.ids):
            places.setdefault(one, []).append((number, row))
    run = Decoded([], dict.fromkeys(ids))
    made: dict[tuple[int, ...], int] = {}
    picks = []
    for one, found in places.items():
        key = tuple([number for number, _ in found])
        if key not in made:
            made[key] = len(run.patterns)
            times, picked = merged([pieces[number].times for number in key])
            run.patterns.append(times)
            picks.append(picked)
        picked = picks[made[key]]
        values: Values = np.concatenate([pieces[number].values[row] for number, row in found])
        values = values if picked is None else values[picked]
        run.columns[one] = (made[key], values)
        run.size += values.nbytes
    run.size += OVERHEAD * len(run.columns) + sum(times.nbytes for times in run.patterns)
    return run


def _both(old: Decoded, new: Decoded) -> Decoded:
    """What is known of one run from two questions; series of the same times share them."""
    patterns = list(old.patterns)
    moved = [_place(patterns, times) for times in new.patterns]
    columns = {one: None if column is None else (moved[column[0]], column[1]) for one, column in new.columns.items()}
    return Decoded(patterns, {**old.columns, **columns}, old.size + new.size)


def _place(patterns: list[Times], times: Times) -> int:
    for place, known in enumerate(patterns):
        if np.array_equal(known, times):
            return place
    patterns.append(times)
    return len(patterns) - 1
