"""Minute buckets as a plain reading of the samples gives them, one after the other: what those of the store must be."""

from __future__ import annotations

import math

import numpy as np

from bongsu.store.layout.minutes import Minutes
from bongsu.store.layout.schema import MINUTE_MS

Sample = tuple[int, float]


class Expected:
    """The buckets of one series, worked out one sample after the other."""

    def __init__(self, samples: list[Sample], *, counter: bool) -> None:
        self.ends: list[int] = []
        self.at: list[int] = []
        self.last: list[float] = []
        self.values: list[list[float]] = []
        self.increases: list[list[float]] = []
        self.rates: list[list[float]] = []
        self.covered: list[int] = []
        before: Sample | None = None
        for ts, value in samples:
            end = math.ceil(ts / MINUTE_MS) * MINUTE_MS
            if not self.ends or self.ends[-1] != end:
                self.ends.append(end)
                self.at.append(ts)
                self.last.append(value)
                self.covered.append(0)
                for column in (self.values, self.increases, self.rates):
                    column.append([])
            self.at[-1], self.last[-1] = ts, value
            usable = math.isfinite(value) if counter else not math.isnan(value)
            if usable:
                self.values[-1].append(value)
            if counter and usable and before is not None and math.isfinite(before[1]) and ts - before[0] <= 300_000:
                step = value - before[1] if value >= before[1] else value
                self.increases[-1].append(step)
                self.rates[-1].append(step / ((ts - before[0]) / 1000))
                self.covered[-1] += ts - before[0]
            before = (ts, value)


def _same(found: float, wanted: float, rel: float = 1e-12) -> bool:
    if math.isnan(wanted):
        return math.isnan(found)
    return found == wanted or math.isclose(found, wanted, rel_tol=rel)


def check(found: Minutes, samples: list[Sample], *, counter: bool) -> None:
    """The buckets are those of the samples, which are in order of time; fails where they are not."""
    wanted = Expected(samples, counter=counter)
    assert found.shape.counter is counter
    assert found.shape.ends.tolist() == wanted.ends
    assert found.shape.at.tolist() == wanted.at
    assert found.shape.counts.tolist() == [len(values) for values in wanted.values]
    assert found.last.tobytes() == np.array(wanted.last).tobytes()
    if counter:
        assert found.shape.covered.tolist() == wanted.covered
    for i, values in enumerate(wanted.rates if counter else wanted.values):
        low, high = (min(values), max(values)) if values else (math.nan, math.nan)
        sums = wanted.increases[i] if counter else values
        total = math.fsum(sums) if sums and all(map(math.isfinite, sums)) else sum(sums) if sums else math.nan
        slack = 1e-9 * max([abs(value) for value in sums if math.isfinite(value)], default=0)
        assert _same(found.total[i], total) or abs(found.total[i] - total) <= slack, (i, found.total[i], total)
        assert _same(found.low[i], low, 2e-7 if counter else 0.0)
        assert _same(found.high[i], high, 2e-7 if counter else 0.0)
        if counter and values:
            assert found.low[i] <= low
            assert found.high[i] >= high
