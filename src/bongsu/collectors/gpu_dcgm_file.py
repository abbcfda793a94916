"""Reads which fields of DCGM are wanted: a CSV file in the format of dcgm-exporter's, `name, type, help`."""

from __future__ import annotations

import csv
import re

from bongsu.model.errors import BadInput
from bongsu.model.message import Message

_NAME = re.compile(r"DCGM_[A-Z]+(_[A-Z0-9]+)+")
_TYPES = ("gauge", "counter", "label", "histogram", "summary")
_MOST = 1 << 20  # bytes; a file of all fields has a few ten thousand
DRIVER_VERSION = "DCGM_FI_DRIVER_VERSION"  # a label of every field, so not one itself


def fields(path: str, option: str) -> tuple[str, ...]:
    """The names in the file, each once. Types and helps are ours; those of the file must only be well-formed.

    Raises:
        BadInput: the file cannot be read, or a line is not of the format; names the line.
    """
    found: dict[str, None] = {}
    for number, line in enumerate(_text(path, option).splitlines(), start=1):
        text = line.strip()
        if text and not text.startswith("#"):
            name = _name(text, f"{path}:{number}", option)
            if name != DRIVER_VERSION:
                found[name] = None
    if not found:
        raise BadInput(
            Message(
                "{option} {path}: no field stands in it; give lines such as `DCGM_FI_DEV_GPU_UTIL, gauge, Use`, or "
                "leave the option out",
                option=option, path=path,
            )
        )  # fmt: skip
    return tuple(found)


def _name(line: str, place: str, option: str) -> str:
    try:
        row = [part.strip() for part in next(csv.reader([line], skipinitialspace=True, strict=True))]
    except csv.Error as error:
        raise BadInput(
            Message("{option} {place}: {error}; give `name, type, help`", option=option, place=place, error=error)
        ) from None
    if len(row) != 3:
        raise BadInput(
            Message(
                "{option} {place}: {count} parts where there must be three; give `name, type, help`, the help in "
                "double quotes if it holds a comma",
                option=option, place=place, count=len(row),
            )
        )  # fmt: skip
    name, kind, _ = row
    if not _NAME.fullmatch(name):
        raise BadInput(
            Message(
                "{option} {place}: {name!r} is no field of DCGM; give a name such as DCGM_FI_DEV_GPU_UTIL",
                option=option, place=place, name=name,
            )
        )  # fmt: skip
    if kind not in _TYPES:
        raise BadInput(
            Message(
                "{option} {place}: {kind!r} is no type; give one of {types}",
                option=option, place=place, kind=kind, types=", ".join(_TYPES),
            )
        )  # fmt: skip
    return name


def _text(path: str, option: str) -> str:
    try:
        with open(path, "rb") as file:
            content = file.read(_MOST + 1)
        if len(content) > _MOST:
            raise BadInput(
                Message("{option} {path}: more than 1 MiB; this is not a list of fields", option=option, path=path)
            )
        return content.decode("utf-8-sig")  # spreadsheets begin a file with a mark
    except OSError as error:
        raise BadInput(
            Message(
                "{option} {path}: {reason}; give a file with a line `name, type, help` for each field",
                option=option, path=path, reason=error.strerror,
            )
        ) from None  # fmt: skip
    except UnicodeDecodeError:
        raise BadInput(Message("{option} {path}: this is no text in UTF-8", option=option, path=path)) from None
