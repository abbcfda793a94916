"""A store is copied while it is written to, checked, and put back; nothing is left half done."""

from __future__ import annotations

import os
import signal
import sqlite3
import stat
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path

import pytest

from bongsu.model.errors import BadInput, NotKnown
from bongsu.store.layout.file import open_for_writing
from bongsu.store.layout.schema import APPLICATION_ID, TABLES, VERSION
from bongsu.store.moving import backup
from bongsu.store.moving.backup import back_up, restore


def connected(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(path, isolation_level=None)


def store(path: Path, rows: int = 100, *, application: int = APPLICATION_ID, version: int = VERSION) -> Path:
    """A file with our tables and rows in ``hot``, in WAL mode."""
    with closing(connected(path)) as connection:
        connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.executescript(TABLES)
        connection.execute(f"PRAGMA application_id = {application}")
        connection.execute(f"PRAGMA user_version = {version}")
        add(connection, 0, rows)
    return path


def add(connection: sqlite3.Connection, first: int, count: int) -> None:
    rows = ((i, i * 1000, b"\0" * 4, os.urandom(4000)) for i in range(first, first + count))
    connection.execute("BEGIN")
    connection.executemany("INSERT INTO hot VALUES(?, ?, ?, ?)", rows)
    connection.execute("COMMIT")


def count(path: Path) -> int:
    with closing(connected(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        (found,) = connection.execute("SELECT count(*) FROM hot").fetchone()
        assert isinstance(found, int)
        return found


def names(directory: Path) -> list[str]:
    """The files, without those that a reader of the store leaves beside it."""
    return sorted(name for name in os.listdir(directory) if name not in {"history.db-wal", "history.db-shm"})


def test_a_copy_is_one_plain_private_file(tmp_path: Path) -> None:
    """The copy holds what stands in the log too, needs no file beside it, and only its owner can read it."""
    source = store(tmp_path / "history.db")
    with closing(connected(source)) as writer:
        writer.execute("PRAGMA wal_autocheckpoint = 0")
        add(writer, 100, 50)
        target = tmp_path / "copies" / "copy.db"
        target.parent.mkdir()
        size = back_up(str(source), str(target), replace=False)
    assert count(target) == 150
    assert os.listdir(target.parent) == ["copy.db"]
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    assert target.stat().st_size == size
    with closing(connected(target)) as copy:
        assert copy.execute("PRAGMA journal_mode").fetchone() == ("delete",)
        assert copy.execute("PRAGMA application_id").fetchone() == (APPLICATION_ID,)
        assert copy.execute("PRAGMA user_version").fetchone() == (VERSION,)


def test_the_writer_goes_on_and_the_copy_is_of_one_moment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Commits during the copy neither wait for it, nor are in it, nor make it start again."""
    monkeypatch.setattr(backup, "_PAGES", 10)
    source = store(tmp_path / "history.db", 300)
    shares: list[float] = []
    with closing(connected(source)) as writer:

        def progress(share: float) -> None:
            shares.append(share)
            writer.execute("PRAGMA busy_timeout = 0")
            if len(shares) < 200:  # else a copy that starts again would never end
                add(writer, 1000 + len(shares) * 2, 2)

        back_up(str(source), str(tmp_path / "copy.db"), replace=False, progress=progress)
    assert 20 < len(shares) < 200
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    assert count(tmp_path / "copy.db") == 300
    assert count(source) == 300 + 2 * len(shares)


def test_a_file_in_the_way_is_kept(tmp_path: Path) -> None:
    """Without force no file is replaced, also not one that appears while the copy is made."""
    source = store(tmp_path / "history.db")
    target = tmp_path / "copy.db"

    def appears(_share: float) -> None:
        target.write_text("mine")

    appears(0)
    with pytest.raises(BadInput, match="there is such a file; give another name, or --force"):
        back_up(str(source), str(target), replace=False)
    target.unlink()
    with pytest.raises(BadInput, match="there is such a file"):
        back_up(str(source), str(target), replace=False, progress=appears)
    assert target.read_text() == "mine"
    back_up(str(source), str(target), replace=True)
    assert count(target) == 100
    assert names(tmp_path) == ["copy.db", "history.db"]


@pytest.mark.parametrize("side", ["-wal", "-journal"])
def test_a_history_that_is_in_use_is_not_replaced(tmp_path: Path, side: str) -> None:
    """Its log would be taken for that of the copy."""
    source, target = store(tmp_path / "a.db"), tmp_path / "b.db"
    Path(f"{target}{side}").write_bytes(b"x")
    with pytest.raises(BadInput, match=rf"b\.db: b\.db{side} lies beside it"):
        back_up(str(source), str(target), replace=True)
    assert not target.exists()


def test_a_damaged_store_gives_no_copy(tmp_path: Path) -> None:
    """What the check finds is said, and no file appears: a backup that cannot be used is none."""
    source = store(tmp_path / "history.db", 400)
    damage(source)
    with pytest.raises(NotKnown, match="is damaged"):
        back_up(str(source), str(tmp_path / "copy.db"), replace=False)
    assert names(tmp_path) == ["history.db"]


def damage(path: Path) -> None:
    """Overwrite a page of the tree, not one of values."""
    with closing(connected(path)) as connection:
        (root,) = connection.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'hot'").fetchone()
        (size,) = connection.execute("PRAGMA page_size").fetchone()
    with path.open("r+b") as file:
        file.seek((root - 1) * size)
        file.write(b"\xff" * size)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, "no such file or directory"), (b"hello, this is no database" * 100, "this is no history of bongsu's, or it is damaged"),
        (b"", "this is not a history of Bongsu's"),
    ],
)  # fmt: skip
def test_what_is_no_store_is_refused(tmp_path: Path, content: bytes | None, says: str) -> None:
    """For backup and restore alike, one line that names the file; the present store stays as it is."""
    given = tmp_path / "given.db"
    if content is not None:
        given.write_bytes(content)
    with pytest.raises(BadInput, match=says):
        back_up(str(given), str(tmp_path / "copy.db"), replace=False)
    present = store(tmp_path / "history.db")
    with pytest.raises(BadInput, match=says):
        restore(str(given), str(present))
    assert count(present) == 100
    assert not (tmp_path / "copy.db").exists()


def test_a_foreign_or_newer_file_is_refused(tmp_path: Path) -> None:
    """Another program's database is none of ours; a newer store's version is named beside ours."""
    foreign = store(tmp_path / "foreign.db", application=7)
    newer = store(tmp_path / "newer.db", version=VERSION + 1)
    present = store(tmp_path / "history.db")
    with pytest.raises(BadInput, match="this is not a history of Bongsu's"):
        restore(str(foreign), str(present))
    with pytest.raises(BadInput, match=rf"version {VERSION + 1} of the file, this one knows up to {VERSION}"):
        restore(str(newer), str(present))
    assert count(present) == 100


def test_restore_sets_the_present_file_aside(tmp_path: Path) -> None:
    """What was there is kept whole, its log included, and no log is left that the new file would take for its own."""
    present = store(tmp_path / "history.db", 10)
    copy = tmp_path / "copy.db"
    back_up(str(present), str(copy), replace=False)
    killed = (
        "import sqlite3, os, sys\nc = sqlite3.connect(sys.argv[1], isolation_level=None)\n"
        "c.execute('PRAGMA wal_autocheckpoint = 0')\n"
        "c.execute(\"INSERT INTO hot VALUES(77, 1, x'00', x'00')\")\nos.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", killed, present], check=False)
    assert (tmp_path / "history.db-wal").stat().st_size > 0
    aside = restore(str(copy), str(present))
    assert aside is not None
    assert Path(aside).name.startswith("history.db.before-restore-")
    assert count(present) == 10
    assert count(Path(aside)) == 11
    assert stat.S_IMODE(present.stat().st_mode) == 0o600


def test_a_reader_of_the_old_file_is_in_nobodys_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It reads on in the file that was set aside, whose log stays with it; the new file has none of it."""
    monkeypatch.setattr(backup, "_WAITS_MS", 50)
    present = store(tmp_path / "history.db", 10)
    copy = store(tmp_path / "copy.db", 3)
    with closing(connected(present)) as reader:
        reader.execute("PRAGMA wal_autocheckpoint = 0")
        add(reader, 10, 5)
        reader.execute("BEGIN")
        assert reader.execute("SELECT count(*) FROM hot").fetchone() == (15,)
        aside = restore(str(copy), str(present))
        assert not (tmp_path / "history.db-wal").exists()
        assert count(present) == 3
        assert reader.execute("SELECT count(*) FROM hot").fetchone() == (15,)
        reader.execute("COMMIT")
    assert aside is not None
    assert count(present) == 3


def test_what_was_restored_is_written_as_before(tmp_path: Path) -> None:
    """A copy is a plain file; who writes to it again gives it a log, so that readers do not hold the writer up."""
    copy = store(tmp_path / "copy.db", 5)
    restore(str(copy), str(tmp_path / "history.db"))
    with closing(open_for_writing(str(tmp_path / "history.db"))) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_a_damaged_file_can_be_replaced(tmp_path: Path) -> None:
    """A store that SQLite cannot even open is set aside with its log, and the backup takes its place."""
    copy = store(tmp_path / "copy.db", 5)
    present = tmp_path / "history.db"
    present.write_bytes(b"\0garbage" * 1000)
    (tmp_path / "history.db-wal").write_bytes(b"more garbage")
    aside = restore(str(copy), str(present))
    assert aside is not None
    assert Path(aside).read_bytes() == b"\0garbage" * 1000
    assert Path(aside + "-wal").read_bytes() == b"more garbage"
    assert count(present) == 5


def test_restore_where_there_is_none(tmp_path: Path) -> None:
    """On a new machine nothing is set aside."""
    copy = store(tmp_path / "copy.db", 5)
    assert restore(str(copy), str(tmp_path / "history.db")) is None
    assert count(tmp_path / "history.db") == 5


def test_a_backup_that_still_has_a_log_is_restored_with_it(tmp_path: Path) -> None:
    """A store that was copied by hand with its -wal is taken whole."""
    given = store(tmp_path / "given.db", 10)
    with closing(connected(given)) as connection:
        connection.execute("PRAGMA wal_autocheckpoint = 0")
        add(connection, 10, 5)
        restore(str(given), str(tmp_path / "history.db"))
    assert count(tmp_path / "history.db") == 15


def test_ctrl_c_leaves_nothing(tmp_path: Path) -> None:
    """Interrupted at any point, neither a copy nor a piece of one is left."""
    source = store(tmp_path / "history.db", 3000)
    code = (
        "import sys\nfrom bongsu.store.moving import backup\nbackup._PAGES = 5\n"
        "left = int(sys.argv[3])\ndef tell(share):\n    global left\n    left -= 1\n    print(share, flush=True)\n"
        "    if left < -10: sys.stdin.read()\n"  # so that it is not done before the signal comes
        "try:\n    backup.back_up(sys.argv[1], sys.argv[2], replace=False, progress=tell)\n"
        "except KeyboardInterrupt:\n    sys.exit(130)"
    )
    for wait in (0, 10, 300):
        with subprocess.Popen(
            [sys.executable, "-c", code, source, tmp_path / "copy.db", str(wait)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),  # noqa: PLW1509  single-threaded child, set up as a shell would
        ) as process:  # fmt: skip
            assert process.stdout
            reader = threading.Thread(target=process.stdout.read)
            for _ in range(wait + 1):
                process.stdout.readline()
            process.send_signal(signal.SIGINT)
            reader.start()
            assert process.wait(60) == 130
            reader.join()
        assert [name for name in os.listdir(tmp_path) if "copy" in name] == [], wait
    assert count(source) == 3000


def test_the_check_hears_ctrl_c(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """SQLite swallows an interrupt within its callbacks; it is raised again, not taken for damage."""
    source = store(tmp_path / "history.db", 3000)

    def interrupted() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("bongsu.store.layout.interruptible._still_wanted", interrupted)
    with pytest.raises(KeyboardInterrupt):
        back_up(str(source), str(tmp_path / "copy.db"), replace=False)
    assert names(tmp_path) == ["history.db"]
