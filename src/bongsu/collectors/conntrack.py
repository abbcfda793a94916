"""The connection tracking table."""

from __future__ import annotations

from collections.abc import Iterator

from bongsu.model.batch import Absence, Sample, Why
from bongsu.model.errors import NoData
from bongsu.model.message import Message
from bongsu.model.metric import Kind, MetricSpec, Vocabulary
from bongsu.sources.procfs import conntrack
from bongsu.sources.root import Machine


def _spec(name: str, text: str) -> MetricSpec:
    return MetricSpec(name, Kind.GAUGE, text, vocabulary=Vocabulary.NODE_EXPORTER)


ENTRIES = _spec("node_nf_conntrack_entries", "Connections that are tracked now.")
LIMIT = _spec("node_nf_conntrack_entries_limit", "Connections that can be tracked; beyond it packets are dropped.")
STATISTICS = {
    "found": _spec("node_nf_conntrack_stat_found", "Searches of the table that found their connection."),
    "invalid": _spec("node_nf_conntrack_stat_invalid", "Packets that could not be tracked."),
    "ignore": _spec("node_nf_conntrack_stat_ignore", "Packets that were already part of a tracked connection."),
    "insert": _spec("node_nf_conntrack_stat_insert", "Connections entered into the table."),
    "insert_failed": _spec(
        "node_nf_conntrack_stat_insert_failed", "Connections that could not be entered, being there already."
    ),
    "drop": _spec("node_nf_conntrack_stat_drop", "Packets dropped because their connection could not be tracked."),
    "early_drop": _spec("node_nf_conntrack_stat_early_drop", "Connections forgotten to make room in a full table."),
    "search_restart": _spec(
        "node_nf_conntrack_stat_search_restart", "Searches begun again because the table changed its size."
    ),
}


class ConntrackCollector:
    """How full the connection tracking table is, and what was done with it."""

    name = "conntrack"
    specs = (ENTRIES, LIMIT, *STATISTICS.values())
    may_block = False
    on_by_default = True

    def __init__(self, machine: Machine) -> None:
        self._proc = machine.proc

    def collect(self) -> Iterator[Sample | Absence]:
        """Fill, limit, and a sample for each count that this kernel keeps."""
        try:
            entries, limit = conntrack.entries(self._proc), conntrack.limit(self._proc)
        except FileNotFoundError:
            raise NoData(
                Message("connections are not tracked: the nf_conntrack module is not loaded, or not in this namespace")
            ) from None
        yield Sample(ENTRIES, (), entries)
        yield Sample(LIMIT, (), limit)
        try:
            statistics = conntrack.statistics(self._proc)
        except FileNotFoundError:
            reason = Message("this kernel does not count it: it is built without CONFIG_NF_CONNTRACK_PROCFS")
            yield from (Absence(spec, (), Why.UNSUPPORTED, reason) for spec in STATISTICS.values())
            return
        for name, spec in STATISTICS.items():
            value = statistics.get(name)
            if value is not None:
                yield Sample(spec, (), value)
