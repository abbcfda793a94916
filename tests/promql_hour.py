"""The samples that Bongsu and a real Prometheus are compared on: a real hour of scrapes, and series made up for the edges."""

from __future__ import annotations

import gzip
import json
import math
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from bongsu.store.series import NAME, STALE, Labels, Series

FIXTURE = Path(__file__).parent / "fixtures" / "promql" / "hour.jsonl.gz"
EVERY_MS = 15_000


def real() -> list[Series]:
    """The hour of three programs, as scripts/make_promql_hour.py wrote it: restarts, a gap, series that come and go."""
    lines = gzip.decompress(FIXTURE.read_bytes()).decode().splitlines()
    times = {target: np.array(stamps, dtype=np.int64) for target, stamps in json.loads(lines[0])["times"].items()}
    found = []
    for line in lines[1:]:
        one = json.loads(line)
        column = list(_unpacked(one["values"]))
        places = [place for place, value in enumerate(column) if value is not None]
        when = times[one["target"]]
        found.append(
            Series(
                tuple(sorted(one["labels"].items())),
                when if len(places) == len(when) else when[places],
                np.array([column[place] for place in places], dtype=np.float64),
            )
        )
    return found


def bounds(series: Sequence[Series]) -> tuple[int, int]:
    """The times of the first and the last sample, Unix milliseconds."""
    return min(int(one.times[0]) for one in series), max(int(one.times[-1]) for one in series)


def made_up(start: int, end: int) -> list[Series]:
    """Series for what an hour of real scrapes does not hold, from the first full minute on.

    Their times lie on exact multiples of 15 s, so that windows and lookbacks end exactly on samples.
    """
    first = -(-start // 60_000) * 60_000
    grid = np.arange(first, end + 1, EVERY_MS, dtype=np.int64)
    count = np.arange(len(grid), dtype=np.float64)
    found: list[Series] = []

    def put(labels: Labels, times: Sequence[int] | np.ndarray, values: Sequence[float] | np.ndarray) -> None:
        when = np.asarray(times, np.int64)
        inside = when <= end
        if inside.any():
            found.append(Series(tuple(sorted(labels)), when[inside], np.asarray(values, np.float64)[inside]))

    def each(name: str, **labels: str) -> Labels:
        return tuple(sorted(((NAME, name), *labels.items())))

    # Counters that are reset: now and then, at each sample, to nothing, by a hair; and one that never moves.
    for name, values in {
        "now_and_then": count % 37 * 3.5,
        "each": count[::-1],
        "to_nothing": np.where(count % 20 < 10, count % 20, 0.0),
        "hair": np.where(count % 9 == 0, 1e9 - 1e-6, 1e9),
        "none": np.full(len(grid), 7.0),
        "big": 1e15 + count * 3,
        "young": count * 0.25 + 0.125,
    }.items():
        put(each("edge_total", reset=name), grid, values)

    # Values that are no plain numbers. No subnormal one: the logarithm of Go on x86-64 is wrong there.
    for name, value in {
        "nan": math.nan, "inf": math.inf, "ninf": -math.inf, "minus_zero": -0.0, "zero": 0.0, "tiny": 2.3e-308, "huge": 1.7e308,
        "odd": 2.0**53 + 1, "third": 1 / 3, "negative": -2.5,
    }.items():  # fmt: skip
        put(each("edge_value", is_=name), grid, np.full(len(grid), value))
    turning = np.array([1.5, math.nan, math.inf, -math.inf, -0.0, 0.0, 3.0, -1.0])
    put(each("edge_mixed", n="1"), grid, turning[(np.arange(len(grid)) % 8)])
    put(each("edge_mixed", n="2"), grid, np.where(count % 5 == 0, math.nan, count))
    put(each("edge_mixed", n="3"), grid, np.where(count % 7 == 0, STALE, -count))
    put(each("edge_mixed", n="4"), grid, np.where(count % 2 == 0, STALE, count))

    # Gauges: through zero, flat, a wave on a large level (cancellation), a line for predictions.
    put(each("edge_gauge", shape="through_zero"), grid, 100 - count)
    put(each("edge_gauge", shape="flat"), grid, np.full(len(grid), 3.25))
    put(each("edge_gauge", shape="wave"), grid, 1e9 + np.sin(count / 7))
    put(each("edge_gauge", shape="steps"), grid, count // 11)
    put(each("edge_gauge", shape="jagged"), grid, (count * 7919) % 101)

    # Times: once only, at the limits of the lookback, a millisecond apart, sparser and sparser, long silent.
    put(each("edge_time", at="once"), [first + 600_000], [42.0])
    put(each("edge_time", at="lookback"), first + np.cumsum([0, 300_000, 300_001, 299_999, 15_000]), [1, 2, 3, 4, 5])
    put(each("edge_time", at="close"), first + 300_000 + np.array([0, 1, 2, 3, 1000]), [1, 2, 4, 3, 9])
    put(each("edge_time", at="sparser"), first + np.cumsum(np.arange(1, 22) * 10_000), np.arange(21.0))
    put(each("edge_time", at="silent"), [first, first + 15_000, first + 1_500_000, first + 1_515_000], [1, 2, 3, 4])
    put(each("edge_time", at="ended"), [*grid[:20], int(grid[20])], [*count[:20], STALE])
    put(each("edge_time", at="late"), grid[100:], count[100:])

    # Histograms: sound; without +Inf; not monotonic; below zero; empty; one bucket; bounds written in two ways; no bounds.
    for name, per_bucket in {
        "sound": {"0.1": 1.0, "0.5": 2.0, "1": 4.0, "5": 4.5, "+Inf": 5.0},
        "no_inf": {"0.1": 1.0, "1": 2.0},
        "falling": {"1": 5.0, "2": 3.0, "4": 7.0, "+Inf": 6.0},
        "below_zero": {"-5": 1.0, "-1": 2.0, "0": 3.0, "2": 4.0, "+Inf": 4.0},
        "empty": {"1": 0.0, "2": 0.0, "+Inf": 0.0},
        "one": {"+Inf": 3.0},
        "two_ways": {"1": 1.0, "1.0": 2.0, "2": 3.0, "+Inf": 4.0},
        "wrong": {"1": 1.0, "much": 2.0, "+Inf": 4.0},
        "in_inf": {"1": 0.0, "2": 0.0, "+Inf": 4.0},
        "nearly": {"1": 1.0, "2": 1.0 - 1e-13, "4": 2.0, "+Inf": 2.0},
    }.items():
        for bound, speed in per_bucket.items():
            put(each("edge_histogram_bucket", is_=name, le=bound), grid, count * speed)
        put(each("edge_histogram_sum", is_=name), grid, count * 2.5)
        put(each("edge_histogram_count", is_=name), grid, count * max(per_bucket.values()))

    # Joins: many to one, labels on one side only, several on both sides, equal in all but the name.
    for zone in "abc":
        put(each("edge_info", zone=zone, version=f"v{ord(zone) % 2}"), grid, np.ones(len(grid)))
        for place in "12":
            put(each("edge_left", zone=zone, place=place), grid, count + ord(zone) + int(place))
            put(each("edge_right", zone=zone, place=place, more="x"), grid, count * 2 + int(place))
    put(each("edge_left", zone="d"), grid, count)
    put(each("edge_right", place="1"), grid, -count)
    put(each("edge_half", zone="a", place="1"), grid[: len(grid) // 2], count[: len(grid) // 2])
    put(each("edge_half", zone="b", place="1"), grid[len(grid) // 3 :], count[len(grid) // 3 :])
    put(each("edge_twice", zone="a", place="1", n="1"), grid, count)
    put(each("edge_twice", zone="a", place="1", n="2"), grid, count)

    # Names and values of labels.
    put(each("edge:name_with:colons", x="1"), grid, count)
    put(each("edge_text", value="äöü 漢字 \U0001f600"), grid, count)
    put(each("edge_text", value='quo"te \\ back\nline'), grid, count + 1)
    put(each("edge_text", value="a.b*c[d]"), grid, count + 2)
    put(each("edge_text", value="abc-123-def", path="/x/y/z"), grid, count + 3)
    put(((NAME, "edge_text"), ("_hidden", "h"), ("value", "__")), grid, count + 4)
    return found


def everything() -> list[Series]:
    """The real hour and what is made up, at the same times."""
    hour = real()
    return hour + made_up(*bounds(hour))


def _unpacked(text: str) -> Iterator[float | None]:
    for token in text.split():
        value, _, times = token.partition("*")
        number = None if value == "-" else STALE if value == "s" else float(value)
        for _ in range(int(times or 1)):
            yield number
