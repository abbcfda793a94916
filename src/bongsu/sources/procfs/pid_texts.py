"""What the kernel's files about one process say, taken apart (proc_pid_stat(5), proc_pid_io(5), proc_pid_status(5)).

Imported by the monitor of a run, which must stay small: the standard library only, and no typing.
"""

from __future__ import annotations

import os

TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
_CUT = 15  # bytes of a name that the kernel keeps (TASK_COMM_LEN less the end mark)


def stat_fields(line: bytes, wanted: int) -> tuple[bytes, list[bytes]]:
    """The name in one /proc/PID/stat and the fields after it, from the state on: at least so many, and the rest in one.

    The name may hold spaces and parentheses, so fields are counted from the last ``)``.

    Raises:
        ValueError: it is not what the kernel writes.
    """
    opened, closed = line.find(b"("), line.rfind(b")")
    fields = line[closed + 2 :].split(None, wanted)
    if opened < 0 or closed < opened or len(fields) < wanted:
        raise ValueError(f"stat of a process has {len(fields)} fields after the name, expected {wanted} or more")
    return line[opened + 1 : closed], fields


def start_ticks(line: bytes) -> int:
    """When the process of a /proc/PID/stat started, in clock ticks after boot: `parse_stat` for that alone.

    Raises:
        ValueError, IndexError: it is not what the kernel writes.
    """
    return int(line[line.rindex(b")") + 2 :].split(None, 20)[19])


def status_field(text: bytes, name: bytes) -> bytes:
    """What a line of /proc/PID/status says after its name and tab.

    Raises:
        ValueError: there is no such line.
    """
    start = text.find(b"\n" + name + b":\t")
    if start < 0:
        raise ValueError(f"status of a process has no {name.decode()} line")
    start += len(name) + 3
    return text[start : text.find(b"\n", start)]


def parse_io(text: bytes) -> tuple[int, int]:
    """Bytes that /proc/PID/io says were read from and sent to storage.

    Raises:
        ValueError: it is not what the kernel writes.
    """
    words = text.split()
    if len(words) < 12 or words[8] != b"read_bytes:" or words[10] != b"write_bytes:":
        raise ValueError("io of a process lacks read_bytes or write_bytes")
    return int(words[9]), int(words[11])


def parse_uid(text: bytes) -> int:
    """The effective user in /proc/PID/status: the second number of its Uid line.

    Raises:
        ValueError: there is no such line.
    """
    start = text.find(b"\nUid:")
    words = text[start + 5 :].split(None, 2) if start >= 0 else []
    if len(words) < 2:
        raise ValueError("status of a process has no Uid line")
    return int(words[1])


def program_name(comm: bytes, exe: bytes, arguments: bytes) -> bytes:
    """The base name of the program: by its link, else by its first argument where that completes a cut name.

    ``exe`` and ``arguments`` are empty where they cannot be read. The first argument is the
    program's own claim and is believed only as far as the kernel's short name agrees with it.
    """
    if exe and not exe.startswith(b"/memfd:"):  # a program that was never in a file has a made-up name
        return exe.removesuffix(b" (deleted)").rpartition(b"/")[2] or comm
    if len(comm) == _CUT:
        claimed = arguments.split(b"\0", 1)[0].rpartition(b"/")[2]
        if claimed.startswith(comm):
            return claimed
    return comm
