"""/proc/pressure: how long tasks waited for CPU, disk and memory (Documentation/accounting/psi.rst)."""

from __future__ import annotations

from typing import NamedTuple

from bongsu.sources.counts import count
from bongsu.sources.root import Root


class Pressure(NamedTuple):
    """Microseconds since boot in which some task, or all of them at once, waited; None where not counted."""

    some: int | None
    full: int | None


def read(proc: Root, resource: str) -> Pressure:
    """Read one of ``cpu``, ``io``, ``memory``.

    Raises:
        FileNotFoundError: the kernel was built without PSI.
        OSError: EOPNOTSUPP where it was switched off at boot; or it cannot be read.
        ValueError: it is not what the kernel writes.
    """
    found: dict[bytes, int] = {}
    for line in proc.read(f"pressure/{resource}").splitlines():
        head, total, number = line.rpartition(b" total=")
        if not total:
            raise ValueError(f"pressure/{resource}: {line[:40]!r} has no total")
        found[head[:4]] = count(number)
    if not found:
        raise ValueError(f"pressure/{resource} is empty")
    return Pressure(found.get(b"some"), found.get(b"full"))
