"""What Bongsu costs this machine, and what it keeps of it, for the Health page."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, NamedTuple

from bongsu.collectors import agent, exporter
from bongsu.model.batch import Batch
from bongsu.store.writing.facts import TIERS, Facts, Limits, Span
from bongsu.views.printable import printable
from bongsu.views.rates import Rates


class Kept(NamedTuple):
    """The history as it is now, and what it may grow to."""

    facts: Facts
    limits: Limits


Store = Callable[[], Kept]
_SPECS = frozenset({
    exporter.CPU_SECONDS, exporter.RESIDENT_BYTES, exporter.START_TIME, exporter.OPEN_FDS, agent.INTERVAL, agent.TICKS,
    agent.MISSED,
})  # fmt: skip


def cost(batch: Batch | None, rates: Rates) -> dict[str, Any]:
    """This process, by its own readings; None where a collector that is off would have to say it.

    ``cpu`` is the share of one core between the two newest looks, ``cpu_mean`` since the start; ``start`` is Unix s.
    """
    found = {s.spec: s.value for s in batch.samples if s.spec in _SPECS} if batch is not None else {}
    used, start = found.get(exporter.CPU_SECONDS), found.get(exporter.START_TIME)
    age = None if batch is None or start is None else batch.time - start
    return {
        "cpu": _brief(rates.rate(exporter.CPU_SECONDS)),
        "cpu_mean": _brief(used / age) if used is not None and age is not None and age >= 1.0 else None,
        "resident": found.get(exporter.RESIDENT_BYTES),
        "start": start,
        "files": found.get(exporter.OPEN_FDS),
        "interval": found.get(agent.INTERVAL),
        "ticks": found.get(agent.TICKS),
        "missed": found.get(agent.MISSED),
    }


def kept(store: Store | None) -> dict[str, Any] | None:
    """The history: sizes in bytes, times in Unix s. None where none is kept."""
    if store is None:
        return None
    facts, limits = store()
    keeps = {"raw": limits.raw_seconds, "1m": limits.minutes_seconds}
    return {
        "path": printable(facts.path),
        "file_bytes": facts.file_bytes,
        "log_bytes": facts.wal_bytes,
        "most_bytes": limits.max_bytes,
        "series": facts.series,
        "samples": facts.samples,
        "newest": None if facts.newest is None else facts.newest / 1000,
        "tiers": [_tier(TIERS[tier], span, keeps[TIERS[tier]]) for tier, span in sorted(facts.spans.items())],
        "pending_batches": facts.pending_batches,
        "pending_bytes": facts.pending_bytes,
        "dropped_batches": facts.dropped_batches,
        "doubled_samples": facts.doubled_samples,
        "commit_every": limits.commit_every,
        "last_commit": facts.last_commit,
        "commit_age": None if facts.last_commit is None else round(max(0.0, time.time() - facts.last_commit), 3),
        "upkeep_seconds": None if facts.upkeep_seconds is None else _brief(facts.upkeep_seconds),
    }


def _tier(name: str, span: Span, keeps: float) -> dict[str, Any]:
    return {
        "name": name,
        "keeps": keeps,
        "oldest": None if span.oldest is None else span.oldest / 1000,
        "newest": None if span.newest is None else span.newest / 1000,
    }


def _brief(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.4g}")
