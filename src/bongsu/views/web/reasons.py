"""Why a chart or a number is empty: what those who read the machine have said of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from bongsu.collectors import COLLECTORS
from bongsu.model.batch import Batch
from bongsu.model.message import Message
from bongsu.model.metric import MetricSpec
from bongsu.model.query import Query
from bongsu.views.printable import printable

_NOTHING_YET = Message("nothing has been read yet")
_NONE = Message("this machine has none")
_NOT_THEN = Message("nothing was read in this time")


def why(queries: Iterable[Query], batch: Batch | None, collector: str = "") -> str:
    """Why there are no values for the queries, nor of the collector of a name, each reason once.

    ``batch`` is what was read last.
    """
    specs = tuple(dict.fromkeys(query.spec for query in queries))
    reasons = [_reason(spec, _collector_of(spec), batch) for spec in specs]
    if collector:
        reasons.append(_reason(None, collector, batch))
    return "; ".join(dict.fromkeys(map(printable, reasons)))


def _reason(spec: MetricSpec | None, name: str | None, batch: Batch | None) -> Message:
    if batch is None:
        return _NOTHING_YET
    part = next((part for part in batch.parts if part.collector == name), None)
    if part is None:
        return _NONE if name is None else Message(
            "the collector {name} is switched off; --collector.{name} switches it on", name=name
        )  # fmt: skip
    if part.outcome.no_data is not None:
        cure = part.outcome.cure
        return part.outcome.no_data if cure is None else Message(
            "{what}; {cure}", what=part.outcome.no_data, cure=cure
        )  # fmt: skip
    if part.outcome.error is not None:
        return Message("the collector {name} failed: {error}", name=name, error=part.outcome.error)
    for absence in part.absences:
        if absence.spec is spec:
            return absence.reason
    return _NOT_THEN if any(sample.spec is spec for sample in part.samples) else _NONE


def _collector_of(spec: MetricSpec) -> str | None:
    found = _OWNERS.get(spec)
    return found or next((name for pattern, name in _PATTERNS.items() if pattern.made(spec)), None)


_OWNERS: Mapping[MetricSpec, str] = {
    spec: collector.name for collector in COLLECTORS for spec in collector.specs if isinstance(spec, MetricSpec)
}
_PATTERNS = {
    spec: collector.name for collector in COLLECTORS for spec in collector.specs if not isinstance(spec, MetricSpec)
}
