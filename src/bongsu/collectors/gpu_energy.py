"""Shares the energy of each device among its processes, look by look, and names how; what nobody used is kept apart."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from bongsu.collectors.gpu_member import Identity, Member
from bongsu.sources.nvml.reading import Gap, Snapshot

SOLE = "sole"  # the device had no other process: all that it used
SM_SHARE = "sm_share"  # by the share of time in which a kernel of the process ran
IDLE = "idle"  # no kernel ran
UNKNOWN = "unknown"  # nobody can say whose it was

_LONGEST_SECONDS = 600.0  # between two looks; over more, what processes do now says nothing of then

Key = tuple[str, Identity]  # device, process


class Energy:
    """Joules since the agent first looked, for each process that is there now. One thread may use it."""

    def __init__(self) -> None:
        self.of_process: dict[Key, dict[str, float]] = {}  # by method
        self.unattributed: dict[str, dict[str, float]] = {}  # device → IDLE or UNKNOWN → joules
        self.gains: list[tuple[Key, str, float]] = []  # of the newest look: who, by which method, joules
        self._counted: dict[str, float] = {}  # by device, as its own counter stood
        self._there: dict[str, frozenset[Identity]] = {}
        self._time = 0.0

    def take(self, snapshot: Snapshot, members: Sequence[Member]) -> None:
        """Book what each device used since the last look."""
        self.gains = []
        by_device: dict[str, dict[Identity, list[Member]]] = {gpu.uuid: {} for gpu in snapshot.gpus}
        for member in members:
            by_device[member.unit.device].setdefault(member.identity, []).append(member)
        if snapshot.time != self._time:  # the same look again tells nothing new
            self._book(snapshot, by_device)
        silent = {uuid for uuid, _ in snapshot.processes_gaps}  # who is there is not known for the moment
        alive = {(device, identity) for device, there in by_device.items() for identity in there}
        self.of_process = {key: joules for key, joules in self.of_process.items() if key in alive or key[0] in silent}

    def _book(self, snapshot: Snapshot, by_device: Mapping[str, Mapping[Identity, Sequence[Member]]]) -> None:
        since, self._time = snapshot.time - self._time, snapshot.time
        listed = {gpu.uuid for gpu in snapshot.gpus} - {uuid for uuid, _ in snapshot.processes_gaps}
        counted: dict[str, float] = {}
        for gpu in snapshot.gpus:
            value = next((v.value for v in gpu.values if v.name == "gpu_energy_joules_total"), None)
            if value is None or isinstance(value, Gap):
                continue
            counted[gpu.uuid] = value
            used = value - self._counted.get(gpu.uuid, value)
            rest = self.unattributed.setdefault(gpu.uuid, {IDLE: 0.0, UNKNOWN: 0.0})
            if used <= 0:  # the first look, or the driver was loaded anew and counts from 0
                continue
            there, before = by_device[gpu.uuid], self._there.get(gpu.uuid)
            if before is None or gpu.uuid not in listed or not 0 < since <= _LONGEST_SECONDS:  # or set back
                rest[UNKNOWN] += used
                continue
            self._share(gpu.uuid, used, there, before, rest)
        self._counted = counted
        self._there = {uuid: frozenset(there) for uuid, there in by_device.items() if uuid in listed}

    def _share(
        self, device: str, used: float, there: Mapping[Identity, Sequence[Member]], before: frozenset[Identity],
        rest: dict[str, float],
    ) -> None:  # fmt: skip
        steady = before == there.keys()
        if steady and len(there) == 1:
            self._give((device, next(iter(there))), SOLE, used)
            return
        shares = {identity: _sm(members) for identity, members in there.items()}
        known = [share for share in shares.values() if share is not None]
        scale = used / max(1.0, sum(known))  # shares are of different moments, so that they may be more than all
        left = used
        for identity, share in shares.items():
            if share and identity in before:
                self._give((device, identity), SM_SHARE, share * scale)
                left -= share * scale
        rest[IDLE if steady and len(known) == len(shares) else UNKNOWN] += max(0.0, left)

    def _give(self, key: Key, method: str, joules: float) -> None:
        mine = self.of_process.setdefault(key, {})
        mine[method] = mine.get(method, 0.0) + joules
        self.gains.append((key, method, joules))


def _sm(members: Iterable[Member]) -> float | None:
    """Of a process on a device; None where it is not known."""
    found = [member.sm for member in members]
    return None if None in found else sum(sm for sm in found if sm is not None)
