"""Says in every batch that GPUs in it are made up: by this every view, and whoever scrapes, can tell."""

from __future__ import annotations

from collections.abc import Iterator

from bongsu.model.batch import Sample
from bongsu.model.metric import Kind, MetricSpec

DEMO = MetricSpec(
    "bongsu_demo", Kind.GAUGE, "1 where the GPUs and their processes are made up (--demo); absent where they are not."
)


class DemoCollector:
    """A mark. Made only while a scenario is played, then always; not in COLLECTORS, so that nobody can switch it off."""

    name = "demo"
    specs = (DEMO,)
    may_block = False

    def collect(self) -> Iterator[Sample]:
        """The one sample."""
        yield Sample(DEMO, (), 1.0)
