"""One machine, in the order of a diagnosis: CPU, pressure, memory, GPUs, disks, file systems, network, sensors, kernel."""

from __future__ import annotations

from bongsu.boards import gpu
from bongsu.boards.board import Board, Kind, Left, Line, Panel, Severity, State, Tile, Unit
from bongsu.collectors import (
    cpu,
    diskstats,
    filesystem,
    hwmon,
    loadavg,
    meminfo,
    netdev,
    netstat,
    pressure,
    sockstat,
    stat,
    tcpstat,
    thermal_zone,
    vmstat,
)
from bongsu.model.message import Message
from bongsu.model.metric import MetricSpec
from bongsu.model.query import Fold, Query

_NOT_LOOPBACK = (("device", "lo"),)
_CPU, _MEMORY, _DISKS = Message("CPU"), Message("Memory"), Message("Disks")
_FILESYSTEMS, _NETWORK = Message("File systems"), Message("Network")
_SENSORS, _KERNEL = Message("Temperatures and fans"), Message("Kernel")
_ALL_CPU = Query(cpu.CPU_SECONDS, Fold.RATE)


def _mode(mode: str) -> Query:
    return Query(cpu.CPU_SECONDS, Fold.RATE, where=(("mode", mode),))


def _memory(field: str) -> Query:
    return Query(meminfo.FIELD.spec(field))


def _share(legend: Message, mode: str, *more: str) -> Line:
    """The part of all cores' time that goes to some modes."""
    return Line(legend, _mode(mode), plus=tuple(map(_mode, more)), over=(_ALL_CPU,), steady=True)


def _netstat(counter: str) -> Query:
    return Query(netstat.FIELD.spec(counter), Fold.RATE)


def _vmstat(counter: str) -> Query:
    return Query(vmstat.FIELD.spec(counter), Fold.RATE)


def _rate(spec: MetricSpec, *by: str) -> Query:
    return Query(spec, Fold.RATE, by)


def _network(spec: MetricSpec, *by: str) -> Query:
    return Query(spec, Fold.RATE, by, where_not=_NOT_LOOPBACK)


_RECEIVED = netdev.RECEIVE.spec("bytes")
_FILES = Query(filesystem.FILES, by=("mountpoint",))
_SENT = netdev.TRANSMIT.spec("bytes")


def _fullness(legend: Message) -> Line:
    """As df has it: what is used, of what is used or can still be filled by a user without special rights."""
    size, free, avail = (Query(s, by=("mountpoint",)) for s in (filesystem.SIZE, filesystem.FREE, filesystem.AVAIL))
    return Line(legend, size, less=(free,), over=(size, avail), over_less=(free,))


_ROOM = Left(
    Query(filesystem.AVAIL, by=("mountpoint",)),
    Message("{mountpoint} is full in {span} if it goes on as in the last {past}"),
)

_TILES = (
    Tile(
        "cpu", Message("CPU"), Unit.RATIO, top=1.0,
        line=Line(Message("busy"), _ALL_CPU, less=(_mode("idle"), _mode("iowait")), over=(_ALL_CPU,), steady=True),
    ),
    Tile(
        "memory", Message("Memory"), Unit.BYTES, of=_memory("MemTotal"),
        line=Line(Message("in use"), _memory("MemTotal"), less=(_memory("MemAvailable"),)),
        states=(
            State(Severity.WARNING, Message("nearly full"), 0.9),
            State(Severity.CRITICAL, Message("full: programs may be killed"), 0.97),
        ),
    ),
    gpu.TILE,
    *gpu.TILES,
    Tile(
        "disk", Message("Disk"), Unit.BYTES_PER_SECOND,
        Line(Message("reads and writes"), _rate(diskstats.READ_BYTES), plus=(_rate(diskstats.WRITTEN_BYTES),)), panel="disk-throughput",
    ),
    Tile(
        "fullest", Message("Fullest file system"), Unit.RATIO, _fullness(Message("{mountpoint}")), top=1.0,
        states=(
            State(Severity.WARNING, Message("nearly full"), 0.9),
            State(Severity.CRITICAL, Message("full"), 0.98),
        ), panel="filesystems", left=_ROOM,
    ),
    Tile(
        "network", Message("Network"), Unit.BYTES_PER_SECOND,
        Line(Message("received and sent"), _network(_RECEIVED), plus=(_network(_SENT),)),
    ),
    Tile("load", Message("Load"), Unit.COUNT, Line(Message("over 1 minute"), Query(loadavg.LOAD1))),
    Tile(
        "pressure", Message("Waiting for CPU"), Unit.RATIO,
        Line(Message("of the time"), _rate(pressure.CPU_WAITING)), top=1.0,
    ),
    Tile(
        "stalled", Message("Stalled for memory"), Unit.RATIO,
        Line(Message("of the time"), _rate(pressure.MEMORY_STALLED)), top=1.0,
        states=(
            State(Severity.WARNING, Message("short of memory"), 0.05),
            State(Severity.CRITICAL, Message("hardly any work is done"), 0.3),
        ), panel="pressure",
    ),
    Tile(
        "temperature", Message("Hottest sensor"), Unit.CELSIUS,
        Line(Message("{chip} {sensor}"), Query(hwmon.TEMPERATURE, by=("chip", "sensor"))),
        states=(State(Severity.WARNING, Message("very hot"), 95.0),), panel="temperatures",
    ),
)  # fmt: skip

_CPU_PANELS = (
    Panel(
        "cpu", Message("CPU"), Unit.RATIO, kind=Kind.STACK, top=1.0, section=_CPU,
        help=Message("How much of all cores is busy, and with what."),
        lines=(
            _share(Message("programs"), "user"),
            _share(Message("kernel"), "system"),
            _share(Message("low priority"), "nice"),
            _share(Message("waiting for disk"), "iowait"),
            _share(Message("interrupts"), "irq", "softirq"),
            _share(Message("taken by the hypervisor"), "steal"),
        ),
    ),
    Panel(
        "cores", Message("Each core"), Unit.RATIO, kind=Kind.HEAT, top=1.0, section=_CPU, most=512,
        help=Message("How busy each core is: one that is full while others idle is a program that uses only one."),
        lines=(
            Line(
                Message("core {cpu}"),
                Query(cpu.CPU_SECONDS, Fold.RATE, ("cpu",), where_not=(("mode", "idle"), ("mode", "iowait"))),
            ),
        ),
    ),
    Panel(
        "load", Message("Load"), Unit.COUNT, section=_CPU,
        help=Message("Tasks that run or wait for CPU or disk; above the number of cores, some must wait."),
        lines=(
            Line(Message("1 minute"), Query(loadavg.LOAD1)),
            Line(Message("5 minutes"), Query(loadavg.LOAD5)),
            Line(Message("15 minutes"), Query(loadavg.LOAD15)),
        ),
    ),
    Panel(
        "pressure", Message("Pressure"), Unit.RATIO, top=1.0, section=_CPU,
        help=Message("Share of time in which some task had to wait for a resource, or all had to."),
        lines=(
            Line(Message("some for CPU"), _rate(pressure.CPU_WAITING)),
            Line(Message("some for disk"), _rate(pressure.IO_WAITING)),
            Line(Message("all for disk"), _rate(pressure.IO_STALLED)),
            Line(Message("some for memory"), _rate(pressure.MEMORY_WAITING)),
            Line(Message("all for memory"), _rate(pressure.MEMORY_STALLED)),
        ),
    ),
)  # fmt: skip

_MEMORY_PANELS = (
    Panel(
        "memory", Message("Memory"), Unit.BYTES, kind=Kind.STACK, whole=_memory("MemTotal"), section=_MEMORY,
        help=Message("What holds memory; the kernel gives back files and caches when programs need the room."),
        lines=(
            Line(
                Message("programs and kernel"), _memory("MemTotal"),
                less=tuple(map(_memory, ("MemFree", "Buffers", "Cached", "SReclaimable"))),
            ),
            Line(Message("shared, files in memory"), _memory("Shmem")),
            Line(
                Message("files (can be given back)"), _memory("Cached"), plus=(_memory("Buffers"),),
                less=(_memory("Shmem"),),
            ),
            Line(Message("kernel's caches (can be given back)"), _memory("SReclaimable")),
        ),
    ),
    Panel(
        "swap", Message("Swap"), Unit.BYTES, kind=Kind.STACK, whole=_memory("SwapTotal"), section=_MEMORY,
        help=Message("Memory that was moved to disk; it is slow to come back."),
        lines=(Line(Message("in use"), _memory("SwapTotal"), less=(_memory("SwapFree"),)),),
    ),
    Panel(
        "paging", Message("Paging"), Unit.PER_SECOND, section=_MEMORY,
        help=Message("Pages that come back from swap or go to it, and faults for which a disk was read."),
        lines=(
            Line(Message("from swap"), _vmstat("pswpin")),
            Line(Message("to swap"), _vmstat("pswpout")),
            Line(Message("faults that read a disk"), _vmstat("pgmajfault")),
        ),
    ),
)  # fmt: skip

_DISK_PANELS = (
    Panel(
        "disk-throughput", Message("Disk throughput"), Unit.BYTES_PER_SECOND, section=_DISKS,
        help=Message("What is read from and written to each disk."),
        lines=(
            Line(Message("{device} reads"), _rate(diskstats.READ_BYTES, "device")),
            Line(Message("{device} writes"), _rate(diskstats.WRITTEN_BYTES, "device")),
        ),
    ),
    Panel(
        "disk-latency", Message("Disk latency"), Unit.SECONDS, section=_DISKS,
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
        "disk-queue", Message("Disk queue"), Unit.COUNT, section=_DISKS,
        help=Message("Requests that were at the disk at a time; a queue that grows while it is busy slows all down."),
        lines=(Line(Message("{device}"), _rate(diskstats.IO_WEIGHTED_SECONDS, "device")),),
    ),
    Panel(
        "disk-busy", Message("Disk use"), Unit.RATIO, top=1.0, section=_DISKS,
        help=Message("Share of time in which the disk had something to do; fast disks can take more at 100 %."),
        lines=(Line(Message("{device}"), _rate(diskstats.IO_SECONDS, "device")),),
    ),
)  # fmt: skip

_FILESYSTEM_PANELS = (
    Panel(
        "filesystems", Message("File systems"), Unit.RATIO, top=1.0, section=_FILESYSTEMS, left=_ROOM,
        help=Message("How full each file system is, as df counts it."),
        lines=(_fullness(Message("{mountpoint}")),),
    ),
    Panel(
        "inodes", Message("Inodes"), Unit.RATIO, top=1.0, section=_FILESYSTEMS,
        help=Message("How many of the files that a file system can hold are there; without inodes it is full too."),
        lines=(
            Line(
                Message("{mountpoint}"), _FILES, less=(Query(filesystem.FILES_FREE, by=("mountpoint",)),),
                over=(_FILES,), steady=True,
            ),
        ),
    ),
)  # fmt: skip

_NETWORK_PANELS = (
    Panel(
        "network", Message("Network"), Unit.BYTES_PER_SECOND, section=_NETWORK,
        help=Message("What each interface receives and sends, loopback left out."),
        lines=(
            Line(Message("{device} received"), _network(_RECEIVED, "device")),
            Line(Message("{device} sent"), _network(_SENT, "device")),
        ),
    ),
    Panel(
        "network-errors", Message("Network errors"), Unit.PER_SECOND, section=_NETWORK,
        help=Message("Packets that were broken or thrown away; healthy is none."),
        lines=(
            Line(Message("{device} receive errors"), _network(netdev.RECEIVE.spec("errs"), "device")),
            Line(Message("{device} receive drops"), _network(netdev.RECEIVE.spec("drop"), "device")),
            Line(Message("{device} send errors"), _network(netdev.TRANSMIT.spec("errs"), "device")),
            Line(Message("{device} send drops"), _network(netdev.TRANSMIT.spec("drop"), "device")),
        ),
    ),
    Panel(
        "tcp", Message("TCP sockets"), Unit.COUNT, section=_NETWORK,
        help=Message("Sockets in use, those that wait after their end, and those that no program holds any more."),
        lines=(
            Line(Message("in use"), Query(sockstat.FIELD.spec("TCP_inuse"))),
            Line(Message("ended, waiting"), Query(sockstat.FIELD.spec("TCP_tw"))),
            Line(Message("held by no program"), Query(sockstat.FIELD.spec("TCP_orphan"))),
        ),
    ),
    Panel(
        "tcp-states", Message("TCP connections by state"), Unit.COUNT, section=_NETWORK,
        help=Message("Many that wait to be closed are a program that forgets to; many half-open ones, a flood."),
        lines=(Line(Message("{state}"), Query(tcpstat.STATES, by=("state",))),),
    ),
    Panel(
        "tcp-trouble", Message("TCP trouble"), Unit.PER_SECOND, section=_NETWORK,
        help=Message("Segments sent again because they were lost, resets, and connections for which no room was left."),
        lines=(
            Line(Message("sent again"), _netstat("Tcp_RetransSegs")),
            Line(Message("resets sent"), _netstat("Tcp_OutRsts")),
            Line(Message("received broken"), _netstat("Tcp_InErrs")),
            Line(Message("no room for a connection"), _netstat("TcpExt_ListenDrops")),
        ),
    ),
)  # fmt: skip

_SENSOR_PANELS = (
    Panel(
        "temperatures", Message("Temperatures"), Unit.CELSIUS, section=_SENSORS,
        help=Message("What each sensor and thermal zone says."),
        lines=(
            Line(Message("{chip} {sensor}"), Query(hwmon.TEMPERATURE, by=("chip", "sensor"))),
            Line(Message("{type} {zone}"), Query(thermal_zone.TEMPERATURE, by=("type", "zone"))),
        ),
    ),
    Panel(
        "fans", Message("Fans"), Unit.RPM, section=_SENSORS,
        help=Message("How fast each fan turns; one that stands still while it gets hot is broken."),
        lines=(Line(Message("{chip} {sensor}"), Query(hwmon.RPM.spec("fan"), by=("chip", "sensor"))),),
    ),
)  # fmt: skip

_KERNEL_PANELS = (
    Panel(
        "tasks", Message("Tasks"), Unit.COUNT, section=_KERNEL,
        help=Message("Tasks that run or wait for a core, and tasks that wait for disk and cannot be interrupted."),
        lines=(
            Line(Message("running"), Query(stat.PROCS_RUNNING)),
            Line(Message("blocked"), Query(stat.PROCS_BLOCKED)),
        ),
    ),
    Panel(
        "forks", Message("New processes and threads"), Unit.PER_SECOND, section=_KERNEL,
        help=Message("Thousands a second are a script that starts programs in a loop."),
        lines=(Line(Message("begun"), _rate(stat.FORKS)),),
    ),
    Panel(
        "switches", Message("Context switches and interrupts"), Unit.PER_SECOND, section=_KERNEL,
        help=Message("How often cores turn to another task, and how often devices ask for attention."),
        lines=(
            Line(Message("context switches"), _rate(stat.CONTEXT_SWITCHES)),
            Line(Message("interrupts"), _rate(stat.INTERRUPTS)),
        ),
    ),
)  # fmt: skip

_PANELS = (
    *_CPU_PANELS, *_MEMORY_PANELS, *gpu.PANELS, *_DISK_PANELS, *_FILESYSTEM_PANELS, *_NETWORK_PANELS, *_SENSOR_PANELS,
    *_KERNEL_PANELS,
)  # fmt: skip
HOST = Board("host", Message("This machine"), _TILES, _PANELS)
