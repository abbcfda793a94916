"""/sys/devices/system/clocksource: what the kernel counts time with (ABI/testing/sysfs-devices-clocksource)."""

from __future__ import annotations

from typing import NamedTuple

from bongsu.sources.root import Root

_DIRECTORY = "devices/system/clocksource"


class ClockSource(NamedTuple):
    """One clock source device: what it uses and what it could use."""

    current: str
    available: tuple[str, ...]


def read(sys: Root) -> list[ClockSource]:
    """Each device (machines have one), in order of name; empty where sysfs has none.

    Raises:
        OSError: one cannot be read.
    """
    return [
        ClockSource(
            sys.text(f"{_DIRECTORY}/{name}/current_clocksource").strip(),
            tuple(sys.text(f"{_DIRECTORY}/{name}/available_clocksource").split()),
        )
        for name in sys.names(_DIRECTORY)
        if name[:11] == "clocksource" and name[11:12].isdigit()
    ]
