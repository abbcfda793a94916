"""Which time it surely is: a clock that leaps is believed only when it has run on for an hour."""

from __future__ import annotations

from bongsu.model.message import Message

_LEAP_MS = 60_000  # clocks are set by less every day
_BELIEVED_AFTER = 3600.0  # seconds
_OFF_MS = 86_400_000  # a machine may be switched off for so long without its clock being doubted


class Clock:
    """Follows the times of batches (Unix ms) beside the monotonic clock (s).

    What is old is deleted by `sure`, so that a clock that is years ahead for a moment costs no history. ``newest`` is
    the time of the newest sample that an earlier process has left.
    """

    def __init__(self, newest: int | None) -> None:
        self.sure = newest
        self._latest = newest
        self._monotonic: float | None = None
        self._leap: tuple[int, float] | None = None  # when the clock began to run otherwise, by both clocks

    def tick(self, ts: int, monotonic: float) -> Message | None:
        """Take note of a batch's time; returns what is wrong with it now."""
        if self.sure is None:
            self.sure = ts
        elapsed = 0.0 if self._monotonic is None else (monotonic - self._monotonic) * 1000
        off = _OFF_MS if self._monotonic is None else 0
        self._monotonic = monotonic
        expected = self.sure + max(0, round(elapsed))
        if -_LEAP_MS <= ts - expected <= _LEAP_MS + off:
            self.sure, self._leap = ts, None
        else:
            self.sure = expected
            if self._leap is None or abs(ts - self._leap[0] - (monotonic - self._leap[1]) * 1000) > _LEAP_MS:
                self._leap = (ts, monotonic)
            elif monotonic - self._leap[1] >= _BELIEVED_AFTER:
                self.sure, self._leap = ts, None
        latest, self._latest = self._latest, max(ts, ts if self._latest is None else self._latest)
        if latest is not None and ts < latest:
            return Message(
                "the clock was set back by {seconds:.0f} s: readings of that time stand twice until it has caught up",
                seconds=(latest - ts) / 1000,
            )
        if self._leap is not None and ts > self.sure:
            return Message(
                "the clock went ahead by {seconds:.0f} s: nothing is deleted for its age until it has been so for an hour",
                seconds=(ts - self.sure) / 1000,
            )
        return None
