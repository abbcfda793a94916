"""Parsers of /proc and /sys meet files that are cut short, foreign or binary."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import kernel_tree
from bongsu.collectors.conntrack import ConntrackCollector
from bongsu.collectors.cpu import CpuCollector
from bongsu.collectors.cpufreq import CpufreqCollector
from bongsu.collectors.dmi import DmiCollector
from bongsu.collectors.entropy import EntropyCollector
from bongsu.collectors.filefd import FilefdCollector
from bongsu.collectors.interrupts import InterruptsCollector
from bongsu.collectors.meminfo import MeminfoCollector
from bongsu.collectors.meminfo_numa import MeminfoNumaCollector
from bongsu.collectors.os import OsCollector
from bongsu.collectors.pressure import PressureCollector
from bongsu.collectors.processes import ProcessesCollector
from bongsu.collectors.schedstat import SchedstatCollector
from bongsu.collectors.selinux import SelinuxCollector
from bongsu.collectors.softnet import SoftnetCollector
from bongsu.collectors.stat import StatCollector
from bongsu.collectors.time import TimeCollector
from bongsu.collectors.uname import UnameCollector
from bongsu.collectors.vmstat import VmstatCollector
from bongsu.model.batch import Sample
from bongsu.model.contract import Collector
from bongsu.model.errors import NoData
from bongsu.sources.root import Machine

CPU = "sys/devices/system/cpu/cpu0"
CLOCK = "sys/devices/system/clocksource/clocksource0"
KERNEL = "proc/sys/kernel"
TABLE = "entries found drop\n00000001 00000002 00000003\n"

# For each collector, how to make it and a file of each kind that it reads, as the kernel may write it.
CASES: dict[str, tuple[Callable[[Machine], Collector], dict[str, str]]] = {
    "conntrack": (
        ConntrackCollector,
        {
            "proc/net/stat/nf_conntrack": TABLE, "proc/sys/net/netfilter/nf_conntrack_count": "1\n",
            "proc/sys/net/netfilter/nf_conntrack_max": "2\n",
        },
    ),
    "cpu": (
        lambda machine: CpuCollector(machine, info=True, info_flags_include=".", info_bugs_include="."),
        {
            "proc/stat": kernel_tree.stat(range(3)),
            "proc/cpuinfo": "processor\t: 0\nmodel name\t: x\nflags\t\t: a b\nbugs\t\t: c\n\n",
            f"{CPU}/topology/core_id": "0\n", f"{CPU}/topology/physical_package_id": "0\n",
            f"{CPU}/thermal_throttle/core_throttle_count": "5\n", "sys/devices/system/cpu/online": "0\n",
        },
    ),
    "cpufreq": (CpufreqCollector, kernel_tree.cpufreq(0)),
    "dmi": (DmiCollector, {"sys/class/dmi/id/board_name": "x\n"}),
    "entropy": (EntropyCollector, {f"{KERNEL}/random/entropy_avail": "256\n", f"{KERNEL}/random/poolsize": "256\n"}),
    "filefd": (FilefdCollector, {"proc/sys/fs/file-nr": "608\t0\t2464775\n"}),
    "interrupts": (InterruptsCollector, {"proc/interrupts": "  CPU0 CPU1\n 24: 1 0 IO-APIC 5-edge x\nNMI: 0 0 N m\n"}),
    "meminfo": (MeminfoCollector, {"proc/meminfo": "MemTotal: 5 kB\nActive(anon): 3 kB\nHugePages_Free: 1\n"}),
    "meminfo_numa": (
        MeminfoNumaCollector,
        {
            "sys/devices/system/node/node0/meminfo": "Node 0 MemTotal: 5 kB\nNode 0 HugePages_Free: 1\n",
            "sys/devices/system/node/node0/numastat": "numa_hit 5\n",
        },
    ),
    "os": (OsCollector, {"root/etc/os-release": "NAME=\"a \\\"b\\\"\"\nID='x'\nVERSION_ID=12.4\n"}),
    "pressure": (PressureCollector, {f"proc/pressure/{name}": "some avg10=0.1 total=5\n" for name in ("cpu", "io", "memory")}),
    "processes": (
        ProcessesCollector,
        {
            "proc/7/stat": "7 (a) S 1 2 3 0 -1 4 1 2 3 4 5 6 7 8 20 0 1 0 9\n", f"{KERNEL}/threads-max": "5\n",
            f"{KERNEL}/pid_max": "5\n",
        },
    ),
    "schedstat": (SchedstatCollector, {"proc/schedstat": "version 15\ncpu0 1 2 3 4 5 6 7 8 9\ndomain0 1\n"}),
    "selinux": (SelinuxCollector, {"sys/fs/selinux/enforce": "1", "root/etc/selinux/config": "SELINUX=enforcing\n"}),
    "softnet": (SoftnetCollector, {"proc/net/softnet_stat": "00000013 " * 15 + "\n"}),
    "stat": (lambda machine: StatCollector(machine, softirq=True), {"proc/stat": kernel_tree.stat(range(2))}),
    "time": (TimeCollector, {f"{CLOCK}/available_clocksource": "tsc hpet \n", f"{CLOCK}/current_clocksource": "tsc\n"}),
    "uname": (
        UnameCollector,
        {f"{KERNEL}/{name}": "x\n" for name in ("ostype", "osrelease", "version", "hostname", "domainname", "arch")},
    ),
    "vmstat": (lambda machine: VmstatCollector(machine, fields=""), {"proc/vmstat": "nr_free_pages 5\npgpgin 6\n"}),
}  # fmt: skip

HOSTILE = st.one_of(
    st.binary(max_size=200),
    st.text("0123456789abcxyz \t\n:-+_.,=()\"'\\#\x00{}", max_size=200).map(str.encode),
    st.sampled_from([b"", b"\n", b"9" * 5000, b"-1", b"nan", b"inf", b"1e999", b"0x", b" " * 5000, b"\xff\xfe\n" * 9]),
)


@pytest.mark.parametrize("name", CASES)
@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(data=st.data())
def test_whatever_a_file_holds_only_expected_errors_come_out(tmp_path: Path, name: str, data: st.DataObject) -> None:
    """ValueError or OSError, or samples with finite numbers and labels that are text; nothing else."""
    make, files = CASES[name]
    tree = kernel_tree.Tree(tmp_path)
    tree.write(files)
    victim = data.draw(st.sampled_from(sorted(files)))
    good = files[victim].encode()
    collector = make(tree.machine)
    with contextlib.suppress(OSError, ValueError, NoData):
        list(collector.collect())  # what it has learned of the good file must not mislead it
    cut = data.draw(st.integers(0, len(good)))
    written = data.draw(st.sampled_from([good[:cut], good[cut:]])) + data.draw(st.one_of(st.just(b""), HOSTILE))
    tree.write({victim: written})
    for fresh in (collector, make(tree.machine)):
        with contextlib.suppress(OSError, ValueError, NoData):
            for sample in fresh.collect():
                assert isinstance(sample, Sample)
                assert len(sample.labels) == len(sample.spec.labels)
                assert math.isfinite(float(sample.value))
                assert all(isinstance(label, str) for label in sample.labels)


@pytest.mark.parametrize("name", CASES)
def test_the_good_file_is_read(tmp_path: Path, name: str) -> None:
    """The files that the fuzzing starts from are good ones: each gives samples."""
    make, files = CASES[name]
    tree = kernel_tree.Tree(tmp_path)
    tree.write(files)
    assert list(make(tree.machine).collect())
