"""Neighbouring segments' samples, joined and kept: who asks for the last hour asks for it again."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence

import numpy as np

from bongsu.store.reading.pieces import Piece, merged

Numbers = tuple[int, ...]  # of segments, in their order
_OVERHEAD = 500  # bytes that a piece takes besides its samples, about


class Runs:
    """Remembers what questions asked of segments up to ``most_bytes``, those used last. Several threads may use it."""

    def __init__(self, most_bytes: int) -> None:
        self._most = most_bytes
        self._bytes = 0
        self._runs: OrderedDict[tuple[Numbers, tuple[int, ...]], tuple[list[Piece], int]] = OrderedDict()
        self._lock = threading.Lock()

    def clear(self) -> None:
        """Forget everything: the file is another one."""
        with self._lock:
            self._runs.clear()
            self._bytes = 0

    def known(self, numbers: Numbers, ids: Sequence[int]) -> list[Piece] | None:
        """The samples of these series in these segments; None where they must be read and joined."""
        key = (numbers, tuple(ids))
        with self._lock:
            run = self._runs.get(key)
            if run is None:
                return None
            self._runs.move_to_end(key)
        return run[0]

    def joined(self, numbers: Numbers, ids: Sequence[int], pieces: Sequence[Piece]) -> list[Piece]:
        """The pieces of these segments, in their order, as few pieces; kept for the next question."""
        run = _run(pieces)
        size = sum(np.asarray(piece.values).nbytes + piece.times.nbytes + 60 * len(piece.ids) for piece in run)
        size += _OVERHEAD * (1 + len(run))
        key = (numbers, tuple(ids))
        with self._lock:
            if key in self._runs:  # in another thread
                self._bytes -= self._runs.pop(key)[1]
            self._runs[key] = (run, size)
            self._bytes += size
            while self._bytes > self._most:
                self._bytes -= self._runs.popitem(last=False)[1][1]
        return run


def _run(pieces: Sequence[Piece]) -> list[Piece]:
    places: dict[int, list[tuple[int, int]]] = {}
    for number, piece in enumerate(pieces):
        for row, one in enumerate(piece.ids):
            places.setdefault(one, []).append((number, row))
    alike: dict[tuple[int, ...], list[int]] = {}
    for one, found in places.items():
        alike.setdefault(tuple([number for number, _ in found]), []).append(one)
    run = []
    for key, members in alike.items():
        times, picked = merged([pieces[number].times for number in key])
        rows = [np.concatenate([pieces[number].values[row] for number, row in places[one]]) for one in members]
        values = np.stack(rows) if picked is None else np.stack(rows)[:, picked]
        run.append(Piece(members, times, values))
    return run
