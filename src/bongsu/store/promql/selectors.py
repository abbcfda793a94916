"""Samples for selectors: the latest one at each step, or all of the window that ends there."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import numpy as np
import promql_parser as ast

from bongsu.store.promql.values import Block, Context, Index, Mask, Matrix, Vector
from bongsu.store.series import NAME, Labels, Matcher, Op, Selected, Series, Times, Values, is_stale

_OPS = {  # by their text: the parser's enumerations cannot be keys
    str(ast.MatchOp.Equal): Op.EQUAL,
    str(ast.MatchOp.NotEqual): Op.NOT_EQUAL,
    str(ast.MatchOp.Re): Op.MATCH,
    str(ast.MatchOp.NotRe): Op.NOT_MATCH,
}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


def milliseconds(duration: timedelta) -> int:
    """A duration of the grammar in ms, which are its smallest unit."""
    return duration // _MILLISECOND


def matchers_of(selector: ast.VectorSelector) -> tuple[Matcher, ...]:
    """What a selector asks of labels; the metric's name comes first."""
    found = [Matcher(NAME, Op.EQUAL, selector.name)] if selector.name else []
    found += [Matcher(matcher.name, _OPS[str(matcher.op)], matcher.value) for matcher in selector.matchers.matchers]
    return tuple(found)


def moments(context: Context, at: ast.AtModifier | None, offset: timedelta | None) -> Times:
    """The times that are looked at from each step, int64 of shape (T,), after ``@`` and ``offset``."""
    back = milliseconds(offset) if offset else 0
    if at is None:
        return context.steps.times - back
    if at.type == ast.AtModifierType.Start:
        fixed = context.query_start
    elif at.type == ast.AtModifierType.End:
        fixed = context.query_end
    else:
        assert at.at is not None
        fixed = milliseconds(at.at - _EPOCH)
    return np.full(context.steps.count, fixed - back, dtype=np.int64)


def latest(context: Context, selector: ast.VectorSelector, *, stamps: bool = False) -> Vector:
    """The newest sample within the lookback at each step; with ``stamps`` its time in seconds as the value."""
    times = moments(context, selector.at, selector.offset)
    fixed = selector.at is not None
    wanted = times[:1] if fixed else times
    found = _select(context, selector, int(wanted[0]) - context.lookback + 1, int(wanted[-1]), 0)
    context.spend(len(found) * len(times))
    values = np.empty((len(found), len(wanted)))
    present = np.empty((len(found), len(wanted)), dtype=np.bool_)
    known: dict[int, tuple[Index, Times, Mask]] = {}
    together: dict[int, list[int]] = {}
    for row, series in enumerate(found):
        together.setdefault(id(series.times), []).append(row)
    for place, rows in together.items():
        nearest, _, there = known[place] = _nearest(found[rows[0]].times, wanted, context.lookback)
        if len(together) == 1:
            values = np.stack([series.values for series in found]).take(nearest, axis=1)
            present = np.repeat(there[np.newaxis], len(found), axis=0)
            break
        for row in rows:
            values[row] = found[row].values[nearest]
            present[row] = there
    present &= ~is_stale(values)
    if stamps:
        for row, series in enumerate(found):
            values[row] = known[id(series.times)][1] / 1000
    rows = np.flatnonzero(present.any(axis=1)).tolist()
    if len(rows) < len(found):
        values, present = values[rows], present[rows]
    if fixed:
        values, present = np.repeat(values, len(times), axis=1), np.repeat(present, len(times), axis=1)
    return Vector([found[row].labels for row in rows], values, present)


def _nearest(times: Times, wanted: Times, lookback: int) -> tuple[Index, Times, Mask]:
    """Where the newest sample of each moment stands, when it was, and whether it is within the lookback."""
    nearest = times.searchsorted(wanted, side="right") - 1
    there = nearest >= 0
    nearest[~there] = 0
    times_there = times[nearest]
    there &= times_there > wanted - lookback
    return nearest, times_there, there


def windows(context: Context, selector: ast.MatrixSelector) -> Matrix:
    """The samples of the window that ends at each step, its left end left out."""
    inner = selector.vector_selector
    ends = moments(context, inner.at, inner.offset)
    width = milliseconds(selector.range)
    found = _select(context, inner, int(ends[0]) - width + 1, int(ends[-1]), width)
    together: dict[int, list[Series]] = {}
    for series in found:
        together.setdefault(id(series.times), []).append(series)
    blocks: list[Block] = []
    for group in together.values():
        times = group[0].times
        low, high = times.searchsorted((ends[0] - width, ends[-1]), side="right")
        times = times[low:high]
        context.spend(len(group) * len(times))
        values = np.stack([series.values[low:high] for series in group])
        alive = ~is_stale(values)
        labels = [series.labels for series in group]
        blocks += blocks_of(labels, times, values, alive, ends, width)
    return Matrix(blocks, width)


def blocks_of(
    labels: Sequence[Labels],
    times: Times,
    values: Values,
    present: Mask,
    ends: Times,
    width: int,
) -> list[Block]:
    """Blocks of samples of shape (S, N), one for each set of times that series have in common."""
    if present.all():
        return [_block(labels, times, values, ends, width)] if len(times) else []
    alike: dict[bytes, list[int]] = {}
    for row in range(len(labels)):
        alike.setdefault(present[row].tobytes(), []).append(row)
    made = []
    for rows in alike.values():
        columns = np.flatnonzero(present[rows[0]])
        if len(columns):
            part = values[rows][:, columns]
            made.append(_block([labels[row] for row in rows], times[columns], part, ends, width))
    return made


def _block(
    labels: Sequence[Labels],
    times: Times,
    values: Values,
    ends: Times,
    width: int,
) -> Block:
    """One block with the place of each window in it."""
    starts = ends - width
    first = times.searchsorted(starts, side="right")
    last = times.searchsorted(ends, side="right")
    return Block(labels, times, values, first, last, starts, ends)


def _select(context: Context, selector: ast.VectorSelector, start: int, end: int, window: int) -> Sequence[Series]:
    """What the source has for a selector; its notes become warnings."""
    found: Selected = context.source.select(matchers_of(selector), start, end, step=context.steps.step, window=window)
    for note in found.notes:
        context.warnings[str(note)] = note
    return found.series
