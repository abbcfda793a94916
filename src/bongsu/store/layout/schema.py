"""The tables of the store's file, their version, and the steps from older versions."""

from __future__ import annotations

APPLICATION_ID = 0x626F6E67  # PRAGMA application_id: the bytes "bong"
VERSION = 1  # PRAGMA user_version

SEAL_MS = 600_000  # hot rows become chunks in windows of this length, aligned to Unix time: (t0, t0 + SEAL_MS]
MINUTE_MS = 60_000  # the coarser tier's buckets: (t - MINUTE_MS, t], named by t
RAW, MINUTES = 0, 1  # segment.tier

# All integers in blobs are little-endian. Times are Unix milliseconds.
# AUTOINCREMENT: the id of a row that was deleted is never given again, since readers remember what they have read
# of a metric, a series, a layout or a segment by its id.
TABLES = """
CREATE TABLE meta(key TEXT PRIMARY KEY, value ANY) STRICT, WITHOUT ROWID;

-- A name that changes its kind gets a second row; help and unit are those given last.
CREATE TABLE metric(
  id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL, kind TEXT NOT NULL, unit TEXT NOT NULL, help TEXT NOT NULL,
  vocabulary TEXT NOT NULL, UNIQUE(name, kind)
) STRICT;

-- labels: a JSON array of [name, value] pairs sorted by name, without __name__.
CREATE TABLE series(
  id INTEGER PRIMARY KEY AUTOINCREMENT, metric INTEGER NOT NULL REFERENCES metric, labels TEXT NOT NULL, UNIQUE(metric, labels)
) STRICT;

-- Which series stand behind the values of a part: int32 series ids.
CREATE TABLE layout(id INTEGER PRIMARY KEY AUTOINCREMENT, series BLOB NOT NULL UNIQUE) STRICT;

-- One batch: layouts are int32 layout ids, one for each part; values are float64 in the order of the layouts' series.
-- seq follows the order of arrival, which is not that of ts where a clock was set back.
CREATE TABLE hot(
  seq INTEGER PRIMARY KEY, ts INTEGER NOT NULL, layouts BLOB NOT NULL, "values" BLOB NOT NULL
) STRICT;

-- The shared times of chunks: (t0, t1] is the window, first and last are the times of its first and last sample.
CREATE TABLE segment(
  id INTEGER PRIMARY KEY AUTOINCREMENT, tier INTEGER NOT NULL, t0 INTEGER NOT NULL, t1 INTEGER NOT NULL,
  first INTEGER NOT NULL, last INTEGER NOT NULL, times BLOB NOT NULL, series BLOB NOT NULL
) STRICT;
CREATE INDEX segment_by_time ON segment(tier, t1);

-- id = segment << 32 | series: written in ascending order, found without an index of its own.
CREATE TABLE chunk(id INTEGER PRIMARY KEY, data BLOB NOT NULL) STRICT;

-- Minute buckets of one sealed window for all its series, until enough of them are merged into chunks of tier 1.
CREATE TABLE minutes(segment INTEGER PRIMARY KEY, t0 INTEGER NOT NULL, t1 INTEGER NOT NULL, data BLOB NOT NULL) STRICT;
"""

# MIGRATIONS[n] brings version n to n + 1, in one transaction with the change of user_version.
MIGRATIONS: dict[int, str] = {}
