"""Writes JSON that every parser reads and no terminal obeys: ASCII, and what is not Unicode becomes U+FFFD."""

from __future__ import annotations

import json
from typing import Any

import msgspec


def json_text(document: object, *, indent: int | None = None) -> str:
    """The document as JSON. Structs become objects; NaN and infinities are refused, since JSON has none.

    Raises:
        ValueError: it holds a number that JSON cannot hold.
    """
    return json.dumps(_clean(msgspec.to_builtins(document)), allow_nan=False, indent=indent)


def _clean(value: Any) -> Any:
    """Bytes that were not UTF-8 stand in texts as lone surrogates, which `jq` and other parsers refuse."""
    if isinstance(value, str):
        return value if value.isascii() else _unicode(value)
    if isinstance(value, dict):
        return {_clean(key): _clean(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_clean(item) for item in value]
    return value


def _unicode(text: str) -> str:
    try:
        return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    except UnicodeEncodeError:  # a surrogate that stands for no byte
        return text.encode("utf-8", "replace").decode("utf-8")
