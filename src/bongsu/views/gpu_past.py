"""How busy each GPU was at the looks of this view, as a graph of one line."""

from __future__ import annotations

from collections import deque

from bongsu.collectors import gpu_values as values
from bongsu.model.batch import Batch

_MOST = 200  # looks: more than any terminal has room for
_STEPS = {False: "▁▂▃▄▅▆▇█", True: "_.:-=+*#"}


class GpuPast:
    """Remembers the newest looks."""

    def __init__(self) -> None:
        self._looks: deque[dict[str, float]] = deque(maxlen=_MOST)  # by UUID
        self._last = float("-inf")

    def take(self, batch: Batch) -> None:
        """Look at one batch."""
        for part in batch.parts:
            if part.collector == "gpu" and part.monotonic > self._last:
                self._last = part.monotonic
                self._looks.append(
                    {sample.labels[1]: sample.value for sample in part.samples if sample.spec is values.UTILIZATION}
                )

    def graph(self, uuid: str, width: int, *, ascii_only: bool) -> str:
        """A character for each of so many looks, the newest last: as high as it was busy, a blank where that is not known."""
        steps = _STEPS[ascii_only]
        drawn = []
        for look in list(self._looks)[-width:]:
            busy = look.get(uuid)
            drawn.append(" " if busy is None else steps[min(len(steps) - 1, round(busy * (len(steps) - 1)))])
        return "".join(drawn).rjust(width)
