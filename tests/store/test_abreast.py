"""Columns that are decoded side by side are what each is alone."""

from __future__ import annotations

import contextlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bongsu.store.layout import abreast, codec
from bongsu.store.series import STALE


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(0, 30), st.sampled_from([0, 1, 2, 3, 4, 5, 60, 361]))
def test_columns_of_all_kinds_are_decoded_as_alone(seed: int, rows: int, n: int) -> None:
    """Constant or not, decimals, floats' own bits, steps, with exceptions and factors: bit for bit."""
    random = np.random.default_rng(seed)
    values = np.empty((rows, n))
    for row in range(rows):
        kind = random.integers(8)
        steps = random.integers(-(10 ** random.integers(0, 9)), 10 ** random.integers(1, 10), n)
        values[row] = (
            steps if kind == 0 else np.cumsum(steps) if kind == 1 else steps / 10.0 ** random.integers(0, 10)
            if kind == 2 else random.normal(0, 1, n) if kind == 3 else float(random.integers(9)) if kind == 4
            else random.choice([1.5, np.nan, np.inf, STALE, -0.0], n) if kind == 5 else steps * 4096.0
            if kind == 6 else np.where(random.random(n) < 0.03, STALE, steps / 10.0)
        )  # fmt: skip
    blobs = codec.encode_rows(values)
    found = abreast.decode(blobs, n)
    assert found.shape == (rows, n)
    assert found.view(np.uint64).tolist() == np.ascontiguousarray(values).view(np.uint64).tolist()
    assert [row.tobytes() for row in found] == [codec.decode(blob, n).tobytes() for blob in blobs]


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(0, 400), st.integers(0, 255), st.booleans())
def test_damage_is_told_and_nothing_else_is_raised(seed: int, where: int, byte: int, cut: bool) -> None:
    """A byte that is another one, or an end that is missing: a ValueError, or some values."""
    random = np.random.default_rng(seed)
    blobs = codec.encode_rows(np.cumsum(random.integers(0, 10 ** random.integers(1, 15), (3, 60)), axis=1) / 10.0)
    where %= len(blobs[1])
    blobs[1] = blobs[1][:where] if cut else blobs[1][:where] + bytes([byte]) + blobs[1][where + 1 :]
    with contextlib.suppress(ValueError):
        abreast.decode(blobs, 60)


def test_a_column_that_ends_too_early_is_told() -> None:
    """Not taken for shorter, nor for its neighbour's beginning."""
    blobs = codec.encode_rows(np.arange(240.0).reshape(2, 120) ** 2 % 977)
    with pytest.raises(ValueError, match="a column of 120 values is damaged"):
        abreast.decode([blobs[0][:-1], blobs[1]], 120)
    with pytest.raises(ValueError, match="a column of 120 values is damaged"):
        abreast.decode([b"", blobs[1]], 120)
