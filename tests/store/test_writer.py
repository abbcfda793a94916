"""The writer of the store: what it takes is there again, whatever happens to the process, the clock or the file."""

from __future__ import annotations

import logging
import os
import random
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from bongsu.model.batch import Batch
from bongsu.model.errors import BadInput
from bongsu.model.metric import MetricSpec
from bongsu.store.layout import file, place
from bongsu.store.layout.lock import Lock
from bongsu.store.reading.reader import Reader
from bongsu.store.series import NAME, Matcher, Op
from bongsu.store.writing import facts
from bongsu.store.writing.writer import Writer
from readings import HEAT, WORK, batch, one, part
from store_contents import TARGET, Key, Stored, plain, samples

Make = Callable[..., Writer]
Series = tuple[MetricSpec, tuple[str, ...]]


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "history.db")


@pytest.fixture
def make(path: str) -> Iterator[Make]:
    """Makes writers that write by `flush` alone, and closes them."""
    made: list[Writer] = []

    def make(**options: object) -> Writer:
        writer = Writer(path, labels=TARGET, **{"threaded": False, **options})  # type: ignore[arg-type]  # options of many types
        made.append(writer)
        return writer

    yield make
    for writer in made:
        writer.close()


def kill(writer: Writer) -> None:
    """Leave the file as a killed process does: the kernel frees the lock, nothing more is written."""
    writer._disk.close()
    writer._lock.release()
    writer._closed = True


def wait_until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not true():
        assert time.monotonic() < end, "it does not come about"
        time.sleep(0.005)


def test_what_is_taken_is_in_memory_at_once_and_then_in_the_file(make: Make, path: str) -> None:
    """Readers see all of it at any moment: what waits with its names, and what is committed."""
    writer = make()
    for at in range(3):
        writer.write(one(at, {(HEAT, ("a",)): at + 0.5}))
    assert plain(path, HEAT.name, room="a") == []
    waiting = samples(path, writer.pending(), writer.unsaved())
    assert [s.value for s in waiting[HEAT.name, (("room", "a"),)]] == [0.5, 1.5, 2.5]
    assert writer.flush()
    assert (writer.pending(), bool(writer.unsaved())) == ([], False)
    assert samples(path) == waiting
    assert plain(path, "up") == [(0, 1.0), (1, 1.0), (2, 1.0)]


def test_the_thread_commits_by_itself(path: str) -> None:
    """At once where that is asked for, else within the given time; `flush` does not wait for it."""
    for every in (0, 0.05):
        writer = Writer(path, labels=TARGET, commit_every=every)
        writer.write(one(every * 100, {(HEAT, ("a",)): 1.0}))
        wait_until(lambda: writer.facts().pending_batches == 0)  # noqa: B023  called within this round
        writer.close()
    writer = Writer(path, labels=TARGET, commit_every=3600)
    writer.write(one(10, {(HEAT, ("a",)): 2.0}))
    assert writer.flush()
    writer.close()
    assert [value for _, value in plain(path, HEAT.name, room="a") if value is not None] == [1.0, 1.0, 2.0]


def test_an_orderly_end_is_marked_and_leaves_nothing_behind(make: Make, path: str) -> None:
    """All that waited is written, each series ends right after its last sample, and the log is folded in."""
    writer = make()
    writer.write(one(1, {(HEAT, ("a",)): 1.0}))
    writer.close()
    assert not os.path.exists(path + "-wal")
    assert plain(path, HEAT.name, room="a") == plain(path, "up") == [(1, 1.0), (1.001, None)]
    with pytest.raises(OSError, match="the history is closed"):
        writer.write(one(2, {}))
    again = make()
    again.write(one(5, {(HEAT, ("a",)): 2.0}))
    again.close()
    assert plain(path, HEAT.name, room="a") == [(1, 1.0), (1.001, None), (5, 2.0), (5.001, None)]
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT count(*) FROM series").fetchone() == (2,)


def test_the_end_is_marked_at_the_time_it_comes(make: Make, path: str) -> None:
    """Where batches carry the time of this machine, a series lives until the process ends."""
    writer = make()
    now = time.time()
    writer.write(batch(now - 1000, part({(HEAT, ("a",)): 1.0}, now - 1000)))
    time.sleep(0.02)
    writer.close()
    (_, (end, value)) = plain(path, HEAT.name, room="a")
    assert value is None
    assert now - 1000 + 0.015 < end < time.time() - 1000 + 0.001


@pytest.mark.parametrize(
    ("next_at", "end"),
    [(60, 3), (2.4, 2.399), (2.001, 2.001), (2.0, 3), (0.5, 3)],
    ids=["later", "at once", "one ms later", "same ms", "clock set back"],
)
def test_the_end_of_a_killed_process_is_marked_by_the_next(make: Make, path: str, next_at: float, end: float) -> None:
    """A second after its newest sample, and never over a sample of the next one."""
    first = make()
    first.write(one(1, {(HEAT, ("a",)): 1.0, (HEAT, ("b",)): 5.0}))
    first.write(one(2, {(HEAT, ("a",)): 2.0}))
    first.flush()
    kill(first)
    second = make()
    assert plain(path, HEAT.name, room="a") == [(1, 1.0), (2, 2.0)]
    second.write(one(next_at, {(WORK, ("0", "x")): 7.0}))
    second.flush()
    kill(second)
    assert sorted(plain(path, HEAT.name, room="a")) == [(1, 1.0), (2, 2.0), (end, None)]
    assert plain(path, HEAT.name, room="b") == [(1, 5.0), (2, None)]  # ended before
    assert plain(path, WORK.name, core="0", kind="x") == [(next_at, 7.0)]


def test_the_end_of_a_killed_process_is_marked_also_when_all_is_sealed(make: Make, path: str) -> None:
    """Which series stood is known even where no hot row names them."""
    first = make()
    first.write(batch(1, part({(HEAT, ("slow",)): 1.0}, 1, collector="slow"), part({(HEAT, ("a",)): 2.0}, 1)))
    slow = part({(HEAT, ("slow",)): 1.0}, 1, collector="slow")
    for at in (700, 1300):
        first.write(batch(at, slow, part({(HEAT, ("a",)): 2.0}, at)))
        first.flush()
    first.flush(now_ms=10_000_000)
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT count(*) FROM hot").fetchone() == (0,)
    kill(first)
    second = make()
    second.write(one(1400, {(HEAT, ("a",)): 3.0}))
    second.flush()
    assert plain(path, HEAT.name, room="slow") == [(1, 1.0), (1301, None)]
    assert plain(path, HEAT.name, room="a")[-2:] == [(1301, None), (1400, 3.0)]


def test_windows_that_are_over_are_sealed_and_stay_what_they_were(make: Make, path: str) -> None:
    """Samples go from hot rows to segments bit by bit the same, with their stale marks; unused layouts go."""
    chance = random.Random(3)
    writer = make()
    before: dict[Key, list[Stored]] = {}
    for number in range(300):
        values: dict[Series, float] = {
            (HEAT, (room,)): chance.choice([1.5, 7, float("nan"), float("inf")])
            for room in "abc"
            if chance.random() < 0.8
        }
        writer.write(one(number * 10, values))
        if number == 50:
            writer.flush(now_ms=0)
            before = samples(path)
        writer.flush()
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT count(*) FROM segment").fetchone() > (3,)
        assert connection.execute("SELECT count(*), min(ts) > 3600000 FROM hot").fetchone()[0] <= 60
        assert connection.execute("SELECT count(*) FROM layout").fetchone() <= (20,)
    after = samples(path)
    until = (1000 + 500) * 1000
    assert {key: [s for s in found if s.ts <= until] for key, found in after.items()} == {
        key: [s for s in found if s.ts <= until] for key, found in before.items()
    }


def test_a_clock_set_back_loses_nothing_and_is_said_until_it_has_caught_up(
    make: Make, path: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Both runs of the clock are stored; where they meet on one time the later sample wins once it is sealed."""
    writer = make()
    for at, value in ((100, 1.0), (110, 2.0), (95, 3.0), (105, 4.0)):
        writer.write(one(at, {(HEAT, ("a",)): value}))
        writer.flush()
    assert "the clock was set back by 5 s" in str(writer.problem)
    assert plain(path, HEAT.name, room="a") == [(95, 3.0), (100, 1.0), (105, 4.0), (110, 2.0)]
    writer.write(one(110, {(HEAT, ("a",)): 5.0}))
    assert writer.problem is None
    writer.write(one(2000, {(HEAT, ("a",)): 6.0}))
    writer.flush()
    assert plain(path, HEAT.name, room="a") == [(95, 3.0), (100, 1.0), (105, 4.0), (110, 5.0), (2000, 6.0)]
    assert [r.levelname for r in caplog.records if "clock was set back" in r.message] == ["WARNING"]


def test_samples_of_a_far_future_do_not_stop_the_present(make: Make, path: str) -> None:
    """A clock that was years ahead for a moment: its samples are kept, and all else is sealed as ever."""
    writer = make()
    future = 10 * 365 * 86400
    for monotonic, at in enumerate([*range(0, 100, 10), future, *range(100, 3000, 10)]):
        writer.write(Batch(1000 + at, monotonic * 10, (part({(HEAT, ("a",)): float(at)}, monotonic),)))
        writer.flush()
    assert plain(path, HEAT.name, room="a") == [(at, float(at)) for at in [*range(0, 3000, 10), future]]
    with closing(sqlite3.connect(path)) as connection:
        (hot,) = connection.execute("SELECT count(*) FROM hot").fetchone()
    assert hot <= 62


def test_a_leap_of_the_clock_deletes_nothing_until_it_has_lasted(make: Make, path: str) -> None:
    """What is too old by a clock that is a year ahead stays for an hour; then that is the time."""
    writer = make(raw_seconds=86400)
    for at in range(0, 3000, 60):
        writer.write(one(at, {(HEAT, ("a",)): 1.0}))
        writer.flush()
    ahead = 365 * 86400
    for at in range(3000, 6540, 60):
        writer.write(Batch(1000 + ahead + at, at, (part({(HEAT, ("a",)): 1.0}, at),)))
        writer.flush()
        assert "nothing is deleted for its age" in str(writer.problem)
    assert plain(path, HEAT.name, room="a")[0] == (0, 1.0)
    for at in range(6540, 9000, 60):
        writer.write(Batch(1000 + ahead + at, at, (part({(HEAT, ("a",)): 1.0}, at),)))
        writer.flush()
    assert writer.problem is None
    assert plain(path, HEAT.name, room="a")[0][0] > ahead


def test_a_machine_that_was_off_for_a_month_lets_its_old_history_go_in_an_hour(make: Make, path: str) -> None:
    """The next process cannot know whether the clock is right: it waits, and then believes it."""
    first = make(raw_seconds=86400)
    for at in range(0, 3000, 60):
        first.write(one(at, {(HEAT, ("a",)): 1.0}))
    first.close()
    second = make(raw_seconds=86400)
    month = 30 * 86400
    for at in range(0, 7200, 60):
        second.write(one(month + at, {(HEAT, ("a",)): 2.0}))
        second.flush()
        if at == 1800:
            assert plain(path, HEAT.name, room="a")[0] == (0, 1.0)
    assert plain(path, HEAT.name, room="a")[0] == (month, 2.0)


def test_a_series_twice_is_said_once(make: Make, caplog: pytest.LogCaptureFixture) -> None:
    """Not with each batch; and that it has passed."""
    caplog.set_level(logging.INFO)
    writer = make()
    for at in range(3):
        both = [part({(HEAT, ("a",)): 1.0}, at, collector=name) for name in "xy"]
        writer.write(batch(at, *both))
    assert f"{HEAT.name} has the same labels twice" in str(writer.problem)
    assert writer.facts().doubled_samples == 3
    writer.write(batch(3, part({(HEAT, ("a",)): 1.0}, 3, collector="x"), part({}, 3, collector="y")))
    assert writer.problem is None
    assert [r.levelname for r in caplog.records if "the same labels twice" in r.getMessage()] == ["WARNING", "INFO"]


def test_names_that_were_let_go_are_named_again_when_they_come_back(make: Make, path: str) -> None:
    """Retention deletes what nothing refers to; a series that returns after that is stored as ever."""
    writer = make(raw_seconds=3600, minutes_seconds=7200)
    with_guest = range(0, 1000, 60), range(40_020, 41_000, 60)
    for at in range(0, 41_000, 60):
        values: dict[Series, float] = {(HEAT, ("a",)): float(at)}
        if any(at in times for times in with_guest):
            values[HEAT, ("guest",)] = float(-at)
            values[WORK, ("0", "x")] = float(at)
        writer.write(one(at, values))
        writer.flush()
        if at == 36_000:
            with closing(sqlite3.connect(path)) as connection:
                names = [name for (name,) in connection.execute("SELECT name FROM metric")]
                assert sorted(names) == [HEAT.name, "up"]
                assert connection.execute("SELECT count(*) FROM series").fetchone() == (2,)
    assert plain(path, HEAT.name, room="guest") == [(at, float(-at)) for at in with_guest[1]]
    assert plain(path, WORK.name, core="0", kind="x") == [(at, float(at)) for at in with_guest[1]]
    assert writer.facts().series == 4


def break_pages(path: str) -> None:
    """From another process: this one would lose its locks."""
    code = (
        "import os, sys; fd = os.open(sys.argv[1], os.O_RDWR); size = os.fstat(fd).st_size\n"
        "os.pwrite(fd, os.urandom(size - 4096), 4096)"
    )
    subprocess.run([sys.executable, "-c", code, path], check=True)


def test_a_file_that_breaks_while_it_runs_is_set_aside(make: Make, path: str, caplog: pytest.LogCaptureFixture) -> None:
    """Nothing is raised: what waits goes into a new file, with all the names that it needs."""
    writer = make()
    writer.write(one(1, {(HEAT, ("a",)): 1.0, (WORK, ("0", "x")): 3.0}))
    writer.flush()
    writer._disk.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    break_pages(path)
    writer._disk.connection.execute("PRAGMA shrink_memory")
    for at in (2, 3):
        writer.write(one(at, {(HEAT, ("a",)): float(at), (WORK, ("0", "x")): 4.0}))
        assert writer.flush()
    assert plain(path, HEAT.name, room="a") == [(2, 2.0), (3, 3.0)]
    assert plain(path, WORK.name, core="0", kind="x") == [(2, 4.0), (3, 4.0)]
    (aside,) = [name for name in os.listdir(os.path.dirname(path)) if ".corrupt-" in name and name.endswith("Z")]
    assert aside in str(writer.problem)
    assert any(aside in record.message for record in caplog.records)
    kill(writer)
    again = make()  # the new file knows what stood when this was killed
    again.write(one(9, {(HEAT, ("b",)): 1.0}))
    again.flush()
    assert plain(path, HEAT.name, room="a") == [(2, 2.0), (3, 3.0), (4, None)]


def test_a_catalogue_that_is_broken_when_it_opens_is_set_aside(make: Make, path: str) -> None:
    """The file's first pages may be well and the next not."""
    make().close()
    break_pages(path)
    writer = make()
    writer.write(one(1, {(HEAT, ("a",)): 1.0}))
    assert writer.flush()
    assert "is kept as" in str(writer.problem)


def test_a_file_removed_while_it_runs_is_begun_anew(make: Make, path: str) -> None:
    """Nothing is written into a file that no name leads to."""
    writer = make()
    writer.write(one(1, {(HEAT, ("a",)): 1.0}))
    writer.flush()
    for side in ("", "-wal", "-shm"):
        os.unlink(path + side)
    writer.write(one(2, {(HEAT, ("a",)): 2.0}))
    assert writer.flush()
    assert "was removed while it was in use" in str(writer.problem)
    assert plain(path, HEAT.name, room="a") == [(2, 2.0)]


def test_an_orderly_end_leaves_all_in_the_one_file(make: Make, path: str) -> None:
    """Also where somebody has the file open still, as a reader in this process has: people copy just that file."""
    writer = make()
    reader = Reader(path, pending=writer.pending, unsaved=writer.unsaved)
    writer.write(one(1, {(HEAT, ("a",)): 1.0}))
    assert writer.flush()
    reader.find((), 0, 10_000)
    writer.close()
    assert not os.path.exists(path + "-wal") or os.path.getsize(path + "-wal") == 0
    reader.close()


@pytest.mark.parametrize("sides", [["-wal"], ["-wal", "-shm", ".lock"]])
def test_a_log_removed_while_it_runs_loses_nothing(make: Make, path: str, sides: list[str]) -> None:
    """What was committed into it is brought into the file, and what comes then is found by other processes."""
    writer = make()
    for at in (1, 2):
        writer.write(one(at, {(HEAT, ("a",)): float(at)}))
        assert writer.flush()
    for side in sides:
        os.unlink(path + side)
    writer.write(one(3, {(HEAT, ("a",)): 3.0}))
    assert writer.flush()
    assert "history.db-wal was removed while it was in use" in str(writer.problem)
    look = (
        "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); "
        "print(c.execute('SELECT count(*) FROM hot').fetchone()[0], c.execute('PRAGMA integrity_check').fetchone()[0])"
    )
    other = subprocess.run([sys.executable, "-c", look, path], capture_output=True, text=True, check=False)
    assert other.stdout == "3 ok\n", other.stderr
    with pytest.raises(BadInput, match="writes this history already"):
        Lock(path)
    assert plain(path, HEAT.name, room="a") == [(1, 1.0), (2, 2.0), (3, 3.0)]


def test_a_file_put_in_its_place_is_left_alone(make: Make, path: str, tmp_path: Path) -> None:
    """Somebody restored a backup under a running writer: it says so, and writes into neither."""
    writer = make()
    writer.write(one(1, {(HEAT, ("a",)): 1.0}))
    writer.flush()
    other = str(tmp_path / "other.db")
    file.open_for_writing(other).close()
    os.replace(other, path)
    before = Path(path).read_bytes()
    writer.write(one(2, {(HEAT, ("a",)): 2.0}))
    assert not writer.flush()
    assert "was replaced by another file" in str(writer.problem)
    assert Path(path).read_bytes() == before
    with pytest.raises(OSError, match="could not be written"):
        writer.close()


def test_a_network_file_system_is_warned_of(
    make: Make, path: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It works as far as the file system's locks do: said in the log and as long as nothing worse is wrong."""
    monkeypatch.setattr(place, "network_file_system", lambda _path: "nfs4")
    writer = make()
    assert f"{path} lies on a nfs4 file system" in str(writer.problem)
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    writer.write(one(1, {(HEAT, ("a",)): 1.0}))
    assert writer.flush()


def test_a_second_writer_is_refused(make: Make, path: str) -> None:
    """With the pid of the first, and without harm to it."""
    writer = make()
    with pytest.raises(BadInput, match=f"process {os.getpid()} writes this history already"):
        Writer(path, labels={})
    writer.write(one(1, {(HEAT, ("a",)): 1.0}))
    assert writer.flush()


def test_a_child_made_by_fork_cannot_write_and_does_no_harm(path: str) -> None:
    """Its batches are refused; its end, orderly or not, leaves the parent's store as it is."""
    code = (
        "import os, sys; from bongsu.store.writing.writer import Writer; from readings import *\n"
        "writer = Writer(sys.argv[1], labels={}, commit_every=0.01)\n"
        "writer.write(one(1, {(HEAT, ('a',)): 1.0})); writer.flush()\n"
        "if not os.fork():\n"
        "    try: writer.write(one(2, {}))\n"
        "    except OSError as error: print(error.strerror)\n"
        "    writer.close(); sys.exit(0)\n"
        "os.wait(); writer.write(one(3, {(HEAT, ('a',)): 3.0})); writer.close()\n"
        "print('ended')"
    )
    tests = os.path.dirname(os.path.dirname(__file__))
    shown = subprocess.run(
        [sys.executable, "-c", code, path], capture_output=True, text=True, check=True, timeout=60,
        env={**os.environ, "PYTHONPATH": tests},
    )  # fmt: skip
    assert shown.stdout.splitlines() == ["the history belongs to the process of which this one was forked", "ended"]
    assert plain(path, HEAT.name, room="a") == [(1, 1.0), (3, 3.0), (3.001, None)]


def test_the_store_tells_of_itself(make: Make, path: str) -> None:
    """Each of its metrics has a sample once it has written and sealed; sizes are those of the files."""
    writer = make()
    for at in range(0, 1500, 10):
        writer.write(one(at, {(HEAT, ("a",)): 1.0}))
    writer.flush()
    told = {(s.spec.name, s.labels): s.value for s in writer.samples()}
    assert {name for name, _ in told} == {spec.name for spec in facts.SPECS}
    assert told["bongsu_store_bytes", ("file",)] == os.path.getsize(path)
    assert told["bongsu_store_bytes", ("wal",)] == os.path.getsize(path + "-wal")
    assert told["bongsu_store_series", ()] == 2
    assert told["bongsu_store_samples_total", ()] == 300
    assert told["bongsu_store_oldest_timestamp_seconds", ("raw",)] == 1000
    assert told["bongsu_store_pending_batches", ()] == 0
    assert time.time() - told["bongsu_store_last_commit_timestamp_seconds", ()] < 60
    writer.write(one(1500, {(HEAT, ("a",)): 1.0}))
    known = writer.facts()
    assert (known.pending_batches, known.newest) == (1, 2_500_000)
    assert known.pending_bytes > 16


def test_other_limits_hold_from_then_on(make: Make, path: str) -> None:
    """A reload may shorten what is kept without the file being closed."""
    writer = make()
    for at in range(0, 30_000, 60):
        writer.write(one(at, {(HEAT, ("a",)): 1.0}))
        writer.flush()
    assert plain(path, HEAT.name, room="a")[0] == (0, 1.0)
    writer.configure(raw_seconds=7200, minutes_seconds=86400, max_bytes=1 << 28, commit_every=1.0)
    writer.write(one(30_600, {(HEAT, ("a",)): 1.0}))
    writer.flush()
    assert 8_000 < plain(path, HEAT.name, room="a")[0][0] < 30_000 - 7200


def test_readers_see_every_batch_once_at_any_moment(path: str) -> None:
    """While batches come in, are committed, sealed, merged and joined: no error, no gap, nothing twice, never the past."""
    writer = Writer(path, labels=TARGET, commit_every=0.005)
    reader = Reader(path, writer.pending, writer.unsaved)
    taken = -1
    failures: list[str] = []
    reads = 0
    over = threading.Event()

    def read() -> None:
        nonlocal reads
        try:
            while not over.is_set():
                least = taken
                found = reader.select(
                    [Matcher(NAME, Op.EQUAL, HEAT.name), Matcher("room", Op.EQUAL, "a")], 0, 1 << 50
                ).series
                reads += 1
                if least < 0:
                    continue
                (series,) = found
                expected = [1_000_000 + 10_000 * number for number in range(len(series.times))]
                if series.times.tolist() != expected or series.values.tolist() != [n / 3 for n in range(len(expected))]:
                    failures.append(f"wrong samples: {len(series.times)}")
                elif len(expected) <= least:
                    failures.append(f"{len(expected)} samples, but {least + 1} were taken before")
        except Exception as error:  # noqa: BLE001  the test tells of it
            failures.append(repr(error))

    threads = [threading.Thread(target=read) for _ in range(2)]
    for thread in threads:
        thread.start()
    for number in range(2500):
        writer.write(one(number * 10, {(HEAT, ("a",)): number / 3, (WORK, ("0", "x")): 1.0}))
        taken = number
        while len(writer.pending()) > 50:
            time.sleep(0.001)
    over.set()
    for thread in threads:
        thread.join()
    reader.close()
    assert writer.problem is None
    writer.close()
    assert failures == []
    assert reads > 10
