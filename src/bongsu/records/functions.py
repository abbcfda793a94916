"""Reads what the processes of a run wrote of their functions (`bongsu.emit`), and merges it into one row a function and task."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from bongsu.model.run import FunctionStat
from bongsu.records import segment

SCHEMA = 1
_NUMBERS = ("count", "running", "errors")
_EVER = 1e12  # s; more is no time
OTHER_SPANS, OTHER_TASKS = "other spans", "other tasks"  # what `bongsu.emit` calls those of too many names


class StillRunning(NamedTuple):
    """A call that had not ended when its process did without a word, or when the segment was read."""

    name: str
    task: str
    pid: int
    calls: int
    seconds: float | None  # so far, when it was last written


class Functions(NamedTuple):
    """The functions of a run."""

    stats: dict[str, FunctionStat]  # by name; a function under a task as "name [task]"
    running: list[StillRunning]
    missing: list[str]  # what `--functions` asked for and no process had
    processes: int
    damaged: int  # lines that are torn or were changed
    newer: int  # segments of a schema that is not known here
    faults: int  # errors of the recording itself, in the programs
    write_seconds: float  # that the programs spent in writing


class _Life:
    """One program in one process: from a "process" record to the next, or the end."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.rows: dict[tuple[str, str], dict[str, Any]] = {}
        self.found: set[str] = set()
        self.missing: set[str] = set()
        self.end: dict[str, Any] = {}
        self.ended = False


def read(folder: str) -> Functions:
    """All functions of a run, whatever happened to its segments.

    Raises:
        OSError: the folder cannot be read.
    """
    lives: list[_Life] = []
    damaged = newer = 0
    for name in sorted(os.listdir(folder)):
        if not (name.startswith("functions-") and name.endswith(".seg")):
            continue
        try:
            held = segment.read(os.path.join(folder, name))
        except OSError:
            damaged += 1
            continue
        damaged += held.damaged
        for life in _lives(held.records):
            if life is None:
                newer += 1
            else:
                lives.append(life)
    found = set().union(*(life.found for life in lives))
    missing = set().union(*(life.missing for life in lives)) - found
    return Functions(
        dict(sorted(_merged(lives).items(), key=lambda one: -one[1].total_time)), list(_running(lives)), sorted(missing),
        len({life.pid for life in lives}), damaged, newer,
        sum(_count(life.end.get("faults")) for life in lives),
        sum(_seconds(life.end.get("write_seconds")) or 0.0 for life in lives),
    )  # fmt: skip


def _lives(records: Iterable[Any]) -> Iterator[_Life | None]:
    """The programs that wrote into a segment, in turn; None for one of a newer schema."""
    life: _Life | None = None
    known = True
    for record in records:
        match record:
            case ["process", dict(process)]:
                if life is not None:
                    yield life
                known = _count(process.get("schema")) <= SCHEMA
                life = _Life(_count(process.get("pid"))) if known else None
                if not known:
                    yield None
            case [str(kind), *rest] if known:
                life = life or _Life(0)  # its first line was lost
                _take(life, kind, rest)
            case _:
                pass
    if life is not None:
        yield life


def _take(life: _Life, kind: str, rest: list[Any]) -> None:
    match kind, rest:
        case "function", [str(name), dict(numbers)]:
            task = numbers.get("task")
            life.rows[name, task if isinstance(task, str) else ""] = numbers
        case "found", [str(name)]:
            life.found.add(name)
        case "missing", [str(name)]:
            life.missing.add(name)
        case "end", [dict(end)]:
            life.ended, life.end = True, end
        case _:
            pass  # of a newer writer


def _merged(lives: Iterable[_Life]) -> dict[str, FunctionStat]:
    together: dict[tuple[str, str], list[tuple[int, dict[str, Any]]]] = {}
    for life in lives:
        for key, numbers in life.rows.items():
            together.setdefault(key, []).append((life.pid, numbers))
    return {f"{name} [{task}]" if task else name: _stat(task, rows) for (name, task), rows in together.items()}


def _stat(task: str, rows: list[tuple[int, dict[str, Any]]]) -> FunctionStat:
    numbers = [one for _, one in rows]
    count, running, errors = (sum(_count(one.get(key)) for one in numbers) for key in _NUMBERS)
    total = _sum(numbers, "wall_seconds") or 0.0
    timed = [
        seconds
        for one in numbers
        if _count(one.get("count")) and (seconds := _seconds(one.get("wall_min_seconds"))) is not None
    ]
    longest = [_seconds(one.get("wall_max_seconds")) or 0.0 for one in numbers if _count(one.get("count"))]
    kind = numbers[-1].get("kind")
    return FunctionStat(
        count=count, total_time=total, cpu_time=_sum(numbers, "cpu_seconds"),
        avg_time=total / count if count else None, max_time=max(longest, default=None), min_time=min(timed, default=None),
        self_time=_sum(numbers, "self_wall_seconds"), self_cpu_time=_sum(numbers, "self_cpu_seconds"),
        cpu_error=_sum(numbers, "cpu_error_seconds") or 0.0, errors=errors, running=running,
        processes=len({pid for pid, _ in rows}), kind=kind if isinstance(kind, str) else "function", task=task,
    )  # fmt: skip


def _running(lives: Iterable[_Life]) -> Iterator[StillRunning]:
    for life in lives:
        if life.ended:
            continue
        for (name, task), numbers in life.rows.items():
            calls = _count(numbers.get("running"))
            if calls:
                yield StillRunning(name, task, life.pid, calls, _seconds(numbers.get("running_wall_seconds")))


def _sum(rows: Iterable[dict[str, Any]], key: str) -> float | None:
    """Of all; unknown when it is unknown of one that was called."""
    values = [_seconds(one.get(key)) for one in rows]
    return None if None in values else sum(value for value in values if value is not None)


def _count(value: object) -> int:
    return value if isinstance(value, int) and value >= 0 else 0


def _seconds(value: object) -> float | None:
    return (
        float(value) if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < _EVER else None
    )
