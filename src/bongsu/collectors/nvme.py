"""NVMe controllers: what they are, and whether they live."""

from __future__ import annotations

from collections.abc import Iterator

from bongsu.model.batch import Sample
from bongsu.model.errors import NoData
from bongsu.model.message import Message
from bongsu.model.metric import Kind, MetricSpec, Vocabulary
from bongsu.sources.root import Machine
from bongsu.sources.sysfs import nvme

INFO = MetricSpec(
    "node_nvme_info", Kind.INFO, "An NVMe controller; its state is live while it works.",
    ("device", "firmware_revision", "model", "serial", "state"), vocabulary=Vocabulary.NODE_EXPORTER,
)  # fmt: skip


class NvmeCollector:
    """NVMe controllers with firmware, model, serial number and state."""

    name = "nvme"
    specs = (INFO,)
    may_block = False  # the kernel keeps these words; the drive is not asked
    on_by_default = True

    def __init__(self, machine: Machine) -> None:
        self._sys = machine.sys

    def collect(self) -> Iterator[Sample]:
        """One sample a controller."""
        controllers = nvme.controllers(self._sys)
        if not controllers:
            raise NoData(Message("no NVMe drives"))
        for controller in controllers:
            yield Sample(INFO, tuple(controller), 1)
