"""/proc/PID/environ: the few variables that tell what a process works for (proc_pid_environ(5)); never the rest of them."""

from __future__ import annotations

import os

from bongsu.sources.procfs.process import parse_stat
from bongsu.sources.root import Root

# Environments hold passwords and keys. Only what is named here is kept, in memory or anywhere.
ALLOWED = frozenset(
    {
        b"SLURM_JOB_ID", b"SLURM_JOBID", b"SLURM_STEP_ID", b"SLURM_STEPID", b"SLURM_JOB_NAME", b"SLURM_JOB_USER",
        b"SLURM_ARRAY_JOB_ID", b"SLURM_ARRAY_TASK_ID", b"CUDA_VISIBLE_DEVICES", b"NVIDIA_VISIBLE_DEVICES",
    }
)  # fmt: skip
LONGEST_READ = 256 * 1024  # bytes; what lies behind is not looked at
LONGEST_VALUE = 1024  # bytes; a longer one is none of these
_CHUNK = 64 * 1024
_DIRECTORY = os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_CLOEXEC


def environment(proc: Root, pid: int, start_ticks: int) -> dict[str, str] | None:
    """The allowed variables of the process with this number and start; None if it may not be read or has gone.

    It is what the process started with, or has since written over it: its own word, to be believed
    only as far as something else agrees.
    """
    try:
        directory = os.open(proc.join(str(pid)), _DIRECTORY)
    except OSError:
        return None
    try:
        if parse_stat(_read(directory, "stat", 4096)).start_ticks != start_ticks:
            return None  # the number is another's now
        return parse_environment(_read(directory, "environ", LONGEST_READ))
    except (OSError, ValueError, IndexError):
        return None
    finally:
        os.close(directory)


def parse_environment(text: bytes) -> dict[str, str]:
    r"""The allowed ones among ``NAME=value\0…``; of two of one name the first, as getenv(3) has it.

    A value that is longer than it can honestly be, or that holds a newline, is left out, and so is
    one that the end of what was read cuts off. Bytes that are not UTF-8 become lone surrogates.
    """
    found: dict[str, str] = {}
    seen: set[bytes] = set()
    for entry in text[: text.rfind(b"\0") + 1].split(b"\0"):
        name, is_set, value = entry.partition(b"=")
        if name in ALLOWED and is_set and name not in seen:
            seen.add(name)
            if len(value) <= LONGEST_VALUE and b"\n" not in value:
                found[name.decode("ascii")] = value.decode("utf-8", "surrogateescape")
    return found


def _read(directory: int, name: str, most: int) -> bytes:
    fd = os.open(name, _FILE, dir_fd=directory)
    try:
        parts = []
        while most > 0 and (part := os.read(fd, min(most, _CHUNK))):
            parts.append(part)
            most -= len(part)
        return b"".join(parts)
    finally:
        os.close(fd)
