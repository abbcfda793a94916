"""What one cgroup has used and may use by each v1 controller (Documentation/admin-guide/cgroup-v1/).

All but throttling, and the limits of CPU and tasks, hold what lies below the cgroup.
"""

from __future__ import annotations

import os

from bongsu.sources.cgroup_use import Cpu, DeviceIO, Directory, Gone, Memory, Throttling, cores, count, cpus_in, fields

_TICKS = os.sysconf("SC_CLK_TCK")
# No limit is the largest multiple of a page below 2^63 (mm/page_counter: PAGE_COUNTER_MAX); nothing has so much memory.
_NO_LIMIT = 1 << 60
_MOST_WALKED = 64  # cgroups below one, for what the kernel does not add up
# Which of these counts depends on the kernel and the disk's scheduler: the first that counts anything at the root.
_IO_FILES = ("throttle", "bfq")


def cpu(cgroup: Directory, last: Cpu | None = None) -> Cpu | None:
    """CPU time of a ``cpuacct`` cgroup: the sum to the nanosecond, its two parts to the clock tick.

    Where the sum is still that of ``last``, so are the parts.

    Raises:
        Gone: the cgroup was removed.
    """
    used = cgroup.number("cpuacct.usage")
    if used is None:
        cgroup.must_be()
        return None
    seconds = used / 1e9
    if last is not None and last.seconds == seconds and last.user_seconds is not None:
        return last
    system = count(fields(cgroup.read("cpuacct.stat")).get(b"system"))
    if system is None:
        return Cpu(seconds, None, None)
    # The kernel makes both parts from the sum; the rest of the sum is the user's to more than a tick.
    in_kernel = min(seconds, system / _TICKS)
    return Cpu(seconds, seconds - in_kernel, in_kernel)


def throttling(cgroup: Directory) -> Throttling | None:
    """Of a ``cpu`` cgroup; None where the kernel does not limit CPU time. Raises Gone."""
    stat = fields(cgroup.read("cpu.stat"))
    periods, throttled = count(stat.get(b"nr_periods")), count(stat.get(b"nr_throttled"))
    time = count(stat.get(b"throttled_time"))
    if periods is None or throttled is None or time is None:
        return None
    return Throttling(periods, throttled, time / 1e9)


def cpu_limit(cgroup: Directory) -> float | None:
    """Cores that this one ``cpu`` cgroup may use; None where it has no limit of its own. Raises Gone."""
    return cores(cgroup.number("cpu.cfs_quota_us"), cgroup.number("cpu.cfs_period_us"))


def cpus(cgroup: Directory) -> int | None:
    """CPUs that tasks of a ``cpuset`` cgroup may run on. Raises Gone."""
    return cpus_in(cgroup.read("cpuset.effective_cpus") or cgroup.read("cpuset.cpus"))


def memory(cgroup: Directory, last: Memory | None = None) -> Memory | None:
    """Of a ``memory`` cgroup, with the smallest limit of the way up. ``last`` itself where its sum still holds.

    ``oom_kills`` is None where more than 64 cgroups lie below: the kernel does not add them up, and
    what a removed one had counted is lost with it.

    Raises:
        Gone: the cgroup was removed.
    """
    current = cgroup.number("memory.usage_in_bytes")
    if current is None:
        cgroup.must_be()
        return None
    if last is not None and last.current == current:
        return last
    stat = fields(cgroup.read("memory.stat"))
    cache, shmem = count(stat.get(b"total_cache")), count(stat.get(b"total_shmem"))
    limit = count(stat.get(b"hierarchical_memory_limit"))
    return Memory(
        current, count(stat.get(b"total_rss")),
        None if cache is None or shmem is None else max(0, cache - shmem), shmem,
        None, count(stat.get(b"total_inactive_file")),
        cgroup.number("memory.max_usage_in_bytes"), count(stat.get(b"total_swap")), _oom_kills(cgroup),
        None if limit is None or limit >= _NO_LIMIT else limit,
    )  # fmt: skip


def _oom_kills(cgroup: Directory) -> int | None:
    own = _own_oom_kills(cgroup)
    if own is None or cgroup.subdirectories() <= 0:
        return own
    total, todo, walked = own, [cgroup.path], 0
    while todo:
        try:
            with os.scandir(todo.pop()) as entries:
                below = [entry.path for entry in entries if entry.is_dir(follow_symlinks=False)]
        except OSError:
            continue  # removed meanwhile
        walked += len(below)
        if walked > _MOST_WALKED:
            return None
        for path in below:
            try:
                with Directory(path) as one:
                    total += _own_oom_kills(one) or 0
                    if one.subdirectories() > 0:
                        todo.append(path)
            except Gone:
                continue
    return total


def _own_oom_kills(cgroup: Directory) -> int | None:
    return count(fields(cgroup.read("memory.oom_control")).get(b"oom_kill"))  # since Linux 4.13


def io_policy(root: Directory) -> str | None:
    """Which of the blkio policies counts on this machine, by what the root of the hierarchy says; None for none.

    From Linux 6.10 on ``throttle`` counts only where a limit was ever set; a cgroup's own "Total 0"
    does not tell that from no IO.
    """
    for policy in _IO_FILES:
        text = root.read(f"blkio.{policy}.io_service_bytes_recursive")
        if text and b":" in text:
            return policy
    return None


def io(cgroup: Directory, policy: str) -> tuple[DeviceIO, ...] | None:
    """Each block device that a ``blkio`` cgroup used, none if it used none; None where that is not counted.

    Raises:
        Gone: the cgroup was removed.
    """
    text = cgroup.read(f"blkio.{policy}.io_service_bytes_recursive")
    if text is None:
        cgroup.must_be()
        return None
    number = _by_device(cgroup.read(f"blkio.{policy}.io_serviced_recursive") or b"")
    return tuple(
        DeviceIO(device, read, written, *number.get(device, (None, None)))
        for device, (read, written) in _by_device(text).items()
    )


def _by_device(text: bytes) -> dict[str, tuple[int, int]]:
    reads: dict[bytes, int] = {}
    writes: dict[bytes, int] = {}
    for line in text.splitlines():
        words = line.split()
        if len(words) == 3 and (number := count(words[2])) is not None:
            if words[1] == b"Read":
                reads[words[0]] = number
            elif words[1] == b"Write":
                writes[words[0]] = number
    return {d.decode("utf-8", "surrogateescape"): (number, writes[d]) for d, number in reads.items() if d in writes}


def pids(cgroup: Directory) -> int | None:
    """Tasks (processes and threads) in a ``pids`` cgroup. Raises Gone."""
    return cgroup.number("pids.current")


def pids_limit(cgroup: Directory) -> int | None:
    """Tasks that this one ``pids`` cgroup may have; None where it has no limit of its own. Raises Gone."""
    return cgroup.number("pids.max")
