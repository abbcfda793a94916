"""What a cgroup says of its use, alike for cgroup v1 and v2, and one cgroup's directory to read it from."""

from __future__ import annotations

import errno
import os
from typing import NamedTuple, Self

_DIRECTORY = os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_CLOEXEC
_CHUNK = 16384
_MOST = 1 << 64  # the kernel's counters are 64 bits wide; a machine has at most 8192 CPUs
_MOST_CPUS = 8192
_ABSENT = frozenset({errno.ENOENT, errno.EOPNOTSUPP, errno.EACCES, errno.EPERM, errno.EINVAL, errno.EIO})


class Gone(Exception):  # noqa: N818  not an error: cgroups end
    """The cgroup was removed while, or before, it was read: nothing of it is zero."""


class Cpu(NamedTuple):
    """CPU time since the cgroup was made, in seconds; it holds what ended processes used."""

    seconds: float
    user_seconds: float | None
    system_seconds: float | None


class Throttling(NamedTuple):
    """How often, and for how long, a CPU limit stopped the cgroup."""

    periods: int  # enforcement periods in which something wanted to run
    throttled_periods: int
    throttled_seconds: float  # summed over CPUs


class Memory(NamedTuple):
    """Memory that the cgroup is charged for, in bytes. Each is None where this kernel does not tell it."""

    current: int | None
    anon: int | None = None  # heaps and stacks
    file: int | None = None  # page cache without tmpfs and shared memory
    shmem: int | None = None  # tmpfs and shared memory
    kernel: int | None = None
    inactive_file: int | None = None  # page cache that is given up first
    peak: int | None = None
    swap: int | None = None
    oom_kills: int | None = None
    limit: int | None = None  # v1 only: the smallest of the way up; v2 must be asked level by level


class DeviceIO(NamedTuple):
    """What went to and came from one block device ("8:0") for the cgroup since it was made."""

    device: str
    read_bytes: int
    written_bytes: int
    reads: int | None
    writes: int | None


class Waited(NamedTuple):
    """Pressure: seconds in which some task of the cgroup, or all that had work, waited (Documentation/accounting/psi.rst)."""

    some_seconds: float | None
    full_seconds: float | None


class Directory:
    """One cgroup's directory, held open so that its files are of this very cgroup.

    Raises:
        Gone: there is no such cgroup.
        OSError: it cannot be opened for another reason.
    """

    __slots__ = ("_fd", "path")

    def __init__(self, path: str) -> None:
        self.path = path
        try:
            self._fd = os.open(path, _DIRECTORY)
        except (FileNotFoundError, NotADirectoryError):
            raise Gone(path) from None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._fd)

    def read(self, name: str) -> bytes | None:
        """A whole file, or None where this cgroup has none of that name or does not let us read it.

        Raises:
            Gone: the cgroup was removed.
        """
        try:
            fd = os.open(name, _FILE, dir_fd=self._fd)
        except OSError as error:
            if error.errno == errno.ENODEV:
                raise Gone(self.path) from None
            if error.errno in _ABSENT:
                return None
            raise
        try:
            text = os.read(fd, _CHUNK)
            while len(text) % _CHUNK == 0 and (more := os.read(fd, _CHUNK)):  # these files come whole, if they fit
                text += more
            return text
        except OSError as error:
            if error.errno == errno.ENODEV:  # kernfs answers so once the cgroup is gone
                raise Gone(self.path) from None
            if error.errno in _ABSENT:
                return None
            raise
        finally:
            os.close(fd)

    def number(self, name: str) -> int | None:
        """A file of one count; None where it is absent, "max", negative or no number."""
        return count(self.read(name))

    def must_be(self) -> None:
        """Make sure that what was absent was not so because the cgroup was removed.

        Raises:
            Gone: it was.
        """
        try:
            if os.path.samestat(os.stat(self.path), os.fstat(self._fd)):
                return
        except OSError:
            pass
        raise Gone(self.path)

    def subdirectories(self) -> int:
        """How many cgroups lie directly in this one (kernfs counts them as links), without a walk."""
        return os.fstat(self._fd).st_nlink - 2


def lone(path: str) -> bytes | None:
    """One file of a cgroup of which no other is read; None where we may not.

    Raises:
        Gone: there is no such file: the cgroup was removed, or its root has none of that name.
    """
    try:
        with open(path, "rb", buffering=0) as file:
            return file.read(_CHUNK)
    except OSError as error:
        if error.errno in {errno.ENOENT, errno.ENODEV, errno.ENOTDIR}:
            raise Gone(path) from None
        if error.errno in _ABSENT:
            return None
        raise


def count(text: bytes | None) -> int | None:
    """A count as the kernel prints it; None for anything else, "max" too."""
    if text is None:
        return None
    try:
        number = int(text)
    except ValueError:
        return None
    return number if 0 <= number < _MOST else None


def fields(text: bytes | None) -> dict[bytes, bytes]:
    """A flat keyed file (``memory.stat``, ``cpu.stat``): name and value on each line. Empty where there is no text."""
    if not text:
        return {}
    words = text.split()
    return dict(zip(words[::2], words[1::2], strict=False))


def waited(text: bytes | None) -> Waited | None:
    """A pressure file; None where this kernel does not measure it."""
    if not text:
        return None
    found: dict[bytes, float] = {}
    for line in text.splitlines():
        head, mark, number = line.rpartition(b" total=")
        microseconds = count(number) if mark else None
        if microseconds is not None:
            found[head[:4]] = microseconds / 1e6
    some = found.get(b"some")
    return None if some is None else Waited(some, found.get(b"full"))


def cpus_in(text: bytes | None) -> int | None:
    """How many CPUs a list such as ``0-3,8`` names; None where it names none or is no list (cpuset(7))."""
    if not text:
        return None
    total = 0
    for part in text.strip().split(b","):
        first, _, last = part.partition(b"-")
        low, high = count(first), count(last or first)
        if low is None or high is None or not low <= high < _MOST_CPUS:
            return None
        total += high - low + 1
    return total


def cores(quota: int | None, period: int | None) -> float | None:
    """A CPU limit in cores, from microseconds each period; None where there is none."""
    return None if quota is None or not period else quota / period
