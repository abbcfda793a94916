"""Writes a report as the JSON that the source document describes, with our own keys beside its own, and reads it back."""

from __future__ import annotations

import inspect
import json
from collections.abc import Iterable
from typing import Any

import msgspec

from bongsu.model.errors import BadInput
from bongsu.model.message import Message
from bongsu.model.run import RunReport
from bongsu.model.utf8 import valid_text
from bongsu.records.run_folder import check_schema
from bongsu.records.segment import NotPlain, decoded, plain

#: The order of the keys; a reader finds what matters first.
KEYS = ("schema", "metadata", "summary", "function_stats", "monitor", "events", "processes", "samples")
#: Those of them that summary.json keeps.
SUMMED_UP = ("schema", "metadata", "summary", "function_stats", "monitor")
_MOST_BYTES = 4 * 1024**3


def document(report: RunReport, keys: Iterable[str] = KEYS) -> dict[str, Any]:
    """The report as JSON holds it. Bytes that were not UTF-8 become U+FFFD, since no parser has another answer."""
    return {key: _valid(msgspec.to_builtins(getattr(report, key))) for key in keys}


def text(report: RunReport, *, indent: int | None = None) -> str:
    """The report as JSON, in ASCII."""
    return json.dumps(document(report), allow_nan=False, indent=indent)


def schema() -> dict[str, Any]:
    """The JSON Schema of the document; it lies in the package as records/report.schema.json."""
    made: dict[str, Any] = json.loads(json.dumps(msgspec.json.schema(RunReport)))
    definitions = made["$defs"]
    for one in definitions.values():
        one.pop("title", None)
        if "description" in one:
            one["description"] = inspect.cleandoc(one["description"])  # as Python 3.13 has docstrings
    definitions["RunReport"]["required"] = list(KEYS)
    definitions["RunReport"]["properties"]["schema"] = {"const": "bongsu-run/1"}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Report of a run recorded by Bongsu",
        "description": "Times are in seconds since the start of the run, sizes in bytes, unless a name says otherwise; "
        "null is not known. Later versions may add keys.",
        **made,
    }


def read(path: str) -> RunReport:
    """The report that a file holds.

    Raises:
        BadInput: it holds none, or one of a newer version.
    """
    try:
        with plain(path) as file:
            data = file.read(_MOST_BYTES)
    except NotPlain:
        raise BadInput(Message("{path}: this is not a file", path=path)) from None
    except OSError as error:
        raise BadInput(
            Message("{path}: it cannot be read: {reason}", path=path, reason=(error.strerror or "").lower())
        ) from None
    if not data.strip():
        raise BadInput(
            Message("{path}: the file is empty; its writing was cut off, export the report again", path=path)
        )
    try:
        known = decoded(data)
    except (ValueError, RecursionError) as error:
        torn = data.lstrip()[:1] == b"{" and isinstance(error, json.JSONDecodeError) and _at_the_end(error)
        raise BadInput(
            Message("{path}: the file is cut off; export the report again", path=path) if torn
            else Message("{path}: this is not JSON: {reason}", path=path, reason=str(error).lower())
        ) from None  # fmt: skip
    if not isinstance(known, dict) or not str(known.get("schema", "")).startswith("bongsu-run/"):
        raise BadInput(
            Message(
                "{path}: another tool wrote this; give a report that `bongsu report export --format json` wrote",
                path=path,
            )
        )
    check_schema(known["schema"], path)
    try:
        return msgspec.convert(known, RunReport)
    except msgspec.ValidationError as error:
        raise BadInput(
            Message("{path}: this is no report of a run: {reason}", path=path, reason=str(error).lower())
        ) from None


def _at_the_end(error: json.JSONDecodeError) -> bool:
    """Whether a text is JSON as far as it goes, up to a word that may be half of one."""
    return error.msg.startswith("Unterminated") or error.pos >= len(error.doc.rstrip()) - len("false")


def _valid(value: Any) -> Any:
    if isinstance(value, str):
        return valid_text(value)
    if isinstance(value, dict):
        return {valid_text(key): _valid(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_valid(item) for item in value]
    return value
