"""One batch as a row of the table ``hot``, and the bytes that its values and layouts are written as."""

from __future__ import annotations

import struct
import sys
from array import array
from typing import NamedTuple

# The bits of series.STALE as they are written; as bytes, since not every machine passes a signalling NaN on unchanged.
STALE_BYTES = struct.pack("<Q", 0x7FF0000000000002)
ID_BYTES = 4
_SWAP = sys.byteorder == "big"


class HotRow(NamedTuple):
    """One batch. ``ts`` is Unix ms; ``layouts`` and ``values`` are as in `schema.TABLES`; ``seq`` is its number."""

    ts: int
    layouts: bytes
    values: bytes
    seq: int = 0

    @property
    def size(self) -> int:
        """Bytes of memory that it takes, about."""
        return len(self.layouts) + len(self.values) + 250


def pack_ids(ids: array[int]) -> bytes:
    """Ids (an array of type i) as little-endian int32."""
    return _little(ids).tobytes()


def unpack_ids(blob: bytes) -> array[int]:
    """The inverse of `pack_ids`."""
    ids = array("i")
    ids.frombytes(blob)
    return _little(ids)


def _little(numbers: array[int]) -> array[int]:
    if _SWAP:
        numbers = numbers[:]
        numbers.byteswap()
    return numbers
