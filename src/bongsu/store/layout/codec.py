"""Columns of floats or times as few bytes, given back bit for bit.

A column is first made integers: of decimals (12.3 is 123 tenths), or else the bits of the floats.
Of the integers, their differences, or the differences of those,
whichever vary least, the smallest is taken off; what is left goes into as many bits as it needs. The
upper bits go through deflate where that is shorter. Whole matrices are encoded at once, since one
call of numpy costs more than a row of 600 values.

    head       order << 6 | exceptions << 5 | factor << 4 | scale; order 3 is a constant: its bytes follow,
               most significant first, without the zeros at the end
    low        bits that are packed as they are; 128 more if upper bits follow: then their number, one byte
    factor     varint, if the head says so: all differences are multiples of it
    first ...  zigzag varints: the first integer, the first difference, as the order needs; the smallest
    exceptions if the head says so: their number, then the distances between them, varints; the length of
               their values, and those as another column of this kind
    packed     n x low bits, most significant first
    upper      the rest, deflated: all lowest bytes first, then the next
"""

from __future__ import annotations

import zlib
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bongsu.store.layout.packing import Packed, Unsigned, from_bits, get_varint, put_varint, zigzag
from bongsu.store.series import Times, Values

Flags = NDArray[np.bool_]

BITS = 15  # the scale that says: the integers are the floats' own bits
# What the integers are multiplied or divided by, in turn, to give the value again. Readings are divided in just these
# ways by what reads them (disk times are multiplied by 0.001, pressure is divided by 1000 twice), and each way has its
# own last bits.
_SCALES: tuple[tuple[float, ...], ...] = (
    *((10.0**k,) for k in range(10)), (1000.0, 1000.0), (0.001,), (0.01,), (0.000001,), (0.000000001,),
)  # fmt: skip
_MOST = 2.0**53  # integers up to here are exact as floats
_NEGATIVE_ZERO = np.uint64(1 << 63)
CONSTANT, UPPER = 3, 128
FACTOR, ODD = 1 << 4, 1 << 5  # what the head says
_TRIED = 16  # values that a scale is tried on before the whole row is


class Scaled(NamedTuple):
    """Rows as integers, which the scale makes values again, or the floats' bits; ``odd`` marks what that cannot say."""

    integers: NDArray[np.int64]
    scale: NDArray[np.int64]
    odd: Flags | None


def encode(values: Values) -> bytes:
    """One column."""
    return encode_rows(values.reshape(1, -1))[0]


def decode(blob: bytes, n: int) -> Values:
    """The column of ``n`` values that `encode` was given, bit for bit.

    Raises:
        ValueError: the bytes are not such a column.
    """
    try:
        return _decode(blob, n)
    except (IndexError, OverflowError, zlib.error) as error:
        raise ValueError(f"a column of {n} values is damaged: {error}") from error


def encode_times(times: Times) -> bytes:
    """Integers, such as ascending times; shortest where they are evenly spaced."""
    row = np.ascontiguousarray(times, dtype=np.int64).reshape(1, -1)
    return _pack(Scaled(row, np.zeros(1, np.int64), None), row.view(np.float64))[0] if times.size else b""


def decode_times(blob: bytes, n: int) -> Times:
    """What `encode_times` was given.

    Raises:
        ValueError: as `decode`.
    """
    if n == 0:
        return np.empty(0, np.int64)
    try:
        integers, _, _ = _unpack(blob, n)
    except (IndexError, OverflowError, zlib.error) as error:
        raise ValueError(f"a column of {n} times is damaged: {error}") from error
    return integers


def encode_rows(values: Values) -> list[bytes]:
    """Each row of a matrix as `encode` would encode it, much faster."""
    rows, n = values.shape
    if n == 0:
        return [b""] * rows
    values = np.ascontiguousarray(values, dtype=np.float64)
    bits = values.view(np.uint64)
    first = bits[:, 0].astype(">u8").tobytes()
    constant = bytes([CONSTANT << 6])
    found = [constant + first[i * 8 : i * 8 + 8].rstrip(b"\0") for i in range(rows)]
    varying = np.flatnonzero((bits != bits[:, :1]).any(axis=1))
    if varying.size:
        chosen = values if varying.size == rows else values[varying]
        for row, blob in zip(varying.tolist(), _pack(scale(chosen), chosen), strict=True):
            found[row] = blob
    return found


def scale(values: Values) -> Scaled:
    """The integers that stand for each row.

    A scale fits where it gives back every value bit for bit but for a few exceptions: what is not a
    finite number, negative zero, and at most one value in 32.
    """
    rows, n = values.shape
    bits = values.view(np.uint64)
    integers = np.empty((rows, n), np.int64)
    scales = np.full(rows, BITS, np.int64)
    with np.errstate(all="ignore"):
        usual = np.isfinite(values.sum(axis=1))  # else some value is not finite, or the sum is too large: look closely
        number = np.isfinite(values) if not usual.all() else None
        needed = np.full(rows, n) if number is None else number.sum(axis=1)
        places = np.unique(np.linspace(0, n - 1, min(n, _TRIED)).astype(np.int64))
        sample = values[:, places]
        sample_bits = np.ascontiguousarray(sample).view(np.uint64)
        second_best: dict[int, tuple[int, int]] = {}
        open_rows = np.flatnonzero(needed * 2 >= n)
        for k in range(len(_SCALES)):
            if not open_rows.size:
                break
            tried = _exact(sample[open_rows], sample_bits[open_rows], k)[1]
            failed = (~tried & np.isfinite(sample[open_rows])).sum(axis=1)
            likely = open_rows[failed <= 1]
            if not likely.size:
                continue
            rounded, exact = _exact(values[likely], bits[likely], k)
            missed = needed[likely] - exact.sum(axis=1)
            fits = missed == 0
            for row, count in zip(likely[~fits].tolist(), missed[~fits].tolist(), strict=True):
                if count * 32 <= n and count < second_best.get(row, (n, 0))[0]:
                    second_best[row] = (count, k)
            done = likely[fits]
            scales[done] = k
            integers[done] = rounded[fits].astype(np.int64)
            open_rows = np.setdiff1d(open_rows, done, assume_unique=True)
        for row, (_, k) in second_best.items():
            if scales[row] == BITS:
                scales[row] = k
                integers[row] = _exact(values[row], bits[row], k)[0].astype(np.int64)
        by_bits = scales == BITS
        if by_bits.any():
            integers[by_bits] = bits[by_bits].view(np.int64)
        odd = None
        if second_best or number is not None:
            odd = np.zeros((rows, n), np.bool_)
            for k in np.unique(scales[~by_bits]).tolist():
                odd[scales == k] = descaled(integers[scales == k], k).view(np.uint64) != bits[scales == k]
            if odd.any():
                _fill(integers, odd)
            else:
                odd = None
    return Scaled(integers, scales, odd)


def _exact(values: Values, bits: Unsigned, scale: int) -> tuple[Values, Flags]:
    """The integers that come nearest, as floats, and which of them give the value back."""
    factors = _SCALES[scale]
    rounded = np.rint(values * factors[0] if factors[0] >= 1 else values / factors[0])
    if len(factors) > 1:
        rounded = np.rint(values * (factors[0] * factors[1]))
    # rint keeps the sign of zero, the integer does not
    exact = (descaled(rounded, scale).view(np.uint64) == bits) & (bits != _NEGATIVE_ZERO)
    exact &= np.abs(rounded) <= _MOST
    return rounded, exact


def descaled(integers: NDArray[np.int64] | Values, scale: int) -> Values:
    """The values that these integers stand for in a scale, any but BITS."""
    values: Values = integers.astype(np.float64)
    if scale:
        for factor in _SCALES[scale]:
            values = values / factor if factor >= 1 else values * factor
    return values


def _fill(integers: NDArray[np.int64], odd: Flags) -> None:
    """Put what stands before an exception in its place, so that it makes no step."""
    n = integers.shape[1]
    for row in np.flatnonzero(odd.any(axis=1)).tolist():
        good = np.flatnonzero(~odd[row])
        if good.size == 0:
            integers[row] = 0
            continue
        from_where = np.searchsorted(good, np.arange(n), side="right") - 1
        integers[row] = integers[row, good[np.maximum(from_where, 0)]]


def _pack(scaled: Scaled, values: Values) -> list[bytes]:
    integers = scaled.integers
    rows, n = integers.shape
    levels = [integers]
    if n > 1:
        levels.append(integers[:, 1:] - integers[:, :-1])
    if n > 3:
        levels.append(levels[1][:, 1:] - levels[1][:, :-1])
    costs = np.stack([_spread(level) + 0.25 * i for i, level in enumerate(levels)])
    # differences of floats' bits mean nothing across zero
    costs[1:, (scaled.scale == BITS) & ((integers < 0).any(axis=1) != (integers < 0).all(axis=1))] = np.inf
    order = costs.argmin(axis=0)
    blobs: list[bytes] = [b""] * rows
    for which, level in enumerate(levels):
        here = np.flatnonzero(order == which)
        if not here.size:
            continue
        starts = [levels[i][here, 0].tolist() for i in range(which)]
        packed = Packed(level if here.size == rows else level[here], costs[which, here])
        scales = scaled.scale[here].tolist()
        for i, row in enumerate(here.tolist()):
            odd = None if scaled.odd is None else np.flatnonzero(scaled.odd[row])
            blob = bytearray((which << 6 | scales[i], packed.low[i]))
            if packed.upper[i]:
                blob[1] |= UPPER
                blob.append(packed.width[i] - packed.low[i])
            if packed.factor[i] > 1:
                blob[0] |= FACTOR
                put_varint(blob, packed.factor[i])
            for start in starts:
                put_varint(blob, zigzag(start[i]))
            put_varint(blob, zigzag(packed.base[i]))
            if odd is not None and odd.size:
                blob[0] |= ODD
                _put_exceptions(blob, odd, values[row])
            blob += packed.bits[i]
            blob += packed.upper[i]
            blobs[row] = bytes(blob)
    return blobs


def _put_exceptions(blob: bytearray, odd: NDArray[np.intp], values: Values) -> None:
    put_varint(blob, odd.size)
    for distance in np.diff(odd, prepend=0).tolist():
        put_varint(blob, distance)
    inner = encode(values[odd])
    put_varint(blob, len(inner))
    blob += inner


def _spread(level: NDArray[np.int64]) -> NDArray[np.float64]:
    """About how many bits a value of each row takes beyond the usual: the mean logarithm of the distance to the middle."""
    floats = level.astype(np.float64)
    floats -= floats.mean(axis=1, keepdims=True)
    np.abs(floats, out=floats)
    floats += 1.0
    logarithms = floats.view(np.int64)  # the exponent, and a fraction that is straight where the logarithm is bent
    result: NDArray[np.float64] = logarithms.mean(axis=1) * 2.0**-52 - 1023.0
    return result


def constant(blob: bytes) -> int | None:
    """The bits of the value that an encoded column repeats; None if it holds several or none."""
    if blob and blob[0] >> 6 == CONSTANT:
        return int.from_bytes(blob[1:9].ljust(8, b"\0"), "big")
    return None


def _decode(blob: bytes, n: int) -> Values:
    if n == 0:
        return np.empty(0)
    same = constant(blob)
    if same is not None:
        return np.full(n, same, np.uint64).view(np.float64)
    integers, power, odd = _unpack(blob, n)
    values = integers.view(np.float64) if power == BITS else descaled(integers, power)
    if odd is not None:
        values[odd[0]] = odd[1]
    return values


def _unpack(blob: bytes, n: int) -> tuple[NDArray[np.int64], int, tuple[NDArray[np.intp], Values] | None]:
    head, low, at = blob[0], blob[1], 2
    order = head >> 6
    width = 0
    if low & UPPER:
        low &= UPPER - 1
        width = blob[2]
        at = 3
    factor = 1
    if head & FACTOR:
        factor, at = get_varint(blob, at)
    starts = []
    for _ in range(order + 1):
        start, at = get_varint(blob, at)
        starts.append(start >> 1 ^ -(start & 1))
    odd = None
    if head & ODD:
        count, at = get_varint(blob, at)
        where = []
        for _ in range(count):
            distance, at = get_varint(blob, at)
            where.append(distance)
        length, at = get_varint(blob, at)
        odd = (np.cumsum(where, dtype=np.intp), _decode(blob[at : at + length], count))
        at += length
    count = n - order
    size = (count * low + 7) // 8
    if low > 64 or width > 64 or count < 0 or at + size > len(blob):
        raise IndexError("it ends too early")
    rest = from_bits(blob[at : at + size], 1, count, low)[0] if low else None
    if width:
        planes = (width + 7) // 8
        raw = np.frombuffer(zlib.decompress(blob[at + size :], -15, planes * count), np.uint8)
        if planes == 1:
            upper = raw.astype(np.uint64)
        else:
            wide = np.zeros((count, 8), np.uint8)
            wide[:, :planes] = raw.reshape(planes, count).T
            upper = wide.view("<u8").reshape(-1)
        rest = upper if rest is None else rest | upper << np.uint64(low)
    if rest is None:
        rest = np.zeros(count, np.uint64)
    integers = rest.view(np.int64)
    if factor > 1:
        integers *= np.uint64(factor).astype(np.int64)  # 1 << 63 is one
    integers += np.int64(starts[-1])
    for start in reversed(starts[:-1]):
        longer = np.empty(integers.size + 1, np.int64)
        longer[0] = start
        longer[1:] = integers
        integers = longer.cumsum(out=longer)
    return integers, head & 15, odd
