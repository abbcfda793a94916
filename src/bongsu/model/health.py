"""What Bongsu says about itself: how each collector and sink fares."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import msgspec

from bongsu.model.batch import Outcome, Sample, Table
from bongsu.model.message import Message
from bongsu.model.metric import Kind, MetricSpec, Vocabulary

NAME = "self"

DURATION = MetricSpec(
    "bongsu_collector_duration_seconds", Kind.GAUGE, "How long the collector's newest collection took.",
    ("collector",), "seconds",
)  # fmt: skip
CPU = MetricSpec(
    "bongsu_collector_cpu_seconds_total", Kind.COUNTER, "CPU time that the collector has used in this process.",
    ("collector",), "seconds",
)  # fmt: skip
SUCCESS = MetricSpec(
    "bongsu_collector_success", Kind.GAUGE,
    "1 if the newest collection read all there was (also when there was nothing), 0 if it failed or timed out.",
    ("collector",),
)  # fmt: skip
HAS_DATA = MetricSpec(
    "bongsu_collector_has_data", Kind.GAUGE, "0 if this machine has none of what the collector reads.",
    ("collector",),
)  # fmt: skip
FAILURES = MetricSpec("bongsu_collector_failures_total", Kind.COUNTER, "Collections that failed.", ("collector",))
TIMEOUTS = MetricSpec(
    "bongsu_collector_timeouts_total",
    Kind.COUNTER,
    "Collections abandoned at their deadline.",
    ("collector",),
)
LAST_SUCCESS = MetricSpec(
    "bongsu_collector_last_success_timestamp_seconds", Kind.GAUGE,
    "Unix time of the newest collection that succeeded; absent if none did.", ("collector",), "seconds",
)  # fmt: skip
SINK_DURATION = MetricSpec(
    "bongsu_sink_duration_seconds", Kind.GAUGE, "How long the newest delivery took.", ("sink",), "seconds"
)
SINK_DELIVERIES = MetricSpec("bongsu_sink_deliveries_total", Kind.COUNTER, "Deliveries tried.", ("sink",))
SINK_FAILURES = MetricSpec("bongsu_sink_failures_total", Kind.COUNTER, "Deliveries that failed.", ("sink",))
NODE_DURATION = MetricSpec(
    "node_scrape_collector_duration_seconds", Kind.GAUGE,
    "The same as bongsu_collector_duration_seconds, under the name that dashboards know.",
    ("collector",), "seconds", Vocabulary.NODE_EXPORTER,
)  # fmt: skip
NODE_SUCCESS = MetricSpec(
    "node_scrape_collector_success", Kind.GAUGE, "1 if the collector gave data, else 0 (also where there is none).",
    ("collector",), vocabulary=Vocabulary.NODE_EXPORTER,
)  # fmt: skip

SPECS = (
    DURATION, CPU, SUCCESS, HAS_DATA, FAILURES, TIMEOUTS, LAST_SUCCESS, SINK_DURATION, SINK_DELIVERIES,
    SINK_FAILURES, NODE_DURATION, NODE_SUCCESS,
)  # fmt: skip


@dataclass(slots=True)
class Counts:
    """What a collector has cost and missed since the start."""

    cpu_seconds: float = 0.0
    failures: int = 0
    timeouts: int = 0


@dataclass(slots=True)
class SinkCounts:
    """How a sink's deliveries went since the start."""

    seconds: float = 0.0
    deliveries: int = 0
    failures: int = 0
    error: Message | None = None


class SinkFailure(msgspec.Struct, frozen=True):
    """A sink whose newest delivery failed, as a row of the live table `SINK_FAILURES_TABLE`."""

    sink: str
    error: Message


SINK_FAILURES_TABLE = "sink failures"


def failures(sinks: Mapping[str, SinkCounts]) -> tuple[Table, ...]:
    """The table of those that fail now; none where all is well."""
    rows = tuple(SinkFailure(name, sink.error) for name, sink in sinks.items() if sink.error is not None)
    return (Table(SINK_FAILURES_TABLE, rows),) if rows else ()


def samples(
    outcomes: Iterable[Outcome], counts: Mapping[str, Counts], sinks: Mapping[str, SinkCounts]
) -> Iterator[Sample]:
    """The self-metrics of one batch."""
    for outcome in outcomes:
        label = (outcome.collector,)
        count = counts[outcome.collector]
        has_data = outcome.no_data is None
        yield Sample(DURATION, label, outcome.seconds)
        yield Sample(CPU, label, count.cpu_seconds)
        yield Sample(SUCCESS, label, int(outcome.success))
        yield Sample(HAS_DATA, label, int(has_data))
        yield Sample(FAILURES, label, count.failures)
        yield Sample(TIMEOUTS, label, count.timeouts)
        if outcome.last_success is not None:
            yield Sample(LAST_SUCCESS, label, outcome.last_success)
        yield Sample(NODE_DURATION, label, outcome.seconds)
        yield Sample(NODE_SUCCESS, label, int(outcome.success and has_data))
    for name, sink in sinks.items():
        label = (name,)
        yield Sample(SINK_DURATION, label, sink.seconds)
        yield Sample(SINK_DELIVERIES, label, sink.deliveries)
        yield Sample(SINK_FAILURES, label, sink.failures)
