"""Processes that ended, from the driver's accounting: the only trace of those that lived between two looks."""

from __future__ import annotations

import ctypes
from typing import Any

from bongsu.sources.nvml import answers
from bongsu.sources.nvml.calls import Library, Number

_STATS = "nvmlDeviceGetAccountingStats"
_AT_ONCE = 64  # statistics asked for at one look; the rest at the next
_NO_MEMORY = 0xFFFFFFFFFFFFFFFF

Row = tuple[int, float, float, Number, Number]  # pid, start (Unix s), seconds, bytes, share of its life


class _Stats(ctypes.Structure):
    _fields_ = (
        ("gpu", ctypes.c_uint), ("memory", ctypes.c_uint), ("most_memory", ctypes.c_ulonglong),
        ("ms", ctypes.c_ulonglong), ("start_us", ctypes.c_ulonglong), ("running", ctypes.c_uint),
        ("reserved", ctypes.c_uint * 5),
    )  # fmt: skip


class Accounting:
    """The ended processes of one device, each told once; those from before the first look never."""

    def __init__(self, library: Library) -> None:
        self._library = library
        self._room: Any = None
        self._told: set[int] | None = None

    def read(self, device: Any, running: set[int]) -> list[Row]:
        """Those that ended since the last look; none where accounting is off. ``running`` are the device's pids now."""
        pids = self._pids(device)
        if pids is None:
            self._told = None
            return []
        if self._told is None:
            self._told = pids - running
            return []
        self._told &= pids - running  # a number that runs is another process than the one told of
        rows: list[Row] = []
        for pid in sorted(pids - running - self._told)[:_AT_ONCE]:
            stats = _Stats()
            if self._library(_STATS, device, ctypes.c_uint(pid), ctypes.byref(stats)):
                self._told.add(pid)  # the driver dropped it
            elif not stats.running:
                self._told.add(pid)
                rows.append(_row(pid, stats))
        return rows

    def _pids(self, device: Any) -> set[int] | None:
        if self._library.unsigned("nvmlDeviceGetAccountingMode", device) != 1:
            return None
        if self._room is None:
            size = self._library.unsigned("nvmlDeviceGetAccountingBufferSize", device)
            if isinstance(size, tuple) or not 0 < size <= 1 << 20:
                return None
            self._room = (ctypes.c_uint * size)()
        count = ctypes.c_uint(len(self._room))
        if self._library("nvmlDeviceGetAccountingPids", device, ctypes.byref(count), self._room):
            return None
        return set(self._room[: count.value]) - {0}


def _row(pid: int, stats: _Stats) -> Row:
    most = (answers.NO_NUMBER, _STATS) if stats.most_memory == _NO_MEMORY else float(stats.most_memory)
    share = stats.gpu / 100.0 if stats.gpu <= 100 else (answers.NO_NUMBER, _STATS)
    return (pid, stats.start_us / 1e6, stats.ms / 1e3, most, share)
