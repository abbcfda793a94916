"""Which processes of a run get a row of their own in a picture of bounded height, and which share one by their program."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from bongsu.model.run import ProcessRow

_LONG = 0.05  # of the run: who lives as long is looked for by name


class Lane(NamedTuple):
    """One row: a process, or many of one program."""

    label: str
    processes: tuple[ProcessRow, ...]

    @property
    def start(self) -> float:
        """When the first of them began."""
        return min(row.start_seconds for row in self.processes)


def lanes(rows: Sequence[ProcessRow], most: int, seconds: float) -> list[Lane]:
    """At most so many rows for all processes, in the order in which the first of each began.

    Args:
        rows: the processes.
        most: rows, at least two.
        seconds: how long the record is.
    """
    if len(rows) <= most:
        return sorted((_alone(row) for row in rows), key=_begin)
    alone = [row for row in rows if lived(row, seconds) >= _LONG * seconds]
    alone.sort(key=lambda row: (-(row.cpu_seconds or 0.0), row.index))
    alone = alone[: most // 2]
    named = {row.index for row in alone}
    groups = sorted(
        by_program(row for row in rows if row.index not in named).items(), key=lambda item: _weight(item[1])
    )
    room = most - len(alone)
    shown, rest = (groups, []) if len(groups) <= room else (groups[: room - 1], groups[room - 1 :])
    made = [_alone(row) for row in alone]
    made += [Lane(name, tuple(group)) if len(group) > 1 else _alone(group[0]) for name, group in shown]
    made.sort(key=_begin)
    if rest:
        made.append(Lane(f"{len(rest)} other programs", tuple(row for _, group in rest for row in group)))
    return made


def program(executable: str) -> str:
    """What people call an executable: the last part of its path."""
    return executable.rpartition("/")[2] or executable or "?"


def called(row: ProcessRow) -> str:
    """A process's command without the folder of its program, which says little and is long."""
    if not row.command:
        return program(row.executable) if row.executable else f"process {row.pid}"
    first, space, rest = row.command.partition(" ")
    return program(first) + space + rest if first.startswith("/") else row.command


def by_program(rows: Iterable[ProcessRow]) -> dict[str, list[ProcessRow]]:
    """The processes of each program, in the order in which the first of each began.

    By its name, not its path: of a process that is about to be gone the kernel still tells the one, but not the other.
    """
    found: dict[str, list[ProcessRow]] = {}
    for row in sorted(rows, key=lambda one: one.start_seconds):
        found.setdefault(program(row.executable), []).append(row)
    return found


def how_many(rows: Iterable[ProcessRow]) -> int:
    """The processes of some rows: short ones of a program may share one."""
    return sum(row.count for row in rows)


def lived(row: ProcessRow, seconds: float) -> float:
    """How much of the record a process lived."""
    return max(0.0, (seconds if row.end_seconds is None else row.end_seconds) - max(0.0, row.start_seconds))


def at_once(rows: Iterable[ProcessRow], seconds: float, cells: int) -> list[float]:
    """How many of them lived, on average over each of so many equal parts of the time."""
    wide = seconds / cells if seconds > 0 else 1.0
    found = [0.0] * cells
    for row in rows:
        begin = min(max(0.0, row.start_seconds), seconds)
        end = min(max(begin, seconds if row.end_seconds is None else row.end_seconds), seconds)
        many = row.lived_seconds / (end - begin) if row.lived_seconds is not None and end > begin else 1.0
        first, last = min(cells - 1, int(begin / wide)), min(cells - 1, int(end / wide))
        if first == last:
            found[first] += many * (end - begin) / wide or 1e-9  # it was there, be it ever so short
            continue
        found[first] += many * (first + 1 - begin / wide)
        found[last] += many * (end / wide - last)
        for cell in range(first + 1, last):
            found[cell] += many
    return found


def _alone(row: ProcessRow) -> Lane:
    return Lane(called(row), (row,))


def _begin(lane: Lane) -> tuple[float, int]:
    return lane.start, lane.processes[0].index


def _weight(group: Sequence[ProcessRow]) -> tuple[float, int]:
    return -sum(row.cpu_seconds or 0.0 for row in group), -len(group)
