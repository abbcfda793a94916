"""Names as the machine gives them, made into text that everybody can read."""

from __future__ import annotations

import re

_SURROGATES = re.compile("[\ud800-\udfff]")


def valid_text(text: str) -> str:
    """The text as valid Unicode: bytes that were not UTF-8 become U+FFFD, the same in /metrics, files and the history."""
    if text.isascii():
        return text
    try:
        return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    except UnicodeEncodeError:  # a surrogate that stands for no byte
        return _SURROGATES.sub("\ufffd", text)
