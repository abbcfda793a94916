"""Makes text from the machine safe to print: a process may be called anything, also an escape sequence."""

from __future__ import annotations

# C0, DEL and C1 move cursors and start escape sequences (ECMA-48); the bidirectional controls (UAX #9) make a
# line read as something else; lone surrogates are bytes that are not UTF-8 and cannot be encoded at all.
_UNSAFE = {
    **{code: f"\\x{code:02x}" for code in (*range(0x20), *range(0x7F, 0xA0))},
    **{code: f"\\u{code:04x}" for code in (0x061C, 0x200E, 0x200F, 0x2028, 0x2029, *range(0x202A, 0x202F))},
    **{code: f"\\u{code:04x}" for code in range(0x2066, 0x206A)},
    **{0xDC00 + byte: f"\\x{byte:02x}" for byte in range(0x80, 0x100)},
    **{code: f"\\u{code:04x}" for code in (*range(0xD800, 0xDC80), *range(0xDD00, 0xE000))},
    ord("\n"): "\\n", ord("\t"): "\\t", ord("\r"): "\\r",
}  # fmt: skip


def printable(text: object) -> str:
    r"""The text on one line, with what could steer a terminal written out (``\n``, ``\x1b``, ``\u202e``)."""
    return str(text).translate(_UNSAFE)
