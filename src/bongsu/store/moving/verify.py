"""Looks whether a store's file is whole: SQLite's own check, then every blob in it, and what refers to what."""

from __future__ import annotations

import contextlib
import json
import sqlite3
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np

from bongsu.model.message import Message
from bongsu.store.layout import codec, minutes, segments
from bongsu.store.layout.buckets import FIELDS
from bongsu.store.layout.file import open_for_reading
from bongsu.store.layout.interruptible import interruptible
from bongsu.store.layout.packing import get_varint
from bongsu.store.layout.schema import RAW
from bongsu.store.series import NAME, Times

_MOST = 100  # problems that are told one by one
_Undecodable = (ValueError, IndexError, OverflowError, zlib.error, sqlite3.DatabaseError)

Progress = Callable[[float], None]  # told the share that is done, 0 to 1


@dataclass(slots=True)
class Verified:
    """What was looked at, and what is wrong; ``more`` counts problems beyond those that are told."""

    problems: list[Message] = field(default_factory=list)
    more: int = 0
    series: int = 0
    batches: int = 0
    segments: int = 0
    chunks: int = 0
    samples: int = 0  # decoded, of all tiers

    def add(self, template: Message) -> None:
        """One more problem."""
        if len(self.problems) < _MOST:
            self.problems.append(template)
        else:
            self.more += 1


def verify(path: str, *, quick: bool = False, progress: Progress = lambda _: None) -> Verified:
    """Check the file. A writer may go on meanwhile: each part is read in a short transaction.

    With ``quick`` SQLite does not compare its indexes with the tables, and no column is decoded.

    Raises:
        BadInput: it is no store of ours, of a newer version, or cannot be read.
    """
    done = Verified()
    try:
        connection = open_for_reading(path)
    except sqlite3.DatabaseError as error:
        done.add(Message("the file cannot be opened: {reason}", reason=error))
        return done
    with contextlib.closing(connection), interruptible(connection):
        for check in (_pages, _names, _hot):
            try:
                check(connection, done, quick=quick)
            except sqlite3.DatabaseError as error:
                _raise_interrupt(error)
                done.add(Message("reading stopped: {reason}", reason=error))
        try:
            numbers = [row[0] for row in connection.execute("SELECT id FROM segment ORDER BY id")]
            _orphans(connection, done)
        except sqlite3.DatabaseError as error:
            _raise_interrupt(error)
            done.add(Message("the list of segments cannot be read: {reason}", reason=error))
            numbers = []
        known = _known(connection, done)
        for place, number in enumerate(numbers, 1):
            _segment(connection, number, known, done, quick=quick)
            progress(place / len(numbers))
        _minutes(connection, known, done)
    return done


def _raise_interrupt(error: sqlite3.DatabaseError) -> None:
    if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_INTERRUPT:
        raise error  # `interruptible` makes Ctrl-C of it


def _pages(connection: sqlite3.Connection, done: Verified, *, quick: bool) -> None:
    try:
        answers = connection.execute(f"PRAGMA {'quick_check' if quick else 'integrity_check'}({_MOST})").fetchall()
    except sqlite3.DatabaseError as error:
        _raise_interrupt(error)
        answers = [(error,)]
    for (answer,) in answers:
        if answer != "ok":
            done.add(Message("SQLite: {reason}", reason=" ".join(str(answer).split())))


def _names(connection: sqlite3.Connection, done: Verified, *, quick: bool) -> None:
    """Series and the metrics they are of."""
    del quick
    for number, labels, name in connection.execute(
        "SELECT series.id, series.labels, metric.name FROM series LEFT JOIN metric ON metric.id = series.metric"
    ):
        done.series += 1
        if name is None:
            done.add(Message("series {number} {labels}: its metric is missing", number=number, labels=labels))
        if not _are_labels(labels):
            done.add(Message("series {number} of {name}: its labels are not understood: {labels}", number=number,
                             name=name, labels=labels))  # fmt: skip


def _are_labels(text: str) -> bool:
    try:
        pairs = json.loads(text)
        names = [name for name, value in pairs if isinstance(name, str) and isinstance(value, str) and value]
    except (ValueError, TypeError):
        return False
    return isinstance(pairs, list) and len(names) == len(pairs) and names == sorted(set(names)) and NAME not in names


def _known(connection: sqlite3.Connection, done: Verified) -> set[int]:
    try:
        return {number for (number,) in connection.execute("SELECT id FROM series")}
    except sqlite3.DatabaseError as error:
        _raise_interrupt(error)
        done.add(Message("the list of series cannot be read: {reason}", reason=error))
        return set()


def _hot(connection: sqlite3.Connection, done: Verified, *, quick: bool) -> None:
    """Batches that are not compressed yet, and the layouts that say what their values are."""
    del quick
    lengths: dict[int, int] = {}
    connection.execute("BEGIN")
    try:
        known = {number for (number,) in connection.execute("SELECT id FROM series")}
        for number, blob in connection.execute("SELECT id, series FROM layout"):
            lengths[number] = len(blob) // 4
            missing = len(blob) % 4 or set(np.frombuffer(blob, "<i4").tolist()) - known
            if missing:
                done.add(Message("layout {number}: it names series that are missing", number=number))
        for seq, layouts, length in connection.execute('SELECT seq, layouts, length("values") FROM hot ORDER BY seq'):
            done.batches += 1
            done.samples += length // 8
            numbers = np.frombuffer(layouts, "<i4").tolist() if len(layouts) % 4 == 0 else [-1]
            if not lengths.keys() >= set(numbers):
                done.add(Message("batch {seq}: a layout of its values is missing", seq=seq))
            elif sum(lengths[one] for one in numbers) * 8 != length:
                done.add(Message("batch {seq}: it has not as many values as its layouts", seq=seq))
    finally:
        connection.execute("ROLLBACK")


def _orphans(connection: sqlite3.Connection, done: Verified) -> None:
    for (number,) in connection.execute(
        "SELECT DISTINCT id >> 32 FROM chunk WHERE id >> 32 NOT IN (SELECT id FROM segment)"
    ):
        done.add(Message("segment {number}: it is missing, and columns of it are there", number=number))


def _segment(connection: sqlite3.Connection, number: int, known: set[int], done: Verified, *, quick: bool) -> None:
    """One segment and its columns, read at one moment."""
    try:
        connection.execute("BEGIN")
        row = connection.execute(
            "SELECT tier, t0, t1, first, last, times, series FROM segment WHERE id = ?", (number,)
        ).fetchone()
        chunks = connection.execute(
            "SELECT id, data FROM chunk WHERE id BETWEEN ? AND ? ORDER BY id", (number << 32, number << 32 | 0xFFFFFFFF)
        ).fetchall()
    except sqlite3.DatabaseError as error:
        _raise_interrupt(error)
        done.add(Message("segment {number}: {reason}", number=number, reason=error))
        return
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
    if row is None:  # what was too old has been let go since
        return
    done.segments += 1
    done.chunks += len(chunks)
    for problem in _wrong_in(row, [(one & 0xFFFFFFFF, data) for one, data in chunks], known, done, quick=quick):
        tier, t0, t1 = row[:3]
        done.add(Message("segment {number} ({tier}, {first} to {last}): {problem}", number=number,
                         tier="raw" if tier == RAW else "1m", first=time_text(t0), last=time_text(t1), problem=problem))  # fmt: skip


def _wrong_in(
    row: tuple[int, int, int, int, int, bytes, bytes], chunks: list[tuple[int, bytes]], known: set[int],
    done: Verified, *, quick: bool,
) -> Iterator[Message]:  # fmt: skip
    tier, t0, t1, first, last, times, series = row
    ids = [one for one, _ in chunks]
    try:
        listed = segments.decode_ids(series).tolist()
    except _Undecodable as error:
        yield Message("its list of series cannot be decoded: {reason}", reason=error)
    else:
        if listed != ids:
            yield Message("its list of series is not that of its columns")
    if not known.issuperset(ids):
        yield Message("it has columns of series that are missing: {ids}", ids=_some(set(ids) - known))
    try:
        columns = (
            segments.decode_patterns(times) if tier == RAW else [shape.at for shape in minutes.decode_shapes(times)]
        )
    except _Undecodable as error:
        yield Message("its times cannot be decoded: {reason}", reason=error)
        return
    if not all((np.diff(column) > 0).all() for column in columns):
        yield Message("its times do not ascend")
    there = [column for column in columns if column.size]
    extent = (min(int(c[0]) for c in there), max(int(c[-1]) for c in there)) if there else None
    if extent is None or extent != (first, last) or not t0 < first <= last <= t1:
        yield Message("its times are not those that it is listed with")
    for one, data in chunks:
        try:
            done.samples += _column(tier, data, columns, quick=quick)
        except _Undecodable as error:
            yield Message("the column of series {one} cannot be decoded: {reason}", one=one, reason=error)


def _column(tier: int, data: bytes, patterns: list[Times], *, quick: bool) -> int:
    """How many samples a column has; raises one of _Undecodable."""
    which, at = get_varint(data, 0)
    count = int(patterns[which].size)
    if quick:
        return count
    parts = [data[at:]]
    if tier != RAW:
        parts = []
        for _ in range(FIELDS):
            part, at = segments.taken(data, at)
            parts.append(part)
    for part in parts:
        if codec.decode(part, count).size != count:
            raise ValueError("it has not as many values as times")
    return count


def _minutes(connection: sqlite3.Connection, known: set[int], done: Verified) -> None:
    """The rows of minutes that are not merged yet."""
    try:
        rows = connection.execute("SELECT segment, t0, t1, data FROM minutes ORDER BY segment").fetchall()
    except sqlite3.DatabaseError as error:
        _raise_interrupt(error)
        done.add(Message("rows of minutes cannot be read: {reason}", reason=error))
        return
    for number, t0, t1, data in rows:
        try:
            for group in minutes.decode(data):
                done.samples += int(group.shape.ends.size * group.ids.size)
                if not known.issuperset(group.ids.tolist()):
                    raise ValueError("it has series that are missing")
                if not ((group.shape.at > t0) & (group.shape.at <= t1)).all():
                    raise ValueError("its times are not those that it is listed with")
        except _Undecodable as error:
            done.add(Message("minutes {number} ({first} to {last}): {reason}", number=number, first=time_text(t0),
                             last=time_text(t1), reason=error))  # fmt: skip


def _some(ids: set[int]) -> str:
    few = sorted(ids)[:5]
    return ", ".join(map(str, few)) + (" …" if len(ids) > len(few) else "")


def time_text(time_ms: int) -> str:
    """A time in UTC, to the second."""
    try:
        return str(np.datetime64(time_ms, "ms").astype("datetime64[s]")) + "Z"
    except (OverflowError, ValueError):
        return str(time_ms)
