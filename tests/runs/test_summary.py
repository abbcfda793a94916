"""What a record adds up to: exact where it says so, and nothing that it does not say."""

from __future__ import annotations

from typing import Any

import pytest

from bongsu.model.run import FunctionStat, Point, RunReport
from bongsu.records.run_reading import read_1
from bongsu.runs.summary import percents, report
from run_records import MIB, STARTED, columns, metadata, record, records, segment_bytes


def of(rows: list[list[Any]], **known: Any) -> RunReport:
    """The report of a run with these records."""
    return report(metadata(**known), read_1(segment_bytes(rows)))


def test_a_whole_run() -> None:
    """Total by the named source, residual, averages over time, peaks, children without the first process, the monitor's own."""
    made = of(records())
    cost, known = made.summary, made.metadata
    assert (known.exit_code, known.signal, known.ended) == (3, "", STARTED + 5.5)
    assert (cost.wall_seconds, cost.samples) == (5.5, 5)
    cpu = cost.cpu
    assert (cpu.total_seconds, cpu.source, cpu.sources) == (6.5, "perf", {"perf": 6.5, "wait4": 6.4})
    assert cpu.residual_seconds == pytest.approx(6.5 - (4.9 + 1.0))
    assert cpu.avg_percent == pytest.approx(6.5 / 5.5 * 100)
    assert cpu.max_percent == pytest.approx(150.0)
    assert (cpu.user_seconds, cpu.system_seconds) == (6.0, 0.4)
    memory = cost.memory
    assert (memory.peak_rss_bytes, memory.largest_process_rss_bytes) == (60 * MIB, 60 * MIB)
    assert memory.avg_rss_bytes == pytest.approx(25 * MIB)
    assert memory.avg_rss_mb == pytest.approx(25 * MIB / 1e6)
    assert memory.max_rss_mb == pytest.approx(60 * MIB / 1e6)
    assert (memory.peak_pss_bytes, memory.peak_uss_bytes, memory.cgroup_peak_bytes) == (8 * MIB, None, None)
    children = cost.children
    assert (children.max_count, children.started, children.exited) == (1, 1, 1)
    assert children.avg_cpu_percent == pytest.approx(1.0 / 5.5 * 100)
    assert children.avg_memory_mb == pytest.approx(5 * MIB * 2 / 4 / 1e6)
    assert (cost.io.read_bytes, cost.io.write_bytes) == (5000, None)
    assert (cost.voluntary_switches, cost.involuntary_switches, cost.max_threads) == (35, None, 2)
    assert [one.command for one in cost.survivors] == ["daemon"]
    assert made.processes[1].cpu_share_ratio == pytest.approx(1.0 / 6.5)
    assert (made.monitor.cpu_seconds, made.monitor.samples, made.monitor.missed_samples) == (0.05, 5, 0)


def test_without_an_end_the_last_sample_is_what_is_known() -> None:
    """A run that goes on or was lost: no exit code, no end, a total up to the last sample whose source nobody said."""
    made = of(records(end=False))
    assert (made.metadata.exit_code, made.metadata.ended) == (None, None)
    assert made.summary.wall_seconds == 5.0
    assert (made.summary.cpu.total_seconds, made.summary.cpu.source) == (6.0, "unknown")
    assert made.summary.cpu.user_seconds is None
    assert made.summary.memory.peak_rss_bytes == 50 * MIB


def test_a_lost_run_says_who_counted_its_cpu_time() -> None:
    """The monitor names the source as it goes, since a run whose recorder was killed has no end."""
    rows = [
        columns(), record("sample", 1.0, cpu_seconds=0.7, attributed_cpu_seconds=0.7, processes=1),
        record("monitor", 1.0, cpu_seconds=0.01, samples=1, cpu_source="cgroup"),
    ]  # fmt: skip
    assert (of(rows).summary.cpu.total_seconds, of(rows).summary.cpu.source) == (0.7, "cgroup")


def test_a_run_began_when_its_recorder_was_ready() -> None:
    """run.json is written before the counters are open; second 0 of the record is later, and the record says when."""
    end = record("end", 2.0, exit_code=0)
    made = of([columns(), record("monitor", 2.0, started=1767225600.25), end])
    assert (made.metadata.started, made.metadata.ended) == (1767225600.25, 1767225602.25)


def test_a_residual_is_never_less_than_nothing() -> None:
    """Processes are rounded to thousandths and the total is not: 2 ms of 1.7 ms leave none, not less than none."""
    rows = [
        columns(), record("born", 0.0, process=0, pid=9, start_seconds=0.0, executable="true", command="true"),
        record("exited", 0.05, process=0, exit_code=0, cpu_seconds=0.002, known_by="waited"),
        record("sample", 0.05, cpu_seconds=0.002, attributed_cpu_seconds=0.002, processes=0),
        record("end", 0.05, exit_code=0, cpu_source="cgroup", sources={"cgroup": 0.0017}),
    ]  # fmt: skip
    assert of(rows).summary.cpu.residual_seconds == 0.0


def test_what_is_read_as_it_begins_says_nothing_of_its_use() -> None:
    """Attached to, a process is read at once: what it used in those milliseconds is no maximum."""
    early = record("sample", 0.01, cpu_seconds=0.01, processes=1)
    later = [record("sample", at, cpu_seconds=at / 10, processes=1) for at in (1.0, 2.0)]
    busy = of([columns(), early, *later]).summary.cpu
    assert busy.max_percent == pytest.approx(10.0)
    assert of([columns(), early]).summary.cpu.max_percent == pytest.approx(100.0)  # all that there is


def test_children_that_outlive_the_first_process_are_counted() -> None:
    """Once the first process is gone, whoever is there is a child."""
    rows = [
        columns(), record("born", 0.0, process=0, pid=9, start_seconds=0.0, executable="sh", command="sh"),
        record("exited", 0.4, process=0, exit_code=3, cpu_seconds=0.002, known_by="waited"),
        record("sample", 0.4, processes=2, started=3, exited=1),
    ]  # fmt: skip
    children = of(rows).summary.children
    assert (children.max_count, children.started, children.exited) == (2, 2, 0)


def test_children_that_no_reading_met_were_not_none_at_once() -> None:
    """Forty that lived some milliseconds each: how many there were at a time nobody saw, and that is no zero."""
    rows = [columns(), record("sample", 1.0, processes=1, started=41, exited=40)]
    children = of(rows).summary.children
    assert (children.max_count, children.started, children.exited) == (None, 40, 40)
    rows = [columns(), record("sample", 1.0, processes=1, started=1, exited=0)]
    assert of(rows).summary.children.max_count == 0


def test_where_nothing_is_known_nothing_is_said() -> None:
    """An empty record has no numbers in it: neither zero nor a guess."""
    made = of([])
    assert made.summary.wall_seconds is None
    for part in (made.summary.memory, made.summary.children, made.summary.io):
        assert {getattr(part, name) for name in part.__struct_fields__} == {None}
    assert (made.summary.cpu.total_seconds, made.summary.cpu.avg_percent, made.summary.cpu.max_percent) == (None,) * 3
    assert made.summary.max_threads is None


def test_without_an_exact_source_sampling_is_named() -> None:
    """What is known by name and what its parents say of unseen children is the total then."""
    rows = [columns(), record("sample", 2.0, attributed_cpu_seconds=3.0, unseen_cpu_seconds=0.5, processes=1)]
    made = of(rows)
    assert (made.summary.cpu.total_seconds, made.summary.cpu.source) == (3.5, "sampled")
    assert made.summary.cpu.residual_seconds == 0.5


def test_a_lump_makes_no_impossible_peak() -> None:
    """What a child leaves its parent comes at once: more than all CPUs for that interval is not shown, but is kept raw."""
    rows = [
        columns(),
        *(record("sample", float(at), cpu_seconds=used, processes=1) for at, used in ((1, 0.1), (2, 60.0), (3, 60.1))),
    ]
    made = of(rows, cpus=4)
    assert made.summary.cpu.max_percent == 400.0
    assert made.samples[1].cpu_seconds == 60.0
    assert of(rows, cpus=None).summary.cpu.max_percent == pytest.approx(5990.0)


def test_points_that_are_close_say_what_their_stretch_says() -> None:
    """A last sample a millisecond after the one before would make any rate of one tick of the clock."""
    points = [
        Point(at_seconds=at, cpu_seconds=used)
        for at, used in ((1.0, 0.5), (2.0, 1.5), (2.001, 1.51), (3.0, 1.6), (4.0, None))
    ]
    found = list(percents(points, lambda point: point.cpu_seconds, 1.0))
    assert found == [50.0, 100.0, 100.0, pytest.approx(10.0), None]
    assert list(percents([Point(at_seconds=0.1, cpu_seconds=0.05)], lambda point: point.cpu_seconds, 60.0)) == [50.0]
    back = [Point(at_seconds=at, cpu_seconds=used) for at, used in ((1.0, 0.5), (2.0, 0.4))]
    assert list(percents(back, lambda point: point.cpu_seconds, 1.0)) == [50.0, 0.0]


def test_averages_are_over_time() -> None:
    """A sample that was late counts for as long as it stood."""
    rows = [
        columns(),
        *(record("sample", at, rss_bytes=size, processes=1) for at, size in ((1.0, 100), (2.0, 400), (5.0, 7))),
    ]
    assert of(rows).summary.memory.avg_rss_bytes == pytest.approx((100 * 1 + 400 * 3) / 4)


def test_after_the_end_of_all_processes_nothing_is_measured() -> None:
    """The last sample of a run finds nobody: that is no memory use of zero; wait4 knows the largest process's peak."""
    rows = [
        columns(), record("sample", 0.2, rss_bytes=0, threads=0, processes=0, children_rss_bytes=0),
        record("end", 0.2, exit_code=0, cpu_source="wait4", sources={"wait4": 0.1}, maxrss_bytes=3 * MIB),
    ]  # fmt: skip
    cost = of(rows).summary
    assert (cost.memory.peak_rss_bytes, cost.memory.avg_rss_bytes, cost.max_threads) == (3 * MIB, None, None)
    rows.insert(1, record("sample", 0.1, rss_bytes=MIB, threads=2, processes=1))
    cost = of(rows).summary
    assert (cost.memory.avg_rss_bytes, cost.max_threads, cost.children.max_count) == (MIB, 2, 0)


def test_a_small_program_is_not_as_large_as_its_monitor() -> None:
    """It began as a copy of the monitor, and wait4 does not forget that: then what was seen of it counts."""
    end = record("end", 9.0, exit_code=0, cpu_source="wait4", sources={"wait4": 0.1}, maxrss_bytes=9 * MIB)
    rows = [*records(end=False), end]
    assert of(rows).summary.memory.largest_process_rss_bytes == 50 * MIB
    rows = [
        columns(),
        record("sample", 1.0, rss_bytes=MIB, processes=1),
        record("monitor", 2.0, rss_bytes=12 * MIB),
        end,
    ]
    memory = of(rows).summary.memory
    assert (memory.largest_process_rss_bytes, memory.peak_rss_bytes) == (None, MIB)


def test_what_could_not_be_read_is_told_of_the_monitor() -> None:
    """Once for each thing; a signal is none of them."""
    rows = [
        columns(),
        ["event", 1.0, "unreadable", "no IO"],
        ["event", 2.0, "unreadable", "no IO"],
        ["event", 3.0, "signal", "SIGINT"],
    ]
    assert of(rows).monitor.errors == ("no IO",)


def test_functions_are_handed_on() -> None:
    """Under their own names."""
    one = FunctionStat(count=1, total_time=2.0, cpu_time=None)
    assert report(metadata(), read_1(b""), {"load": one}).function_stats == {"load": one}
