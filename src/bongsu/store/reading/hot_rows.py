"""Samples of the newest minutes, which are stored batch by batch."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bongsu.store.layout.hot import HotRow
from bongsu.store.reading.hot_cache import Block
from bongsu.store.reading.index import Ids
from bongsu.store.reading.pieces import Piece, merged
from bongsu.store.series import Times, Values

Layouts = Callable[[int], Ids | None]
_MOST_LAYOUTS = 64  # that are remembered; a machine's rows have a handful


class Places(NamedTuple):
    """The series in a row, ids in ascending order, and the column of each."""

    ids: Ids
    columns: NDArray[np.intp]


class Columns:
    """Where series stand in rows, by the rows' layouts; those asked for last are remembered. What is said never changes."""

    def __init__(self) -> None:
        self._known: dict[bytes, Places] = {}

    def known(self, layouts: bytes) -> Places | None:
        """The places in rows of these layouts; None where they must be looked up first."""
        return self._known.get(layouts)

    def look_up(self, layouts: bytes, layout: Layouts) -> None:
        """Find the places; where a layout is not known, nobody can tell the values of such rows apart."""
        members = [layout(number) for number in np.frombuffer(layouts, "<i4").tolist()]
        there = [each for each in members if each is not None]
        if len(there) < len(members):
            return
        ids = np.concatenate(there) if there else np.empty(0, np.int32)
        columns = np.argsort(ids, kind="stable")
        if len(self._known) >= _MOST_LAYOUTS:
            self._known = {}
        self._known[layouts] = Places(ids[columns], columns)

    def clear(self) -> None:
        """Forget everything: the file is another one."""
        self._known = {}


def pieces(blocks: Iterable[Block], columns: Columns, ids: Ids) -> list[Piece]:
    """The blocks' samples of these series (ids in ascending order), one piece for each set of them that rows hold.

    Rows whose layouts `columns` does not know, or of another width than theirs, are left out.
    """
    found: dict[bytes, tuple[Ids, list[tuple[Times, Times, Values]]]] = {}
    chosen: dict[bytes, tuple[int, Ids, NDArray[np.intp], bytes]] = {}
    for block in blocks:
        if block.layouts not in chosen:
            chosen[block.layouts] = _chosen(columns.known(block.layouts), ids)
        width, members, at, key = chosen[block.layouts]
        if len(members) and block.values.shape[1] == width:
            part = (block.times, block.numbers, block.values[:, at])
            found.setdefault(key, (members, []))[1].append(part)
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


def _chosen(places: Places | None, ids: Ids) -> tuple[int, Ids, NDArray[np.intp], bytes]:
    """How many values such a row has, which of the series it holds and in which columns, and a key for that set."""
    if places is None or not len(places.ids):
        return -1, ids[:0], np.empty(0, np.intp), b""
    at = places.ids.searchsorted(ids)
    there = places.ids.take(at, mode="clip") == ids
    members = ids if there.all() else ids[there]
    return len(places.ids), members, places.columns[at[there]], members.tobytes()


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
