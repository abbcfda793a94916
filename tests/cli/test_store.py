"""`bongsu store`: what a user does with the history's file, in processes of their own."""

from __future__ import annotations

import csv
import gzip
import io
import json
import os
import signal
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import pyarrow.parquet as pq  # type: ignore[import-untyped,unused-ignore]  # it has no types
import pytest

from bongsu.model.errors import BadInput
from bongsu.store.layout.file import open_for_writing
from bongsu.store.layout.lock import Lock
from bongsu.store.moving.inventory import take_stock, writer
from bongsu.store.writing import retention
from cli.command import ARGV, bongsu, complaint, end, environment, running
from store.dumped import START, lines, store

DUMP = "# TYPE a_total counter\n" + lines("a_total", 100, labels='{b="c"}') + lines("d", 50, 30_000)
FIRST = "2023-11-14T22:20:00.000Z"


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A data directory with a history in it."""
    (tmp_path / "data").mkdir()
    store(tmp_path / "data" / "history.db", DUMP)
    return tmp_path / "data"


def told(*arguments: str | Path, code: int = 0, stdin: str = "") -> str:
    done = bongsu("store", *map(str, arguments), stdin=stdin)
    assert done.returncode == code, (done.returncode, done.stdout, done.stderr)
    assert "Traceback" not in done.stderr
    return done.stdout


def rows(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text, newline="")))


def test_info_says_what_there_is(place: Path) -> None:
    """For eyes with times in UTC, for programs with stable keys."""
    text = told("info", "--data-dir", place)
    assert str(place / "history.db") in text
    assert "2 metrics, 2 series" in text
    assert "2023-11-14 22:20:00" in text
    assert "nobody writes it now" in text
    stock = json.loads(told("info", "--json", "--store", place / "history.db"))
    assert set(stock) == {
        "path", "file_bytes", "wal_bytes", "free_bytes", "version", "writer", "metrics", "series", "raw", "minutes",
        "largest",
    }  # fmt: skip
    assert stock["raw"]["samples"] == 150
    assert stock["raw"]["oldest"] == START
    assert stock["writer"] is None


def test_info_tells_of_gaps(tmp_path: Path) -> None:
    """When there was nothing, and for how long."""
    path = store(tmp_path / "a.db", lines("a", 10) + lines("a", 10, first=100))
    text = told("info", "--store", path, "--gap", "10m")
    assert "raw: 1 time without any sample longer than 10 min" in text
    assert "2023-11-14 22:22:15 to 2023-11-14 22:45:00  22 min 45 s" in text
    assert "without any sample" not in told("info", "--store", path, "--gap", "1h")


def test_verify_has_an_exit_code(place: Path) -> None:
    """0 and one line for a file that is whole; 1 and a line for each thing that is broken."""
    assert "history.db: whole (2 series, " in told("verify", "--data-dir", place)
    assert "columns were not decoded" in told("verify", "--quick", "--data-dir", place)
    with closing(sqlite3.connect(place / "history.db")) as connection, connection:
        connection.execute("UPDATE chunk SET data = x'0000' WHERE id = (SELECT min(id) FROM chunk)")
    text = told("verify", "--data-dir", place, code=1)
    assert text.startswith("segment 1 (raw, ")
    assert "history.db: 1 problem (" in text
    found = json.loads(told("verify", "--json", "--data-dir", place, code=1))
    assert len(found["problems"]) == 1


def test_compact_keeps_every_sample(place: Path) -> None:
    """Sizes before and after; the export is the same."""
    before = told("export", "--data-dir", place, "--tier", "raw")
    assert " before, " in told("compact", "--data-dir", place)
    assert sorted(told("export", "--data-dir", place, "--tier", "raw").splitlines()) == sorted(before.splitlines())
    assert "whole" in told("verify", "--data-dir", place)


def test_a_backup_is_restored(place: Path, tmp_path: Path) -> None:
    """The way of a backup there and back; what was there is kept and named."""
    copy = tmp_path / "copy.db"
    assert "checked" in told("backup", copy, "--data-dir", place)
    assert "there is such a file; give another name, or --force" in complaint(
        "store", "backup", str(copy), "--data-dir", str(place)
    )
    told("import", "-", "--data-dir", place, stdin=lines("later", 5))
    told("backup", copy, "--data-dir", place, "--force")
    (place / "history.db").write_bytes(b"broken")
    text = told("restore", copy, "--data-dir", place)
    assert "what was there is kept as" in text
    aside = next(path for path in place.iterdir() if "before-restore" in path.name)
    assert str(aside) in text
    assert aside.read_bytes() == b"broken"
    assert take_stock(str(place / "history.db")).raw.samples == 155


def test_export_is_a_table(place: Path) -> None:
    """To standard output as CSV if nothing else is said; of what fits, at the time asked for."""
    header, *found = rows(told("export", "--data-dir", place))
    assert header == ["time", "metric", "labels", "value"]
    assert len(found) == 150
    assert found[0] == [FIRST, "a_total", '{"b":"c"}', "0.0"]
    picked = rows(
        told(
            "export",
            "--data-dir",
            place,
            "--match",
            '{b="c"}',
            "--from",
            "2023-11-14T22:20:00Z",
            "--to",
            "2023-11-14T22:20:30Z",
        )
    )
    assert [row[3] for row in picked[1:]] == ["0.0", "1.0", "2.0"]
    both = rows(told("export", "--data-dir", place, "--match", "d", "--match", "a_total", "--match", '{__name__=~"."}'))
    assert len(both) == 151


def test_minutes_have_lowest_and_highest(place: Path) -> None:
    """The coarser tier has a row a minute with what was in it: of a counter the rates and the increase."""
    header, *found = rows(told("export", "--data-dir", place, "--tier", "1m", "--match", "a_total"))
    assert header == ["time", "metric", "labels", "value", "lowest", "highest", "mean", "increase", "samples"]
    assert found[3][:2] == ["2023-11-14T22:23:00.000Z", "a_total"]
    value, lowest, highest, mean, increase, samples = found[3][3:]
    assert (value, mean, increase, samples) == ("12.0", "", "4.0", "4.0")
    assert float(lowest) == pytest.approx(4 / 60, rel=1e-6)
    assert float(highest) == pytest.approx(4 / 60, rel=1e-6)
    _, *gauge = rows(told("export", "--data-dir", place, "--tier", "1m", "--match", "d"))
    assert gauge[3][3:] == ["6.0", "5.0", "6.0", "5.5", "", "2.0"]


def test_files_are_told_by_their_name(place: Path, tmp_path: Path) -> None:
    """Parquet and JSONL by the ending, or by --format; the number of rows is said."""
    path = tmp_path / "out.parquet"
    assert told("export", "--data-dir", place, "-o", path) == f"{path}: 150 rows\n"
    assert pq.read_table(path).num_rows == 150
    path = tmp_path / "out.jsonl"
    told("export", "--data-dir", place, "-o", path)
    assert json.loads(path.read_text().splitlines()[0])["kind"] == "counter"


def test_an_export_is_imported_again(place: Path, tmp_path: Path) -> None:
    """JSONL carries kinds, times and values; nothing is stored twice."""
    path = tmp_path / "out.jsonl"
    told("export", "--data-dir", place, "-o", path)
    text = told("import", path, "--store", tmp_path / "other.db")
    assert "150 of 150 samples stored (jsonl), 2 new series" in text
    assert "150 were there already" in told("import", path, "--data-dir", place)
    assert told("export", "--store", tmp_path / "other.db") == told("export", "--data-dir", place)
    with closing(sqlite3.connect(tmp_path / "other.db")) as connection:
        assert dict(connection.execute("SELECT name, kind FROM metric")) == {"a_total": "counter", "d": "untyped"}


def test_what_minutes_cannot_take_in_is_told(place: Path) -> None:
    """Where raw samples are gone and minutes are kept, an import says how many samples it had to leave out, and a cure."""
    with closing(open_for_writing(str(place / "history.db"))) as connection:
        while retention.enforce(connection, now_ms=START * 2, raw_ms=0, minutes_ms=START * 2, max_bytes=None):
            pass
    done = bongsu("store", "import", "-", "--data-dir", str(place), "--json", stdin=lines("d", 50, 20_000))
    assert (done.returncode, json.loads(done.stdout)["stored"], json.loads(done.stdout)["left_out"]) == (0, 0, 50)
    assert "50 samples were left out: their time is kept only as values of minutes" in done.stderr
    assert "(--store)" in done.stderr
    done = bongsu("store", "import", "-", "--data-dir", str(place), stdin=lines("new", 5))
    assert "5 of the samples stored are kept as values of minutes" in done.stderr


def test_a_wrong_line_imports_nothing(tmp_path: Path) -> None:
    """File and line are named; with --keep-going the rest is taken, and the exit code says that there were problems."""
    dump = tmp_path / "dump.prom"
    dump.write_text(lines("a", 5) + "b one 1000\n" + lines("c", 5))
    path = str(tmp_path / "a.db")
    says = complaint("store", "import", str(dump), "--store", path)
    assert says.startswith(f"{dump}:6: the value: 'one' is not a number. Nothing was imported")
    assert not os.path.exists(path)
    done = bongsu("store", "import", str(dump), "--store", path, "--keep-going", "--json")
    assert done.returncode == 1
    assert f"passed over {dump}:6: " in done.stderr
    assert json.loads(done.stdout) == {
        "path": path, "format": "prometheus", "lines": 11, "read": 10, "stored": 10, "already": 0, "replaced": 0,
        "left_out": 0, "only_minutes": 0, "new_series": 2, "skipped_lines": 1, "cut_off_lines": 0, "oldest": START,
        "newest": START + 60_000,
    }  # fmt: skip


def test_what_the_next_start_would_drop_is_said(tmp_path: Path) -> None:
    """Samples of 2023 are older than 90 days: that they will go, and what to do."""
    done = bongsu("store", "import", "-", "--store", str(tmp_path / "a.db"), stdin=lines("a", 5))
    assert "some of it is older than the history keeps (90 d): it goes when `bongsu up` starts" in done.stderr
    now = f"a 1 {round(time.time() * 1000)}\n"
    assert bongsu("store", "import", "-", "--store", str(tmp_path / "a.db"), stdin=now).stderr == ""


def test_our_own_readings_join_their_series(tmp_path: Path) -> None:
    """What the sink jsonl wrote, packed too, has the kinds that our collectors say, and the labels that are given."""
    log = tmp_path / "readings.jsonl"
    settings = tmp_path / "bongsu.yaml"
    settings.write_text(f"sinks:\n  jsonl:\n    path: {log}\n")
    with running("agent", "-c", str(settings), "--port", "0", "--interval", "0.2", "--collector.disable-defaults",
                 "--collector.loadavg", "--collector.stat") as agent:  # fmt: skip
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline and (not log.exists() or log.read_bytes().count(b"\n") < 3):
            time.sleep(0.05)
        end(agent)
    packed = tmp_path / "readings.jsonl.gz"
    packed.write_bytes(gzip.compress(log.read_bytes()))
    path = tmp_path / "a.db"
    told("import", packed, "--store", path, "--label", "job=bongsu", "--label", "instance=here")
    with closing(sqlite3.connect(path)) as connection:
        kinds = dict(connection.execute("SELECT name, kind FROM metric"))
        labels = connection.execute(
            "SELECT labels FROM series JOIN metric ON metric.id = metric WHERE name = 'node_load1'"
        )
        assert labels.fetchall() == [('[["instance","here"],["job","bongsu"]]',)]
    assert kinds["node_load1"] == "gauge"
    assert kinds["node_context_switches_total"] == "counter"
    assert "untyped" not in kinds.values()


def test_promtools_dump_of_a_real_block_is_imported(tmp_path: Path) -> None:
    """What Prometheus' own tool writes out of Prometheus' own file has the samples that went in."""
    text = "# TYPE a counter\n" + "".join(
        f'a_total{{b="{i % 3}"}} {i * 0.1!r} {START / 1000 + i}\n' for i in range(300)
    )
    text += "# TYPE g gauge\n" + f"g NaN {START / 1000}\ng +Inf {START / 1000 + 1}\n# EOF\n"
    given = tmp_path / "in.om"
    given.write_text(text)
    subprocess.run(
        ["promtool", "tsdb", "create-blocks-from", "openmetrics", given, tmp_path / "blocks"],
        check=True,
        capture_output=True,
    )
    (tmp_path / "blocks" / "wal").mkdir()  # which the tool wants, also where all is in blocks
    dump = subprocess.run(["promtool", "tsdb", "dump", tmp_path / "blocks"], check=True, capture_output=True).stdout
    (tmp_path / "dump").write_bytes(dump)
    assert "302 of 302 samples stored (openmetrics)" in told("import", given, "--store", tmp_path / "a.db")
    assert "302 of 302 samples stored (prometheus)" in told("import", tmp_path / "dump", "--store", tmp_path / "b.db")
    assert told("export", "--store", tmp_path / "a.db") == told("export", "--store", tmp_path / "b.db")


@pytest.mark.parametrize("command", ["import", "compact", "restore"])
def test_what_needs_the_file_for_itself_names_who_has_it(place: Path, tmp_path: Path, command: str) -> None:
    """The pid of the writer, and what to do; nothing is changed."""
    (tmp_path / "given").write_text(lines("x", 3))
    given = [] if command == "compact" else [str(tmp_path / "given")]
    before = (place / "history.db").read_bytes()
    with Lock(str(place / "history.db")):
        says = complaint("store", command, *given, "--data-dir", str(place))
    assert f"process {os.getpid()} writes it now; stop that (`bongsu up`, or its service) to " in says
    assert (place / "history.db").read_bytes() == before


def has_samples(path: Path) -> bool:
    try:
        return take_stock(str(path)).raw.samples > 0
    except BadInput:  # it is about to be made
        return False


def test_what_reads_works_while_it_is_written(tmp_path: Path) -> None:
    """`bongsu up` goes on while the history is looked at, checked, copied and exported."""
    with running("up", "--data-dir", str(tmp_path), "--port", "0", "--interval", "0.1", "-q") as up:
        path = tmp_path / "history.db"
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline and not has_samples(path):
            time.sleep(0.2)
        assert json.loads(told("info", "--json", "--store", path))["writer"] == up.pid
        assert "whole" in told("verify", "--store", path)
        told("backup", tmp_path / "copy.db", "--store", path)
        assert "node_load1" in told("export", "--store", path, "--match", "node_load1")
        assert up.poll() is None
        assert end(up)[0] == 0
    assert "whole" in told("verify", "--store", tmp_path / "copy.db")
    assert take_stock(str(tmp_path / "copy.db")).raw.samples > 0


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("info", "--gap", "soon"), "--gap 'soon': this is no length of time"),
        (("export", "--match", "rate(a[5m])"), "--match rate(a[5m]): this is no selector of series; give such as node_load1"),
        (("export", "--match", "a{"), "--match: 1:"),
        (("export", "--match", 'a{b=~"("}'), "the regular expression '(' is not understood"),
        (("export", "--format", "parquet"), "--format parquet needs a file; give -o FILE"),
        (("export", "--since", "1h", "--from", "08:00"), "--since and --from exclude each other"),
        (("export", "--from", "2026-01-02", "--to", "2026-01-01"), "is not before --to"),
        (("export", "-o", "/nowhere/out.csv"), "there is no directory /nowhere"),
        (("export", "--tier", "2m"), "'2m' is not one of 'raw', '1m'"),
        (("import", "/nowhere/dump"), "/nowhere/dump: no such file or directory"),
        (("import", "-", "--label", "__a=b"), "--label __a=b: this is not NAME=VALUE"),
        (("import", "-", "--time", "later"), "--time 'later': this is no time"),
        (("restore", "/nowhere/copy.db"), "/nowhere/copy.db: no such file or directory"),
        (("backup", "/nowhere/copy.db"), "there is no directory /nowhere"),
        (("backup", "-"), "FILE '-': give the path of a file"),
        (("export", "-o", ""), "-o '': give the path of a file"),
        (("compress",), "there is no command 'compress'; did you mean compact?"),
    ],
)  # fmt: skip
def test_bad_input_is_one_line(place: Path, words: tuple[str, ...], says: str) -> None:
    """The option, what is wrong, what is allowed."""
    more = () if words[0] == "compress" else ("--data-dir", str(place))
    assert says in complaint("store", *words, *more)


@pytest.mark.parametrize("command", [("info",), ("verify",), ("compact",), ("export",), ("backup", "copy.db")])
def test_where_there_is_no_history_it_is_said(tmp_path: Path, command: tuple[str, ...]) -> None:
    """And none is made by looking for it."""
    says = complaint("store", *command, "--data-dir", str(tmp_path))
    assert says == f"{tmp_path}/history.db: there is no history here; `bongsu up` keeps one, or give --store FILE"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.needs_root
@pytest.mark.parametrize("shut", ["data", "data/history.db"])
@pytest.mark.parametrize("command", [("info",), ("export",), ("backup", "copy.db")])
def test_what_may_not_be_read_is_not_called_missing(
    place: Path, tmp_path: Path, command: tuple[str, ...], shut: str
) -> None:
    """Another user's history: the line says whose."""
    os.chown(tmp_path / shut, 1234, 1234)
    os.chmod(tmp_path / shut, 0o600)
    done = subprocess.run(
        ["setpriv", "--bounding-set=-dac_override,-dac_read_search", *ARGV, "store", *command, "--data-dir", str(place)],
        capture_output=True, text=True, check=False, env=environment(),
    )  # fmt: skip
    line = f"bongsu: {place}/history.db: permission denied; run this as the user who runs `bongsu up`\n"
    assert (done.returncode, done.stderr) == (3, line)


def test_the_history_itself_is_no_target(place: Path) -> None:
    """A backup does not replace what it is made of, nor is it restored from itself."""
    path = str(place / "history.db")
    assert "this is the history itself" in complaint("store", "backup", path, "--force", "--data-dir", str(place))
    assert "this is the history itself" in complaint("store", "restore", path, "--data-dir", str(place))


@pytest.mark.parametrize("ending", ["", "-wal", "-shm", "-journal", ".lock"])
@pytest.mark.parametrize("command", [("backup", "--force"), ("export", "--format", "csv", "-o")])
def test_nothing_takes_the_place_of_the_history(place: Path, command: tuple[str, ...], ending: str) -> None:
    """Nor of what SQLite and we keep beside it: a running writer would lose everything without a sound."""
    path = place / f"history.db{ending}"
    path.touch()
    before = path.read_bytes()
    link = place / "link"
    link.symlink_to(path)
    for name in (path, link):
        assert "is the history itself, or belongs to it" in complaint(
            "store", *command, str(name), "--data-dir", str(place)
        )
    assert path.read_bytes() == before


@pytest.mark.parametrize("command", [("compact",), ("import", "-"), ("restore", "{place}/history.db")])
def test_nothing_is_left_beside_a_file_that_is_no_history(
    place: Path, tmp_path: Path, command: tuple[str, ...]
) -> None:
    """A slip such as /etc/passwd: its .lock would be another program's."""
    (tmp_path / "passwd").write_text("root:x:0:0:")
    (tmp_path / "dir").mkdir()
    words = [word.format(place=place) for word in command]
    assert "this is not a history of Bongsu's" in complaint("store", *words, "--store", str(tmp_path / "passwd"))
    assert "this is a directory; give another file" in complaint("store", *words, "--store", str(tmp_path / "dir"))
    assert {entry.name for entry in tmp_path.iterdir()} == {"data", "dir", "passwd"}


def test_ctrl_c_in_an_import_leaves_nothing(tmp_path: Path) -> None:
    """Neither samples, nor a file that has no end: here while a pipe still gives lines."""
    path = store(tmp_path / "a.db", lines("there", 3))
    with subprocess.Popen(
        [*ARGV, "store", "import", "-", "--store", path], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True, env=environment(),
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),  # noqa: PLW1509  single-threaded child, set up as a shell would
    ) as process:  # fmt: skip
        assert process.stdin
        process.stdin.write(lines("a", 100_000))
        while writer(str(path)) != process.pid:
            assert process.poll() is None
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        assert process.wait(120) == 130
        assert process.stderr
        assert process.stderr.read() == ""
    assert take_stock(str(path)).series == 1
    assert {entry.name for entry in tmp_path.iterdir()} <= {"a.db", "a.db.lock", "a.db-wal", "a.db-shm"}


@pytest.fixture
def full_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system without room, with a history on it."""
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(disk)], check=True)
    store(disk / "history.db", DUMP)
    with suppress(OSError), open(disk / "ballast", "wb", buffering=0) as ballast:
        while True:
            ballast.write(b"\xff" * 4096)
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


@pytest.mark.needs_root
@pytest.mark.parametrize(
    ("words", "code", "where"),
    [
        (("backup", "{disk}/copy.db", "--data-dir", "{place}"), 3, "{disk}/copy.db"),
        (("restore", "{place}/history.db", "--store", "{disk}/other.db"), 3, "{disk}/other.db"),
        (("export", "-o", "{disk}/out.csv", "--data-dir", "{place}"), 3, "{disk}/out.csv"),
        (("import", "{disk}/../dump", "--store", "{disk}/other.db"), 2, "{disk}/other.db"),
        (("import", "{disk}/../dump.gz", "--store", "{disk}/other.db"), 3, "{disk}"),
        (("compact", "--data-dir", "{disk}"), 2, "{disk}/history.db"),
    ],
)  # fmt: skip
def test_a_full_disk_is_named(
    full_disk: Path, place: Path, tmp_path: Path, words: tuple[str, ...], code: int, where: str
) -> None:
    """Not the file that was read, nor standard output; and no half of a file is left."""
    (tmp_path / "dump").write_text(DUMP)
    (tmp_path / "dump.gz").write_bytes(gzip.compress(DUMP.encode()))
    said = complaint("store", *(word.format(disk=full_disk, place=place) for word in words), code=code)
    assert said.startswith(f"{where.format(disk=full_disk)}: no space left on device")
    left = {entry.name for entry in full_disk.iterdir()}
    assert left <= {"ballast", "history.db", "history.db.lock", "other.db", "other.db.lock", "history.db-shm",
                    "history.db-wal", "other.db-wal", "other.db-shm"}  # fmt: skip


@pytest.mark.needs_root
@pytest.mark.parametrize("command", [("info",), ("verify",), ("export",)])
def test_a_history_on_a_full_disk_can_be_read(full_disk: Path, command: tuple[str, ...]) -> None:
    """Also without room for the file that SQLite would make beside it."""
    assert told(*command, "--data-dir", full_disk) != ""


def test_an_export_whose_reader_leaves_ends_quietly(place: Path) -> None:
    """`bongsu store export | head -1`."""
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run([*ARGV, "store", "export", "--data-dir", place], stdout=writing, stderr=subprocess.PIPE, text=True,
                          check=False, env=environment())  # fmt: skip
    os.close(writing)
    assert (done.returncode, done.stderr) == (141, "")


@pytest.mark.parametrize("name", ["info", "verify", "compact", "backup", "restore", "export", "import"])
def test_every_command_has_help_with_examples(name: str) -> None:
    """Each says what it does and shows how it is used."""
    text = told(name, "--help")
    assert "Examples:\n" in text
    assert f"bongsu store {name}" in text
