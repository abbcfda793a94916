"""Reads what was exposed back with prometheus_client's parsers, and says what a batch should give."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence

from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from bongsu.model.batch import Batch, Outcome, Part, Sample
from bongsu.model.metric import Kind

PROMTOOL = "/usr/bin/promtool"
Series = tuple[str, frozenset[tuple[str, str]]]  # metric name, (label, value) pairs without empty values


def part(name: str, *samples: Sample) -> Part:
    """A part of one collector."""
    return Part(name, 0.0, 0.0, samples, (), (), Outcome(name, 0.0, 0.0))


def batch(*parts: Part | Sequence[Sample]) -> Batch:
    """A batch of these parts, or of one part for each sequence of samples."""
    made = tuple(p if isinstance(p, Part) else part(f"c{i}", *p) for i, p in enumerate(parts))
    return Batch(0.0, 0.0, made)


def readable(value: str) -> str:
    """A label value as both formats should give it back."""
    try:
        return value.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    except UnicodeEncodeError:
        return "".join("\ufffd" if 0xD800 <= ord(c) <= 0xDFFF else c for c in value)


def wanted(batch: Batch) -> dict[Series, str]:
    """The value (as ``repr`` of a float) of each series; of two that are the same the first counts."""
    series: dict[Series, str] = {}
    for sample in batch.samples:
        labels = frozenset((n, readable(v)) for n, v in zip(sample.spec.labels, sample.labels, strict=True) if v)
        series.setdefault((sample.spec.name, labels), repr(float(sample.value)))
    return series


def got_text(text: bytes) -> list[tuple[str, str]]:
    """What text 0.0.4 holds, to be compared with `as_text`."""
    return sorted(
        (repr((sample.name, sorted((n, v) for n, v in sample.labels.items() if v))), repr(float(sample.value)))
        for family in parse_text(text.decode())
        for sample in family.samples
    )


def as_text(batch: Batch) -> list[tuple[str, str]]:
    """What text 0.0.4 should hold. The parser adds ``_total`` to the names of counters that lack it."""
    kinds = kinds_of(batch)
    return sorted(
        (repr((name if kinds[name] is not Kind.COUNTER or name.endswith("_total") else f"{name}_total", sorted(labels))),
         value)
        for (name, labels), value in wanted(batch).items()
    )  # fmt: skip


def got_openmetrics(text: bytes) -> dict[Series, str]:
    """The series of OpenMetrics; the parser refuses much of what the specification forbids."""
    series: dict[Series, str] = {}
    for family in parse_openmetrics(text.decode()):  # type: ignore[no-untyped-call]  # the library has no types
        for sample in family.samples:
            key = sample.name, frozenset((n, v) for n, v in sample.labels.items() if v)
            assert key not in series, f"{key} twice"
            series[key] = repr(float(sample.value))
    return series


def kinds_of(batch: Batch) -> dict[str, Kind]:
    """The kind that speaks for each name: that of its first sample."""
    kinds: dict[str, Kind] = {}
    for sample in batch.samples:
        kinds.setdefault(sample.spec.name, sample.spec.kind)
    return kinds


def promtool(text: bytes) -> tuple[int, str]:
    """Exit code (0 good, 1 not the format, 3 lint) and complaints of `promtool check metrics`."""
    done = subprocess.run([PROMTOOL, "check", "metrics"], input=text, capture_output=True, timeout=150, check=False)
    return done.returncode, (done.stdout + done.stderr).decode()
