"""The only way to /proc, /sys and the root file system: every path is under a root that can be moved."""

from __future__ import annotations

import errno
import os
import resource
import threading
from dataclasses import dataclass

from bongsu.model.errors import BadInput
from bongsu.model.message import Message

# What a sysfs attribute answers when the device has no such reading (Documentation/hwmon/sysfs-interface.rst,
# drivers return ENODATA, ENXIO, EOPNOTSUPP, EINVAL or EIO for a sensor that cannot answer now).
NO_ANSWER = frozenset(
    {
        errno.ENOENT, errno.ENOTDIR, errno.ENODEV, errno.ENXIO, errno.EINVAL, errno.EOPNOTSUPP, errno.ENODATA,
        errno.EIO, errno.EAGAIN, errno.EBUSY, errno.ETIMEDOUT, errno.EREMOTEIO, errno.EISDIR,
    }
)  # fmt: skip
_FORBIDDEN = frozenset({errno.EACCES, errno.EPERM})
_GONE = frozenset({errno.ENODEV, errno.ENOENT, errno.ESRCH, errno.ESTALE, errno.EBADF})  # of a descriptor we hold
_PAGE = 4096
_CHUNK = 65536
_LARGEST = 256 * 1024 * 1024  # a /proc file longer than this is not one


class _Descriptors:
    """One thread's kept descriptors in two generations, so that what is no longer read gets closed."""

    __slots__ = ("budget", "new", "old")

    def __init__(self, budget: int) -> None:
        self.budget = budget
        self.new: dict[str, int] = {}
        self.old: dict[str, int] = {}

    def get(self, path: str) -> int | None:
        fd = self.new.get(path)
        if fd is None and (fd := self.old.pop(path, None)) is not None:
            self.put(path, fd)
        return fd

    def put(self, path: str, fd: int) -> None:
        if len(self.new) >= self.budget:
            for stale in self.old.values():
                os.close(stale)
            self.old, self.new = self.new, {}
        self.new[path] = fd

    def forget(self, path: str) -> None:
        fd = self.new.pop(path, None)
        if fd is None:
            fd = self.old.pop(path, None)
        if fd is not None:
            os.close(fd)

    def close(self) -> None:
        for fd in (*self.new.values(), *self.old.values()):
            os.close(fd)
        self.new.clear()
        self.old.clear()

    def __del__(self) -> None:
        self.close()


class _PerThread(threading.local):
    """Descriptors are never shared by threads: one may close what another is about to read."""

    descriptors: _Descriptors | None = None


class _Latest(threading.local):
    """What each thread read last, so that a complaint about a text can name the file."""

    file: tuple[Root, str] | None = None


_latest = _Latest()


def forget_latest() -> None:
    """Before a collector reads, so that nothing of another one's is blamed."""
    _latest.file = None


def latest_file() -> str:
    """The full path of the file that this thread read last; "" if it read none since `forget_latest`."""
    return "" if _latest.file is None else _latest.file[0].join(_latest.file[1])


class Root:
    """Reads files below one directory.

    On a real procfs or sysfs, descriptors are kept and re-read with ``pread`` (half the cost of
    opening again); on an ordinary tree (a captured machine) each read opens the file, since there
    a file may be replaced.
    """

    __slots__ = ("_budget", "_keeps", "_page_is_whole", "_per_thread", "path")

    def __init__(self, path: str) -> None:
        self.path = path.rstrip("/") or "/"
        kind = _file_system_type(self.path)
        self._keeps = kind in {"proc", "sysfs"}
        self._page_is_whole = kind == "sysfs"  # an attribute never exceeds a page
        self._budget = max(32, min(256, resource.getrlimit(resource.RLIMIT_NOFILE)[0] // 8))
        self._per_thread = _PerThread()

    def __repr__(self) -> str:
        return f"Root({self.path!r})"

    @property
    def live(self) -> bool:
        """Whether this is the kernel's own procfs or sysfs, not a captured tree."""
        return self._keeps

    def join(self, relative: str) -> str:
        """The full path of a file below this root."""
        return f"/{relative}" if self.path == "/" else f"{self.path}/{relative}"

    def read(self, relative: str) -> bytes:
        """The whole file, to its end, from a kept descriptor where that is safe.

        Raises:
            OSError: as the kernel answers; a file of a device that has gone is ENOENT or ENODEV.
        """
        _latest.file = (self, relative)
        if not self._keeps:
            return self.read_once(relative)
        kept = self._per_thread.descriptors
        if kept is None:
            kept = self._per_thread.descriptors = _Descriptors(self._budget)
        fd = kept.get(relative)
        if fd is not None:
            try:
                return _read_to_end(fd, self._page_is_whole)
            except OSError as error:
                if error.errno not in _GONE:
                    raise  # it is still there and has no answer now, as the speed of a link that is down
                kept.forget(relative)  # the device may have been replaced by one of the same name
        fd = os.open(self.join(relative), os.O_RDONLY | os.O_CLOEXEC)
        kept.put(relative, fd)
        try:
            return _read_to_end(fd, self._page_is_whole)
        except OSError as error:
            if error.errno in _GONE:
                kept.forget(relative)
            raise

    def read_once(self, relative: str) -> bytes:
        """The whole file, opened and closed: for files that come and go, as those of processes."""
        _latest.file = (self, relative)
        fd = os.open(self.join(relative), os.O_RDONLY | os.O_CLOEXEC)
        try:
            return _read_to_end(fd, self._page_is_whole)
        finally:
            os.close(fd)

    def text(self, relative: str) -> str:
        """As `read`, decoded; bytes that are not UTF-8 become lone surrogates and survive a round trip."""
        return self.read(relative).decode("utf-8", "surrogateescape")

    def attribute(self, relative: str) -> str | None:
        """A one-value file without its newline, or None where the device has no such reading.

        Raises:
            PermissionError: it is there but we may not read it.
            OSError: another failure.
        """
        try:
            return self.text(relative).strip()
        except OSError as error:
            if error.errno in NO_ANSWER:
                return None
            raise

    def number(self, relative: str) -> int | None:
        """An attribute as an integer; None where it is absent, forbidden or not a number."""
        try:
            text = self.attribute(relative)
        except PermissionError:
            return None
        if text is None:
            return None
        try:
            return int(text, 0) if text.startswith("0x") else int(text)
        except ValueError:
            return None

    def names(self, relative: str = "") -> list[str]:
        """Sorted names in a directory; empty where there is no such directory."""
        try:
            return sorted(os.listdir(self.join(relative) if relative else self.path))
        except OSError as error:
            if error.errno in NO_ANSWER:
                return []
            raise

    def exists(self, relative: str) -> bool:
        """Whether something is there (a dangling link is not)."""
        return os.path.exists(self.join(relative))

    def is_directory(self, relative: str) -> bool:
        """Whether a directory, or a link to one, is there."""
        return os.path.isdir(self.join(relative))

    def link(self, relative: str) -> str | None:
        """Where a symbolic link points, as written; None where there is none."""
        try:
            return os.readlink(self.join(relative))
        except OSError:
            return None


@dataclass(frozen=True, slots=True, weakref_slot=True)
class Machine:
    """The roots of the machine that is read: this one, the host seen from a container, or a captured tree."""

    proc: Root
    sys: Root
    rootfs: Root
    udev: Root  # udev's database, where block devices have their names

    @classmethod
    def at(
        cls, procfs: str = "/proc", sysfs: str = "/sys", rootfs: str = "/", udev: str | None = None, *,
        options: tuple[str, str, str] = ("--procfs", "--sysfs", "--rootfs"),
    ) -> Machine:  # fmt: skip
        """The machine whose trees are mounted at these paths; ``options`` are the words for the first three in complaints.

        Raises:
            BadInput: one is no directory, or ``procfs`` is not one; the message names the option and the cure.
        """
        for option, path in zip(options, (procfs, sysfs, rootfs), strict=True):
            if not os.path.isdir(path):
                problem = "this is not a directory" if os.path.exists(path) else "there is no such directory"
                raise BadInput(
                    Message("{option} {path}: {problem}; give a directory or leave it out",
                            option=option, path=path, problem=problem)
                )  # fmt: skip
        lacking = _not_a_proc(procfs)
        if lacking is not None:
            raise BadInput(
                Message(
                    "{option} {path}: this is not a proc file system, {lacking}; "
                    "mount one there, or leave it out to read /proc",
                    option=options[0], path=procfs, lacking=lacking,
                )
            )  # fmt: skip
        rootfs_root = Root(rootfs)
        return cls(Root(procfs), Root(sysfs), rootfs_root, Root(udev or rootfs_root.join("run/udev/data")))


def may_not_read(error: OSError) -> bool:
    """Whether the kernel refused us (rather than having nothing to say)."""
    return error.errno in _FORBIDDEN


def _read_to_end(fd: int, page_is_whole: bool) -> bytes:
    # One read of a seq_file gives about one page however large the buffer is (fs/seq_file.c), so a
    # short answer does not mean the end: only an empty one does.
    first = os.pread(fd, _CHUNK, 0)
    if not first or (page_is_whole and len(first) < _PAGE):
        return first
    more = os.pread(fd, _CHUNK, len(first))
    if not more:
        return first
    parts = [first]
    size = len(first)
    while more:
        parts.append(more)
        size += len(more)
        if size > _LARGEST:
            raise OSError(errno.EFBIG, os.strerror(errno.EFBIG))
        more = os.pread(fd, _CHUNK, size)
    return b"".join(parts)


def _not_a_proc(path: str) -> Message | None:
    """What is wrong with a directory that should be a procfs. A captured one may hold any damage, so little is asked."""
    try:
        with open(os.path.join(path, "stat"), "rb") as file:
            pid, bracket, _ = file.read(32).partition(b" (")  # proc_pid_stat(5)
    except FileNotFoundError:
        return Message("stat is missing")
    except OSError as error:
        return Message("stat cannot be read ({reason})", reason=error.strerror)
    return Message("it is the directory of one process") if bracket and pid.isdigit() else None


def _file_system_type(path: str) -> str:
    """The type of the file system that holds ``path``, from /proc/self/mountinfo (proc(5)); "" if unknown."""
    try:
        device = os.stat(path).st_dev
        with open("/proc/self/mountinfo", "rb") as mounts:
            wanted = f"{os.major(device)}:{os.minor(device)}".encode()
            for line in mounts:
                fields = line.split()
                if fields[2] == wanted:
                    return fields[fields.index(b"-") + 1].decode()
    except (OSError, ValueError, IndexError):
        pass
    return ""
