"""Takes apart a process's counters into which the kernel also adds the children it has waited for (wait4(2))."""

from __future__ import annotations


class Ledger:
    """A counter in which the kernel also adds up the children that the process has waited for.

    What we saw of an ended child is credited to its parent and taken off the parent's next gain,
    so that nothing is counted twice; what is left is the part of its children that no scan saw.
    A credit is good for two scans, since a child may be waited for just after its parent was read; what the counter
    may still hide, since it is told in steps of ``grain``, is good until it shows.
    """

    __slots__ = ("credit", "grain", "old_credit", "own", "raw")

    def __init__(self, start: int, grain: int = 0) -> None:
        self.raw = start
        self.grain = grain
        self.own = start
        self.credit = self.old_credit = 0

    def gain(self, raw: int) -> int:
        """What the process itself, and children that no scan saw, added since the last reading."""
        delta = max(0, raw - self.raw)
        self.raw = raw
        owed = self.credit + self.old_credit
        if owed:
            used = min(owed, delta)
            delta -= used
            self.old_credit = min(owed - used, max(self.credit, self.grain))
            self.credit = 0
        self.own += delta
        return delta

    def owe(self, seen: int) -> None:
        """A child ended of which this much had been seen."""
        self.credit += seen
