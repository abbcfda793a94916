"""Reads a run on a fixed grid of times and heeds its limits; what fails there does not end what is recorded.

Standard library only, as all that the monitor imports.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from bongsu.runs.enforcement import Enforcement
from bongsu.runs.recorder import Recorder

_LONGEST_WAIT = 3600.0  # s; poll(2) counts milliseconds in an int


class Readings:
    """The samples of one run, each at the start plus a multiple of the interval.

    Attributes:
        trouble: the first thing that went wrong; empty if nothing did.
    """

    def __init__(self, recorder: Recorder, interval: float, enforcement: Enforcement) -> None:
        self.trouble = ""
        self._recorder = recorder
        self._interval = interval
        self._enforcement = enforcement
        self._due = time.monotonic() + interval

    def patience(self) -> int:
        """How long nothing needs to be done unless something happens, in ms, rounded up so as not to wake too early."""
        now = time.monotonic()
        wait = min(self._due - now, self._enforcement.wait(now), _LONGEST_WAIT)
        return max(0, int(wait * 1000) + 1)

    def take(self) -> None:
        """Take the sample that is due, if one is; do what limits ask for."""
        if time.monotonic() >= self._due:
            self.catch_up()
            self.safely(self._recorder.sample)
            self.safely(lambda: self._enforcement.sampled(self._recorder.latest))
        self.safely(self._enforcement.tick)

    def catch_up(self) -> None:
        """What was missed is not made up for: the next sample is due at the next time of the grid."""
        late = time.monotonic() - self._due
        if late >= 0:
            self._due += (int(late / self._interval) + 1) * self._interval

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
