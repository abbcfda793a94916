"""The board of GPUs speaks in words."""

from __future__ import annotations

from bongsu.boards import gpu
from bongsu.sources.nvml.values import FIELD_VALUES


def test_each_reason_that_holds_clocks_down_is_told_in_words() -> None:
    """The tile names the reason of most time: not by the driver's name for it, which few know."""
    [tile] = [tile for tile in gpu.TILES if tile.name == "gpu-throttle"]
    reasons = [field.labels[0] for field in FIELD_VALUES if field.name == "gpu_clock_event_seconds_total"]
    assert len(reasons) > 4
    for reason in reasons:
        said = str(tile.lines[0].legend_of(("3", reason)))
        assert said.startswith("of the time: GPU 3, ")
        assert "_" not in said
