"""Series that are hard on functions: falls, gaps, NaN and infinities, sums that cancel or overflow, odd histograms."""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Callable, Sequence

import numpy as np

from bongsu.store.series import NAME, STALE, Labels, Series, Times

START = 1_763_000_000_000  # Unix milliseconds
STEP = 15_000
COUNT = 240  # an hour

NAN, INF = math.nan, math.inf
_DATES = [
    0, -1, 1e9, 1e12, -1e13, 951_782_400, 4_102_444_800, 1_709_164_800.5, 1e17, -1e17, 9e18, -9e18, 1e19, -1e19, NAN, INF,
    -62_135_596_801, 1_709_251_199.9,
]  # fmt: skip
_BUCKETS: dict[str, Sequence[str]] = {
    "plain": ["0.1", "0.5", "1", "2.5", "+Inf"],
    "alike": ["0.1", "0.5", "1", "2.5", "+Inf"],
    "below zero": ["-5", "-1", "0", "3", "Inf"],
    "all below zero": ["-3", "-2", "-1", "+Inf"],
    "without an end": ["1", "2"],
    "one bucket": ["+Inf"],
    "bounds twice": ["1", "1.0", "2", "+Inf"],
    "bounds that are none": ["1", "x", "", "+Inf", " 2", "1_0", "1__0", "1e999"],
    "bounds in other words": ["0x1p-1", "2e0", "+Inf", "infinity"],
    "with holes": ["1", "2", "4", "+Inf"],
    "nothing seen": ["1", "2", "+Inf"],
    "with NaN": ["1", "2", "4", "8", "+Inf"],
    "falling": ["1", "2", "4", "8", "+Inf"],
    "off by rounding": ["1", "2", "3", "+Inf"],
}


def everything() -> list[Series]:
    """All series, the same each time."""
    chance = random.Random(5)
    grid = np.arange(START, START + COUNT * STEP, STEP, dtype=np.int64)
    uneven = grid + np.array([chance.randrange(-2_000, 2_000) for _ in range(COUNT)])
    return [*_counters(chance, grid, uneven), *_gauges(chance, grid, uneven), *_histograms(chance, grid)]


def _series(metric: str, times: Times, values: Sequence[float], **labels: str) -> Series:
    all_labels: Labels = tuple(sorted({NAME: metric, **labels}.items()))
    return Series(all_labels, times, np.array(values, dtype=np.float64))


def _counters(chance: random.Random, grid: Times, uneven: Times) -> list[Series]:
    steps = [0.0 if chance.random() < 0.04 else chance.random() * 30 for _ in grid]
    falling = [*itertools.accumulate(steps, lambda total, step: total + step if step else 0.0)]
    some = uneven[[chance.random() < 0.5 for _ in grid]]
    return [
        _series("c_total", grid, falling, i="falls"),
        _series("c_total", grid, [i * 3.0 for i in range(COUNT)], i="even"),
        _series("c_total", uneven, [1e15 + i * 7.25 for i in range(COUNT)], i="large"),
        _series("c_total", grid[100:130], [i + 1.0 for i in range(30)], i="short"),
        _series("c_total", grid[::7], [float(i * i) for i in range(len(grid[::7]))], i="sparse"),
        _series("c_total", some, [float(chance.randrange(5)) for _ in some], i="no counter"),
        _series("c_total", grid, [NAN if i % 31 == 5 else INF if i % 57 == 9 else i for i in range(COUNT)], i="odd"),
        _series("c_total", grid, [STALE if i % 40 == 39 else i * 1.5 for i in range(COUNT)], i="stale"),
        _series("c_total", grid, [i * 0.1 - 5 for i in range(COUNT)], i="negative"),
        _series("one", grid[::2], [float(i) for i in range(120)], a="b"),
        _series("two", grid[:50], [float(i) for i in range(50)], a="b"),
        _series("three", grid[100:], [float(i) for i in range(140)], a="b"),
    ]


def _gauges(chance: random.Random, grid: Times, uneven: Times) -> list[Series]:
    of: dict[str, Callable[[int], float]] = {
        "epoch": lambda _: 1.7e9 + chance.random() * 0.01,
        "constant": lambda _: 0.1,
        "cancelling": lambda i: (1.0, 1e100, 1.0, -1e100)[i % 4],
        "overflowing": lambda i: (1.5e308, 1e308, -1.7e308, 1e308, 3.0)[i % 5],
        "infinite": lambda i: INF if i % 50 == 20 else -INF if i % 90 == 70 else chance.gauss(0, 1),
        "always infinite": lambda _: INF,
        "nan": lambda i: NAN if i % 9 == 4 or 100 < i < 140 else chance.gauss(5, 3),
        "whole": lambda _: float(chance.randrange(-3, 4)),
        "tiny": lambda _: chance.random() * 1e-300,
        "bytes": lambda _: 1e10 + 4096 * chance.randrange(50),
        "dates": lambda i: _DATES[i % len(_DATES)],
        "zeros": lambda i: (-0.0, 0.0)[i % 2],
        "line": lambda i: i / 4 - 30,
    }
    gauges = [_series("g", grid, [value(i) for i in range(COUNT)], k=kind) for kind, value in of.items()]
    return [*gauges, _series("g", uneven, [math.sin(i / 9) * 100 for i in range(COUNT)], k="sine")]


def _histograms(chance: random.Random, grid: Times) -> list[Series]:
    found = []
    for job, bounds in _BUCKETS.items():
        steps = np.array([[chance.randrange(4) for _ in grid] for _ in bounds], dtype=np.float64)
        counts = steps.cumsum(axis=0).cumsum(axis=1)
        every = np.arange(COUNT)
        if job == "nothing seen":
            counts[:] = 0
        elif job == "with NaN":
            counts[every % len(bounds), every] = NAN
        elif job == "falling":
            counts[2, ::3] *= 0.7
            counts[4, ::4] *= 0.99
        elif job == "off by rounding":
            counts[:] = [[1000 * (1 + b // 2) * (1 + (chance.random() - 0.5) * 1e-12) for _ in grid] for b in range(4)]
        for bucket, bound in enumerate(bounds):
            part = slice(None)
            if job == "with holes":
                part = (slice(None), slice(60, 120), slice(None), slice(0, 200))[bucket]
            labels = {"job": job, **({"le": bound} if bound else {})}
            found.append(_series("h_bucket", grid[part], counts[bucket, part].tolist(), **labels))
    return found
