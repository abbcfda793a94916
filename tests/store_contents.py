"""Reads a store's file for tests, by the tables alone: what is in it, each sample as often as it stands there."""

from __future__ import annotations

import contextlib
import json
import sqlite3
import struct
from array import array
from collections.abc import Iterable
from typing import NamedTuple

from bongsu.store.layout import segments
from bongsu.store.layout.catalogue import Unsaved
from bongsu.store.layout.hot import HotRow, unpack_ids

STALE_BITS = 0x7FF0000000000002
Key = tuple[str, tuple[tuple[str, str], ...]]  # a metric's name, and labels without those that the target gives
TARGET = {"job": "bongsu", "instance": "here"}


class Stored(NamedTuple):
    """A sample: Unix ms, and the value's bits."""

    ts: int
    bits: int

    @property
    def value(self) -> float | None:
        """The value, None for a stale mark."""
        if self.bits == STALE_BITS:
            return None
        (value,) = struct.unpack("<d", struct.pack("<Q", self.bits))
        return float(value)


def samples(path: str, pending: Iterable[HotRow] = (), unsaved: Unsaved | None = None) -> dict[Key, list[Stored]]:
    """All raw samples by series, in order of time; what stands there twice is there twice."""
    found: dict[Key, list[Stored]] = {}
    with contextlib.closing(sqlite3.connect(path)) as file:
        file.execute("BEGIN")
        metrics = dict(file.execute("SELECT id, name FROM metric").fetchall())
        series = {number: (metric, labels) for number, metric, labels in file.execute("SELECT * FROM series")}
        layouts = dict(file.execute("SELECT id, series FROM layout").fetchall())
        if unsaved is not None:
            metrics |= {number: row.name for number, row in unsaved.metrics.items()}
            series |= dict(unsaved.series)
            layouts |= unsaved.layouts
        keys = {number: _key(metrics[metric], labels) for number, (metric, labels) in series.items()}
        rows = [HotRow(*row) for row in file.execute('SELECT ts, layouts, "values", seq FROM hot ORDER BY seq')]
        for row in [*rows, *pending]:
            ids = [one for number in unpack_ids(row.layouts) for one in unpack_ids(layouts[number])]
            bits = array("Q", row.values)
            for number, one in zip(ids, bits, strict=True):
                found.setdefault(keys[number], []).append(Stored(row.ts, one))
        for number, column in segments.read(file, list(keys), -(1 << 60), 1 << 60).items():
            bits_of = column.values.view("<u8").tolist()
            found.setdefault(keys[number], []).extend(map(Stored, column.times.tolist(), bits_of))
    return {key: sorted(values) for key, values in found.items()}


def plain(path: str, name: str, **labels: str) -> list[tuple[float, float | None]]:
    """One series as (seconds since 1000, value or None for a stale mark): the clock of `readings`."""
    key = (name, tuple(sorted(labels.items())))
    return [(round(one.ts / 1000 - 1000, 3), one.value) for one in samples(path).get(key, [])]


def _key(name: str, labels: str) -> Key:
    return name, tuple((label, value) for label, value in json.loads(labels) if TARGET.get(label) != value)
