"""What the checks of GPUs are given: two looks a moment apart, how many GPUs there should be, and why there is none."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property

import msgspec

from bongsu.collectors.gpu_gaps import reason
from bongsu.model.check import Evidence, Result, State
from bongsu.model.message import Message
from bongsu.model.metric import MetricSpec
from bongsu.sources.nvml.reading import Gap, Gpu, Snapshot

SUBJECT = "GPU"


class GpuReadings(msgspec.Struct, frozen=True, kw_only=True):
    """``nothing`` is why no GPU is read here, with its cure where there is something to cure."""

    before: Snapshot
    now: Snapshot
    expected: int = 0  # 0: no expectation
    nothing: tuple[Message, Message | None] | None = None


class OneGpu:
    """One GPU at both looks, for one check: what its figures are, and what was asked for so far."""

    def __init__(self, check: str, readings: GpuReadings, gpu: Gpu) -> None:
        self._check = check
        self._readings = readings
        self.gpu = gpu
        self._evidence: list[Evidence] = []

    @property
    def window(self) -> float:
        """Seconds between the looks."""
        return self._readings.now.time - self._readings.before.time

    def figure(self, spec: MetricSpec, *labels: str) -> float | Gap | None:
        """A figure of now, kept as evidence; None where nobody asked for it."""
        found = self._now.get((spec.name, labels))
        self._evidence.append(Evidence(spec.name, labels, None if isinstance(found, Gap) else found))
        return found

    def number(self, spec: MetricSpec, *labels: str) -> float | None:
        """The same, where it is a number."""
        found = self.figure(spec, *labels)
        return None if isinstance(found, Gap) else found

    def gained(self, spec: MetricSpec, *labels: str) -> float | None:
        """How much a counter has grown between the looks; None where that is not known, as after a reset."""
        now, before = self.number(spec, *labels), self._before.get((spec.name, labels))
        if now is None or before is None or isinstance(before, Gap) or now < before or self.window <= 0:
            return None
        return now - before

    def result(self, state: State, message: Message, cure: Message | None = None) -> Result:
        """An answer about this GPU, with all that was read for it."""
        return Result(
            check=self._check, subject=SUBJECT, place=str(self.gpu.index), uuid=self.gpu.uuid, state=state,
            message=message, cure=cure, evidence=tuple(self._evidence), time=self._readings.now.time,
        )  # fmt: skip

    def unknown(self, *found: float | Gap | None) -> Result:
        """That it is not known, because of the first of these that is a gap."""
        gap = next((one for one in found if isinstance(one, Gap)), None)
        return self.result(State.UNKNOWN, Message("the two looks do not tell it") if gap is None else reason(gap))

    @cached_property
    def _now(self) -> Mapping[tuple[str, tuple[str, ...]], float | Gap]:
        return _figures(self.gpu)

    @cached_property
    def _before(self) -> Mapping[tuple[str, tuple[str, ...]], float | Gap]:
        earlier = (gpu for gpu in self._readings.before.gpus if gpu.uuid == self.gpu.uuid)
        return next((_figures(gpu) for gpu in earlier), {})


def _figures(gpu: Gpu) -> dict[tuple[str, tuple[str, ...]], float | Gap]:
    return {(value.name, value.labels): value.value for value in gpu.values}
