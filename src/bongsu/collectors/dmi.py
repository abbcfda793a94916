"""What the firmware says this machine is."""

from __future__ import annotations

from collections.abc import Iterator

from bongsu.model.batch import Sample
from bongsu.model.errors import NoData
from bongsu.model.message import Message
from bongsu.model.metric import Kind, MetricSpec, Vocabulary
from bongsu.sources.root import Machine
from bongsu.sources.sysfs import dmi

INFO = MetricSpec(
    "node_dmi_info", Kind.INFO, "Maker, model and firmware of the machine; serial numbers only where we are root.",
    tuple(name if name != "sys_vendor" else "system_vendor" for name in dmi.FILES),
    vocabulary=Vocabulary.NODE_EXPORTER,
)  # fmt: skip


class DmiCollector:
    """Maker, model and firmware of the machine."""

    name = "dmi"
    specs = (INFO,)
    may_block = False
    on_by_default = True

    def __init__(self, machine: Machine) -> None:
        self._sys = machine.sys
        self._sample: Sample | None = None

    def collect(self) -> Iterator[Sample]:
        """One sample; what can be read are its labels. It is read once, since only a restart changes it."""
        if self._sample is None:
            found = dmi.read(self._sys)
            if not found:
                raise NoData(
                    Message(
                        "the firmware describes no hardware (no DMI), as on many virtual machines and on most of Arm"
                    )
                )
            self._sample = Sample(INFO, tuple(found.get(name, "") for name in dmi.FILES), 1)
        yield self._sample
