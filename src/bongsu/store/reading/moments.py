"""What series say at each moment, summed over those of one line: readings, or rates from one reading to the next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from bongsu.model.query import Fold
from bongsu.store.layout.buckets import FARTHEST_MS
from bongsu.store.layout.minutes import Minutes
from bongsu.store.series import Series, Times, Values

_T = TypeVar("_T")
HELD = 1.5  # a reading stands until the next one, at most so many of the usual times between two


@dataclass(frozen=True, slots=True)
class Moments:
    """Lines at common times: ``value``, ``low`` and ``high`` have a row for each of ``lines``, NaN where not known.

    ``spacing`` is the usual time between two of them, ms; 0 where it cannot be told.
    """

    times: Times
    lines: NDArray[np.intp]
    value: Values
    low: Values
    high: Values
    spacing: float


@dataclass(frozen=True, slots=True)
class _Block:
    """Series that share their times: layers (L, S, N), the line of each series, and where a counter began anew."""

    times: Times
    lines: list[int]
    layers: NDArray[np.float64]
    anew: NDArray[np.bool_] | None


def of_samples(series: Sequence[tuple[int, Series]], fold: Fold) -> Moments | None:
    """Samples as they were read; each series comes with the number of its line. None if there are none."""
    blocks = []
    for members in _alike([(id(one.times), (line, one)) for line, one in series]):
        times = members[0][1].times
        values = quiet(np.stack([one.values for _, one in members]))
        anew = None
        if fold is Fold.RATE:
            values, anew = rates(times, values)
        blocks.append(_Block(times, [line for line, _ in members], values[None], anew))
    return _summed(blocks)


def of_minutes(series: Sequence[tuple[int, Minutes]], fold: Fold) -> Moments | None:
    """Minute buckets, each named by its end; each series comes with the number of its line."""
    blocks = []
    counted = all(one.shape.counter for _, one in series)
    for members in _alike([(id(one.shape), (line, one)) for line, one in series]):
        shape = members[0][1].shape
        last, low, high, total = (
            np.stack([getattr(one, name) for _, one in members]) for name in ("last", "low", "high", "total")
        )
        last = quiet(last)
        layers = (last, last, last)
        anew = None if fold is not Fold.RATE or counted else np.zeros(last.shape, np.bool_)
        with np.errstate(divide="ignore", invalid="ignore"):
            if fold is Fold.RATE and not shape.counter:
                # What is not known to be a counter has no rates of its own: only those from minute to minute.
                value, anew = rates(shape.at, last)
                layers = (value, np.full(value.shape, np.nan), np.full(value.shape, np.nan))
            elif fold is Fold.RATE:
                layers = (total / (shape.covered / 1000.0), low, high)
            elif not shape.counter:
                middle = {Fold.LAST: last, Fold.MAX: high, Fold.AVG: total / shape.counts}[fold]
                layers = (middle, low, high)
        blocks.append(_Block(shape.ends, [line for line, _ in members], np.stack(layers), anew))
    return _summed(blocks)


def _alike(series: Sequence[tuple[int, tuple[int, _T]]]) -> list[list[tuple[int, _T]]]:
    found: dict[int, list[tuple[int, _T]]] = {}
    for key, member in series:
        found.setdefault(key, []).append(member)
    return list(found.values())


def quiet(values: Values) -> Values:
    """Stale marks as common NaNs: a signalling one would not be passed over by fmin and fmax."""
    values[np.isnan(values)] = np.nan
    return values


def rates(times: Times, values: Values) -> tuple[Values, NDArray[np.bool_]]:
    """Per second since the reading before, NaN where that is none; and where a counter went backwards."""
    found = np.full(values.shape, np.nan)
    anew = np.zeros(values.shape, np.bool_)
    spans = np.diff(times)
    with np.errstate(invalid="ignore"):
        steps = np.diff(values, axis=1)
        anew[:, 1:] = steps < 0
        found[:, 1:] = steps / (spans / 1000.0)
    found[:, 1:][:, spans > FARTHEST_MS] = np.nan
    found[anew] = np.nan
    return found, anew


def _summed(blocks: Sequence[_Block]) -> Moments | None:
    if not blocks:
        return None
    if len(blocks) == 1:
        times = blocks[0].times
        layers, anew = blocks[0].layers, blocks[0].anew
    else:
        times = np.unique(np.concatenate([block.times for block in blocks]))
        held = [_held(block, times) for block in blocks]
        layers = np.concatenate([layers for layers, _ in held], axis=1)
        anew = None if blocks[0].anew is None else np.concatenate([a for _, a in held if a is not None])
    line_of = np.array([line for block in blocks for line in block.lines], np.intp)
    order = np.argsort(line_of, kind="stable")
    lines, starts = np.unique(line_of[order], return_index=True)
    if lines.size < line_of.size:
        layers = layers[:, order]
        known = ~np.isnan(layers)
        with np.errstate(invalid="ignore"):
            sums = np.add.reduceat(np.where(known, layers, 0.0), starts, axis=1)
        sums[~np.logical_or.reduceat(known, starts, axis=1)] = np.nan
        if anew is not None:
            sums[:, np.logical_or.reduceat(anew[order], starts, axis=0)] = np.nan
        layers = sums
    else:
        layers = layers[:, order]
    usual = max(spacing(block.times) for block in blocks)
    return Moments(times, lines, layers[0], layers[min(1, len(layers) - 1)], layers[-1], usual)


def _held(block: _Block, times: Times) -> tuple[NDArray[np.float64], NDArray[np.bool_] | None]:
    """The block at all times: what was read stands until it is read again, or until it should have been."""
    place = np.searchsorted(block.times, times, "right") - 1
    there = place >= 0
    place[~there] = 0
    since = times - block.times[place]
    there &= (since == 0) | (since < HELD * spacing(block.times))
    layers = np.where(there, block.layers[:, :, place], np.nan)
    return layers, None if block.anew is None else block.anew[:, place] & there


def spacing(times: Times) -> float:
    """The usual time between two, ms; 0 where it cannot be told."""
    return float(np.median(np.diff(times))) if times.size > 1 else 0.0
