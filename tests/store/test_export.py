"""Exported tables hold every sample exactly, in bounded memory, and come back by the import."""

from __future__ import annotations

import contextlib
import csv
import io
import itertools
import json
import math
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq  # type: ignore[import-untyped,unused-ignore]  # it has no types
import pytest

from bongsu.model.errors import BadInput
from bongsu.store.layout.new_file import appearing
from bongsu.store.moving.export import Csv, Jsonl, Parquet, export, of_source
from bongsu.store.moving.importing import read
from bongsu.store.moving.spool import Spool
from bongsu.store.series import NAME, STALE, STALE_BITS, Labels, Matcher, Op
from store.promql.memory_source import MemorySource

START = 1_700_000_000_000
VALUES = [0.1, -0.0, 5e-324, 1.7976931348623157e308, 1 / 3, 2.0**53, 123456789.0, math.nan, math.inf, -math.inf, STALE]


def bits(values: object) -> list[int]:
    found: list[int] = np.array(values, dtype=np.float64).reshape(-1).view(np.uint64).tolist()
    return found


def labelled(name: str, /, **labels: str) -> Labels:
    return tuple(sorted({NAME: name, **labels}.items()))


def source() -> MemorySource:
    """Two metrics over some twenty windows, all kinds of values, and labels that want quoting."""
    made = MemorySource()
    times = [START + 137_000 * i for i in range(len(VALUES) * 8)]
    made.put(labelled("odd", path='a"b,c\n=SUM(A1)', name="값"), times, VALUES * 8)
    made.put(labelled("even"), times, [float(i) for i in range(len(times))])
    made.put(labelled("even", cpu="1"), times[5:9], [1.0, 2.0, 3.0, 4.0])
    return made


def everything(source: MemorySource) -> dict[Labels, list[tuple[int, int]]]:
    return {s.labels: list(zip(s.times.tolist(), bits(s.values), strict=True)) for s in source.series}


def rows_of_csv(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text, newline="")))


def test_csv_is_one_long_table_of_exact_values() -> None:
    """Columns time, metric, labels, value; each float is given back by its text; a series' end is an empty value."""
    file = io.BytesIO()
    given = source()
    count = export(of_source(given, []), START - 1, START + 10**9, Csv(file))
    header, *rows = rows_of_csv(file.getvalue().decode())
    assert header == ["time", "metric", "labels", "value"]
    assert len(rows) == count == 88 + 88 + 4
    found: dict[Labels, list[tuple[int, int]]] = {}
    for time, metric, labels, value in rows:
        assert time.endswith("Z")
        assert len(time) == len("2023-11-14T22:13:20.000Z")
        stamp = int(np.datetime64(time[:-1], "ms").astype(np.int64))
        number = STALE_BITS if value == "" else bits(float(value))[0]
        found.setdefault(labelled(metric, **json.loads(labels)), []).append((stamp, number))
    assert found == everything(given)
    assert {row[3] for row in rows if row[1] == "odd"} >= {"NaN", "+Inf", "-Inf", "", "0.3333333333333333", "-0.0"}


def test_no_cell_of_csv_is_a_formula() -> None:
    """A label that begins with = is within a cell that begins with a brace, on one line."""
    file = io.BytesIO()
    export(of_source(source(), []), START, START + 10**9, Csv(file))
    text = file.getvalue().decode()
    assert not [cell for row in rows_of_csv(text)[1:] for cell in row[:3] if cell[:1] in "=+-@\t\r"]
    assert text.count("\n") == 181


def test_terminals_are_not_steered() -> None:
    """With ascii_only nothing but plain characters is written."""
    made = MemorySource()
    made.put(labelled("a", b="\x9b31m\u202e"), [START], [1.0])
    for to in (Csv, lambda f, **k: Jsonl(f, {}, **k)):
        file = io.BytesIO()
        export(of_source(made, []), START, START, to(file, ascii_only=True))
        assert file.getvalue().isascii()
        assert b"\\u202e" in file.getvalue()


def test_jsonl_comes_back_by_the_import(tmp_path: Path) -> None:
    """Every series, time and bit, and the kind, survive export and import."""
    file = io.BytesIO()
    given = source()
    count = export(of_source(given, []), START, START + 10**9, Jsonl(file, {"even": "counter"}))
    for line in file.getvalue().splitlines():
        parsed = json.loads(line, parse_constant=lambda word: pytest.fail(f"{word} is no JSON"))
        assert set(parsed) - {"kind"} == {"metric", "values", "timestamps"}
    spool = Spool(str(tmp_path), labels={}, now_ms=START + 10**9)
    file.seek(0)
    assert read(file, "export", spool).samples == count
    found: dict[Labels, list[tuple[int, int]]] = {}
    for span in spool.windows():
        for series, time, value in zip(span.series.tolist(), span.times.tolist(), bits(span.values), strict=True):
            found.setdefault(spool.labels[series], []).append((time, value))
    assert found == {
        labels: [(t, v if v == STALE_BITS or not is_nan(v) else bits(math.nan)[0]) for t, v in samples]
        for labels, samples in everything(given).items()
    }
    assert spool.described("even").kind is not None
    spool.close()


def is_nan(number: int) -> bool:
    return math.isnan(struct.unpack("<d", struct.pack("<Q", number))[0])


def test_parquet_has_types_and_the_same_rows(tmp_path: Path) -> None:
    """Arrow reads times as UTC milliseconds, text as dictionaries, values bit for bit; null is a series' end."""
    path = tmp_path / "out.parquet"
    given = source()
    count = export(of_source(given, []), START, START + 10**9, Parquet(str(path)))
    table = pq.read_table(path)
    assert {field.name: str(field.type) for field in table.schema} == {
        "time": "timestamp[ms, tz=UTC]", "metric": "dictionary<values=string, indices=int32, ordered=0>",
        "labels": "dictionary<values=string, indices=int32, ordered=0>", "value": "double",
    }  # fmt: skip
    assert table.num_rows == count == 180
    found: dict[Labels, list[tuple[int, int]]] = {}
    for row in table.to_pylist():
        stamp = round(row["time"].timestamp() * 1000)
        number = STALE_BITS if row["value"] is None else bits(row["value"])[0]
        found.setdefault(labelled(row["metric"], **json.loads(row["labels"])), []).append((stamp, number))
    assert found == everything(given)


def test_parquet_is_written_in_row_groups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is held in memory is bounded; an export of nothing is a table too."""
    monkeypatch.setattr("bongsu.store.moving.export._ROWS", 50)
    path = tmp_path / "out.parquet"
    export(of_source(source(), []), START, START + 10**9, Parquet(str(path)))
    assert pq.ParquetFile(path).metadata.num_row_groups > 2
    export(of_source(MemorySource(), []), START, START + 10**6, Parquet(str(path)))
    assert pq.read_table(path).num_rows == 0


def test_without_pyarrow_the_cure_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The extra is named as pip wants it."""
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(BadInput, match=r"needs pyarrow, which is not installed: pip install 'bongsu\[parquet\]'"):
        Parquet(str(tmp_path / "out.parquet"))


def test_pyarrow_is_loaded_for_parquet_only() -> None:
    """170 MB of library wait until they are asked for."""
    code = "import sys, bongsu.store.moving.export; sys.exit('pyarrow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_groups_are_joined_and_times_cut() -> None:
    """A series that fits two selectors comes once; both ends of the range belong to it, and nothing beyond."""
    file = io.BytesIO()
    given = source()
    name = Matcher(NAME, Op.EQUAL, "even")
    read = of_source(given, [[name], [name, Matcher("cpu", Op.EQUAL, "1")]])
    count = export(read, START + 137_000, START + 6 * 137_000, Csv(file))
    assert count == 6 + 2
    assert {row[1] for row in rows_of_csv(file.getvalue().decode())[1:]} == {"even"}


def test_each_window_is_read_once_and_none_is_forgotten() -> None:
    """The windows that are asked for lie one after another, end where the store's do, and cover the range."""
    given = source()
    shares: list[float] = []
    export(of_source(given, []), START, START + 3_000_000, Csv(io.BytesIO()), progress=shares.append)
    asked = [(start, end) for _, start, end, _, _ in given.asked]
    assert asked[0][0] == START
    assert asked[-1][1] == START + 3_000_000
    assert all(after[0] == before[1] + 1 for before, after in itertools.pairwise(asked))
    assert all(end % 600_000 == 0 for _, end in asked[:-1])
    assert shares[-1] == 1.0
    assert shares == sorted(shares)


def test_a_file_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    """What interrupts the writing leaves the old file, and no other."""
    target = tmp_path / "out.csv"
    target.write_text("old")
    with contextlib.suppress(KeyboardInterrupt), appearing(str(target), replace=True, private=False) as unfinished:
        Path(unfinished).write_text("half")
        raise KeyboardInterrupt
    assert [path.name for path in tmp_path.iterdir()] == ["out.csv"]
    assert target.read_text() == "old"
    with appearing(str(target), replace=True, private=False) as unfinished:
        Path(unfinished).write_text("new")
        assert target.read_text() == "old"
    assert target.read_text() == "new"
