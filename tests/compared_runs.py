"""Makes runs to compare: what a comparison looks at, with the values a test gives."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

from bongsu.runs.compare import METRICS, Measured
from run_reports import metadata


def runs(
    label: str, walls: Sequence[float | None], first: float = 0.0, step: float = 2.0, **more: Any
) -> list[Measured]:
    """Runs of one group with these wall times, started every two seconds: two groups are interleaved at 0 and 1.

    ``more`` are other metrics (one value for all, or a list), ``cpu_source``, and fields of the runs' metadata.
    """
    source, command = more.pop("cpu_source", "perf"), more.pop("command", ("python", f"{label}.py"))
    values = {name: more.pop(name) for name in list(more) if name in METRICS or name.startswith("function:")}
    made = []
    for at, wall in enumerate(walls):
        numbers = {name: value[at] if isinstance(value, list) else value for name, value in values.items()}
        known = metadata(
            command,
            **{"id": f"20260101-000000-{label}-{at:04x}", "started": first + step * at, **more},
        )
        made.append(Measured(known, source, {**dict.fromkeys(METRICS), "wall": wall, **numbers}))
    return made


def around(middle: float, n: int, seed: int, spread: float = 0.02) -> list[float]:
    """So many times around a middle, the same each time."""
    draw = random.Random(seed)
    return [middle * draw.gauss(1, spread) for _ in range(n)]
