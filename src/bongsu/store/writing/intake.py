"""Turns batches into hot rows: what is new in them, which series ended, and under which ids."""

from __future__ import annotations

import struct
from array import array
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from bongsu.model import health
from bongsu.model.batch import Batch, Part, Sample
from bongsu.model.metric import MetricSpec
from bongsu.store.layout import hot
from bongsu.store.layout.catalogue import Catalogue
from bongsu.store.layout.hot import HotRow
from bongsu.store.writing.facts import UP

# What Bongsu says about itself changes slowly and is a third of all series: every tick of it is not worth its place.
_SELDOM = frozenset({health.NAME, "agent", "exporter", "store"})
SELDOM_SECONDS = 15.0
_ONE = struct.pack("<d", 1.0)
_SLACK = 0.5  # so that a clock of one second, a little early, does not skip to the sixteenth


class Taken(NamedTuple):
    """A row, and the layouts that stand if it is the newest one (None: the same as before)."""

    row: HotRow
    standing: bytes | None = None


@dataclass(slots=True)
class _Standing:
    """What a collector's newest part was made of. Equal lists of specs and labels mean the same layout again."""

    monotonic: float = float("nan")
    specs: list[MetricSpec] = field(default_factory=list)
    labels: list[tuple[str, ...]] = field(default_factory=list)
    ids: dict[tuple[MetricSpec, tuple[str, ...]], int] = field(default_factory=dict)
    series: tuple[int, ...] = ()
    layout: bytes = b""
    pack: Callable[..., bytes] = bytes  # the values as they are stored
    picks: list[int] | None = None  # the samples that are stored, where not all are
    refused: int = 0
    double: str | None = None  # the name of a metric of which a sample was refused


class Intake:
    """Takes batches one after the other. Not for two threads at once.

    A part that was delivered before (its collector is asked less often than the clock ticks) is not taken again, and
    what Bongsu says about itself only every 15 s. A series that was in its collector's part before and is in no part
    now gets a stale mark. Where two samples of one batch are the same series, the first is taken and the other
    counted in ``doubled``.
    """

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self._standing: dict[str, _Standing] = {}
        self._owners: dict[int, str] = {}  # series → the collector whose part it is in
        self._ended: list[int] = []
        self._changed = True
        self._retry = False  # a refused sample may be taken now
        self._up = b""
        self.newest: int | None = None  # time of the row taken last
        self.doubled = 0
        self.double: str | None = None  # the name of a metric that has one series twice in the newest batch
        self.samples = 0

    @property
    def layouts(self) -> bytes:
        """The ids of all layouts that stand now."""
        return b"".join([self._up, *(standing.layout for standing in self._standing.values())])

    def take(self, batch: Batch, seq: int) -> Taken:
        """The row of one batch."""
        if not self._up:
            series = self._catalogue.series(UP, ())
            self._owners[series] = ""
            self._up = hot.pack_ids(array("i", [self._catalogue.layout([series])]))
        layouts, values = [self._up], [_ONE]
        count = 1
        for part in batch.parts:
            standing = self._standing.get(part.collector)
            if standing is None:
                standing = self._standing[part.collector] = _Standing()
                self._changed = True
            elif part.monotonic == standing.monotonic or _too_soon(part, standing):
                continue
            standing.monotonic = part.monotonic
            samples: Sequence[Sample] = part.samples
            specs = [sample.spec for sample in samples]
            labels = [sample.labels for sample in samples]
            if specs != standing.specs or labels != standing.labels or (self._retry and standing.refused):
                self._lay_out(part.collector, standing, specs, labels)
            self.doubled += standing.refused
            if not standing.layout:
                continue
            if standing.picks is not None:
                samples = [samples[place] for place in standing.picks]
            count += len(samples)
            layouts.append(standing.layout)
            values.append(standing.pack(*[sample.value for sample in samples]))
        if len(batch.parts) < len(self._standing):
            self._end_missing(batch)
        standing_now = None
        if self._changed:
            standing_now = self._settle(layouts, values)
        self.samples += count
        self.newest = round(batch.time * 1000)
        return Taken(HotRow(self.newest, b"".join(layouts), b"".join(values), seq), standing_now)

    def end(self, layouts: bytes, ts: int, seq: int) -> HotRow | None:
        """A row of stale marks for all series of these layouts; None where there are none."""
        known = [
            (number, length)
            for number in hot.unpack_ids(layouts)
            if (length := self._catalogue.layout_length(number)) is not None
        ]
        if not known:
            return None
        numbers = hot.pack_ids(array("i", [number for number, _ in known]))
        return HotRow(ts, numbers, hot.STALE_BYTES * sum(length for _, length in known), seq)

    def _lay_out(
        self, collector: str, standing: _Standing, specs: list[MetricSpec], labels: list[tuple[str, ...]]
    ) -> None:
        """A part holds other series than the one before."""
        before, owners, catalogue = standing.ids, self._owners, self._catalogue
        ids: dict[tuple[MetricSpec, tuple[str, ...]], int] = {}
        for key in zip(specs, labels, strict=True):
            number = before.get(key)
            ids[key] = catalogue.series(*key) if number is None else number
        for number in standing.series:
            del owners[number]
        taken: list[int] = []
        picks: list[int] = []
        standing.double = None
        for place, key in enumerate(zip(specs, labels, strict=True)):
            number = ids[key]
            if number in owners or any(twin in owners for twin in catalogue.twins(number)):
                standing.double = key[0].name
                continue
            owners[number] = collector
            taken.append(number)
            picks.append(place)
        self._ended += set(standing.series).difference(taken)
        standing.specs, standing.labels = specs, labels
        standing.ids = {(specs[place], labels[place]): number for place, number in zip(picks, taken, strict=True)}
        standing.series = tuple(taken)
        standing.layout = hot.pack_ids(array("i", [catalogue.layout(taken)])) if taken else b""
        standing.pack = struct.Struct(f"<{len(taken)}d").pack
        standing.refused = len(specs) - len(picks)
        standing.picks = picks if standing.refused else None
        self._changed = True

    def _end_missing(self, batch: Batch) -> None:
        """Collectors that are not asked any more, as after a reload."""
        present = {part.collector for part in batch.parts}
        for collector in [name for name in self._standing if name not in present]:
            for number in (gone := self._standing.pop(collector)).series:
                del self._owners[number]
            self._ended += gone.series
            self._changed = True

    def _settle(self, layouts: list[bytes], values: list[bytes]) -> bytes:
        """After a change: add the stale marks of what has ended; returns the layouts that stand."""
        ended = self._really_ended()
        if ended:
            layouts.append(hot.pack_ids(array("i", [self._catalogue.layout(ended)])))
            values.append(hot.STALE_BYTES * len(ended))
        self._ended.clear()
        self._retry = bool(ended)
        self.double = next((standing.double for standing in self._standing.values() if standing.double), None)
        self._changed = False
        return self.layouts

    def _really_ended(self) -> Sequence[int]:
        """Not what another collector gives now, and not what goes on under another kind of its metric."""
        owners, twins = self._owners, self._catalogue.twins
        gone: Iterable[int] = (number for number in set(self._ended) if number not in owners)
        return sorted(number for number in gone if not any(twin in owners for twin in twins(number)))


def _too_soon(part: Part, standing: _Standing) -> bool:
    return part.collector in _SELDOM and 0 <= part.monotonic - standing.monotonic < SELDOM_SECONDS - _SLACK
