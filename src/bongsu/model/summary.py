"""One machine in a page of numbers; the field names are the keys of `bongsu status --json`. None is not known."""

from __future__ import annotations

import msgspec

from bongsu.model.owner import OwnerKind


class Host(msgspec.Struct, frozen=True):
    """Which machine; ``uptime_seconds`` is since boot."""

    name: str | None
    os: str | None
    kernel: str | None
    architecture: str | None
    uptime_seconds: float | None


class Cpu(msgspec.Struct, frozen=True):
    """Shares of all cores' time; load averages over 1, 5 and 15 minutes."""

    cores: int | None
    busy_ratio: float | None
    modes: dict[str, float]
    load: tuple[float, float, float] | None
    running: int | None
    blocked: int | None


class Memory(msgspec.Struct, frozen=True):
    """``available`` is what programs could get without swapping, as the kernel estimates it."""

    total_bytes: float | None
    available_bytes: float | None
    used_ratio: float | None
    swap_total_bytes: float | None
    swap_used_bytes: float | None


class Pressure(msgspec.Struct, frozen=True):
    """Share of the window in which some task waited (or, ``_all``, every task that had work)."""

    cpu_ratio: float | None
    io_ratio: float | None
    io_all_ratio: float | None
    memory_ratio: float | None
    memory_all_ratio: float | None


class FileSystem(msgspec.Struct, frozen=True):
    """A mount; ``used_ratio`` as df counts it; ``stale_since`` (Unix s) is when it stopped answering."""

    mountpoint: str
    device: str
    type: str
    size_bytes: int | None
    available_bytes: int | None
    used_ratio: float | None
    inodes_used_ratio: float | None
    read_only: bool
    stale_since: float | None


class Disk(msgspec.Struct, frozen=True):
    """A disk over the window; latencies are None where nothing was read or written."""

    device: str
    read_bytes_per_second: float | None
    written_bytes_per_second: float | None
    busy_ratio: float | None
    read_latency_seconds: float | None
    write_latency_seconds: float | None


class Interface(msgspec.Struct, frozen=True):
    """A network interface over the window; errors are those of both directions, drops too."""

    device: str
    received_bytes_per_second: float | None
    sent_bytes_per_second: float | None
    errors_per_second: float | None


class Temperature(msgspec.Struct, frozen=True):
    """One sensor, in degrees Celsius; ``critical`` is its own limit where it has one."""

    sensor: str
    celsius: float
    critical: float | None


class Process(msgspec.Struct, frozen=True):
    """A process; ``cores`` is CPU seconds per second."""

    pid: int
    user: str
    executable: str
    cores: float | None
    resident_bytes: int


class OwnerUse(msgspec.Struct, frozen=True):
    """A Slurm job, pod, container, unit or user, and what it uses against its limits.

    A text is "" where it does not apply or is not known; of a limit, None is also: there is none. ``cpu_from``,
    ``memory_from`` and ``io_from`` are "cgroup" (its own, exact), "processes" (a sum), "cgroup and processes" or "".
    """

    kind: OwnerKind
    id: str
    name: str
    namespace: str
    user: str
    runtime: str
    inside: str
    processes: int
    oldest_process_start_time: float  # Unix s
    cpu_from: str
    cores: float | None  # CPU seconds per second
    cpu_seconds: float | None
    cpu_limit_cores: float | None
    cpu_throttled_ratio: float | None  # of the periods of the window in which it wanted to run
    memory_from: str
    memory_bytes: int | None  # page cache too
    working_set_bytes: int | None  # of these, without page cache that is given up first
    memory_limit_bytes: int | None
    swap_bytes: int | None
    oom_kills: int | None
    io_from: str
    read_bytes_per_second: float | None
    written_bytes_per_second: float | None
    tasks: int | None  # processes and threads
    tasks_limit: int | None

    @property
    def held_bytes(self) -> int | None:
        """What of its memory cannot simply be taken back: what people compare, and what its limit is about."""
        return self.memory_bytes if self.working_set_bytes is None else self.working_set_bytes


class GpuInstance(msgspec.Struct, frozen=True):
    """A compute instance of a divided GPU (MIG). Memory is that of its GPU instance, which its compute instances share."""

    index: str  # "7_1_0": of the GPU, the GPU instance, the compute instance
    uuid: str
    gpu_instance: str
    profile: str
    slices: float | None
    memory_used_bytes: float | None
    memory_total_bytes: float | None


class GpuUse(msgspec.Struct, frozen=True):
    """A GPU; where ``up`` is not true, ``reason`` and ``cure`` say why, where that is known. A number is None where it is not."""

    index: str
    uuid: str
    name: str
    up: bool | None  # whether it answers
    reason: str
    cure: str
    busy_ratio: float | None
    memory_used_bytes: float | None
    memory_total_bytes: float | None
    celsius: float | None
    slowdown_celsius: float | None  # at which it slows itself down
    power_watts: float | None
    power_limit_watts: float | None
    clock_hertz: float | None  # of the SMs
    held_down: tuple[str, ...]  # what holds its clocks down now
    sm_ratio: float | None = None  # how much of its SMs worked; Hopper and newer tell it
    stuck: bool = False  # a kernel runs all the time, and the SMs do nothing
    instances: tuple[GpuInstance, ...] = ()


class Absent(msgspec.Struct, frozen=True):
    """What a collector could not give: nothing here, or (``failed``) it could not be read; with ``partly`` it gave the rest."""

    collector: str
    reason: str
    cure: str | None
    failed: bool
    partly: bool = False


class Problem(msgspec.Struct, frozen=True):
    """Something that is wrong, in a sentence, and what to do."""

    subject: str
    text: str
    cure: str


class Summary(msgspec.Struct, frozen=True):
    """All of it; rates are over ``window_seconds``. ``format`` grows when a key changes its meaning."""

    format: int
    time: float
    window_seconds: float
    host: Host
    cpu: Cpu
    memory: Memory
    pressure: Pressure
    filesystems: tuple[FileSystem, ...]
    disks: tuple[Disk, ...]
    network: tuple[Interface, ...]
    temperatures: tuple[Temperature, ...]
    processes: int | None
    top_cpu: tuple[Process, ...]
    top_memory: tuple[Process, ...]
    owners: tuple[OwnerUse, ...] | None
    absent: tuple[Absent, ...]
    problems: tuple[Problem, ...]
    gpus: tuple[GpuUse, ...] = ()
    gpus_expected: int | None = None
    demo: bool = False  # the GPUs are made up
    gpus_answering: int | None = None  # of the machine, also those that are not read; where some are expected
