"""Samples of the newest minutes, which are stored batch by batch."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
from numpy.typing import NDArray

from bongsu.store.layout.hot import HotRow
from bongsu.store.reading.hot_cache import Block
from bongsu.store.reading.index import Ids
from bongsu.store.reading.pieces import Piece, merged
from bongsu.store.series import Times, Values

Layouts = Callable[[int], Ids | None]


def pieces(blocks: Iterable[Block], layout: Layouts, ids: Ids) -> list[Piece]:
    """The blocks' samples of these series (ids in ascending order), one piece for each layout.

    Rows with a layout that is not known, or of another width than theirs, are left out: nobody can tell their values
    apart.
    """
    found: dict[int, tuple[Ids, list[tuple[Times, Times, Values]]]] = {}
    asked = np.zeros(int(ids.max(initial=0)) + 2, np.bool_)  # by id; the last is for all that are higher
    asked[ids] = True
    known: dict[bytes, tuple[int, list[tuple[int, Ids, NDArray[np.intp]]]]] = {}
    for block in blocks:
        width, places = known.get(block.layouts) or known.setdefault(
            block.layouts, _places(block.layouts, layout, asked)
        )
        if places and block.values.shape[1] == width:
            for number, members, columns in places:
                part = (block.times, block.numbers, block.values[:, columns])
                found.setdefault(number, (members, []))[1].append(part)
    if len(found) > 1 and _some_moment_twice(part for _, parts in found.values() for part in parts):
        return _row_by_row(found.values())
    return [_piece(members, parts) for members, parts in found.values()]


def _some_moment_twice(parts: Iterable[tuple[Times, Times, Values]]) -> bool:
    """Whether two rows are of one time, as where a clock was set back: then the order of arrival decides."""
    seen: dict[int, tuple[Times, Times]] = {id(part[1]): part[:2] for part in parts}  # a row is in several layouts
    numbers = np.concatenate([numbers for _, numbers in seen.values()])
    times = np.concatenate([times for times, _ in seen.values()])
    return len(np.unique(times)) < len(np.unique(numbers))


def _row_by_row(found: Iterable[tuple[Ids, list[tuple[Times, Times, Values]]]]) -> list[Piece]:
    """A piece for each row and layout, in the order of arrival."""
    rows = [
        (number, Piece(members.tolist(), times[i : i + 1], np.array(values[i : i + 1].T, np.float64)))
        for members, parts in found
        for times, numbers, values in parts
        for i, number in enumerate(numbers.tolist())
    ]
    return [piece for _, piece in sorted(rows, key=lambda row: row[0])]


def _places(
    layouts: bytes, layout: Layouts, asked: NDArray[np.bool_]
) -> tuple[int, list[tuple[int, Ids, NDArray[np.intp]]]]:
    """How many values such a row has, and of each layout the series that are asked for and their columns."""
    numbers = np.frombuffer(layouts, "<i4").tolist()
    found: list[tuple[int, Ids, NDArray[np.intp]]] = []
    at = 0
    for number in numbers:
        members = layout(number)
        if members is None:
            return -1, []
        if len(members) and (wanted := asked.take(members, mode="clip").nonzero()[0]).size:
            found.append((number, members[wanted], wanted + at))
        at += len(members)
    return at, found


def named(rows: Iterable[HotRow], layout: Layouts) -> list[Ids]:
    """The series that the rows hold samples of, as one array of ids for each layout."""
    numbers = {number for layouts in {row.layouts for row in rows} for number in np.frombuffer(layouts, "<i4").tolist()}
    return [members for number in sorted(numbers) if (members := layout(number)) is not None]


def _piece(members: Ids, parts: list[tuple[Times, Times, Values]]) -> Piece:
    if len(parts) == 1:
        times, _, values = parts[0]
    else:
        times = np.concatenate([part[0] for part in parts])
        values = np.concatenate([part[2] for part in parts])
        arrival = np.argsort(np.concatenate([part[1] for part in parts]), kind="stable")
        times, values = times[arrival], values[arrival]
    times, picked = merged([times])
    if picked is not None:
        values = values[picked]
    return Piece(members.tolist(), times, np.ascontiguousarray(values.T).astype(np.float64, copy=False))
