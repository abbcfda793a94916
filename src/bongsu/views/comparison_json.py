"""A comparison of runs as one JSON document."""

from __future__ import annotations

from typing import Any

import msgspec

from bongsu.model.comparison import Comparison

FORMAT = "bongsu-comparison/1"  # grows when a key changes its meaning or goes


def document(comparison: Comparison) -> dict[str, Any]:
    """``schema``, ``baseline``, ``primary``, and ``groups``, ``rows``, ``warnings`` as `model.comparison` has them."""
    return {
        "schema": FORMAT,
        "baseline": comparison.groups[0].label,
        "primary": comparison.rows[0].metric.name,
        "groups": msgspec.to_builtins(comparison.groups),
        "rows": msgspec.to_builtins(comparison.rows),
        "warnings": [str(warning) for warning in comparison.warnings],
    }
