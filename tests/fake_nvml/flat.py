"""Writes a scenario as the flat file that the fake library reads: one fact a line, words apart by tabs."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from bongsu.sources.nvml import curve
from bongsu.sources.nvml.errors import ERRORS
from bongsu.sources.nvml.scenario import (
    Device,
    Instance,
    Scenario,
    bus_id_of,
    instance_uuid,
    minor_of,
    uuid_of,
)

_KINDS = {"compute": 1, "graphics": 2, "mps": 4}
_ARCHITECTURES = ("kepler", "maxwell", "pascal", "volta", "turing", "ampere", "ada", "hopper", "blackwell")
_FIGURES = (
    "used_mib", "utilization", "memory_utilization", "encoder", "decoder", "power", "temperature",
    "memory_temperature", "fan", "performance_state",
)  # fmt: skip
_NUMBERS = (
    "cores", "memory_mib", "reserved_mib", "power_limit", "power_default_limit", "energy_start", "recovery_action",
    "persistence", "compute_mode", "accounting",
)  # fmt: skip
_PARTS = ("clocks", "max_clocks", "limits", "pcie", "nvlink", "ecc", "remapped", "retired", "activity")
_CURVES = (float, curve.Sine, curve.Steps, curve.Sawtooth, curve.Noise, curve.Sum)


def write(scenario: Scenario, path: Path, start: float, frozen: float | None) -> None:
    """Put the file in place at once, so that the library never reads half of one."""
    fresh = path.with_suffix(".new")
    fresh.write_text("".join("\t".join(map(str, words)) + "\n" for words in _lines(scenario, start, frozen)))
    os.replace(fresh, path)


def _lines(scenario: Scenario, start: float, frozen: float | None) -> Iterator[tuple[object, ...]]:
    yield "driver", scenario.driver_version
    yield "nvml", scenario.nvml_version
    major, _, minor = scenario.cuda_version.partition(".")
    yield "cuda", 1000 * int(major) + 10 * int(minor)
    yield "start", repr(start)
    if frozen is not None:
        yield "frozen", repr(frozen)
    for quirk in scenario.quirks.__struct_fields__:
        if getattr(scenario.quirks, quirk):
            yield "quirk", quirk
    for index, device in enumerate(scenario.devices):
        yield from _device(device, index)
    for process in scenario.processes:
        for use in process.on:
            kinds = sum(_KINDS[kind] for kind in set(use.kinds))
            instance = [-1 if number is None else number for number in (use.gpu_instance, use.compute_instance)]
            curves = [_curve(c) for c in (use.memory_mib, use.sm, use.memory_bandwidth, use.encoder, use.decoder)]
            yield "use", process.pid, process.after, _end(process.until), use.gpu, *instance, kinds, *curves
    for fault in scenario.errors:
        yield ("fault", fault.call, ERRORS[fault.error], _or_any(fault.gpu), _or_any(fault.field), fault.after,
               _end(fault.until))  # fmt: skip
    for hang in scenario.hangs:
        yield "fault", hang.call, -1, _or_any(hang.gpu), -1, hang.after, _end(hang.until)
    for call, seconds in scenario.latency.items():
        yield "latency", call, seconds


def _device(device: Device, index: int) -> Iterator[tuple[object, ...]]:
    yield "device", uuid_of(device, index), device.name, bus_id_of(device, index), _end(device.lost_at)
    yield "number", "minor", minor_of(device, index)
    yield "number", "architecture", 2 + _ARCHITECTURES.index(device.architecture)
    for name in _FIGURES:
        yield "figure", name, _curve(getattr(device, name))
    for name in _NUMBERS:
        if getattr(device, name) is not None:
            yield "number", name, int(getattr(device, name))
    for part in _PARTS:
        held = getattr(device, part)
        for name in () if held is None else held.__struct_fields__:
            value = getattr(held, name)
            if isinstance(value, tuple):  # the links that are down
                yield "number", f"{part}_{name}", sum(1 << link for link in value)
            elif isinstance(value, _CURVES):
                yield "figure", f"{part}_{name}", _curve(value)
            elif value is not None:
                yield "number", f"{part}_{name}", int(value)
    if device.event_reasons is not None:
        yield "number", "event_reasons", 1
        for reason, active in device.event_reasons.items():
            yield "figure", f"event_reasons_{reason}", _curve(active)
    for xid in sorted(device.xids, key=lambda one: one.at):
        yield "xid", xid.at, xid.xid
    if device.mig is not None:
        yield "number", "mig_enabled", int(device.mig.enabled)
        yield "number", "mig_max_instances", device.mig.max_instances
        for instance in device.mig.instances:
            yield from _instance(instance, index)


def _instance(instance: Instance, index: int) -> Iterator[tuple[object, ...]]:
    yield ("instance", instance.slot, instance.gpu_instance, instance.compute_instance, instance.slices,
           instance.multiprocessors, instance.memory_mib, instance.reserved_mib, instance_uuid(instance, index),
           instance.profile)  # fmt: skip
    if instance.activity is not None:
        for name in instance.activity.__struct_fields__:
            yield "activity", f"activity_{name}", _curve(getattr(instance.activity, name))


def _end(seconds: float | None) -> float:
    return -1.0 if seconds is None else seconds


def _or_any(number: int | None) -> int:
    return -1 if number is None else number


def _curve(shape: curve.Curve | None) -> str:
    return "-" if shape is None else ";".join(map(_part, curve.parts(shape)))


def _part(part: curve.Part) -> str:
    if isinstance(part, curve.Sine):
        return _numbers("s", part.mean, part.swing, part.period, part.phase)
    if isinstance(part, curve.Steps):
        return _numbers("t", _end(part.repeat), *(number for step in part.at for number in step))
    if isinstance(part, curve.Sawtooth):
        return _numbers("w", part.low, part.high, part.period)
    if isinstance(part, curve.Noise):
        return _numbers("n", part.mean, part.swing, part.every, part.seed)
    return _numbers("c", part)


def _numbers(kind: str, *numbers: float) -> str:
    return " ".join([kind, *(repr(float(number)) for number in numbers)])
