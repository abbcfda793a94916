"""Collectors of readings, one file a subject, listed in the order in which they are shown."""

from __future__ import annotations

from bongsu.collectors.arp import ArpCollector
from bongsu.collectors.bonding import BondingCollector
from bongsu.collectors.conntrack import ConntrackCollector
from bongsu.collectors.cpu import CpuCollector
from bongsu.collectors.cpufreq import CpufreqCollector
from bongsu.collectors.diskstats import DiskstatsCollector
from bongsu.collectors.dmi import DmiCollector
from bongsu.collectors.edac import EdacCollector
from bongsu.collectors.entropy import EntropyCollector
from bongsu.collectors.exporter import ExporterCollector
from bongsu.collectors.filefd import FilefdCollector
from bongsu.collectors.filesystem import FilesystemCollector
from bongsu.collectors.gpu import GpuCollector
from bongsu.collectors.gpu_process import GpuProcessCollector
from bongsu.collectors.hwmon import HwmonCollector
from bongsu.collectors.interrupts import InterruptsCollector
from bongsu.collectors.loadavg import LoadavgCollector
from bongsu.collectors.mdadm import MdadmCollector
from bongsu.collectors.meminfo import MeminfoCollector
from bongsu.collectors.meminfo_numa import MeminfoNumaCollector
from bongsu.collectors.netclass import NetclassCollector
from bongsu.collectors.netdev import NetdevCollector
from bongsu.collectors.netstat import NetstatCollector
from bongsu.collectors.nfs import NfsCollector
from bongsu.collectors.nfsd import NfsdCollector
from bongsu.collectors.nvme import NvmeCollector
from bongsu.collectors.os import OsCollector
from bongsu.collectors.owner import OwnerCollector
from bongsu.collectors.powersupplyclass import PowersupplyclassCollector
from bongsu.collectors.pressure import PressureCollector
from bongsu.collectors.process import ProcessCollector
from bongsu.collectors.processes import ProcessesCollector
from bongsu.collectors.rapl import RaplCollector
from bongsu.collectors.schedstat import SchedstatCollector
from bongsu.collectors.selinux import SelinuxCollector
from bongsu.collectors.sockstat import SockstatCollector
from bongsu.collectors.softnet import SoftnetCollector
from bongsu.collectors.stat import StatCollector
from bongsu.collectors.tcpstat import TcpstatCollector
from bongsu.collectors.textfile import TextfileCollector
from bongsu.collectors.thermal_zone import ThermalZoneCollector
from bongsu.collectors.time import TimeCollector
from bongsu.collectors.timex import TimexCollector
from bongsu.collectors.udp_queues import UdpQueuesCollector
from bongsu.collectors.uname import UnameCollector
from bongsu.collectors.vmstat import VmstatCollector

COLLECTORS = (
    ArpCollector,
    BondingCollector,
    ConntrackCollector,
    CpuCollector,
    CpufreqCollector,
    DiskstatsCollector,
    DmiCollector,
    EdacCollector,
    EntropyCollector,
    ExporterCollector,
    FilefdCollector,
    FilesystemCollector,
    GpuCollector,
    GpuProcessCollector,
    HwmonCollector,
    InterruptsCollector,
    LoadavgCollector,
    MdadmCollector,
    MeminfoCollector,
    MeminfoNumaCollector,
    NetclassCollector,
    NetdevCollector,
    NetstatCollector,
    NfsCollector,
    NfsdCollector,
    NvmeCollector,
    OsCollector,
    OwnerCollector,
    PowersupplyclassCollector,
    PressureCollector,
    ProcessCollector,
    ProcessesCollector,
    RaplCollector,
    SchedstatCollector,
    SelinuxCollector,
    SockstatCollector,
    SoftnetCollector,
    StatCollector,
    TcpstatCollector,
    TextfileCollector,
    ThermalZoneCollector,
    TimeCollector,
    TimexCollector,
    UdpQueuesCollector,
    UnameCollector,
    VmstatCollector,
)  # fmt: skip
