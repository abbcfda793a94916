"""Reads JSONL: the lines that the sink `jsonl` writes, and those of `bongsu store export` (and VictoriaMetrics' export).

A line of the sink is all samples of one moment: ``{"format":1,"time":…,"samples":[{"name","labels","value"}…]}``.
A line of an export is samples of one series: ``{"metric":{"__name__":…},"values":[…],"timestamps":[…]}``, with the
timestamps in milliseconds; the value null is the mark that the series ended there.
"""

from __future__ import annotations

import math
import re

import msgspec

from bongsu.model.metric import Kind
from bongsu.sources.prom_file import NotMetrics
from bongsu.store.moving.spool import Spool
from bongsu.store.series import NAME, STALE

FORMAT = 1  # of the sink's lines
_METRIC = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
_LABEL = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
_WORDS = {"NaN": math.nan, "+Inf": math.inf, "Inf": math.inf, "Infinity": math.inf, "-Inf": -math.inf,
          "-Infinity": -math.inf}  # fmt: skip
_KINDS = {**{kind.value: kind for kind in Kind}, "unknown": Kind.UNTYPED}  # Prometheus calls it unknown


class _Reading(msgspec.Struct):
    name: str
    labels: dict[str, str]
    value: float | str


class _Line(msgspec.Struct):
    """Either of the two shapes; what a shape does not have is None."""

    format: int | None = None
    time: float | None = None
    samples: list[_Reading] | None = None
    metric: dict[str, str] | None = None
    kind: str | None = None
    values: list[float | str | None] | None = None
    timestamps: list[int] | None = None


class JsonLines:
    """Takes the lines of one file into a spool.

    A series that the sink's line before held, and this one does not, has ended: it gets a mark of that, as it does
    when the store is written live.
    """

    def __init__(self, spool: Spool) -> None:
        self._spool = spool
        self._known: dict[tuple[str, tuple[tuple[str, str], ...]], int] = {}
        self._before: set[int] = set()
        self._time = -(2**63)
        self._decode = msgspec.json.Decoder(_Line).decode
        self.cut_off = 0  # pieces of lines that a killed writer left

    def take(self, raw: bytes) -> int:
        """Read one line; how many samples it gave. Raises NotMetrics: it is neither of the two shapes; says why."""
        raw = raw.strip()
        if not raw:
            return 0
        try:
            line = self._decode(raw)
        except msgspec.ValidationError as error:
            raise NotMetrics(f"not a line of ours: {error}") from None
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            if raw.startswith(b'{"format":') and not raw.endswith(b"}"):
                self.cut_off += 1  # the sink's documentation: skip it
                return 0
            raise NotMetrics(f"not JSON: {error}") from None
        if line.metric is not None:
            return self._one_series(line)
        if line.samples is not None and line.time is not None:
            return self._one_moment(line)
        raise NotMetrics('neither "samples" with "time" nor "metric" with "values" and "timestamps"')

    def end(self) -> None:
        """The file is over; nothing is missing at its end."""

    def _one_moment(self, line: _Line) -> int:
        if line.format != FORMAT:
            raise NotMetrics(f"format {line.format} is not {FORMAT}, which this version reads")
        assert line.samples is not None
        time_ms = _milliseconds(line.time)
        found: dict[int, float] = {}
        for reading in line.samples:
            found[self._number(reading.name, reading.labels)] = _value(reading.value)
        for series, value in found.items():
            self._spool.add(series, time_ms, value)
        if time_ms > self._time:
            for series in self._before - found.keys():
                self._spool.add(series, time_ms, STALE)
            self._before, self._time = set(found), time_ms
        return len(found)

    def _one_series(self, line: _Line) -> int:
        labels = dict(line.metric or {})
        name = labels.pop(NAME, "")
        if line.values is None or line.timestamps is None or len(line.values) != len(line.timestamps):
            raise NotMetrics('"values" and "timestamps" must be lists of one length')
        if line.timestamps:
            self._spool.check(min(line.timestamps))
            self._spool.check(max(line.timestamps))
        values = [STALE if value is None else _value(value) for value in line.values]
        series = self._number(name, labels)
        if line.kind is not None:
            if line.kind not in _KINDS:
                raise NotMetrics(f"there is no kind {line.kind!r}; there are {', '.join(_KINDS)}")
            self._spool.describe(name, kinds={"": _KINDS[line.kind]})
        for time_ms, value in zip(line.timestamps, values, strict=True):
            self._spool.add(series, time_ms, value)
        return len(values)

    def _number(self, name: str, labels: dict[str, str]) -> int:
        key = (name, tuple(labels.items()))
        number = self._known.get(key)
        if number is None:
            if not _METRIC.fullmatch(name):
                raise NotMetrics(f"{name!r} is not a metric name")
            for label in labels:
                if not _LABEL.fullmatch(label) or label.startswith("__"):
                    raise NotMetrics(f"{label!r} is not a label name")
            number = self._known[key] = self._spool.series(name, labels)
        return number


def _milliseconds(seconds: float | None) -> int:
    if seconds is None or not math.isfinite(seconds) or abs(seconds) > 1e14:
        raise NotMetrics(f"the time {seconds} is no time")
    return round(seconds * 1000)


def _value(value: float | str) -> float:
    if isinstance(value, str):
        if value not in _WORDS:
            raise NotMetrics(f"the value {value!r} is not a number; texts are {', '.join(_WORDS)}")
        return _WORDS[value]
    return value
