"""CPU time, throttling and CPU information, beside node_exporter's."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

import kernel_tree
import node_exporter as ne
from bongsu.collectors.cpu import CPU_SECONDS, CpuCollector
from bongsu.model.errors import BadInput

CPUINFO = """processor\t: {n}
vendor_id\t: GenuineIntel
cpu family\t: 6
model\t\t: 143
model name\t: Intel(R) Xeon(R) "Gold" \\ 6430
stepping\t: 8
microcode\t: 0x2b000461
cpu MHz\t\t: 2100.000
cache size\t: 61440 KB
physical id\t: {package}
siblings\t: 4
core id\t\t: {core}
cpu cores\t: 2
apicid\t\t: {n}
initial apicid\t: {n}
fpu\t\t: yes
fpu_exception\t: yes
cpuid level\t: 32
wp\t\t: yes
flags\t\t: fpu vme aes avx avx2 avx512f amx_tile
bugs\t\t: spectre_v1 spectre_v2 retbleed
bogomips\t: 4200.00
clflush size\t: 64
cache_alignment\t: 64
address sizes\t: 46 bits physical, 57 bits virtual
power management:

"""


def test_512_cores_with_throttling_equal_node_exporter(tmp_path: Path) -> None:
    """Ten modes of each of 512 CPUs, and the throttle counters of 256 cores and 4 packages, are node_exporter's."""
    tree = kernel_tree.Tree(tmp_path)
    tree.write({"proc/stat": kernel_tree.stat(range(512))} | kernel_tree.cpu_directories(512))
    mine = ne.ours([CpuCollector(tree.machine)])
    assert ne.differences(ne.scrape(["cpu"], tree.flags), mine) == []
    assert len(mine.values) == 512 * 10 + 256 + 4


def test_cpu_info_flags_and_bugs_equal_node_exporter(tmp_path: Path) -> None:
    """The options `info`, `info_flags_include` and `info_bugs_include` give what node_exporter's give."""
    tree = kernel_tree.Tree(tmp_path)
    cpus = "".join(CPUINFO.format(n=n, package=n // 2, core=n % 2) for n in range(4))
    tree.write({"proc/stat": kernel_tree.stat(range(4)), "proc/cpuinfo": cpus})
    flags = ["--collector.cpu.info.flags-include=^avx", "--collector.cpu.info.bugs-include=v[12]"]
    mine = ne.ours([CpuCollector(tree.machine, info_flags_include="^avx", info_bugs_include="v[12]")])
    assert ne.differences(ne.scrape(["cpu"], [*tree.flags, *flags]), mine) == []
    names = [name for name, _ in mine.values]
    assert [names.count(f"node_cpu_{what}_info") for what in ("flag", "bug")] == [3, 2]
    assert names.count("node_cpu_info") == 4
    assert not any(name.endswith("_info") for name, _ in ne.ours([CpuCollector(tree.machine)]).values)


def test_without_guests_equals_node_exporter(tmp_path: Path) -> None:
    """`guest=False` leaves the guest seconds out, as --no-collector.cpu.guest does."""
    tree = kernel_tree.Tree(tmp_path)
    tree.write({"proc/stat": kernel_tree.stat(range(3))})
    mine = ne.ours([CpuCollector(tree.machine, guest=False)])
    assert ne.differences(ne.scrape(["cpu"], [*tree.flags, "--no-collector.cpu.guest"]), mine) == []
    assert len(mine.values) == 3 * 8


@pytest.mark.parametrize("without", ["topology/core_id", "topology/physical_package_id", "thermal_throttle", "online"])
def test_files_that_some_cpus_lack_are_left_out_as_in_node_exporter(tmp_path: Path, without: str) -> None:
    """A CPU without its place or its counters is passed over; the next thread speaks for the core."""
    tree = kernel_tree.Tree(tmp_path)
    files = {
        k: v for k, v in kernel_tree.cpu_directories(16, cores_per_package=4).items() if without not in k or "cpu1" in k
    }
    tree.write({"proc/stat": kernel_tree.stat(range(16))} | files)
    (tmp_path / "sys/devices/system/cpu/cpu12/topology").mkdir(parents=True, exist_ok=True)
    tree.write({"sys/devices/system/cpu/cpu12/topology/physical_package_id": "-1\n"})
    assert ne.differences(ne.scrape(["cpu"], tree.flags), ne.ours([CpuCollector(tree.machine)])) == []


def test_cpus_that_are_offline_are_absent_not_zero(tmp_path: Path) -> None:
    """Of CPUs 0, 3 and 6 only these are given. node_exporter 1.5 makes up zeros for 1, 2, 4 and 5; we do not."""
    tree = kernel_tree.Tree(tmp_path)
    tree.write({"proc/stat": kernel_tree.stat([0, 3, 6])})
    mine = ne.ours([CpuCollector(tree.machine)])
    differences = ne.differences(ne.scrape(["cpu"], tree.flags), mine)
    assert {dict(labels)["cpu"] for _, labels in mine.values} == {"0", "3", "6"}
    assert len(differences) == 4 * 10
    assert all(line.startswith("missing: ") and line.endswith(" 0.0") for line in differences)


def test_columns_that_an_old_kernel_lacks_are_absent_not_zero(tmp_path: Path) -> None:
    """Before Linux 2.6.33 there is no guest_nice, before 2.6.11 no steal: not read, so not given."""
    tree = kernel_tree.Tree(tmp_path)
    for columns in (4, 5, 7, 8, 9, 10, 12):
        tree.write({"proc/stat": kernel_tree.stat(range(2), columns=columns)})
        mine = ne.ours([CpuCollector(tree.machine)])
        differences = ne.differences(ne.scrape(["cpu"], tree.flags), mine)
        assert len(mine.values) == 2 * min(columns, 10)
        assert all(line.startswith("missing: ") and line.endswith(" 0.0") for line in differences)
        assert len(differences) == 2 * max(10 - columns, 0)


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        (lambda ticks: [t - 5 for t in ticks], "all modes step back a little"),
        (lambda ticks: [*ticks[:3], ticks[3] - 299, ticks[4] + 9, *ticks[5:]], "idle just below the limit"),
        (lambda ticks: [*ticks[:3], ticks[3] - 300, ticks[4] - 9, *ticks[5:]], "idle at the limit: replugged"),
        (lambda ticks: [*ticks[:4], ticks[4] - 5000, *ticks[5:]], "iowait falls far, idle stays"),
        (lambda _: [1] * 10, "counts from zero"),
        (lambda ticks: [t + 1 for t in ticks], "goes on"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_counters_go_back_only_where_node_exporter_lets_them(
    tmp_path: Path, change: Callable[[list[int]], list[int]], rule: str
) -> None:
    """A small step back is held; a fall of idle by three seconds or more means that the CPU counts anew."""
    tree = kernel_tree.Tree(tmp_path)
    ticks = [10_000 + 7 * n for n in range(10)]

    def show(numbers: list[int]) -> None:
        tree.write({"proc/stat": f"cpu  0 0 0 0\ncpu0 {' '.join(map(str, numbers))}\nintr 0\n"})

    show(ticks)
    collector = CpuCollector(tree.machine)
    with ne.serving(["cpu"], tree.flags) as scrape:
        assert ne.differences(scrape(), ne.ours([collector])) == []
        for step in (change(ticks), change(change(ticks)), ticks):
            show(step)
            assert ne.differences(scrape(), ne.ours([collector])) == [], rule


def test_a_cpu_that_is_taken_out_vanishes_and_comes_back_with_its_own_numbers(tmp_path: Path) -> None:
    """An offline CPU's last value is not repeated."""
    tree = kernel_tree.Tree(tmp_path)
    collector = CpuCollector(tree.machine)
    seen = []
    for cpus in ([0, 1], [0], [0, 1]):
        tree.write({"proc/stat": kernel_tree.stat(cpus)})
        samples = [item for item in collector.collect() if item.spec is CPU_SECONDS]
        seen.append({sample.labels[0] for sample in samples})
    assert seen == [{"0", "1"}, {"0"}, {"0", "1"}]


def test_throttle_counters_follow_hotplug(tmp_path: Path) -> None:
    """A core's counter disappears with its CPUs, whether or not `online` says so yet."""
    tree = kernel_tree.Tree(tmp_path)
    tree.write({"proc/stat": kernel_tree.stat(range(4))} | kernel_tree.cpu_directories(4))
    collector = CpuCollector(tree.machine)
    with ne.serving(["cpu"], tree.flags) as scrape:
        assert ne.differences(scrape(), ne.ours([collector])) == []
        for cpu in (2, 3):
            (tmp_path / f"sys/devices/system/cpu/cpu{cpu}/thermal_throttle/core_throttle_count").unlink()
        assert ne.differences(scrape(), ne.ours([collector])) == []
        tree.write(kernel_tree.cpu_directories(4) | {"sys/devices/system/cpu/online": "0-3,5\n"})
        assert ne.differences(scrape(), ne.ours([collector])) == []


def test_an_expression_that_does_not_compile_names_its_option(tmp_path: Path) -> None:
    """The user reads which option holds the mistake."""
    machine = kernel_tree.Tree(tmp_path).machine
    with pytest.raises(BadInput, match="info-flags-include"):
        CpuCollector(machine, info_flags_include="(")


def test_the_first_thread_speaks_for_its_core(tmp_path: Path) -> None:
    """Where threads disagree, the first by name counts, as in node_exporter: cpu10 comes before cpu2."""
    tree = kernel_tree.Tree(tmp_path)
    files = kernel_tree.cpu_directories(12, per_core=3, cores_per_package=2)
    files |= {name: f"{place}\n" for place, name in enumerate(files) if name.endswith("throttle_count")}
    tree.write({"proc/stat": kernel_tree.stat(range(12))} | files)
    assert ne.differences(ne.scrape(["cpu"], tree.flags), ne.ours([CpuCollector(tree.machine)])) == []
