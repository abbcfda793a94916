"""Hardware sensors: temperatures, fans, voltages, currents, power and energy."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import NamedTuple

from bongsu.collectors.device_file import absence
from bongsu.model.batch import Absence, Sample
from bongsu.model.errors import NoData
from bongsu.model.filter import NameFilter
from bongsu.model.message import Message
from bongsu.model.metric import Kind, MetricPattern, MetricSpec, Vocabulary
from bongsu.sources.root import Machine
from bongsu.sources.sysfs import hwmon

_LABELS = ("chip", "sensor")
_THEIRS = Vocabulary.NODE_EXPORTER


def _pattern(pattern: str, text: str, unit: str = "", kind: Kind = Kind.GAUGE) -> MetricPattern:
    return MetricPattern(pattern, kind, text, _LABELS, unit, _THEIRS)


TEMPERATURE = MetricSpec(
    "node_hwmon_temp_celsius", Kind.GAUGE, "Temperature that the sensor reads.", _LABELS, "celsius", _THEIRS
)
CELSIUS = _pattern("node_hwmon_{}_celsius", "Temperature, limit or offset of the sensor: {}.", "celsius")
VOLTS = _pattern("node_hwmon_{}_volts", "Voltage or limit of the sensor: {}.", "volts")
AMPERES = _pattern("node_hwmon_{}_amps", "Current or limit of the sensor: {}.", "amperes")
WATTS = _pattern("node_hwmon_{}_watt", "Power or limit of the sensor: {}.", "watts")
JOULES = _pattern("node_hwmon_{}_joule_total", "Energy used since the sensor began: {}.", "joules", Kind.COUNTER)
RPM = _pattern("node_hwmon_{}_rpm", "Speed or limit of the fan: {}.", "rpm")
SECONDS = _pattern("node_hwmon_{}_seconds", "Time over which power is averaged: {}.", "seconds")
BEEPS = _pattern("node_hwmon_{}_enabled", "1 if the sensor's alarm beeps: {}.")
PLAIN = _pattern("node_hwmon_{}", "What the driver says, without a unit: {}.")
BEEP_ENABLED = MetricSpec("node_hwmon_beep_enabled", Kind.GAUGE, "1 if the chip may beep.", _LABELS, vocabulary=_THEIRS)
REGULATOR_VERSION = MetricSpec(
    "node_hwmon_voltage_regulator_version", Kind.GAUGE, "Version of the voltage regulator that the chip expects.",
    _LABELS, vocabulary=_THEIRS,
)  # fmt: skip
UPDATE_INTERVAL = MetricSpec(
    "node_hwmon_update_interval_seconds", Kind.GAUGE, "How often the chip measures.", _LABELS, "seconds", _THEIRS
)
CHIP_NAME = MetricSpec(
    "node_hwmon_chip_names", Kind.GAUGE, "What the chip calls itself; always 1.", ("chip", "chip_name"),
    vocabulary=_THEIRS,
)  # fmt: skip
SENSOR_LABEL = MetricSpec(
    "node_hwmon_sensor_label", Kind.GAUGE, "What the driver calls the sensor; always 1.", ("chip", "sensor", "label"),
    vocabulary=_THEIRS,
)  # fmt: skip

_MILLI, _MICRO, _ONE = 0.001, 1e6, 1.0
_LOOK_AGAIN_SECONDS = 60.0
_READINGS = frozenset({"", "input", "average"})  # the elements that are readings, not limits or settings


class _Series(NamedTuple):
    spec: MetricSpec
    labels: tuple[str, str]
    path: str
    divides: bool  # µW and µJ are divided by a million, all else is multiplied: so node_exporter rounds
    scale: float
    reads: bool  # a reading, whose absence is worth a word


class HwmonCollector:
    """Temperatures, fans, voltages and power from the sensor chips that the kernel has drivers for.

    ``chip_include`` and ``chip_exclude`` are regular expressions of chips to read or to leave out,
    for a sensor whose reading is slow or wakes a device.
    """

    name = "hwmon"
    specs = (
        TEMPERATURE, CELSIUS, VOLTS, AMPERES, WATTS, JOULES, RPM, SECONDS, BEEPS, PLAIN, BEEP_ENABLED,
        REGULATOR_VERSION, UPDATE_INTERVAL, CHIP_NAME, SENSOR_LABEL,
    )  # fmt: skip
    may_block = True  # a sensor sits behind a slow bus, or behind firmware
    on_by_default = True

    def __init__(self, machine: Machine, *, chip_include: str = "", chip_exclude: str = "") -> None:
        self._sys = machine.sys
        self._filter = NameFilter("--collector.hwmon.chip", include=chip_include, exclude=chip_exclude)
        self._known: list[str] = []
        self._looked = float("-inf")
        self._constant: list[Sample] = []
        self._series: list[_Series] = []

    def collect(self) -> Iterator[Sample | Absence]:
        """A sample for each sensor file that holds a number; an absence for a reading that fails."""
        directories = hwmon.directories(self._sys)
        now = time.monotonic()
        if directories != self._known or now - self._looked > _LOOK_AGAIN_SECONDS:
            self._learn(directories)
            self._known, self._looked = directories, now
        if not directories:
            raise NoData(
                Message("no hardware sensors: the kernel has a driver for none, as in most virtual machines"),
                Message("on bare metal, find and load the drivers with sensors-detect of lm-sensors"),
            )
        yield from self._constant
        read = self._sys.read
        for series in self._series:
            try:
                value = float(read(series.path))
            except OSError as error:
                if series.reads:
                    chip, sensor = series.labels
                    yield absence(series.spec, series.labels, error, f"{sensor} of {chip}")
                if isinstance(error, FileNotFoundError):
                    self._looked = float("-inf")
                continue
            except ValueError:  # text, as in0_type of some drivers: not a reading
                continue
            spec, labels, _, divides, scale, _ = series
            yield Sample(spec, labels, value / scale if divides else value * scale)

    def _learn(self, directories: list[str]) -> None:
        self._constant, self._series = [], []
        seen: set[tuple[MetricSpec, tuple[str, ...]]] = set()
        for directory in directories:
            try:
                chip = hwmon.chip(self._sys, directory)
            except OSError:  # it went away as we looked
                continue
            if not self._filter.passes(chip.name):
                continue
            if chip.own_name:
                self._constant.append(Sample(CHIP_NAME, (chip.name, chip.own_name), 1))
            doubled = {a.sensor for a in chip.attributes if not a.element and self._readable(a.path)}
            for attribute in chip.attributes:
                if attribute.element == "label" and attribute.kind not in _ALONE:
                    own = hwmon.label(self._sys, attribute.path)
                    if own is not None:
                        self._constant.append(Sample(SENSOR_LABEL, (chip.name, attribute.sensor, own), 1))
                    continue
                series = _series(chip.name, attribute, doubled=attribute.sensor in doubled)
                if series is not None and (series.spec, series.labels) not in seen:  # two chips may share a name
                    seen.add((series.spec, series.labels))
                    self._series.append(series)

    def _readable(self, path: str) -> bool:
        try:
            self._sys.read_once(path)
        except OSError:
            return False
        return True


_ALONE = {
    "beep_enable": (BEEP_ENABLED, _ONE),
    "vrm": (REGULATOR_VERSION, _ONE),
    "update_interval": (UPDATE_INTERVAL, _MILLI),
}


def _series(chip: str, attribute: hwmon.Attribute, *, doubled: bool) -> _Series | None:
    """Which metric a file is, by node_exporter's rules; ``doubled``: the sensor has a file without element too."""
    kind, sensor, element, path = attribute
    labels = (chip, sensor)
    if kind in _ALONE:
        if element:
            return None
        spec, scale = _ALONE[kind]
        return _Series(spec, labels, path, False, scale, False)
    word = kind
    if element and (element != "input" or doubled):
        word = f"{kind}_{hwmon.cleaned(element)}"
    reads = element in _READINGS and kind != "pwm"
    if element in {"fault", "alarm"}:
        return _Series(PLAIN.spec(word), labels, path, False, _ONE, False)
    if element == "beep":
        return _Series(BEEPS.spec(word), labels, path, False, _ONE, False)
    if kind == "temp" and element != "type":
        spec = TEMPERATURE if word == "temp" else CELSIUS.spec(word)
        return _Series(spec, labels, path, False, _MILLI, reads)
    if kind in {"in", "cpu"}:
        return _Series(VOLTS.spec(word), labels, path, False, _MILLI, reads)
    if kind == "curr":
        return _Series(AMPERES.spec(word), labels, path, False, _MILLI, reads)
    if kind == "energy":
        return _Series(JOULES.spec(word), labels, path, True, _MICRO, reads)
    if kind == "power":
        if element == "accuracy":
            return _Series(PLAIN.spec(word), labels, path, True, _MICRO, False)
        if element in {"average_interval", "average_interval_min", "average_interval_max"}:
            return _Series(SECONDS.spec(word), labels, path, False, _MILLI, False)
        return _Series(WATTS.spec(word), labels, path, True, _MICRO, reads)
    if kind == "humidity":
        return _Series(PLAIN.spec(word), labels, path, True, _MICRO, reads)
    if kind == "fan" and element in {"input", "min", "max", "target"}:
        return _Series(RPM.spec(word), labels, path, False, _ONE, reads)
    return _Series(PLAIN.spec(word), labels, path, False, _ONE, False)
