"""Which owners get series of their own, within a budget, and what the rest of them count together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet

from bongsu.model.owner import OwnerKind
from bongsu.model.usage import OwnerRow, Usage

Key = tuple[OwnerKind, str, str]
_SMOOTHING = 0.2
_CLEARLY = 2.0  # how much more an owner must use than the least one shown, to take its place


class Rest:
    """Owners without series of their own: what they are now, and what they ever used while they had none."""

    __slots__ = ("cpu", "memory_bytes", "oom_kills", "owners", "processes", "read_bytes", "written_bytes")

    def __init__(self) -> None:
        self.owners = self.processes = self.memory_bytes = 0
        self.cpu = [0.0, 0.0]  # user, system: s
        self.oom_kills = self.read_bytes = self.written_bytes = 0


class Shares:
    """Gives the places to the owners that use most of CPU and memory, and keeps them there.

    An owner without a place takes another's only where it uses clearly more, so that two alike do
    not take turns. The scores are means of the last passes.
    """

    def __init__(self, budget: int) -> None:
        self._budget = budget
        self._scores: dict[Key, float] = {}
        self._counted: dict[Key, _Counted] = {}
        self._shown: list[Key] = []
        self._began = False
        self.rest = Rest()
        self.dropped = 0  # owners that ended and never had series of their own
        self._ever_shown: set[Key] = set()

    def choose(self, rows: Sequence[OwnerRow], first: AbstractSet[Key] = frozenset()) -> list[OwnerRow]:
        """The owners that are shown after this pass; ``first`` are shown whatever they use."""
        by_key = {row.owner.key: row for row in rows}
        counted = {key: _Counted(row.usage) for key, row in by_key.items()}
        self._score(by_key, counted)
        self._place(first & by_key.keys())
        self._fold(by_key, counted)
        self._counted = counted
        self._began = True
        shown = [by_key[key] for key in self._shown]
        self._ever_shown = (self._ever_shown | set(self._shown)) & by_key.keys()
        for key, row in by_key.items():
            if row.ended:
                self._forget(key)
        return shown

    def _score(self, rows: Mapping[Key, OwnerRow], counted: Mapping[Key, _Counted]) -> None:
        gains = {}
        for key, now in counted.items():
            before = self._counted.get(key)
            gains[key] = max(0.0, sum(now.cpu) - sum(before.cpu)) if before is not None else 0.0
        sizes = {key: row.usage.memory_bytes or row.usage.resident_bytes for key, row in rows.items()}
        all_cpu, all_memory = sum(gains.values()) or 1.0, sum(sizes.values()) or 1
        scores = {}
        for key, gain in gains.items():
            share = gain / all_cpu + sizes[key] / all_memory
            before_score = self._scores.get(key, share)
            scores[key] = before_score + _SMOOTHING * (share - before_score)
        self._scores = scores

    def _place(self, first: AbstractSet[Key]) -> None:
        scores = self._scores
        kept = [key for key in self._shown if key in scores]
        shown = set(kept)
        waiting = sorted(scores.keys() - shown, key=lambda key: (key not in first, -scores[key], key))
        # Those that use least, and nobody wants to see, are the first to give up their place: the last of the list.
        kept.sort(key=lambda key: (key not in first, -scores[key]))
        for key in waiting:
            if len(kept) < self._budget:
                kept.insert(0, key)
                continue
            if not kept:
                break
            least = kept[-1]
            if least in first or (key not in first and scores[key] <= scores[least] * _CLEARLY):
                break
            kept.pop()
            kept.insert(0, key)
        self._shown = kept

    def _fold(self, rows: Mapping[Key, OwnerRow], counted: Mapping[Key, _Counted]) -> None:
        rest, shown = self.rest, set(self._shown)
        rest.owners = rest.processes = rest.memory_bytes = 0
        for key, row in rows.items():
            if key in shown:
                continue
            rest.owners += not row.ended
            rest.processes += row.usage.processes
            rest.memory_bytes += row.usage.memory_bytes or 0
            now, before = counted[key], self._counted.get(key)
            if before is None:
                if not self._began:
                    continue  # what was used before the first pass is not counted
                before = _Counted(None)
            rest.cpu[0] += max(0.0, now.cpu[0] - before.cpu[0])
            rest.cpu[1] += max(0.0, now.cpu[1] - before.cpu[1])
            rest.oom_kills += max(0, now.oom_kills - before.oom_kills)
            rest.read_bytes += max(0, now.read_bytes - before.read_bytes)
            rest.written_bytes += max(0, now.written_bytes - before.written_bytes)

    def _forget(self, key: Key) -> None:
        if key not in self._ever_shown:
            self.dropped += 1
        self._ever_shown.discard(key)
        self._scores.pop(key, None)
        self._counted.pop(key, None)
        if key in self._shown:
            self._shown.remove(key)


class _Counted:
    """The counters of one owner that go into the rest where it is folded; what is not known adds nothing."""

    __slots__ = ("cpu", "oom_kills", "read_bytes", "written_bytes")

    def __init__(self, usage: Usage | None) -> None:
        self.cpu = (0.0, 0.0)
        self.oom_kills = self.read_bytes = self.written_bytes = 0
        if usage is not None:
            self.cpu = (usage.cpu_user_seconds or 0.0, usage.cpu_system_seconds or 0.0)
            self.oom_kills = usage.oom_kills or 0
            self.read_bytes, self.written_bytes = usage.read_bytes or 0, usage.written_bytes or 0
