"""`bongsu query` as a user sees it: in a terminal, in a pipe, with what people type wrong."""

from __future__ import annotations

import csv
import fcntl
import io
import json
import os
import pty
import re
import struct
import subprocess
import termios
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from bongsu.cli import query
from bongsu.cli.query_times import moment, span
from bongsu.model.errors import BadInput
from bongsu.store.layout.file import open_for_writing
from bongsu.store.layout.schema import MINUTES, RAW
from bongsu.store.moving import inventory
from bongsu.store.moving.importing import read
from bongsu.store.moving.past import add
from bongsu.store.moving.spool import Spool
from cli.command import ARGV, bongsu, complaint, environment

T0 = 1_750_000_200  # 15 June 2025, 15:10 UTC
AT = "2025-06-15T15:40:00Z"
HOUR = ("--from", "2025-06-15T15:10:00Z", "--to", "2025-06-15T16:10:00Z")
_ESCAPE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def dump() -> str:
    """An hour of a gauge with a gap of ten minutes, two counters, bytes, and a label that would steer a terminal."""
    lines = ["# TYPE load gauge", "# TYPE c counter", "# TYPE room_bytes gauge", "# UNIT room_bytes bytes"]
    for number in range(241):
        at = T0 + number * 15
        if not 121 <= number < 160:
            lines.append(f"load {number / 4} {at}")
        lines += [f'c_total{{cpu="{cpu}"}} {number * 15 * (cpu + 1)} {at}' for cpu in range(2)]
        lines.append(f'room_bytes{{path="/\x1b[31m\u202ered"}} 1610612736 {at}')
    return "\n".join([*lines, "# EOF", ""])


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A history with these samples."""
    path = str(tmp_path_factory.mktemp("state") / "history.db")
    labels = {"job": "bongsu", "instance": "here"}
    with (
        closing(open_for_writing(path)) as connection,
        closing(Spool("/tmp", labels=labels, now_ms=T0 * 1000 + 10**8)) as spool,
    ):
        read(io.BytesIO(dump().encode()), "dump", spool)
        add(connection, spool)
    return path


def ask(store: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """One run over the history."""
    return bongsu("query", "--store", store, *arguments, env={"TZ": "UTC"})


def answered(store: str, *arguments: str) -> str:
    """What it prints, with nothing to complain about."""
    done = ask(store, *arguments)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def on_terminal(*arguments: str, columns: int = 90, rows: int = 30, **env: str) -> str:
    """What a terminal of that size shows, styles left out."""
    ours, theirs = pty.openpty()
    os.set_blocking(ours, False)
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    size = {
        "COLUMNS": "",
        "TERM": "xterm-256color",
        "LANG": "C.UTF-8",
        "TZ": "UTC",
        **env,
    }
    with subprocess.Popen(
        [*ARGV, "query", *arguments], stdin=theirs, stdout=theirs, stderr=theirs, env=environment(**size)
    ):
        os.close(theirs)
        got = b""
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline:
            try:
                piece = os.read(ours, 65536)
            except BlockingIOError:
                time.sleep(0.01)
                continue
            except OSError:  # the other side is closed
                break
            if not piece:
                break
            got += piece
    os.close(ours)
    return re.sub(r"\x1b\[[0-9;]*m", "", got.decode().replace("\r\n", "\n"))


def test_one_moment_in_a_pipe_is_a_line_for_each_series(store: str) -> None:
    """Whole labels, exact values, nothing that steers a terminal."""
    assert answered(store, "load", "--at", AT) == 'load{instance="here", job="bongsu"} 30\n'
    assert answered(store, "c_total + 0", "--at", AT).splitlines() == [
        '{cpu="0", instance="here", job="bongsu"} 1800', '{cpu="1", instance="here", job="bongsu"} 3600',
    ]  # fmt: skip
    said = answered(store, "room_bytes", "--at", AT)
    assert not _ESCAPE.search(said)
    assert "\u202e" not in said
    assert answered(store, "1 + 1") == "2\n"
    assert answered(store, '"a\tb"') == "a\\tb\n"
    assert answered(store, "load[30s]", "--at", AT).splitlines() == [
        '2025-06-15T15:39:45Z load{instance="here", job="bongsu"} 29.75',
        '2025-06-15T15:40:00Z load{instance="here", job="bongsu"} 30',
    ]


def test_one_moment_on_a_terminal_is_a_table(store: str) -> None:
    """What all series share is said once; the value stands in its unit beside its exact digits."""
    said = on_terminal("--store", store, "c_total", "--at", AT)
    assert [line.split() for line in said.splitlines()] == [
        ['c_total{instance="here",', 'job="bongsu"}'], ["cpu", "value", "as"], ["0", "1800", "1,800"], ["1", "3600", "3,600"],
    ]  # fmt: skip
    assert "1.5 GiB" in on_terminal("--store", store, "room_bytes", "--at", AT)


def test_a_range_in_a_pipe_is_csv(store: str) -> None:
    """RFC 4180 with times in UTC, on the clock's grid; what is not there has no row."""
    rows = list(csv.DictReader(io.StringIO(answered(store, "load", *HOUR))))
    assert list(rows[0]) == ["time", "metric", "instance", "job", "value"]
    assert rows[0] == {
        "time": "2025-06-15T15:10:00Z",
        "metric": "load",
        "instance": "here",
        "job": "bongsu",
        "value": "0",
    }
    there = [row["time"] for row in rows]
    assert "2025-06-15T15:39:45Z" in there
    assert "2025-06-15T15:49:00Z" not in there  # the lookback of five minutes is over
    stepped = list(csv.DictReader(io.StringIO(answered(store, "sum(c_total)", *HOUR, "--step", "10m", "--csv"))))
    assert [row["value"] for row in stepped] == ["0", "1800", "3600", "5400", "7200", "9000", "10800"]


def test_json_is_the_api_data(store: str) -> None:
    """What Prometheus' API has under `data`."""
    assert json.loads(answered(store, "load", "--at", AT, "--json")) == {
        "resultType": "vector",
        "result": [{"metric": {"__name__": "load", "instance": "here", "job": "bongsu"}, "value": [T0 + 1800, "30"]}],
    }
    matrix = json.loads(answered(store, "c_total", *HOUR, "--step", "30m", "--json"))
    assert matrix["resultType"] == "matrix"
    assert matrix["result"][1]["values"] == [[T0, "0"], [T0 + 1800, "3600"], [T0 + 3600, "7200"]]
    hostile = answered(store, "room_bytes", "--at", AT, "--json")
    assert hostile.isascii()
    assert json.loads(hostile)["result"][0]["metric"]["path"] == "/\x1b[31m\u202ered"


def test_a_range_on_a_terminal_is_a_chart(store: str) -> None:
    """Curves, axes, a legend, in the terminal's width and height; the gap is a gap."""
    said = on_terminal("--store", store, "load", *HOUR, columns=70, rows=22)
    lines = said.rstrip("\n").split("\n")
    assert len(lines) <= 22
    assert max(map(len, lines)) <= 70
    assert lines[0].startswith("load  15 Jun 2025 15:10 to 16:10, each 30 s")
    assert any(re.search("[\u2801-\u28ff]", line) for line in lines)
    assert any("15:20" in line and "16:00" in line for line in lines)
    assert lines[-1].split() == ["*", 'load{instance="here",', 'job="bongsu"}', "60", "0", "60"]
    assert "\x1b" not in said  # nothing but styles is sent


def test_a_chart_where_only_ascii_shows(store: str) -> None:
    """A terminal of another encoding gets letters, dashes and pluses."""
    done = bongsu("query", "--store", store, "c_total", *HOUR, "--plot",
                  env={"PYTHONIOENCODING": "ascii", "TZ": "UTC"})  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.isascii()
    assert "\\u" not in done.stdout
    assert any(re.match(r" B .*cpu=\"0\"", line) for line in done.stdout.splitlines())


def test_many_series_are_drawn_in_part_and_that_is_said(store: str) -> None:
    """The highest eight, and a line on stderr."""
    many = " or ".join(f'label_replace(load, "n", "{n}", "", "") + {n}' for n in range(12))
    done = ask(store, many, *HOUR, "--plot")
    assert done.returncode == 0
    assert "the 8 highest of 12 series" in done.stderr


def test_nothing_found_is_said_and_is_no_error(store: str) -> None:
    """Exit code 0, an empty answer in the form that was asked for, and a line on stderr: perhaps with a better name."""
    done = ask(store, "lod", "--at", AT)
    assert (done.returncode, done.stdout) == (0, "")
    assert "did you mean load?" in done.stderr
    empty = ask(store, "load > 1000", "--at", AT, "--json")
    assert json.loads(empty.stdout) == {"resultType": "vector", "result": []}
    assert "no series" in empty.stderr
    assert ask(store, "load > 1000", *HOUR, "--csv").stdout == "time,metric,value\n"
    charted = ask(store, "load > 1000", *HOUR, "--plot")
    assert (charted.returncode, charted.stdout) == (0, "")
    assert "the history goes from 2025-06-15T15:10:00Z to 2025-06-15T16:10:00Z" in charted.stderr


def test_steps_that_pass_by_what_there_is_are_named(store: str) -> None:
    """An hour of history in a chart of ten years: not the time is at fault but the step."""
    done = ask(store, "load", "--from", "2020-01-01", "--to", "2030-01-01")
    assert (done.returncode, done.stdout) == (0, "time,metric,value\n")
    assert "nothing fits at steps of " in done.stderr
    assert "ask for a shorter time, or a smaller --step" in done.stderr
    assert "nothing fits at that time" in ask(store, "load", "--from", "2020-01-01", "--to", "2021-01-01").stderr


@pytest.mark.parametrize("minutes", [None, (600_001, 900_000), (1, 900_000), (-600_000, 900_000)])
def test_the_oldest_minute_is_told_no_earlier_than_it_is(
    store: str, monkeypatch: pytest.MonkeyPatch, minutes: tuple[int, int] | None
) -> None:
    """Minutes tell only their window, where the raw samples of that window tell the time."""
    extents = {RAW: (500_000, 800_000), MINUTES: minutes}
    monkeypatch.setattr(inventory, "extent", lambda _connection, tier: extents[tier])
    oldest = -600_000 if minutes and minutes[0] < 0 else 500_000
    assert query._extent(store) == (oldest, 900_000 if minutes else 800_000)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("sum(",), "1:5"), (("rate(load)",), ">>>load<<<"), (("load", "--at", "25:00"), "--at '25:00'"),
        (("load", "--since", "soon"), "--since 'soon'"), (("load", "--since", "0"), "--since '0'"),
        (("load", "--at", AT, "--since", "1h"), "--at is one moment"), (("load", "--json", "--csv"), "exclude each other"),
        (("load", "--from", AT, "--to", "2025-06-15T15:00Z"), "not before"), (("load", "--step", "1s", *HOUR, "--since", "1h"), "exclude"),
        (("load", "--since", "1d", "--step", "1s"), "11000"), (("load", "--step", "-5s"), "--step '-5s'"), ((), "EXPR"),
        (("load[5m]", *HOUR), "range vector"), (("c_total + on() c_total", "--at", AT), "c_total"), (("load", "--colour"), "--colour"),
    ],
)  # fmt: skip
def test_what_is_not_understood_is_one_line(store: str, arguments: tuple[str, ...], said: str) -> None:
    """Exit code 2, with the place or the option named."""
    assert said in complaint("query", "--store", store, *arguments)


def test_no_history_is_exit_code_3(tmp_path: Path) -> None:
    """A file that is not there, not readable or not a history; the line says what to do."""
    assert "`bongsu up` keeps one" in complaint("query", "x", "--data-dir", str(tmp_path), code=3)
    broken = tmp_path / "history.db"
    broken.write_bytes(b"SQLite format 3\0" + b"x" * 5000)
    assert str(broken) in complaint("query", "x", "--data-dir", str(tmp_path), code=3)
    assert "this is a directory; give --store FILE" in complaint("query", "x", "--path", str(tmp_path), code=3)
    os.mkfifo(tmp_path / "pipe")
    assert "this is not a file; give --store FILE" in complaint("query", "x", "--path", str(tmp_path / "pipe"), code=3)


def test_settings_say_where_the_history_is(store: str, tmp_path: Path) -> None:
    """The file of bongsu.yaml and the environment count, as they do for `bongsu up`."""
    config = tmp_path / "bongsu.yaml"
    config.write_text(f"store: {{path: {store}}}\n")
    assert bongsu("query", "-c", str(config), "load", "--at", AT).stdout.endswith(" 30\n")
    assert bongsu("query", "load", "--at", AT, env={"BONGSU_STORE_PATH": store}).stdout.endswith(" 30\n")


def test_names_of_metrics_are_completed(store: str) -> None:
    """The word that is being typed, wherever in the expression it stands."""
    env = {"_BONGSU_COMPLETE": "bash_complete", "COMP_WORDS": f"bongsu query --path {store} rate(c_", "COMP_CWORD": "4"}
    assert "rate(c_total" in bongsu(env=env).stdout
    nowhere = {**env, "COMP_WORDS": "bongsu query --path /nowhere rate(c_"}
    assert bongsu(env=nowhere).stdout.strip() == ""


NOW = 1_750_000_200.0  # 00:10 in Seoul


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("now", NOW), ("2h ago", NOW - 7200), ("-90s", NOW - 90), ("1750000000.5", 1_750_000_000.5), ("00:05", NOW - 300),
        ("00:10:01", NOW + 1 - 86400), ("yesterday 00:10", NOW - 86400), ("today", NOW - 600), ("yesterday", NOW - 600 - 86400),
        ("2025-06-16 00:00", NOW - 600), ("2025-06-15T15:00:00Z", NOW - 600), ("2025-06-15T17:00+02:00", NOW - 600),
        ("2025-06-16", NOW - 600),
    ],
)  # fmt: skip
def test_times_are_typed_in_many_ways(text: str, at: float, time_zone: Callable[[str], None]) -> None:
    """Local where no zone is named; a bare clock time is the latest that has been."""
    time_zone("Asia/Seoul")
    assert moment("--at", text, NOW) == at


@pytest.mark.parametrize(
    "text",
    ["", "soon", "12", "25:00", "00:61", "tomorrow", "2025-13-01", "ago", "-x", "nan", "1e400", "yesterday 99:00"],
)
def test_what_is_no_time_is_refused(text: str) -> None:
    """The line names the option, what was typed, and what can be."""
    with pytest.raises(BadInput, match="--at"):
        moment("--at", text, NOW)


def test_lengths_of_time() -> None:
    """Units, several at once, fractions; a plain number is seconds."""
    typed = {
        "90": 90,
        "1h30m": 5400,
        "1.5h": 5400,
        "2d": 172800,
        "1w": 604800,
        "10min": 600,
        "1h 5s": 3605,
        "250ms": 0.25,
    }
    for text, seconds in typed.items():
        assert span("--since", text) == seconds
    for text in ("", "h", "1x", "1h!", "-1h", "0s", "1h30", "1y" * 9000):
        with pytest.raises(BadInput, match="--since"):
            span("--since", text)
