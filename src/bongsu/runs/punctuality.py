"""How punctual the readings of a run are, and why one was late where that can be told: the machine slept, or we were stopped.

Standard library only, as all that the monitor imports.
"""

from __future__ import annotations

import time

from bongsu.runs.journal import Journal

_GAP = 3  # intervals without a reading that are told


class Punctuality:
    """Of the readings of one run.

    Attributes:
        missed: readings that were not made; late: how late the latest was that nobody slept through, in s.
        last_at: when the newest was, in s since the start of the run; None before the first.
    """

    def __init__(self, journal: Journal, interval: float) -> None:
        self.missed = 0
        self.late = 0.0
        self.last_at: float | None = None
        self._journal = journal
        self._interval = interval
        self._asleep = _asleep()

    def note(self, now: float) -> None:
        """A reading is made now."""
        asleep = _asleep()
        before, self.last_at = self.last_at, now
        slept, self._asleep = asleep - self._asleep, asleep
        if before is None:
            return
        late = now - before - self._interval
        self.late = max(self.late, late - slept)
        if late >= self._interval:
            self.missed += int(late / self._interval)
        if slept > 1.0:
            self._journal.event("gap", f"the machine slept for {slept:.0f} s")
        elif late > max(_GAP * self._interval, 5.0):
            self._journal.event(
                "gap", f"nothing was read for {now - before:.1f} s: the monitor was stopped or had no CPU"
            )


def _asleep() -> float:
    """For how long the machine has slept (suspend) since it started, in s (clock_gettime(2))."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) - time.clock_gettime(time.CLOCK_MONOTONIC)
