"""Energy that processors and memory have used."""

from __future__ import annotations

import re
from collections.abc import Iterator

from bongsu.collectors.device_file import absence
from bongsu.model.batch import Absence, Sample
from bongsu.model.errors import NoData
from bongsu.model.message import Message
from bongsu.model.metric import Kind, MetricPattern, MetricSpec, Vocabulary
from bongsu.sources.root import Machine
from bongsu.sources.sysfs import powercap

ENERGY = MetricPattern(
    "node_rapl_{}_joules_total", Kind.COUNTER, "Energy that the zone has used: {}.", ("index", "path"), "joules",
    Vocabulary.NODE_EXPORTER,
)  # fmt: skip
ZONE_ENERGY = MetricSpec(
    "node_rapl_joules_total", Kind.COUNTER, "Energy that the zone has used; with enable_zone_label only.",
    ("index", "path", "rapl_zone"), "joules", Vocabulary.NODE_EXPORTER,
)  # fmt: skip
_NOT_IN_A_NAME = re.compile(r"[^a-zA-Z0-9_]")
_CURE = Message(
    "the kernel shows energy to root only; run the agent as root or with the capability CAP_DAC_READ_SEARCH"
)


class RaplCollector:
    """Energy counters of processor packages, cores and memory (RAPL).

    ``enable_zone_label`` puts the zone into a label rather than into the metric's name.
    """

    name = "rapl"
    specs = (ENERGY, ZONE_ENERGY)
    may_block = False
    on_by_default = True

    def __init__(self, machine: Machine, *, enable_zone_label: bool = False) -> None:
        self._sys = machine.sys
        self._zone_label = enable_zone_label
        self._folders: list[str] = []
        self._zones: list[tuple[powercap.Zone, MetricSpec, tuple[str, ...]]] = []

    def collect(self) -> Iterator[Sample | Absence]:
        """One counter a zone; an absence with the cure where only root may read it."""
        folders = powercap.folders(self._sys)
        if folders != self._folders:
            self._folders = folders
            self._zones = [self._series(zone) for zone in powercap.zones(self._sys, folders)]
        if not self._zones:
            raise NoData(
                Message("no energy counters: the processor or its driver (intel_rapl) offers none, as in most "
                        "virtual machines")
            )  # fmt: skip
        for zone, spec, labels in self._zones:
            try:
                energy = powercap.energy(self._sys, zone)
            except (OSError, ValueError) as error:
                yield absence(spec, labels, error, f"energy of {zone.name} {zone.number}", _CURE)
                continue
            yield Sample(spec, labels, energy / 1e6)

    def _series(self, zone: powercap.Zone) -> tuple[powercap.Zone, MetricSpec, tuple[str, ...]]:
        labels = (str(zone.number), self._sys.join(zone.path))
        if self._zone_label:
            return zone, ZONE_ENERGY, (*labels, zone.name)
        return zone, ENERGY.spec(_NOT_IN_A_NAME.sub("_", zone.name)), labels
