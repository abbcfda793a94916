"""The GPUs of a machine in a row each, from the newest batch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from bongsu.collectors import gpu_values as values
from bongsu.model.batch import Absence, Batch
from bongsu.model.metric import MetricSpec
from bongsu.model.summary import GpuInstance, GpuUse
from bongsu.views.gpu_entries import place

# Reasons that are trouble, in words, the worst first. The limit of power is usual under full load, and an idle GPU is at rest.
_HELD_DOWN = {
    "hw_thermal_slowdown": "far too hot",
    "sw_thermal_slowdown": "too hot",
    "hw_power_brake_slowdown": "power brake of the machine",
    "sw_power_cap": "limit of power",
}

STUCK = "busy but stuck"

_Values = Mapping[MetricSpec, Mapping[tuple[str, ...], float]]


def gpu_uses(batch: Batch, now: _Values) -> tuple[GpuUse, ...]:
    """By index. ``now`` are the newest values by spec and labels."""
    why: dict[tuple[str, ...], Absence] = {}
    named = {labels[:2]: labels[2] for labels in now.get(values.INFO, {})}
    states: dict[tuple[str, ...], bool | None] = {
        labels: value == 1.0 for labels, value in now.get(values.UP, {}).items()
    }
    for absence in batch.absences:
        if absence.spec is values.UP:
            states.setdefault(absence.labels)
            why[absence.labels] = absence
        elif absence.spec.labels[:2] == values.DEVICE and states.get(absence.labels[:2]) is False:
            why.setdefault(absence.labels[:2], absence)
    return tuple(
        _use(labels, named.get(labels, ""), up, None if up else why.get(labels), now)
        for labels, up in sorted(states.items(), key=lambda item: (len(item[0][0]), item[0]))
    )


def trouble(gpu: GpuUse) -> str:
    """What is odd about a GPU now, in words; "" where nothing is."""
    if not gpu.up:
        return "does not answer" if gpu.up is False else gpu.reason
    return ", ".join(oddities(gpu))


def oddities(gpu: GpuUse) -> tuple[str, ...]:
    """What is odd about a GPU that answers, each in words, the worst first."""
    return ((STUCK,) if gpu.stuck else ()) + gpu.held_down


def _use(labels: tuple[str, ...], name: str, up: bool | None, why: Absence | None, now: _Values) -> GpuUse:
    def of(spec: MetricSpec, *more: str) -> float | None:
        return now.get(spec, {}).get((*labels, *more))

    index, uuid = labels
    busy, active = of(values.UTILIZATION), of(values.SM_ACTIVITY)
    return GpuUse(
        index, uuid, name, up, "" if why is None else str(why.reason),
        "" if why is None or why.cure is None else str(why.cure),
        busy, of(values.MEMORY_USED), of(values.MEMORY_TOTAL), of(values.TEMPERATURE, "gpu"),
        of(values.TEMPERATURE_LIMIT, "slowdown"), of(values.POWER), of(values.POWER_LIMIT), of(values.CLOCK, "sm"),
        tuple(text for reason, text in _HELD_DOWN.items() if of(values.CLOCK_EVENT, reason)), active,
        busy is not None and active is not None and busy >= values.BUSY and active <= values.AT_REST, tuple(_instances(uuid, now)),
    )  # fmt: skip


def _instances(parent: str, now: _Values) -> Iterator[GpuInstance]:
    for labels in sorted(now.get(values.MIG_INFO, {}), key=lambda labels: place(labels[0])):
        index, uuid, of, gpu_instance, _, profile = labels
        if of != parent:
            continue
        memory = (now.get(spec, {}) for spec in (values.MIG_MEMORY_USED, values.MIG_MEMORY_TOTAL))
        used, total = (
            next((value for at, value in found.items() if at[1:] == (parent, gpu_instance)), None) for found in memory
        )
        slices = now.get(values.MIG_SLICES, {}).get((index, uuid))
        yield GpuInstance(index, uuid, gpu_instance, profile, slices, used, total)
