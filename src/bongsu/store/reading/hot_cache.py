"""The rows that are not sealed yet, kept from one question to the next: only those that came since are read."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from bongsu.store.layout.hot import HotRow
from bongsu.store.series import Times, Values

_ROWS = 64  # of one block at most: adding to a block copies it
_NEWER = 'SELECT ts, layouts, "values", seq FROM hot WHERE seq > ? ORDER BY seq'
_OLDER = 'SELECT ts, layouts, "values", seq FROM hot WHERE seq < ? AND ts BETWEEN ? AND ? ORDER BY seq'


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """Rows of one width, all with the same layouts, in the order of their arrival."""

    layouts: bytes
    numbers: Times  # seq of each row
    times: Times
    values: Values  # (rows, width)
    earliest: int
    latest: int

    def reaches(self, start: int, end: int) -> bool:
        """Whether a row may be of this time."""
        return self.earliest <= end and self.latest >= start

    def with_more(self, more: Block) -> Block:
        """These rows and those behind them."""
        return Block(
            self.layouts,
            np.concatenate((self.numbers, more.numbers)),
            np.concatenate((self.times, more.times)),
            np.concatenate((self.values, more.values)),
            min(self.earliest, more.earliest),
            max(self.latest, more.latest),
        )


def blocks(rows: Iterable[HotRow]) -> list[Block]:
    """Rows as blocks. One whose values are no whole numbers is left out: nobody can tell them apart."""
    found = []
    together: dict[tuple[bytes, int], list[HotRow]] = {}
    for row in rows:
        if len(row.values) % 8 == 0:
            together.setdefault((row.layouts, len(row.values)), []).append(row)
    for (layouts, size), group in together.items():
        for begin in range(0, len(group), _ROWS):
            some = group[begin : begin + _ROWS]
            values = np.frombuffer(b"".join([row.values for row in some]), "<f8").reshape(len(some), size // 8)
            numbers, times = [row.seq for row in some], [row.ts for row in some]
            found.append(
                Block(layouts, np.array(numbers, np.int64), np.array(times, np.int64), values, min(times), max(times))
            )
    return found


class HotCache:
    """The newest rows of a file, up to ``most_bytes`` of them; older ones are read anew each time.

    Rows never change; those that were sealed meanwhile may be given too, as they are in the segment. Several threads
    may use it.
    """

    def __init__(self, most_bytes: int) -> None:
        self._most = most_bytes
        self._lock = threading.Lock()
        self._views: dict[int, tuple[int, int]] = {}  # first and last row in the file, as connections saw it
        self.clear()

    def clear(self) -> None:
        """Forget everything: the file is another one."""
        with self._lock:
            self._views.clear()
            self._empty()

    def read(self, connection: sqlite3.Connection, start: int, end: int) -> tuple[list[Block], int]:
        """The rows of this time, and the number of the newest row that the file has (-1: none)."""
        lowest, highest = connection.execute("SELECT (SELECT min(seq) FROM hot), (SELECT max(seq) FROM hot)").fetchone()
        if highest is None:
            with self._lock:
                self._views.pop(id(connection), None)
            return [], -1
        with self._lock:
            if not self._continues(connection, lowest, highest):
                self._empty()
                self._floor = lowest  # an older snapshot, in another thread, may still have rows before it
            if highest > self._last[0]:
                self._take(connection, highest)
            self._drop(lowest)
            self._views[id(connection)] = (lowest, highest)
            kept, floor = list(self._blocks), self._floor
        found = [block for block in kept if block.reaches(start, end)]
        if lowest < floor:
            older = connection.execute(_OLDER, (floor, start, end))
            found = [*blocks(HotRow(*row) for row in older), *found]
        return found, highest

    def again(self, connection: sqlite3.Connection, start: int, end: int) -> tuple[list[Block], int] | None:
        """What `read` would say where the file is as it was then for this connection; None: ask it."""
        with self._lock:
            lowest, highest = self._views.get(id(connection), (0, None))
            if highest is None or lowest < self._floor or highest != self._last[0]:
                return None
            return [block for block in self._blocks if block.reaches(start, end)], highest

    def _empty(self) -> None:
        self._blocks: list[Block] = []
        self._floor = 0  # rows below it are not kept
        self._last = (-1, 0)  # seq and ts of the newest row that was read

    def _continues(self, connection: sqlite3.Connection, lowest: int, highest: int) -> bool:
        """Whether the rows in the file follow those that are kept. A writer that finds none counts from 1 again."""
        last, ts = self._last
        if last < lowest:  # those between were sealed before they were read
            return False
        return highest >= last and connection.execute("SELECT ts FROM hot WHERE seq = ?", (last,)).fetchone() == (ts,)

    def _take(self, connection: sqlite3.Connection, highest: int) -> None:
        rows = [HotRow(*row) for row in connection.execute(_NEWER, (self._last[0],))]
        self._last = (highest, rows[-1].ts)
        newest = {block.layouts: place for place, block in enumerate(self._blocks)}
        for block in blocks(rows):
            place = newest.get(block.layouts)
            if place is not None and len(self._blocks[place].times) + len(block.times) <= _ROWS:
                before = self._blocks[place]
                if before.values.shape[1] == block.values.shape[1]:
                    self._blocks[place] = before.with_more(block)
                    continue
            self._blocks.append(block)

    def _drop(self, lowest: int) -> None:
        """Let go of what was sealed, and of the oldest where it is too much."""
        left = sum(block.values.nbytes for block in self._blocks)
        for block in list(self._blocks):
            last = int(block.numbers[-1])
            if last < lowest or left > self._most:
                self._blocks.remove(block)
                self._floor = max(self._floor, last + 1)
                left -= block.values.nbytes
