"""Mounted file systems: size, room, inodes, and which of them no longer answers."""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass

from bongsu.model.batch import Absence, Sample, Table, Why
from bongsu.model.errors import BadInput, NoData
from bongsu.model.filter import NameFilter
from bongsu.model.message import Message
from bongsu.model.metric import Kind, MetricSpec, Vocabulary
from bongsu.model.mount import MountRow
from bongsu.sources import statvfs
from bongsu.sources.procfs import mounts
from bongsu.sources.root import Machine
from bongsu.sources.worker import Failed, NotAsked, Silent, Worker

_LABELS = ("device", "mountpoint", "fstype")
SIZE = MetricSpec(
    "node_filesystem_size_bytes", Kind.GAUGE, "Size of the file system.", _LABELS, "bytes", Vocabulary.NODE_EXPORTER
)
FREE = MetricSpec(
    "node_filesystem_free_bytes", Kind.GAUGE, "Room that is free, what is kept for root included.", _LABELS, "bytes",
    Vocabulary.NODE_EXPORTER,
)  # fmt: skip
AVAIL = MetricSpec(
    "node_filesystem_avail_bytes", Kind.GAUGE, "Room that users without special rights can fill.", _LABELS, "bytes",
    Vocabulary.NODE_EXPORTER,
)  # fmt: skip
FILES = MetricSpec(
    "node_filesystem_files", Kind.GAUGE, "Inodes that the file system can hold.", _LABELS,
    vocabulary=Vocabulary.NODE_EXPORTER,
)  # fmt: skip
FILES_FREE = MetricSpec(
    "node_filesystem_files_free", Kind.GAUGE, "Inodes that are free.", _LABELS, vocabulary=Vocabulary.NODE_EXPORTER
)
READONLY = MetricSpec(
    "node_filesystem_readonly", Kind.GAUGE, "1 if it is mounted read-only.", _LABELS,
    vocabulary=Vocabulary.NODE_EXPORTER,
)  # fmt: skip
DEVICE_ERROR = MetricSpec(
    "node_filesystem_device_error", Kind.GAUGE, "1 if the file system failed or did not answer in time.", _LABELS,
    vocabulary=Vocabulary.NODE_EXPORTER,
)  # fmt: skip
_NUMBERS = (SIZE, FREE, AVAIL, FILES, FILES_FREE)
_SERVER_GONE = frozenset(
    {
        errno.ENOTCONN, errno.ESTALE, errno.EIO, errno.ETIMEDOUT, errno.EHOSTDOWN, errno.EHOSTUNREACH,
        errno.ECONNABORTED, errno.ECONNRESET, errno.ENODEV, errno.ENXIO, errno.ESHUTDOWN,
    }
)  # fmt: skip
# They hang only with their disk; those behind a network or a daemon are asked after them.
_LOCAL = frozenset({"ext2", "ext3", "ext4", "xfs", "btrfs", "f2fs", "zfs", "tmpfs", "ramfs", "vfat", "erofs", "rootfs"})
_LONGEST_TIMEOUT = 2.0  # twice this, the longest that one collection waits, is within every collector's deadline


@dataclass(slots=True)
class _Mounted:
    labels: tuple[str, str, str]
    path: bytes  # what is asked: below the root file system that was given
    device: str  # for people: without escapes
    read_only: bool
    numbers: tuple[int, int, int, int, int] | None = None  # the newest good answer, as _NUMBERS
    time: float = 0.0  # of that answer, Unix s


class FilesystemCollector:
    """Size, room and inodes of mounted file systems; a dead one delays nothing and is shown as stale.

    Each is asked by statvfs(3) in a child process. Sizes count fragments (``f_frsize``), as df does.
    ``mount_timeout`` is how long (seconds) one may take; it then counts as hung, its last values stay
    in the table with their time, and it is read again as soon as it answers.
    """

    name = "filesystem"
    specs = (*_NUMBERS, READONLY, DEVICE_ERROR)
    may_block = True
    on_by_default = True

    def __init__(
        self,
        machine: Machine,
        *,
        mount_points_exclude: str = (
            "^/(dev|proc|run/credentials/.+|sys|var/lib/docker/.+|var/lib/containers/storage/.+)($|/)"
        ),
        fs_types_exclude: str = (
            "^(autofs|binfmt_misc|bpf|cgroup2?|configfs|debugfs|devpts|devtmpfs|fusectl|hugetlbfs|iso9660|mqueue|nsfs|"
            "overlay|proc|procfs|pstore|rpc_pipefs|securityfs|selinuxfs|squashfs|sysfs|tracefs)$"
        ),
        mount_timeout: float = 0.5,
    ) -> None:
        if not 0 < mount_timeout <= _LONGEST_TIMEOUT:
            raise BadInput(
                Message("{option}: {seconds:g} s is not allowed; give more than 0 and at most {longest:g} s",
                        option="--collector.filesystem.mount-timeout", seconds=mount_timeout, longest=_LONGEST_TIMEOUT)
            )  # fmt: skip
        self._proc = machine.proc
        self._rootfs = machine.rootfs.path.encode("utf-8", "surrogateescape").rstrip(b"/")
        self._mount_points = NameFilter("--collector.filesystem.mount-points", exclude=mount_points_exclude)
        self._fs_types = NameFilter("--collector.filesystem.fs-types", exclude=fs_types_exclude)
        self._worker = Worker(statvfs.SERVICE, patience=mount_timeout)
        self._text: bytes | None = None
        self._mounted: list[_Mounted] = []
        self._paths: list[bytes] = []

    def collect(self) -> Iterator[Sample | Absence | Table]:
        """Seven samples a mount; of one that fails, the error flag, an absence for each number, and a stale row."""
        text = mounts.read(self._proc)
        if text != self._text:
            self._learn(text)
        if not self._mounted:
            raise NoData(
                Message("no file system is mounted that the filters let through"),
                Message(
                    "loosen --collector.filesystem.mount-points-exclude or --collector.filesystem.fs-types-exclude"
                ),
            )
        answers = self._worker.ask(self._paths)
        now = time.time()
        rows = []
        for mounted, answer in zip(self._mounted, answers, strict=True):
            labels = mounted.labels
            stale_since = None
            if type(answer) is tuple:
                unit, blocks, free, avail, files, files_free = answer
                size, free, avail = unit * blocks, unit * free, unit * avail
                mounted.numbers = (size, free, avail, files, files_free)
                mounted.time = now
                yield Sample(SIZE, labels, size)
                yield Sample(FREE, labels, free)
                yield Sample(AVAIL, labels, avail)
                yield Sample(FILES, labels, files)
                yield Sample(FILES_FREE, labels, files_free)
                yield Sample(READONLY, labels, int(mounted.read_only))
                yield Sample(DEVICE_ERROR, labels, 0)
            else:
                # Of one that was not asked, or whose child failed, we cannot say that the device fails.
                if isinstance(answer, Silent) or (isinstance(answer, Failed) and answer.number):
                    yield Sample(DEVICE_ERROR, labels, 1)
                yield from _absences(mounted, answer, now)
                stale_since = answer.since if isinstance(answer, Silent) else (mounted.time or now)
            rows.append(_row(mounted, stale_since))
        yield Table("mounts", tuple(rows))

    def _learn(self, text: bytes) -> None:
        """What is mounted has changed: keep what is known of the mounts that stay."""
        known = {mounted.labels: mounted for mounted in self._mounted}
        found: dict[tuple[str, str, str], _Mounted] = {}
        for mount in mounts.parse(text):
            where = mount.mountpoint
            if self._rootfs:
                where = where.removeprefix(self._rootfs) or b"/"
            labels = (mount.device, where.decode("utf-8", "surrogateescape"), mount.fstype)
            if labels in found or not (self._mount_points.passes(labels[1]) and self._fs_types.passes(mount.fstype)):
                continue
            old = known.get(labels)
            if old is None:
                device = mounts.unescaped(os.fsencode(mount.device)).decode("utf-8", "surrogateescape")
                old = _Mounted(labels, os.path.normpath(self._rootfs + b"/" + where), device, mount.read_only)
            old.read_only = mount.read_only
            found[labels] = old
        self._mounted = sorted(found.values(), key=lambda mounted: mounted.labels[2] not in _LOCAL)
        self._paths = [mounted.path for mounted in self._mounted]
        self._text = text


def _row(mounted: _Mounted, stale_since: float | None) -> MountRow:
    size, free, avail, files, files_free = mounted.numbers or (None,) * 5
    _, mountpoint, fstype = mounted.labels
    return MountRow(
        mounted.device, mountpoint, fstype, size, free, avail, files, files_free, mounted.read_only, stale_since
    )


def _absences(mounted: _Mounted, answer: Failed | Silent | NotAsked, now: float) -> Iterator[Absence]:
    _, mountpoint, fstype = mounted.labels
    cure: Message | None = None
    if isinstance(answer, Silent):
        why = Why.LOST
        reason = Message(
            "{mountpoint} has not answered for {seconds:.0f} s ({fstype} of {device}); "
            "it is read again as soon as it answers",
            mountpoint=mountpoint, seconds=max(0.0, now - answer.since), fstype=fstype, device=mounted.device,
        )  # fmt: skip
        cure = Message("look after the server or process behind it, or let it go with umount -l")
    elif isinstance(answer, NotAsked):
        why = Why.FAILED
        reason = Message(
            "{mountpoint} was not asked this time: other file systems do not answer", mountpoint=mountpoint
        )
    elif answer.number in {errno.EACCES, errno.EPERM}:
        why = Why.FORBIDDEN
        reason = Message("{mountpoint}: {error}", mountpoint=mountpoint, error=answer.text)
        cure = Message("give this user the right to enter the folders above it, or exclude it")
    else:
        why = Why.LOST if answer.number in _SERVER_GONE else Why.FAILED
        reason = Message("{mountpoint}: {error}", mountpoint=mountpoint, error=answer.text)
    last: tuple[int | None, ...] = mounted.numbers or (None,) * 5
    last_time = mounted.time if mounted.numbers else None
    for spec, value in zip(_NUMBERS, last, strict=True):
        yield Absence(spec, mounted.labels, why, reason, cure, value, last_time)
