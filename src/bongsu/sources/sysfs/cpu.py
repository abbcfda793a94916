"""/sys/devices/system/cpu: which CPUs there are, and how often heat slowed them down.

Documentation/ABI/testing/sysfs-devices-system-cpu and Documentation/admin-guide/cputopology.rst.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, NamedTuple, TypeVar

from bongsu.sources.root import Root

DIRECTORY = "devices/system/cpu"
_Key = TypeVar("_Key")


class Place(NamedTuple):
    """What a throttle counter speaks for: a core of a package, or (where ``core`` is None) a package."""

    package: int
    core: int | None


def directories(sys: Root) -> list[str]:
    """Names such as ``cpu0`` of all CPUs that are present, sorted as text."""
    return [name for name in sys.names(DIRECTORY) if name[:3] == "cpu" and name[3:4].isdigit()]


def throttle_files(sys: Root) -> list[tuple[Place, str]]:
    """The files that count throttling; empty where the CPU or the hypervisor does not.

    All threads of a core, and all cores of a package, show the same counter: the first speaks for all.
    """
    found: dict[Place, str] = {}
    for name in directories(sys):
        at = f"{DIRECTORY}/{name}"
        package = sys.number(f"{at}/topology/physical_package_id")
        core = sys.number(f"{at}/topology/core_id")
        if package is None or core is None or package < 0 or core < 0:
            continue
        for file, place in (("core", Place(package, core)), ("package", Place(package, None))):
            path = f"{at}/thermal_throttle/{file}_throttle_count"
            if place not in found and sys.number(path) is not None:
                found[place] = path
    return list(found.items())


class CpuFiles(Generic[_Key]):
    """Reads one-number files of CPUs. ``find`` lists them; it is asked again when a CPU comes or goes."""

    def __init__(self, sys: Root, find: Callable[[Root], list[tuple[_Key, str]]]) -> None:
        self._sys = sys
        self._find = find
        self._online: bytes | None = None
        self._files: list[tuple[_Key, str]] | None = None

    def read(self) -> list[tuple[_Key, int]]:
        """What each file says; one that no longer answers is left out.

        Raises:
            OSError: the directory of CPUs cannot be read.
            ValueError: a file holds no number of at most 64 bits.
        """
        try:
            online = self._sys.read(f"{DIRECTORY}/online")
        except OSError:
            online = None
        if self._files is None or online is None or online != self._online:
            self._files, self._online = self._find(self._sys), online
        found = []
        for key, path in self._files:
            number = self._sys.number(path)
            if number is None:
                self._online = None  # look for the files again next time
            elif 0 <= number < 1 << 64:
                found.append((key, number))
            else:
                raise ValueError(f"{path}: {number} is out of range")
        return found
