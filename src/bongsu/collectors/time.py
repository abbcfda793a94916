"""The machine's clock, its time zone and what it counts time with."""

from __future__ import annotations

import time
from collections.abc import Iterator

from bongsu.model.batch import Sample
from bongsu.model.metric import Kind, MetricSpec, Vocabulary
from bongsu.sources.root import Machine
from bongsu.sources.sysfs import clocksource

NOW = MetricSpec(
    "node_time_seconds", Kind.GAUGE, "The machine's clock, in Unix time.", (), "seconds", Vocabulary.NODE_EXPORTER
)
ZONE_OFFSET = MetricSpec(
    "node_time_zone_offset_seconds", Kind.GAUGE, "How far the time zone of this process is ahead of UTC.",
    ("time_zone",), "seconds", Vocabulary.NODE_EXPORTER,
)  # fmt: skip
CLOCKSOURCE_AVAILABLE = MetricSpec(
    "node_time_clocksource_available_info", Kind.INFO, "A clock source that the kernel could use.",
    ("device", "clocksource"), vocabulary=Vocabulary.NODE_EXPORTER,
)  # fmt: skip
CLOCKSOURCE_CURRENT = MetricSpec(
    "node_time_clocksource_current_info", Kind.INFO, "The clock source that the kernel uses.",
    ("device", "clocksource"), vocabulary=Vocabulary.NODE_EXPORTER,
)  # fmt: skip


class TimeCollector:
    """Clock, time zone and clock source."""

    name = "time"
    specs = (NOW, ZONE_OFFSET, CLOCKSOURCE_AVAILABLE, CLOCKSOURCE_CURRENT)
    may_block = False
    on_by_default = True

    def __init__(self, machine: Machine) -> None:
        self._sys = machine.sys

    def collect(self) -> Iterator[Sample]:
        """The clock, the zone, and a sample for each clock source."""
        now = time.time()
        zone = time.localtime(now)
        yield Sample(NOW, (), now)
        yield Sample(ZONE_OFFSET, (zone.tm_zone,), zone.tm_gmtoff)
        for place, source in enumerate(clocksource.read(self._sys)):
            device = str(place)
            for name in dict.fromkeys(source.available):
                yield Sample(CLOCKSOURCE_AVAILABLE, (device, name), 1)
            yield Sample(CLOCKSOURCE_CURRENT, (device, source.current), 1)
