"""All functions of windows beside plain loops over each window's samples."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bongsu.store.promql import windows
from bongsu.store.promql.call import Call
from bongsu.store.promql.functions import FUNCTIONS
from bongsu.store.promql.values import Block, Context, Matrix, Scalar, Steps, Value, Vector
from store.promql.memory_source import MemorySource

Samples = Sequence[tuple[int, float]]  # milliseconds, value
NAN = math.nan


def _neumaier(numbers: Sequence[float]) -> tuple[float, float]:
    total, lost = 0.0, 0.0
    for number in numbers:
        new = total + number
        if math.isinf(new):
            lost = 0.0
        elif abs(total) >= abs(number):
            lost += (total - new) + number
        else:
            lost += (number - new) + total
        total = new
    return total, lost


def _sum(samples: Samples, *_: float) -> float:
    return sum(_neumaier([value for _, value in samples]))


def _mean(samples: Samples, *_: float) -> float:
    total, lost = _neumaier([value for _, value in samples])
    if math.isinf(total):  # numbers that can overflow are tested by themselves
        return total
    return total / len(samples) + lost / len(samples)


def _variance(samples: Samples, *_: float) -> float:
    mean, mean_lost, squares, squares_lost = 0.0, 0.0, 0.0, 0.0
    for count, (_at, value) in enumerate(samples, 1):
        off = value - (mean + mean_lost)
        mean, mean_lost = _added(mean, mean_lost, off / count)
        squares, squares_lost = _added(squares, squares_lost, off * (value - (mean + mean_lost)))
    return (squares + squares_lost) / len(samples)


def _added(total: float, lost: float, number: float) -> tuple[float, float]:
    new = total + number
    if math.isinf(new):
        return new, 0.0
    return new, lost + ((total - new) + number if abs(total) >= abs(number) else (number - new) + total)


def _least(samples: Samples, *_: float) -> float:
    return min((value for _, value in samples if not math.isnan(value)), default=NAN)


def _greatest(samples: Samples, *_: float) -> float:
    return max((value for _, value in samples if not math.isnan(value)), default=NAN)


def _changes(samples: Samples, *_: float) -> float:
    pairs = itertools.pairwise(value for _, value in samples)
    return sum(a != b and not (math.isnan(a) and math.isnan(b)) for a, b in pairs)


def _resets(samples: Samples, *_: float) -> float:
    return sum(b < a for (_, a), (_, b) in itertools.pairwise(samples))


def _quantile(samples: Samples, *_: float) -> float:
    ordered = sorted((value for _, value in samples), key=lambda value: (not math.isnan(value), value))
    rank = 0.3 * (len(ordered) - 1)
    low = math.floor(rank)
    high = min(len(ordered) - 1, low + 1)
    return ordered[low] * (1 - (rank - low)) + ordered[high] * (rank - low)


def _stretched(samples: Samples, start: float, end: float, counter: bool) -> float | None:
    if len(samples) < 2:
        return None
    change = samples[-1][1] - samples[0][1]
    if counter:
        for (_, before), (_, value) in itertools.pairwise(samples):
            if value < before:
                change += before
    to_start, to_end = (samples[0][0] - start) / 1000, (end - samples[-1][0]) / 1000
    sampled = (samples[-1][0] - samples[0][0]) / 1000
    distance = sampled / (len(samples) - 1)
    if to_start >= distance * 1.1:
        to_start = distance / 2
    if to_end >= distance * 1.1:
        to_end = distance / 2
    if counter and change > 0 and samples[0][1] >= 0:
        to_start = min(to_start, sampled * (samples[0][1] / change))
    return change * ((sampled + to_start + to_end) / sampled)


def _increase(samples: Samples, start: float, end: float) -> float | None:
    return _stretched(samples, start, end, counter=True)


def _delta(samples: Samples, start: float, end: float) -> float | None:
    return _stretched(samples, start, end, counter=False)


def _irate(samples: Samples, *_: float) -> float | None:
    if len(samples) < 2:
        return None
    (earlier, before), (later, value) = samples[-2:]
    return (value if value < before else value - before) / ((later - earlier) / 1000)


def _slope(samples: Samples, *_: float) -> float | None:
    if len(samples) < 2:
        return None
    values = [value for _, value in samples]
    if all(value == values[0] for value in values):
        return NAN if math.isinf(values[0]) else 0.0
    x = [(at - samples[0][0]) / 1000 for at, _ in samples]
    count = float(len(samples))
    of_x, of_y = sum(_neumaier(x)), sum(_neumaier(values))
    products = sum(_neumaier([a * b for a, b in zip(x, values, strict=True)]))
    squares = sum(_neumaier([a * a for a in x]))
    return (products - of_x * of_y / count) / (squares - of_x * of_x / count)


PLAIN: dict[str, Callable[[Samples, float, float], float | None]] = {
    "sum_over_time": _sum, "avg_over_time": _mean, "stdvar_over_time": _variance, "min_over_time": _least,
    "max_over_time": _greatest, "changes": _changes, "resets": _resets, "quantile_over_time": _quantile,
    "count_over_time": lambda samples, *_: len(samples), "last_over_time": lambda samples, *_: samples[-1][1],
    "increase": _increase, "delta": _delta, "irate": _irate, "deriv": _slope,
}  # fmt: skip

_numbers = st.one_of(
    st.integers(-3, 3).map(float),
    st.floats(-1e6, 1e6, allow_subnormal=False),
    st.sampled_from([NAN, math.inf, -math.inf, 0.1, 1e9, 1e100, -1e100, -0.0]),
)


@st.composite
def _blocks(draw: st.DrawFn) -> tuple[Steps, int, Block]:
    """A few series at uneven times, and steps whose windows may be empty or reach far."""
    gaps = draw(st.lists(st.integers(1, 40_000), min_size=1, max_size=25))
    times = np.cumsum(np.array(gaps, dtype=np.int64))
    rows = draw(st.integers(1, 3))
    values = [draw(st.lists(_numbers, min_size=len(gaps), max_size=len(gaps))) for _ in range(rows)]
    window = draw(st.integers(1, 300_000))
    step = draw(st.integers(1, 60_000))
    count = draw(st.integers(1, 12))
    begin = draw(st.integers(-20_000, 200_000))
    steps = Steps(begin, begin + (count - 1) * step, step)
    ends = steps.times
    first = np.searchsorted(times, ends - window, side="right")
    last = np.searchsorted(times, ends, side="right")
    labels = [(("row", str(row)),) for row in range(rows)]
    return steps, window, Block(labels, times, np.array(values), first, last, ends - window, ends)


@pytest.mark.parametrize("name", PLAIN)
@given(drawn=_blocks())
@settings(max_examples=120, deadline=None)
def test_every_window_is_worked_out_alone(name: str, drawn: tuple[Steps, int, Block]) -> None:
    """To the last digit, but for rounding of multiplications in another order; nothing leaks from window to window."""
    steps, window, block = drawn
    context = Context(MemorySource(), steps, 300_000)
    arguments: list[Value] = [Matrix([block], window)]
    if name == "quantile_over_time":
        arguments.insert(0, Scalar(np.full(steps.count, 0.3)))
    found = FUNCTIONS[name].evaluate(context, Call(name, (), arguments))
    assert isinstance(found, Vector)
    rows = {labels: row for row, labels in enumerate(found.labels)}
    for series, labels in enumerate(block.labels):
        for at in range(steps.count):
            part = slice(int(block.first[at]), int(block.last[at]))
            samples = list(zip(block.times[part].tolist(), block.values[series, part].tolist(), strict=True))
            with np.errstate(all="ignore"):
                expected = _plain(name, samples, float(block.starts[at]), float(block.ends[at]))
            present = labels in rows and bool(found.present[rows[labels], at])
            assert present == (expected is not None)
            if expected is not None:
                assert found.values[rows[labels], at] == pytest.approx(expected, rel=1e-13, abs=0, nan_ok=True)


def _plain(name: str, samples: Samples, start: float, end: float) -> float | None:
    return PLAIN[name](samples, start, end) if samples else None


@pytest.mark.parametrize("name", ["sum_over_time", "stddev_over_time", "max_over_time", "deriv", "quantile_over_time"])
def test_work_in_pieces_gives_the_same(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """However few series are worked on at a time."""
    random = np.random.default_rng(7)
    times = np.arange(0, 600_000, 10_000, dtype=np.int64)
    steps = Steps(0, 600_000, 13_000)
    ends = steps.times
    first = np.searchsorted(times, ends - 70_000, side="right")
    last = np.searchsorted(times, ends, side="right")
    labels = [(("row", str(row)),) for row in range(40)]
    block = Block(labels, times, random.normal(size=(40, 60)), first, last, ends - 70_000, ends)
    arguments: list[Value] = [Matrix([block], 70_000)]
    if name == "quantile_over_time":
        arguments.insert(0, Scalar(np.full(steps.count, 0.3)))
    results = []
    for at_once in (1, 300, 10_000_000):
        monkeypatch.setattr(windows, "_AT_ONCE", at_once)
        monkeypatch.setattr(windows, "_NUMBERS_A_TIME", at_once)
        found = FUNCTIONS[name].evaluate(Context(MemorySource(), steps, 300_000), Call(name, (), arguments))
        assert isinstance(found, Vector)
        results.append((found.values[found.present].tobytes(), len(found.labels)))
    assert results[0] == results[1] == results[2]
    assert results[0][1] == 40


def test_without_series_there_is_a_vector_without_rows() -> None:
    """Its shape still has the steps."""
    context = Context(MemorySource(), Steps(0, 100, 10), 300_000)
    for name in PLAIN.keys() - {"quantile_over_time"}:
        found = FUNCTIONS[name].evaluate(context, Call(name, (), [Matrix((), 1000)]))
        assert isinstance(found, Vector)
        assert found.values.shape == found.present.shape == (0, 11)
