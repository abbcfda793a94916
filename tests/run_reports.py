"""Makes reports of runs that never were: what views, exports and tests of them are tried on."""

from __future__ import annotations

from typing import Any

import msgspec

from bongsu.model.owner import Owner, OwnerKind
from bongsu.model.run import (
    ChildrenUse,
    CpuUse,
    Event,
    FunctionStat,
    IoUse,
    MemoryUse,
    Metadata,
    MonitorUse,
    Point,
    ProcessRow,
    RunReport,
    Summary,
    Survivor,
    Use,
)

MIB = 1024**2
STARTED = 1_767_225_600.0  # 2026-01-01 00:00:00 UTC
HOSTILE = "</script ><!--<script></script><img src=x onerror=alert(1)>\x1b]0;x\x07[red]\n\"'&\u2028\u202eevil\udcff"


def metadata(command: tuple[str, ...] = ("sleep", "10"), **other: Any) -> Metadata:
    """What is known of a run that began with the year 2026."""
    program = command[0].rpartition("/")[2] if command else "attached"
    fields: dict[str, Any] = {
        "id": f"20260101-000000-{program if program.isalnum() else 'odd'}-1a2b", "command": command, "directory": "/srv/project",
        "host": "node1", "user": "alice", "started": STARTED, "zone": "+0000", "interval_seconds": 1.0, "version": "0.1.0",
        "name": program, "pid": 100, "cpus": 8, "exit_code": 0, "state": "ended", **other,
    }  # fmt: skip
    return Metadata(**fields)


def sleeping() -> RunReport:
    """One process that did next to nothing for ten seconds."""
    samples = tuple(
        Point(
            at_seconds=float(at), cpu_seconds=0.001, attributed_cpu_seconds=0.001, rss_bytes=2 * MIB, pss_bytes=MIB,
            read_bytes=0, write_bytes=0, threads=1, processes=1, started=1, exited=0,
        )
        for at in range(1, 10)
    )  # fmt: skip
    first = ProcessRow(
        index=0, pid=100, start_seconds=0.0, command="sleep 10", executable="sleep", user="alice", end_seconds=10.0,
        exit_code=0, known_by="waited", cpu_seconds=0.001, cpu_share_ratio=1.0, peak_rss_bytes=2 * MIB,
    )  # fmt: skip
    summary = Summary(
        wall_seconds=10.0,
        cpu=CpuUse(
            total_seconds=0.001, source="perf", residual_seconds=0.0, user_seconds=0.0, system_seconds=0.001,
            avg_percent=0.01, max_percent=0.1,
        ),
        memory=MemoryUse(peak_rss_bytes=2 * MIB, peak_pss_bytes=MIB),
        children=ChildrenUse(max_count=0, started=0, exited=0), io=IoUse(read_bytes=0, write_bytes=0), samples=9,
    )  # fmt: skip
    return RunReport(
        metadata=metadata(ended=STARTED + 10), summary=summary, samples=samples, processes=(first,),
        monitor=MonitorUse(cpu_seconds=0.02, rss_bytes=11 * MIB, samples=9),
    )  # fmt: skip


def build(processes: int = 3000) -> RunReport:
    """`make -j4` that started thousands of short processes, a part of which nobody saw; one compiler failed."""
    wall = 60.0
    rows = [
        ProcessRow(
            index=0, pid=100, start_seconds=0.0, command="make -j4", executable="make", user="alice", end_seconds=wall,
            exit_code=0, known_by="waited", cpu_seconds=1.5, unseen_cpu_seconds=26.4, cpu_share_ratio=1.5 / 200,
            peak_rss_bytes=8 * MIB,
        )
    ]  # fmt: skip
    kinds = (("sh", 0.05, 0.002, 2), ("cc1", 0.3, 0.15, 90), ("as", 0.1, 0.02, 12))
    for number in range(1, processes):
        name, lasts, cpu, size = kinds[number % 3]
        begin = number * (wall - 0.4) / processes
        rows.append(
            ProcessRow(
                index=number, pid=100 + number, start_seconds=begin, parent=0, command=f"{name} file{number}.c",
                executable=name, user="alice", end_seconds=begin + lasts, exit_code=1 if number == 1234 else 0,
                known_by="waited", cpu_seconds=cpu, cpu_share_ratio=cpu / 200, peak_rss_bytes=size * MIB,
            )
        )  # fmt: skip
    known = sum(row.cpu_seconds or 0.0 for row in rows)
    samples = tuple(
        Point(
            at_seconds=float(at), cpu_seconds=200 * at / wall, attributed_cpu_seconds=known * at / wall,
            rss_bytes=(300 + 40 * (at % 5)) * MIB, pss_bytes=(250 + 40 * (at % 5)) * MIB if at % 10 == 0 else None,
            cgroup_bytes=(400 + at) * MIB, read_bytes=at * MIB, write_bytes=at * 4 * MIB, threads=14, processes=13,
            started=at * processes // 60, exited=at * processes // 60 - 12,
        )
        for at in range(1, 60)
    )  # fmt: skip
    summary = Summary(
        wall_seconds=wall,
        cpu=CpuUse(
            total_seconds=200.0, source="perf", sources={"perf": 200.0, "wait4": 199.2, "sampled": 61.5},
            residual_seconds=200.0 - known, user_seconds=150.0, system_seconds=50.0, avg_percent=333.3, max_percent=398.0,
        ),
        memory=MemoryUse(
            peak_rss_bytes=460 * MIB, avg_rss_bytes=380.0 * MIB, peak_pss_bytes=410 * MIB, peak_uss_bytes=350 * MIB,
            cgroup_peak_bytes=459 * MIB, cgroup_peak_anon_bytes=333 * MIB, largest_process_rss_bytes=90 * MIB,
        ),
        children=ChildrenUse(max_count=13, started=processes - 1, exited=processes - 1),
        io=IoUse(read_bytes=59 * MIB, write_bytes=236 * MIB, read_calls=123_456, write_calls=23_456),
        voluntary_switches=12_345, involuntary_switches=2_345, max_threads=14, max_open_files=77, samples=59,
    )  # fmt: skip
    owner = Owner(OwnerKind.SLURM, "42", "nightly", user="alice")
    return RunReport(
        metadata=metadata(
            ("make", "-j4"), owner=owner, limits={"cpus": 4.0, "memory_bytes": 8.0 * 1024 * MIB}, git_revision="1a2b3c4d5e6f7",
            git_dirty=True, tags=("nightly",), message="before the change", ended=STARTED + wall,
        ),
        summary=summary, samples=samples, processes=tuple(rows),
        monitor=MonitorUse(cpu_seconds=0.31, rss_bytes=12 * MIB, samples=59, missed_samples=1, late_seconds=0.4),
        events=(Event(at_seconds=30.0, what="gap", text="1 sample was missed"),),
    )  # fmt: skip


def training() -> RunReport:
    """A training with four workers and a timed source, which ran for an hour."""
    wall = 3600.0
    rows = [
        ProcessRow(
            index=0, pid=100, start_seconds=0.0, command="python train.py --epochs 3", executable="python", user="alice",
            end_seconds=wall, exit_code=0, known_by="waited", cpu_seconds=3000.0, cpu_share_ratio=3000 / 9000,
            peak_rss_bytes=4096 * MIB, peak_pss_bytes=3500 * MIB, threads=32,
            uses=tuple(
                Use(at_seconds=at, cpu_seconds=at / 1.2, rss_bytes=4096 * MIB, threads=32) for at in (60.0, 1800.0, 3540.0)
            ),
        ),
        *(
            ProcessRow(
                index=n, pid=100 + n, start_seconds=30.0 * n, parent=0, command=f"python loader --worker {n}",
                executable="python", user="alice", end_seconds=wall - 10, exit_code=0, known_by="waited",
                cpu_seconds=1500.0, cpu_share_ratio=1500 / 9000, peak_rss_bytes=1024 * MIB, threads=4,
            )
            for n in range(1, 5)
        ),
    ]  # fmt: skip
    samples = tuple(
        Point(
            at_seconds=60.0 * n, cpu_seconds=150.0 * n, attributed_cpu_seconds=149.0 * n,
            rss_bytes=(3000 + 100 * n) * MIB, pss_bytes=(2500 + 90 * n) * MIB, uss_bytes=(2400 + 90 * n) * MIB,
            read_bytes=n * 512 * MIB, write_bytes=(n // 20) * 2048 * MIB, threads=48, processes=5,
        )
        for n in range(1, 60)
    )  # fmt: skip
    stats = {
        "forward": FunctionStat(
            count=9000, total_time=1800.0, cpu_time=1500.0, avg_time=0.2, max_time=1.5, min_time=0.1, self_time=1700.0,
            self_cpu_time=1450.0, cpu_error=1.2,
        ),
        "load": FunctionStat(
            count=9004, total_time=900.0, cpu_time=880.0, avg_time=0.1, max_time=2.0, min_time=0.05, self_time=900.0,
            self_cpu_time=880.0, processes=4, kind="span", errors=3, running=1,
        ),
        "checkpoint [epoch]": FunctionStat(count=3, total_time=60.0, cpu_time=None, avg_time=20.0, max_time=25.0, kind="span", task="epoch"),
    }  # fmt: skip
    summary = Summary(
        wall_seconds=wall,
        cpu=CpuUse(
            total_seconds=9000.0, source="cgroup", sources={"cgroup": 9000.0, "perf": 8998.0}, residual_seconds=0.0,
            user_seconds=8500.0, system_seconds=500.0, avg_percent=250.0, max_percent=310.0,
        ),
        memory=MemoryUse(peak_rss_bytes=8900 * MIB, peak_pss_bytes=7810 * MIB, peak_uss_bytes=7710 * MIB),
        children=ChildrenUse(max_count=4, started=4, exited=4),
        io=IoUse(read_bytes=59 * 512 * MIB, write_bytes=4096 * MIB), max_threads=48, samples=59,
        survivors=(Survivor(pid=222, command="tensorboard --logdir runs", cpu_seconds=4.5),),
    )  # fmt: skip
    return RunReport(
        metadata=metadata(("python", "train.py", "--epochs", "3"), interval_seconds=60.0, ended=STARTED + wall),
        summary=summary, function_stats=stats, samples=samples, processes=tuple(rows),
        monitor=MonitorUse(cpu_seconds=0.6, rss_bytes=12 * MIB, samples=59),
        events=(
            Event(at_seconds=1200.0, what="threshold", text="rss > 4 GiB: 4.1 GiB"),
            Event(at_seconds=2400.0, what="stop", text="stopped by SIGTSTP"),
        ),
    )  # fmt: skip


def killed() -> RunReport:
    """A program that the kernel killed."""
    known = sleeping()
    first = msgspec.structs.replace(known.processes[0], exit_code=137, signal="SIGKILL", end_seconds=7.0)
    return msgspec.structs.replace(
        known,
        metadata=metadata(exit_code=137, signal="SIGKILL", ended=STARTED + 7),
        summary=msgspec.structs.replace(known.summary, wall_seconds=7.0),
        processes=(first,), samples=known.samples[:6],
        events=(Event(at_seconds=7.0, what="signal", text="SIGKILL"),),
    )  # fmt: skip


def running() -> RunReport:
    """One that has not ended."""
    known = sleeping()
    first = msgspec.structs.replace(known.processes[0], exit_code=None, end_seconds=None, known_by="")
    return msgspec.structs.replace(
        known, metadata=metadata(state="running", exit_code=None), processes=(first,),
        summary=msgspec.structs.replace(known.summary, wall_seconds=9.0),
    )  # fmt: skip


def lost() -> RunReport:
    """One whose monitor died with it: nobody knows how it ended."""
    known = running()
    return msgspec.structs.replace(known, metadata=metadata(state="lost", exit_code=None))


def attached() -> RunReport:
    """One that was joined a day after its start."""
    known = sleeping()
    first = msgspec.structs.replace(known.processes[0], start_seconds=-86400.0, end_seconds=None, exit_code=None)
    return msgspec.structs.replace(
        known, metadata=metadata(attached=True, attached_after_seconds=86400.0, exit_code=None), processes=(first,)
    )


def hostile() -> RunReport:
    """Whatever a person or a program can name is an attack on who prints it."""
    known = training()
    rows = tuple(
        msgspec.structs.replace(row, command=HOSTILE, executable=HOSTILE, user=HOSTILE) for row in known.processes
    )
    return msgspec.structs.replace(
        known,
        metadata=metadata(
            ("sh", HOSTILE), directory=HOSTILE, host=HOSTILE, user=HOSTILE, name=HOSTILE, message=HOSTILE, tags=(HOSTILE,),
            git_revision=HOSTILE, owner=Owner(OwnerKind.CONTAINER, HOSTILE, HOSTILE, user=HOSTILE), machine=HOSTILE,
        ),
        processes=rows,
        function_stats={HOSTILE: msgspec.structs.replace(known.function_stats["load"], task=HOSTILE)},
        events=(Event(at_seconds=1.0, what=HOSTILE, text=HOSTILE),),
        monitor=msgspec.structs.replace(known.monitor, errors=(HOSTILE,)),
        summary=msgspec.structs.replace(
            known.summary, survivors=(Survivor(pid=1, command=HOSTILE),),
            cpu=msgspec.structs.replace(known.summary.cpu, source=HOSTILE, sources={HOSTILE: 1.0}),
        ),
    )  # fmt: skip


def unknown() -> RunReport:
    """Nothing could be read."""
    return RunReport(
        metadata=metadata((), directory="", host="", user="", zone="", name="", pid=None, cpus=None, exit_code=None, state=""),
        summary=Summary(
            wall_seconds=None, cpu=CpuUse(total_seconds=None, source=""), memory=MemoryUse(), children=ChildrenUse(), io=IoUse()
        ),
        samples=(Point(at_seconds=1.0), Point(at_seconds=2.0)),
        processes=(ProcessRow(index=0, pid=1, start_seconds=0.0),),
    )  # fmt: skip


def empty() -> RunReport:
    """It was recorded that it began, and no more."""
    return msgspec.structs.replace(unknown(), samples=(), processes=())


ALL = (sleeping, build, training, killed, running, lost, attached, hostile, unknown, empty)


def crowded() -> RunReport:
    """A program that started 50 000 short ones, which share a row."""
    known = sleeping()
    many = ProcessRow(
        index=7, pid=0, start_seconds=1.0, end_seconds=9.0, executable="true", known_by="event", count=50_000, lived_seconds=40.0
    )  # fmt: skip
    return msgspec.structs.replace(known, processes=(*known.processes, many))
