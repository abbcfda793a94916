"""/proc/interrupts: how often each interrupt reached each CPU (proc(5))."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from bongsu.sources.counts import counts
from bongsu.sources.root import Root


class Interrupt(NamedTuple):
    """One line. ``name`` and ``words`` are as written: the same bytes for the same interrupt at each reading."""

    name: bytes
    words: bytes
    per_cpu: Sequence[int]  # in the order of the CPUs


class Source(NamedTuple):
    """What an interrupt is: a number with its chip and devices, or a name such as ``LOC`` with its description."""

    name: str
    info: str
    devices: str


def read(proc: Root) -> tuple[tuple[str, ...], Iterator[Interrupt]]:
    """The numbers of the CPUs that are online, and the interrupts that are counted per CPU.

    Raises:
        OSError: it cannot be read.
        ValueError: it is not what the kernel writes (also while the interrupts are taken).
    """
    header, _, body = proc.read("interrupts").partition(b"\n")
    cpus = header.split()
    if not cpus or not all(cpu[:3] == b"CPU" and cpu[3:].isdigit() for cpu in cpus):
        raise ValueError("interrupts does not begin with a line of CPUs")
    return tuple(cpu[3:].decode() for cpu in cpus), _lines(body, len(cpus))


def source(line: Interrupt) -> Source:
    """The line's words, taken apart."""
    name = line.name.strip().decode("utf-8", "surrogateescape")
    words = [word.decode("utf-8", "surrogateescape") for word in line.words.split()]
    if name.isdecimal():
        return Source(name, words[0], " ".join(words[1:]))
    return Source(name, " ".join(words), "")


def _lines(body: bytes, width: int) -> Iterator[Interrupt]:
    for line in body.split(b"\n"):
        name, _, rest = line.partition(b":")  # on arm64 no space follows the colon
        parts = rest.split(None, width)
        if len(parts) <= width:
            continue  # ERR and MIS are counted once for the machine
        words = parts.pop()
        yield Interrupt(name, words, counts(parts))
