"""When something runs out, if it goes on as it did in the last hours."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from bongsu.boards.board import Left
from bongsu.model.errors import BongsuError
from bongsu.model.message import Message
from bongsu.store.recent import Window
from bongsu.views import units

_STANDS_FOR = 60.0  # seconds
_FARTHEST = 365 * 86400.0  # what runs out later than that does not run out
_FEWEST, _SHORTEST = 10, 900.0  # readings, and seconds that they must span
_STRAIGHT = 0.8  # of what the readings vary, how much the line must explain: a single step explains 3/4
Group = tuple[str, ...]


class Forecast(NamedTuple):
    """In how many seconds something runs out, by what was read over the last ``watched`` seconds."""

    seconds: float
    watched: float

    def text(self, left: Left, group: Group) -> Message:
        """The sentence for one group."""
        return left.text_of(group, units.seconds_text(self.seconds), units.seconds_text(60 * round(self.watched / 60)))


class Forecasts:
    """Remembers for a minute what was found. ``read`` answers for what is left, from one Unix time to another."""

    def __init__(self, read: Callable[[Left, float, float], Window]) -> None:
        self._read = read
        self._found: dict[Left, tuple[float, Mapping[Group, Forecast]]] = {}
        self._looking = threading.Lock()

    def of(self, left: Left) -> Mapping[Group, Forecast]:
        """When each group runs out, the soonest first; those that do not are left out."""
        known = self._found.get(left)
        if known is None or time.monotonic() - known[0] > _STANDS_FOR:
            self._look(left)
        return self.known(left)

    def known(self, left: Left) -> Mapping[Group, Forecast]:
        """As `of`, as far as it is known without waiting for the disk; what is old is looked for meanwhile."""
        known = self._found.get(left)
        if known is None:
            return {}
        if time.monotonic() - known[0] > _STANDS_FOR and not self._looking.locked():
            threading.Thread(target=self._look, args=(left,), daemon=True).start()
        return known[1]

    def _look(self, left: Left) -> None:
        now = time.time()
        with self._looking:
            try:
                window = self._read(left, now - left.hours * 3600.0, now)
            except BongsuError:  # the history cannot be read; the page says so elsewhere
                self._found[left] = (time.monotonic(), {})
                return
            found = {group: forecast_of(window.times, values) for group, values in window.rows.items()}
            soonest = sorted((forecast, group) for group, forecast in found.items() if forecast is not None)
            self._found[left] = (time.monotonic(), {group: forecast for forecast, group in soonest})


def forecast_of(times: Sequence[float], values: Sequence[float]) -> Forecast | None:
    """When a straight line through the values comes to 0, counted from the last one.

    None where it does not, where the values are too few, or where they are not near a line.
    """
    known = [(t, v) for t, v in zip(times, values, strict=True) if v == v]  # noqa: PLR0124  only NaN is unequal to itself
    watched = known[-1][0] - known[0][0] if known else 0.0
    if len(known) < _FEWEST or watched < _SHORTEST:
        return None
    middle = sum(t for t, _ in known) / len(known)
    mean = sum(v for _, v in known) / len(known)
    together = sum((t - middle) * (v - mean) for t, v in known)
    varied = sum((v - mean) ** 2 for _, v in known)
    spread = sum((t - middle) ** 2 for t, _ in known)
    if together >= 0 or together**2 < _STRAIGHT * varied * spread:
        return None
    seconds = known[-1][1] * spread / -together
    return Forecast(seconds, watched) if seconds <= _FARTHEST else None
