"""Collectors of readings, one file a subject, listed in the order in which they are shown."""

from __future__ import annotations

from bongsu.collectors.loadavg import LoadavgCollector

COLLECTORS = (
    LoadavgCollector,
)  # fmt: skip
