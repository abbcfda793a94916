"""Decoded chunks of raw samples, kept for the next question: sealed segments never change."""

from __future__ import annotations

import sqlite3
import threading
import zlib
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from bongsu.store.layout import codec, segments
from bongsu.store.layout.packing import get_varint
from bongsu.store.reading.pieces import Piece
from bongsu.store.series import Times, Values

_OVERHEAD = 250  # bytes that a chunk takes besides its values, about


@dataclass(slots=True)
class Decoded:
    """What is known of a segment: its patterns of times, and of each series its pattern and values (None: not in it)."""

    patterns: list[Times]
    columns: dict[int, tuple[int, Values] | None] = field(default_factory=dict)
    size: int = 0

    def pieces(self, ids: Iterable[int]) -> list[Piece]:
        """The samples of these series, which must all be known."""
        found: dict[int, tuple[list[int], list[Values]]] = {}
        for one in ids:
            column = self.columns[one]
            if column is not None:
                pattern, values = column
                rows = found.setdefault(pattern, ([], []))
                rows[0].append(one)
                rows[1].append(values)
        return [Piece(rows[0], self.patterns[pattern], rows[1]) for pattern, rows in found.items()]


def decode(times: bytes, chunks: Iterable[tuple[int, bytes]], ids: Iterable[int]) -> Decoded:
    """What stands in a segment of the series ``ids``: ``times`` is its column, ``chunks`` are by series.

    Raises:
        sqlite3.DatabaseError: it is damaged.
    """
    try:
        decoded = Decoded(segments.decode_patterns(times), dict.fromkeys(ids))
        for one, data in chunks:
            pattern, at = get_varint(data, 0)
            values = codec.decode(data[at:], decoded.patterns[pattern].size)
            decoded.columns[one] = (pattern, values)
            decoded.size += values.nbytes
        decoded.size += _OVERHEAD * len(decoded.columns) + sum(pattern.nbytes for pattern in decoded.patterns)
    except (ValueError, IndexError, zlib.error) as error:
        raise sqlite3.DatabaseError(f"a segment is damaged: {error}") from error
    return decoded


class ChunkCache:
    """Remembers segments up to ``most_bytes``, those used last. Several threads may use it."""

    def __init__(self, most_bytes: int) -> None:
        self._most = most_bytes
        self._bytes = 0
        self._segments: OrderedDict[int, Decoded] = OrderedDict()
        self._lock = threading.Lock()

    def clear(self) -> None:
        """Forget everything: the file is another one."""
        with self._lock:
            self._segments.clear()
            self._bytes = 0

    def known(self, numbers: Iterable[int], ids: Sequence[int]) -> dict[int, Decoded]:
        """Those of these segments in which all these series are known."""
        found = {}
        with self._lock:
            for number in numbers:
                decoded = self._segments.get(number)
                if decoded is not None and all(one in decoded.columns for one in ids):
                    found[number] = decoded
                    self._segments.move_to_end(number)
        return found

    def keep(self, several: dict[int, Decoded]) -> None:
        """Remember segments; not those of a question that would drive out most of the others."""
        if sum(decoded.size for decoded in several.values()) > self._most // 2:
            return
        with self._lock:
            for number, new in several.items():
                old = self._segments.pop(number, None)
                if old is not None:  # others may be reading it: leave it as it is
                    self._bytes -= old.size
                    new = Decoded(old.patterns, {**old.columns, **new.columns}, old.size + new.size)  # noqa: PLW2901  the two in one
                self._segments[number] = new
                self._bytes += new.size
            while self._bytes > self._most:
                self._bytes -= self._segments.popitem(last=False)[1].size
