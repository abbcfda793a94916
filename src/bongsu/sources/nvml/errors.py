"""NVML's errors: name and number of nvmlReturn_t in nvml.h, and which kind of "no number" each is."""

from __future__ import annotations

from bongsu.model.batch import Why

_WHY: tuple[tuple[int, str, Why], ...] = (
    (1, "UNINITIALIZED", Why.LOST),
    (2, "INVALID_ARGUMENT", Why.UNSUPPORTED),  # older drivers say so of what they do not know
    (3, "NOT_SUPPORTED", Why.UNSUPPORTED),
    (4, "NO_PERMISSION", Why.FORBIDDEN),
    (5, "ALREADY_INITIALIZED", Why.FAILED),
    (6, "NOT_FOUND", Why.MISSING),
    (7, "INSUFFICIENT_SIZE", Why.FAILED),
    (8, "INSUFFICIENT_POWER", Why.FAILED),
    (9, "DRIVER_NOT_LOADED", Why.MISSING),
    (10, "TIMEOUT", Why.FAILED),
    (11, "IRQ_ISSUE", Why.FAILED),
    (12, "LIBRARY_NOT_FOUND", Why.MISSING),
    (13, "FUNCTION_NOT_FOUND", Why.UNSUPPORTED),
    (14, "CORRUPTED_INFOROM", Why.FAILED),
    (15, "GPU_IS_LOST", Why.LOST),
    (16, "RESET_REQUIRED", Why.LOST),
    (17, "OPERATING_SYSTEM", Why.FAILED),
    (18, "LIB_RM_VERSION_MISMATCH", Why.FAILED),
    (19, "IN_USE", Why.FAILED),
    (20, "MEMORY", Why.FAILED),
    (21, "NO_DATA", Why.UNSUPPORTED),
    (22, "VGPU_ECC_NOT_SUPPORTED", Why.UNSUPPORTED),
    (23, "INSUFFICIENT_RESOURCES", Why.FAILED),
    (24, "FREQ_NOT_SUPPORTED", Why.UNSUPPORTED),
    (25, "ARGUMENT_VERSION_MISMATCH", Why.UNSUPPORTED),
    (26, "DEPRECATED", Why.UNSUPPORTED),
    (27, "NOT_READY", Why.FAILED),
    (28, "GPU_NOT_FOUND", Why.LOST),
    (29, "INVALID_STATE", Why.FAILED),
    (30, "RESET_TYPE_NOT_SUPPORTED", Why.UNSUPPORTED),
    (999, "UNKNOWN", Why.FAILED),
)
ERRORS: dict[str, int] = {f"NVML_ERROR_{name}": number for number, name, _ in _WHY}
WHY: dict[str, Why] = {f"NVML_ERROR_{name}": why for _, name, why in _WHY}
