"""/sys/class/powercap: energy counters of processors and memory (Documentation/power/powercap/powercap.rst)."""

from __future__ import annotations

import re
from typing import NamedTuple

from bongsu.sources.root import Root

_AT = "class/powercap"
_NUMBERED = re.compile(r"([^-]*)-([0-9]+)")


class Zone(NamedTuple):
    """A zone such as ``package`` 0; ``path`` is below /sys."""

    name: str
    number: int
    path: str


def folders(sys: Root) -> list[str]:
    """What lies in class/powercap: zones, and the drivers' own folders, which have no name."""
    return sys.names(_AT)


def zones(sys: Root, names: list[str]) -> list[Zone]:
    """The zones among these folders. A name's own number is its index; others of one name are counted."""
    found = []
    used: dict[str, int] = {}
    for folder in names:
        try:
            name = sys.read_once(f"{_AT}/{folder}/name").decode("utf-8", "surrogateescape").strip()
        except OSError:
            continue
        index = used.get(name, 0)
        if match := _NUMBERED.fullmatch(name):
            name, index = match[1], int(match[2])
        used[name] = index + 1
        found.append(Zone(name, index, f"{_AT}/{folder}"))
    return found


def energy(sys: Root, zone: Zone) -> int:
    """Microjoules used; begins again at 0 after ``max_energy_range_uj``.

    Raises:
        OSError: it cannot be read; since Linux 5.10 only by root.
        ValueError: it is no number.
    """
    return int(sys.read(f"{zone.path}/energy_uj"))
