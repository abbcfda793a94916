"""/sys/class/thermal: zones and what cools them (Documentation/driver-api/thermal/sysfs-api.rst)."""

from __future__ import annotations

import re

from bongsu.sources.root import Root

_AT = "class/thermal"
_NUMBERED = re.compile(r"(thermal_zone|cooling_device)([0-9].*)")


def devices(sys: Root) -> tuple[list[str], list[str]]:
    """What follows ``thermal_zone`` and ``cooling_device`` in the names of the zones and of the cooling devices."""
    found: dict[str, list[str]] = {"thermal_zone": [], "cooling_device": []}
    for name in sys.names(_AT):
        if match := _NUMBERED.fullmatch(name):
            found[match[1]].append(match[2])
    return found["thermal_zone"], found["cooling_device"]


def kind(sys: Root, device: str) -> str:
    """The type of a zone (``x86_pkg_temp``) or of a cooling device (``Processor``).

    Raises:
        OSError: it has gone or does not say.
    """
    return sys.text(f"{_AT}/{device}/type").strip()


def temperature(sys: Root, zone: str) -> int:
    """Millidegrees Celsius.

    Raises:
        OSError: the zone gives no temperature now (ENODATA, EAGAIN: its sensor is off) or has gone.
        ValueError: it is no number.
    """
    return int(sys.read(f"{_AT}/thermal_zone{zone}/temp"))


def cooling(sys: Root, device: str) -> tuple[int, int]:
    """How hard it cools, from 0 (-1: it does not say), and the most that it can.

    Raises:
        OSError: it has gone or does not say.
        ValueError: it is no number.
    """
    at = f"{_AT}/cooling_device{device}"
    return int(sys.read(f"{at}/cur_state")), int(sys.read(f"{at}/max_state"))
