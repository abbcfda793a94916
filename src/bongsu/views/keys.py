"""What was pressed, from the bytes that a terminal sends."""

from __future__ import annotations

import re

UP, DOWN, PAGE_UP, PAGE_DOWN, HOME, END = "up", "down", "page up", "page down", "home", "end"
ENTER, ESCAPE, BACKSPACE = "enter", "escape", "backspace"

_SEQUENCE = re.compile(rb"\x1b(?:\[[0-?]*[ -/]*[@-~]|O[ -~])")  # CSI and SS3 (ECMA-48, VT100)
_UNFINISHED = re.compile(rb"\x1b(?:\[[0-?]*[ -/]*|O)?$")
_NAMES = {
    b"\x1b[A": UP, b"\x1bOA": UP, b"\x1b[B": DOWN, b"\x1bOB": DOWN, b"\x1b[5~": PAGE_UP, b"\x1b[6~": PAGE_DOWN,
    b"\x1b[H": HOME, b"\x1bOH": HOME, b"\x1b[1~": HOME, b"\x1b[7~": HOME, b"\x1b[F": END, b"\x1bOF": END,
    b"\x1b[4~": END, b"\x1b[8~": END,
}  # fmt: skip
_CONTROL = {"\r": ENTER, "\n": ENTER, "\x7f": BACKSPACE, "\x08": BACKSPACE, "\x1b": ESCAPE}


class Keys:
    """Turns bytes into keys. A lone ESC is held back until `flush`, since it may begin a sequence."""

    def __init__(self) -> None:
        self._held = b""

    @property
    def waiting(self) -> bool:
        """Whether something is held back."""
        return bool(self._held)

    def feed(self, data: bytes) -> list[str]:
        """The keys that are complete: printable characters as themselves, others by name; unknown ones are dropped."""
        data = self._held + data
        unfinished = _UNFINISHED.search(data)
        self._held = data[unfinished.start() :] if unfinished else b""
        data = data[: len(data) - len(self._held)]
        keys: list[str] = []
        at = 0
        for sequence in _SEQUENCE.finditer(data):
            keys += self._characters(data[at : sequence.start()])
            name = _NAMES.get(sequence[0])
            if name:
                keys.append(name)
            at = sequence.end()
        keys += self._characters(data[at:])
        return keys

    def flush(self) -> list[str]:
        """Nothing came after what was held back: it was the Escape key."""
        held, self._held = self._held, b""
        return [ESCAPE] if held == b"\x1b" else []

    @staticmethod
    def _characters(data: bytes) -> list[str]:
        text = data.decode("utf-8", "ignore")
        return [_CONTROL.get(c, c) for c in text if c in _CONTROL or c.isprintable()]
