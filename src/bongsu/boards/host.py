"""One machine: CPU, pressure, memory, disks, file systems, network, temperatures, in the order of a diagnosis."""

from __future__ import annotations

from bongsu.boards.board import Board, Line, Panel, Tile, Unit
from bongsu.collectors import (
    cpu,
    diskstats,
    filesystem,
    hwmon,
    loadavg,
    meminfo,
    netdev,
    pressure,
    stat,
    thermal_zone,
)
from bongsu.model.message import Message
from bongsu.model.metric import MetricSpec
from bongsu.model.query import Fold, Query

_NOT_LOOPBACK = (("device", "lo"),)
_ALL_CPU = Query(cpu.CPU_SECONDS, Fold.RATE)


def _mode(mode: str) -> Query:
    return Query(cpu.CPU_SECONDS, Fold.RATE, where=(("mode", mode),))


def _memory(field: str) -> Query:
    return Query(meminfo.FIELD.spec(field))


def _rate(spec: MetricSpec, *by: str) -> Query:
    return Query(spec, Fold.RATE, by)


def _network(spec: MetricSpec, *by: str) -> Query:
    return Query(spec, Fold.RATE, by, where_not=_NOT_LOOPBACK)


_RECEIVED = netdev.RECEIVE.spec("bytes")
_SENT = netdev.TRANSMIT.spec("bytes")


def _fullness(legend: Message) -> Line:
    """As df has it: what is used, of what is used or can still be filled by a user without special rights."""
    size, free, avail = (Query(s, by=("mountpoint",)) for s in (filesystem.SIZE, filesystem.FREE, filesystem.AVAIL))
    return Line(legend, size, less=(free,), over=(size, avail), over_less=(free,))


_TILES = (
    Tile(
        "cpu", Message("CPU"), Unit.RATIO, top=1.0,
        line=Line(Message("busy"), _ALL_CPU, less=(_mode("idle"), _mode("iowait")), over=(_ALL_CPU,), steady=True),
    ),
    Tile("load", Message("Load"), Unit.COUNT, Line(Message("over 1 minute"), Query(loadavg.LOAD1))),
    Tile(
        "memory", Message("Memory"), Unit.BYTES, of=_memory("MemTotal"),
        line=Line(Message("in use"), _memory("MemTotal"), less=(_memory("MemAvailable"),)),
    ),
    Tile(
        "disk", Message("Disk"), Unit.BYTES_PER_SECOND,
        Line(Message("reads and writes"), _rate(diskstats.READ_BYTES), plus=(_rate(diskstats.WRITTEN_BYTES),)),
    ),
    Tile("fullest", Message("Fullest file system"), Unit.RATIO, _fullness(Message("{mountpoint}")), top=1.0),
    Tile(
        "network", Message("Network"), Unit.BYTES_PER_SECOND,
        Line(Message("received and sent"), _network(_RECEIVED), plus=(_network(_SENT),)),
    ),
    Tile(
        "pressure", Message("Waiting for CPU"), Unit.RATIO,
        Line(Message("of the time"), _rate(pressure.CPU_WAITING)), top=1.0,
    ),
    Tile(
        "temperature", Message("Hottest sensor"), Unit.CELSIUS,
        Line(Message("{chip} {sensor}"), Query(hwmon.TEMPERATURE, by=("chip", "sensor"))),
    ),
)  # fmt: skip

_PANELS = (
    Panel(
        "cpu", Message("CPU"), Unit.RATIO, stacked=True, top=1.0,
        help=Message("How much of all cores is busy, and with what."),
        lines=(
            Line(Message("programs"), _mode("user"), over=(_ALL_CPU,), steady=True),
            Line(Message("kernel"), _mode("system"), over=(_ALL_CPU,), steady=True),
            Line(Message("low priority"), _mode("nice"), over=(_ALL_CPU,), steady=True),
            Line(Message("waiting for disk"), _mode("iowait"), over=(_ALL_CPU,), steady=True),
            Line(Message("interrupts"), _mode("irq"), plus=(_mode("softirq"),), over=(_ALL_CPU,), steady=True),
            Line(Message("taken by the hypervisor"), _mode("steal"), over=(_ALL_CPU,), steady=True),
        ),
    ),
    Panel(
        "load", Message("Load"), Unit.COUNT,
        help=Message("Tasks that run or wait for CPU or disk; above the number of cores, some must wait."),
        lines=(
            Line(Message("1 minute"), Query(loadavg.LOAD1)),
            Line(Message("5 minutes"), Query(loadavg.LOAD5)),
            Line(Message("15 minutes"), Query(loadavg.LOAD15)),
            Line(Message("running now"), Query(stat.PROCS_RUNNING)),
            Line(Message("blocked now"), Query(stat.PROCS_BLOCKED)),
        ),
    ),
    Panel(
        "pressure", Message("Pressure"), Unit.RATIO, top=1.0,
        help=Message("Share of time in which some task had to wait for a resource, or all had to."),
        lines=(
            Line(Message("some for CPU"), _rate(pressure.CPU_WAITING)),
            Line(Message("some for disk"), _rate(pressure.IO_WAITING)),
            Line(Message("all for disk"), _rate(pressure.IO_STALLED)),
            Line(Message("some for memory"), _rate(pressure.MEMORY_WAITING)),
            Line(Message("all for memory"), _rate(pressure.MEMORY_STALLED)),
        ),
    ),
    Panel(
        "memory", Message("Memory"), Unit.BYTES, stacked=True, whole=_memory("MemTotal"),
        help=Message("What holds memory; the kernel gives back files and caches when programs need the room."),
        lines=(
            Line(
                Message("programs and kernel"), _memory("MemTotal"),
                less=tuple(map(_memory, ("MemFree", "Buffers", "Cached", "SReclaimable"))),
            ),
            Line(Message("files"), _memory("Cached"), plus=(_memory("Buffers"),)),
            Line(Message("kernel's caches"), _memory("SReclaimable")),
        ),
    ),
    Panel(
        "swap", Message("Swap"), Unit.BYTES, stacked=True, whole=_memory("SwapTotal"),
        help=Message("Memory that was moved to disk; it is slow to come back."),
        lines=(Line(Message("in use"), _memory("SwapTotal"), less=(_memory("SwapFree"),)),),
    ),
    Panel(
        "disk-throughput", Message("Disk throughput"), Unit.BYTES_PER_SECOND,
        help=Message("What is read from and written to each disk."),
        lines=(
            Line(Message("{device} reads"), _rate(diskstats.READ_BYTES, "device")),
            Line(Message("{device} writes"), _rate(diskstats.WRITTEN_BYTES, "device")),
        ),
    ),
    Panel(
        "disk-latency", Message("Disk latency"), Unit.SECONDS,
        help=Message("How long a read or write takes from request to answer; a gap means that there was none."),
        lines=(
            Line(
                Message("{device} read"), _rate(diskstats.READ_SECONDS, "device"),
                over=(_rate(diskstats.READS, "device"),),
            ),
            Line(
                Message("{device} write"), _rate(diskstats.WRITE_SECONDS, "device"),
                over=(_rate(diskstats.WRITES, "device"),),
            ),
        ),
    ),
    Panel(
        "disk-busy", Message("Disk use"), Unit.RATIO, top=1.0,
        help=Message("Share of time in which the disk had something to do; fast disks can take more at 100 %."),
        lines=(Line(Message("{device}"), _rate(diskstats.IO_SECONDS, "device")),),
    ),
    Panel(
        "filesystems", Message("File systems"), Unit.RATIO, top=1.0,
        help=Message("How full each file system is, as df counts it."),
        lines=(_fullness(Message("{mountpoint}")),),
    ),
    Panel(
        "network", Message("Network"), Unit.BYTES_PER_SECOND,
        help=Message("What each interface receives and sends, loopback left out."),
        lines=(
            Line(Message("{device} received"), _network(_RECEIVED, "device")),
            Line(Message("{device} sent"), _network(_SENT, "device")),
        ),
    ),
    Panel(
        "network-errors", Message("Network errors"), Unit.PER_SECOND,
        help=Message("Packets that were broken or thrown away; healthy is none."),
        lines=(
            Line(Message("{device} receive errors"), _network(netdev.RECEIVE.spec("errs"), "device")),
            Line(Message("{device} receive drops"), _network(netdev.RECEIVE.spec("drop"), "device")),
            Line(Message("{device} send errors"), _network(netdev.TRANSMIT.spec("errs"), "device")),
            Line(Message("{device} send drops"), _network(netdev.TRANSMIT.spec("drop"), "device")),
        ),
    ),
    Panel(
        "temperatures", Message("Temperatures"), Unit.CELSIUS,
        help=Message("What each sensor and thermal zone says."),
        lines=(
            Line(Message("{chip} {sensor}"), Query(hwmon.TEMPERATURE, by=("chip", "sensor"))),
            Line(Message("{type} {zone}"), Query(thermal_zone.TEMPERATURE, by=("type", "zone"))),
        ),
    ),
)  # fmt: skip

HOST = Board("host", Message("This machine"), _TILES, _PANELS)
