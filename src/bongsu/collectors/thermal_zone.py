"""Thermal zones of the firmware, and how hard they are being cooled."""

from __future__ import annotations

from collections.abc import Iterator

from bongsu.collectors.device_file import absence
from bongsu.model.batch import Absence, Sample
from bongsu.model.errors import NoData
from bongsu.model.message import Message
from bongsu.model.metric import Kind, MetricSpec, Vocabulary
from bongsu.sources.root import Machine
from bongsu.sources.sysfs import thermal

TEMPERATURE = MetricSpec(
    "node_thermal_zone_temp", Kind.GAUGE, "Temperature of the zone in degrees Celsius.", ("zone", "type"), "celsius",
    vocabulary=Vocabulary.NODE_EXPORTER,
)  # fmt: skip
COOLING = MetricSpec(
    "node_cooling_device_cur_state", Kind.GAUGE, "How hard the device cools; 0 is not at all, -1 is not known.",
    ("name", "type"), vocabulary=Vocabulary.NODE_EXPORTER,
)  # fmt: skip
COOLING_MAX = MetricSpec(
    "node_cooling_device_max_state", Kind.GAUGE, "The hardest that the device can cool.", ("name", "type"),
    vocabulary=Vocabulary.NODE_EXPORTER,
)  # fmt: skip


class ThermalZoneCollector:
    """Temperatures of thermal zones, and how hard fans or throttling cool them."""

    name = "thermal_zone"
    specs = (TEMPERATURE, COOLING, COOLING_MAX)
    may_block = True  # the firmware is asked
    on_by_default = True

    def __init__(self, machine: Machine) -> None:
        self._sys = machine.sys
        self._kinds: dict[str, str] = {}
        self._devices: tuple[list[str], list[str]] = ([], [])

    def collect(self) -> Iterator[Sample | Absence]:
        """A temperature a zone, two states a cooling device; of one that fails, an absence."""
        devices = thermal.devices(self._sys)
        if devices != self._devices:
            self._devices = devices
            self._kinds = {}
        zones, coolers = devices
        if not zones and not coolers:
            raise NoData(Message("no thermal zones: the firmware offers none, as in most virtual machines"))
        for zone in zones:
            labels = (zone, "")
            try:
                labels = (zone, self._kind(f"thermal_zone{zone}"))
                temperature = thermal.temperature(self._sys, zone)
            except (OSError, ValueError) as error:
                yield absence(TEMPERATURE, labels, error, f"thermal_zone{zone}")
                continue
            yield Sample(TEMPERATURE, labels, temperature / 1000)
        for cooler in coolers:
            labels = (cooler, "")
            try:
                labels = (cooler, self._kind(f"cooling_device{cooler}"))
                state, most = thermal.cooling(self._sys, cooler)
            except (OSError, ValueError) as error:
                yield absence(COOLING, labels, error, f"cooling_device{cooler}")
                continue
            yield Sample(COOLING, labels, state)
            yield Sample(COOLING_MAX, labels, most)

    def _kind(self, device: str) -> str:
        kind = self._kinds.get(device)
        if kind is None:
            kind = self._kinds[device] = thermal.kind(self._sys, device)
        return kind
