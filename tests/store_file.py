"""Stores for the tests of what lies on the disk: a file with tables, series and hot rows."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from bongsu.store.layout import file
from bongsu.store.series import Values


class Store:
    """A store of its own, with as many counters and gauges as asked for; ids begin at 1, counters first."""

    def __init__(self, directory: Path, *, counters: int = 0, gauges: int = 0, max_bytes: int | None = None) -> None:
        self.path = directory / "history.db"
        self.connection = file.open_for_writing(str(self.path), max_bytes=max_bytes)
        self.ids = np.arange(1, counters + gauges + 1)
        self.connection.executemany(
            "INSERT INTO metric VALUES(?, ?, ?, '', 'Help.', 'bongsu')", [(1, "c_total", "counter"), (2, "g", "gauge")]
        )
        self.connection.executemany(
            "INSERT INTO series VALUES(?, ?, ?)",
            [(one, 1 if one <= counters else 2, f'[["n","{one}"]]') for one in self.ids.tolist()],
        )
        self._layouts: dict[tuple[int, ...], int] = {}

    def __del__(self) -> None:
        self.connection.close()

    def hot(self, ts: int, *parts: tuple[Sequence[int], Sequence[float] | Values]) -> None:
        """One batch: for each part its series and their values."""
        layouts = []
        for ids, _ in parts:
            key = tuple(ids)
            if key not in self._layouts:
                cursor = self.connection.execute(
                    "INSERT INTO layout(series) VALUES(?)", (np.array(key, dtype="<i4").tobytes(),)
                )
                self._layouts[key] = int(cursor.lastrowid or 0)
            layouts.append(self._layouts[key])
        values = b"".join(np.array(values, dtype="<f8").tobytes() for _, values in parts)
        self.connection.execute(
            'INSERT INTO hot(ts, layouts, "values") VALUES(?, ?, ?)',
            (ts, np.array(layouts, dtype="<i4").tobytes(), values),
        )

    def count(self, table: str, where: str = "1") -> int:
        """How many rows the table has."""
        return int(self.connection.execute(f"SELECT count(*) FROM {table} WHERE {where}").fetchone()[0])

    @property
    def bytes_on_disk(self) -> int:
        """The file and its log."""
        return sum(
            Path(f"{self.path}{side}").stat().st_size for side in ("", "-wal") if Path(f"{self.path}{side}").exists()
        )


def whole(connection: sqlite3.Connection) -> bool:
    """Whether SQLite finds nothing wrong."""
    return bool(connection.execute("PRAGMA integrity_check").fetchone() == ("ok",))
