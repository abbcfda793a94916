"""Builds stores for tests of those who read them: series by their labels, samples sealed, hot or not written yet."""

from __future__ import annotations

import json
import sqlite3
from array import array
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from bongsu.store.layout import file, hot, minutes
from bongsu.store.layout.catalogue import Unsaved
from bongsu.store.layout.hot import HotRow
from bongsu.store.series import NAME, Labels, Times, Values
from bongsu.store.writing import seal

# ids go with the places in `Store.series`, from 1 on
Samples = Mapping[int, Sequence[tuple[int, float]]]


def labels(name: str, **others: str) -> Labels:
    """A series' labels, as they are read."""
    return tuple(sorted({NAME: name, **others}.items()))


class Store:
    """A store in ``folder`` with these series; ``kinds`` are of the metrics (gauge where none is given)."""

    def __init__(self, folder: Path, series: Sequence[Labels], kinds: Mapping[str, str] | None = None) -> None:
        self.path = str(folder / "history.db")
        self.connection = file.open_for_writing(self.path)
        self.pending: list[HotRow] = []
        self.unsaved = Unsaved()
        self._seq = 0
        self.ids: dict[Labels, int] = {}
        for one in series:
            self.add(one, (kinds or {}).get(dict(one)[NAME], "gauge"))

    def add(self, one: Labels, kind: str = "gauge") -> int:
        """Another series; its id."""
        fields = dict(one)
        name = fields.pop(NAME)
        self.connection.execute(
            "INSERT OR IGNORE INTO metric(name, kind, unit, help, vocabulary) VALUES(?, ?, '', 'Help.', 'file')",
            (name, kind),
        )
        number = self.connection.execute(
            "INSERT INTO series(metric, labels) SELECT id, ? FROM metric WHERE name = ? AND kind = ?",
            (json.dumps(sorted(fields.items())), name, kind),
        ).lastrowid
        assert number is not None
        self.ids[one] = number
        return number

    def layout(self, ids: Sequence[int]) -> int:
        """The layout of these series."""
        blob = hot.pack_ids(array("i", ids))
        self.connection.execute("INSERT OR IGNORE INTO layout(series) VALUES(?)", (blob,))
        (number,) = self.connection.execute("SELECT id FROM layout WHERE series = ?", (blob,)).fetchone()
        assert isinstance(number, int)
        return number

    def row(self, ts: int, parts: Sequence[Mapping[int, float]]) -> HotRow:
        """A batch: one layout for each part."""
        self._seq += 1
        numbers = array("i", [self.layout(list(part)) for part in parts])
        values = np.array([value for part in parts for value in part.values()], "<f8")
        return HotRow(ts, hot.pack_ids(numbers), values.tobytes(), self._seq)

    def write(self, row: HotRow) -> None:
        """Commit a batch."""
        self.connection.execute(
            'INSERT INTO hot(seq, ts, layouts, "values") VALUES(?, ?, ?, ?)', (row.seq, row.ts, row.layouts, row.values)
        )

    def insert(self, samples: Samples) -> None:
        """Seal samples right away, as imports do."""
        flat = [(ts, one, value) for one, several in samples.items() for ts, value in several]
        flat.sort(key=lambda sample: sample[0])
        if flat:
            seal.insert(
                self.connection, np.array([s[1] for s in flat], np.int64), np.array([s[0] for s in flat], np.int64),
                np.array([s[2] for s in flat]),
            )  # fmt: skip

    def fill(self, ids: Sequence[int], times: Times, values: Values) -> None:
        """Seal a matrix of samples, a row of ``values`` for each series."""
        for begin in range(0, times.size, 3600):
            part = slice(begin, begin + 3600)
            count = times[part].size
            seal.insert(
                self.connection, np.tile(np.array(ids, np.int64), count), np.repeat(times[part], len(ids)),
                np.ascontiguousarray(values[:, part].T).ravel(),
            )  # fmt: skip

    def seal(self, before: int = 1 << 52) -> None:
        """Make segments of the hot rows of windows that end by ``before``."""
        while seal.seal(self.connection, before_ms=before):
            pass

    def merge(self) -> None:
        """Merge all minute buckets."""
        while minutes.merge(self.connection, before_ms=2**60):
            pass

    def drop_raw(self, before: int) -> None:
        """Delete raw segments that end by ``before``, as retention does."""
        for (number,) in self.connection.execute(
            "SELECT id FROM segment WHERE tier = 0 AND t1 <= ?", (before,)
        ).fetchall():
            self.connection.execute(
                "DELETE FROM chunk WHERE id BETWEEN ? AND ?", (number << 32, number << 32 | 0xFFFFFFFF)
            )
            self.connection.execute("DELETE FROM segment WHERE id = ?", (number,))

    def sqlite(self) -> sqlite3.Connection:
        """Another connection to the file."""
        return sqlite3.connect(self.path)

    def close(self) -> None:
        """Let go of the file."""
        self.connection.close()

    def __del__(self) -> None:
        self.connection.close()
