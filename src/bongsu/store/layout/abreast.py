"""Decodes columns of one length side by side: a call of numpy for many of them costs little more than one for each."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from bongsu.store.layout import codec
from bongsu.store.layout.packing import Unsigned, from_bits, get_varint
from bongsu.store.series import Values

_CONSTANT = codec.CONSTANT << 6


class _Member(NamedTuple):
    """A column whose head has been read: the row that it goes to, and what is its own."""

    row: int
    scale: int
    low: int  # bits that are packed
    planes: int  # bytes of the upper ones
    factor: int
    starts: list[int]  # the first integers, and the smallest
    rest: bytes


def decode(blobs: Sequence[bytes], n: int) -> Values:
    """A row for each column of ``n`` values, as `codec.decode` gives it alone.

    Raises:
        ValueError: one of them is not such a column.
    """
    values = np.empty((len(blobs), n))
    if n == 0:
        return values
    constant: dict[int, int] = {}
    by_order: tuple[list[_Member], ...] = ([], [], [])
    try:
        for row, blob in enumerate(blobs):
            head = blob[0]
            if head >= _CONSTANT:
                constant[row] = int.from_bytes(blob[1:9].ljust(8, b"\0"), "big")
            elif head & codec.ODD:
                values[row] = codec.decode(blob, n)
            else:
                by_order[head >> 6].append(_member(row, blob))
        bits = values.view(np.uint64)
        bits[list(constant)] = np.array(list(constant.values()), np.uint64)[:, None]
        for order, members in enumerate(by_order):
            if members:
                _together(values, members, order)
    except (IndexError, OverflowError, zlib.error) as error:
        raise ValueError(f"a column of {n} values is damaged: {error}") from error
    return values


def _member(row: int, blob: bytes) -> _Member:
    head, low, at, planes, factor = blob[0], blob[1], 2, 0, 1
    if low >= codec.UPPER:
        low -= codec.UPPER
        planes = (blob[2] + 7) // 8
        at = 3
    if head & codec.FACTOR:
        factor, at = get_varint(blob, at)
    starts = []
    for _ in range((head >> 6) + 1):
        start, at = get_varint(blob, at)
        starts.append(start >> 1 ^ -(start & 1))
    if low > 64 or planes > 8:
        raise IndexError("it has too many bits")
    return _Member(row, head & 15, low, planes, factor, starts, blob[at:])


def _together(values: Values, members: Sequence[_Member], order: int) -> None:
    """Fill the rows of the members, whose differences of this order are kept."""
    count = values.shape[1] - order
    integers = np.zeros((len(members), values.shape[1]), np.int64)
    rest = integers[:, order:]
    _fill(rest.view(np.uint64), members, count)
    scaled = [place for place, one in enumerate(members) if one.factor > 1]
    if scaled:
        rest[scaled] *= np.array([members[place].factor for place in scaled], np.uint64).view(np.int64)[:, None]
    starts = np.array([one.starts for one in members], np.int64)
    rest += starts[:, -1:]
    for level in reversed(range(order)):
        integers[:, level] = starts[:, level]
        np.cumsum(integers[:, level:], axis=1, out=integers[:, level:])
    for scale, places in _by(members, "scale").items():
        some = integers[places]
        made = some.view(np.float64) if scale == codec.BITS else codec.descaled(some, scale)
        values[[members[place].row for place in places]] = made


def _fill(rest: Unsigned, members: Sequence[_Member], count: int) -> None:
    """The integers less the smallest of each row."""
    wide = np.zeros((len(members), count, 8), np.uint8)
    upper = wide.view("<u8")[:, :, 0]
    for place, one in enumerate(members):
        if one.planes:
            size = (count * one.low + 7) // 8
            data = zlib.decompress(one.rest[size:] if size else one.rest, -15, one.planes * count)
            wide[place, :, : one.planes] = np.frombuffer(data, np.uint8).reshape(one.planes, count).T
    rest[...] = upper
    for low, places in _by(members, "low").items():
        if low:
            size = (count * low + 7) // 8
            data = b"".join([members[place].rest[:size] for place in places])
            rest[places] = rest[places] << np.uint64(low) | from_bits(data, len(places), count, low)


def _by(members: Sequence[_Member], name: str) -> dict[int, list[int]]:
    """The places of the members by one of their numbers."""
    found: dict[int, list[int]] = {}
    for place, one in enumerate(members):
        found.setdefault(getattr(one, name), []).append(place)
    return found
