"""What one cgroup v2 has used and may use (Documentation/admin-guide/cgroup-v2.rst); each holds what lies below it."""

from __future__ import annotations

from bongsu.sources.cgroup_use import (
    Cpu,
    DeviceIO,
    Directory,
    Memory,
    Throttling,
    Waited,
    cores,
    count,
    cpus_in,
    fields,
    waited,
)


def cpu(cgroup: Directory) -> tuple[Cpu | None, Throttling | None]:
    """CPU time, and throttling where the cpu controller is on. CPU time is there without any controller.

    Raises:
        Gone: the cgroup was removed.
    """
    stat = fields(cgroup.read("cpu.stat"))
    used = count(stat.get(b"usage_usec"))
    if used is None:
        cgroup.must_be()
        return None, None
    user, system = count(stat.get(b"user_usec")), count(stat.get(b"system_usec"))
    known = Cpu(used / 1e6, None if user is None else user / 1e6, None if system is None else system / 1e6)
    periods, throttled = count(stat.get(b"nr_periods")), count(stat.get(b"nr_throttled"))
    time = count(stat.get(b"throttled_usec"))
    if periods is None or throttled is None or time is None:
        return known, None
    return known, Throttling(periods, throttled, time / 1e6)


def cpu_limit(cgroup: Directory) -> float | None:
    """Cores that this one cgroup may use; None where it has no limit of its own. Raises Gone."""
    words = (cgroup.read("cpu.max") or b"").split()
    return cores(count(words[0]), count(words[1])) if len(words) == 2 else None


def cpus(cgroup: Directory) -> int | None:
    """CPUs that its tasks may run on; None where the cpuset controller is off. Raises Gone."""
    return cpus_in(cgroup.read("cpuset.cpus.effective"))


def memory(cgroup: Directory, last: Memory | None = None) -> Memory | None:
    """Memory now and at its peak; None where the memory controller is off. ``last`` itself where its sum still holds.

    Raises:
        Gone: the cgroup was removed.
    """
    current = cgroup.number("memory.current")
    if current is None:
        cgroup.must_be()
        return None
    if last is not None and last.current == current:
        return last
    stat = fields(cgroup.read("memory.stat"))
    cache, shmem = count(stat.get(b"file")), count(stat.get(b"shmem"))
    return Memory(
        current, count(stat.get(b"anon")), None if cache is None or shmem is None else max(0, cache - shmem), shmem,
        count(stat.get(b"kernel")), count(stat.get(b"inactive_file")), cgroup.number("memory.peak"),
        cgroup.number("memory.swap.current"), count(fields(cgroup.read("memory.events")).get(b"oom_kill")),
    )  # fmt: skip


def memory_limit(cgroup: Directory) -> int | None:
    """Bytes that this one cgroup may hold; None where it has no limit of its own. Raises Gone."""
    return cgroup.number("memory.max")


def swap_limit(cgroup: Directory) -> int | None:
    """Bytes of swap that this one cgroup may hold; None where it has no limit of its own. Raises Gone."""
    return cgroup.number("memory.swap.max")


def io(cgroup: Directory) -> tuple[DeviceIO, ...] | None:
    """Each block device that it used, none if it used none; None where the io controller is off.

    Raises:
        Gone: the cgroup was removed.
    """
    text = cgroup.read("io.stat")
    if text is None:
        cgroup.must_be()
        return None
    found = []
    for line in text.splitlines():
        device, *pairs = line.split() or [b""]
        values = dict(pair.split(b"=", 1) for pair in pairs if b"=" in pair)
        read, written = count(values.get(b"rbytes")), count(values.get(b"wbytes"))
        if read is not None and written is not None:
            name = device.decode("utf-8", "surrogateescape")
            found.append(DeviceIO(name, read, written, count(values.get(b"rios")), count(values.get(b"wios"))))
    return tuple(found)


def pids(cgroup: Directory) -> int | None:
    """Tasks (processes and threads) in it; None where the pids controller is off. Raises Gone."""
    return cgroup.number("pids.current")


def pids_limit(cgroup: Directory) -> int | None:
    """Tasks that this one cgroup may have; None where it has no limit of its own. Raises Gone."""
    return cgroup.number("pids.max")


def pressure(cgroup: Directory, resource: str) -> Waited | None:
    """How long its tasks waited for ``cpu``, ``io`` or ``memory``; None where that is not measured. Raises Gone."""
    return waited(cgroup.read(f"{resource}.pressure"))
