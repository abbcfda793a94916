"""The instances of a device that is divided (MIG), found anew at each look: handles and numbers are given out again."""

from __future__ import annotations

import ctypes
from typing import Any, NamedTuple

from bongsu.sources.nvml import answers
from bongsu.sources.nvml.calls import Gap, Library, Number
from bongsu.sources.nvml.device import memory


class Found(NamedTuple):
    """One compute instance. ``total`` and ``used`` are bytes of its GPU instance."""

    handle: Any
    uuid: str
    gi: int
    ci: int
    profile: str
    slices: int | None
    total: Number
    used: Number


class _Attributes(ctypes.Structure):
    _fields_ = (
        ("multiprocessors", ctypes.c_uint), ("copy_engines", ctypes.c_uint), ("decoders", ctypes.c_uint),
        ("encoders", ctypes.c_uint), ("jpeg", ctypes.c_uint), ("ofa", ctypes.c_uint), ("gi_slices", ctypes.c_uint),
        ("ci_slices", ctypes.c_uint), ("memory_mb", ctypes.c_ulonglong),
    )  # fmt: skip


def mode(library: Library, device: Any) -> bool | None:
    """Whether a device is divided now; None where it cannot be, or that cannot be told."""
    current, pending = ctypes.c_uint(), ctypes.c_uint()
    code = library("nvmlDeviceGetMigMode", device, ctypes.byref(current), ctypes.byref(pending))
    return None if code else bool(current.value)


def instances(library: Library, device: Any) -> tuple[list[Found], Gap | None]:
    """All that are there (slots without one lie between them), and the call that failed if one did."""
    most = library.unsigned("nvmlDeviceGetMaxMigDeviceCount", device)
    if isinstance(most, tuple):
        return [], most
    found: list[Found] = []
    memories: dict[int, list[Number]] = {}
    gap: Gap | None = None
    call = "nvmlDeviceGetMigDeviceHandleByIndex"
    for slot in range(most):
        handle = library.binding.c_nvmlDevice_t()
        code = library(call, device, ctypes.c_uint(slot), ctypes.byref(handle))
        if code == answers.NOT_FOUND:
            continue
        if code:
            gap = (code, call)
            continue
        one = _one(library, handle, memories)
        if isinstance(one, Found):
            found.append(one)
        else:
            gap = one
    return found, gap


def _one(library: Library, handle: Any, memories: dict[int, list[Number]]) -> Found | Gap:
    uuid = library.text("nvmlDeviceGetUUID", handle)
    gi = library.unsigned("nvmlDeviceGetGpuInstanceId", handle)
    ci = library.unsigned("nvmlDeviceGetComputeInstanceId", handle)
    for each in (uuid, gi, ci):
        if isinstance(each, tuple):  # it went while we asked
            return each
    assert isinstance(uuid, str)
    assert isinstance(gi, int)
    assert isinstance(ci, int)
    name = library.text("nvmlDeviceGetName", handle)
    profile = "" if isinstance(name, tuple) or " MIG " not in name else name.rpartition(" MIG ")[2]
    attributes = _Attributes()
    failed = library("nvmlDeviceGetAttributes_v2", handle, ctypes.byref(attributes))
    if gi not in memories:  # compute instances share the memory of their GPU instance
        memories[gi] = memory(library, handle)
    total, _, _, used = memories[gi]
    return Found(handle, uuid, gi, ci, profile, None if failed else attributes.ci_slices, total, used)
