"""Rates for one viewer."""

from __future__ import annotations

import pytest

from bongsu.model.batch import Batch, Outcome, Part, Sample, Table
from bongsu.model.metric import Kind, MetricSpec
from bongsu.model.process import ProcessRow
from bongsu.views.rates import Rates

COUNT = MetricSpec("demo_bytes_total", Kind.COUNTER, "Bytes.", ("device",), "bytes")


def batch(monotonic: float, values: dict[str, float], rows: tuple[ProcessRow, ...] = ()) -> Batch:
    samples = tuple(Sample(COUNT, (name,), value) for name, value in values.items())
    tables = (Table("processes", rows),) if rows else ()
    outcome = Outcome("demo", 0.0, 0.0)
    return Batch(1e9 + monotonic, monotonic, (Part("demo", 1e9 + monotonic, monotonic, samples, (), tables, outcome),))


def row(pid: int, ticks: int, cpu: float, read: int | None = 0, started: float = 0.0) -> ProcessRow:
    return ProcessRow(pid, 1, "u", 1, "x", "S", started, ticks, 1, cpu, 0, 0, read, 0)


def test_rate_is_gain_over_monotonic_seconds() -> None:
    """A rate needs two parts, and is the gain over the seconds between them."""
    rates = Rates()
    rates.take(batch(10.0, {"a": 100.0}))
    assert rates.rates(COUNT) == {}
    rates.take(batch(14.0, {"a": 300.0, "b": 7.0}))
    assert rates.rates(COUNT) == {("a",): 50.0}
    assert rates.rate(COUNT, "a") == 50.0
    assert rates.rate(COUNT, "b") is None
    assert rates.total(COUNT) == 50.0


def test_reset_has_no_rate() -> None:
    """A counter that went backwards has no rate, never a negative one; the next moment it has one again."""
    rates = Rates()
    rates.take(batch(1.0, {"a": 100.0}))
    rates.take(batch(2.0, {"a": 5.0}))
    assert rates.rate(COUNT, "a") is None
    rates.take(batch(3.0, {"a": 9.0}))
    assert rates.rate(COUNT, "a") == 4.0


def test_same_part_again_keeps_the_rate() -> None:
    """A part that is delivered twice, because its collector is asked less often, does not become a zero."""
    rates = Rates()
    rates.take(batch(1.0, {"a": 0.0}))
    second = batch(2.0, {"a": 8.0})
    rates.take(second)
    rates.take(second)
    assert rates.rate(COUNT, "a") == 8.0


def test_process_rates_follow_identity() -> None:
    """A reused pid is another process; one born between two scans is counted from zero; unknown IO stays unknown."""
    rates = Rates()
    rates.take(batch(10.0, {}, (row(1, 5, 2.0, 100), row(2, 6, 50.0), row(3, 7, 1.0, None))))
    rates.take(batch(
        12.0, {}, (row(1, 5, 3.0, 300), row(2, 99, 1.0, started=1e9 + 11), row(3, 7, 1.0, None), row(4, 1, 9.0)),
    ))  # fmt: skip
    found = rates.processes()
    assert found[1, 5].cores == 0.5
    assert found[1, 5].read_bytes == 100.0
    assert found[2, 99].cores == 0.5
    assert found[3, 7].cores == 0.0
    assert found[3, 7].read_bytes is None
    assert found[3, 7].io_bytes == pytest.approx(0.0)
    assert (4, 1) not in found  # it was there before we could see it
