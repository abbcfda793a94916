"""Whole numbers in as few bits as they need: packed, or through deflate, whichever is shorter."""

from __future__ import annotations

import zlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Unsigned = NDArray[np.uint64]


class Packed:
    """Rows of integers less their smallest, in bits; each list has one item for each row."""

    def __init__(self, level: NDArray[np.int64], spread: NDArray[np.float64]) -> None:
        rows, n = level.shape
        smallest = level.min(axis=1)
        rest = level.view(np.uint64) - smallest.view(np.uint64)[:, None]
        self.base: list[int] = smallest.tolist()
        self.factor = _factors(rest)
        self.width = [most.bit_length() for most in rest.max(axis=1).tolist()]
        self.low = list(self.width)
        self.upper = [b""] * rows
        self.bits = [b""] * rows
        shifts = np.log2(self.factor)
        guesses = np.minimum(spread - 2.5, 52) - shifts  # of a float's bits, sign and exponent are always worth a try
        guesses = guesses.tolist()
        bare = (rest[:, : min(n, 64)]).copy()
        bare.sort(axis=1)
        repeats = ((bare[:, 1:] == bare[:, :-1]).sum(axis=1) * 2 >= bare.shape[1]).tolist()
        for row, width in enumerate(self.width):
            if n * width > 64:  # shorter is not worth a look
                tries = {0} if width <= 8 or repeats[row] else set()
                tries.add(min(max(0, int(guesses[row])), width - 1))
                best = (n * width + 7) // 8
                for low in sorted(tries):
                    upper = _deflate(_bytes_of(rest[row] >> np.uint64(low), width - low))
                    size = len(upper) + 1 + (n * low + 7) // 8
                    if size < best:
                        best, self.low[row], self.upper[row] = size, low, upper
        lows = np.array(self.low)
        for low in np.unique(lows[lows > 0]).tolist():
            here = np.flatnonzero(lows == low)
            for row, bits in zip(here.tolist(), _to_bits(rest[here], low), strict=True):
                self.bits[row] = bits


def _factors(rest: Unsigned) -> list[int]:
    """The largest number that divides a row, where that saves bits; the rows are divided by it."""
    rows = rest.shape[0]
    factors = [1] * rows
    all_bits = np.bitwise_or.reduce(rest, axis=1)
    for row, joined in enumerate(all_bits.tolist()):
        if joined < 16:
            continue
        shift = (joined & -joined).bit_length() - 1
        if shift:
            rest[row] >>= np.uint64(shift)
            factors[row] = 1 << shift
        if joined >> shift > 255 and joined < 1 << 53:  # floats' own bits have no other factor
            some = int(np.gcd.reduce(rest[row, :: max(1, rest.shape[1] // 16)]))
            if some > 1:
                common = int(np.gcd.reduce(rest[row] % np.uint64(some), initial=some))
                if common > 1:
                    rest[row] //= np.uint64(common)
                    factors[row] *= common
    return factors


def _bytes_of(rest: Unsigned, width: int) -> bytes:
    if width <= 8:
        return rest.astype(np.uint8).tobytes()
    planes = (width + 7) // 8
    return rest.astype("<u8").view(np.uint8).reshape(-1, 8)[:, :planes].T.tobytes()


def _deflate(data: bytes) -> bytes:
    quick = zlib.compressobj(6, zlib.DEFLATED, -11, 4, zlib.Z_RLE)
    found = quick.compress(data) + quick.flush()
    if len(found) * 2 < len(data) and len(found) > 16:  # it repeats itself: look further back
        slow = zlib.compressobj(9, zlib.DEFLATED, -13, 6, zlib.Z_FILTERED)
        other = slow.compress(data) + slow.flush()
        if len(other) < len(found):
            return other
    return found


def _to_bits(rest: Unsigned, low: int) -> list[bytes]:
    """The lowest bits of each value, packed row by row."""
    rows, n = rest.shape
    size = 1 if low <= 8 else 2 if low <= 16 else 4 if low <= 32 else 8
    raw = rest.astype(f">u{size}").view(np.uint8).reshape(rows, n * size)
    if low < size * 8:
        bits = np.unpackbits(raw, axis=1).reshape(rows, n, size * 8)[:, :, size * 8 - low :]
        raw = np.packbits(bits.reshape(rows, n * low), axis=1)
    packed = raw.tobytes()
    step = raw.shape[1]
    return [packed[i * step : i * step + step] for i in range(rows)]


def from_bits(data: bytes, rows: int, n: int, low: int) -> Unsigned:
    """A row of ``n`` numbers of ``low`` bits for each of the ``rows`` that `Packed` has packed, one after the other."""
    size = 1 if low <= 8 else 2 if low <= 16 else 4 if low <= 32 else 8
    raw = np.frombuffer(data, np.uint8)
    if low < size * 8:
        bits = np.zeros((rows * n, size * 8), np.uint8)
        bits[:, size * 8 - low :] = np.unpackbits(raw.reshape(rows, -1), axis=1, count=n * low).reshape(-1, low)
        raw = np.packbits(bits.reshape(-1))
    return raw.reshape(rows, -1).view(f">u{size}").astype(np.uint64)


def zigzag(number: int) -> int:
    """A number of any sign as one that is not negative, small where it was near zero."""
    return number << 1 if number >= 0 else ~(number << 1)


def put_varint(blob: bytearray, number: int) -> None:
    """Append a whole number, not negative: seven bits a byte, the lowest first."""
    while number > 127:
        blob.append(number & 127 | 128)
        number >>= 7
    blob.append(number)


def get_varint(blob: bytes, at: int) -> tuple[int, int]:
    """The number that stands there, and where the next thing stands.

    Raises:
        IndexError: the bytes end before it does.
    """
    byte = blob[at]
    if byte < 128:
        return byte, at + 1
    number = byte & 127
    shift = 7
    while True:
        at += 1
        byte = blob[at]
        number |= (byte & 127) << shift
        if byte < 128:
            return number, at + 1
        shift += 7


def joined(blobs: Sequence[bytes]) -> bytes:
    """Blobs in one, each with its length before it."""
    whole = bytearray()
    for blob in blobs:
        put_varint(whole, len(blob))
        whole += blob
    return bytes(whole)
