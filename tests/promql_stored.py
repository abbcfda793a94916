"""Series of samples put into a real store, through its writer, as batches that collectors gave."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from bongsu.model.batch import Batch, Outcome, Part, Sample
from bongsu.model.metric import Kind, MetricSpec, Vocabulary
from bongsu.store.reading.reader import Reader
from bongsu.store.series import NAME, Series, is_stale
from bongsu.store.writing.writer import Writer


@dataclass
class _Collector:
    """Series that are read at the same times."""

    times: set[int] = field(default_factory=set)
    columns: list[tuple[MetricSpec, tuple[str, ...], Series, dict[int, int]]] = field(default_factory=list)

    def part(self, name: str, at: int) -> Part:
        """What it gives at this time: a stale mark is a series that is not there any more."""
        samples = []
        for spec, labels, series, places in self.columns:
            place = places.get(at)
            if place is not None and not is_stale(series.values[place : place + 1])[0]:
                samples.append(Sample(spec, labels, float(series.values[place])))
        return Part(name, at / 1000, at / 1000, tuple(samples), (), (), Outcome(name, 0.0, 0.0))


@contextlib.contextmanager
def stored(folder: Path, series: Sequence[Series]) -> Iterator[Reader]:
    """A reader of a store that holds the series: most of it sealed, some not yet, the newest not even committed."""
    writer = fill(folder, series)
    assert writer.pending()
    reader = Reader(writer.path, writer.pending, writer.unsaved)
    try:
        yield reader
    finally:
        reader.close()
        writer.close()


def fill(folder: Path, series: Sequence[Series]) -> Writer:
    """The writer of a store in that folder, which was given the series."""
    batches = list(_batches(series))
    writer = Writer(str(folder / "history.db"), labels={}, threaded=False)
    for number, batch in enumerate(batches):
        writer.write(batch)
        if number % 50 == 0 and number < len(batches) * 0.9:
            assert writer.flush(), writer.problem
    return writer


def own(series: Sequence[Series]) -> Series:
    """What the writer adds: ``up`` is 1 for every batch."""
    times = np.unique(np.concatenate([one.times for one in series]))
    return Series(((NAME, "up"),), times, np.ones(len(times)))


def _batches(series: Sequence[Series]) -> Iterator[Batch]:
    names: dict[str, set[str]] = {}
    for one in series:
        names.setdefault(dict(one.labels)[NAME], set()).update(label for label, _ in one.labels if label != NAME)
    specs = {
        name: MetricSpec(
            name, Kind.COUNTER if name.endswith("_total") else Kind.GAUGE, "A sample of the tests.",
            tuple(sorted(labels)), vocabulary=Vocabulary.FILE,
        )
        for name, labels in names.items()
    }  # fmt: skip
    collectors: dict[object, _Collector] = {}
    for one in series:
        labels = dict(one.labels)
        spec = specs[labels[NAME]]
        # Those of one target are of one collector, which is read at all their times: so what vanishes is marked.
        key: object = labels.get("instance") or tuple(one.times.tolist())
        collector = collectors.setdefault(key, _Collector())
        collector.times.update(one.times.tolist())
        places = {at: place for place, at in enumerate(one.times.tolist())}
        collector.columns.append((spec, tuple(labels.get(name, "") for name in spec.labels), one, places))
    last: dict[str, Part] = {}
    due: dict[int, list[tuple[str, _Collector]]] = {}
    for number, collector in enumerate(collectors.values()):
        for at in collector.times:
            due.setdefault(at, []).append((f"c{number}", collector))
    for at in sorted(due):
        for name, collector in due[at]:
            last[name] = collector.part(name, at)
        yield Batch(at / 1000, at / 1000, tuple(last.values()))  # the others are repeated, as the pipeline does it
