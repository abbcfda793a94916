"""/proc/driver/nvidia-caps: which device file opens which instance of a divided GPU (NVIDIA's MIG user guide, Device nodes)."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import NamedTuple

from bongsu.sources.root import Root

_NAME = b"nvidia-caps"
_LINE = re.compile(rb"^gpu(\d{1,3})/gi(\d{1,3})(?:/ci(\d{1,3}))?/access (\d{1,6})$", re.MULTILINE)


class Opens(NamedTuple):
    """What a device file opens: a GPU instance (``ci`` None), or a compute instance in one. ``gpu`` is N of /dev/nvidiaN."""

    gpu: int
    gi: int
    ci: int | None


def major(proc: Root) -> int | None:
    """The major number of /dev/nvidia-caps/*, which the kernel gives out anew at each start; None where there are none.

    From /proc/devices (proc(5)): lines of a number and a name, those of block devices last.

    Raises:
        OSError: it cannot be read.
    """
    for line in proc.read_once("devices").partition(b"Block devices:")[0].split(b"\n"):
        number, _, name = line.strip().partition(b" ")
        if name == _NAME and number.isdigit():
            return int(number)
    return None


def opened_by(proc: Root, minors: Collection[int]) -> frozenset[Opens]:
    """What the device files with these minor numbers open; those of the driver's own rights (config, monitor) nothing.

    Raises:
        OSError: the driver's list cannot be read.
    """
    found = _LINE.findall(proc.read_once("driver/nvidia-caps/mig-minors"))
    return frozenset(
        Opens(int(gpu), int(gi), int(ci) if ci else None) for gpu, gi, ci, minor in found if int(minor) in minors
    )
