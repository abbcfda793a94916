"""Bonded network interfaces: how many members each has, and how many are up."""

from __future__ import annotations

from collections.abc import Iterator

from bongsu.model.batch import Absence, Sample, Why
from bongsu.model.errors import NoData
from bongsu.model.message import Message
from bongsu.model.metric import Kind, MetricSpec, Vocabulary
from bongsu.sources.root import Machine
from bongsu.sources.sysfs import bonding

SLAVES = MetricSpec(
    "node_bonding_slaves", Kind.GAUGE, "Interfaces that are members of the bond.", ("master",),
    vocabulary=Vocabulary.NODE_EXPORTER,
)  # fmt: skip
ACTIVE = MetricSpec(
    "node_bonding_active", Kind.GAUGE, "Members of the bond whose link is up.", ("master",),
    vocabulary=Vocabulary.NODE_EXPORTER,
)  # fmt: skip


class BondingCollector:
    """Bonded network interfaces and their members that are up."""

    name = "bonding"
    specs = (SLAVES, ACTIVE)
    may_block = False
    on_by_default = True

    def __init__(self, machine: Machine) -> None:
        self._sys = machine.sys

    def collect(self) -> Iterator[Sample | Absence]:
        """Two samples for each bond; of one that cannot be read, absences."""
        masters = bonding.masters(self._sys)
        if masters is None:
            raise NoData(Message("no bonded interfaces: the bonding driver is not loaded"))
        for master in masters:
            try:
                members = bonding.members(self._sys, master)
            except OSError as error:
                why = Why.LOST if isinstance(error, FileNotFoundError) else Why.FAILED
                reason = Message("{error} while its members were read", error=error.strerror)
                yield Absence(SLAVES, (master,), why, reason)
                yield Absence(ACTIVE, (master,), why, reason)
                continue
            yield Sample(SLAVES, (master,), len(members))
            yield Sample(ACTIVE, (master,), sum(members.values()))
