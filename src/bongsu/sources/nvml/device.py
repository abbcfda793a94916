"""The figures of one device, in the order of `values.DEVICE_VALUES`: a number each, or the call that failed and how."""

from __future__ import annotations

import ctypes
import time
from collections.abc import Iterator
from typing import Any

from bongsu.sources.nvml import answers
from bongsu.sources.nvml.calls import Gap, Library, Number
from bongsu.sources.nvml.values import (
    CODECS,
    DEVICE_VALUES,
    FIELD_VALUES,
    FIELDS,
    GPM,
    MEMORY,
    MEMORY_CALL,
    NVLINK_RECEIVED_5,
    NVLINK_SENT_5,
    REASONS,
    REASONS_CALL,
    SINGLES,
    UTILIZATION,
    UTILIZATION_CALL,
    Single,
)  # fmt: skip

_STEADY_SECONDS = 60.0
_MEMORY_V2 = 0x02000028
_NOT_AVAILABLE = {0xFFFFFFFF, 0xFFFFFFFFFFFFFFFF}  # NVML_VALUE_NOT_AVAILABLE
_LINKS = 18  # of NVLink 5
_READINGS = len(DEVICE_VALUES) - len(GPM)
_NVLINK_PLACES = {
    NVLINK_SENT_5: next(i for i, each in enumerate(FIELD_VALUES) if each.field == 138),
    NVLINK_RECEIVED_5: next(i for i, each in enumerate(FIELD_VALUES) if each.field == 139),
}


class _Rates(ctypes.Structure):
    _fields_ = (("gpu", ctypes.c_uint), ("memory", ctypes.c_uint))


class _Memory(ctypes.Structure):
    _fields_ = (("total", ctypes.c_ulonglong), ("free", ctypes.c_ulonglong), ("used", ctypes.c_ulonglong))


class _Memory2(ctypes.Structure):
    _fields_ = (
        ("version", ctypes.c_uint), ("total", ctypes.c_ulonglong), ("reserved", ctypes.c_ulonglong),
        ("free", ctypes.c_ulonglong), ("used", ctypes.c_ulonglong),
    )  # fmt: skip


class _FieldValue(ctypes.Structure):
    _fields_ = (
        ("field", ctypes.c_uint), ("scope", ctypes.c_uint), ("timestamp", ctypes.c_int64), ("latency", ctypes.c_int64),
        ("type", ctypes.c_uint), ("result", ctypes.c_uint), ("value", ctypes.c_uint64),
    )  # fmt: skip


class _Temperature(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint), ("sensor", ctypes.c_uint), ("celsius", ctypes.c_int))


_TYPES: tuple[Any, ...] = (  # nvmlValueType_t
    ctypes.c_double, ctypes.c_uint, ctypes.c_ulong, ctypes.c_ulonglong, ctypes.c_longlong, ctypes.c_int,
    ctypes.c_ushort,
)  # fmt: skip


class Lost(Exception):  # noqa: N818  an answer, not a fault
    """The device has gone: it need not be asked anything more."""


class Device:
    """One device as long as the library is initialised: its buffers, and what must be remembered between looks."""

    def __init__(self, library: Library, handle: Any, address: int) -> None:
        self._library = library
        self.handle = handle
        self.address = address
        self.mig: bool | None = None
        self.failed: Gap | None = None  # as of the last look: lost, or in need of a reset
        self._steady: dict[int, Number] = {}  # by the place in SINGLES
        self._steady_until = 0.0  # monotonic s
        self._counted: dict[int, tuple[int, float]] = {}  # counters that wrap: the last number, the sum so far
        # One entry more than is asked for: drivers have been seen to write to the one past the last in NVLink queries.
        self._fields: Any = (_FieldValue * (len(FIELD_VALUES) + 1))()
        for place, each in enumerate(FIELD_VALUES):
            self._fields[place].field, self._fields[place].scope = each.field, each.scope
        self._links: Any = None

    def read(self) -> list[Number]:
        """All figures but those of GPM. After the device is found lost, the rest is that answer, and nothing more is asked."""
        numbers: list[Number] = []
        self.failed = None
        try:
            numbers += self._memory()
            numbers += self._utilization()
            numbers += self._codecs()
            for number in self._singles():  # one by one: what was told before the device was lost stands
                numbers.append(number)
            numbers += self._field_values()
            numbers += self._reasons()
        except Lost as lost:
            self.failed = (answers.GPU_IS_LOST, str(lost))
            numbers += [self.failed] * (_READINGS - len(numbers))
        return numbers

    def _gap(self, code: int, call: str) -> Number:
        if code == answers.GPU_IS_LOST:
            raise Lost(call)
        if code == answers.RESET_REQUIRED:
            self.failed = (code, call)
        return (code, call)

    def _memory(self) -> list[Number]:
        return [
            each if not isinstance(each, tuple) else self._gap(*each) for each in memory(self._library, self.handle)
        ]

    def _utilization(self) -> list[Number]:
        if self.mig:  # nvml.h: not supported on devices that are divided
            return [(answers.NOT_SUPPORTED, UTILIZATION_CALL)] * len(UTILIZATION)
        rates = _Rates()
        code = self._library(UTILIZATION_CALL, self.handle, ctypes.byref(rates))
        if code:
            return [self._gap(code, UTILIZATION_CALL)] * len(UTILIZATION)
        return [_share(rates.gpu, UTILIZATION_CALL), _share(rates.memory, UTILIZATION_CALL)]

    def _codecs(self) -> list[Number]:
        numbers: list[Number] = []
        for _, call in CODECS:
            busy, period = ctypes.c_uint(), ctypes.c_uint()
            code = self._library(call, self.handle, ctypes.byref(busy), ctypes.byref(period))
            numbers.append(self._gap(code, call) if code else _share(busy.value, call))
        return numbers

    def _singles(self) -> Iterator[Number]:
        now = time.monotonic()
        if now >= self._steady_until:
            self._steady.clear()
            self._steady_until = now + _STEADY_SECONDS
        steady = self._steady
        for place, single in enumerate(SINGLES):
            number = steady.get(place)
            if number is None:
                number = self._single(single)
                if single.steady:
                    steady[place] = number
            yield number

    def _single(self, single: Single) -> Number:
        out = ctypes.c_ulonglong() if single.wide else ctypes.c_uint()
        call = single.call
        if single.argument is None:
            code = self._library(call, self.handle, ctypes.byref(out))
        else:
            code = self._library(call, self.handle, ctypes.c_uint(single.argument), ctypes.byref(out))
        if code in {answers.FUNCTION_NOT_FOUND, answers.DEPRECATED} and call == "nvmlDeviceGetTemperature":
            return self._new_temperature(single)
        if code:
            return self._gap(code, call)
        value = out.value
        if value in _NOT_AVAILABLE or value == single.none:
            return (answers.NO_NUMBER, call)
        return value * single.factor

    def _new_temperature(self, single: Single) -> Number:
        call = "nvmlDeviceGetTemperatureV"  # the older name goes with CUDA 14
        asked = _Temperature((1 << 24) | ctypes.sizeof(_Temperature), single.argument or 0, 0)
        code = self._library(call, self.handle, ctypes.byref(asked))
        return self._gap(code, call) if code else float(asked.celsius)

    def _field_values(self) -> list[Number]:
        count = len(FIELD_VALUES)
        code = self._library(FIELDS, self.handle, ctypes.c_int(count), ctypes.byref(self._fields))
        if code:
            return [self._gap(code, FIELDS)] * count
        numbers: list[Number] = []
        for place, asked in enumerate(FIELD_VALUES):
            entry = self._fields[place]
            failed = entry.result
            if failed:
                numbers.append(self._gap(failed, FIELDS))
                continue
            value = _field_value(entry)
            if value is None:
                numbers.append((answers.NO_NUMBER, FIELDS))
            elif asked.wraps:
                numbers.append(self._count_on(asked.field, int(value), entry.type) * asked.factor)
            else:
                numbers.append(value * asked.factor)
        self._newer_links(numbers)
        return numbers

    def _count_on(self, field: int, value: int, kind: int) -> float:
        """A counter that begins again at the end of its type, as one that goes on; after another fall, what came since."""
        before, total = self._counted.get(field, (value, float(value)))
        grown = value - before
        if grown < 0:
            grown = grown + (1 << 32) if _TYPES[kind] is ctypes.c_uint else value
        self._counted[field] = (value, total + grown)
        return total + grown

    def _newer_links(self, numbers: list[Number]) -> None:
        """NVLink 5 counts by link, in bytes: the sum over the links that answer, where the older counters do not."""
        place = _NVLINK_PLACES[NVLINK_SENT_5]
        count = numbers[place - 1]
        if not isinstance(numbers[place], tuple) or isinstance(count, tuple) or not 0 < count <= _LINKS:
            return
        if self._links is None:
            self._links = (_FieldValue * (2 * _LINKS + 1))()
        links = int(count)
        for half, field in enumerate((NVLINK_SENT_5, NVLINK_RECEIVED_5)):
            for link in range(links):
                entry = self._links[half * links + link]
                entry.field, entry.scope = field, link
        if self._library(FIELDS, self.handle, ctypes.c_int(2 * links), ctypes.byref(self._links)):
            return
        for half, field in enumerate((NVLINK_SENT_5, NVLINK_RECEIVED_5)):
            entries = [self._links[half * links + link] for link in range(links)]
            found = [_field_value(entry) for entry in entries if not entry.result]
            known = [value for value in found if value is not None]
            if known:
                numbers[_NVLINK_PLACES[field]] = float(sum(known))

    def _reasons(self) -> list[Number]:
        call = self._library.first_of(REASONS_CALL, "nvmlDeviceGetCurrentClocksThrottleReasons")
        bits = ctypes.c_ulonglong()
        code = self._library(call, self.handle, ctypes.byref(bits))
        if code:
            return [self._gap(code, call)] * len(REASONS)
        return [1.0 if bits.value & bit else 0.0 for _, bit in REASONS]


def memory(library: Library, handle: Any) -> list[Number]:
    """Total, reserved, free, used (bytes) of a device or an instance, as `values.MEMORY`."""
    both = _Memory2()
    both.version = _MEMORY_V2
    code = library(MEMORY_CALL, handle, ctypes.byref(both))
    if not code:
        return [_bytes(number, MEMORY_CALL) for number in (both.total, both.reserved, both.free, both.used)]
    if code != answers.FUNCTION_NOT_FOUND:
        return [(code, MEMORY_CALL)] * len(MEMORY)
    old = _Memory()
    call = "nvmlDeviceGetMemoryInfo"
    code = library(call, handle, ctypes.byref(old))
    if code:
        return [(code, call)] * len(MEMORY)
    total, free, used = (_bytes(number, call) for number in (old.total, old.free, old.used))
    return [total, (answers.FUNCTION_NOT_FOUND, MEMORY_CALL), free, used]


def _bytes(number: int, call: str) -> Number:
    return (answers.NO_NUMBER, call) if number in _NOT_AVAILABLE else float(number)


def _share(percent: int, call: str) -> Number:
    return percent / 100.0 if 0 <= percent <= 100 else (answers.NO_NUMBER, call)


def _field_value(entry: Any) -> float | None:
    kind = entry.type
    if kind >= len(_TYPES):
        return None
    raw = entry.value
    if kind == 3 or kind == 2:  # noqa: PLR1714  the usual ones, without a set made for each
        return None if raw == 0xFFFFFFFFFFFFFFFF else raw
    value = _TYPES[kind].from_buffer_copy(raw.to_bytes(8, "little")).value
    return None if value != value or (kind == 1 and value == 0xFFFFFFFF) else value  # noqa: PLR0124  a NaN
