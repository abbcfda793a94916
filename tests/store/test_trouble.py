"""What the disk and other programs do to the writer: it says so, waits in memory within bounds, and goes on."""

from __future__ import annotations

import contextlib
import os
import random
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bongsu.store.layout.hot import HotRow
from bongsu.store.writing.waiting import Waiting
from bongsu.store.writing.writer import Writer
from readings import HEAT, Values, one
from store_contents import TARGET, plain

KB = 1024


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "history.db")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 2 MB."""
    place = tmp_path / "small"
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(place)], check=True)
    yield place
    subprocess.run(["umount", str(place)], check=True)


def writer_at(path: str, **options: object) -> Writer:
    return Writer(path, labels=TARGET, **{"threaded": False, **options})  # type: ignore[arg-type]  # options of many types


def heats(at: float) -> Values:
    """Fifty samples that cannot be compressed to nothing."""
    return {(HEAT, (str(n),)): at * 1.1 + n / 7 for n in range(50)}


def expected(room: int, times: range) -> list[tuple[float, float | None]]:
    return [(at, at * 1.1 + room / 7) for at in times]


def fill(place: Path) -> None:
    with contextlib.suppress(OSError), open(place / "ballast", "wb", buffering=0) as ballast:
        while True:
            ballast.write(b"\xff" * 4096)


@contextlib.contextmanager
def other_process(code: str, path: str) -> Iterator[int]:
    """Another process that has run ``code`` with the connection ``c`` open, and ends when the block does."""
    whole = (
        "import sqlite3, sys; c = sqlite3.connect(sys.argv[1], isolation_level=None)\n"
        f"{code}\nprint('ready', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", whole, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "ready\n"
        yield other.pid
        other.communicate("")


@pytest.mark.needs_root
def test_a_full_disk_is_said_and_survived(small_disk: Path) -> None:
    """Batches are taken all the while; when there is room again everything that waited is written, and sealed."""
    path = str(small_disk / "history.db")
    writer = writer_at(path)
    for at in range(0, 300, 10):
        writer.write(one(at, heats(at)))
    assert writer.flush()
    fill(small_disk)
    blocked = False
    for at in range(300, 4000, 10):
        writer.write(one(at, heats(at)))
        blocked = not writer.flush() or blocked
    assert blocked
    assert "history.db: no space left on device; readings wait in memory until there is room" in str(writer.problem)
    waiting = writer.facts().pending_batches
    assert waiting > 100
    assert len(plain(path, HEAT.name, room="7")) == 400 - waiting
    os.unlink(small_disk / "ballast")
    assert writer.flush()
    assert writer.problem is None
    assert plain(path, HEAT.name, room="7") == expected(7, range(0, 4000, 10))
    with contextlib.closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT max(t1) FROM segment").fetchone() == (4_800_000,)
    writer.close()


@pytest.mark.needs_root
def test_sealing_that_finds_no_room_is_done_later(small_disk: Path) -> None:
    """What cannot be sealed stays as it was; readings are taken on, and it is tried again."""
    path = str(small_disk / "history.db")
    writer = writer_at(path)
    for at in range(0, 600, 3):
        writer.write(one(at, heats(at)))
        writer.flush(now_ms=0)
    writer._disk.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    fill(small_disk)
    writer.flush(now_ms=2_000_000)
    assert "no space left on device" in str(writer.problem)
    assert plain(path, HEAT.name, room="7") == expected(7, range(0, 600, 3))
    os.unlink(small_disk / "ballast")
    writer._tend_again = 0.0  # the pause after a failure
    assert writer.flush(now_ms=2_000_000)
    assert writer.problem is None
    assert plain(path, HEAT.name, room="7") == expected(7, range(0, 600, 3))
    with contextlib.closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT count(*) FROM hot").fetchone() == (0,)
    writer.close()


@pytest.mark.needs_root
def test_a_disk_that_stays_full_costs_the_oldest_readings_and_no_more_memory(small_disk: Path) -> None:
    """They are counted, the sink fails as long as it lasts, and the gap shows as an end of the series."""
    path = str(small_disk / "history.db")
    writer = writer_at(path, most_bytes=30 * KB)
    writer.write(one(0, heats(0)))
    writer.flush()
    fill(small_disk)
    failed, said = 0, set()
    for at in range(10, 1000, 10):
        try:
            writer.write(one(at, heats(at)))
        except OSError as error:
            failed += 1
            said.add(error.strerror)
        writer.flush()
    assert said == {"the disk has taken nothing for so long that the oldest readings are dropped"}
    facts = writer.facts()
    assert 0 < facts.pending_bytes <= 30 * KB
    assert facts.dropped_batches >= failed > 10
    os.unlink(small_disk / "ballast")
    assert writer.flush()
    found = plain(path, HEAT.name, room="7")
    times = [at for at, _ in found]
    gap = [at for at, value in found if value is None]
    assert len(gap) == 1
    assert times[-1] == 990
    missing = set(range(0, 1000, 10)) - {int(at) for at, value in found if value is not None}
    assert len(missing) == facts.dropped_batches
    assert missing == set(range(int(gap[0]), int(gap[0]) + 10 * len(missing), 10))
    writer.close()


def test_what_waited_too_long_is_dropped_too() -> None:
    """Ten minutes of readings wait at most, however small they are; the newest always stays."""
    waiting = Waiting(1 << 20, 0.0, lambda row: HotRow(row.ts, row.layouts, b"ended", row.seq))
    dropped = []
    for seq in range(1, 6):
        dropped.append(waiting.add(HotRow(seq * 10, b"", b"values", seq)))
        time.sleep(0.002)
    assert dropped == [0, 0, 2, 1, 1]
    assert [(row.seq, row.values) for row in waiting.rows] == [(1, b"ended"), (5, b"values")]
    assert waiting.bytes == sum(row.size for row in waiting.rows)
    waiting.written(1)
    assert [row.seq for row in waiting.rows] == [5]
    assert waiting.bytes == waiting.rows[0].size


def test_a_long_reader_stops_the_log_from_growing_not_the_readings(path: str) -> None:
    """Once the log is at its limit nothing is written: who reads is named. When it ends all is written, and the log shrinks."""
    writer = writer_at(path, wal_limit=200 * KB)
    writer.write(one(0, heats(0)))
    writer.flush()
    with other_process("c.execute('BEGIN'); c.execute('SELECT count(*) FROM hot').fetchone()", path) as pid:
        for at in range(10, 5000, 10):
            writer.write(one(at, heats(at)))
            if writer.problem is None or at % 500 == 0:  # each try waits a moment for the reader
                writer.flush()
        assert os.path.getsize(path + "-wal") < 400 * KB
        assert f"process {pid} (python" in str(writer.problem)
        assert "readings wait in memory until it ends" in str(writer.problem)
        assert writer.facts().pending_batches > 100
    assert writer.flush()
    assert writer.problem is None
    assert plain(path, HEAT.name, room="7") == expected(7, range(0, 5000, 10))
    writer.close()


def test_the_log_shrinks_again(path: str) -> None:
    """A log that grew while somebody read gives its room back once it can begin anew."""
    writer = writer_at(path)
    writer.write(one(0, heats(0)))
    writer.flush()
    with other_process("c.execute('BEGIN'); c.execute('SELECT count(*) FROM hot').fetchone()", path):
        for at in range(1, 1600):
            writer.write(one(at, heats(at)))
            writer.flush(now_ms=0)
    assert os.path.getsize(path + "-wal") > 8 * KB * KB
    for at in range(1600, 1610):
        writer.write(one(at, heats(at)))
        writer.flush(now_ms=0)
    assert os.path.getsize(path + "-wal") <= 4 * KB * KB
    writer.close()


def test_a_file_at_its_cap_lets_the_oldest_go_and_goes_on(path: str) -> None:
    """Also where so much waits that it does not fit: what is old goes first, nothing that is new is lost."""
    noise = random.Random(1)
    said: list[str] = []
    writer = writer_at(path, max_bytes=2 * KB * KB, tell=lambda step, _seq: said.append(step))
    for at in range(0, 20_000, 3):
        writer.write(one(at, {(HEAT, (str(n),)): noise.random() for n in range(50)}))
        if at < 14_000:
            writer.flush()
    assert writer.facts().pending_bytes > 500 * KB
    said.clear()
    assert writer.flush()
    assert writer.problem is None
    found = plain(path, HEAT.name, room="7")
    assert said.count("committing") > 2  # the first one found no room: so a little at a time
    assert found[0][0] > 0
    assert [at for at, _ in found][-1000:] == list(range(19_998 - 2997, 19_999, 3))
    assert os.path.getsize(path) + os.path.getsize(path + "-wal") <= 2 * KB * KB
    writer.close()


def test_a_program_that_locks_the_file_is_waited_for(path: str) -> None:
    """Somebody opened it with another tool and writes: said, and nothing is lost."""
    writer = writer_at(path)
    with other_process("c.execute('BEGIN IMMEDIATE')", path):
        writer.write(one(0, heats(0)))
        assert not writer.flush()
        assert "another program has locked it; readings wait in memory" in str(writer.problem)
    assert writer.flush()
    assert writer.problem is None
    writer.close()
    assert plain(path, HEAT.name, room="7")[0] == (0, 1.0)


def test_an_end_while_nothing_can_be_written_is_said(path: str) -> None:
    """Closing tries once more, does not wait for ever, and tells that the newest readings are lost."""
    writer = writer_at(path)
    writer.write(one(0, heats(0)))
    with (
        other_process("c.execute('BEGIN IMMEDIATE')", path),
        pytest.raises(OSError, match="the newest readings could not be written and are lost"),
    ):
        writer.close()
    again = writer_at(path)  # the lock was let go
    again.close()


def test_the_thread_tries_again_by_itself(path: str) -> None:
    """Without a new batch: what waits is written soon after the obstacle has gone."""
    writer = Writer(path, labels=TARGET, commit_every=0)
    with other_process("c.execute('BEGIN IMMEDIATE')", path):
        writer.write(one(0, heats(0)))
        _wait_until(lambda: writer.problem is not None)
    _wait_until(lambda: not writer.pending())
    assert writer.problem is None
    writer.close()


def _wait_until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not true():
        assert time.monotonic() < end, "it does not come about"
        time.sleep(0.01)
