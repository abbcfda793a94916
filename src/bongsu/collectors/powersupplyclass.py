"""Batteries and power supplies."""

from __future__ import annotations

import errno
from collections.abc import Iterator

from bongsu.collectors.device_file import absence
from bongsu.model.batch import Absence, Sample
from bongsu.model.errors import NoData
from bongsu.model.filter import NameFilter
from bongsu.model.message import Message
from bongsu.model.metric import Kind, MetricSpec, Vocabulary
from bongsu.sources.root import Machine
from bongsu.sources.sysfs import power_supply


def _spec(word: str, text: str) -> MetricSpec:
    return MetricSpec(
        f"node_power_supply_{word}", Kind.GAUGE, text, ("power_supply",), vocabulary=Vocabulary.NODE_EXPORTER
    )


_PLAIN = {
    "authentic": _spec("authentic", "1 if the supply proved to be a genuine one."),
    "calibrate": _spec("calibrate", "1 while the supply calibrates itself."),
    "capacity": _spec("capacity", "Charge in percent."),
    "capacity_alert_max": _spec("capacity_alert_max", "Charge in percent above which it alerts."),
    "capacity_alert_min": _spec("capacity_alert_min", "Charge in percent below which it alerts."),
    "cycle_count": _spec("cyclecount", "Full charge and discharge cycles so far."),
    "online": _spec("online", "1 if power comes from here, 2 if as a programmable supply."),
    "present": _spec("present", "1 if it is plugged in."),
    "time_to_empty_now": _spec("time_to_empty_seconds", "Time until the battery is empty."),
    "time_to_full_now": _spec("time_to_full_seconds", "Time until the battery is full."),
}
_MILLIONTHS = {
    "current_boot": _spec("current_boot", "Current at boot in amperes."),
    "current_max": _spec("current_max", "Highest current in amperes."),
    "current_now": _spec("current_ampere", "Current in amperes; its sign tells the direction on some."),
    "energy_empty": _spec("energy_empty", "Energy in watt-hours at which it counts as empty."),
    "energy_empty_design": _spec("energy_empty_design", "Energy in watt-hours at which it was made to be empty."),
    "energy_full": _spec("energy_full", "Energy in watt-hours when it was last full."),
    "energy_full_design": _spec("energy_full_design", "Energy in watt-hours that it was made to hold."),
    "energy_now": _spec("energy_watthour", "Energy in watt-hours."),
    "voltage_boot": _spec("voltage_boot", "Voltage at boot in volts."),
    "voltage_max": _spec("voltage_max", "Highest voltage in volts."),
    "voltage_max_design": _spec("voltage_max_design", "Highest voltage by design in volts."),
    "voltage_min": _spec("voltage_min", "Lowest voltage in volts."),
    "voltage_min_design": _spec("voltage_min_design", "Lowest voltage by design in volts."),
    "voltage_now": _spec("voltage_volt", "Voltage in volts."),
    "voltage_ocv": _spec("voltage_ocv", "Voltage without load in volts."),
    "charge_control_limit": _spec("charge_control_limit", "Limit of the charge current, in its millionth part."),
    "charge_control_limit_max": _spec("charge_control_limit_max", "Highest such limit, in its millionth part."),
    "charge_counter": _spec("charge_counter", "Charge counted since an arbitrary start in ampere-hours."),
    "charge_empty": _spec("charge_empty", "Charge in ampere-hours at which it counts as empty."),
    "charge_empty_design": _spec("charge_empty_design", "Charge in ampere-hours at which it was made to be empty."),
    "charge_full": _spec("charge_full", "Charge in ampere-hours when it was last full."),
    "charge_full_design": _spec("charge_full_design", "Charge in ampere-hours that it was made to hold."),
    "charge_now": _spec("charge_ampere", "Charge in ampere-hours."),
    "charge_term_current": _spec("charge_term_current", "Current in amperes at which charging ends."),
    "constant_charge_current": _spec("constant_charge_current", "Charge current in amperes."),
    "constant_charge_current_max": _spec("constant_charge_current_max", "Highest charge current in amperes."),
    "constant_charge_voltage": _spec("constant_charge_voltage", "Charge voltage in volts."),
    "constant_charge_voltage_max": _spec("constant_charge_voltage_max", "Highest charge voltage in volts."),
    "precharge_current": _spec("precharge_current", "Current in amperes while it is nearly empty."),
    "input_current_limit": _spec("input_current_limit", "Limit of the current taken in, in amperes."),
    "power_now": _spec("power_watt", "Power in watts."),
}
_TENTHS = {
    "temp": _spec("temp_celsius", "Temperature."),
    "temp_alert_max": _spec("temp_alert_max_celsius", "Temperature above which it alerts."),
    "temp_alert_min": _spec("temp_alert_min_celsius", "Temperature below which it alerts."),
    "temp_ambient": _spec("temp_ambient_celsius", "Temperature around it."),
    "temp_ambient_max": _spec("temp_ambient_max_celsius", "Highest temperature allowed around it."),
    "temp_ambient_min": _spec("temp_ambient_min_celsius", "Lowest temperature allowed around it."),
    "temp_max": _spec("temp_max_celsius", "Highest temperature allowed."),
    "temp_min": _spec("temp_min_celsius", "Lowest temperature allowed."),
}
_WORDS = (
    "capacity_level", "charge_type", "health", "manufacturer", "model_name", "serial_number", "status", "technology",
    "type", "usb_type", "scope",
)  # fmt: skip
INFO = MetricSpec(
    "node_power_supply_info", Kind.INFO, "What the supply says of itself.", ("power_supply", *_WORDS),
    vocabulary=Vocabulary.NODE_EXPORTER,
)  # fmt: skip
_NUMBERS = {
    **{file: (spec, 1.0) for file, spec in _PLAIN.items()},
    **{file: (spec, 1e6) for file, spec in _MILLIONTHS.items()},
    **{file: (spec, 10.0) for file, spec in _TENTHS.items()},
}
_NOT_OFFERED = frozenset({errno.ENOENT, errno.ENODEV, errno.EOPNOTSUPP, errno.EINVAL, errno.ENODATA})


class PowersupplyclassCollector:
    """Batteries, mains and server power supplies that the kernel knows.

    ``ignored_supplies`` is a regular expression of supplies to leave out.
    """

    name = "powersupplyclass"
    specs = (*_PLAIN.values(), *_MILLIONTHS.values(), *_TENTHS.values(), INFO)
    may_block = True  # the firmware is asked
    on_by_default = True

    def __init__(self, machine: Machine, *, ignored_supplies: str = "^$") -> None:
        self._sys = machine.sys
        self._filter = NameFilter("--collector.powersupplyclass.ignored-supplies", exclude=ignored_supplies)

    def collect(self) -> Iterator[Sample | Absence]:
        """A sample for each number that a supply offers, and one with its words."""
        supplies = [name for name in power_supply.supplies(self._sys) if self._filter.passes(name)]
        if not supplies:
            raise NoData(Message("no batteries or power supplies that report to the kernel"))
        for supply in supplies:
            offered = power_supply.files(self._sys, supply)
            for file in offered:
                if file not in _NUMBERS:
                    continue
                spec, unit = _NUMBERS[file]
                try:
                    yield Sample(spec, (supply,), power_supply.number(self._sys, supply, file) / unit)
                except (OSError, ValueError) as error:
                    if not (isinstance(error, OSError) and error.errno in _NOT_OFFERED):
                        yield absence(spec, (supply,), error, f"{file} of {supply}")
            words = [power_supply.word(self._sys, supply, file) if file in offered else "" for file in _WORDS]
            yield Sample(INFO, (supply, *words), 1)
