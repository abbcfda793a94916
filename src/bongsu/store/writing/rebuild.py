"""Makes minute buckets of a window anew from its raw samples as they are read, where some may stand there already.

A bucket cannot be put together from an older one and from what came later: which of the later samples took the place
of one that the older bucket counts is not seen in it. So all samples of its minute are read again. Where some of these
are gone, their time being over, the bucket is all that is known of that minute, and it stays as it is.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np

from bongsu.store.layout import buckets, minutes, segments
from bongsu.store.layout.buckets import FARTHEST_MS, Before, Buckets, Shape
from bongsu.store.layout.minutes import Minutes
from bongsu.store.layout.schema import MINUTE_MS, MINUTES, RAW
from bongsu.store.layout.segments import Column, Group, Ids
from bongsu.store.series import Times

Finals = dict[int, Minutes]  # the buckets that stay as they are, by series


def is_needed(connection: sqlite3.Connection, t0: int, t1: int) -> bool:
    """Whether samples of ``(t0, t1]`` have to do with more than themselves and the newest row of minutes before them."""
    reach = t1 + FARTHEST_MS
    question = "SELECT 1 FROM segment WHERE tier = ? AND t1 BETWEEN ? AND ? AND first <= ? AND last > ? LIMIT 1"
    return any(
        connection.execute(question, (tier, start + 1, reach + segments.LONGEST_MS, reach, start)).fetchone()
        for tier, start in ((RAW, t0), (MINUTES, t0 - FARTHEST_MS))
    ) or bool(connection.execute("SELECT 1 FROM minutes WHERE t1 > ? AND t0 < ? LIMIT 1", (t0, reach)).fetchone())


def finals(connection: sqlite3.Connection, ids: Iterable[int], t0: int, t1: int) -> Finals:
    """The buckets of these series of ``(t0, t1]``, which are whole minutes, of which raw samples are gone.

    Ask before samples are added. A bucket that counts more samples than there are, or a later one, is of some that are
    gone; samples that were added since have their buckets, so that it never counts fewer without a reason.
    """
    there = minutes.read(connection, ids, t0 + 1, t1 + 1 - MINUTE_MS)
    raw = segments.read(connection, there, t0 + 1, t1) if there else {}
    found: Finals = {}
    for one, column in there.items():
        stays = _stays(column.shape, raw.get(one))
        if stays.any():
            shape = Shape(column.shape.counter, *(part[stays] for part in column.shape[1:]))
            found[one] = Minutes(shape, *(field[stays] for field in column[1:]))
    return found


def _stays(shape: Shape, raw: Column | None) -> segments.Flags:
    if raw is None:
        return np.ones(shape.ends.size, np.bool_)
    counted = np.isfinite(raw.values) if shape.counter else ~np.isnan(raw.values)
    before = np.append(0, np.cumsum(counted))
    first, end = raw.times.searchsorted((shape.ends - MINUTE_MS, shape.ends), "right")
    newest = np.where(end > first, raw.times[end - 1], np.iinfo(np.int64).min)
    stays: segments.Flags = (before[end] - before[first] < shape.counts) | (newest < shape.at)
    return stays


def excluded(times: Times, final: Minutes) -> segments.Flags:
    """Which samples at these times would change one of a series' buckets that stay as they are.

    Those are the ones in it and, of a counter, the ones from which it could be told what happened up to its first.
    """
    ends = final.shape.ends
    place = np.minimum(ends.searchsorted(times), ends.size - 1)
    reach = MINUTE_MS + FARTHEST_MS if final.shape.counter else MINUTE_MS
    found: segments.Flags = (times <= ends[place]) & (times > ends[place] - reach)
    return found


def rebuild(connection: sqlite3.Connection, ids: Iterable[int], t0: int, t1: int, stay: Finals) -> None:
    """Write the buckets of these series of ``(t0, t1]`` from their raw samples, but for those that ``stay``.

    Within a transaction of the caller. Buckets that stand there already are no longer read then.

    Raises:
        sqlite3.DatabaseError: what stands there is damaged.
    """
    columns = segments.read(connection, ids, t0 + 1, t1)
    if not columns:
        return
    counting = minutes.counting(connection, np.array(list(columns), dtype=np.int64))
    before = _before(connection, counting, t0)
    made = list(buckets.build(list(_groups(columns, stay)), counting, before))
    kept = [part for one in made for part in _without(one, stay)]
    if kept:
        # A number of the segments' own: rows and segments of one time are read in the order in which they came.
        (number,) = connection.execute(
            "UPDATE sqlite_sequence SET seq = seq + 1 WHERE name = 'segment' RETURNING seq"
        ).fetchone()
        connection.execute(
            "INSERT INTO minutes(segment, t0, t1, data) VALUES(?, ?, ?, ?)", (number, t0, t1, minutes.encode(kept))
        )


def _before(connection: sqlite3.Connection, counters: Ids, t0: int) -> Mapping[int, Before]:
    """The newest sample of each counter within FARTHEST_MS before the window, from whichever tier has a newer one."""
    found: dict[int, Before] = {}
    for one, raw in segments.read(connection, counters.tolist(), t0 - FARTHEST_MS, t0).items():
        found[one] = Before(int(raw.times[-1]), float(raw.values[-1]))
    for one, column in minutes.read(connection, counters.tolist(), t0 - FARTHEST_MS, t0 + 1 - MINUTE_MS).items():
        at = int(column.shape.at[-1])
        if at > found.get(one, buckets.NOTHING).at:
            found[one] = Before(at, float(column.last[-1]))
    return found


def _groups(columns: Mapping[int, Column], stay: Finals) -> Iterator[Group]:
    """Series of the same times; where a bucket stays its last sample stands for all of its minute."""
    alike: dict[int, list[int]] = {}
    for one, column in columns.items():
        if one in stay:
            yield _with_lasts(one, column, stay[one])
        else:
            alike.setdefault(id(column.times), []).append(one)
    for same in alike.values():
        times = columns[same[0]].times
        yield Group(np.array(same, dtype=np.int64), times, np.stack([columns[one].values for one in same]))


def _with_lasts(one: int, column: Column, final: Minutes) -> Group:
    minute = -(-column.times // MINUTE_MS) * MINUTE_MS
    fine = ~np.isin(minute, final.shape.ends)
    times = np.concatenate([column.times[fine], final.shape.at])
    values = np.concatenate([column.values[fine], final.last])
    order = np.argsort(times)
    return Group(np.array([one], dtype=np.int64), times[order], values[order][None, :])


def _without(made: Buckets, stay: Finals) -> Sequence[Buckets]:
    final = stay.get(int(made.ids[0]))  # which then is the only one of its group
    if final is None:
        return [made]
    new = ~np.isin(made.shape.ends, final.shape.ends)
    if not new.any():
        return []
    return [
        Buckets(Shape(made.shape.counter, *(part[new] for part in made.shape[1:])), made.ids, made.fields[:, :, new])
    ]
