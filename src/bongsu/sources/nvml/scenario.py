"""What a scenario file may say: GPUs and their processes as curves over time, and all that can go wrong with them.

A file (YAML, or JSON, which is YAML too) is read by `scenario_file.load`. Seconds count from the start of the
scenario; percent are 0 to 100; a figure that is null is one that the device does not support.
"""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

import msgspec

from bongsu.sources.nvml.curve import Curve

Count: TypeAlias = Annotated[int, msgspec.Meta(ge=0, le=2**53)]
Positive: TypeAlias = Annotated[int, msgspec.Meta(ge=1, le=2**31 - 1)]
Seconds: TypeAlias = Annotated[float, msgspec.Meta(ge=0)]
Pid: TypeAlias = Annotated[int, msgspec.Meta(ge=1, le=2**32 - 2)]
Text: TypeAlias = Annotated[str, msgspec.Meta(max_length=79, pattern=r"^[^\x00-\x1f\x7f]*$")]
Call: TypeAlias = Annotated[str, msgspec.Meta(pattern=r"^(\*|nvml[A-Z][A-Za-z0-9_]*)$")]
Reason: TypeAlias = Literal[
    "gpu_idle", "applications_clocks_setting", "sw_power_cap", "hw_slowdown", "sync_boost", "sw_thermal_slowdown",
    "hw_thermal_slowdown", "hw_power_brake_slowdown", "display_clock_setting", "board_limit", "reliability",
]  # fmt: skip
Architecture: TypeAlias = Literal[
    "kepler", "maxwell", "pascal", "volta", "turing", "ampere", "ada", "hopper", "blackwell"
]
Kind: TypeAlias = Literal["compute", "graphics", "mps"]


class _Part(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    pass


class Limits(_Part, frozen=True, kw_only=True):
    """Temperatures of the device's own (°C)."""

    shutdown: Count | None = 95
    slowdown: Count | None = 92
    memory_max: Count | None = 95
    gpu_max: Count | None = 87


class Clocks(_Part, frozen=True, kw_only=True):
    """MHz."""

    graphics: Curve | None = 345.0
    sm: Curve | None = 345.0
    memory: Curve | None = 2619.0
    video: Curve | None = 765.0


class MaxClocks(_Part, frozen=True, kw_only=True):
    """MHz."""

    graphics: Count | None = 1980
    sm: Count | None = 1980
    memory: Count | None = 2619
    video: Count | None = 1545


class Pcie(_Part, frozen=True, kw_only=True):
    """The link now and at most; ``transmit`` and ``receive`` (bytes/s) feed the counters, which begin at ``*_start``."""

    generation: Positive = 5
    max_generation: Positive = 5
    width: Positive = 16
    max_width: Positive = 16
    replays: Count = 0
    transmit: Curve | None = 0.0
    receive: Curve | None = 0.0
    transmit_start: Count = 0
    receive_start: Count = 0
    wraps_at: Positive | None = None  # the counters begin again at 0 here


class NvLink(_Part, frozen=True, kw_only=True):
    """``links`` of the device, of which ``down`` do not work; bytes/s over all of them."""

    links: Annotated[int, msgspec.Meta(ge=1, le=18)] = 18
    down: tuple[Count, ...] = ()
    transmit: Curve = 0.0
    receive: Curve = 0.0
    crc_errors: Count = 0
    replays: Count = 0
    recoveries: Count = 0


class Ecc(_Part, frozen=True, kw_only=True):
    """Errors in memory since the driver was loaded, and over the life of the device."""

    corrected: Count = 0
    uncorrected: Count = 0
    corrected_lifetime: Count = 0
    uncorrected_lifetime: Count = 0


class Remapped(_Part, frozen=True, kw_only=True):
    """Rows of memory that were replaced by spare ones."""

    corrected: Count = 0
    uncorrected: Count = 0
    pending: bool = False
    failed: bool = False


class Retired(_Part, frozen=True, kw_only=True):
    """Pages of memory no longer used (before Ampere)."""

    corrected: Count = 0
    uncorrected: Count = 0
    pending: bool = False


class Activity(_Part, frozen=True, kw_only=True):
    """Percent of the time that parts of the device worked (GPM, Hopper and newer)."""

    graphics: Curve = 0.0
    sm: Curve = 0.0
    occupancy: Curve = 0.0
    tensor: Curve = 0.0
    dram: Curve = 0.0
    fp64: Curve = 0.0
    fp32: Curve = 0.0
    fp16: Curve = 0.0


class Instance(_Part, frozen=True, kw_only=True):
    """A compute instance in one of a divided GPU's slots; several may share one GPU instance and its memory."""

    slot: Count
    gpu_instance: Count
    compute_instance: Count = 0
    profile: Text = "1g.10gb"
    slices: Positive = 1
    multiprocessors: Positive = 16
    memory_mib: Positive = 9984
    reserved_mib: Count = 0
    uuid: Text = ""  # "": made from the device's
    activity: Activity | None = None


class Mig(_Part, frozen=True, kw_only=True):
    """How a GPU is divided; slots that no instance names are empty."""

    enabled: bool = True
    max_instances: Annotated[int, msgspec.Meta(ge=1, le=64)] = 7
    instances: tuple[Instance, ...] = ()


class Xid(_Part, frozen=True, kw_only=True):
    """The driver tells of an error ``at`` this time."""

    at: Seconds
    xid: Count


class Belongs(_Part, frozen=True, kw_only=True):
    """Who a made-up process, or a GPU, belongs to; for show."""

    kind: Literal["slurm", "pod", "container", "unit", "user"]
    id: Text
    name: Text = ""
    namespace: Text = ""
    container: Text = ""
    step: Text = ""


class Device(_Part, frozen=True, kw_only=True):
    """One GPU; its index is its place in the list."""

    uuid: Text = ""  # "": made from the index
    name: Text = "NVIDIA H100 80GB HBM3"
    architecture: Architecture = "hopper"
    pci_bus_id: Text = ""  # "00000000:3B:00.0"; "": made from the index
    minor: Count | None = None  # null: the index
    cores: Positive = 16896
    memory_mib: Positive = 81559
    reserved_mib: Count = 551
    used_mib: Curve | None = None  # null: what its processes use
    utilization: Curve | None = 0.0
    memory_utilization: Curve | None = 0.0
    encoder: Curve | None = 0.0
    decoder: Curve | None = 0.0
    power: Curve | None = 70.0  # W
    power_limit: Count | None = 700
    power_default_limit: Count | None = 700
    energy_start: Count = 0  # J
    temperature: Curve | None = 30.0
    memory_temperature: Curve | None = 40.0
    limits: Limits = Limits()
    fan: Curve | None = None
    performance_state: Curve | None = 0.0  # P0, the fastest, to P15; 32 is unknown
    clocks: Clocks = Clocks()
    max_clocks: MaxClocks = MaxClocks()
    event_reasons: dict[Reason, Curve] | None = {}  # in force where ≥ 0.5; what is not named never is
    pcie: Pcie | None = Pcie()
    nvlink: NvLink | None = None
    ecc: Ecc | None = None  # null: it has none
    remapped: Remapped | None = None
    retired: Retired | None = None
    recovery_action: Annotated[int, msgspec.Meta(ge=0, le=7)] | None = 0
    xids: tuple[Xid, ...] = ()
    persistence: bool = True
    compute_mode: Annotated[int, msgspec.Meta(ge=0, le=3)] = 0
    accounting: bool | None = False
    activity: Activity | None = None
    mig: Mig | None = None  # null: it cannot be divided
    lost_at: Seconds | None = None
    asleep: bool = False  # suspended by the kernel
    held_by: Belongs | None = None  # allocated to, with or without a process


class Use(_Part, frozen=True, kw_only=True):
    """What a process does on one device or instance, in percent of the device.

    The driver tells ``sm`` and its three companions together: of a process without ``sm`` it tells none.
    """

    gpu: Count
    gpu_instance: Count | None = None
    compute_instance: Count | None = None
    kinds: Annotated[tuple[Kind, ...], msgspec.Meta(min_length=1)] = ("compute",)
    memory_mib: Curve | None = 512.0  # null: the driver does not tell
    sm: Curve | None = None
    memory_bandwidth: Curve = 0.0
    encoder: Curve = 0.0
    decoder: Curve = 0.0


class Process(_Part, frozen=True, kw_only=True):
    """A process that is there from ``after`` to ``until``; command, user, owner and ``age`` are for show.

    ``age`` is how long (s) it had run when it came onto its GPU.
    """

    pid: Pid
    command: Text = ""
    user: Text = ""
    owner: Belongs | None = None
    age: Seconds = 0.0
    after: Seconds = 0.0
    until: Seconds | None = None
    on: tuple[Use, ...]


class Fault(_Part, frozen=True, kw_only=True):
    """A call (or each, ``*``) that fails with one of NVML's errors; ``field``: only that of `nvmlDeviceGetFieldValues`."""

    call: Call
    error: Text
    gpu: Count | None = None
    field: Count | None = None
    after: Seconds = 0.0
    until: Seconds | None = None


class Hang(_Part, frozen=True, kw_only=True):
    """A call that does not come back before ``until``; without it, never."""

    call: Call
    gpu: Count | None = None
    after: Seconds = 0.0
    until: Seconds | None = None


class Quirks(_Part, frozen=True, kw_only=True):
    """What some drivers do."""

    padded_samples: bool = False  # 100 samples of processes, the rest with pid 0
    impossible_samples: bool = False  # and one of more than 100 %
    empty_samples: bool = False  # success with no sample, where others say not found
    clock_since_boot: bool = False  # sample times count from the boot


class Scenario(_Part, frozen=True, kw_only=True):
    """A whole machine. ``latency`` (s) is what calls take; ``missing`` are calls that the driver is too old for."""

    driver_version: Text = "580.95.05"
    cuda_version: Annotated[str, msgspec.Meta(pattern=r"^[0-9]{1,2}\.[0-9]$")] = "13.0"
    nvml_version: Text = "13.580.95.05"
    devices: Annotated[tuple[Device, ...], msgspec.Meta(max_length=64)] = ()
    processes: tuple[Process, ...] = ()
    errors: tuple[Fault, ...] = ()
    hangs: tuple[Hang, ...] = ()
    latency: dict[Call, Annotated[float, msgspec.Meta(ge=0, le=3600)]] = {}
    missing: tuple[Call, ...] = ()
    quirks: Quirks = Quirks()


def uuid_of(device: Device, index: int) -> str:
    """The device's UUID, or the one that is made from its index."""
    return device.uuid or f"GPU-{index:08x}-b095-4000-8000-{index:012x}"


def instance_uuid(instance: Instance, device_index: int) -> str:
    """The instance's UUID, or the one that is made from its device, GPU instance and compute instance."""
    return instance.uuid or (
        f"MIG-{device_index:08x}-b095-5{instance.gpu_instance:03x}-8{instance.compute_instance:03x}-{device_index:012x}"
    )


def bus_id_of(device: Device, index: int) -> str:
    """The device's PCI address as NVML writes it, or the one that is made from its index."""
    return device.pci_bus_id or f"00000000:{0x19 + 0x11 * (index % 13):02X}:{index // 13:02X}.0"


def minor_of(device: Device, index: int) -> int:
    """N of /dev/nvidiaN."""
    return index if device.minor is None else device.minor
