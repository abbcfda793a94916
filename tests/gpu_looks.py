"""Makes looks at GPUs by hand, for tests of those who read them."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from bongsu.model.batch import Why
from bongsu.sources.nvml.reading import Gap, Gpu, GpuProcess, Instance, Snapshot, Value

GIB = 1024**3
UNSUPPORTED = Gap(Why.UNSUPPORTED, "nvmlDeviceGetProcessUtilization", "NVML_ERROR_NOT_SUPPORTED")


def uuid(index: int) -> str:
    """The UUID of the device with this index."""
    return f"GPU-{index:08x}-0000-4000-8000-000000000000"


def device(index: int = 0, *, energy: float | Gap = UNSUPPORTED, total: float = 80 * GIB, **more: Any) -> Gpu:
    """A device, with nothing but its memory and what it has used."""
    values = (Value("gpu_memory_total_bytes", (), total), Value("gpu_energy_joules_total", (), energy))
    return Gpu(uuid=uuid(index), index=index, minor=index, values=values, **more)


def instance(gpu_instance: int, compute_instance: int = 0, total: float = 10 * GIB) -> Instance:
    """An instance of a divided device."""
    name = f"MIG-{gpu_instance:08x}-0000-4000-8000-{compute_instance:012x}"
    return Instance(
        uuid=name, gpu_instance=gpu_instance, compute_instance=compute_instance, memory_total_bytes=total,
        memory_used_bytes=0.0,
    )  # fmt: skip


def process(
    pid: int, index: int = 0, *, memory: float | Gap = GIB, sm: float | Gap = 0.5, on: tuple[int, int] | None = None,
    **more: Any,
) -> GpuProcess:  # fmt: skip
    """A process on a device, or on the instance ``on``."""
    gpu_instance, compute_instance = on or (None, None)
    return GpuProcess(
        pid=pid, uuid=uuid(index), gpu_instance=gpu_instance, compute_instance=compute_instance, kinds=("compute",),
        memory_bytes=memory, sm_ratio=sm, memory_bandwidth_ratio=more.pop("bandwidth", 0.25),
        encoder_ratio=0.0, decoder_ratio=0.0, **more,
    )  # fmt: skip


def look(gpus: Sequence[Gpu], *processes: GpuProcess, at: float | None = None, **more: Any) -> Snapshot:
    """A look of now, or of ``at`` (Unix s)."""
    return Snapshot(time=time.time() if at is None else at, gpus=tuple(gpus), processes=processes, **more)


class Looks:
    """A reader that gives the look it is told to."""

    def __init__(self, first: Snapshot | None = None) -> None:
        self.now = first or look(())

    def read(self) -> Snapshot:
        return self.now
