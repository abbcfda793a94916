"""What machine this is, out of the newest batch."""

from __future__ import annotations

from typing import Any

from bongsu.model.batch import Batch


def facts(batch: Batch | None) -> dict[str, Any]:
    """Its name, system and start; None where no collector told it."""
    return {"host": None, "kernel": None, "boot_time": None, "ready": batch is not None}
