"""CPU frequencies, beside node_exporter's."""

from __future__ import annotations

from pathlib import Path

import pytest

import kernel_tree
import node_exporter as ne
from bongsu.collectors.cpufreq import HERTZ, CpufreqCollector
from bongsu.model.batch import Absence, Why
from bongsu.model.errors import NoData
from bongsu.sources.root import Root


def test_512_cpus_equal_node_exporter(tmp_path: Path) -> None:
    """Six frequencies of each CPU, in hertz."""
    tree = kernel_tree.Tree(tmp_path)
    tree.write(kernel_tree.cpu_directories(512))
    mine = ne.ours([CpufreqCollector(tree.machine)])
    assert ne.differences(ne.scrape(["cpufreq"], tree.flags), mine) == []
    assert len(mine.values) == 512 * 6


def test_files_that_a_driver_lacks_are_absent(tmp_path: Path) -> None:
    """A file that is missing, or a CPU without any, gives no sample; the others are given."""
    tree = kernel_tree.Tree(tmp_path)
    tree.write(
        kernel_tree.cpufreq(0)
        | kernel_tree.cpufreq(1, without=("cpuinfo_cur_freq",))
        | kernel_tree.cpufreq(10, without=("scaling_max_freq", "scaling_min_freq"))
        | {"sys/devices/system/cpu/cpu2/online": "0\n", "sys/devices/system/cpu/cpufreq/boost": "1\n"}
    )
    mine = ne.ours([CpufreqCollector(tree.machine)])
    assert ne.differences(ne.scrape(["cpufreq"], tree.flags), mine) == []
    assert len(mine.values) == 6 + 5 + 4


def test_one_unreadable_value_does_not_hide_the_others(tmp_path: Path) -> None:
    """A driver that answers `<unknown>` for one file costs that one reading (node_exporter 1.5 loses them all)."""
    tree = kernel_tree.Tree(tmp_path)
    tree.write(kernel_tree.cpufreq(0) | {"sys/devices/system/cpu/cpu0/cpufreq/cpuinfo_cur_freq": "<unknown>\n"})
    assert len(ne.ours([CpufreqCollector(tree.machine)]).values) == 5


def test_what_only_root_may_read_is_an_absence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The other frequencies are given, and the user reads once why this one is not."""
    tree = kernel_tree.Tree(tmp_path)
    tree.write(kernel_tree.cpufreq(0) | kernel_tree.cpufreq(1))
    read = Root.read

    def guarded(self: Root, relative: str) -> bytes:
        if relative.endswith("cpuinfo_cur_freq"):
            raise PermissionError(13, "Permission denied", relative)
        return read(self, relative)

    monkeypatch.setattr(Root, "read", guarded)
    found = list(CpufreqCollector(tree.machine).collect())
    (absence,) = (item for item in found if isinstance(item, Absence))
    assert (absence.spec, absence.why) == (HERTZ, Why.FORBIDDEN)
    assert len(found) == 1 + 2 * 5


def test_no_driver_is_said_in_words(tmp_path: Path) -> None:
    """A virtual machine without frequencies is no failure, and the user reads why there are none."""
    with pytest.raises(NoData, match="virtual machines"):
        list(CpufreqCollector(kernel_tree.Tree(tmp_path).machine).collect())
