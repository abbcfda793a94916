"""A metric's name is checked when it is written down."""

from __future__ import annotations

import pytest

from bongsu.model.metric import Kind, MetricPattern, MetricSpec, Vocabulary


@pytest.mark.parametrize(
    ("name", "kind", "unit", "says"),
    [
        ("disk_used_mib", Kind.GAUGE, "", "base unit"),
        ("step_ms", Kind.GAUGE, "", "base unit"),
        ("gpu_utilization_percent", Kind.GAUGE, "", "base unit"),
        ("reads", Kind.COUNTER, "", "_total"),
        ("reads_total", Kind.GAUGE, "", "_total"),
        ("build_info", Kind.GAUGE, "", "_info"),
        ("memory_used", Kind.GAUGE, "bytes", "must stand in the name"),
        ("memory_used_bytes", Kind.GAUGE, "octets", "not one of"),
        ("1st", Kind.GAUGE, "", "not a metric name"),
        ("a b", Kind.GAUGE, "", "not a metric name"),
    ],
)
def test_our_own_names_follow_the_rules(name: str, kind: Kind, unit: str, says: str) -> None:
    """Base units, `_total` on counters and only there, `_info` on info, the unit in the name."""
    with pytest.raises(ValueError, match=says):
        MetricSpec(name, kind, "Help.", unit=unit)


def test_foreign_names_keep_their_spelling() -> None:
    """node_exporter's vocabulary breaks our rules in places, and is kept exactly."""
    spec = MetricSpec("node_forks_total_ms", Kind.GAUGE, "Help.", vocabulary=Vocabulary.NODE_EXPORTER)
    assert spec.name == "node_forks_total_ms"


def test_labels_are_names_and_stand_once() -> None:
    """A label that Prometheus would refuse is refused here."""
    for labels in (("a", "a"), ("1a",), ("__name__",), ("a-b",)):
        with pytest.raises(ValueError, match="label"):
            MetricSpec("x", Kind.GAUGE, "Help.", labels)


def test_a_pattern_gives_one_spec_for_one_word() -> None:
    """Sinks key their caches by the spec's identity, so the same word must give the same object."""
    pattern = MetricPattern("demo_{}_bytes", Kind.GAUGE, "The field {}.", unit="bytes")
    assert pattern.spec("MemTotal") is pattern.spec("MemTotal")
    assert pattern.spec("MemTotal").help == "The field MemTotal."
    with pytest.raises(ValueError, match="not a metric name"):
        pattern.spec("Active(anon)")
