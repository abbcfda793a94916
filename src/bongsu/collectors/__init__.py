"""Collectors of readings, one file a subject, listed in the order in which they are shown."""

from __future__ import annotations

from bongsu.collectors.conntrack import ConntrackCollector
from bongsu.collectors.cpu import CpuCollector
from bongsu.collectors.cpufreq import CpufreqCollector
from bongsu.collectors.dmi import DmiCollector
from bongsu.collectors.entropy import EntropyCollector
from bongsu.collectors.exporter import ExporterCollector
from bongsu.collectors.filefd import FilefdCollector
from bongsu.collectors.filesystem import FilesystemCollector
from bongsu.collectors.interrupts import InterruptsCollector
from bongsu.collectors.loadavg import LoadavgCollector
from bongsu.collectors.meminfo import MeminfoCollector
from bongsu.collectors.meminfo_numa import MeminfoNumaCollector
from bongsu.collectors.os import OsCollector
from bongsu.collectors.pressure import PressureCollector
from bongsu.collectors.process import ProcessCollector
from bongsu.collectors.processes import ProcessesCollector
from bongsu.collectors.schedstat import SchedstatCollector
from bongsu.collectors.selinux import SelinuxCollector
from bongsu.collectors.softnet import SoftnetCollector
from bongsu.collectors.stat import StatCollector
from bongsu.collectors.time import TimeCollector
from bongsu.collectors.timex import TimexCollector
from bongsu.collectors.uname import UnameCollector
from bongsu.collectors.vmstat import VmstatCollector

COLLECTORS = (
    ConntrackCollector,
    CpuCollector,
    CpufreqCollector,
    DmiCollector,
    EntropyCollector,
    ExporterCollector,
    FilefdCollector,
    FilesystemCollector,
    InterruptsCollector,
    LoadavgCollector,
    MeminfoCollector,
    MeminfoNumaCollector,
    OsCollector,
    PressureCollector,
    ProcessCollector,
    ProcessesCollector,
    SchedstatCollector,
    SelinuxCollector,
    SoftnetCollector,
    StatCollector,
    TimeCollector,
    TimexCollector,
    UnameCollector,
    VmstatCollector,
)  # fmt: skip
