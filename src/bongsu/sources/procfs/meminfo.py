"""/proc/meminfo: how memory is used (Documentation/filesystems/proc.rst)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import itemgetter
from typing import NamedTuple

from bongsu.sources.counts import counts
from bongsu.sources.root import Root


class Field(NamedTuple):
    """A line's name; those with a unit are in KiB (the kernel writes kB), the others are plain counts."""

    name: str
    in_kib: bool


class MeminfoReader:
    """Reads all fields. Their names and places are learned once, since only the numbers move."""

    def __init__(self, proc: Root) -> None:
        self._proc = proc
        self._pick_names: Callable[[Sequence[bytes]], tuple[bytes, ...]] | None = None
        self._pick_values: Callable[[Sequence[bytes]], tuple[bytes, ...]] = itemgetter(0, 0)
        self._names: tuple[bytes, ...] = ()
        self._size = 0
        self._fields: tuple[Field, ...] = ()

    def read(self) -> tuple[tuple[Field, ...], Sequence[int]]:
        """Fields and their numbers, as written. The fields are the same object while none comes or goes.

        Raises:
            OSError: it cannot be read.
            ValueError: it is not what the kernel writes.
        """
        data = self._proc.read("meminfo")
        tokens = data.split()
        if self._pick_names is None or len(tokens) != self._size or self._pick_names(tokens) != self._names:
            self._learn(data)
        return self._fields, counts(self._pick_values(tokens))

    def _learn(self, data: bytes) -> None:
        fields: list[Field] = []
        names: list[int] = []
        at = 0
        for line in data.splitlines():
            parts = line.split()
            if parts:
                if len(parts) not in {2, 3} or parts[0][-1:] != b":" or parts[2:] not in ([], [b"kB"]):
                    raise ValueError(f"meminfo: {line[:40]!r} is not a name, a number and perhaps kB")
                fields.append(Field(parts[0][:-1].decode("utf-8", "surrogateescape"), len(parts) == 3))
                names.append(at)
                at += len(parts)
        if len(fields) < 2:
            raise ValueError("meminfo is empty")
        tokens = data.split()
        self._fields = tuple(fields)
        self._size = len(tokens)
        self._pick_names = itemgetter(*names)
        self._pick_values = itemgetter(*(place + 1 for place in names))
        self._names = itemgetter(*names)(tokens)
