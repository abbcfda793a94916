"""What this machine's NFS server was asked, and how its caches and threads fare."""

from __future__ import annotations

from collections.abc import Iterator

from bongsu.model.batch import Sample
from bongsu.model.errors import NoData
from bongsu.model.message import Message
from bongsu.model.metric import Kind, MetricSpec, Vocabulary
from bongsu.sources.procfs import nfs
from bongsu.sources.root import Machine


def _counter(word: str, text: str, *labels: str, unit: str = "") -> MetricSpec:
    return MetricSpec(f"node_nfsd_{word}_total", Kind.COUNTER, text, labels, unit, Vocabulary.NODE_EXPORTER)


def _gauge(word: str, text: str) -> MetricSpec:
    return MetricSpec(f"node_nfsd_{word}", Kind.GAUGE, text, vocabulary=Vocabulary.NODE_EXPORTER)


CACHE_HITS = _counter("reply_cache_hits", "Calls asked again whose answer lay in the reply cache.")
CACHE_MISSES = _counter("reply_cache_misses", "Calls that had to be remembered in the reply cache.")
CACHE_UNUSED = _counter("reply_cache_nocache", "Calls that need no place in the reply cache.")
STALE = _counter("file_handles_stale", "Calls for files that are no longer there.")
READ_BYTES = _counter("disk_bytes_read", "Bytes that clients read.", unit="bytes")
WRITTEN_BYTES = _counter("disk_bytes_written", "Bytes that clients wrote.", unit="bytes")
THREADS = _gauge("server_threads", "Threads of the NFS server.")
READ_AHEAD_SIZE = _gauge("read_ahead_cache_size_blocks", "Size of the read-ahead cache (before Linux 5.4).")
READ_AHEAD_MISSES = _counter("read_ahead_cache_not_found", "Reads that the read-ahead cache did not know.")
PACKETS = _counter("packets", "Packets of the NFS server by protocol.", "proto")
CONNECTIONS = _counter("connections", "TCP connections that the NFS server accepted.")
ERRORS = _counter("rpc_errors", "Calls that the NFS server refused, by what was wrong with them.", "error")
RPCS = _counter("server_rpcs", "Calls that the NFS server received.")
REQUESTS = _counter("requests", "Calls of the NFS server by version and procedure.", "proto", "method")

# Each line's numbers: position, metric, labels.
_LINES: tuple[tuple[str, tuple[tuple[int, MetricSpec, tuple[str, ...]], ...]], ...] = (
    ("rc", ((0, CACHE_HITS, ()), (1, CACHE_MISSES, ()), (2, CACHE_UNUSED, ()))),
    ("fh", ((0, STALE, ()),)),
    ("io", ((0, READ_BYTES, ()), (1, WRITTEN_BYTES, ()))),
    ("th", ((0, THREADS, ()),)),
    ("ra", ((0, READ_AHEAD_SIZE, ()), (11, READ_AHEAD_MISSES, ()))),
    ("net", ((1, PACKETS, ("udp",)), (2, PACKETS, ("tcp",)), (3, CONNECTIONS, ()))),
    ("rpc", ((0, RPCS, ()), (2, ERRORS, ("fmt",)), (3, ERRORS, ("auth",)), (4, ERRORS, ("cInt",)))),
    # The procedure Null does nothing; node_exporter leaves it out here.
    ("proc2", tuple((i, REQUESTS, ("2", name)) for i, name in enumerate(nfs.V2) if i)),
    ("proc3", tuple((i, REQUESTS, ("3", name)) for i, name in enumerate(nfs.V3) if i)),
    (
        "proc4ops",
        tuple(
            (i, REQUESTS, ("4", name))
            for i, name in enumerate(nfs.V4_OPERATIONS, nfs.FIRST_OPERATION)
            if name not in {"PutPubFH", "PutRootFH"}  # node_exporter leaves these out too
        ),
    ),
)


class NfsdCollector:
    """NFS server: calls by version and procedure, bytes, threads, reply cache."""

    name = "nfsd"
    specs = (
        CACHE_HITS, CACHE_MISSES, CACHE_UNUSED, STALE, READ_BYTES, WRITTEN_BYTES, THREADS, READ_AHEAD_SIZE,
        READ_AHEAD_MISSES, PACKETS, CONNECTIONS, ERRORS, RPCS, REQUESTS,
    )  # fmt: skip
    may_block = False
    on_by_default = True

    def __init__(self, machine: Machine) -> None:
        self._proc = machine.proc

    def collect(self) -> Iterator[Sample]:
        """A sample for each number that this kernel gives; a version that it does not serve gives none."""
        try:
            lines = nfs.read(self._proc, "net/rpc/nfsd")
        except (FileNotFoundError, NotADirectoryError):
            raise NoData(Message("no NFS server: its kernel module is not loaded")) from None
        for line, wanted in _LINES:
            numbers = lines.get(line)
            if numbers is None:
                continue
            for position, spec, labels in wanted:
                if position < len(numbers):
                    yield Sample(spec, labels, numbers[position])
