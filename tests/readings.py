"""Makes batches of a few metrics for tests of those who keep or draw them."""

from __future__ import annotations

from collections.abc import Mapping

from bongsu.model.batch import Absence, Batch, Outcome, Part, Sample, Table
from bongsu.model.message import Message
from bongsu.model.metric import Kind, MetricSpec

HEAT = MetricSpec("bongsu_test_heat_celsius", Kind.GAUGE, "How hot it is.", ("room",), "celsius")
WORK = MetricSpec("bongsu_test_work_total", Kind.COUNTER, "What was done.", ("core", "kind"))
TASKS = MetricSpec("bongsu_test_tasks_total", Kind.COUNTER, "How often.", ("core", "kind"))

Values = Mapping[tuple[MetricSpec, tuple[str, ...]], float]


def part(
    values: Values, at: float, *, collector: str = "test", tables: tuple[Table, ...] = (),
    absences: tuple[Absence, ...] = (), error: Message | None = None,
) -> Part:  # fmt: skip
    """One collector's part, read ``at`` seconds on both clocks (Unix time counts from 1000)."""
    samples = tuple(Sample(spec, labels, value) for (spec, labels), value in values.items())
    outcome = Outcome(collector, 0.001, 0.001, error=error, last_success=None if error else 1000 + at)
    return Part(collector, 1000 + at, at, samples, absences, tables, outcome)


def batch(at: float, *parts: Part) -> Batch:
    """A batch of parts."""
    return Batch(1000 + at, at, parts)


def one(at: float, values: Values) -> Batch:
    """A batch of one part."""
    return batch(at, part(values, at))
