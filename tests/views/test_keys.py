"""What was pressed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bongsu.views.keys import Keys


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"cq", ["c", "q"]), (b"\x1b[A\x1bOB", ["up", "down"]), (b"\x1b[5~\x1b[6~", ["page up", "page down"]),
        (b"\x1b[1~\x1b[F", ["home", "end"]), (b"\r\x7f", ["enter", "backspace"]), ("é日".encode(), ["é", "日"]),
        (b"\x1b[1;5Ax", ["x"]), (b"\x00\x01\xff", []), (b"a\x1b[Bb", ["a", "down", "b"]),
    ],
)  # fmt: skip
def test_keys(data: bytes, expected: list[str]) -> None:
    """Characters are themselves, special keys have names, unknown sequences and control bytes are nothing."""
    assert Keys().feed(data) == expected


def test_escape_alone_waits_for_what_may_follow() -> None:
    """ESC is a key only if no sequence follows; a sequence may come in pieces."""
    decoder = Keys()
    assert decoder.feed(b"\x1b") == []
    assert decoder.waiting
    assert decoder.flush() == ["escape"]
    assert decoder.feed(b"\x1b[") == []
    assert decoder.feed(b"A") == ["up"]
    assert not decoder.waiting


@given(st.lists(st.binary(max_size=12), max_size=12))
def test_any_bytes_are_taken(pieces: list[bytes]) -> None:
    """Rubbish from a terminal is no error, and what comes out is printable or a name."""
    decoder = Keys()
    for piece in pieces:
        assert all(key.isprintable() for key in decoder.feed(piece))
    decoder.flush()
