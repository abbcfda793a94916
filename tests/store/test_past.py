"""An import stores all of a dump or nothing, and what is there already only once."""

from __future__ import annotations

import io
import json
import math
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from bongsu.model.metric import Kind
from bongsu.store.layout import minutes, segments
from bongsu.store.layout.file import open_for_writing
from bongsu.store.moving import past
from bongsu.store.moving.importing import read
from bongsu.store.moving.past import Added
from bongsu.store.moving.spool import Known, Spool
from bongsu.store.writing import seal

START = 1_700_000_000_000
NOW = START + 10**9


@pytest.fixture
def store(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    with closing(open_for_writing(str(tmp_path / "history.db"))) as connection:
        yield connection


def imported(connection: sqlite3.Connection, text: str, **options: Known) -> Added:
    with closing(Spool("/tmp", labels={}, now_ms=NOW)) as spool:
        read(io.BytesIO(text.encode()), "dump", spool)
        return past.add(connection, spool, known=options.get)


def lines(name: str, count: int, every: int = 15_000, *, first: int = 0, labels: str = "", value: float = 0.0) -> str:
    return "".join(f"{name}{labels} {value + i} {START + i * every}\n" for i in range(first, first + count))


def stored(connection: sqlite3.Connection) -> dict[tuple[str, str], list[tuple[int, float]]]:
    """All samples in segments, by the metric's name and labels."""
    ids = {
        number: (name, labels)
        for number, name, labels in connection.execute(
            "SELECT series.id, name, labels FROM series JOIN metric ON metric.id = metric"
        )
    }
    return {
        ids[number]: list(zip(column.times.tolist(), column.values.tolist(), strict=True))
        for number, column in segments.read(connection, ids, 0, NOW).items()
    }


def test_samples_stand_in_segments_and_in_minutes(store: sqlite3.Connection) -> None:
    """Each sample comes back as it was, with its labels; counters have their increases in the coarser tier."""
    text = "# TYPE up gauge\n# HELP up Whether it ran.\n# TYPE bytes_total counter\n"
    text += lines("up", 100, labels='{b="2",a="\\"1"}') + lines("bytes_total", 100)
    assert imported(store, text) == Added(200, 2, 0, 0)
    expected = [(START + i * 15_000, float(i)) for i in range(100)]
    assert stored(store) == {
        ("up", '[["a","\\"1"],["b","2"]]'): expected, ("bytes_total", "[]"): expected,
    }  # fmt: skip
    kinds = dict(store.execute("SELECT name, kind FROM metric"))
    assert kinds == {"up": "gauge", "bytes_total": "counter"}
    assert store.execute("SELECT help, vocabulary FROM metric WHERE name = 'up'").fetchone() == (
        "Whether it ran.",
        "file",
    )
    (number,) = store.execute(
        "SELECT series.id FROM series JOIN metric ON metric.id = metric WHERE name = 'bytes_total'"
    ).fetchone()
    buckets = minutes.read(store, [number], 0, NOW)[number]
    assert buckets.shape.counter
    assert float(np.nansum(buckets.total)) == 99.0


def test_what_is_there_already_is_not_stored_again(store: sqlite3.Connection) -> None:
    """The same dump a second time changes nothing; a longer one adds what is new; another value takes the old one's place."""
    text = lines("a", 100) + f"a NaN {START - 1}\n"
    assert imported(store, text) == Added(101, 1, 0, 0)
    (size,) = store.execute("SELECT count(*) FROM chunk").fetchone()
    assert imported(store, text) == Added(0, 0, 101, 0)
    assert store.execute("SELECT count(*) FROM chunk").fetchone() == (size,)
    assert imported(store, lines("a", 120)) == Added(20, 0, 100, 0)
    assert imported(store, f"a 77 {START}\n") == Added(1, 0, 0, 1)
    samples = stored(store)[("a", "[]")]
    assert len(samples) == 121
    assert math.isnan(samples[0][1])
    assert samples[1] == (START, 77.0)


def test_all_or_nothing(store: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    """What ends it in the middle, Ctrl-C too, leaves the store as it was."""
    imported(store, lines("a", 10))
    whole = seal.insert
    calls = []

    def interrupted(*given: object, **options: object) -> None:
        calls.append(given)
        if len(calls) == 3:
            raise KeyboardInterrupt
        whole(*given, **options)  # type: ignore[arg-type]  # handed on as it came

    monkeypatch.setattr(seal, "insert", interrupted)
    with pytest.raises(KeyboardInterrupt):
        imported(store, lines("b", 1000))
    assert len(calls) == 3
    assert set(stored(store)) == {("a", "[]")}
    assert store.execute("SELECT count(*) FROM metric").fetchone() == (1,)


@pytest.mark.parametrize(
    ("comment", "known", "expected"),
    [("# TYPE a gauge\n", Kind.COUNTER, "gauge"), ("", Kind.COUNTER, "counter"), ("", None, "untyped"),
     ("# TYPE a untyped\n", Kind.COUNTER, "counter")],
)  # fmt: skip
def test_a_kind_is_what_the_dump_says_else_what_is_known(
    store: sqlite3.Connection, comment: str, known: Kind | None, expected: str
) -> None:
    """What nobody knows is untyped: a counter's name is no proof."""
    options = {"a": Known(known, "Help.", "bytes")} if known else {}
    imported(store, comment + "a 1 1000\n", **options)
    assert store.execute("SELECT kind FROM metric").fetchall() == [(expected,)]


def test_a_kind_that_the_store_has_is_kept(store: sqlite3.Connection) -> None:
    """Without a word on the type the samples join the series that is there; with another type it is another series."""
    imported(store, "# TYPE a counter\na 1 1000\n")
    imported(store, "a 2 2000\n", a=Known(Kind.GAUGE))
    assert stored(store) == {("a", "[]"): [(1000, 1.0), (2000, 2.0)]}
    imported(store, "# TYPE a gauge\na 3 3000\n")
    assert dict(store.execute("SELECT kind, count(*) FROM metric GROUP BY 1")) == {"counter": 1, "gauge": 1}


def test_labels_are_written_as_the_live_store_writes_them(store: sqlite3.Connection) -> None:
    """Else the same series would stand there twice."""
    imported(store, 'a{z="ü",b="1"} 1 1000\n')
    (text,) = store.execute("SELECT labels FROM series").fetchone()
    assert text == json.dumps([["b", "1"], ["z", "ü"]], ensure_ascii=False, separators=(",", ":"))


def test_an_info_metric_is_a_gauge_in_the_text_format(store: sqlite3.Connection) -> None:
    """So a dump that says gauge is of the series that is there, or that we know of, and not of a second one."""
    imported(store, "# TYPE a_info info\na_info 1 1.0\n# EOF\n")
    imported(store, "# TYPE a_info gauge\na_info 1 2000\n# TYPE b_info gauge\nb_info 1 2000\n", b_info=Known(Kind.INFO))
    assert store.execute("SELECT name, kind FROM metric ORDER BY 1").fetchall() == [
        ("a_info", "info"),
        ("b_info", "info"),
    ]
