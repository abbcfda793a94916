"""What the memory manager counts: paging, swapping, faults, kills."""

from __future__ import annotations

from collections.abc import Iterator

from bongsu.model.batch import Sample
from bongsu.model.filter import compiled
from bongsu.model.metric import Kind, MetricPattern, MetricSpec, Vocabulary
from bongsu.sources.procfs import vmstat
from bongsu.sources.root import Machine

FIELD = MetricPattern(
    "node_vmstat_{}", Kind.UNTYPED, "The field {} of /proc/vmstat.", vocabulary=Vocabulary.NODE_EXPORTER
)


class VmstatCollector:
    """Paging, swapping and page faults from /proc/vmstat; ``fields`` is a regular expression of the names to read."""

    name = "vmstat"
    specs = (FIELD,)
    may_block = False
    on_by_default = True

    def __init__(self, machine: Machine, *, fields: str = "^(oom_kill|pgpg|pswp|pg.*fault).*") -> None:
        wanted = compiled("collector.vmstat.fields", fields)
        self._reader = vmstat.VmstatReader(machine.proc, lambda name: wanted is None or bool(wanted.search(name)))
        self._names: tuple[str, ...] = ()
        self._specs: list[MetricSpec] = []

    def collect(self) -> Iterator[Sample]:
        """A sample per field that is wanted."""
        names, values = self._reader.read()
        if names is not self._names:
            self._specs = [FIELD.spec(name) for name in names]
            self._names = names
        for spec, value in zip(self._specs, values, strict=True):
            yield Sample(spec, (), value)
