"""Reads a run on a fixed grid of times and heeds its limits; what fails there does not end what is recorded.

Standard library only, as all that the monitor imports.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable

from bongsu.runs.enforcement import Enforcement
from bongsu.runs.recorder import Recorder

_LONGEST_WAIT = 3600.0  # s; poll(2) counts milliseconds in an int
_YOUNG, _STEP = 0.2, 4  # s until the first early sample, and how many times later each further one is
_SELDOM = 10.0  # s; who asks for longer intervals than this asks for few samples


class Readings:
    """The samples of one run, each at the start plus a multiple of the interval, and a few before the first of those.

    The early ones are there since a program that ends within the first interval has held memory too, and only where no
    group of the run's tells how much: a reading takes some thousandths of a second from a machine without an idle CPU.
    No limit is compared with them: a rate over some tenths of a second says little.

    Attributes:
        trouble: the first thing that went wrong; empty if nothing did.
    """

    def __init__(self, recorder: Recorder, interval: float, enforcement: Enforcement) -> None:
        self.trouble = ""
        self._recorder = recorder
        self._interval = interval
        self._enforcement = enforcement
        self._began = time.monotonic()
        self._due = self._began + interval
        self._young = _YOUNG if interval <= _SELDOM and not recorder.group_tells else math.inf

    def patience(self) -> int:
        """How long nothing needs to be done unless something happens, in ms, rounded up so as not to wake too early."""
        now = time.monotonic()
        wait = min(self._due - now, self._next_young() - now, self._enforcement.wait(now), _LONGEST_WAIT)
        return max(0, int(wait * 1000) + 1)

    def take(self) -> None:
        """Take the sample that is due, if one is; do what limits ask for."""
        now = time.monotonic()
        if now >= self._due:
            self._young = math.inf
            self.catch_up()
            self.safely(self._recorder.sample)
            self.safely(lambda: self._enforcement.sampled(self._recorder.latest))
        elif now >= self._next_young():
            self._young = max(self._young, now - self._began) * _STEP
            self.safely(self._recorder.sample)
        self.safely(self._enforcement.tick)

    def catch_up(self) -> None:
        """What was missed is not made up for: the next sample is due at the next time of the grid."""
        late = time.monotonic() - self._due
        if late >= 0:
            self._due += (int(late / self._interval) + 1) * self._interval

    def _next_young(self) -> float:
        """When the next early one is due, on the monotonic clock; never, where the grid is near."""
        return self._began + self._young if self._young <= self._interval / 2 else math.inf

    def note(self, what: str, text: str) -> None:
        """Something happened that a reader should know of."""
        self.safely(lambda: self._recorder.event(what, text))

    def safely(self, act: Callable[[], None]) -> None:
        """Do what records; that it fails (a full disk) is remembered, and no more."""
        try:
            act()
        except Exception as error:  # noqa: BLE001  the command goes on whatever it is
            text = str(error) if isinstance(error, OSError) else f"{type(error).__name__}: {error}"
            self.trouble = self.trouble or text
