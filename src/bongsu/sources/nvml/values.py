"""The figures of a device and of an instance: the metric's name, its further labels, and the call of nvml.h that gives it.

Child and parent share this list, so what travels between them is the numbers alone, in this order.
Imports nothing of Bongsu: the child reads it too.
"""

from __future__ import annotations

from typing import NamedTuple

ALL_LINKS = 0xFFFFFFFF  # scopeId that asks for the sum over all NVLinks
FIELDS = "nvmlDeviceGetFieldValues"

Name = tuple[str, tuple[str, ...]]  # a metric and its further labels


class Single(NamedTuple):
    """One number from one call ``call(device, [argument,] unsigned *value)``, times ``factor``.

    ``steady`` ones (limits, modes) change when somebody sets them, so they are asked once a minute.
    """

    name: str
    labels: tuple[str, ...]
    call: str
    argument: int | None = None
    factor: float = 1.0
    wide: bool = False  # unsigned long long
    steady: bool = False
    none: int | None = None  # the answer that means that there is none


class Field(NamedTuple):
    """One entry of `FIELDS`, times ``factor``; a counter that ``wraps`` is counted on by the child."""

    name: str
    labels: tuple[str, ...]
    field: int
    scope: int = 0
    factor: float = 1.0
    wraps: bool = False


MEMORY_CALL = "nvmlDeviceGetMemoryInfo_v2"  # without it, nvmlDeviceGetMemoryInfo, which counts what is reserved as used
MEMORY: tuple[Name, ...] = (
    ("gpu_memory_total_bytes", ()), ("gpu_memory_reserved_bytes", ()),
    ("gpu_memory_free_bytes", ()), ("gpu_memory_used_bytes", ()),
)  # fmt: skip

UTILIZATION_CALL = "nvmlDeviceGetUtilizationRates"  # the share of the last 1/6 to 1 s in which any kernel ran
UTILIZATION: tuple[Name, ...] = (("gpu_utilization_ratio", ()), ("gpu_memory_bandwidth_ratio", ()))

CODECS: tuple[tuple[str, str], ...] = (
    ("gpu_encoder_ratio", "nvmlDeviceGetEncoderUtilization"),
    ("gpu_decoder_ratio", "nvmlDeviceGetDecoderUtilization"),
)

SINGLES: tuple[Single, ...] = (
    Single("gpu_temperature_celsius", ("gpu",), "nvmlDeviceGetTemperature", 0),
    Single("gpu_temperature_limit_celsius", ("shutdown",), "nvmlDeviceGetTemperatureThreshold", 0, steady=True),
    Single("gpu_temperature_limit_celsius", ("slowdown",), "nvmlDeviceGetTemperatureThreshold", 1, steady=True),
    Single("gpu_temperature_limit_celsius", ("memory",), "nvmlDeviceGetTemperatureThreshold", 2, steady=True),
    Single("gpu_temperature_limit_celsius", ("gpu",), "nvmlDeviceGetTemperatureThreshold", 3, steady=True),
    Single("gpu_power_watts", (), "nvmlDeviceGetPowerUsage", factor=1e-3),
    Single("gpu_power_limit_watts", (), "nvmlDeviceGetEnforcedPowerLimit", factor=1e-3),
    Single("gpu_power_default_limit_watts", (), "nvmlDeviceGetPowerManagementDefaultLimit", factor=1e-3, steady=True),
    Single("gpu_energy_joules_total", (), "nvmlDeviceGetTotalEnergyConsumption", factor=1e-3, wide=True),
    Single("gpu_clock_hertz", ("graphics",), "nvmlDeviceGetClockInfo", 0, factor=1e6),
    Single("gpu_clock_hertz", ("sm",), "nvmlDeviceGetClockInfo", 1, factor=1e6),
    Single("gpu_clock_hertz", ("memory",), "nvmlDeviceGetClockInfo", 2, factor=1e6),
    Single("gpu_clock_hertz", ("video",), "nvmlDeviceGetClockInfo", 3, factor=1e6),
    Single("gpu_clock_max_hertz", ("graphics",), "nvmlDeviceGetMaxClockInfo", 0, factor=1e6, steady=True),
    Single("gpu_clock_max_hertz", ("sm",), "nvmlDeviceGetMaxClockInfo", 1, factor=1e6, steady=True),
    Single("gpu_clock_max_hertz", ("memory",), "nvmlDeviceGetMaxClockInfo", 2, factor=1e6, steady=True),
    Single("gpu_clock_max_hertz", ("video",), "nvmlDeviceGetMaxClockInfo", 3, factor=1e6, steady=True),
    Single("gpu_performance_state", (), "nvmlDeviceGetPerformanceState", none=32),  # 0 the fastest; 32 unknown
    Single("gpu_fan_speed_ratio", (), "nvmlDeviceGetFanSpeed", factor=1e-2),
    Single("gpu_pcie_link_generation", (), "nvmlDeviceGetCurrPcieLinkGeneration"),
    Single("gpu_pcie_link_width_lanes", (), "nvmlDeviceGetCurrPcieLinkWidth"),
    Single("gpu_pcie_link_max_generation", (), "nvmlDeviceGetMaxPcieLinkGeneration", steady=True),
    Single("gpu_pcie_link_max_width_lanes", (), "nvmlDeviceGetMaxPcieLinkWidth", steady=True),
    Single("gpu_persistence_mode", (), "nvmlDeviceGetPersistenceMode", steady=True),
    Single("gpu_compute_mode", (), "nvmlDeviceGetComputeMode", steady=True),
    Single("gpu_accounting_mode", (), "nvmlDeviceGetAccountingMode", steady=True),
)

NVLINK_RECEIVED_5 = 204  # bytes, by link: NVLink 5 (Blackwell) has these in place of 138 and 139
NVLINK_SENT_5 = 202
FIELD_VALUES: tuple[Field, ...] = (
    Field("gpu_temperature_celsius", ("memory",), 82),
    Field("gpu_power_instant_watts", (), 186, factor=1e-3),
    Field("gpu_clock_event_seconds_total", ("sw_power_cap",), 74, factor=1e-9),
    Field("gpu_clock_event_seconds_total", ("sync_boost",), 76, factor=1e-9),
    Field("gpu_clock_event_seconds_total", ("sw_thermal_slowdown",), 269, factor=1e-9),
    Field("gpu_clock_event_seconds_total", ("hw_thermal_slowdown",), 270, factor=1e-9),
    Field("gpu_clock_event_seconds_total", ("hw_power_brake_slowdown",), 271, factor=1e-9),
    Field("gpu_ecc_mode", (), 1),
    Field("gpu_ecc_errors_total", ("corrected", "volatile"), 3),  # volatile: since the driver was loaded
    Field("gpu_ecc_errors_total", ("uncorrected", "volatile"), 4),
    Field("gpu_ecc_errors_total", ("corrected", "aggregate"), 5),  # aggregate: in the life of the board
    Field("gpu_ecc_errors_total", ("uncorrected", "aggregate"), 6),
    Field("gpu_retired_pages", ("corrected",), 29),
    Field("gpu_retired_pages", ("uncorrected",), 30),
    Field("gpu_retired_pages_pending", (), 31),
    Field("gpu_remapped_rows", ("corrected",), 142),
    Field("gpu_remapped_rows", ("uncorrected",), 143),
    Field("gpu_row_remap_pending", (), 144),
    Field("gpu_row_remap_failed", (), 145),
    Field("gpu_pcie_replays_total", (), 94),
    Field("gpu_pcie_transmit_bytes_total", (), 197, wraps=True),
    Field("gpu_pcie_receive_bytes_total", (), 198, wraps=True),
    Field("gpu_nvlink_links", (), 91),
    Field("gpu_nvlink_transmit_bytes_total", (), 138, ALL_LINKS, 1024.0),
    Field("gpu_nvlink_receive_bytes_total", (), 139, ALL_LINKS, 1024.0),
    Field("gpu_nvlink_errors_total", ("crc_flit",), 38),
    Field("gpu_nvlink_errors_total", ("crc_data",), 45),
    Field("gpu_nvlink_errors_total", ("replay",), 52),
    Field("gpu_nvlink_errors_total", ("recovery",), 59),
    Field("gpu_recovery_action", (), 230),  # 0 none; nvmlDeviceGpuRecoveryAction_t
)

REASONS_CALL = "nvmlDeviceGetCurrentClocksEventReasons"  # or, before 12.2, nvmlDeviceGetCurrentClocksThrottleReasons
REASONS: tuple[tuple[str, int], ...] = (
    ("gpu_idle", 0x1), ("applications_clocks_setting", 0x2), ("sw_power_cap", 0x4), ("hw_slowdown", 0x8),
    ("sync_boost", 0x10), ("sw_thermal_slowdown", 0x20), ("hw_thermal_slowdown", 0x40),
    ("hw_power_brake_slowdown", 0x80), ("display_clock_setting", 0x100), ("board_limit", 0x200),
    ("reliability", 0x400),
)  # fmt: skip

GPM_CALL = "nvmlGpmMetricsGet"  # Hopper and newer; the mean between two looks
GPM: tuple[tuple[str, int], ...] = (
    ("gpu_graphics_activity_ratio", 1), ("gpu_sm_activity_ratio", 2), ("gpu_sm_occupancy_ratio", 3),
    ("gpu_tensor_activity_ratio", 5), ("gpu_dram_activity_ratio", 10), ("gpu_fp64_activity_ratio", 11),
    ("gpu_fp32_activity_ratio", 12), ("gpu_fp16_activity_ratio", 13),
)  # fmt: skip

INSTANCE_VALUES: tuple[Name, ...] = tuple((name, ()) for name, _ in GPM)
DEVICE_VALUES: tuple[Name, ...] = (
    *MEMORY,
    *UTILIZATION,
    *((name, ()) for name, _ in CODECS),
    *((single.name, single.labels) for single in SINGLES),
    *((field.name, field.labels) for field in FIELD_VALUES),
    *(("gpu_clock_event_active", (reason,)) for reason, _ in REASONS),
    *INSTANCE_VALUES,
)

PROCESS_KINDS: tuple[tuple[str, int], ...] = (("compute", 1), ("graphics", 2), ("mps", 4))  # bits of what a process is
