"""Reads a scenario from a file, and refuses one that no machine could be."""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Iterator, Mapping
from itertools import pairwise

import msgspec

from bongsu.model.errors import BadInput
from bongsu.model.message import Message
from bongsu.sources import yaml_tree
from bongsu.sources.nvml import curve
from bongsu.sources.nvml.errors import ERRORS
from bongsu.sources.nvml.known_calls import CALLS
from bongsu.sources.nvml.scenario import Device, Process, Scenario, Use, bus_id_of, instance_uuid, uuid_of

_PLACE = re.compile(r"\.\.\.|\.(\w+)|\[(\d+|\.\.\.)\]")
_UUID = re.compile(r"GPU-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_MIG_UUID = re.compile(r"MIG-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|MIG-GPU-[0-9a-f-]{36}/\d+/\d+")
_BUS_ID = re.compile(r"[0-9A-F]{8}:[0-9A-F]{2}:[0-9A-F]{2}\.[0-7]")
_PERCENT = (0.0, 100.0)
_NO_LESS = (0.0, math.inf)
_LARGEST = float(2**53)
# figure of a device → what it can be
_BOUNDS = {
    "used_mib": _NO_LESS, "utilization": _PERCENT, "memory_utilization": _PERCENT, "encoder": _PERCENT,
    "decoder": _PERCENT, "power": _NO_LESS, "temperature": (-100.0, 1000.0), "memory_temperature": (0.0, 1000.0),
    "fan": _PERCENT, "performance_state": (0.0, 32.0),
}  # fmt: skip

Path = tuple[str, ...]


def load(path: str, option: str = "--demo") -> Scenario:
    """The scenario in a file, YAML or JSON.

    Raises:
        BadInput: it is missing, unreadable, or wrong; the message names file, line, key, value, what is allowed
            and the cure.
    """
    lines: dict[Path, int] = {}
    tree = yaml_tree.read(path, lines, kind="scenario", option=option, example='driver_version: "580.95.05"')
    try:
        scenario = msgspec.convert(tree, Scenario)
    except msgspec.ValidationError as error:
        raise _not_a_scenario(path, tree, lines, str(error)) from None
    for at, what in impossible(scenario):
        raise _wrong(path, lines, at, what)
    return scenario


def impossible(scenario: Scenario) -> Iterator[tuple[Path, Message]]:
    """What in it no machine could be: where, and a sentence that ends in the cure."""
    uuids: dict[str, Path] = {}
    buses: dict[str, Path] = {}
    for index, device in enumerate(scenario.devices):
        at = ("devices", str(index))
        yield from _unlike(uuids, (*at, "uuid"), uuid_of(device, index), _UUID)
        yield from _unlike(buses, (*at, "pci_bus_id"), bus_id_of(device, index), _BUS_ID)
        for name, allowed in _BOUNDS.items():
            yield from _outside((*at, name), getattr(device, name), allowed)
        yield from _parts_outside(device, at)
        yield from _divided(device, index, at, uuids)
        if device.reserved_mib > device.memory_mib:
            yield (
                (*at, "reserved_mib"),
                Message("{value} is more than memory_mib ({most}); give less", value=device.reserved_mib,
                        most=device.memory_mib),
            )  # fmt: skip
    for number, process in enumerate(scenario.processes):
        yield from _process(scenario, process, ("processes", str(number)))
    for key in ("errors", "hangs"):
        for number, fault in enumerate(getattr(scenario, key)):
            yield from _gpu(scenario, (key, str(number), "gpu"), fault.gpu)
            yield from _until((key, str(number), "until"), fault.after, fault.until)
    yield from _unknown_calls(scenario)
    for number, failing in enumerate(scenario.errors):
        if failing.error not in ERRORS:
            yield (
                ("errors", str(number), "error"),
                Message("{value} is no error of NVML; give one of {allowed}", value=repr(failing.error),
                        allowed=", ".join(ERRORS)),
            )  # fmt: skip


def _unknown_calls(scenario: Scenario) -> Iterator[tuple[Path, Message]]:
    asked: list[tuple[Path, str]] = [
        *((("errors", str(n), "call"), fault.call) for n, fault in enumerate(scenario.errors)),
        *((("hangs", str(n), "call"), hang.call) for n, hang in enumerate(scenario.hangs)),
        *((("latency", call), call) for call in scenario.latency),
        *((("missing", str(n)), call) for n, call in enumerate(scenario.missing)),
    ]
    for at, call in asked:
        if call not in CALLS and (call != "*" or at[0] == "missing"):
            near = difflib.get_close_matches(call, CALLS, 1)
            cure = f"did you mean {near[0]}?" if near else "the names are those of nvml.h"
            yield at, Message("{value} is no call that can be played; {cure}", value=repr(call), cure=cure)


def _parts_outside(device: Device, at: Path) -> Iterator[tuple[Path, Message]]:
    for part, allowed in (("clocks", _NO_LESS), ("pcie", _NO_LESS), ("nvlink", _NO_LESS), ("activity", _PERCENT)):
        held = getattr(device, part)
        for name in () if held is None else held.__struct_fields__:
            figure = getattr(held, name)
            if isinstance(figure, float | curve.Sine | curve.Steps | curve.Sawtooth | curve.Noise | curve.Sum):
                yield from _outside((*at, part, name), figure, allowed)
    for reason, figure in (device.event_reasons or {}).items():
        yield from _outside((*at, "event_reasons", reason), figure, (0.0, 1.0))
    if device.nvlink is not None and any(link >= device.nvlink.links for link in device.nvlink.down):
        yield (
            (*at, "nvlink", "down"),
            Message("the links are 0 to {last}; name only these", last=device.nvlink.links - 1),
        )


def _divided(device: Device, index: int, at: Path, uuids: dict[str, Path]) -> Iterator[tuple[Path, Message]]:
    if device.mig is None:
        return
    taken: dict[str, set[object]] = {"slot": set(), "compute_instance": set()}
    sizes: dict[int, int] = {}
    for number, instance in enumerate(device.mig.instances):
        here = (*at, "mig", "instances", str(number))
        if instance.slot >= device.mig.max_instances:
            yield (
                (*here, "slot"),
                Message("the slots are 0 to {last} (max_instances); give one of these",
                        last=device.mig.max_instances - 1),
            )  # fmt: skip
        ids = {"slot": instance.slot, "compute_instance": (instance.gpu_instance, instance.compute_instance)}
        for key, identity in ids.items():
            if identity in taken[key]:
                yield (*here, key), Message("{value} is taken by another instance; give another", value=identity)
            taken[key].add(identity)
        if sizes.setdefault(instance.gpu_instance, instance.memory_mib) != instance.memory_mib:
            yield (
                (*here, "memory_mib"),
                Message("the memory of GPU instance {gi} is {size} above; give the same, it is shared",
                        gi=instance.gpu_instance, size=sizes[instance.gpu_instance]),
            )  # fmt: skip
        yield from _unlike(uuids, (*here, "uuid"), instance_uuid(instance, index), _MIG_UUID)
        for name in () if instance.activity is None else instance.activity.__struct_fields__:
            yield from _outside((*here, "activity", name), getattr(instance.activity, name), _PERCENT)
    if sum(sizes.values()) > device.memory_mib:
        yield (
            (*at, "mig", "instances"),
            Message("their memory is {sum} MiB, the device has {all}; give less", sum=sum(sizes.values()),
                    all=device.memory_mib),
        )  # fmt: skip


def _process(scenario: Scenario, process: Process, at: Path) -> Iterator[tuple[Path, Message]]:
    yield from _until((*at, "until"), process.after, process.until)
    for number, use in enumerate(process.on):
        here = (*at, "on", str(number))
        wrong = list(_gpu(scenario, (*here, "gpu"), use.gpu))
        yield from wrong or _instance(scenario.devices[use.gpu], use, here)
        for name in ("sm", "memory_bandwidth", "encoder", "decoder"):
            yield from _outside((*here, name), getattr(use, name), _PERCENT)
            if use.sm is None and getattr(use, name):
                yield (*here, name), Message("without sm the driver tells none of the four; give sm too")
        yield from _outside((*here, "memory_mib"), use.memory_mib, _NO_LESS)


def _instance(device: Device, use: Use, at: Path) -> Iterator[tuple[Path, Message]]:
    mig = device.mig
    ids = [(i.gpu_instance, i.compute_instance) for i in mig.instances] if mig is not None and mig.enabled else []
    asked = (use.gpu_instance, use.compute_instance)
    if asked != (None, None) and asked not in ids:
        yield (
            (*at, "gpu_instance"),
            Message("GPU {gpu} has no such instance; it has {ids}; name both gpu_instance and compute_instance of one",
                    gpu=use.gpu, ids=", ".join(f"{gi}/{ci}" for gi, ci in ids) or "none"),
        )  # fmt: skip
    elif asked == (None, None) and mig is not None and mig.enabled:
        yield (
            (*at, "gpu"),
            Message("GPU {gpu} is divided: a process is on one of its instances; give gpu_instance and "
                    "compute_instance", gpu=use.gpu),
        )  # fmt: skip


def _gpu(scenario: Scenario, at: Path, gpu: int | None) -> Iterator[tuple[Path, Message]]:
    if gpu is not None and gpu >= len(scenario.devices):
        yield (
            at,
            Message("{value} is none of the {count} devices; they count from 0", value=gpu,
                    count=len(scenario.devices)),
        )  # fmt: skip


def _until(at: Path, after: float, until: float | None) -> Iterator[tuple[Path, Message]]:
    if until is not None and until <= after:
        yield at, Message("{value} is not later than after ({after}); give a later time", value=until, after=after)


def _outside(at: Path, figure: curve.Curve | None, allowed: tuple[float, float]) -> Iterator[tuple[Path, Message]]:
    if figure is None:
        return
    low, high = curve.bounds(figure)
    least, most = allowed
    if not (least <= low and high <= min(most, _LARGEST)):
        span = f"{least:g} to {most:g}" if most < math.inf else f"{least:g} or more"
        got = f"{low:g} to {high:g}" if low < high else f"{low:g}"
        yield at, Message("{got} cannot be; it can be {span}; change the curve", got=got, span=span)
    for part in curve.parts(figure):
        times = [since for since, _ in part.at] if isinstance(part, curve.Steps) else [0.0]
        if times[0] != 0 or any(late >= later for late, later in pairwise(times)):
            yield at, Message("the times of steps begin with 0 and grow; sort them")


def _unlike(seen: dict[str, Path], at: Path, value: str, form: re.Pattern[str]) -> Iterator[tuple[Path, Message]]:
    if not form.fullmatch(value):
        yield at, Message("{value} is not of the form {form}; correct it", value=repr(value), form=form.pattern)
    elif value in seen:
        yield at, Message("{value} stands also in {other}; give another", value=value, other=".".join(seen[value]))
    seen.setdefault(value, at)


def _not_a_scenario(path: str, tree: Mapping[str, object], lines: Mapping[Path, int], error: str) -> BadInput:
    """The one line for what msgspec found: its words, with the place, the value and what is allowed."""
    what, _, place = error.partition(" - at `")
    at, known, value = _walk(tree, place)
    if unknown := re.search(r"contains unknown field `(.+)`", what):
        key = unknown[1]
        return _wrong(path, lines, (*at, key), Message("there is no such key; allowed: {allowed}; correct or remove it",
                                                       allowed=", ".join(_keys(at, value))))  # fmt: skip
    if missing := re.search(r"missing required field `(.+)`", what):
        return _wrong(path, lines, at, Message("{key} must be given; add it", key=missing[1]))
    said = what[:1].lower() + what[1:]
    if not known:
        return _wrong(path, lines, at, Message("{said}; correct one of its keys", said=said))
    return _wrong(
        path, lines, at, Message("{value} cannot be used: {said}; correct it", value=_short(value), said=said)
    )


def _walk(tree: object, place: str) -> tuple[Path, bool, object]:
    """The keys on the way to msgspec's place, whether it goes all the way, and what stands there."""
    at: list[str] = []
    for step in _PLACE.finditer(place):
        key = step[1] or step[2]
        if key is None or key == "...":
            return tuple(at), False, tree
        if isinstance(tree, dict):
            tree = tree.get(key)
        elif isinstance(tree, list) and int(key) < len(tree):
            tree = tree[int(key)]
        at.append(key)
    return tuple(at), True, tree


def _keys(at: Path, value: object) -> list[str]:
    """The keys of the struct at this place."""
    here: object = Scenario
    kind = value.get("kind") if isinstance(value, dict) else None
    for key in (*at, None):
        candidates = [here]
        found: list[type[msgspec.Struct]] = []
        while candidates:
            candidate = candidates.pop()
            if isinstance(candidate, type) and issubclass(candidate, msgspec.Struct):
                found.append(candidate)
            candidates += getattr(candidate, "__args__", ())
        if key is None:
            tagged = [struct for struct in found if struct.__struct_config__.tag in {kind, None}]
            return [*(["kind"] if found and found[0].__struct_config__.tag else []),
                    *(name for struct in tagged[:1] for name in struct.__struct_fields__)]  # fmt: skip
        if not key.isdigit() and found:
            fields = {field.name: field.type for struct in found for field in msgspec.structs.fields(struct)}
            here = fields.get(key, here)
    return []


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}…"


def _wrong(path: str, lines: Mapping[Path, int], at: Path, what: Message) -> BadInput:
    line = 1
    for end in range(len(at), 0, -1):  # an item of a list stands where the first of its keys does
        if found := [lines[key] for key in lines if key[:end] == at[:end]]:
            line = min(found)
            break
    key = ".".join(at) or "the file"
    return BadInput(
        Message("{path}:{line}: {key}: {what}", path=path, line=line,
                key=key if key.isprintable() else repr(key), what=what)
    )  # fmt: skip
