"""Which GPUs a CUDA program that is started here is given: what CUDA_VISIBLE_DEVICES names of those of the machine."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from bongsu.model.summary import GpuUse
from bongsu.views.printable import printable

VARIABLE = "CUDA_VISIBLE_DEVICES"
NOT_SET = f"{VARIABLE} is not set: every GPU is visible."
_NUMBER = re.compile(r"[+-]?[0-9]+")  # CUDA reads so far, and no further
_DEVICE = re.compile(r"GPU-[0-9a-fA-F-]+")
_INSTANCE = re.compile(r"MIG-[0-9a-fA-F-]+")
_OLD_INSTANCE = re.compile(r"MIG-(GPU-[0-9a-fA-F-]+)/([0-9]+)/([0-9]+)")  # before driver 470


class CudaEnvironment(NamedTuple):
    """What the environment says; ``value`` is None where the variable is not set."""

    value: str | None
    by_bus: bool = False  # CUDA counts as nvidia-smi does

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> CudaEnvironment:
        """As a CUDA program would find it."""
        return cls(environment.get(VARIABLE), environment.get("CUDA_DEVICE_ORDER") == "PCI_BUS_ID")


class Visible(NamedTuple):
    """What is visible, in CUDA's order: a device by its index, an instance as "7_1_0"."""

    gpus: tuple[str, ...]
    problem: str = ""  # what of the value counts for nothing, and why

    def shows(self, gpu: str) -> bool:
        """Whether this device or instance is visible; the instances of a visible device are."""
        return any(gpu == one or gpu.startswith(f"{one}_") for one in self.gpus)

    def of(self, gpus: Iterable[GpuUse]) -> tuple[GpuUse, ...]:
        """The visible ones, and the divided ones of which an instance is visible."""
        return tuple(
            gpu for gpu in gpus if self.shows(gpu.index) or any(self.shows(one.index) for one in gpu.instances)
        )


def visible(given: CudaEnvironment, gpus: Sequence[GpuUse]) -> Visible:
    """As the CUDA programming guide has it ("CUDA Environment Variables"): what cannot be, ends the list.

    Numbers or UUIDs, which may be shortened while they are of one only; naming one twice leaves none. A number is
    NVML's, which is CUDA's where GPUs are all of one model or CUDA_DEVICE_ORDER is PCI_BUS_ID. A divided GPU that is
    named stands for all of its instances, of which CUDA takes the first.
    """
    if given.value is None:
        return Visible(tuple(gpu.index for gpu in gpus))
    found: list[str] = []
    numbers: bool | None = None
    for word in (part.strip() for part in given.value.split(",")) if given.value.strip() else ():
        number = _NUMBER.match(word)
        mixed = numbers is not None and numbers is not (number is not None)
        one = _named(word, number, gpus)
        if isinstance(one, str) and not mixed:
            if one in found:
                return Visible((), _said(f"GPU {one} stands there twice, CUDA gives none"))
            found.append(one)
            numbers = number is not None
            continue
        why = one.why if isinstance(one, _No) else "mixes numbers and UUIDs"
        return Visible(tuple(found), _said(f"`{word}` {why}, CUDA gives {','.join(found) or 'none'}"))
    problem = ""
    if not found:
        problem = _said("it is empty, CUDA gives none")
    elif numbers and not given.by_bus and len({gpu.name for gpu in gpus}) > 1:
        problem = _said("counted as nvidia-smi does, as CUDA does with CUDA_DEVICE_ORDER=PCI_BUS_ID")
    return Visible(tuple(found), problem)


class _No(NamedTuple):
    why: str


def _named(word: str, number: re.Match[str] | None, gpus: Sequence[GpuUse]) -> str | _No:
    """The label of what a word names."""
    if number is not None:
        index = str(int(number[0]))
        there = [gpu.index for gpu in gpus]
        return index if index in there else _No(f"is not here ({_few(there)})")
    if old := _OLD_INSTANCE.fullmatch(word):
        devices = [gpu for gpu in gpus if gpu.uuid.lower().startswith(old[1].lower())]
        found = [one.index for gpu in devices for one in gpu.instances if one.index == f"{gpu.index}_{old[2]}_{old[3]}"]
    elif _DEVICE.fullmatch(word):
        found = [gpu.index for gpu in gpus if gpu.uuid.lower().startswith(word.lower())]
    elif _INSTANCE.fullmatch(word):
        found = [one.index for gpu in gpus for one in gpu.instances if one.uuid.lower().startswith(word.lower())]
    else:
        return _No("is neither a number nor a UUID")
    if len(found) == 1:
        return found[0]
    return _No("is how several begin" if found else "is not here")


def _few(labels: Sequence[str]) -> str:
    return "there is none" if not labels else labels[0] if len(labels) == 1 else f"{labels[0]} to {labels[-1]}"


def _said(what: str) -> str:
    return printable(f"{VARIABLE}: {what}")
