"""Samples as they come from several places of the store, joined into series."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bongsu.store.reading.index import Entry
from bongsu.store.series import Series, Times, Values


@dataclass(frozen=True, slots=True)
class Piece:
    """Some series that were read at the same times: a row of ``values`` for each id. Times ascend strictly."""

    ids: Sequence[int]
    times: Times
    values: Values | Sequence[Values]


def join(pieces: Sequence[Piece], entries: Sequence[Entry], start: int, end: int) -> list[Series]:
    """The series' samples from ``start`` to ``end``, series without any left out.

    The pieces stand in the order of their arrival: where two hold the same series at the same time, the later one
    is right. Series that are made of the same pieces share their ``times``.
    """
    wanted = [entry.ids[0] for entry in entries if len(entry.ids) == 1]
    if len(wanted) == len(entries) and all(list(piece.ids) == wanted for piece in pieces):
        return _abreast(pieces, entries, start, end)
    places: dict[int, list[tuple[int, int]]] = {}
    for number, piece in enumerate(pieces):
        for row, one in enumerate(piece.ids):
            places.setdefault(one, []).append((number, row))
    alike: dict[tuple[int, ...], list[tuple[Entry, list[tuple[int, int]]]]] = {}
    for entry in entries:
        found = places.get(entry.ids[0], [])
        if len(entry.ids) > 1:
            found = sorted(place for one in entry.ids for place in places.get(one, ()))
        if found:
            alike.setdefault(tuple([number for number, _ in found]), []).append((entry, found))
    series: list[Series] = []
    for numbers, members in alike.items():
        times, picked = merged([pieces[number].times for number in numbers])
        low, high = times.searchsorted((start, end + 1)).tolist()
        if low == high:
            continue
        values = _matrix([pieces[number] for number in numbers], [found for _, found in members])
        if picked is not None:
            values = np.ascontiguousarray(values[:, picked[low:high]])
        elif high - low < values.shape[1]:
            values = np.ascontiguousarray(values[:, low:high])
        times = times[low:high]
        series += [Series(entry.labels, times, values[i]) for i, (entry, _) in enumerate(members)]
    return series


def _abreast(pieces: Sequence[Piece], entries: Sequence[Entry], start: int, end: int) -> list[Series]:
    """The same where each piece has all of the series, in their order, as it is most of the time."""
    if not pieces:
        return []
    times, picked = merged([piece.times for piece in pieces])
    low, high = times.searchsorted((start, end + 1)).tolist()
    if low == high:
        return []
    whole = [np.asarray(piece.values) for piece in pieces]
    values = whole[0] if len(whole) == 1 else np.concatenate(whole, axis=1)
    values = values[:, low:high] if picked is None else values[:, picked[low:high]]
    times = times[low:high]
    return [Series(entry.labels, times, row) for entry, row in zip(entries, np.ascontiguousarray(values), strict=True)]


def merged(several: Sequence[Times]) -> tuple[Times, NDArray[np.intp] | None]:
    """All times in order, each once, and where they stand in the row of the given ones (None: as they are).

    Of equal times the last given is taken.
    """
    times = several[0] if len(several) == 1 else np.concatenate(several)
    if len(times) < 2 or bool((times[1:] > times[:-1]).all()):
        return times, None
    order = np.argsort(times, kind="stable")
    ordered = times[order]
    last = np.append(ordered[1:] != ordered[:-1], np.True_)
    return ordered[last], order[last]


def _matrix(pieces: Sequence[Piece], members: Sequence[Sequence[tuple[int, int]]]) -> Values:
    """One row for each member, its rows of the pieces behind each other."""
    values = np.empty((len(members), sum(len(piece.times) for piece in pieces)))
    at = 0
    for number, piece in enumerate(pieces):
        until = at + len(piece.times)
        rows = [places[number][1] for places in members]
        if isinstance(piece.values, np.ndarray):
            values[:, at:until] = piece.values[rows]
        else:
            for i, row in enumerate(rows):
                values[i, at:until] = piece.values[row]
        at = until
    return values
