"""/proc/stat: where each CPU's time went, and what the kernel counted since boot (proc(5))."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from bongsu.sources.counts import count, counts
from bongsu.sources.root import Root

TICKS_PER_SECOND = 100  # USER_HZ, the unit of /proc/stat, is 100 on every architecture that we support

# The order of the columns. Kernels before 2.6.33 have fewer, so a list of ticks may be shorter.
MODES = ("user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal", "guest", "guest_nice")

# The order of the columns of `softirq` (include/linux/interrupt.h), after the sum.
SOFTIRQS = ("hi", "timer", "net_tx", "net_rx", "block", "block_iopoll", "tasklet", "sched", "hrtimer", "rcu")


class Totals(NamedTuple):
    """Counts since boot; None where this kernel has no such line. Boot time is in Unix seconds."""

    interrupts: int | None
    context_switches: int | None
    boot_time: int | None
    forks: int | None
    running: int | None
    blocked: int | None
    softirqs: Sequence[int]  # in the order of SOFTIRQS; empty where there is no such line


def cpus(proc: Root) -> list[tuple[bytes, Sequence[int]]]:
    """Each CPU that is online, as its number in ASCII and its ticks in the order of MODES.

    Raises:
        OSError: it cannot be read.
        ValueError: it is not what the kernel writes.
    """
    found: list[tuple[bytes, Sequence[int]]] = []
    for line in proc.read("stat").splitlines():
        if line[:3] != b"cpu":
            if found:
                break  # the lines of CPUs come first (fs/proc/stat.c)
            continue
        name, *ticks = line.split(None, 11)[:11]
        if name != b"cpu":
            number = name[3:]
            if not number.isdigit() or len(ticks) < 4:
                raise ValueError(f"stat: {line[:40]!r} is not a line of a CPU")
            found.append((number, counts(ticks)))
    return found


def totals(proc: Root) -> Totals:
    """What is counted for the whole machine.

    Raises:
        OSError: it cannot be read.
        ValueError: it is not what the kernel writes.
    """
    data = proc.read("stat")
    start = data.find(b"intr ")  # on a large machine most of the file lies before and in this line
    values: dict[bytes, int] = {}
    softirqs: Sequence[int] = ()
    for line in data[max(start, 0) :].split(b"\n"):
        name, _, rest = line.partition(b" ")
        if name == b"softirq":
            softirqs = counts(rest.split()[1 : len(SOFTIRQS) + 1])
        elif name[:3] != b"cpu" and rest:
            values[name] = count(rest.partition(b" ")[0])
    if not values:
        raise ValueError("stat holds no totals")
    return Totals(
        values.get(b"intr"), values.get(b"ctxt"), values.get(b"btime"), values.get(b"processes"),
        values.get(b"procs_running"), values.get(b"procs_blocked"), softirqs,
    )  # fmt: skip
