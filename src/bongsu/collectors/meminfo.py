"""Memory: every field of /proc/meminfo."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import repeat
from operator import mul

from bongsu.model.batch import Sample
from bongsu.model.metric import Kind, MetricPattern, MetricSpec, Vocabulary
from bongsu.sources.procfs import meminfo
from bongsu.sources.root import Machine

FIELD = MetricPattern(
    "node_memory_{}_bytes", Kind.GAUGE, "Memory, as the field {} of /proc/meminfo.", (), "bytes",
    Vocabulary.NODE_EXPORTER,
)  # fmt: skip
COUNT = MetricPattern(
    "node_memory_{}", Kind.GAUGE, "Number of pages, as the field {} of /proc/meminfo.",
    vocabulary=Vocabulary.NODE_EXPORTER,
)  # fmt: skip

_PARENTHESES = re.compile(r"\((.*)\)")


class MeminfoCollector:
    """Memory in all its uses, from /proc/meminfo."""

    name = "meminfo"
    specs = (FIELD, COUNT)
    may_block = False
    on_by_default = True

    def __init__(self, machine: Machine) -> None:
        self._reader = meminfo.MeminfoReader(machine.proc)
        self._fields: tuple[meminfo.Field, ...] = ()
        self._specs: list[MetricSpec] = []
        self._factors: list[int] = []

    def collect(self) -> Iterator[Sample]:
        """A sample per field; those in kB become bytes."""
        fields, values = self._reader.read()
        if fields is not self._fields:
            self._specs = [_named(field) for field in fields]
            self._factors = [1024 if field.in_kib else 1 for field in fields]
            self._fields = fields
        yield from map(Sample, self._specs, repeat(()), map(mul, values, self._factors))


def _named(field: meminfo.Field) -> MetricSpec:
    """Active(anon) becomes Active_anon."""
    word = _PARENTHESES.sub(r"_\1", field.name)
    return (FIELD if field.in_kib else COUNT).spec(word)
