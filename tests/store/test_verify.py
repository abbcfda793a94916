"""What is broken in a store's file is found, and named."""

from __future__ import annotations

import sqlite3
import zlib
from contextlib import closing
from pathlib import Path

import pytest

from bongsu.model.errors import BadInput
from bongsu.store.layout import minutes
from bongsu.store.layout.file import open_for_writing
from bongsu.store.layout.schema import VERSION
from bongsu.store.moving.verify import Verified, verify
from bongsu.store.writing import seal
from store.dumped import START, lines, store

DUMP = "# TYPE a_total counter\n" + lines("a_total", 100, labels='{b="c"}') + lines("d", 50, 30_000)


@pytest.fixture
def whole(tmp_path: Path) -> Path:
    """A store with raw segments, a merged segment of minutes, rows of minutes and hot rows."""
    path = store(tmp_path / "history.db", DUMP)
    with closing(open_for_writing(str(path))) as connection:
        while minutes.merge(connection, before_ms=2**60):
            pass
        (one,) = connection.execute("SELECT min(id) FROM series").fetchone()
        connection.execute("INSERT INTO layout VALUES(1, ?)", (int(one).to_bytes(4, "little"),))
        late = START + 10_000_000
        for seq in range(50):
            connection.execute(
                "INSERT INTO hot VALUES(?, ?, ?, ?)", (seq, late + seq * 15_000, (1).to_bytes(4, "little"), b"\0" * 8)
            )
        seal.seal(connection, before_ms=late + 600_000)
    return path


def checked(path: Path, *statements: str, quick: bool = False) -> Verified:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA writable_schema = ON")
        for statement in statements:
            connection.execute(statement)
    return verify(str(path), quick=quick)


def problem(path: Path, *statements: str, quick: bool = False) -> str:
    done = checked(path, *statements, quick=quick)
    assert len(done.problems) >= 1
    assert all("\n" not in str(one) for one in done.problems)
    return str(done.problems[0])


def test_a_whole_file_has_no_problems(whole: Path) -> None:
    """All that is there was looked at: both tiers, what is merged and what is not, and the newest batches."""
    shares: list[float] = []
    done = verify(str(whole), progress=shares.append)
    assert (done.problems, done.more) == ([], 0)
    assert done.series == 2
    assert (done.segments, done.chunks) == (6, 11)  # three raw and one of minutes with two series; one sealed with one
    assert done.batches > 0
    assert done.samples > 150
    assert shares[-1] == 1.0
    assert verify(str(whole), quick=True).samples == done.samples


@pytest.mark.parametrize(
    ("statement", "says"),
    [
        ("UPDATE chunk SET data = x'0000' WHERE id = (SELECT min(id) FROM chunk)",
         "segment 1 (raw, 2023-11-14T22:10:00Z to 2023-11-14T22:20:00Z): the column of series 1 cannot be decoded"),
        ("UPDATE chunk SET data = CAST(x'7f' || substr(data, 2) AS BLOB) WHERE id = (SELECT min(id) FROM chunk)", "cannot be decoded"),
        ("UPDATE chunk SET data = substr(data, 1, 3) WHERE id >> 32 IN (SELECT id FROM segment WHERE tier = 1)", "(1m, "),
        ("DELETE FROM chunk WHERE id = (SELECT min(id) FROM chunk)", "its list of series is not that of its columns"),
        ("UPDATE segment SET times = x'00' WHERE id = 1", "segment 1"),
        ("UPDATE segment SET series = x'05' WHERE id = 1", "its list of series"),
        ("UPDATE segment SET first = first + 1 WHERE id = 1", "its times are not those that it is listed with"),
        ("DELETE FROM segment WHERE id = 1", "segment 1: it is missing, and columns of it are there"),
        ("DELETE FROM metric WHERE name = 'd'", "series 2 []: its metric is missing"),
        ("UPDATE series SET labels = '{}' WHERE id = 1", "series 1 of a_total: its labels are not understood: {}"),
        ("UPDATE series SET labels = '[[\"b\",\"\"]]' WHERE id = 1", "its labels are not understood"),
        ("DELETE FROM series WHERE id = 1", "layout 1: it names series that are missing"),
        ("DELETE FROM series WHERE id = 2", "it has columns of series that are missing: 2"),
        ("DELETE FROM layout", "batch 14: a layout of its values is missing"),
        ('UPDATE hot SET "values" = x\'00\' WHERE seq = 45', "batch 45: it has not as many values as its layouts"),
        ("UPDATE minutes SET data = x'01'", "minutes "),
        ("UPDATE minutes SET t0 = t0 + 600000, t1 = t1 + 600000", "its times are not those that it is listed with"),
    ],
)  # fmt: skip
def test_what_is_broken_is_named(whole: Path, statement: str, says: str) -> None:
    """Each kind of damage is told in one line that names the part and its time."""
    assert says in problem(whole, statement)


def test_damaged_pages_are_told_and_the_rest_is_looked_at(whole: Path) -> None:
    """SQLite's own words come first, and a page that cannot be read does not end the check."""
    with closing(sqlite3.connect(whole)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        (root,) = connection.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'minutes'").fetchone()
    with whole.open("r+b") as file:
        file.seek((root - 1) * 4096)
        file.write(b"\xff" * 4096)
    done = verify(str(whole))
    assert str(done.problems[0]).startswith("SQLite: ")
    assert any("rows of minutes cannot be read" in str(one) for one in done.problems)
    assert done.segments > 0
    assert done.chunks > 0


def test_what_is_no_database_is_a_problem(tmp_path: Path) -> None:
    """A file that was set aside may be nothing that SQLite can open: that is told as the one problem."""
    path = tmp_path / "history.db.corrupt-20260131T080000Z"
    path.write_bytes(b"\0nothing" * 1000)
    done = verify(str(path))
    assert str(done.problems[0]).startswith("the file cannot be opened: ")


def test_a_newer_or_foreign_file_is_refused(whole: Path, tmp_path: Path) -> None:
    """It is not broken: we do not know it."""
    with pytest.raises(BadInput, match="written by a newer Bongsu"):
        checked(whole, f"PRAGMA user_version = {VERSION + 1}")
    with pytest.raises(BadInput):
        verify(str(tmp_path / "nowhere.db"))


def test_many_problems_are_counted(tmp_path: Path) -> None:
    """The first hundred are told, the others counted."""
    path = store(tmp_path / "history.db", lines("a", 150 * 4, 150_000))
    done = checked(path, "UPDATE chunk SET data = x'0000'")
    assert len(done.problems) == 100
    assert done.more == 51


def test_quick_decodes_no_columns(whole: Path) -> None:
    """It is quick for that; what a column cannot be decoded for is found without it only."""
    statement = "UPDATE chunk SET data = x'0000' WHERE id = (SELECT min(id) FROM chunk)"
    assert checked(whole, statement, quick=True).problems == []
    assert checked(whole).problems


def test_ctrl_c_ends_the_check(whole: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is no damage that a statement was interrupted."""

    def interrupted() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("bongsu.store.layout.interruptible._still_wanted", interrupted)
    monkeypatch.setattr("bongsu.store.layout.interruptible._EVERY", 1)
    with pytest.raises(KeyboardInterrupt):
        verify(str(whole))


def test_zlib_errors_are_damage(whole: Path) -> None:
    """Times whose patterns cannot be inflated are told, not raised."""
    with closing(sqlite3.connect(whole, isolation_level=None)) as connection:
        (times,) = connection.execute("SELECT times FROM segment WHERE id = 1").fetchone()
        connection.execute("UPDATE segment SET times = ? WHERE id = 1", (times[:-2] + b"\xff\xff",))
    with pytest.raises(zlib.error):
        zlib.decompress(b"\xff\xff", -12)
    assert "segment 1" in str(verify(str(whole)).problems[0])
