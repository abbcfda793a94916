"""The figures of a device in a scenario, as NVML's calls would give them: whole numbers, or the error of the call."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

from bongsu.sources.nvml import answers, curve
from bongsu.sources.nvml.decode import gap
from bongsu.sources.nvml.errors import ERRORS
from bongsu.sources.nvml.reading import Gap, Instance, Value
from bongsu.sources.nvml.scenario import Activity, Device, Scenario, Use, instance_uuid
from bongsu.sources.nvml.scenario import Instance as Slice
from bongsu.sources.nvml.values import (
    CODECS,
    FIELD_VALUES,
    FIELDS,
    GPM,
    GPM_CALL,
    MEMORY,
    MEMORY_CALL,
    REASONS,
    REASONS_CALL,
    SINGLES,
    UTILIZATION,
    UTILIZATION_CALL,
    Field,
    Single,
)

MIB = 1024 * 1024
_Asked = Callable[[Device, float], int | None]
_ACTIVITIES = ("graphics", "sm", "occupancy", "tensor", "dram", "fp64", "fp32", "fp16")  # in the order of GPM


def whole(shape: curve.Curve | None, t: float, factor: float = 1.0) -> int | None:
    """The whole number below the value, as a driver gives it; None where the device has no such figure."""
    return None if shape is None else math.floor(curve.value(shape, t) * factor)


def counted(shape: curve.Curve | None, t: float, factor: float = 1.0) -> int | None:
    """The whole number below what has been counted."""
    return None if shape is None else math.floor(curve.total(shape, t) * factor)


def _figure(name: str, factor: float = 1.0) -> _Asked:
    return lambda device, t: whole(getattr(device, name), t, factor)


def _number(name: str, factor: int = 1) -> _Asked:
    def asked(device: Device, _: float) -> int | None:
        number = getattr(device, name)
        return None if number is None else int(number) * factor

    return asked


def _of(part: str, name: str) -> _Asked:
    def asked(device: Device, t: float) -> int | None:
        held = getattr(device, part)
        number = None if held is None else getattr(held, name)
        return None if number is None else whole(float(number) if isinstance(number, int) else number, t)

    return asked


def _active(device: Device, reason: str) -> curve.Curve:
    return next((shape for name, shape in (device.event_reasons or {}).items() if name == reason), 0.0)


def _reason(name: str) -> _Asked:
    return lambda device, t: None if device.event_reasons is None else counted(_active(device, name), t, 1e9)


def _energy(device: Device, t: float) -> int | None:
    joules = counted(device.power, t, 1e3)
    return None if joules is None else device.energy_start * 1000 + joules


def _ecc_mode(device: Device, _: float) -> int | None:
    return None if device.ecc is None else 1


def _pcie(name: str) -> _Asked:
    def asked(device: Device, t: float) -> int | None:
        moved = None if device.pcie is None else counted(getattr(device.pcie, name), t)
        return None if moved is None else moved + int(getattr(device.pcie, f"{name}_start"))

    return asked


def _nvlink(name: str) -> _Asked:
    """KiB by all links; newer devices count bytes by link, of which the reader makes the sum."""

    def asked(device: Device, t: float) -> int | None:
        if device.nvlink is None:
            return None
        return counted(getattr(device.nvlink, name), t, 1.0 / 1024.0)

    return asked


_TEMPERATURE = "nvmlDeviceGetTemperature"
_BY_CALL: dict[tuple[str, int | None], _Asked] = {
    (_TEMPERATURE, 0): _figure("temperature"),
    **{
        ("nvmlDeviceGetTemperatureThreshold", place): _of("limits", name)
        for place, name in enumerate(("shutdown", "slowdown", "memory_max", "gpu_max"))
    },
    ("nvmlDeviceGetPowerUsage", None): _figure("power", 1e3),
    ("nvmlDeviceGetEnforcedPowerLimit", None): _number("power_limit", 1000),
    ("nvmlDeviceGetPowerManagementDefaultLimit", None): _number("power_default_limit", 1000),
    ("nvmlDeviceGetTotalEnergyConsumption", None): _energy,
    **{
        (call, place): _of(part, name)
        for call, part in (("nvmlDeviceGetClockInfo", "clocks"), ("nvmlDeviceGetMaxClockInfo", "max_clocks"))
        for place, name in enumerate(("graphics", "sm", "memory", "video"))
    },
    ("nvmlDeviceGetPerformanceState", None): _figure("performance_state"),
    ("nvmlDeviceGetFanSpeed", None): _figure("fan"),
    ("nvmlDeviceGetCurrPcieLinkGeneration", None): _of("pcie", "generation"),
    ("nvmlDeviceGetCurrPcieLinkWidth", None): _of("pcie", "width"),
    ("nvmlDeviceGetMaxPcieLinkGeneration", None): _of("pcie", "max_generation"),
    ("nvmlDeviceGetMaxPcieLinkWidth", None): _of("pcie", "max_width"),
    ("nvmlDeviceGetPersistenceMode", None): _number("persistence"),
    ("nvmlDeviceGetComputeMode", None): _number("compute_mode"),
    ("nvmlDeviceGetAccountingMode", None): _number("accounting"),
    ("nvmlDeviceGetEncoderUtilization", None): _figure("encoder"),
    ("nvmlDeviceGetDecoderUtilization", None): _figure("decoder"),
}
_BY_FIELD: dict[int, _Asked] = {
    1: _ecc_mode,
    3: _of("ecc", "corrected"), 4: _of("ecc", "uncorrected"),
    5: _of("ecc", "corrected_lifetime"), 6: _of("ecc", "uncorrected_lifetime"),
    29: _of("retired", "corrected"), 30: _of("retired", "uncorrected"), 31: _of("retired", "pending"),
    38: _of("nvlink", "crc_errors"), 45: lambda device, _: None if device.nvlink is None else 0,
    52: _of("nvlink", "replays"), 59: _of("nvlink", "recoveries"),
    74: _reason("sw_power_cap"), 76: _reason("sync_boost"), 269: _reason("sw_thermal_slowdown"),
    270: _reason("hw_thermal_slowdown"), 271: _reason("hw_power_brake_slowdown"),
    82: _figure("memory_temperature"), 91: _of("nvlink", "links"), 94: _of("pcie", "replays"),
    138: _nvlink("transmit"), 139: _nvlink("receive"),
    142: _of("remapped", "corrected"), 143: _of("remapped", "uncorrected"), 144: _of("remapped", "pending"),
    145: _of("remapped", "failed"),
    186: _figure("power", 1e3), 197: _pcie("transmit"), 198: _pcie("receive"), 230: _number("recovery_action"),
}  # fmt: skip


class PlayedDevice:
    """One device of a scenario at one time (s since the start), with the faults that strike it then."""

    def __init__(self, scenario: Scenario, index: int, t: float) -> None:
        self._scenario = scenario
        self.t = t
        self.device: Device = scenario.devices[index]
        self.index = index
        self.divided = self.device.mig is not None and self.device.mig.enabled
        self.lost = self.device.lost_at is not None and t >= self.device.lost_at

    def fault(self, call: str, field: int | None = None) -> int:
        """The error with which a call is answered now; 0 for none."""
        if call in self._scenario.missing:
            return answers.FUNCTION_NOT_FOUND
        if self.lost:
            return answers.GPU_IS_LOST
        return fault(self._scenario, call, self.index, self.t, field)

    def uses(self, gpu_instance: int | None = None) -> Iterator[tuple[int, Use]]:
        """Who uses it, or one of its GPU instances: the place of the process in the scenario, and what it does."""
        for place, process in enumerate(self._scenario.processes):
            if process.after <= self.t and (process.until is None or self.t < process.until):
                for use in process.on:
                    if use.gpu == self.index and gpu_instance in {None, use.gpu_instance}:
                        yield place, use

    def values(self) -> tuple[tuple[Value, ...], Gap | None]:
        """All figures in the order of `values.DEVICE_VALUES`, and what fails the device as a whole."""
        found: list[Value] = []
        failed: Gap | None = None
        for name, labels, call, number in self._numbers():
            if isinstance(failed, Gap) and failed.error == "NVML_ERROR_GPU_IS_LOST":
                found.append(Value(name, labels, failed))
                continue
            if isinstance(number, Gap) and number.error in {"NVML_ERROR_GPU_IS_LOST", "NVML_ERROR_RESET_REQUIRED"}:
                failed = number
            found.append(Value(name, labels, gap(answers.NOT_SUPPORTED, call) if number is None else number))
        return tuple(found), failed

    def instances(self) -> tuple[Instance, ...]:
        """Its compute instances in the order of their slots."""
        if not self.divided or self.device.mig is None:
            return ()
        return tuple(self._instance(each) for each in sorted(self.device.mig.instances, key=lambda one: one.slot))

    def _numbers(self) -> Iterator[tuple[str, tuple[str, ...], str, float | Gap | None]]:
        for (name, labels), (call, held) in zip(MEMORY, self._memory(), strict=True):
            yield name, labels, call, held
        code = answers.NOT_SUPPORTED if self.divided else self.fault(UTILIZATION_CALL)
        rates = (whole(self.device.utilization, self.t), whole(self.device.memory_utilization, self.t))
        if None in rates:
            code = code or answers.NOT_SUPPORTED
        for (name, labels), percent in zip(UTILIZATION, rates, strict=True):
            yield name, labels, UTILIZATION_CALL, gap(code, UTILIZATION_CALL) if code else (percent or 0) / 100.0
        for name, call in CODECS:
            percent = None if self.divided else _BY_CALL[call, None](self.device, self.t)
            yield name, (), call, self._answer(call, None if percent is None else percent / 100.0)
        for single in SINGLES:
            yield single.name, single.labels, *self._single(single)
        whole_call = self.fault(FIELDS)
        for field in FIELD_VALUES:
            yield field.name, field.labels, FIELDS, self._field(field, whole_call)
        yield from self._reasons()
        activity, code, call = self._activity(self.device.activity, "nvmlGpmSampleGet")
        activities: tuple[float | Gap, ...] = activity or (gap(code, call),) * len(GPM)
        for (name, _), share in zip(GPM, activities, strict=True):
            yield name, (), call, share

    def _answer(self, call: str, number: float | None) -> float | Gap | None:
        code = self.fault(call)
        return gap(code, call) if code else number

    def _single(self, single: Single) -> tuple[str, float | Gap | None]:
        number = _BY_CALL[single.call, single.argument](self.device, self.t)
        call, code = single.call, self.fault(single.call)
        if call == _TEMPERATURE and code in {answers.FUNCTION_NOT_FOUND, answers.DEPRECATED}:
            call = "nvmlDeviceGetTemperatureV"
            code = self.fault(call)
        if code:
            return call, gap(code, call)
        if number is not None and number == single.none:
            return call, gap(answers.NO_NUMBER, call)
        return call, None if number is None else number * single.factor

    def _field(self, field: Field, code: int) -> float | Gap | None:
        code = code or fault(self._scenario, FIELDS, self.index, self.t, field.field)
        if code:
            return gap(code, FIELDS)
        if field.field in {138, 139} and self.device.architecture == "blackwell" and self.device.nvlink is not None:
            moved = curve.total(
                self.device.nvlink.transmit if field.field == 138 else self.device.nvlink.receive, self.t
            )
            return float(math.floor(moved / self.device.nvlink.links) * self.device.nvlink.links)
        number = _BY_FIELD[field.field](self.device, self.t)
        return None if number is None else number * field.factor

    def _reasons(self) -> Iterator[tuple[str, tuple[str, ...], str, float | Gap | None]]:
        call = REASONS_CALL
        if call in self._scenario.missing:
            call = "nvmlDeviceGetCurrentClocksThrottleReasons"
        code = self.fault(call)
        for reason, _ in REASONS:
            number = 1.0 if curve.value(_active(self.device, reason), self.t) >= 0.5 else 0.0
            supported = None if self.device.event_reasons is None else number
            yield "gpu_clock_event_active", (reason,), call, gap(code, call) if code else supported

    def _memory(self, instance: Slice | None = None) -> list[tuple[str, float | Gap]]:
        """Total, reserved, free and used, each with its call."""
        of = self.device if instance is None else instance
        total, reserved = float(of.memory_mib * MIB), float(of.reserved_mib * MIB)
        if instance is None and self.device.used_mib is not None:
            used = float(whole(self.device.used_mib, self.t, MIB) or 0)
        else:
            gi = None if instance is None else instance.gpu_instance
            used = float(sum(whole(use.memory_mib, self.t, MIB) or 0 for _, use in self.uses(gi)))
        free = max(0.0, total - reserved - used)
        call, code = MEMORY_CALL, self.fault(MEMORY_CALL)
        if code == answers.FUNCTION_NOT_FOUND:  # the older call counts what is reserved as used
            call, code = "nvmlDeviceGetMemoryInfo", self.fault("nvmlDeviceGetMemoryInfo")
            known: list[float | Gap] = [total, gap(answers.FUNCTION_NOT_FOUND, MEMORY_CALL), free, used + reserved]
        else:
            known = [total, reserved, free, used]
        return [(call, gap(code, call) if code else number) for number in known]

    def _activity(self, activity: Activity | None, sample: str) -> tuple[tuple[float, ...], int, str]:
        """The figures of GPM; or none, and the call that fails and how."""
        mig = self.device.mig
        anywhere = self.device.activity is not None or any(
            each.activity is not None for each in (mig.instances if mig else ())
        )
        for call in ("nvmlGpmQueryDeviceSupport", sample, GPM_CALL):
            if code := self.fault(call):
                return (), code, call
            if activity is None and (call == sample or not anywhere):
                return (), answers.NOT_SUPPORTED, call
        assert activity is not None
        return tuple(curve.value(getattr(activity, name), self.t) / 100.0 for name in _ACTIVITIES), 0, GPM_CALL

    def _instance(self, each: Slice) -> Instance:
        slices = self.device.mig.instances if self.device.mig else ()
        sample = "nvmlGpmMigSampleGet"
        total, _, _, used = (number for _, number in self._memory(each))
        if sum(other.gpu_instance == each.gpu_instance for other in slices) > 1:  # they share the units counted
            numbers: tuple[float | Gap, ...] = (gap(answers.NOT_SUPPORTED, sample),) * len(GPM)
        else:
            activity, code, call = self._activity(each.activity, sample)
            numbers = activity or (gap(code, call),) * len(GPM)
        return Instance(
            uuid=instance_uuid(each, self.index),
            gpu_instance=each.gpu_instance,
            compute_instance=each.compute_instance,
            profile=each.profile,
            slices=each.slices,
            memory_total_bytes=total,
            memory_used_bytes=used,
            values=tuple(Value(name, (), number) for (name, _), number in zip(GPM, numbers, strict=True)),
        )


def fault(scenario: Scenario, call: str, gpu: int | None, t: float, field: int | None = None) -> int:
    """The number of the error that the scenario has for a call at this time; 0 for none."""
    for each in scenario.errors:
        if (
            each.call in {"*", call} and each.field == field and each.gpu in {None, gpu}
            and each.after <= t and (each.until is None or t < each.until)
        ):  # fmt: skip
            return ERRORS[each.error]
    return 0
