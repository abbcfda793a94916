"""The same readings under the names, units and labels of NVIDIA's dcgm-exporter, so that its dashboards and rules work.

Names and units are those of dcgm_fields.h: MiB, MHz, mJ and percent where ours are base units. Fields whose unit
changed from one DCGM to the next (violation times, NVLink bandwidth) are left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from bongsu.collectors.gpu_gaps import absence
from bongsu.model.batch import Absence, Sample, Why
from bongsu.model.message import Message
from bongsu.model.metric import Kind, MetricSpec, Vocabulary
from bongsu.model.owner import Owner, OwnerKind
from bongsu.sources.nvml.reading import Gap, Gpu, Instance, Value, Xid

LABELS = (
    "gpu", "UUID", "pci_bus_id", "device", "modelName", "GPU_I_PROFILE", "GPU_I_ID", "Hostname",
    "DCGM_FI_DRIVER_VERSION", "container", "hpc_job", "namespace", "pod",
)  # fmt: skip
_MIB = float(1 << 20)
_COMPUTE_SLICES = re.compile(r"^\d+c\.")


class Field(NamedTuple):
    """A field that one of our figures (metric and further labels) gives, ``times`` a factor or ``over`` a divisor."""

    spec: MetricSpec
    figure: tuple[str, ...]
    times: float = 1.0
    over: float = 1.0
    usual: bool = False  # dcgm-exporter gives it without being asked to

    def value(self, ours: float) -> float:
        """Ours in their unit; rounded, since 0.57 times 100 is not 57 in binary."""
        return round(ours * self.times / self.over, 6)


def _spec(name: str, text: str, kind: Kind = Kind.GAUGE) -> MetricSpec:
    return MetricSpec(name, kind, text, LABELS, vocabulary=Vocabulary.DCGM)


def _of(
    name: str, text: str, *figure: str, times: float = 1.0, over: float = 1.0, usual: bool = False,
    counter: bool = False, prefix: str = "DCGM_FI_DEV_",
) -> Field:  # fmt: skip
    kind = Kind.COUNTER if counter else Kind.GAUGE
    return Field(_spec(prefix + name, f"{text}; the same as {figure[0]}.", kind), figure, times, over, usual)


def _active(name: str, text: str, figure: str, *, usual: bool = False) -> Field:
    return _of(name, text, figure, usual=usual, prefix="DCGM_FI_PROF_")


_FB_USED = _of("FB_USED", "Memory in use, in MiB", "gpu_memory_used_bytes", over=_MIB, usual=True)
_FB_FREE = _of("FB_FREE", "Free memory, in MiB", "gpu_memory_free_bytes", over=_MIB, usual=True)
_FB_TOTAL = _of("FB_TOTAL", "All memory, in MiB", "gpu_memory_total_bytes", over=_MIB)
_FB_RESERVED = _of("FB_RESERVED", "Reserved memory, in MiB", "gpu_memory_reserved_bytes", over=_MIB, usual=True)
_MEMORY = (_FB_USED, _FB_FREE, _FB_TOTAL, _FB_RESERVED)
XID = _spec(
    "DCGM_FI_DEV_XID_ERRORS",
    "The number (XID) of the error that came last; 0 if none did since Bongsu began to listen.",
)

FIELDS = (
    _of("SM_CLOCK", "Clock of the SMs, in MHz", "gpu_clock_hertz", "sm", over=1e6, usual=True),
    _of("MEM_CLOCK", "Clock of memory, in MHz", "gpu_clock_hertz", "memory", over=1e6, usual=True),
    _of("VIDEO_CLOCK", "Clock of the video engines, in MHz", "gpu_clock_hertz", "video", over=1e6),
    _of("MAX_SM_CLOCK", "Highest clock of the SMs, in MHz", "gpu_clock_max_hertz", "sm", over=1e6),
    _of("MAX_MEM_CLOCK", "Highest clock of memory, in MHz", "gpu_clock_max_hertz", "memory", over=1e6),
    _of("MAX_VIDEO_CLOCK", "Highest clock of the video engines, in MHz", "gpu_clock_max_hertz", "video", over=1e6),
    _of("GPU_TEMP", "Temperature of the die, in degrees Celsius", "gpu_temperature_celsius", "gpu", usual=True),
    _of("MEMORY_TEMP", "Temperature of memory, in degrees Celsius", "gpu_temperature_celsius", "memory", usual=True),
    _of("SLOWDOWN_TEMP", "Temperature at which it slows down", "gpu_temperature_limit_celsius", "slowdown"),
    _of("SHUTDOWN_TEMP", "Temperature at which it switches off", "gpu_temperature_limit_celsius", "shutdown"),
    _of("GPU_MAX_OP_TEMP", "Highest temperature to work at", "gpu_temperature_limit_celsius", "gpu"),
    _of("MEM_MAX_OP_TEMP", "Highest temperature of memory to work at", "gpu_temperature_limit_celsius", "memory"),
    _of("POWER_USAGE", "Power, in W", "gpu_power_watts", usual=True),
    _of("POWER_USAGE_INSTANT", "Power at this moment, in W", "gpu_power_instant_watts"),
    _of("ENFORCED_POWER_LIMIT", "Limit of power in force, in W", "gpu_power_limit_watts"),
    _of("POWER_MGMT_LIMIT_DEF", "Limit of power by default, in W", "gpu_power_default_limit_watts"),
    _of("TOTAL_ENERGY_CONSUMPTION", "Energy, in mJ", "gpu_energy_joules_total", times=1e3, usual=True, counter=True),
    _of("PCIE_REPLAY_COUNTER", "Packets sent again on PCIe", "gpu_pcie_replays_total", usual=True, counter=True),
    _of("PCIE_LINK_GEN", "Generation of the PCIe link", "gpu_pcie_link_generation"),
    _of("PCIE_LINK_WIDTH", "Lanes of the PCIe link", "gpu_pcie_link_width_lanes"),
    _of("PCIE_MAX_LINK_GEN", "Highest generation of the PCIe link", "gpu_pcie_link_max_generation"),
    _of("PCIE_MAX_LINK_WIDTH", "Most lanes of the PCIe link", "gpu_pcie_link_max_width_lanes"),
    _of("GPU_UTIL", "Use, in percent", "gpu_utilization_ratio", times=100, usual=True),
    _of("MEM_COPY_UTIL", "Use of memory bandwidth, in percent", "gpu_memory_bandwidth_ratio", times=100, usual=True),
    _of("ENC_UTIL", "Use of the encoders, in percent", "gpu_encoder_ratio", times=100, usual=True),
    _of("DEC_UTIL", "Use of the decoders, in percent", "gpu_decoder_ratio", times=100, usual=True),
    _of("FAN_SPEED", "Speed of the fan, in percent", "gpu_fan_speed_ratio", times=100),
    _of("PSTATE", "P-state", "gpu_performance_state"),
    _of("PERSISTENCE_MODE", "1 if the driver stays loaded", "gpu_persistence_mode"),
    _of("COMPUTE_MODE", "Who may compute", "gpu_compute_mode"),
    _of("ECC_CURRENT", "1 if memory errors are corrected", "gpu_ecc_mode"),
    *_MEMORY,
    _of("ECC_SBE_VOL_TOTAL", "Corrected errors since the driver was loaded",
        "gpu_ecc_errors_total", "corrected", "volatile", counter=True),
    _of("ECC_DBE_VOL_TOTAL", "Uncorrected errors since the driver was loaded",
        "gpu_ecc_errors_total", "uncorrected", "volatile", counter=True),
    _of("ECC_SBE_AGG_TOTAL", "Corrected errors in the board's life",
        "gpu_ecc_errors_total", "corrected", "aggregate", counter=True),
    _of("ECC_DBE_AGG_TOTAL", "Uncorrected errors in the board's life",
        "gpu_ecc_errors_total", "uncorrected", "aggregate", counter=True),
    _of("RETIRED_SBE", "Pages given up for corrected errors", "gpu_retired_pages", "corrected", usual=True, counter=True),
    _of("RETIRED_DBE", "Pages given up for uncorrected errors",
        "gpu_retired_pages", "uncorrected", usual=True, counter=True),
    _of("RETIRED_PENDING", "1 if pages are given up at the next restart", "gpu_retired_pages_pending"),
    _of("UNCORRECTABLE_REMAPPED_ROWS", "Rows replaced for uncorrected errors",
        "gpu_remapped_rows", "uncorrected", usual=True, counter=True),
    _of("CORRECTABLE_REMAPPED_ROWS", "Rows replaced for corrected errors",
        "gpu_remapped_rows", "corrected", usual=True, counter=True),
    _of("ROW_REMAP_FAILURE", "1 if a row could not be replaced", "gpu_row_remap_failed", usual=True),
    _of("ROW_REMAP_PENDING", "1 if rows are replaced at the next reset", "gpu_row_remap_pending"),
    _of("NVLINK_CRC_FLIT_ERROR_COUNT_TOTAL", "CRC errors of flow control", "gpu_nvlink_errors_total", "crc_flit",
        counter=True),
    _of("NVLINK_CRC_DATA_ERROR_COUNT_TOTAL", "CRC errors of data", "gpu_nvlink_errors_total", "crc_data", counter=True),
    _of("NVLINK_REPLAY_ERROR_COUNT_TOTAL", "Data sent again", "gpu_nvlink_errors_total", "replay", counter=True),
    _of("NVLINK_RECOVERY_ERROR_COUNT_TOTAL", "Links set up again", "gpu_nvlink_errors_total", "recovery", counter=True),
    _active("GR_ENGINE_ACTIVE", "Activity of the engine", "gpu_graphics_activity_ratio", usual=True),
    _active("SM_ACTIVE", "Activity of the SMs", "gpu_sm_activity_ratio"),
    _active("SM_OCCUPANCY", "Occupancy of the SMs", "gpu_sm_occupancy_ratio"),
    _active("PIPE_TENSOR_ACTIVE", "Activity of the tensor cores", "gpu_tensor_activity_ratio", usual=True),
    _active("DRAM_ACTIVE", "Activity of device memory", "gpu_dram_activity_ratio", usual=True),
    _active("PIPE_FP64_ACTIVE", "Activity of the FP64 units", "gpu_fp64_activity_ratio"),
    _active("PIPE_FP32_ACTIVE", "Activity of the FP32 units", "gpu_fp32_activity_ratio"),
    _active("PIPE_FP16_ACTIVE", "Activity of the FP16 units", "gpu_fp16_activity_ratio"),
)  # fmt: skip
SPECS = (*(field.spec for field in FIELDS), XID)
NAMES: Mapping[str, Field] = {field.spec.name: field for field in FIELDS}
USUAL = (*(field.spec.name for field in FIELDS if field.usual), XID.name)


class Aliases:
    """Gives the fields of these names; a name that nothing of ours stands for is absent, and that is said."""

    def __init__(self, names: Sequence[str] = USUAL) -> None:
        self._fields = tuple(NAMES[name] for name in names if name in NAMES)
        self._whole = tuple(field for field in self._fields if field not in _MEMORY)
        self._xid = XID.name in names
        self._others = tuple(_unread(name) for name in names if name not in NAMES and name != XID.name)

    def unread(self) -> Iterator[Absence]:
        """The fields that were asked for and are not read."""
        yield from self._others

    def of(
        self, gpu: Gpu, hostname: str, driver_version: str, xids: Sequence[Xid], owner: Owner | None
    ) -> Iterator[Sample | Absence]:
        """The fields of one GPU. Of one that is divided, memory and activity are those of its GPU instances."""
        first = (str(gpu.index), gpu.uuid, gpu.pci_bus_id, f"nvidia{gpu.index}", gpu.name)
        last = (hostname, driver_version, *_whose(owner))
        labels = (*first, "", "", *last)
        yield from _filled(self._whole if gpu.instances else self._fields, gpu.values, labels)
        if self._xid and gpu.failed is None:
            newest = max(xids, key=lambda xid: xid.last_time, default=None)
            yield Sample(XID, labels, 0 if newest is None else newest.xid)
        counted: set[int] = set()
        for instance in gpu.instances:
            if instance.gpu_instance not in counted:
                counted.add(instance.gpu_instance)
                # The profile of the GPU instance: that of a compute instance in it has its own slices before it.
                profile = _COMPUTE_SLICES.sub("", instance.profile)
                part = (*first, profile, str(instance.gpu_instance), *last)
                yield from _filled(self._fields, (*instance.values, *_memory(instance)), part)


def _filled(fields: Sequence[Field], values: Sequence[Value], labels: tuple[str, ...]) -> Iterator[Sample | Absence]:
    known = {(value.name, *value.labels): value.value for value in values}
    for field in fields:
        ours = known.get(field.figure)
        if isinstance(ours, Gap):
            yield absence(field.spec, labels, ours)
        elif ours is not None:
            yield Sample(field.spec, labels, field.value(ours))


def _memory(instance: Instance) -> Iterator[Value]:
    total, used = instance.memory_total_bytes, instance.memory_used_bytes
    yield Value("gpu_memory_total_bytes", (), total)
    yield Value("gpu_memory_used_bytes", (), used)
    free = total if isinstance(total, Gap) else used if isinstance(used, Gap) else total - used
    yield Value("gpu_memory_free_bytes", (), free)


def _whose(owner: Owner | None) -> tuple[str, str, str, str]:
    """Container, job, namespace and pod, as dcgm-exporter has them on Kubernetes and beside Slurm."""
    if owner is not None and owner.kind is OwnerKind.POD:
        return owner.container, "", owner.namespace, owner.name
    if owner is not None and owner.kind is OwnerKind.SLURM:
        return "", owner.id, "", ""
    return "", "", "", ""


def _unread(name: str) -> Absence:
    spec = _spec(name, "A field of DCGM that is not read here.")
    return Absence(
        spec, ("",) * len(LABELS), Why.UNSUPPORTED, Message("{field} is not read here", field=name),
        Message("`bongsu explain gpu` lists the fields that are; docs/metrics.md has those in base units"),
    )  # fmt: skip
