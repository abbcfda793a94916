"""Makes looks at GPUs by hand, as the source would give them."""

from __future__ import annotations

from collections.abc import Iterator

from bongsu.model.batch import Why
from bongsu.sources.nvml.reading import Gap, Gpu, Instance, Snapshot, Value
from bongsu.sources.nvml.values import DEVICE_VALUES, INSTANCE_VALUES

TIME = 1_800_000_000.0
UUIDS = ("GPU-0a0a0a0a-0000-0000-0000-00000000000a", "GPU-0b0b0b0b-0000-0000-0000-00000000000b")
UNSUPPORTED = Gap(Why.UNSUPPORTED, "nvmlDeviceGetFanSpeed", "NVML_ERROR_NOT_SUPPORTED")
LOST = Gap(Why.LOST, "nvmlDeviceGetTemperature", "NVML_ERROR_GPU_IS_LOST")

Given = dict[str | tuple[str, ...], float | Gap]


class Looks:
    """A reader that gives what it holds."""

    def __init__(self, snapshot: Snapshot) -> None:
        self.next = snapshot

    def read(self) -> Snapshot:
        return self.next


def values(
    given: Given | None = None, names: tuple[tuple[str, tuple[str, ...]], ...] = DEVICE_VALUES
) -> Iterator[Value]:
    """Every figure; those given by name, or by name and labels, have that value, the others their place in the list."""
    given = given or {}
    for place, (name, labels) in enumerate(names):
        yield Value(name, labels, given.get((name, *labels), given.get(name, float(place))))


def gpu(index: int = 0, given: Given | None = None, **more: object) -> Gpu:
    """One GPU with all figures."""
    facts = {
        "uuid": UUIDS[index], "index": index, "name": "NVIDIA H100 80GB HBM3", "minor": index + 3, "mig": False,
        "pci_bus_id": f"00000000:{index + 1:02X}:00.0", "architecture": "Hopper", "values": tuple(values(given)),
    }  # fmt: skip
    return Gpu(**(facts | more))  # type: ignore[arg-type]  # the fields' own types


def instance(gpu_instance: int, compute_instance: int = 0, used: float | Gap = 5e9) -> Instance:
    """An instance of a divided GPU."""
    return Instance(
        uuid=f"MIG-{gpu_instance}-{compute_instance}", gpu_instance=gpu_instance, compute_instance=compute_instance,
        profile="1g.10gb", slices=1, memory_total_bytes=1e10, memory_used_bytes=used,
        values=tuple(values(names=INSTANCE_VALUES)),
    )  # fmt: skip


def look(*gpus: Gpu, **more: object) -> Snapshot:
    """A look at these."""
    facts = {"time": TIME, "driver_version": "580.82.07", "cuda_version": "13.0", "gpus": gpus}
    return Snapshot(**(facts | more))  # type: ignore[arg-type]  # as above
