"""The metrics of GPUs: one for each figure that sources/nvml/values names, and those that are made from a whole look."""

from __future__ import annotations

from collections.abc import Mapping

from bongsu.model.metric import Kind, MetricSpec

# A GPU in which a kernel runs all the time while its SMs have next to no work is stuck: it waits for what never comes.
BUSY = 0.99  # gpu_utilization_ratio; NVML counts in whole percent, and a kernel that never ends makes it 100
AT_REST = 0.01  # gpu_sm_activity_ratio; ours: a kernel that spins on one SM of 132 (H100) keeps 0.8 % of them at work

DEVICE = ("gpu", "uuid")  # index or index_GI_CI, which may change; and the identity, which does not


def _gauge(name: str, text: str, *labels: str, unit: str = "") -> MetricSpec:
    return MetricSpec(name, Kind.GAUGE, text, (*DEVICE, *labels), unit)


def _counter(name: str, text: str, *labels: str, unit: str = "") -> MetricSpec:
    return MetricSpec(name, Kind.COUNTER, text, (*DEVICE, *labels), unit)


def _share(name: str, text: str) -> MetricSpec:
    return _gauge(f"gpu_{name}_ratio", text, unit="ratio")


MEMORY_TOTAL = _gauge("gpu_memory_total_bytes", "Memory of the GPU.", unit="bytes")
MEMORY_RESERVED = _gauge(
    "gpu_memory_reserved_bytes", "Memory that driver and firmware keep for themselves.", unit="bytes"
)
MEMORY_FREE = _gauge("gpu_memory_free_bytes", "Memory that can still be allocated.", unit="bytes")
MEMORY_USED = _gauge(
    "gpu_memory_used_bytes",
    "Memory that is allocated, without what is reserved; with it where gpu_memory_reserved_bytes is absent (an old driver).",
    unit="bytes",
)
UTILIZATION = _share(
    "utilization",
    "Share of the last 1/6 to 1 s in which any kernel ran: not how much of the GPU it used. Never on MIG.",
)
MEMORY_BANDWIDTH = _share(
    "memory_bandwidth", "Share of the last 1/6 to 1 s in which device memory was read or written."
)
ENCODER = _share("encoder", "Share of the time in which the video encoders worked.")
DECODER = _share("decoder", "Share of the time in which the video decoders worked.")
TEMPERATURE = _gauge(
    "gpu_temperature_celsius", "Temperature at a sensor: gpu (the die), memory.", "sensor", unit="celsius"
)
TEMPERATURE_LIMIT = _gauge(
    "gpu_temperature_limit_celsius",
    "The device's own limits: it slows down at slowdown and switches off at shutdown; gpu and memory are the highest "
    "at which it is made to work.",
    "limit", unit="celsius",
)  # fmt: skip
POWER = _gauge("gpu_power_watts", "Power that the board draws; on Ampere and newer the mean of 1 s.", unit="watts")
POWER_INSTANT = _gauge("gpu_power_instant_watts", "Power that the board draws at this moment.", unit="watts")
POWER_LIMIT = _gauge("gpu_power_limit_watts", "The limit of power that is in force.", unit="watts")
POWER_DEFAULT_LIMIT = _gauge(
    "gpu_power_default_limit_watts", "The limit of power that it has when nobody set another.", unit="watts"
)
ENERGY = _counter("gpu_energy_joules_total", "Energy used since the driver was loaded.", unit="joules")
CLOCK = _gauge("gpu_clock_hertz", "Clock of a domain: graphics, sm, memory, video.", "domain", unit="hertz")
CLOCK_MAX = _gauge("gpu_clock_max_hertz", "The highest clock that a domain can have.", "domain", unit="hertz")
CLOCK_EVENT = _gauge(
    "gpu_clock_event_active",
    "1 if the clocks are held down for this reason now; gpu_idle is no trouble. A moment's answer: alert on "
    "gpu_clock_event_seconds_total.",
    "reason",
)
CLOCK_EVENT_SECONDS = _counter(
    "gpu_clock_event_seconds_total",
    "Time in which the clocks were held down for this reason.",
    "reason",
    unit="seconds",
)
PERFORMANCE_STATE = _gauge("gpu_performance_state", "P-state: 0 is the fastest, 15 the slowest.")
FAN_SPEED = _share("fan_speed", "Speed of the fan, as a share of its highest.")
LINK_GENERATION = _gauge("gpu_pcie_link_generation", "Generation at which the PCIe link runs; it drops while idle.")
LINK_WIDTH = _gauge("gpu_pcie_link_width_lanes", "Lanes of the PCIe link that are in use.")
LINK_MAX_GENERATION = _gauge("gpu_pcie_link_max_generation", "Generation that GPU and slot can both do.")
LINK_MAX_WIDTH = _gauge("gpu_pcie_link_max_width_lanes", "Lanes that GPU and slot both have.")
PERSISTENCE_MODE = _gauge("gpu_persistence_mode", "1 if the driver stays loaded while nobody uses the GPU.")
COMPUTE_MODE = _gauge(
    "gpu_compute_mode", "Who may compute: 0 anybody, 2 nobody, 3 one process at a time (1 was one thread)."
)
ACCOUNTING_MODE = _gauge("gpu_accounting_mode", "1 if the driver keeps account of processes that ended.")
ECC_MODE = _gauge("gpu_ecc_mode", "1 if memory errors are corrected (ECC).")
ECC_ERRORS = _counter(
    "gpu_ecc_errors_total",
    "Memory errors, corrected or uncorrected: since the driver was loaded (scope volatile), in the life of the board (aggregate).",
    "type", "scope",
)  # fmt: skip
RETIRED_PAGES = _gauge("gpu_retired_pages", "Pages of memory given up for errors (before Ampere).", "type")
RETIRED_PAGES_PENDING = _gauge("gpu_retired_pages_pending", "1 if pages are given up at the next restart.")
REMAPPED_ROWS = _gauge(
    "gpu_remapped_rows", "Rows of memory replaced by spare ones for errors (Ampere and newer).", "type"
)
ROW_REMAP_PENDING = _gauge("gpu_row_remap_pending", "1 if rows are replaced at the next reset of the GPU.")
ROW_REMAP_FAILED = _gauge("gpu_row_remap_failed", "1 if a row could not be replaced: the board is to be exchanged.")
PCIE_REPLAYS = _counter("gpu_pcie_replays_total", "Packets that had to be sent again on the PCIe link.")
PCIE_SENT = _counter("gpu_pcie_transmit_bytes_total", "Bytes that the GPU sent over PCIe.", unit="bytes")
PCIE_RECEIVED = _counter("gpu_pcie_receive_bytes_total", "Bytes that the GPU received over PCIe.", unit="bytes")
NVLINK_LINKS = _gauge("gpu_nvlink_links", "NVLinks that the GPU has.")
NVLINK_SENT = _counter("gpu_nvlink_transmit_bytes_total", "Bytes that the GPU sent over all NVLinks.", unit="bytes")
NVLINK_RECEIVED = _counter(
    "gpu_nvlink_receive_bytes_total", "Bytes that the GPU received over all NVLinks.", unit="bytes"
)
NVLINK_ERRORS = _counter(
    "gpu_nvlink_errors_total", "Errors of all NVLinks: crc_flit, crc_data, replay, recovery.", "type"
)
RECOVERY_ACTION = _gauge(
    "gpu_recovery_action",
    "What must be done to recover the GPU, as nvmlDeviceGpuRecoveryAction_t numbers it: 0 nothing, 1 reset it, 2 reboot.",
)
GRAPHICS_ACTIVITY = _share("graphics_activity", "Share of the time in which the graphics or compute engine was busy.")
SM_ACTIVITY = _share("sm_activity", "Share of the time, over all SMs, in which an SM had work.")
SM_OCCUPANCY = _share("sm_occupancy", "Warps on the SMs, as a share of what they can hold.")
TENSOR_ACTIVITY = _share("tensor_activity", "Share of the cycles in which the tensor cores worked.")
DRAM_ACTIVITY = _share("dram_activity", "Share of the cycles in which data went to or from device memory.")
FP64_ACTIVITY = _share("fp64_activity", "Share of the cycles in which the FP64 units worked.")
FP32_ACTIVITY = _share("fp32_activity", "Share of the cycles in which the FP32 units worked.")
FP16_ACTIVITY = _share("fp16_activity", "Share of the cycles in which the FP16 units worked.")

VALUES: Mapping[str, MetricSpec] = {
    spec.name: spec
    for spec in (
        MEMORY_TOTAL, MEMORY_RESERVED, MEMORY_FREE, MEMORY_USED, UTILIZATION, MEMORY_BANDWIDTH, ENCODER, DECODER,
        TEMPERATURE, TEMPERATURE_LIMIT, POWER, POWER_INSTANT, POWER_LIMIT, POWER_DEFAULT_LIMIT, ENERGY, CLOCK,
        CLOCK_MAX, CLOCK_EVENT, CLOCK_EVENT_SECONDS, PERFORMANCE_STATE, FAN_SPEED, LINK_GENERATION, LINK_WIDTH,
        LINK_MAX_GENERATION, LINK_MAX_WIDTH, PERSISTENCE_MODE, COMPUTE_MODE, ACCOUNTING_MODE, ECC_MODE, ECC_ERRORS,
        RETIRED_PAGES, RETIRED_PAGES_PENDING, REMAPPED_ROWS, ROW_REMAP_PENDING, ROW_REMAP_FAILED, PCIE_REPLAYS,
        PCIE_SENT, PCIE_RECEIVED, NVLINK_LINKS, NVLINK_SENT, NVLINK_RECEIVED, NVLINK_ERRORS, RECOVERY_ACTION,
        GRAPHICS_ACTIVITY, SM_ACTIVITY, SM_OCCUPANCY, TENSOR_ACTIVITY, DRAM_ACTIVITY, FP64_ACTIVITY, FP32_ACTIVITY,
        FP16_ACTIVITY,
    )
}  # fmt: skip

INFO = MetricSpec(
    "gpu_info", Kind.INFO, "What a GPU is; minor is N of /dev/nvidiaN, mig tells whether it is divided.",
    (*DEVICE, "name", "pci_bus_id", "driver_version", "cuda_version", "minor", "mig", "architecture"),
)  # fmt: skip
UP = _gauge("gpu_up", "1 if the GPU answers, 0 if it is lost, needs a reset, or is no longer listed.")
MIG_MODE = _gauge("gpu_mig_mode", "1 if the GPU is divided into instances (MIG). Absent where it cannot be.")
MIG_INFO = MetricSpec(
    "gpu_mig_info", Kind.INFO, "What an instance of a divided GPU is, and of which GPU (parent, a uuid).",
    (*DEVICE, "parent", "gpu_instance", "compute_instance", "profile"),
)  # fmt: skip
MIG_SLICES = _gauge("gpu_mig_slices", "Compute slices of the GPU that an instance has.")
MIG_MEMORY_TOTAL = _gauge(
    "gpu_mig_memory_total_bytes", "Memory of a GPU instance, which its compute instances share.", "gpu_instance",
    unit="bytes",
)  # fmt: skip
MIG_MEMORY_USED = _gauge(
    "gpu_mig_memory_used_bytes", "Memory in use of a GPU instance, whatever the number of its compute instances.",
    "gpu_instance", unit="bytes",
)  # fmt: skip
OWNER_INFO = MetricSpec(
    "gpu_owner_info", Kind.INFO,
    "Whose the whole GPU is: a Slurm job, a pod, a container, a unit, a user. Absent where it is shared or nobody's.",
    (*DEVICE, "kind", "id", "name", "namespace", "container", "user"),
)  # fmt: skip
XID_ERRORS = _counter(
    "gpu_xid_errors_total",
    "Errors that the driver told of since Bongsu began to listen, by the driver's number for them (XID).",
    "xid",
)
XID_LAST = _gauge(
    "gpu_xid_last_timestamp_seconds", "Unix time at which the driver told of this XID last; increase() of the counter does not see the first one.", "xid",
    unit="seconds",
)  # fmt: skip
EXPECTED = MetricSpec(
    "gpu_expected", Kind.GAUGE, "GPUs that there should be, by --collector.gpu.count; absent without it."
)
ANSWERING = MetricSpec(
    "gpu_answering", Kind.GAUGE,
    "GPUs of the machine that answer, also those that --collector.gpu.devices leaves out: fewer than gpu_expected is a finding. "
    "Absent without --collector.gpu.count.",
)  # fmt: skip
SOURCE_UP = MetricSpec(
    "bongsu_source_up",
    Kind.GAUGE,
    "1 if a source of readings answers (nvml is NVIDIA's driver), 0 if it fails or hangs.",
    ("source",),
)
SOURCE_STALE = MetricSpec(
    "bongsu_source_stale_seconds", Kind.GAUGE, "Age of the newest answer of a source that hangs; 0 while it answers.",
    ("source",), "seconds",
)  # fmt: skip
OTHERS = (
    INFO, UP, MIG_MODE, MIG_INFO, MIG_SLICES, MIG_MEMORY_TOTAL, MIG_MEMORY_USED, OWNER_INFO, XID_ERRORS, XID_LAST,
    EXPECTED, ANSWERING, SOURCE_UP, SOURCE_STALE,
)  # fmt: skip
