"""What one look at the GPUs of NVIDIA gave, in base units; the same whether a driver or a scenario answered.

Every figure is a number or a `Gap` that says why there is none. The calls are those of nvml.h.
"""

from __future__ import annotations

import msgspec

from bongsu.model.batch import Why
from bongsu.model.message import Message
from bongsu.model.owner import Owner


class Gap(msgspec.Struct, frozen=True, gc=False):
    """Why there is no number: ``error`` is NVML's name for it, as ``NVML_ERROR_NOT_SUPPORTED``; ``call`` what was asked."""

    why: Why
    call: str
    error: str


class Value(msgspec.Struct, frozen=True, gc=False):
    """One figure of a device or instance. ``name`` is the metric's name, such as ``gpu_temperature_celsius``.

    ``labels`` are its further labels in the order of the metric's, such as ``("memory",)`` for the sensor.
    """

    name: str
    labels: tuple[str, ...]
    value: float | Gap


class Instance(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A compute instance of a GPU that is divided (MIG). Memory belongs to the GPU instance and is shared by its compute instances."""

    uuid: str
    gpu_instance: int
    compute_instance: int
    profile: str = ""  # "1g.10gb"; "" where it is not known
    slices: int | None = None  # of the GPU's compute slices
    memory_total_bytes: float | Gap
    memory_used_bytes: float | Gap
    values: tuple[Value, ...] = ()


class Gpu(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One device. Its identity is the UUID; NVML's index may change with a restart and is a label only."""

    uuid: str
    index: int
    name: str = ""
    pci_bus_id: str = ""  # "00000000:3B:00.0"
    minor: int | None = None  # N of /dev/nvidiaN
    mig: bool | None = None  # None: it cannot be divided, or that is not known
    architecture: str = ""
    values: tuple[Value, ...] = ()
    instances: tuple[Instance, ...] = ()
    failed: Gap | None = None  # the device as a whole: lost, needs a reset; then the rest is what still answered
    asleep: bool = False  # suspended by the kernel (runtime power management) and not woken for this
    held_by: tuple[Owner, ...] = ()  # in a played scenario; no driver knows


class Played(msgspec.Struct, frozen=True, gc=False):
    """What a played scenario says of a process that is nobody's: what no driver tells."""

    command: str
    owner: Owner
    start_time: float | None = None  # Unix s


class GpuProcess(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One process on one device or instance. A process on two devices is two of these."""

    pid: int  # as the driver says; of the machine's own pid namespace
    uuid: str  # of the device
    gpu_instance: int | None = None
    compute_instance: int | None = None
    kinds: tuple[str, ...] = ()  # compute, graphics, mps
    memory_bytes: float | Gap
    sm_ratio: float | Gap  # 0 where the driver says that it did nothing lately; a Gap on MIG
    memory_bandwidth_ratio: float | Gap
    encoder_ratio: float | Gap
    decoder_ratio: float | Gap
    played: Played | None = None


class Ended(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A process that ended, from the driver's accounting, where root has switched that on."""

    pid: int
    uuid: str
    start_time: float  # Unix s
    seconds: float  # how long its context lived
    max_memory_bytes: float | Gap
    sm_ratio: float | Gap  # over its life


class Xid(msgspec.Struct, frozen=True, gc=False):
    """Errors of one kind that the driver told of since we listen. ``last_time``: Unix s."""

    uuid: str
    xid: int
    count: int
    last_time: float


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """One look at all GPUs. ``error`` is set, and ``gpus`` empty, where the library or driver as a whole does not answer."""

    time: float  # Unix s
    driver_version: str = ""
    cuda_version: str = ""
    nvml_version: str = ""
    gpus: tuple[Gpu, ...] = ()
    processes: tuple[GpuProcess, ...] = ()
    processes_gaps: tuple[tuple[str, Gap], ...] = ()  # devices (UUID) whose processes could not be listed
    ended: tuple[Ended, ...] = ()  # in the last 5 min; the same one is in several looks
    xids: tuple[Xid, ...] = ()
    error: Gap | None = None
    finding: Message | None = None  # where there is an error, or the driver hangs: what is wrong, in words
    cure: Message | None = None  # for the finding or the error
    stale_seconds: float = 0.0  # how old this is: more than 0 while the driver hangs
    library_seconds: float = 0.0  # wall time spent in the library
    demo: bool = False  # no device: a scenario is played
