"""Memory over a sped-up day: as many ticks as a day has at the agent's default pace, one after another."""

from __future__ import annotations

import os
import tempfile
import time

from bongsu.collectors import COLLECTORS
from bongsu.pipeline import Gatherer, deliver
from bongsu.sinks.exposition import Exposition
from bongsu.sinks.textfile import TextfileSink
from bongsu.sources.root import Machine
from measure import pss_bytes

TICKS = 24 * 60 * 60 // 15
GOAL_BYTES = 1_000_000


def main() -> None:
    """Print the PSS after the first tenth and at the end."""
    machine = Machine.at()
    gatherer = Gatherer([collector(machine) for collector in COLLECTORS if collector.on_by_default])
    exposition = Exposition()
    started, cpu = time.monotonic(), time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        sinks = [TextfileSink(os.path.join(folder, "out.prom"))]
        early = 0
        for tick in range(TICKS):
            batch = gatherer.gather()
            deliver(batch, sinks, gatherer.delivered)
            exposition.text(batch, openmetrics=False)
            if tick == TICKS // 10:
                early = pss_bytes(os.getpid())
        late = pss_bytes(os.getpid())
    gatherer.close()
    print(
        f"{TICKS} ticks in {time.monotonic() - started:.0f} s, {(time.process_time() - cpu) / TICKS * 1000:.1f} ms CPU each"
    )
    grown = late - early
    print(f"PSS {early / 1e6:.2f} MB after a tenth, {late / 1e6:.2f} MB at the end: {grown / 1e3:+.0f} kB, "
          f"goal ≤ {GOAL_BYTES / 1e3:g} kB: {'met' if grown <= GOAL_BYTES else 'NOT MET'}")  # fmt: skip


if __name__ == "__main__":
    main()
