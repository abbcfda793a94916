"""Processes on GPUs as trees: below each GPU those on it, each below the one that started it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby

import msgspec

from bongsu.model.gpu import GpuProcessRow
from bongsu.model.owner import Owner, OwnerKind
from bongsu.model.process import ProcessRow
from bongsu.views.gpu_entries import OnGpu, age, place
from bongsu.views.processes import BRANCHES

_FROM = {False: " ← ", True: " <- "}
_NOBODY = Owner(OwnerKind.UNKNOWN, "")


def tree(entries: Sequence[OnGpu], seen: Iterable[ProcessRow], now: float, *, ascii_only: bool) -> list[OnGpu]:
    """By GPU, siblings in the order of ``entries``; ``now`` is Unix s.

    What started a process stands above it also where it is not on the GPU, up to the first that belongs to somebody
    else: a launcher, a job's script, a shell. Of those that only pass it on, all stand on one line, the last one first.
    """
    by_pid = {row.pid: row for row in seen}
    found: list[OnGpu] = []
    for _, on_one in groupby(sorted(entries, key=_where), key=_where):
        found += _OneGpu(list(on_one), by_pid, now).lines(ascii_only=ascii_only)
    return found


def _where(one: OnGpu) -> tuple[tuple[int, ...], str, str]:
    return place(one.row.gpu), one.row.gpu, one.row.uuid


class _OneGpu:
    """Those on one device or instance, and what started them."""

    def __init__(self, entries: Sequence[OnGpu], by_pid: Mapping[int, ProcessRow], now: float) -> None:
        self._by_pid = by_pid
        self._known = {one.process.pid: one for one in entries if one.process is not None}
        self._here = frozenset(self._known)
        self._below: dict[int, list[OnGpu]] = {}
        self._roots: list[OnGpu] = []
        for one in entries:
            self._put(one, now)

    def _put(self, one: OnGpu, now: float) -> None:
        """Below what started it, and that below what started it, until one that has its place."""
        while (parent := self._parent(one.process)) is not None:
            above = self._known.get(parent.pid)
            self._below.setdefault(parent.pid, []).append(one)
            if above is not None:
                return
            one = self._known[parent.pid] = _context(parent, one.row, now)
        self._roots.append(one)

    def _parent(self, process: ProcessRow | None) -> ProcessRow | None:
        parent = None if process is None else self._by_pid.get(process.ppid)
        if process is None or parent is None or parent.pid == 1 or parent.kernel:
            return None
        if (parent.start_ticks, parent.pid) >= (process.start_ticks, process.pid):
            return None  # a later one of the same number; so that nothing ever stands below itself
        if parent.pid in self._here or parent.owner is None or process.owner is None:
            return parent
        return parent if parent.owner.key == process.owner.key else None

    def lines(self, *, ascii_only: bool) -> Iterator[OnGpu]:
        marks = BRANCHES[ascii_only]
        stack = [(root, "", "") for root in reversed(self._roots)]
        while stack:
            one, indent, mark = stack.pop()
            names, below = [one.row.command], self._below.get(one.row.pid, [])
            while one.context and len(below) == 1 and below[0].context:
                one = below[0]
                names.insert(0, one.row.command)
                below = self._below.get(one.row.pid, [])
            if not one.context and one.process is None:
                below = []  # one that is not seen started none of them: it only has a number like theirs
            row = msgspec.structs.replace(one.row, command=_FROM[ascii_only].join(names))
            yield one._replace(branch=indent + mark, row=row)
            deeper = indent + (marks[2] if mark == marks[0] else marks[3] if mark else "")
            stack.extend((child, deeper, marks[0] if at else marks[1]) for at, child in enumerate(reversed(below)))


def _context(parent: ProcessRow, row: GpuProcessRow, now: float) -> OnGpu:
    on = GpuProcessRow(
        pid=parent.pid, start_ticks=parent.start_ticks, start_time=parent.start_time, user=parent.user,
        owner=parent.owner or _NOBODY, command=parent.executable, gpu=row.gpu, uuid=row.uuid,
    )  # fmt: skip
    return OnGpu(on, parent, age(now, parent.start_time), context=True)
