"""Reads dumps of the Prometheus text format with timestamps, of OpenMetrics, and of `promtool tsdb dump`, line by line.

Text format: timestamps are whole milliseconds. OpenMetrics 1.0: they are seconds, and the last line is ``# EOF``;
exemplars are passed over. A dump may hold many scrapes one after another, so a HELP or TYPE may come again.
"""

from __future__ import annotations

import math
import re

from bongsu.model.metric import Kind
from bongsu.sources.prom_file import NotMetrics, number, split_line, unescaped
from bongsu.store.moving.spool import Spool

_HELP_ESCAPE = re.compile(r"\\(.?)")
_MILLISECONDS = re.compile(r"-?[0-9]{1,18}")
_MOST_KNOWN = 1_000_000  # beginnings of lines that are kept, so that the labels of a series are read once
_EXEMPLAR = " # "

_C, _G, _U, _I = Kind.COUNTER, Kind.GAUGE, Kind.UNTYPED, Kind.INFO
# What the series of a family are by themselves, by what stands behind the family's name. Buckets, sums and counts of
# observations only grow; those of a gaugehistogram do not.
_PARTS: dict[str, dict[str, Kind]] = {
    "counter": {"": _C, "_total": _C, "_created": _G},
    "gauge": {"": _G},
    "untyped": {"": _U},
    "unknown": {"": _U},
    "summary": {"": _G, "_sum": _C, "_count": _C, "_created": _G},
    "histogram": {"_bucket": _C, "_sum": _C, "_count": _C, "_created": _G},
    "gaugehistogram": {"_bucket": _G, "_gsum": _G, "_gcount": _G},
    "info": {"": _I, "_info": _I},
    "stateset": {"": _G},
}


class TextLines:
    """Takes the lines of one dump into a spool.

    ``time_ms`` is for samples without a timestamp; None: they are refused.
    """

    def __init__(self, spool: Spool, *, openmetrics: bool, time_ms: int | None = None) -> None:
        self._spool = spool
        self._openmetrics = openmetrics
        self._time_ms = time_ms
        self._known: dict[str, int] = {}
        self._ended = False

    def take(self, raw: bytes) -> int:
        """Read one line, of any number of samples (0 or 1 here); how many samples it gave.

        Raises:
            NotMetrics: it is not in the format, or its time cannot be; says why.
        """
        try:
            line = raw.decode("utf-8").strip(" \t\r\n")
        except UnicodeDecodeError:
            raise NotMetrics("not UTF-8") from None
        if not line:
            return 0
        if self._ended:
            raise NotMetrics("there is more behind # EOF; give dumps one at a time")
        if line.startswith("#"):
            self._comment(line)
            return 0
        if self._openmetrics and _EXEMPLAR in line:  # or a label that holds the like; both are rare
            name, labels, words = split_line(_without_exemplar(line), dumped=True)
            series = self._spool.series(name, labels)
        else:
            # What stands before the last brace, or before the first blank, is the series: looked up, not read again.
            head, found, tail = line.rpartition("} ") if "{" in line else line.partition(" ")
            known = self._known.get(head)
            if known is not None:
                series, words = known, tail.split()
            else:
                name, labels, words = split_line(line, dumped=True)
                series = self._spool.series(name, labels)
                if found and words == tail.split():
                    self._keep(head, series)
        value = number("the value", words[0] if words else "")
        self._spool.add(series, self._time(words), value)
        return 1

    def end(self) -> None:
        """The dump is over. Raises NotMetrics if it cannot be whole."""
        if self._openmetrics and not self._ended:
            raise NotMetrics("the last line is not # EOF, so the dump is cut off; make it again, or give --keep-going")

    def _keep(self, head: str, series: int) -> None:
        if len(self._known) >= _MOST_KNOWN:
            self._known.clear()
        self._known[head] = series

    def _time(self, words: list[str]) -> int:
        if len(words) == 1:
            if self._time_ms is None:
                raise NotMetrics("there is no timestamp behind the value; give --time for samples without one")
            return self._time_ms
        if len(words) > 2:
            raise NotMetrics(f"{words[2]!r} stands behind the timestamp; a line is: name{{labels}} value timestamp")
        word = words[1]
        if self._openmetrics:
            seconds = number("the timestamp", word)
            if not math.isfinite(seconds) or abs(seconds) > 1e14:
                raise NotMetrics(f"the timestamp {word} is no time")
            return round(seconds * 1000)
        if not _MILLISECONDS.fullmatch(word):
            raise NotMetrics(
                f"the timestamp {word!r} is not a whole number of milliseconds; "
                "for seconds (OpenMetrics) give --format openmetrics"
            )
        return int(word)

    def _comment(self, line: str) -> None:
        words = line[1:].split(None, 2)
        if self._openmetrics and words[:1] == ["EOF"]:
            self._ended = True
            return
        if len(words) < 3 or words[0] not in {"HELP", "TYPE", "UNIT"}:
            return
        keyword, name, text = words
        if keyword == "HELP":
            self._spool.describe(name, help_text=_HELP_ESCAPE.sub(unescaped, text))
        elif keyword == "UNIT":
            self._spool.describe(name, unit=text)
        else:
            kind = text.lower()
            if kind not in _PARTS:
                raise NotMetrics(f"{name}: there is no type {text!r}; there are {', '.join(_PARTS)}")
            self._spool.describe(name, kinds=_PARTS[kind])


def _without_exemplar(line: str) -> str:
    """The line up to its exemplar; a `` # `` within a label's value is none."""
    quoted = escaped = False
    for place, character in enumerate(line):
        if escaped:
            escaped = False
        elif quoted and character == "\\":
            escaped = True
        elif character == '"':
            quoted = not quoted
        elif character == "#" and not quoted and line[place - 1 : place + 2] == _EXEMPLAR:
            return line[: place - 1]
    return line
