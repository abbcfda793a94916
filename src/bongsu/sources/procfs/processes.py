"""/proc/PID/stat and /proc/PID/task: in which states processes and threads are (proc(5))."""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

from bongsu.sources.counts import count
from bongsu.sources.root import Root


class States(NamedTuple):
    """How many processes and threads there are, in all and by the letter of their state."""

    processes: Counter[str]
    threads: Counter[str]
    thread_count: int  # as the processes say; a thread may end while they are counted


def read(proc: Root) -> States:
    """Look at every process and thread. One that ends meanwhile is not counted.

    Raises:
        OSError: the list cannot be read, or a process in another way than by its end.
        ValueError: a file is not what the kernel writes.
    """
    processes: Counter[str] = Counter()
    threads: Counter[str] = Counter()
    total = 0
    for pid in proc.names():
        if not pid.isdigit():
            continue
        try:
            state, count_of_threads = _state(proc.read_once(f"{pid}/stat"))
        except (FileNotFoundError, ProcessLookupError):
            continue
        processes[state] += 1
        total += count_of_threads
        if count_of_threads == 1:
            threads[state] += 1
            continue
        for tid in proc.names(f"{pid}/task"):
            try:
                threads[_state(proc.read_once(f"{pid}/task/{tid}/stat"))[0]] += 1
            except (FileNotFoundError, ProcessLookupError):
                continue
    return States(processes, threads, total)


def limits(proc: Root) -> tuple[int, int]:
    """How many threads, and how many process numbers, there may be.

    Raises:
        OSError, ValueError: they cannot be read or understood.
    """
    return count(proc.read("sys/kernel/threads-max")), count(proc.read("sys/kernel/pid_max"))


def _state(stat: bytes) -> tuple[str, int]:
    # The name in parentheses may itself hold spaces and parentheses, so the last one counts.
    fields = stat[stat.rfind(b")") + 2 :].split(None, 18)
    if len(fields) < 18:
        raise ValueError("stat of a process is too short")
    return fields[0].decode("ascii", "surrogateescape"), count(fields[17])
