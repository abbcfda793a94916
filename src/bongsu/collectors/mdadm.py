"""Software RAID: which arrays lack disks, and how far a resync has come."""

from __future__ import annotations

from collections.abc import Iterator

from bongsu.model.batch import Absence, Sample, Why
from bongsu.model.errors import NoData
from bongsu.model.message import Message
from bongsu.model.metric import Kind, MetricSpec, Vocabulary
from bongsu.sources.procfs import mdadm
from bongsu.sources.root import Machine


def _gauge(word: str, text: str, *labels: str) -> MetricSpec:
    return MetricSpec(f"node_md_{word}", Kind.GAUGE, text, ("device", *labels), vocabulary=Vocabulary.NODE_EXPORTER)


STATE = _gauge("state", "1 for the state that the array is in, 0 for the others.", "state")
DISKS = _gauge("disks", "Disks of the array that are active, failed or spare.", "state")
REQUIRED = _gauge("disks_required", "Disks that the array needs to be whole.")
BLOCKS = _gauge("blocks", "Size of the array in blocks of 1024 bytes.")
SYNCED = _gauge("blocks_synced", "Blocks done by the resync, recovery or check that runs; all if none runs.")

_STATES = {
    "active": "active", "inactive": "inactive", "recovering": "recovering", "resync": "resyncing", "check": "checking",
}  # fmt: skip


class MdadmCollector:
    """Software RAID arrays: state, disks and progress, from /proc/mdstat."""

    name = "mdadm"
    specs = (STATE, DISKS, REQUIRED, BLOCKS, SYNCED)
    may_block = False
    on_by_default = True

    def __init__(self, machine: Machine) -> None:
        self._proc = machine.proc

    def collect(self) -> Iterator[Sample | Absence]:
        """The samples of each array; of one that is not understood, an absence."""
        try:
            arrays = list(mdadm.read(self._proc))
        except FileNotFoundError:
            raise NoData(Message("no software RAID: the md driver is not loaded")) from None
        for array in arrays:
            if not isinstance(array, mdadm.Array):
                name, problem = array
                yield Absence(REQUIRED, (name,), Why.FAILED, Message("{problem}", problem=problem))
                continue
            labels = (array.name,)
            for label, state in _STATES.items():
                yield Sample(STATE, (array.name, label), int(array.state == state))
            yield Sample(DISKS, (array.name, "active"), array.active)
            yield Sample(DISKS, (array.name, "failed"), array.failed)
            yield Sample(DISKS, (array.name, "spare"), array.spare)
            yield Sample(BLOCKS, labels, array.blocks)
            yield Sample(SYNCED, labels, array.synced)
            if array.required is not None:
                yield Sample(REQUIRED, labels, array.required)
            else:
                yield Absence(
                    REQUIRED, labels, Why.UNSUPPORTED,
                    Message("the kernel does not say how many disks an inactive array needs"),
                    Message("start the array, or see which disks it lacks with: mdadm --detail /dev/{name}",
                            name=array.name),
                )  # fmt: skip
