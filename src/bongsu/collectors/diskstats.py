"""What each block device reads, writes, discards and flushes, how long that took, and what the device is."""

from __future__ import annotations

from collections.abc import Iterator

from bongsu.model.batch import Absence, Sample, Why
from bongsu.model.filter import NameFilter
from bongsu.model.message import Message
from bongsu.model.metric import Kind, MetricSpec, Vocabulary
from bongsu.sources import udev
from bongsu.sources.procfs import diskstats
from bongsu.sources.root import Machine


def _counter(word: str, text: str, unit: str = "") -> MetricSpec:
    return MetricSpec(f"node_disk_{word}_total", Kind.COUNTER, text, ("device",), unit, Vocabulary.NODE_EXPORTER)


def _gauge(word: str, text: str, unit: str = "") -> MetricSpec:
    return MetricSpec(f"node_disk_{word}", Kind.GAUGE, text, ("device",), unit, Vocabulary.NODE_EXPORTER)


def _info(word: str, text: str, *labels: str) -> MetricSpec:
    return MetricSpec(
        f"node_disk_{word}", Kind.INFO, text, ("device", *labels), vocabulary=Vocabulary.NODE_EXPORTER
    )  # fmt: skip


READS = _counter("reads_completed", "Reads that the device has finished.")
READS_MERGED = _counter("reads_merged", "Reads that were joined with a neighbour before they reached the device.")
READ_BYTES = _counter("read_bytes", "Bytes read from the device.", "bytes")
READ_SECONDS = _counter("read_time_seconds", "Time that all reads took, waiting included, added up.", "seconds")
WRITES = _counter("writes_completed", "Writes that the device has finished.")
WRITES_MERGED = _counter("writes_merged", "Writes that were joined with a neighbour before they reached the device.")
WRITTEN_BYTES = _counter("written_bytes", "Bytes written to the device.", "bytes")
WRITE_SECONDS = _counter("write_time_seconds", "Time that all writes took, waiting included, added up.", "seconds")
IO_NOW = _gauge("io_now", "Requests that the device has not yet finished.")
IO_SECONDS = _counter("io_time_seconds", "Time during which the device had anything to do.", "seconds")
IO_WEIGHTED_SECONDS = _counter(
    "io_time_weighted_seconds", "Time with anything to do, times the requests at that time.", "seconds"
)
DISCARDS = _counter("discards_completed", "Discards (TRIM) that the device has finished.")
DISCARDS_MERGED = _counter("discards_merged", "Discards that were joined with a neighbour.")
DISCARDED_SECTORS = _counter("discarded_sectors", "Sectors of 512 bytes that were discarded.")
DISCARD_SECONDS = _counter("discard_time_seconds", "Time that all discards took, added up.", "seconds")
FLUSHES = _counter("flush_requests", "Flushes of the device's write cache that it has finished.")
FLUSH_SECONDS = _counter("flush_requests_time_seconds", "Time that all flushes took, added up.", "seconds")

INFO = _info(
    "info", "What the device is, by its number and by udev.", "major", "minor", "path", "wwn", "model", "serial",
    "revision",
)  # fmt: skip
FILESYSTEM_INFO = _info(
    "filesystem_info", "What lies on the device, as udev found it.", "type", "usage", "uuid", "version"
)
DEVICE_MAPPER_INFO = _info(
    "device_mapper_info", "What the mapped device (LVM, encryption, multipath) is.", "name", "uuid", "vg_name",
    "lv_name", "lv_layer",
)  # fmt: skip
ATA_WRITE_CACHE = _gauge("ata_write_cache", "1 if the disk has a write cache.")
ATA_WRITE_CACHE_ENABLED = _gauge("ata_write_cache_enabled", "1 if the disk's write cache is on.")
ATA_ROTATION_RATE = _gauge("ata_rotation_rate_rpm", "Revolutions per minute of the disk; 0 for one without.", "rpm")

# In the order of the columns of /proc/diskstats, each with what one unit of it is worth.
_MILLISECOND = 1.0 / 1000.0  # multiplied, as node_exporter does: dividing gives another last bit
_COLUMNS: tuple[tuple[MetricSpec, float], ...] = (
    (READS, 1), (READS_MERGED, 1), (READ_BYTES, diskstats.SECTOR_BYTES), (READ_SECONDS, _MILLISECOND),
    (WRITES, 1), (WRITES_MERGED, 1), (WRITTEN_BYTES, diskstats.SECTOR_BYTES), (WRITE_SECONDS, _MILLISECOND),
    (IO_NOW, 1), (IO_SECONDS, _MILLISECOND), (IO_WEIGHTED_SECONDS, _MILLISECOND),
    (DISCARDS, 1), (DISCARDS_MERGED, 1), (DISCARDED_SECTORS, 1), (DISCARD_SECONDS, _MILLISECOND),
    (FLUSHES, 1), (FLUSH_SECONDS, _MILLISECOND),
)  # fmt: skip
_ATA = {
    "ID_ATA_WRITE_CACHE": ATA_WRITE_CACHE,
    "ID_ATA_WRITE_CACHE_ENABLED": ATA_WRITE_CACHE_ENABLED,
    "ID_ATA_ROTATION_RATE_RPM": ATA_ROTATION_RATE,
}
DEFAULT_EXCLUDE = r"^(ram|loop|fd|(h|s|v|xv)d[a-z]|nvme\d+n\d+p)\d+$"


class DiskstatsCollector:
    """Operations, bytes and time of each block device, and its model, serial number and file system from udev."""

    name = "diskstats"
    specs = (
        *(spec for spec, _ in _COLUMNS), INFO, FILESYSTEM_INFO, DEVICE_MAPPER_INFO, *_ATA.values(),
    )  # fmt: skip
    may_block = False
    on_by_default = True

    def __init__(self, machine: Machine, *, device_include: str = "", device_exclude: str = DEFAULT_EXCLUDE) -> None:
        if device_include and device_exclude == DEFAULT_EXCLUDE:
            device_exclude = ""  # whoever names the devices gets those
        self._proc = machine.proc
        self._udev = machine.udev
        self._filter = NameFilter("--collector.diskstats.device", include=device_include, exclude=device_exclude)
        self._labels: dict[bytes, tuple[str] | None] = {}  # None for a device that is left out
        self._known: dict[tuple[str, int, int], tuple[tuple[int, int] | None, tuple[Sample | Absence, ...]]] = {}

    def collect(self) -> Iterator[Sample | Absence]:
        """A sample for each column that the kernel has, and what udev knows of the device."""
        if len(self._labels) > 20_000:  # names may come and go for ever
            self._labels.clear()
            self._known.clear()
        for disk in diskstats.read(self._proc, self._wants):
            labels = self._labels[disk.name]
            if labels is None:
                continue
            for (spec, worth), value in zip(_COLUMNS, disk.columns, strict=False):
                yield Sample(spec, labels, value * worth)
            yield from self._about(labels, disk.major, disk.minor)

    def _wants(self, name: bytes) -> bool:
        if name not in self._labels:
            text = name.decode("utf-8", "surrogateescape")
            self._labels[name] = (text,) if self._filter.passes(text) else None
        return self._labels[name] is not None

    def _about(self, labels: tuple[str], major: int, minor: int) -> tuple[Sample | Absence, ...]:
        """What the device is: made anew only when udev has written its entry anew."""
        key = (*labels, major, minor)
        version = udev.version(self._udev, major, minor)
        known = self._known.get(key)
        if known is None or known[0] != version:
            known = self._known[key] = version, tuple(self._described(labels, major, minor))
        return known[1]

    def _described(self, labels: tuple[str], major: int, minor: int) -> Iterator[Sample | Absence]:
        try:
            found = udev.properties(self._udev, major, minor)
        except OSError as error:
            yield Absence(
                FILESYSTEM_INFO, (*labels, "", "", "", ""), Why.FAILED, Message("{error}", error=error.strerror)
            )  # fmt: skip
            found = {}
        say = found.get
        about = (
            say("ID_PATH", ""),
            say("ID_WWN", ""),
            say("ID_MODEL", ""),
            say("ID_SERIAL_SHORT", ""),
            say("ID_REVISION", ""),
        )
        yield Sample(INFO, (*labels, str(major), str(minor), *about), 1)
        if kind := say("ID_FS_TYPE"):
            words = (kind, say("ID_FS_USAGE", ""), say("ID_FS_UUID", ""), say("ID_FS_VERSION", ""))
            yield Sample(FILESYSTEM_INFO, (*labels, *words), 1)
        if name := say("DM_NAME"):
            mapped = (name, *(say(f"DM_{word}", "") for word in ("UUID", "VG_NAME", "LV_NAME", "LV_LAYER")))
            yield Sample(DEVICE_MAPPER_INFO, (*labels, *mapped), 1)
        if say("ID_ATA"):
            for key, spec in _ATA.items():
                try:
                    yield Sample(spec, labels, float(found[key]))
                except (KeyError, ValueError):
                    continue  # the disk does not say
