"""The energy of GPUs that went to owners and processes, and their power: the energy of some seconds."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from bongsu.collectors import gpu_process as series
from bongsu.collectors import gpu_workload as workload
from bongsu.model.batch import Batch, Part
from bongsu.model.gpu import GpuProcessRow
from bongsu.model.owner import Owner
from bongsu.views.gpu_entries import part_of

_SECONDS = 5.0  # over which energy makes a power; the driver's counters move less often than we may look
_OWNERS = "owners"

# Who: ("owners", kind, id), or (device, pid). The first says in which budget of series it is.
_Key = tuple[str, ...]


class _Look(NamedTuple):
    """What was booked until then."""

    at: float  # monotonic s
    energies: Mapping[_Key, Mapping[str, float]]  # joules by method
    nobodys: Mapping[str, float]  # joules by device that counts energy
    folded: frozenset[str]  # budgets that leave some without a series of their own


class GpuPower:
    """Remembers a few seconds of energy."""

    def __init__(self) -> None:
        self._looks: deque[_Look] = deque()

    def take(self, batch: Batch) -> None:
        """Look at one batch."""
        part = part_of(batch)
        if part is None or (self._looks and part.monotonic <= self._looks[-1].at):
            return
        look = _look(part)
        if not look.nobodys:  # the driver hangs, or no device counts energy
            self._looks.clear()
            return
        if self._looks and look.at - self._looks[-1].at < _SECONDS and look[1:] == self._looks[-1][1:]:
            return  # the same look at the driver again: no pause in its power
        self._looks.append(look)
        while len(self._looks) > 2 and self._looks[1].at <= look.at - _SECONDS:
            self._looks.popleft()

    def watts(self, rows: Sequence[GpuProcessRow], owner: Owner | None = None) -> float | None:
        """Of these processes, which are all that this owner has, if one is given; None where one of them is not known."""
        if len(self._looks) < 2 or not all(self._tells(row) for row in rows):
            return None
        found = [self._rate(key) for key in _keys(rows, owner)]
        return None if None in found else sum(watts for watts in found if watts is not None)

    def joules(self, rows: Sequence[GpuProcessRow], owner: Owner | None = None) -> dict[str, float] | None:
        """Likewise by method, since who reads the GPUs first looked; empty where nothing was booked to them."""
        if not self._looks:
            return None
        now = self._looks[-1]
        found: dict[str, float] = {}
        for key in _keys(rows, owner):
            if key not in now.energies and (
                not rows or key[0] in now.folded
                or any(row.sm_ratio is None or _device(row) not in now.nobodys for row in rows)
            ):  # fmt: skip
                return None
            for method, joules in now.energies.get(key, {}).items():
                found[method] = found.get(method, 0.0) + joules
        return found

    def _tells(self, row: GpuProcessRow) -> bool:
        """Whether what its device used was shared with it: by its time on the SMs, or because it is alone there."""
        device = _device(row)
        if device not in self._looks[0].nobodys or device not in self._looks[-1].nobodys:
            return False
        return row.sm_ratio is not None or bool(self._rate((device, str(row.pid))))

    def _rate(self, key: _Key) -> float | None:
        """Who used nothing yet has no series, and nor has who is beyond a budget."""
        before, now = self._looks[0], self._looks[-1]
        if any(key not in look.energies and key[0] in look.folded for look in (before, now)):
            return None
        gain = sum(now.energies.get(key, {}).values()) - sum(before.energies.get(key, {}).values())
        return gain / (now.at - before.at) if gain >= 0 else None  # else counted anew


def _keys(rows: Iterable[GpuProcessRow], owner: Owner | None) -> Iterable[_Key]:
    """A process on two instances of a device has one share of it."""
    if owner is not None:
        return [(_OWNERS, owner.kind.value, owner.label_id)]
    return dict.fromkeys((_device(row), str(row.pid)) for row in rows)


def _device(row: GpuProcessRow) -> str:
    return row.gpu.partition("_")[0]


def _look(part: Part) -> _Look:
    energies: dict[_Key, dict[str, float]] = {}
    nobodys: dict[str, float] = {}
    folded: set[str] = set()
    for sample in part.samples:
        labels = sample.labels
        if sample.spec is series.ENERGY:
            energies.setdefault((labels[0], labels[2]), {})[labels[-1]] = sample.value
        elif sample.spec is workload.ENERGY:
            energies.setdefault((_OWNERS, *labels[:2]), {})[labels[-1]] = sample.value
        elif sample.spec is series.UNATTRIBUTED_ENERGY:
            nobodys[labels[0]] = nobodys.get(labels[0], 0.0) + sample.value
        elif sample.spec is series.FOLDED and sample.value:
            folded.add(labels[0].partition("_")[0])
        elif sample.spec is workload.FOLDED and sample.value:
            folded.add(_OWNERS)
    return _Look(part.monotonic, energies, nobodys, frozenset(folded))
