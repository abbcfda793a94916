"""Shares the energy of each device among its processes, look by look, and names how; what nobody used is kept apart."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from bongsu.collectors.gpu_member import Identity, Member
from bongsu.sources.nvml.reading import Gap, Gpu, Snapshot

SOLE = "sole"  # the device had no other process: all that it used
SM_SHARE = "sm_share"  # by the share of time in which a kernel of the process ran
IDLE = "idle"  # no kernel ran
UNKNOWN = "unknown"  # nobody can say whose it was

_LONGEST_SECONDS = 600.0  # between two looks; over more, what processes do now says nothing of then

Key = tuple[str, Identity]  # device, process


class _Last(NamedTuple):
    """When the counter of a device was read last."""

    time: float  # Unix s
    joules: float
    there: frozenset[Identity] | None  # None where that is not known


class Energy:
    """Joules since the agent first looked, for each process that is there now. One thread may use it.

    A device that a look leaves out is as it was: who looks may want others, and asks for this one again later.
    """

    def __init__(self) -> None:
        self.of_process: dict[Key, dict[str, float]] = {}  # by method
        self.unattributed: dict[str, dict[str, float]] = {}  # device → IDLE or UNKNOWN → joules
        self.gains: list[tuple[Key, str, float]] = []  # of the newest look: who, by which method, joules
        self._last: dict[str, _Last] = {}  # by device

    def take(self, snapshot: Snapshot, members: Sequence[Member]) -> None:
        """Book what each device used since the last look at it."""
        self.gains = []
        by_device: dict[str, dict[Identity, list[Member]]] = {gpu.uuid: {} for gpu in snapshot.gpus}
        for member in members:
            by_device[member.unit.device].setdefault(member.identity, []).append(member)
        silent = {uuid for uuid, _ in snapshot.processes_gaps}  # who is there is not known for the moment
        for gpu in snapshot.gpus:
            self._book(snapshot.time, gpu, by_device[gpu.uuid], listed=gpu.uuid not in silent)
        listed = by_device.keys() - silent
        self.of_process = {
            (device, identity): joules
            for (device, identity), joules in self.of_process.items()
            if device not in listed or identity in by_device[device]
        }

    def _book(self, now: float, gpu: Gpu, there: Mapping[Identity, Sequence[Member]], *, listed: bool) -> None:
        last = self._last.get(gpu.uuid)
        if last is not None and last.time == now:  # the same look again tells nothing new
            return
        value = next((v.value for v in gpu.values if v.name == "gpu_energy_joules_total"), None)
        if value is None or isinstance(value, Gap):
            if last is not None:  # once it can be read again, who came and went meanwhile is not known
                self._last[gpu.uuid] = last._replace(there=None)
            return
        self._last[gpu.uuid] = _Last(now, value, frozenset(there) if listed else None)
        rest = self.unattributed.setdefault(gpu.uuid, {IDLE: 0.0, UNKNOWN: 0.0})
        if last is None or value <= last.joules:  # the first look, or the driver was loaded anew and counts from 0
            return
        used = value - last.joules
        if last.there is None or not listed or not 0 < now - last.time <= _LONGEST_SECONDS:  # or set back
            rest[UNKNOWN] += used
        else:
            self._share(gpu.uuid, used, there, last.there, rest)

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
