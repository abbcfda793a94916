"""One machine in a page of numbers; the field names are the keys of `bongsu status --json`. None is not known."""

from __future__ import annotations

import msgspec


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


class Absent(msgspec.Struct, frozen=True):
    """What a collector could not give: nothing here, or (``failed``) it could not be read."""

    collector: str
    reason: str
    cure: str | None
    failed: bool


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
    absent: tuple[Absent, ...]
    problems: tuple[Problem, ...]
