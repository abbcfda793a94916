"""How the agent's clock fares; only the agent has this collector."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from bongsu.model.batch import Sample
from bongsu.model.metric import Kind, MetricSpec

INTERVAL = MetricSpec(
    "bongsu_agent_interval_seconds", Kind.GAUGE, "Time between two rounds of the agent's clock.", (), "seconds"
)
TICKS = MetricSpec("bongsu_agent_ticks_total", Kind.COUNTER, "Rounds that the agent's clock has started.")
MISSED = MetricSpec(
    "bongsu_agent_missed_ticks_total", Kind.COUNTER,
    "Rounds left out because the one before had not ended: the interval is too short for this machine.",
)  # fmt: skip
RELOADS = MetricSpec(
    "bongsu_agent_reloads_total", Kind.COUNTER, "Reloads of the settings, by outcome: done or refused.", ("outcome",)
)


@dataclass(slots=True)
class AgentCounts:
    """What the agent's clock has done since the start."""

    interval: float = 0.0
    ticks: int = 0
    missed: int = 0
    reloads: int = 0
    refused_reloads: int = 0


class AgentCollector:
    """The agent's clock: interval, rounds, rounds left out, reloads."""

    name = "agent"
    specs = (INTERVAL, TICKS, MISSED, RELOADS)
    may_block = False
    on_by_default = True

    def __init__(self, counts: AgentCounts) -> None:
        self._counts = counts

    def collect(self) -> Iterator[Sample]:
        """One sample of each, and one of each outcome of a reload."""
        counts = self._counts
        yield Sample(INTERVAL, (), counts.interval)
        yield Sample(TICKS, (), counts.ticks)
        yield Sample(MISSED, (), counts.missed)
        yield Sample(RELOADS, ("done",), counts.reloads)
        yield Sample(RELOADS, ("refused",), counts.refused_reloads)
