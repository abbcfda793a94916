"""/proc/vmstat: what the memory manager counts (proc(5))."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import itemgetter

from bongsu.sources.counts import counts
from bongsu.sources.root import Root


class VmstatReader:
    """Reads the fields that ``wanted`` lets through. Their places are learned once, since only numbers move."""

    def __init__(self, proc: Root, wanted: Callable[[str], bool]) -> None:
        self._proc = proc
        self._wanted = wanted
        self._size = -1
        self._pick: Callable[[Sequence[bytes]], tuple[bytes, ...]] = itemgetter(0, 0)
        self._written: tuple[bytes, ...] = ()
        self._names: tuple[str, ...] = ()

    def read(self) -> tuple[tuple[str, ...], Sequence[int]]:
        """Names and values. The names are the same object while no field comes or goes.

        Raises:
            OSError: it cannot be read.
            ValueError: it is not what the kernel writes.
        """
        tokens = self._proc.read("vmstat").split()
        if len(tokens) != self._size or self._pick(tokens)[::2] != self._written:
            self._learn(tokens)
        if not self._names:
            return (), ()
        return self._names, counts(self._pick(tokens)[1::2])

    def _learn(self, tokens: list[bytes]) -> None:
        if len(tokens) < 2 or len(tokens) % 2:
            raise ValueError("vmstat is not a list of names and numbers")
        texts = [name.decode("utf-8", "surrogateescape") for name in tokens[::2]]
        chosen = [(2 * place, text) for place, text in enumerate(texts) if self._wanted(text)]
        self._size = len(tokens)
        self._names = tuple(text for _, text in chosen)
        # An itemgetter of one place gives no tuple, hence the first pair where nothing is wanted.
        self._pick = itemgetter(*(place + step for place, _ in chosen or [(0, "")] for step in (0, 1)))
        self._written = self._pick(tokens)[::2]
