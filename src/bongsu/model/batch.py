"""What one collection gives: samples, absences, live tables, and how the collection itself went."""

from __future__ import annotations

import enum
from collections.abc import Iterator

import msgspec

from bongsu.model.message import Message
from bongsu.model.metric import MetricSpec


class Sample(msgspec.Struct, frozen=True, gc=False):
    """One value of one metric; ``labels`` are in the order of ``spec.labels``."""

    spec: MetricSpec
    labels: tuple[str, ...]
    value: float


class Why(enum.Enum):
    """Why there is no value. None of these is zero."""

    UNSUPPORTED = "unsupported"  # this kernel, device or driver does not offer it
    FORBIDDEN = "forbidden"  # we lack a permission
    LOST = "lost"  # it was there and no longer answers
    MISSING = "missing"  # this machine has none
    FAILED = "failed"  # reading it failed


class Absence(msgspec.Struct, frozen=True):
    """A value that is not there, and why; ``last`` is the last good value, read at ``last_time`` (Unix s)."""

    spec: MetricSpec
    labels: tuple[str, ...]
    why: Why
    reason: Message
    cure: Message | None = None
    last: float | None = None
    last_time: float | None = None


class Table(msgspec.Struct, frozen=True):
    """Live rows for people (processes, mounts): never stored as series."""

    name: str
    rows: tuple[msgspec.Struct, ...]


class Outcome(msgspec.Struct, frozen=True):
    """How one collector's collection went. ``error`` and ``no_data`` are never both set.

    ``seconds`` and ``cpu_seconds`` are of this collection; ``last_success`` is Unix time, None for never.
    """

    collector: str
    seconds: float
    cpu_seconds: float
    error: Message | None = None
    no_data: Message | None = None
    cure: Message | None = None
    timed_out: bool = False
    last_success: float | None = None

    @property
    def success(self) -> bool:
        """Whether it read what there was to read (having nothing to read is not a failure)."""
        return self.error is None


class Part(msgspec.Struct, frozen=True):
    """What one collector gave at ``time`` (Unix s) and ``monotonic`` (s, for rates)."""

    collector: str
    time: float
    monotonic: float
    samples: tuple[Sample, ...]
    absences: tuple[Absence, ...]
    tables: tuple[Table, ...]
    outcome: Outcome


class Batch(msgspec.Struct, frozen=True):
    """What all collectors gave for one tick or scrape; parts may be of slightly different times."""

    time: float
    monotonic: float
    parts: tuple[Part, ...]

    @property
    def samples(self) -> Iterator[Sample]:
        """All samples, collector by collector."""
        for part in self.parts:
            yield from part.samples

    @property
    def absences(self) -> Iterator[Absence]:
        """All absences, collector by collector."""
        for part in self.parts:
            yield from part.absences

    @property
    def outcomes(self) -> Iterator[Outcome]:
        """How each collector fared."""
        for part in self.parts:
            yield part.outcome

    def table(self, name: str) -> Table | None:
        """The live table of that name, if a collector gave one."""
        for part in self.parts:
            for table in part.tables:
                if table.name == name:
                    return table
        return None
