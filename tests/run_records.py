"""Makes folders of runs as a monitor writes them, for the tests of what reads them."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bongsu.model.run import Metadata
from bongsu.records import run_folder, segment
from bongsu.records.segment import Segment
from bongsu.runs.columns import COLUMNS

STARTED = 1_767_225_600.0  # 2026-01-01 00:00:00 UTC
MIB = 1024**2


def metadata(run: str = "20260101-000000-work-0001", **other: Any) -> Metadata:
    """What is known of a run before it."""
    fields: dict[str, Any] = {
        "id": run, "command": ("work", "--fast"), "directory": "/srv", "host": "node1", "user": "alice",
        "started": STARTED, "zone": "+0000", "interval_seconds": 1.0, "version": "0.1.0", "name": "work", "cpus": 4,
        **other,
    }  # fmt: skip
    return Metadata(**fields)


def record(kind: str, at: float, **values: Any) -> list[Any]:
    """One record with some of its columns known."""
    assert values.keys() <= set(COLUMNS[kind]), values.keys() - set(COLUMNS[kind])
    return [kind, *({"at_seconds": at, **values}.get(name) for name in COLUMNS[kind])]


def columns() -> list[Any]:
    """The first record of a segment."""
    return ["columns", {kind: list(names) for kind, names in COLUMNS.items()}]


def records(samples: int = 5, *, end: bool = True) -> list[list[Any]]:
    """A first process that is busy with one CPU, and a child that lives from 1.5 s to 3.5 s."""
    made = [columns(), record("born", 0.0, process=0, pid=100, start_seconds=0.0, uid=0, executable="sh", command="sh")]
    made.append(record("became", 0.1, process=0, executable="work", command="work --fast"))
    for at in range(1, samples + 1):
        second = 0.5 * max(0, min(at, 3) - 1)
        made.append(
            record(
                "sample", float(at), cpu_seconds=at * 1.0 + second, attributed_cpu_seconds=at * 0.9 + second,
                rss_bytes=at * 10 * MIB, vms_bytes=100 * MIB, pss_bytes=8 * MIB if at % 2 else None, threads=2, read_bytes=at * 1000,
                processes=2 if at in {2, 3} else 1, started=2 if at > 1 else 1, exited=1 if at > 3 else 0,
                children_rss_bytes=5 * MIB if at in {2, 3} else 0, children_cpu_seconds=second, voluntary_switches=at * 7,
            )
        )  # fmt: skip
        made.append(record("use", float(at), process=0, cpu_seconds=at * 0.9, rss_bytes=at * 10 * MIB, threads=1))
        if at == 2:
            made.append(
                record(
                    "born",
                    2.0,
                    process=1,
                    pid=101,
                    start_seconds=1.5,
                    parent=0,
                    uid=0,
                    executable="cc",
                    command="cc a.c",
                )
            )
            made.append(record("use", 2.0, process=1, cpu_seconds=0.5, rss_bytes=5 * MIB))
        if at == 4:
            made.append(record("exited", 3.5, process=1, exit_code=1, signal="", cpu_seconds=1.0, known_by="event"))
        made.append(
            record(
                "monitor", float(at), cpu_seconds=0.01 * at, rss_bytes=9 * MIB, samples=at, missed=0, late_seconds=0.002
            )
        )
    if end:
        over = samples + 0.5
        made.append(
            record(
                "exited", over, process=0, exit_code=3, signal="", cpu_seconds=samples * 0.9 + 0.4, known_by="waited"
            )
        )
        made.append(
            record(
                "end", over, exit_code=3, signal="", cpu_source="perf", sources={"perf": samples + 1.5, "wait4": samples + 1.4},
                user_cpu_seconds=samples + 1.0, system_cpu_seconds=0.4, maxrss_bytes=60 * MIB, survivors=[[105, "daemon", 0.25]],
            )
        )  # fmt: skip
    return made


def segment_bytes(rows: list[list[Any]]) -> bytes:
    """The records as they stand in record.seg."""
    return b"".join(map(segment.line, rows))


def make(
    directory: Path, run: str = "20260101-000000-work-0001", *, samples: int = 5, end: bool = True, **known: Any
) -> Path:
    """A folder of a run in a directory."""
    folder = directory / run
    folder.mkdir(parents=True, mode=0o700)
    run_folder.write_metadata(str(folder), metadata(run, **known))
    (folder / "record.seg").write_bytes(segment_bytes(records(samples, end=end)))
    return folder


def grow_old(folder: Path, seconds: float = 3600.0) -> None:
    """Let nothing have been written there for a while."""
    for path in (*folder.iterdir(), folder):
        past = path.stat().st_mtime - seconds
        os.utime(path, (past, past))


@contextmanager
def written(folder: Path) -> Iterator[Segment]:
    """A monitor holds the record."""
    held = Segment(str(folder / "record.seg"))
    fcntl.flock(held.fileno(), fcntl.LOCK_EX)
    try:
        yield held
    finally:
        held.close()
