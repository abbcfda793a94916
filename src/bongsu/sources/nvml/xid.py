"""Counts the errors (XIDs) that the driver tells of, as they come: a thread that waits, with an event set of its own."""

from __future__ import annotations

import ctypes
import threading
import time
from collections import deque
from typing import Any

from bongsu.sources.nvml import answers
from bongsu.sources.nvml.calls import Library

_XID = 0x8  # nvmlEventTypeXidCriticalError
_WAIT_MS = 10_000  # it ends at once when an event comes
_PAUSE = 5.0  # s after a wait that failed


class Xids:
    """The errors of each device since the library was initialised."""

    def __init__(self, library: Library) -> None:
        self._library = library
        self._set: Any = None
        self._registered: set[int] = set()
        self._came: deque[tuple[int, int, float]] = deque()  # address of the device, number, Unix s; the waiter appends
        self._waits = False
        self._counts: dict[tuple[str, int], tuple[int, float]] = {}
        binding = library.binding
        events = binding.c_nvmlEventSet_t()
        if library("nvmlEventSetCreate", ctypes.byref(events)) == answers.SUCCESS:
            self._set = events

    def register(self, device: Any, address: int) -> None:
        """Listen to a device; where it has no such events, or they are not for us, nothing is heard of it."""
        if self._set is None or address in self._registered:
            return
        self._registered.add(address)
        if self._library("nvmlDeviceRegisterEvents", device, ctypes.c_ulonglong(_XID), self._set):
            return
        if not self._waits:
            self._waits = True
            threading.Thread(target=self._wait, name="xid", daemon=True).start()

    def read(self, uuids: dict[int, str]) -> list[tuple[str, int, int, float]]:
        """UUID, number, how often, and when last (Unix s), of all that came; ``uuids`` by the devices' addresses."""
        while self._came:
            address, number, when = self._came.popleft()
            key = (uuids.get(address, ""), number)
            count, _ = self._counts.get(key, (0, 0.0))
            self._counts[key] = (count + 1, when)
        return [(uuid, number, count, last) for (uuid, number), (count, last) in self._counts.items()]

    def _wait(self) -> None:
        library = self._library
        function = library.find("nvmlEventSetWait_v2") or library.find("nvmlEventSetWait")
        if function is None:
            return
        data = library.binding.c_nvmlEventData_t()
        while True:
            code = function(self._set, ctypes.byref(data), ctypes.c_uint(_WAIT_MS))
            if code == answers.SUCCESS:
                if data.eventType & _XID:
                    address = ctypes.cast(data.device, ctypes.c_void_p).value or 0
                    self._came.append((address, data.eventData, time.time()))
            elif code != answers.TIMEOUT:
                time.sleep(_PAUSE)
