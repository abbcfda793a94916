"""/sys/devices/system/cpu/cpu*/cpufreq: how fast each CPU runs and may run.

Documentation/admin-guide/pm/cpufreq.rst; all frequencies are in kHz there.
"""

from __future__ import annotations

from typing import NamedTuple

from bongsu.sources.root import Root
from bongsu.sources.sysfs import cpu

FILES = (
    "cpuinfo_cur_freq", "cpuinfo_min_freq", "cpuinfo_max_freq",
    "scaling_cur_freq", "scaling_min_freq", "scaling_max_freq",
)  # fmt: skip


class Which(NamedTuple):
    """Which frequency of which CPU: ``file`` is an index into FILES."""

    file: int
    cpu: str


def is_forbidden(sys: Root) -> bool:
    """Whether the hardware's own frequency, which root alone may read, is there and kept from us.

    Raises:
        OSError: it fails in another way than being absent or forbidden.
    """
    for directory in cpu.directories(sys):
        try:
            if sys.attribute(f"{cpu.DIRECTORY}/{directory}/cpufreq/{FILES[0]}") is not None:
                return False
        except PermissionError:
            return True
    return False


def files(sys: Root) -> list[tuple[Which, str]]:
    """The files that answer with a number; a driver offers some of FILES, and root may read more of them."""
    return [
        (Which(file, directory[3:]), path)
        for directory in cpu.directories(sys)
        if sys.is_directory(f"{cpu.DIRECTORY}/{directory}/cpufreq")
        for file, name in enumerate(FILES)
        if sys.number(path := f"{cpu.DIRECTORY}/{directory}/cpufreq/{name}") is not None
    ]
