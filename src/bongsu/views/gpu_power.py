"""What power of a GPU goes to each process: by the share of its energy that was booked to it since the look before."""

from __future__ import annotations

from bongsu.collectors import gpu_process as series
from bongsu.collectors import gpu_values as values
from bongsu.model.batch import Batch
from bongsu.model.gpu import GpuProcessRow

_Labels = tuple[str, ...]
_NOBODY = ""  # in place of a pid


class GpuPower:
    """Remembers the newest look at each device whose energy had moved: the driver counts it less often than we may look."""

    def __init__(self) -> None:
        self._before: dict[str, dict[_Labels, float]] = {}
        self._shares: dict[str, dict[str, float]] = {}  # by device, pid
        self._watts: dict[str, float] = {}

    def take(self, batch: Batch) -> None:
        """Look at one batch."""
        now: dict[str, dict[_Labels, float]] = {}
        folded: set[str] = set()
        self._watts = {}
        for sample in batch.samples:
            device = sample.labels[0].partition("_")[0] if sample.labels else ""
            if sample.spec is series.ENERGY:
                now.setdefault(device, {})[sample.labels[2:]] = sample.value
            elif sample.spec is series.UNATTRIBUTED_ENERGY:
                now.setdefault(device, {})[_NOBODY, *sample.labels[2:]] = sample.value
            elif sample.spec is series.FOLDED and sample.value:
                folded.add(
                    device
                )  # of some processes there is no series: what is not booked to the others may be theirs
            elif sample.spec is values.POWER:
                self._watts[device] = sample.value
        for device in self._before.keys() - (now.keys() - folded):
            del self._before[device]
            self._shares.pop(device, None)
        for device in now.keys() - folded:
            self._compare(device, now[device])

    def of(self, row: GpuProcessRow) -> float | None:
        """Watts; None where that is not known."""
        device = row.gpu.partition("_")[0]
        shares, watts = self._shares.get(device), self._watts.get(device)
        if shares is None or watts is None:
            return None
        share = shares.get(str(row.pid))
        if share is None and row.sm_ratio is not None:
            share = 0.0  # who used no energy has no series; where nobody can tell shares, nobody has one
        return None if share is None else watts * share

    def _compare(self, device: str, now: dict[_Labels, float]) -> None:
        before = self._before.get(device)
        if before is None:
            self._before[device] = now
            return
        gained = {labels: joules - before.get(labels, 0.0) for labels, joules in now.items()}
        whole = sum(gained.values())
        if whole == 0:
            return  # the same look again
        self._before[device] = now
        self._shares.pop(device, None)
        if min(gained.values()) >= 0:  # else counted anew
            shares = self._shares[device] = {}
            for (pid, *_), joules in gained.items():
                if pid != _NOBODY:
                    shares[pid] = shares.get(pid, 0.0) + joules / whole
