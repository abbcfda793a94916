"""CPU, memory and kernel readings of this machine, beside node_exporter's."""

from __future__ import annotations

import pytest

import node_exporter as ne
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
from bongsu.collectors.timex import TimexCollector
from bongsu.collectors.uname import UnameCollector
from bongsu.collectors.vmstat import VmstatCollector
from bongsu.model.contract import Collector
from bongsu.sources.root import Machine

MACHINE = Machine.at()
ROUNDS = 20  # a value that moves is caught between two of ours sooner or later; a wrong one never
SLACK = {"node_filefd_allocated": 64, "node_procs_running": 2}  # while node_exporter reads, it runs, and has files open


@pytest.mark.parametrize(
    ("collector", "flags"),
    [
        (ConntrackCollector(MACHINE), []),
        (CpuCollector(MACHINE, info=True), ["--collector.cpu.info"]),
        (CpufreqCollector(MACHINE), []),
        (DmiCollector(MACHINE), []),
        (EntropyCollector(MACHINE), []),
        (FilefdCollector(MACHINE), []),
        (InterruptsCollector(MACHINE), []),
        (MeminfoCollector(MACHINE), []),
        (MeminfoNumaCollector(MACHINE), []),
        (OsCollector(MACHINE), []),
        (PressureCollector(MACHINE), []),
        (SchedstatCollector(MACHINE), []),
        (SelinuxCollector(MACHINE), []),
        (SoftnetCollector(MACHINE), []),
        (StatCollector(MACHINE, softirq=True), ["--collector.stat.softirq"]),
        (TimeCollector(MACHINE), []),
        (TimexCollector(MACHINE), []),
        (UnameCollector(MACHINE), []),
        (VmstatCollector(MACHINE, fields=""), ["--collector.vmstat.fields="]),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_this_machine_as_node_exporter_sees_it(collector: Collector, flags: list[str]) -> None:
    """The same names, labels and types; each value lies between what we read before and after, in some round."""
    with ne.serving([collector.name], flags) as scrape:
        theirs, mine = scrape(), ne.ours([collector])
        assert [d for d in ne.differences(theirs, mine) if not d.startswith("value: ")] == []
        open_questions = set(mine.values)
        for _ in range(ROUNDS):
            before, between, after = ne.ours([collector]).values, scrape().values, ne.ours([collector]).values
            open_questions -= {
                key
                for key in open_questions
                if min(before[key], after[key]) - SLACK.get(key[0], 0)
                <= between[key]
                <= max(before[key], after[key]) + SLACK.get(key[0], 0)
            }
            if not open_questions:
                break
    assert not open_questions


def test_processes_of_this_machine() -> None:
    """The same limits and metrics; processes come, go and change their state meanwhile."""
    theirs, mine = ne.scrape(["processes"]), ne.ours([ProcessesCollector(MACHINE)])
    assert ne.differences(theirs, mine, only="node_processes_max_") == []
    names = {name for name, _ in theirs.values if name.startswith("node_processes_")}
    assert names == {name for name, _ in mine.values}
