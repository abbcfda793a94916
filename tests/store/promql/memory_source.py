"""Series in memory as a source for PromQL, written down as promql tests write them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import numpy as np

from bongsu.store.regex import tester
from bongsu.store.series import (
    NAME,
    STALE,
    Described,
    Labels,
    Matcher,
    Selected,
    Series,
    Times,
)


class MemorySource:
    """``add("cpu_total{host='a'}", 60, "1 2 _ 3 stale NaN")``: samples each 60 s from time 0 on; ``_`` is a gap."""

    def __init__(self) -> None:
        self.series: list[Series] = []
        self.asked: list[tuple[Sequence[Matcher], int, int, int, int]] = []
        self._times: dict[tuple[int, ...], Times] = {}

    def add(self, metric: str, every: float, samples: str, *, start: float = 0.0) -> None:
        """One series; ``every`` and ``start`` in seconds."""
        written = samples.split()
        times, values = [], []
        for number, sample in enumerate(written):
            if sample == "_":
                continue
            times.append(round((start + number * every) * 1000))
            values.append(STALE if sample == "stale" else float(sample))
        self.put(labels_of(metric), times, values)

    def put(self, labels: Labels, times: Sequence[int], values: Sequence[float]) -> None:
        """One series from times in ms; series with the same times share them."""
        key = tuple(times)
        shared = self._times.setdefault(key, np.array(times, dtype=np.int64))
        self.series.append(Series(labels, shared, np.array(values, dtype=np.float64)))

    def select(self, matchers: Sequence[Matcher], start: int, end: int, *, step: int = 0, window: int = 0) -> Selected:
        """See ``Source``."""
        self.asked.append((matchers, start, end, step, window))
        return Selected(
            [
                series
                for series in self.series
                if _fits(series.labels, matchers) and ((series.times >= start) & (series.times <= end)).any()
            ]
        )

    def find(self, any_of: Sequence[Sequence[Matcher]], start: int, end: int) -> Sequence[Labels]:
        """See ``Source``."""
        groups = any_of or [()]
        found = [series for group in groups for series in self.select(group, start, end).series]
        return list(dict.fromkeys(series.labels for series in found))

    def describe(self) -> Mapping[str, Sequence[Described]]:
        """See ``Source``."""
        return {dict(series.labels)[NAME]: [Described("unknown", "", "")] for series in self.series}


def labels_of(metric: str) -> Labels:
    """The labels of ``name{a='x', b='y'}``."""
    name, _, rest = metric.partition("{")
    pairs = re.findall(r"""([\w.]+)\s*=\s*['"]([^'"]*)['"]""", rest)
    return tuple(sorted((*([(NAME, name)] if name else []), *pairs)))


def _fits(labels: Labels, matchers: Sequence[Matcher]) -> bool:
    """Whether labels satisfy all matchers."""
    there = dict(labels)
    return all(tester(matcher)(there.get(matcher.name, "")) for matcher in matchers)
