"""One machine in a page of numbers: what `bongsu status` shows, worked out from two batches; pure."""

from __future__ import annotations

import math
from collections.abc import Iterable

import msgspec

from bongsu.collectors import (
    cpu,
    diskstats,
    gpu_process,
    gpu_values,
    hwmon,
    loadavg,
    meminfo,
    netdev,
    os,
    pressure,
    stat,
    thermal_zone,
    uname,
)  # fmt: skip
from bongsu.collectors.demo import DEMO
from bongsu.model.batch import Batch
from bongsu.model.metric import MetricSpec
from bongsu.model.mount import MountRow
from bongsu.model.process import ProcessRow
from bongsu.model.summary import (
    Absent,
    Cpu,
    Disk,
    FileSystem,
    Host,
    Interface,
    Memory,
    Pressure,
    Process,
    Summary,
    Temperature,
)  # fmt: skip
from bongsu.views.gpu_uses import gpu_uses
from bongsu.views.gpu_withheld import withheld
from bongsu.views.owner_uses import owner_uses
from bongsu.views.problems import problems
from bongsu.views.rates import NO_RATES, Rates

# What a summary is made of; the other collectors are not asked.
COLLECTORS = (
    "uname", "os", "stat", "cpu", "loadavg", "meminfo", "pressure", "filesystem", "diskstats", "netdev", "hwmon",
    "thermal_zone", "process", "owner", "gpu", "gpu_process",
)  # fmt: skip
TOP = 5  # processes in each of the two lists


def summary(batch: Batch, rates: Rates, window: float) -> Summary:
    """The newest batch in a page; ``rates`` has been given it and one from ``window`` seconds before."""
    now = _Now(batch)
    processes = _processes(batch, rates)
    owners = owner_uses(batch, rates)
    found = Summary(
        1, batch.time, window, _host(now, batch.time), _cpu(now, rates), _memory(now), _pressure(rates),
        _filesystems(batch), _disks(now, rates), _network(now, rates), _temperatures(now),
        None if processes is None else len(processes), _top(processes or [], by_cpu=True),
        _top(processes or [], by_cpu=False),
        None if owners is None else tuple(use for _, use in owners), _absent(batch), (),
        gpu_uses(batch, now.values), _whole(now.one(gpu_values.EXPECTED)), now.one(DEMO) is not None,
        _whole(now.one(gpu_values.ANSWERING)),
    )  # fmt: skip
    return msgspec.structs.replace(found, problems=tuple(problems(found)))


class _Now:
    """The newest values by spec and labels."""

    def __init__(self, batch: Batch) -> None:
        self.values: dict[MetricSpec, dict[tuple[str, ...], float]] = {}
        for sample in batch.samples:
            self.values.setdefault(sample.spec, {})[sample.labels] = sample.value

    def one(self, spec: MetricSpec) -> float | None:
        value = self.values.get(spec, {}).get(())
        return None if value is None or not math.isfinite(value) else value

    def all(self, spec: MetricSpec) -> dict[tuple[str, ...], float]:
        return self.values.get(spec, {})

    def label(self, spec: MetricSpec, name: str) -> str | None:
        for labels in self.all(spec):
            return labels[spec.labels.index(name)] or None
        return None


def _host(now: _Now, time: float) -> Host:
    booted = now.one(stat.BOOT_TIME)
    return Host(
        now.label(uname.INFO, "nodename"), now.label(os.INFO, "pretty_name"), now.label(uname.INFO, "release"),
        now.label(uname.INFO, "machine"), None if booted is None else max(0.0, time - booted),
    )  # fmt: skip


def _cpu(now: _Now, rates: Rates) -> Cpu:
    modes: dict[str, float] = {}
    for (_, mode), rate in rates.rates(cpu.CPU_SECONDS).items():
        modes[mode] = modes.get(mode, 0.0) + rate
    total = math.fsum(modes.values())
    shares = {mode: rate / total for mode, rate in modes.items()} if total else {}
    loads = [now.one(spec) for spec in (loadavg.LOAD1, loadavg.LOAD5, loadavg.LOAD15)]
    cores = len({labels[0] for labels in now.all(cpu.CPU_SECONDS)})
    one, five, fifteen = loads
    load = None if one is None or five is None or fifteen is None else (one, five, fifteen)
    busy = None if not shares else max(0.0, 1.0 - shares.get("idle", 0.0) - shares.get("iowait", 0.0))
    return Cpu(
        cores or None, busy, shares, load, _whole(now.one(stat.PROCS_RUNNING)), _whole(now.one(stat.PROCS_BLOCKED))
    )


def _memory(now: _Now) -> Memory:
    total, available, swap, swap_free = (
        now.one(meminfo.FIELD.spec(word)) for word in ("MemTotal", "MemAvailable", "SwapTotal", "SwapFree")
    )
    used = 1.0 - available / total if total and available is not None else None
    return Memory(total, available, used, swap, None if swap is None or swap_free is None else swap - swap_free)


def _pressure(rates: Rates) -> Pressure:
    return Pressure(
        *(
            None if (rate := rates.rate(spec)) is None else min(1.0, rate)
            for spec in (
                pressure.CPU_WAITING, pressure.IO_WAITING, pressure.IO_STALLED, pressure.MEMORY_WAITING,
                pressure.MEMORY_STALLED,
            )
        )
    )  # fmt: skip


def _filesystems(batch: Batch) -> tuple[FileSystem, ...]:
    """One row for each file system: of several mounts of one device, the one with the shortest path."""
    table = batch.table("mounts")
    rows = [row for row in table.rows if isinstance(row, MountRow)] if table is not None else []
    seen: set[tuple[str, int | None]] = set()
    found = []
    for row in sorted(rows, key=lambda r: (len(r.mountpoint), r.mountpoint)):
        key = (row.device, row.size_bytes)
        if row.device.startswith("/") and key in seen:
            continue
        seen.add(key)
        if row.size_bytes == 0:
            continue  # a file system that is an interface, not a store
        found.append(
            FileSystem(
                row.mountpoint, row.device, row.fstype, row.size_bytes, row.avail_bytes, _used(row),
                None if not row.files or row.files_free is None else 1.0 - row.files_free / row.files,
                row.read_only, row.stale_since,
            )
        )  # fmt: skip
    return tuple(found)


def _used(row: MountRow) -> float | None:
    if row.size_bytes is None or row.free_bytes is None or row.avail_bytes is None:
        return None
    used = row.size_bytes - row.free_bytes
    return used / (used + row.avail_bytes) if used + row.avail_bytes else None


def _disks(now: _Now, rates: Rates) -> tuple[Disk, ...]:
    found = []
    for (device,) in now.all(diskstats.READ_BYTES):
        reads, writes = rates.rate(diskstats.READS, device), rates.rate(diskstats.WRITES, device)
        busy = rates.rate(diskstats.IO_SECONDS, device)
        found.append(
            Disk(
                device, rates.rate(diskstats.READ_BYTES, device), rates.rate(diskstats.WRITTEN_BYTES, device),
                None if busy is None else min(1.0, busy),
                _over(rates.rate(diskstats.READ_SECONDS, device), reads),
                _over(rates.rate(diskstats.WRITE_SECONDS, device), writes),
            )
        )  # fmt: skip
    return tuple(found)


def _network(now: _Now, rates: Rates) -> tuple[Interface, ...]:
    received, sent = netdev.RECEIVE.spec("bytes"), netdev.TRANSMIT.spec("bytes")
    troubles = [pattern.spec(word) for pattern in (netdev.RECEIVE, netdev.TRANSMIT) for word in ("errs", "drop")]
    found = []
    for (device,) in now.all(received):
        if device == "lo":
            continue
        errors = [rate for spec in troubles if (rate := rates.rate(spec, device)) is not None]
        found.append(
            Interface(device, rates.rate(received, device), rates.rate(sent, device), sum(errors) if errors else None)
        )
    return tuple(found)


def _temperatures(now: _Now) -> tuple[Temperature, ...]:
    names = {labels[:2]: labels[2] for labels in now.all(hwmon.SENSOR_LABEL)}
    chips = {labels[0]: labels[1] for labels in now.all(hwmon.CHIP_NAME)}
    limits = now.all(hwmon.CELSIUS.spec("temp_crit"))
    found = [
        Temperature(f"{chips.get(labels[0], labels[0])} {names.get(labels, labels[1])}", value, limits.get(labels))
        for labels, value in now.all(hwmon.TEMPERATURE).items()
        if math.isfinite(value)
    ]
    for labels, value in now.all(thermal_zone.TEMPERATURE).items():
        pairs = dict(zip(thermal_zone.TEMPERATURE.labels, labels, strict=True))
        found.append(Temperature(f"{pairs.get('type', 'zone')} {pairs.get('zone', '')}".rstrip(), value, None))
    return tuple(sorted(found, key=lambda t: -t.celsius))


def _processes(batch: Batch, rates: Rates) -> list[Process] | None:
    table = batch.table("processes")
    if table is None:
        return None
    known = rates.processes()
    return [
        Process(row.pid, row.user, row.executable, known.get(row.identity, NO_RATES).cores, row.resident_bytes)
        for row in table.rows
        if isinstance(row, ProcessRow)
    ]


def _top(processes: Iterable[Process], *, by_cpu: bool) -> tuple[Process, ...]:
    ranked = sorted(processes, key=lambda p: (p.cores or 0.0) if by_cpu else p.resident_bytes, reverse=True)
    return tuple(p for p in ranked[:TOP] if (p.cores if by_cpu else p.resident_bytes))


def _absent(batch: Batch) -> tuple[Absent, ...]:
    found: list[Absent] = []
    for outcome in batch.outcomes:
        said = outcome.error or outcome.no_data
        if said is not None:
            cure = None if outcome.cure is None else str(outcome.cure)
            gap = Absent(outcome.collector, str(said), cure, failed=outcome.error is not None)
            if gap.collector != "gpu_process" or not any(one.reason == gap.reason for one in found):
                found.append(gap)  # where no GPU is read, both collectors say the same: once is enough
    for absence in batch.absences:
        if absence.spec.name == gpu_process.INFO.name:  # processes on GPUs that cannot be seen from here
            cure = None if absence.cure is None else str(absence.cure)
            found.append(Absent("gpu_process", str(absence.reason), cure, failed=False, partly=True))
    found += (Absent(one.collector, one.said, one.cure, failed=False, partly=True) for one in withheld(batch))
    return tuple(found)


def _over(amount: float | None, count: float | None) -> float | None:
    return None if amount is None or not count else amount / count


def _whole(value: float | None) -> int | None:
    return None if value is None else int(value)
