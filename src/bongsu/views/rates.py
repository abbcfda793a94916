"""Rates for one viewer: what counters gained between the two newest parts, per second of the monotonic clock."""

from __future__ import annotations

from typing import NamedTuple

from bongsu.model.batch import Batch, Part
from bongsu.model.metric import MetricSpec
from bongsu.model.owner import OwnerKind
from bongsu.model.process import ProcessRow
from bongsu.model.usage import OwnerRow
from bongsu.views.owner_rates import OwnerRates, owner_rates

Labels = tuple[str, ...]
Identity = tuple[int, int]


class ProcessRates(NamedTuple):
    """What a process does per second; None where it is not known (yet, or not to us)."""

    cores: float | None  # CPU seconds per second: 1.0 is one core
    read_bytes: float | None
    write_bytes: float | None

    @property
    def io_bytes(self) -> float | None:
        """Reads and writes together; None if neither is known."""
        if self.read_bytes is None and self.write_bytes is None:
            return None
        return (self.read_bytes or 0.0) + (self.write_bytes or 0.0)


NO_RATES = ProcessRates(None, None, None)


class Rates:
    """Remembers the newest two parts of each collector that it was given, and no more.

    Each viewer has its own, since each looks at its own moments. A counter that went backwards, or
    that has only just appeared, has no rate. Collectors may be asked at different intervals: a part
    that was seen before changes nothing.
    """

    def __init__(self) -> None:
        self._parts: dict[str, tuple[Part | None, Part]] = {}
        self._rates: dict[str, dict[MetricSpec, dict[Labels, float]]] = {}
        self._processes: dict[Identity, ProcessRates] | None = None
        self._owners: dict[tuple[OwnerKind, str, str], OwnerRates] | None = None

    def take(self, batch: Batch) -> None:
        """Look at one batch."""
        for part in batch.parts:
            known = self._parts.get(part.collector)
            if known is None:
                self._parts[part.collector] = (None, part)
            elif part.monotonic > known[1].monotonic:
                self._parts[part.collector] = (known[1], part)
                self._rates.pop(part.collector, None)
            else:
                continue
            for table in part.tables:
                if table.name == "processes":
                    self._processes = None
                elif table.name == "owners":
                    self._owners = None

    def rates(self, spec: MetricSpec) -> dict[Labels, float]:
        """The rate of each series of a counter, by label values; series without one are left out."""
        found: dict[Labels, float] = {}
        for collector in self._parts:
            found.update(self._of(collector).get(spec, {}))
        return found

    def rate(self, spec: MetricSpec, *labels: str) -> float | None:
        """The rate of one series, or None."""
        for collector in self._parts:
            found = self._of(collector).get(spec)
            if found is not None and labels in found:
                return found[labels]
        return None

    def total(self, spec: MetricSpec) -> float | None:
        """The sum over all series of a counter, or None if none has a rate."""
        found = self.rates(spec)
        return sum(found.values()) if found else None

    def processes(self) -> dict[Identity, ProcessRates]:
        """Rates of the rows of the table ``processes``, by identity (pid, start in ticks)."""
        if self._processes is None:
            self._processes = {}
            for earlier, later in self._parts.values():
                rows, before = _rows(later), _rows(earlier)
                if earlier is not None and rows and before:
                    self._processes = _process_rates(before, rows, earlier, later)
        return self._processes

    def owners(self) -> dict[tuple[OwnerKind, str, str], OwnerRates]:
        """Rates of the rows of the table ``owners``, by the owner's key."""
        if self._owners is None:
            self._owners = {}
            for earlier, later in self._parts.values():
                rows, before = _owner_rows(later), _owner_rows(earlier)
                if earlier is not None and rows and before:
                    self._owners = owner_rates(before, rows, later.monotonic - earlier.monotonic, earlier.time)
        return self._owners

    def _of(self, collector: str) -> dict[MetricSpec, dict[Labels, float]]:
        known = self._rates.get(collector)
        if known is None:
            earlier, later = self._parts[collector]
            known = self._rates[collector] = {} if earlier is None else _counter_rates(earlier, later)
        return known


def _counter_rates(earlier: Part, later: Part) -> dict[MetricSpec, dict[Labels, float]]:
    seconds = later.monotonic - earlier.monotonic
    before = {(sample.spec, sample.labels): sample.value for sample in earlier.samples}
    found: dict[MetricSpec, dict[Labels, float]] = {}
    for sample in later.samples:
        last = before.get((sample.spec, sample.labels))
        if last is not None and sample.value >= last:
            found.setdefault(sample.spec, {})[sample.labels] = (sample.value - last) / seconds
    return found


def _rows(part: Part | None) -> tuple[ProcessRow, ...]:
    for table in part.tables if part else ():
        if table.name == "processes":
            return tuple(row for row in table.rows if isinstance(row, ProcessRow))
    return ()


def _owner_rows(part: Part | None) -> tuple[OwnerRow, ...]:
    for table in part.tables if part else ():
        if table.name == "owners":
            return tuple(row for row in table.rows if isinstance(row, OwnerRow))
    return ()


def _process_rates(
    before: tuple[ProcessRow, ...], rows: tuple[ProcessRow, ...], earlier: Part, later: Part
) -> dict[Identity, ProcessRates]:
    seconds = later.monotonic - earlier.monotonic
    known = {row.identity: row for row in before}
    found: dict[Identity, ProcessRates] = {}
    for row in rows:
        last = known.get(row.identity)
        if last is not None:
            found[row.identity] = ProcessRates(
                _gain(last.cpu_seconds, row.cpu_seconds, seconds),
                _gain(last.read_bytes, row.read_bytes, seconds),
                _gain(last.write_bytes, row.write_bytes, seconds),
            )
        elif row.start_time >= earlier.time - 1.0:  # born since: all that it has done, it did since
            found[row.identity] = ProcessRates(
                _gain(0.0, row.cpu_seconds, seconds),
                _gain(0, row.read_bytes, seconds),
                _gain(0, row.write_bytes, seconds),
            )
    return found


def _gain(before: float | None, after: float | None, seconds: float) -> float | None:
    if before is None or after is None or after < before:
        return None
    return (after - before) / seconds
