"""What is let go, and when: by age, by the most bytes that the store may take, and names that nothing uses any more."""

from __future__ import annotations

import os
import sqlite3

import numpy as np

from bongsu.store.layout import file, minutes, segments
from bongsu.store.layout.packing import get_varint
from bongsu.store.layout.schema import MINUTES, RAW, SEAL_MS

FRESH_MS = 86_400_000  # raw samples that are not older go last
_LEAST_SPARE = 256 * 1024
_VACUUMED = 256  # pages that are moved in one transaction
_IDLE = 16 * 1024 * 1024  # bytes of free pages that are kept for what comes next


def enforce(
    connection: sqlite3.Connection, *, now_ms: int, raw_ms: int, minutes_ms: int, max_bytes: int | None
) -> bool:
    """Let go of one thing that must go, in one short transaction; False if there is nothing.

    Call it until it returns False, and commit what has come in between. First goes what is too old. Then, while the
    file and its log could come to more than ``max_bytes``: the oldest raw samples that are older than FRESH_MS, then
    the oldest minutes, then the oldest raw samples, a segment at a time. Room is kept for the log and for what comes in
    until the next window is sealed, judged by the newest segments.

    Raises:
        sqlite3.Error: nothing has changed then.
    """
    for tier, age in ((RAW, raw_ms), (MINUTES, minutes_ms)):
        if _let_go_of_oldest(connection, tier, now_ms - age):
            return True
    if max_bytes is None:
        return False
    page, pages, free = (_pragma(connection, name) for name in ("page_size", "page_count", "freelist_count"))
    window = _window_bytes(connection)
    # The log as far as it may grow, with what sealing a window adds at once; and something to err by.
    allowed = max_bytes - file.log_limit(max_bytes) - window // 4 - max(_LEAST_SPARE, max_bytes // 32)
    (hot,) = connection.execute('SELECT coalesce(sum(length("values")), 0) FROM hot').fetchone()
    if (pages - free) * page + max(0, window - hot) > allowed and (
        _let_go_of_oldest(connection, RAW, now_ms - FRESH_MS)
        or _let_go_of_oldest(connection, MINUTES, None)
        or _let_go_of_oldest(connection, RAW, None)
    ):
        return True
    if _log_bytes(connection) > file.log_limit(max_bytes) // 2:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()  # someone who reads may keep it from that
    if free and (pages * page > allowed or free * page > max(_IDLE, pages * page // 4)):
        return vacuum(connection)
    return False


def vacuum(connection: sqlite3.Connection) -> bool:
    """Give some free pages at the end of the file back to the file system; False if there are none.

    Raises:
        sqlite3.Error: nothing has changed then.
    """
    before = _pragma(connection, "freelist_count")
    if before == 0:
        return False
    connection.execute(f"PRAGMA incremental_vacuum({_VACUUMED})").fetchall()
    return _pragma(connection, "freelist_count") < before


def collect(connection: sqlite3.Connection) -> bool:
    """Delete layouts, series and metrics that nothing refers to; whether there were any. One transaction.

    Whoever remembers ids must ask the file which of them are left before anything is written again.

    Raises:
        sqlite3.Error: nothing has changed then.
    """
    kept = {number for (blob,) in connection.execute("SELECT DISTINCT layouts FROM hot") for number in _ids(blob)}
    (standing,) = connection.execute("SELECT value FROM meta WHERE key = 'standing'").fetchone() or (b"",)
    if isinstance(standing, bytes):  # what will be marked as ended should this process be killed
        kept.update(_ids(standing))
    layouts = dict(connection.execute("SELECT id, series FROM layout"))
    unused_layouts = [number for number in layouts if number not in kept]
    (newest,) = connection.execute("SELECT max(id) FROM series").fetchone()
    if newest is None:
        return False
    used = np.zeros(newest + 1, np.bool_)
    for number in kept & layouts.keys():
        used[_ids(layouts[number])] = True
    try:
        for (blob,) in connection.execute("SELECT DISTINCT series FROM segment"):
            used[segments.decode_ids(blob)] = True
    except (ValueError, IndexError) as error:
        raise sqlite3.DatabaseError(f"a segment is damaged: {error}") from error
    for (data,) in connection.execute("SELECT data FROM minutes"):
        used[list(minutes.named(data))] = True
    unused = [number for (number,) in connection.execute("SELECT id FROM series") if not used[number]]
    if not unused_layouts and not unused:
        return False
    with segments.transaction(connection):
        connection.executemany("DELETE FROM layout WHERE id = ?", [(number,) for number in unused_layouts])
        connection.executemany("DELETE FROM series WHERE id = ?", [(number,) for number in unused])
        if unused:
            connection.execute("DELETE FROM metric WHERE id NOT IN (SELECT metric FROM series)")
    return True


def _let_go_of_oldest(connection: sqlite3.Connection, tier: int, before: int | None) -> bool:
    """Delete the oldest segment of the tier that ends by ``before`` (None: the oldest), or the oldest row of minutes.

    A segment waits for those that were written before it and reach into its time: what it replaced must not come back.
    """
    end = np.iinfo(np.int64).max if before is None else before
    found = connection.execute(
        "SELECT id, t1 FROM segment AS one WHERE tier = ? AND t1 <= ? AND NOT EXISTS (SELECT 1 FROM segment WHERE "
        "tier = one.tier AND t1 BETWEEN one.t1 AND one.t1 + ? AND first <= one.last AND id < one.id) "
        "ORDER BY t1 LIMIT 1", (tier, int(end), segments.LONGEST_MS),
    ).fetchone()  # fmt: skip
    row = None
    if tier == MINUTES:
        row = connection.execute(
            "SELECT segment, t1 FROM minutes WHERE t1 <= ? ORDER BY t1 LIMIT 1", (int(end),)
        ).fetchone()
    if row is not None and (found is None or row[1] < found[1]):
        with segments.transaction(connection):
            connection.execute("DELETE FROM minutes WHERE segment = ?", (row[0],))
        return True
    if found is not None:
        with segments.transaction(connection):
            segments.remove(connection, found[0])
    return found is not None


def _window_bytes(connection: sqlite3.Connection) -> int:
    """About how much room the hot rows of one window take, as far as the newest segments tell."""
    most = 0
    for t0, t1, times, series in connection.execute(
        "SELECT t0, t1, substr(times, 1, 5), substr(series, 1, 5) FROM segment WHERE tier = ? ORDER BY id DESC LIMIT 4",
        (RAW,),
    ):
        values = get_varint(times, 0)[0] * get_varint(series, 0)[0]
        most = max(most, values * 9 * SEAL_MS // (t1 - t0))  # 8 bytes and a share of pages that are not full
    return most


def _log_bytes(connection: sqlite3.Connection) -> int:
    path = next(row[2] for row in connection.execute("PRAGMA database_list") if row[1] == "main")
    try:
        return os.stat(path + "-wal").st_size
    except OSError:
        return 0


def _pragma(connection: sqlite3.Connection, name: str) -> int:
    return int(connection.execute(f"PRAGMA {name}").fetchone()[0])


def _ids(blob: bytes) -> list[int]:
    found: list[int] = np.frombuffer(blob, "<i4").tolist()
    return found
