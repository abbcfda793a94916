"""Files of metrics that others write: the Prometheus text format 0.0.4, and the *.prom files of a directory.

Format: https://prometheus.io/docs/instrumenting/exposition_formats/ (text-based format).
"""

from __future__ import annotations

import errno
import glob
import os
import re
import stat
from dataclasses import dataclass, field
from typing import NamedTuple

from bongsu.model.metric import Kind

LARGEST = 16 * 1024 * 1024  # bytes: a file of metrics that is longer is something else
_NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
_LABEL = re.compile(r'[ \t]*([a-zA-Z_][a-zA-Z0-9_]*)[ \t]*=[ \t]*"((?:[^"\\]|\\.)*)"[ \t]*')
_VALUE = re.compile(
    r"[+-]?(?:(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?|[iI][nN][fF](?:[iI][nN][iI][tT][yY])?)|[nN][aA][nN]"
)
_ESCAPE = re.compile(r"\\(.)")
_HELP_ESCAPE = re.compile(r"\\(.?)")
_ESCAPED = {"\\": "\\", "n": "\n", '"': '"'}
_KINDS = {
    "counter": Kind.COUNTER, "gauge": Kind.GAUGE, "untyped": Kind.UNTYPED, "summary": Kind.UNTYPED,
    "histogram": Kind.UNTYPED,
}  # fmt: skip


class NotMetrics(ValueError):  # noqa: N818  reads as what it is
    """The file is not in the text format; the text says in which line and why."""


class Reading(NamedTuple):
    """One line of values; labels in the order of their names."""

    name: str
    labels: tuple[tuple[str, str], ...]
    value: float


@dataclass(slots=True)
class Family:
    """What one metric's lines say. ``kind`` is that of counters and gauges; all else is untyped."""

    kind: Kind | None = None  # None: not said
    help: str | None = None  # None: not said
    readings: list[Reading] = field(default_factory=list)


class Stamp(NamedTuple):
    """When a file was last written, and what tells that it is still the same."""

    mtime_ns: int
    size: int
    inode: int


def paths(pattern: str) -> list[str]:
    """The *.prom files, sorted, of the directory, or of all directories that the pattern matches.

    Raises:
        OSError: a directory cannot be read.
    """
    found = []
    for directory in sorted(glob.glob(pattern)) or [pattern]:
        found += [os.path.join(directory, name) for name in sorted(os.listdir(directory)) if name.endswith(".prom")]
    return found


def stamp(path: str) -> Stamp:
    """Raises OSError."""
    status = os.stat(path)
    if not stat.S_ISREG(status.st_mode):  # a pipe would hold us until somebody writes
        raise OSError(errno.EINVAL, "not a file", path)
    return Stamp(status.st_mtime_ns, status.st_size, status.st_ino)


def read(path: str) -> dict[str, Family]:
    """What a file says, by metric name.

    Raises:
        NotMetrics: it is not in the text format, or has timestamps, which node_exporter refuses too.
        OSError: it cannot be read.
    """
    with open(path, "rb") as file:
        text = file.read(LARGEST + 1)
    if len(text) > LARGEST:
        raise NotMetrics(f"longer than {LARGEST >> 20} MiB")
    return parse(text)


def parse(text: bytes) -> dict[str, Family]:
    """The families of a text. Raises NotMetrics."""
    try:
        whole = text.decode("utf-8")
    except UnicodeDecodeError as error:
        raise NotMetrics(f"line {text.count(10, 0, error.start) + 1}: not UTF-8") from None
    *lines, rest = whole.split("\n")
    if rest.strip(" \t"):
        raise NotMetrics(f"line {len(lines) + 1}: the last line does not end; is the file still being written?")
    families: dict[str, Family] = {}
    parts: dict[str, str] = {}  # h_bucket, h_sum, h_count → h
    for number, line in enumerate(lines, 1):
        line = line.lstrip(" \t")  # noqa: PLW2901  the blanks mean nothing
        try:
            if line.startswith("#"):
                _comment(line, families, parts)
            elif line:
                reading = _reading(line)
                family = families.setdefault(parts.get(reading.name, reading.name), Family())
                family.kind = family.kind or Kind.UNTYPED  # too late for a type now
                family.readings.append(reading)
        except NotMetrics as error:
            raise NotMetrics(f"line {number}: {error}") from None
    return {name: family for name, family in families.items() if family.readings}


def _comment(line: str, families: dict[str, Family], parts: dict[str, str]) -> None:
    words = line[1:].lstrip(" \t").split(None, 1)
    if len(words) < 2 or words[0] not in {"HELP", "TYPE"}:
        return
    keyword, rest = words
    match = _NAME.match(rest)
    if match is None or rest[match.end() : match.end() + 1] not in {"", " ", "\t"}:
        raise NotMetrics(f"{keyword} of what is not a metric name")
    name = match[0]
    text = rest[match.end() :].lstrip(" \t")
    if not text:
        return
    family = families.setdefault(parts.get(name, name), Family())
    if keyword == "HELP":
        if family.help is not None:
            raise NotMetrics(f"a second HELP of {name}")
        family.help = _HELP_ESCAPE.sub(unescaped, text)
        return
    if family.kind is not None:
        raise NotMetrics(f"a second TYPE of {name}, or one after its values")
    kind = text.lower()
    if kind not in _KINDS:
        raise NotMetrics(f"{name}: there is no type {text!r}")
    family.kind = _KINDS[kind]
    if kind in {"summary", "histogram"}:
        parts.update(dict.fromkeys((f"{name}_sum", f"{name}_count"), name))
    if kind == "histogram":
        parts[f"{name}_bucket"] = name


def _reading(line: str) -> Reading:
    name, labels, words = split_line(line)
    value = number(name, words[0] if words else "")
    if len(words) > 1:
        raise NotMetrics(f"{name} has a timestamp or more behind its value; leave it out, the time is the file's")
    return Reading(name, tuple(sorted(labels.items())), value)


def split_line(line: str, *, dumped: bool = False) -> tuple[str, dict[str, str], list[str]]:
    """The name, the labels and the words behind them of a line of values.

    With ``dumped`` the name may also be the label ``__name__``, as `promtool tsdb dump` writes it.

    Raises:
        NotMetrics: it begins with no series; the value is for the caller to understand.
    """
    match = _NAME.match(line)
    if match is None and not (dumped and line.startswith("{")):
        raise NotMetrics("not a metric name")
    name, place = (match[0], match.end()) if match is not None else ("", 0)
    labels: dict[str, str] = {}
    after = line[place:].lstrip(" \t")
    if after.startswith("{"):
        place, labels = _labels(line, len(line) - len(after) + 1, dumped=dumped)
    if dumped and "__name__" in labels:
        given = labels.pop("__name__")
        if name or not _NAME.fullmatch(given):
            raise NotMetrics("a second name" if name else f"{given!r} is not a metric name")
        name = given
    if not name:
        raise NotMetrics("no metric name")
    return name, labels, [word for word in line[place:].replace("\t", " ").split(" ") if word]


def number(name: str, word: str) -> float:
    """A value as the format spells it. Raises NotMetrics."""
    if not _VALUE.fullmatch(word):
        raise NotMetrics(f"{name}: {word!r} is not a number")
    return float(word)


def _labels(line: str, place: int, *, dumped: bool) -> tuple[int, dict[str, str]]:
    """Where the labels end, and the labels, which begin at ``place``."""
    labels: dict[str, str] = {}
    while True:
        match = _LABEL.match(line, place)
        if match is None:
            rest = line[place:].lstrip(" \t")
            if rest.startswith("}"):
                return len(line) - len(rest) + 1, labels
            raise NotMetrics('what stands in the braces is not label="value"')
        name, value = match[1], match[2]
        if name in labels or (name.startswith("__") and not (dumped and name == "__name__")):
            raise NotMetrics(f"the label {name} stands twice" if name in labels else f"the label {name} is reserved")
        labels[name] = _ESCAPE.sub(unescaped, value) if "\\" in value else value
        place = match.end()
        following = line[place : place + 1]
        if following == "}":
            return place + 1, labels
        if following != ",":
            raise NotMetrics(f"neither a comma nor a brace behind the label {name}")
        place += 1


def unescaped(match: re.Match[str]) -> str:
    """What an escape sequence stands for, for use with a pattern's ``sub``. Raises NotMetrics."""
    if match[1] not in _ESCAPED:
        raise NotMetrics(f"no escape sequence: \\{match[1]}")
    return _ESCAPED[match[1]]
