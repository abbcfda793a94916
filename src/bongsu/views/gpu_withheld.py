"""What the driver refuses to tell of GPUs that do answer: each reason once, with the GPUs and what is not known of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from bongsu.collectors import gpu_process, gpu_values
from bongsu.model.batch import Absence, Batch, Part, Why
from bongsu.views.gpu_entries import COLLECTOR, place
from bongsu.views.gpu_groups import ranges

_ROOM = 24  # cells for the numbers of GPUs
_REFUSED = frozenset({Why.FORBIDDEN, Why.FAILED})  # what a device does not offer is no news; one that is lost is told


class Withheld(NamedTuple):
    """A sentence, without the cure; ``collector`` is whose readings it is about."""

    collector: str
    said: str
    cure: str | None


def withheld(batch: Batch) -> Iterator[Withheld]:
    """Lists of processes that cannot be had, then figures; of each GPU the first reason for the list is enough."""
    silent = {
        sample.labels
        for part in batch.parts
        for sample in part.samples
        if sample.spec is gpu_values.UP and not sample.value
    }
    for part in batch.parts:
        if part.outcome.collector == COLLECTOR:
            yield from unlisted(part, silent)
    for part in batch.parts:
        if part.outcome.collector in {"gpu", COLLECTOR}:
            found: dict[tuple[str, str | None], tuple[dict[str, None], dict[str, None]]] = {}
            for one in part.absences:
                device = one.spec.labels[:2] == gpu_values.DEVICE and one.labels[:2] not in silent
                if one.why in _REFUSED and device and one.spec not in {gpu_process.COUNT, gpu_values.UP}:
                    names, gpus = found.setdefault(_why(one), ({}, {}))
                    names[one.spec.name], gpus[one.labels[0]] = None, None
            for (reason, cure), (names, gpus) in found.items():
                first, *more = names
                what = f"{first} and {len(more)} more" if more else first
                yield Withheld(part.outcome.collector, f"{_gpus(gpus)}: {what}: {reason}", cure)


def unlisted(part: Part, silent: set[tuple[str, ...]] | frozenset[tuple[str, ...]] = frozenset()) -> Iterator[Withheld]:
    """The GPUs whose processes cannot be listed; those in ``silent``, by index and UUID, do not answer at all."""
    first: dict[tuple[str, ...], Absence] = {}
    for one in part.absences:
        if one.spec is gpu_process.COUNT and one.why in _REFUSED and one.labels not in silent:
            first.setdefault(one.labels, one)
    found: dict[tuple[str, str | None], dict[str, None]] = {}
    for labels, one in first.items():
        found.setdefault(_why(one), {})[labels[0]] = None
    for (reason, cure), gpus in found.items():
        yield Withheld(COLLECTOR, f"processes on {_gpus(gpus)} cannot be listed: {reason}", cure)


def _why(one: Absence) -> tuple[str, str | None]:
    return str(one.reason), None if one.cure is None else str(one.cure)


def _gpus(indices: dict[str, None]) -> str:
    return f"GPU {ranges(sorted(indices, key=place), _ROOM)}"
