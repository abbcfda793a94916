"""The store's file: how it is made, whom it refuses, what is done with a broken one."""

from __future__ import annotations

import contextlib
import os
import re
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from bongsu.model.errors import BadInput
from bongsu.model.message import Message
from bongsu.sources.root import Root
from bongsu.store.layout import file, place, schema
from bongsu.store.layout.lock import Lock


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "state" / "history.db")


def made(path: str) -> None:
    """A store with one metric, its log folded into the file."""
    with contextlib.closing(file.open_for_writing(path)) as connection:
        connection.execute("INSERT INTO metric VALUES(1, 'a', 'gauge', '', 'A.', 'bongsu')")


def metrics(connection: sqlite3.Connection) -> int:
    (count,) = connection.execute("SELECT count(*) FROM metric").fetchone()
    return int(count)


def test_a_new_file_is_private_and_set_up(path: str) -> None:
    """0600 in a directory of 0700, its -wal and -shm too; WAL, our number and version, and pages that can be given back."""
    umask = os.umask(0)
    try:
        connection = file.open_for_writing(path)
        connection.execute("INSERT INTO meta VALUES('a', 1)")
        modes = {side: oct(os.stat(path + side).st_mode & 0o777) for side in ("", "-wal", "-shm")}
    finally:
        os.umask(umask)
    assert modes == {"": "0o600", "-wal": "0o600", "-shm": "0o600"}
    assert oct(os.stat(os.path.dirname(path)).st_mode & 0o777) == "0o700"
    pragmas = ("application_id", "user_version", "journal_mode", "auto_vacuum", "page_size", "synchronous")
    found = [connection.execute(f"PRAGMA {name}").fetchone()[0] for name in pragmas]
    assert found == [schema.APPLICATION_ID, schema.VERSION, "wal", 2, 4096, 1]
    connection.close()
    with contextlib.closing(file.open_for_writing(path, durable=True, max_bytes=1 << 20)) as connection:
        assert connection.execute("PRAGMA synchronous").fetchone() == (2,)
        assert connection.execute("PRAGMA max_page_count").fetchone() == (224,)  # an eighth of it is for the log


def test_what_was_written_is_there_again(path: str) -> None:
    """Opening a store changes nothing in it."""
    made(path)
    for opened in (file.open_for_writing, file.open_for_reading):
        with contextlib.closing(opened(path)) as connection:
            assert metrics(connection) == 1


def test_a_file_killed_while_it_was_made_is_made_again(path: str) -> None:
    """A file without tables, as a process leaves that was killed before the first commit, is a new one."""
    os.makedirs(os.path.dirname(path))
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
    assert os.path.getsize(path) > 0
    with pytest.raises(BadInput, match="nothing has been written into it yet"):
        file.open_for_reading(path)
    with contextlib.closing(file.open_for_writing(path)) as connection:
        assert metrics(connection) == 0


def test_a_file_of_another_program_is_left_alone(path: str) -> None:
    """The user gave a wrong path: it is named, and neither moved nor changed."""
    os.makedirs(os.path.dirname(path))
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE theirs(a)")
    before = Path(path).read_bytes()
    for opened in (file.open_for_writing, file.open_for_reading):
        with pytest.raises(BadInput, match=r"history\.db: this is not a history of Bongsu's"):
            opened(path)
    assert Path(path).read_bytes() == before


def test_a_file_that_never_was_ours_is_not_moved_away(tmp_path: Path) -> None:
    """A path that names no .db file may be a slip: what stands there stays."""
    notes = tmp_path / "notes.txt"
    notes.write_text("mine\n" * 100)
    with pytest.raises(BadInput, match="it is left as it is"):
        file.open_for_writing(str(notes))
    assert notes.read_text().startswith("mine")


def test_a_newer_version_is_refused_with_both_numbers(path: str) -> None:
    """An older Bongsu must not write what it does not understand."""
    made(path)
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 99")
    for opened in (file.open_for_writing, file.open_for_reading):
        with pytest.raises(BadInput, match=rf"newer Bongsu \(version 99 .* up to {schema.VERSION}\); use that one"):
            opened(path)


def test_an_older_version_is_brought_up_step_by_step(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each step is one transaction with its number; a reader does not change an older file."""
    made(path)
    now = schema.VERSION
    monkeypatch.setattr(schema, "VERSION", now + 2)
    monkeypatch.setattr(
        schema, "MIGRATIONS", {now: "CREATE TABLE one(a); CREATE TABLE two(a)", now + 1: "ALTER TABLE one ADD b"}
    )
    with contextlib.closing(file.open_for_writing(path)) as connection:
        connection.execute("INSERT INTO one(a, b) VALUES(1, 2)")
        assert connection.execute("PRAGMA user_version").fetchone() == (now + 2,)
        assert metrics(connection) == 1


def test_a_step_that_fails_leaves_the_version_before(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Half a step is never there."""
    made(path)
    now = schema.VERSION
    monkeypatch.setattr(schema, "VERSION", now + 1)
    monkeypatch.setattr(schema, "MIGRATIONS", {now: "CREATE TABLE one(a); CREATE TABLE metric(a)"})
    with pytest.raises(BadInput, match="already exists"):
        file.open_for_writing(path)
    with contextlib.closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (now,)
        assert connection.execute("SELECT 1 FROM sqlite_schema WHERE name = 'one'").fetchone() is None


def garbage_header(path: str) -> None:
    with open(path, "r+b") as broken:
        broken.write(b"garbage\n" * 20)


def cut_off(path: str) -> None:
    os.truncate(path, 3 * 4096)


def torn_schema(path: str) -> None:
    with open(path, "r+b") as broken:
        broken.seek(100)
        broken.write(b"\xff" * 3000)


@pytest.mark.parametrize("harm", [garbage_header, cut_off, torn_schema])
def test_a_broken_file_is_set_aside_and_named(path: str, harm: object) -> None:
    """A new one begins at once; the old one keeps all its bytes under a name with the time, its log beside it."""
    made(path)
    assert callable(harm)
    harm(path)
    Path(path + "-wal").write_bytes(b"")
    before = Path(path).read_bytes()
    said: list[Message] = []
    with contextlib.closing(file.open_for_writing(path, say=said.append)) as connection:
        assert metrics(connection) == 0
    (aside,) = [p for p in Path(path).parent.iterdir() if re.fullmatch(r"history\.db\.corrupt-\d{8}T\d{6}Z", p.name)]
    assert aside.read_bytes() == before
    (message,) = said
    assert f"it is kept as {aside}" in str(message)


def test_the_file_that_begins_anew_is_private_too(path: str) -> None:
    """Whatever the umask is."""
    made(path)
    garbage_header(path)
    umask = os.umask(0)
    try:
        file.open_for_writing(path).close()
    finally:
        os.umask(umask)
    assert oct(os.stat(path).st_mode & 0o777) == "0o600"


def test_two_broken_files_of_one_second_are_both_kept(path: str) -> None:
    """A name that is taken is not taken again."""
    for _ in range(2):
        made(path)
        garbage_header(path)
        file.open_for_writing(path).close()
    assert len([p for p in os.listdir(os.path.dirname(path)) if ".corrupt-" in p]) == 2


def test_a_broken_file_is_not_read(path: str) -> None:
    """A reader says so and moves nothing: only the writer may begin anew."""
    made(path)
    garbage_header(path)
    with pytest.raises(sqlite3.DatabaseError, match="not a database"):
        file.open_for_reading(path)
    assert os.listdir(os.path.dirname(path)) == ["history.db"]


def test_there_is_nothing_to_read(path: str) -> None:
    """No file is made by looking for one."""
    with pytest.raises(BadInput, match=r"history\.db: there is no history"):
        file.open_for_reading(path)
    assert not os.path.exists(path)


def test_a_path_with_signs_that_mean_something_in_an_address(tmp_path: Path) -> None:
    """SQLite takes addresses: a file's name is not one."""
    for name in ("a?mode=memory.db", "100%.db", "a#b.db", "방.db", ":memory:"):
        path = str(tmp_path / name)
        made(path)
        with contextlib.closing(file.open_for_reading(path)) as connection:
            assert metrics(connection) == 1
        assert os.path.exists(path)


def test_a_reader_cannot_write(path: str) -> None:
    """Whatever a reader does, the file stays as it is."""
    made(path)
    with contextlib.closing(file.open_for_reading(path)) as connection, pytest.raises(sqlite3.OperationalError):
        connection.execute("DELETE FROM metric")


@pytest.fixture
def read_only(tmp_path: Path) -> Iterator[Path]:
    """A directory on a file system that may only be read, with a store in it."""
    place = tmp_path / "mounted"
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(place)], check=True)
    try:
        made(str(place / "history.db"))
        subprocess.run(["mount", "-o", "remount,ro", str(place)], check=True)
        yield place
    finally:
        subprocess.run(["umount", str(place)], check=True)


@pytest.mark.needs_root
def test_a_place_that_may_only_be_read(read_only: Path) -> None:
    """Nobody can write there, and says so with the cure; it can still be read."""
    path = str(read_only / "history.db")
    for opened in (file.open_for_writing, Lock):
        with pytest.raises(BadInput, match=r"history\.db: read-only file system; let this user write there, or give"):
            opened(path)
    with contextlib.closing(file.open_for_reading(path)) as connection:
        assert metrics(connection) == 1


@pytest.mark.needs_root
def test_a_file_that_may_only_be_read() -> None:
    """Another user's store is not written; the message names the file, the reason and the cure. It can be read."""
    code = (
        "import os, sys; from bongsu.store.layout import file, lock; os.setuid(65534)\n"
        "for step in (file.open_for_writing, lock.Lock):\n"
        "    try: step(sys.argv[1])\n"
        "    except Exception as error: print(type(error).__name__, error)\n"
        "print(file.open_for_reading(sys.argv[1]).execute('SELECT count(*) FROM metric').fetchone())"
    )
    with tempfile.TemporaryDirectory() as directory:  # not pytest's, which nobody else may look into
        os.chmod(directory, 0o755)
        path = os.path.join(directory, "history.db")
        made(path)
        os.chmod(path, 0o444)
        shown = subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True, check=False)
    lines = shown.stdout.splitlines()
    assert [line.split(";")[0] for line in lines[:2]] == [f"BadInput {path}: permission denied"] * 2, shown.stderr
    assert lines[2] == "(1,)"


def test_a_directory_where_the_file_should_be(path: str) -> None:
    """A path that can be no file is refused in one line."""
    os.makedirs(path)
    with pytest.raises(BadInput, match=r"history\.db: is a directory"):
        file.open_for_writing(path)


def test_what_is_no_file_is_not_opened(path: str) -> None:
    """A pipe, a device: nothing that SQLite would make of it is a history."""
    os.makedirs(os.path.dirname(path))
    os.mkfifo(path)
    with pytest.raises(BadInput, match=r"history\.db: this is not a file; "):
        file.open_for_writing(path)


def test_a_network_file_system_is_told_by_the_table_of_mounts(tmp_path: Path) -> None:
    """By the longest mount point above the path, with the kernel's escapes, and without asking the server."""
    (tmp_path / "self").mkdir()
    (tmp_path / "self" / "mounts").write_text(
        "/dev/vda / ext4 rw 0 0\nserver:/homes /homes nfs4 rw 0 0\n/dev/vdb /homes/local xfs rw 0 0\n"
        "//nas/x /mnt/my\\040nas cifs rw 0 0\nme@x: /mnt/ssh fuse.sshfs rw 0 0\n"
    )
    proc = Root(str(tmp_path))
    kinds = {
        path: place.network_file_system(path, proc)
        for path in (
            "/var/x.db",
            "/homes/a/x.db",
            "/homes/local/x.db",
            "/homeswork/x.db",
            "/mnt/my nas/x.db",
            "/mnt/ssh/x",
        )
    }
    assert kinds == {
        "/var/x.db": None, "/homes/a/x.db": "nfs4", "/homes/local/x.db": None, "/homeswork/x.db": None,
        "/mnt/my nas/x.db": "cifs", "/mnt/ssh/x": "fuse.sshfs",
    }  # fmt: skip


def test_the_second_one_is_refused_with_the_pid_of_the_first(path: str) -> None:
    """Also from within one process; when the first lets go the next may write."""
    with Lock(path):
        code = "import sys; from bongsu.store.layout.lock import Lock; Lock(sys.argv[1])"
        other = subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True, check=False)
        assert f"process {os.getpid()} writes this history already" in other.stderr
        with pytest.raises(BadInput, match=f"process {os.getpid()} writes"):
            Lock(path)
    Lock(path).release()


def test_a_lock_whose_file_was_removed_is_taken_anew(path: str) -> None:
    """Else the next one would make a file of that name and hold the lock on that."""
    with Lock(path) as lock:
        os.unlink(path + ".lock")
        lock.keep()
        with pytest.raises(BadInput, match=f"process {os.getpid()} writes this history already"):
            Lock(path)
        os.unlink(path + ".lock")
        with Lock(path), pytest.raises(BadInput, match="writes this history already"):
            lock.keep()
        lock.keep()
        inode = os.stat(path + ".lock").st_ino
        lock.keep()
        assert os.stat(path + ".lock").st_ino == inode


def test_a_pid_that_was_left_behind_locks_nothing(path: str) -> None:
    """What counts is the kernel's lock: the file stays after a kill, with a pid that may be anybody's by now."""
    os.makedirs(os.path.dirname(path))
    Path(path + ".lock").write_text(f"{os.getppid()}\n")
    with Lock(path):
        assert Path(path + ".lock").read_text() == f"{os.getpid()}\n"


def test_a_lock_ends_with_its_process_though_a_child_lives_on(path: str) -> None:
    """A child made by fork does not hold it, nor one that was executed; SIGKILL frees it."""
    code = (
        "import os, subprocess, sys, time; from bongsu.store.layout.lock import Lock; lock = Lock(sys.argv[1])\n"
        "executed = subprocess.Popen(['sleep', '60'], close_fds=False).pid\n"
        "reading, writing = os.pipe()\n"
        "forked = os.fork()\n"
        "if not forked: os.write(writing, b'.'); time.sleep(60); os._exit(0)\n"
        "os.read(reading, 1)\n"
        "print(forked, executed, flush=True); os.kill(os.getpid(), 9)"
    )
    with subprocess.Popen([sys.executable, "-c", code, path], stdout=subprocess.PIPE, text=True) as first:
        assert first.stdout is not None
        children = [int(word) for word in first.stdout.readline().split()]
        assert first.wait() == -9
        try:
            assert len(children) == 2
            assert min(children) > 1
            assert all(os.path.exists(f"/proc/{pid}") for pid in children)
            Lock(path).release()
        finally:
            for pid in children:
                os.kill(pid, 9)
