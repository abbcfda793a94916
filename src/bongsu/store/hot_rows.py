"""Samples of the newest minutes, which are stored batch by batch."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
from numpy.typing import NDArray

from bongsu.store.hot import HotRow
from bongsu.store.index import Ids
from bongsu.store.pieces import Piece, merged
from bongsu.store.series import Times, Values

Layouts = Callable[[int], Ids | None]


def pieces(rows: Iterable[HotRow], layout: Layouts, ids: Ids) -> list[Piece]:
    """The rows' samples of these series (ids in ascending order), one piece for each layout.

    The rows stand in the order of their arrival. One with a layout that is not known is left out: nobody can tell
    its values apart.
    """
    alike: dict[bytes, list[HotRow]] = {}
    for row in rows:
        alike.setdefault(row.layouts, []).append(row)
    found: dict[int, tuple[Ids, list[tuple[Times, Times, Values]]]] = {}
    asked = np.zeros(int(ids.max(initial=0)) + 2, np.bool_)  # by id; the last is for all that are higher
    asked[ids] = True
    columns_of: dict[int, NDArray[np.intp]] = {}  # by layout: which of its columns are asked for
    for layouts, group in alike.items():
        numbers = np.frombuffer(layouts, "<i4").tolist()
        series = [layout(number) for number in numbers]
        if any(one is None for one in series):
            continue
        lengths = [0 if one is None else len(one) for one in series]
        width = sum(lengths)
        whole = [row for row in group if len(row.values) == width * 8]
        places = []
        at = 0
        for number, members, length in zip(numbers, series, lengths, strict=True):
            if members is not None and length:
                wanted = columns_of.get(number)
                if wanted is None:
                    wanted = columns_of[number] = asked.take(members, mode="clip").nonzero()[0]
                if wanted.size:
                    places.append((number, members[wanted], wanted + at))
            at += length
        if not places or not whole:
            continue
        values = np.frombuffer(b"".join([row.values for row in whole]), "<f8").reshape(len(whole), width)
        times = np.array([row.ts for row in whole], np.int64)
        order = np.array([row.seq for row in whole], np.int64)
        for number, members, columns in places:
            found.setdefault(number, (members, []))[1].append((times, order, values[:, columns]))
    return [_piece(members, parts) for members, parts in found.values()]


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
