"""/sys/devices/system/edac: memory errors by controller and row (Documentation/admin-guide/RAS/main.rst)."""

from __future__ import annotations

import re

from bongsu.sources.root import Root

AT = "devices/system/edac/mc"
_CONTROLLER = re.compile(r"mc([0-9]+).*")
_ROW = re.compile(r"csrow([0-9]+).*")


def controllers(sys: Root) -> list[tuple[str, str]]:
    """Folder and number of each memory controller."""
    return [(f"{AT}/{name}", match[1]) for name in sys.names(AT) if (match := _CONTROLLER.fullmatch(name))]


def rows(sys: Root, controller: str) -> list[tuple[str, str]]:
    """Folder and number of each row of memory chips of a controller's folder."""
    return [(f"{controller}/{name}", match[1]) for name in sys.names(controller) if (match := _ROW.fullmatch(name))]


def count(sys: Root, path: str) -> int:
    """A counter, since the driver was loaded or the counters were reset.

    Raises:
        OSError: there is none.
        ValueError: it is no number.
    """
    return int(sys.read(path))
