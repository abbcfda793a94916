"""Rendering 10 000 samples, beside prometheus_client.generate_latest for the same samples in the same run."""

from __future__ import annotations

import gc
import random
import statistics
import time
from collections.abc import Callable, Iterator

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, Metric
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics

from bongsu.model.batch import Batch, Outcome, Part, Sample
from bongsu.model.metric import Kind, MetricSpec, Vocabulary
from bongsu.sinks.exposition import Exposition
from measure import spread, verdict

FAMILIES, DEVICES, MODES, ROUNDS = 20, 50, 10, 15
GOAL = 0.1

SPECS = [
    MetricSpec(f"node_thing{i}_seconds_total", Kind.COUNTER, "Seconds that the thing took.", ("device", "mode"),
               "seconds", Vocabulary.NODE_EXPORTER)
    for i in range(FAMILIES)
]  # fmt: skip
LABELS = [(f"dev{device}", f"mode{mode}") for device in range(DEVICES) for mode in range(MODES)]


def _values(rng: random.Random) -> list[list[float]]:
    """By family: half floats with all digits, half integers, as a machine's counters are."""
    return [[rng.random() * 1e6 if rng.random() < 0.5 else rng.randrange(10**9) for _ in LABELS] for _ in SPECS]


def _batch(values: list[list[float]]) -> Batch:
    """Device by device, as collectors give it: the renderer has to bring families together."""
    samples = tuple(
        Sample(spec, labels, values[f][s]) for s, labels in enumerate(LABELS) for f, spec in enumerate(SPECS)
    )
    return Batch(0.0, 0.0, (Part("thing", 0.0, 0.0, samples, (), (), Outcome("thing", 0.0, 0.0)),))


class _Made:
    """Hands out families that were made before the clock runs, the best case for the client library."""

    def __init__(self, values: list[list[float]]) -> None:
        self._families = []
        for spec, row in zip(SPECS, values, strict=True):
            family = CounterMetricFamily(spec.name, spec.help, labels=spec.labels)
            for labels, value in zip(LABELS, row, strict=True):
                family.add_metric(labels, value)
            self._families.append(family)

    def collect(self) -> Iterator[Metric]:
        """What the registry asks for."""
        yield from self._families


def _registry(values: list[list[float]]) -> CollectorRegistry:
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Made(values))
    return registry


def _milliseconds(render: Callable[..., bytes], *what: object) -> float:
    started = time.thread_time()
    render(*what)
    return (time.thread_time() - started) * 1000


def main() -> None:
    """Print CPU milliseconds and ratios."""
    rng = random.Random(1)
    exposition = Exposition()
    first = _batch(_values(rng))
    exposition.text(first)
    exposition.text(first, openmetrics=True)
    costs: dict[str, list[float]] = {
        name: []
        for name in ("generate_latest", "new values", "first time", "same part", "client openmetrics", "openmetrics")
    }
    for _ in range(ROUNDS):
        values = _values(rng)
        batch, registry = _batch(values), _registry(values)
        gc.collect()
        costs["generate_latest"].append(_milliseconds(generate_latest, registry))
        costs["new values"].append(_milliseconds(exposition.text, batch))
        costs["same part"].append(_milliseconds(exposition.text, batch))
        costs["first time"].append(_milliseconds(Exposition().text, batch))
        costs["client openmetrics"].append(_milliseconds(generate_openmetrics, registry))
        costs["openmetrics"].append(_milliseconds(exposition.text, _batch(_values(rng)), True))
    anchor = statistics.median(costs["generate_latest"])
    print(f"{FAMILIES * len(LABELS)} samples, CPU ms, median (minimum to maximum) of {ROUNDS}:")
    print(f"prometheus_client.generate_latest: {spread(costs['generate_latest'])}")
    print(f"new values of known series:        {spread(costs['new values'])}")
    print(f"first time (nothing remembered):   {spread(costs['first time'])}, "
          f"{statistics.median(costs['first time']) / anchor:.2f} of the anchor")  # fmt: skip
    print(f"the same part again:               {spread(costs['same part'])}, "
          f"{statistics.median(costs['same part']) / anchor:.4f} of the anchor")  # fmt: skip
    print("new values of known series: " + verdict(statistics.median(costs["new values"]) / anchor, GOAL))
    openmetrics = statistics.median(costs["openmetrics"]) / statistics.median(costs["client openmetrics"])
    print(f"OpenMetrics, new values {spread(costs['openmetrics'])}, client {spread(costs['client openmetrics'])}: "
          + verdict(openmetrics, GOAL))  # fmt: skip


if __name__ == "__main__":
    main()
