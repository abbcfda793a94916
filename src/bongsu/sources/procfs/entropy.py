"""/proc/sys/kernel/random: what the kernel's random number generator has gathered (random(4))."""

from __future__ import annotations

from typing import NamedTuple

from bongsu.sources.counts import count
from bongsu.sources.root import Root


class Entropy(NamedTuple):
    """Bits in the pool, and how many it can hold."""

    available: int
    pool_size: int


def read(proc: Root) -> Entropy:
    """Read the pool's state.

    Raises:
        OSError: it cannot be read.
        ValueError: it is not what the kernel writes.
    """
    return Entropy(count(proc.read("sys/kernel/random/entropy_avail")), count(proc.read("sys/kernel/random/poolsize")))
