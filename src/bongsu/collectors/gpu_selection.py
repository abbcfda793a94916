"""The GPUs that a person wants read, by number or UUID."""

from __future__ import annotations

import re
from collections.abc import Iterable

from bongsu.model.errors import BadInput
from bongsu.model.message import Message
from bongsu.sources.nvml.reading import Gpu

_WORD = re.compile(r"\d{1,4}|GPU-[0-9a-fA-F-]+")


class Selection:
    """What ``text`` names, as `0,2` or UUIDs; all where it is empty.

    Raises:
        BadInput: a word is no GPU; the message names the option.
    """

    def __init__(self, text: str, option: str) -> None:
        found = set()
        for word in filter(None, (part.strip() for part in text.split(","))):
            if not _WORD.fullmatch(word):
                raise BadInput(
                    Message(
                        "{option}: {word!r} is no GPU; give numbers or UUIDs as `nvidia-smi -L` lists them, such as 0,2",
                        option=option, word=word,
                    )
                )  # fmt: skip
            found.add(str(int(word)) if word.isdigit() else word.lower())
        self._wanted = frozenset(found)

    def __contains__(self, gpu: Gpu) -> bool:
        """Whether this one is wanted."""
        return self.wants(str(gpu.index), gpu.uuid)

    def wants(self, index: str, uuid: str) -> bool:
        """Whether one of this number and UUID is wanted."""
        return not self._wanted or not self._wanted.isdisjoint((index, uuid.lower()))

    def lacking(self, gpus: Iterable[Gpu]) -> list[str]:
        """The names that none of these has, in order."""
        return sorted(self._wanted.difference(*map(_names, gpus)))


def _names(gpu: Gpu) -> tuple[str, str]:
    return (str(gpu.index), gpu.uuid.lower())
