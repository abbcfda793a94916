"""The processes of one device: which, how much memory, and how busy each kept the device since the last look."""

from __future__ import annotations

import ctypes
import time
from typing import Any

from bongsu.sources.nvml import answers
from bongsu.sources.nvml.calls import Gap, Library, Number

NO_INSTANCE = 0xFFFFFFFF
UTILIZATION_CALL = "nvmlDeviceGetProcessUtilization"

_LISTS = (
    ("nvmlDeviceGetComputeRunningProcesses", 1),
    ("nvmlDeviceGetGraphicsRunningProcesses", 2),
    ("nvmlDeviceGetMPSComputeRunningProcesses", 4),
)
_ROOM = 128
_MOST_ROOM = 1 << 20
_RECENT = 2.0  # s
_NO_MEMORY = 0xFFFFFFFFFFFFFFFF  # NVML_VALUE_NOT_AVAILABLE

# pid, GPU instance, compute instance (None: the device is whole), kinds as bits, memory in bytes, and the four shares
Row = tuple[int, int | None, int | None, int, Number, Number, Number, Number, Number]
_Shares = tuple[Number, Number, Number, Number]
_IDLE: _Shares = (0.0, 0.0, 0.0, 0.0)


class _Process1(ctypes.Structure):
    _fields_ = (("pid", ctypes.c_uint), ("memory", ctypes.c_ulonglong))


class _Process2(ctypes.Structure):  # of _v2 and _v3
    _fields_ = (
        ("pid", ctypes.c_uint), ("memory", ctypes.c_ulonglong), ("gi", ctypes.c_uint), ("ci", ctypes.c_uint),
    )  # fmt: skip


class _Sample(ctypes.Structure):
    _fields_ = (
        ("pid", ctypes.c_uint), ("stamp", ctypes.c_ulonglong), ("sm", ctypes.c_uint), ("memory", ctypes.c_uint),
        ("encoder", ctypes.c_uint), ("decoder", ctypes.c_uint),
    )  # fmt: skip


class Buffers:
    """Room for lists, shared by all devices since one is asked after another; it grows when a list is longer."""

    def __init__(self) -> None:
        self._arrays: dict[Any, Any] = {}

    def of(self, kind: Any, least: int = _ROOM) -> Any:
        """An array of at least so many."""
        array = self._arrays.get(kind)
        if array is None or len(array) < least:
            array = self._arrays[kind] = (kind * least)()
        return array


class Processes:
    """Those of one device. Remembers until when the driver's samples have been seen, by the driver's own clock."""

    def __init__(self, library: Library, buffers: Buffers) -> None:
        self._library = library
        self._buffers = buffers
        self._last_seen = 0  # µs of a clock that may be Unix time or time since boot: only ever fed back

    def read(self, device: Any, instances: list[tuple[Any, int, int]] | None) -> tuple[list[Row], Gap | None]:
        """All processes, or why they cannot be listed. ``instances`` are handle, GPU and compute instance where it is divided."""
        listed: dict[tuple[int, int, int], tuple[int, int]] = {}
        gap = self._list(device, NO_INSTANCE, NO_INSTANCE, listed)
        if gap is not None and gap[0] == answers.NO_PERMISSION and instances:
            # The list of the whole device needs a privilege; those of its instances may not.
            gap = None
            for handle, gi, ci in instances:
                gap = self._list(handle, gi, ci, listed) or gap
        shares, failed = self._shares(device, listed, divided=instances is not None)
        rows: list[Row] = []
        for (pid, gi, ci), (kinds, used) in listed.items():
            rows.append(
                (
                    pid,
                    None if gi == NO_INSTANCE else gi,
                    None if ci == NO_INSTANCE else ci,
                    kinds,
                    (answers.NO_NUMBER, _LISTS[0][0]) if used == _NO_MEMORY else float(used),
                    *(failed or shares.get(pid, _IDLE)),
                )
            )
        return rows, gap

    def _list(self, handle: Any, gi: int, ci: int, listed: dict[tuple[int, int, int], tuple[int, int]]) -> Gap | None:
        """Add the processes of a handle; a process in more than one list has its largest memory, once."""
        failed: Gap | None = None
        answered = False
        for name, bit in _LISTS:
            call = self._library.first_of(f"{name}_v3", f"{name}_v2", name)
            kind: Any = _Process1 if call == name else _Process2
            code, count, array = self._fill(call, handle, kind)
            if code:
                # No graphics or MPS on this device says nothing against the other lists.
                failed = failed or (code, call)
                continue
            answered = True
            for place in range(count):
                entry = array[place]
                pid = entry.pid
                if not pid:
                    continue
                of_gi, of_ci = (gi, ci) if kind is _Process1 or entry.gi == NO_INSTANCE else (entry.gi, entry.ci)
                key = (pid, of_gi, of_ci)
                used = entry.memory
                kinds, known = listed.get(key, (0, _NO_MEMORY))
                if known != _NO_MEMORY:
                    used = known if used == _NO_MEMORY else max(known, used)
                listed[key] = (kinds | bit, used)
        if answered and failed is not None and failed[0] in {answers.NOT_SUPPORTED, answers.FUNCTION_NOT_FOUND}:
            return None
        return failed

    def _fill(self, call: str, handle: Any, kind: Any) -> tuple[int, int, Any]:
        array = self._buffers.of(kind)
        while True:
            count = ctypes.c_uint(len(array))
            code = self._library(call, handle, ctypes.byref(count), array)
            if code != answers.INSUFFICIENT_SIZE or len(array) >= _MOST_ROOM:
                return code, min(count.value, len(array)), array
            array = self._buffers.of(kind, max(count.value, len(array)) * 2)

    def _shares(
        self, device: Any, listed: dict[tuple[int, int, int], tuple[int, int]], *, divided: bool
    ) -> tuple[dict[int, _Shares], _Shares | None]:
        """The shares of each process that did something, and what holds for all where that cannot be asked."""
        if divided:  # nvml.h: not supported on devices that are divided
            return {}, ((answers.NOT_SUPPORTED, UTILIZATION_CALL),) * 4
        if not listed and self._last_seen:
            return {}, None
        array = self._buffers.of(_Sample)
        first = not self._last_seen
        while True:
            count = ctypes.c_uint(len(array))
            since = ctypes.c_ulonglong(self._last_seen)
            code = self._library(UTILIZATION_CALL, device, array, ctypes.byref(count), since)
            if code != answers.INSUFFICIENT_SIZE or len(array) >= _MOST_ROOM:
                break
            array = self._buffers.of(_Sample, max(count.value, len(array)) * 2)
        if code == answers.NOT_FOUND:  # no process did anything since
            return {}, None
        if code:
            return {}, ((code, UTILIZATION_CALL),) * 4
        newest: dict[int, tuple[int, _Shares]] = {}
        last = self._last_seen
        for place in range(min(count.value, len(array))):
            entry = array[place]
            pid, stamp = entry.pid, entry.stamp
            if not pid:  # the driver pads its list
                continue
            four = (entry.sm, entry.memory, entry.encoder, entry.decoder)
            if max(four) > 100:  # nonsense, its time perhaps too
                newest.setdefault(pid, (0, ((answers.NO_NUMBER, UTILIZATION_CALL),) * 4))
                continue
            last = max(last, stamp)
            known = newest.get(pid)
            if known is None or known[0] <= stamp:
                newest[pid] = (stamp, (four[0] / 100.0, four[1] / 100.0, four[2] / 100.0, four[3] / 100.0))
        self._last_seen = last
        if not first:
            return {pid: shares for pid, (_, shares) in newest.items()}, None
        return self._of_first_look(newest, last)

    @staticmethod
    def _of_first_look(newest: dict[int, tuple[int, _Shares]], last: int) -> tuple[dict[int, _Shares], _Shares | None]:
        """The first answer goes back as far as the driver remembers: only samples of just now are of use."""
        clocks = (time.time(), time.monotonic(), time.clock_gettime(time.CLOCK_BOOTTIME))
        now = next((clock for clock in clocks if abs(clock - last / 1e6) < _RECENT), None)
        if now is None and last:  # long ago, or by a clock that we do not know
            return {}, ((answers.ONE_LOOK, UTILIZATION_CALL),) * 4
        horizon = last - int(_RECENT * 1e6)
        return {pid: shares for pid, (stamp, shares) in newest.items() if stamp >= horizon or not stamp}, None
