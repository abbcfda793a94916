"""Chooses the processes of each GPU that get series of their own: those that hold most memory; the rest is summed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from bongsu.collectors.gpu_member import Identity, Member, Unit

CLEARLY = 1.25  # times the memory of one shown: what another must hold to take its place


class Rest:
    """The processes of one GPU beyond the budget, summed. A sum is None where a part of it is not known."""

    def __init__(self, unit: Unit, members: Sequence[Member]) -> None:
        self.unit = unit
        self.processes = len(members)
        self.memory = _sum(member.memory for member in members)
        self.memory_ratio = _sum(member.memory_ratio for member in members)
        self.sm = _sum(member.sm for member in members)


class Budget:
    """Keeps those shown as long as no other holds clearly more, so that series do not come and go."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._shown: set[tuple[Unit, Identity]] = set()
        self.rests: list[Rest] = []

    def choose(self, members: Iterable[Member]) -> list[Member]:
        """Those that are shown; the rest of each GPU is in `rests`."""
        by_unit: dict[Unit, list[Member]] = {}
        for member in members:
            by_unit.setdefault(member.unit, []).append(member)
        chosen: list[Member] = []
        self.rests = []
        for unit, mine in by_unit.items():
            if len(mine) > self._most:
                mine.sort(key=self._place)
                self.rests.append(Rest(unit, mine[self._most :]))
            chosen += mine[: self._most]
        self._shown = {(member.unit, member.identity) for member in chosen} if self.rests else set()
        return chosen

    def _place(self, member: Member) -> tuple[float, int, int]:
        memory = member.memory or 0.0
        if (member.unit, member.identity) in self._shown:
            memory *= CLEARLY
        pid, start = member.identity
        return -memory, start, pid


def _sum(values: Iterable[float | None]) -> float | None:
    total = 0.0
    for value in values:
        if value is None:
            return None
        total += value
    return total
