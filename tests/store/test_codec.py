"""Columns come back bit for bit, and are short where they can be."""

from __future__ import annotations

import contextlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from bongsu.store.layout import codec
from bongsu.store.series import STALE, STALE_BITS, Values

BITS = st.integers(0, 2**64 - 1)
SPECIAL = st.sampled_from(
    [STALE_BITS, 0x7FF8000000000001, 0xFFF8000000000000, 0x7FF0000000000000, 0xFFF0000000000000, 1 << 63, 0, 1, 0x433 << 52]
)  # fmt: skip


def _bits(values: Values) -> list[int]:
    found: list[int] = np.ascontiguousarray(values).view(np.uint64).tolist()
    return found


def _floats(bits: list[int]) -> Values:
    return np.array(bits, dtype=np.uint64).view(np.float64)


def _comes_back(values: Values) -> bytes:
    blob = codec.encode(values)
    assert _bits(codec.decode(blob, values.size)) == _bits(values)
    return blob


@given(st.lists(BITS | SPECIAL, max_size=80))
def test_any_bits_come_back(bits: list[int]) -> None:
    """Whatever 64 bits a value has, NaN payloads and subnormals too, they are the same after."""
    _comes_back(_floats(bits))


@given(st.lists(st.floats(width=64) | st.integers(-(2**70), 2**70).map(float), max_size=80))
def test_any_floats_come_back(values: list[float]) -> None:
    """Huge whole numbers, infinities and fractions side by side are exact."""
    _comes_back(np.array(values, dtype=np.float64))


@given(
    st.integers(0, 9), st.lists(st.integers(-(10**12), 10**12), min_size=1, max_size=80),
    st.lists(st.tuples(st.integers(0, 79), SPECIAL | BITS), max_size=6), st.sampled_from(["/", "*", "//"]),
)  # fmt: skip
def test_decimals_with_exceptions_come_back(
    places: int, numbers: list[int], exceptions: list[tuple[int, int]], how: str
) -> None:
    """Decimals, however they were divided, among which stand stale marks and other odd values."""
    power = 10.0**places
    values = np.array(numbers, dtype=np.float64)
    values = values / power if how == "/" else values * (1 / power) if how == "*" else values / 1000 / 1000
    for where, bits in exceptions:
        values.view(np.uint64)[where % values.size] = bits
    _comes_back(values)


@settings(max_examples=40)
@given(st.integers(0, 2**32 - 1), st.integers(1, 30), st.integers(0, 200))
def test_rows_of_a_matrix_are_encoded_as_alone(seed: int, rows: int, n: int) -> None:
    """A matrix of rows of different kinds gives for each row what the row alone gives."""
    random = np.random.default_rng(seed)
    values = np.empty((rows, n))
    for row in range(rows):
        kind = random.integers(6)
        steps = random.integers(-(10 ** random.integers(0, 9)), 10**9, n)
        values[row] = (
            steps if kind == 0 else np.cumsum(steps) if kind == 1 else steps / 10.0 ** random.integers(0, 10)
            if kind == 2 else random.normal(0, 1, n) if kind == 3 else float(random.integers(9)) if kind == 4
            else random.choice([1.5, np.nan, np.inf, STALE, -0.0], n)
        )  # fmt: skip
    blobs = codec.encode_rows(values)
    for row, blob in enumerate(blobs):
        assert blob == codec.encode(values[row])
        assert _bits(codec.decode(blob, n)) == _bits(values[row])


@given(st.lists(st.integers(-(2**63), 2**63 - 1), max_size=60))
def test_times_come_back(times: list[int]) -> None:
    """Any 64-bit integers are exact, in any order."""
    column = np.array(times, dtype=np.int64)
    assert codec.decode_times(codec.encode_times(column), len(times)).tolist() == times


def _noise(random: np.random.Generator, n: int) -> dict[str, tuple[Values, float]]:
    jumps: NDArray[np.int64] = random.integers(0, 1000, n)
    return {
        "nothing": (np.zeros(n), 3 / n),
        "the same": (np.full(n, 1234567.0), 9 / n),
        "steady counter": (1e9 + 250 * np.arange(n), 14 / n),
        "one decimal": (np.round(random.normal(50, 3, n), 1), 1.05),
        "counter": (np.cumsum(jumps).astype(float), 1.4),
        "hundredths": (np.cumsum(jumps % 100) / 100, 1.05),
        "milliseconds multiplied": (np.cumsum(jumps % 100) * 0.001, 1.05),
        "microseconds divided twice": (np.cumsum(jumps % 100) / 1000 / 1000, 1.05),
        "pages": (4096.0 * (10**6 + random.integers(0, 128, n)), 1.05),
        "thousands": (1000.0 * (10**6 + random.integers(0, 128, n)), 1.05),
        "seldom something": ((random.random(n) < 0.02) * 7.0, 0.3),
        "far apart": (random.choice([0.0, 123456.0], n), 0.35),
        "in turns": (np.tile([3.0, 17.0, 4.0, 90.0], n // 4), 0.06 if n > 99 else 0.6),
        "halves of 32 bits": (random.normal(0, 1, n).astype(np.float32).astype(float), 4.1),
        "noise": (random.normal(100, 10, n), 6.9),
    }


@pytest.mark.parametrize("n", [600, 40])
@pytest.mark.parametrize("kind", list(_noise(np.random.default_rng(0), 40)))
def test_size(kind: str, n: int) -> None:
    """Bytes for each value stay below what its kind needs; a short column pays little for its head."""
    values, most = _noise(np.random.default_rng(1), n)[kind]
    allowed = most * n + (0 if n == 600 else 14)
    assert len(_comes_back(values)) <= allowed


def test_a_stale_mark_costs_little() -> None:
    """One mark in a column of whole numbers does not make it a column of floats."""
    values = np.arange(600.0) % 7
    plain = len(codec.encode(values))
    values[300] = STALE
    assert len(_comes_back(values)) < plain + 24


def test_even_times_take_a_few_bytes() -> None:
    """Times on a grid are a start and a step."""
    assert len(codec.encode_times(np.arange(1_700_000_000_000, 1_700_000_600_000, 1000))) < 14


@pytest.mark.parametrize("blob", [b"", b"\x00", b"\x41\x88\x08\x02\x02xyz", b"\x30\x05\xff\xff"])
def test_damage_is_said(blob: bytes) -> None:
    """Bytes that are no column raise ValueError, nothing else."""
    with pytest.raises(ValueError, match="damaged"):
        codec.decode(blob, 10)


@given(st.binary(max_size=60), st.integers(0, 50))
def test_any_bytes_give_a_column_or_an_error(blob: bytes, n: int) -> None:
    """Decoding garbage never gives another number of values, and never anything but ValueError."""
    with contextlib.suppress(ValueError):
        assert codec.decode(blob, n).size == n
