"""What machine this is, out of the newest batch."""

from __future__ import annotations

from typing import Any

from bongsu.collectors import gpu_values, stat, uname
from bongsu.collectors import os as distribution
from bongsu.collectors.demo import DEMO
from bongsu.model.batch import Batch
from bongsu.model.metric import MetricSpec
from bongsu.views.printable import printable


def facts(batch: Batch | None) -> dict[str, Any]:
    """Its name, system, kernel and start (Unix s); None where no collector told it; whether there are GPUs, and made-up ones."""
    found: dict[MetricSpec, tuple[dict[str, str], float]] = {}
    for sample in batch.samples if batch is not None else ():
        if sample.spec in _SPECS:
            found[sample.spec] = (dict(zip(sample.spec.labels, sample.labels, strict=True)), sample.value)
    kernel, _ = found.get(uname.INFO, ({}, 1.0))
    system, _ = found.get(distribution.INFO, ({}, 1.0))
    boot_time = found.get(stat.BOOT_TIME)
    return {
        "host": _text(kernel.get("nodename")),
        "system": _text(system.get("pretty_name")),
        "kernel": _text(" ".join(filter(None, (kernel.get("sysname"), kernel.get("release"))))),
        "boot_time": None if boot_time is None else boot_time[1],
        "gpus": gpu_values.UP in found,
        "demo": DEMO in found,
        "ready": batch is not None,
    }


_SPECS = frozenset({uname.INFO, distribution.INFO, stat.BOOT_TIME, DEMO, gpu_values.UP})


def _text(value: str | None) -> str | None:
    return printable(value) if value else None
