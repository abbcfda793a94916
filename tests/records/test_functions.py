"""What the processes of a run wrote of their functions, read and merged."""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bongsu.records import segment
from bongsu.records.functions import read


def _process(pid: int, **more: Any) -> list[Any]:
    return [
        "process",
        {"pid": pid, "start_ticks": 1, "ppid": 1, "argv0": "app.py", "started": 1.0, "schema": 1, **more},
    ]


def _function(name: str, count: int, seconds: float, **more: Any) -> list[Any]:
    numbers = {
        "kind": "function", "count": count, "running": 0, "errors": 0, "wall_seconds": seconds, "cpu_seconds": seconds,
        "self_wall_seconds": seconds, "self_cpu_seconds": seconds, "wall_min_seconds": seconds / (count or 1),
        "wall_max_seconds": seconds, "cpu_error_seconds": 0.001, "task": None,
    }  # fmt: skip
    return ["function", name, {**numbers, **more}]


def _write(folder: Path, pid: int, *records: Any) -> Path:
    path = folder / f"functions-{pid}-1.seg"
    path.write_bytes(b"".join(map(segment.line, records)))
    return path


def test_processes_are_added_up_and_the_last_record_counts(tmp_path: Path) -> None:
    """Within a process the numbers are cumulative; over processes they add up, least and most apart; tasks are apart."""
    _write(
        tmp_path,
        1,
        _process(1),
        _function("f", 1, 1.0),
        _function("f", 3, 6.0, errors=1),
        ["end", {"faults": 1, "write_seconds": 0.5}],
    )
    _write(
        tmp_path,
        2,
        _process(2),
        _function("f", 1, 0.5),
        _function("f", 2, 2.0, task="load"),
        _function("s", 1, 9.0, kind="span"),
    )
    found = read(str(tmp_path))
    assert list(found.stats) == ["s", "f", "f [load]"]
    f = found.stats["f"]
    assert (f.count, f.total_time, f.min_time, f.max_time, f.errors, f.processes) == (4, 6.5, 0.5, 6.0, 1, 2)
    assert f.avg_time == pytest.approx(6.5 / 4)
    assert f.cpu_error == pytest.approx(0.002)
    assert (found.stats["f [load]"].task, found.stats["s"].kind) == ("load", "span")
    assert (found.processes, found.damaged, found.newer, found.faults, found.write_seconds) == (2, 0, 0, 1, 0.5)


def test_what_is_not_known_of_one_is_not_known_of_all(tmp_path: Path) -> None:
    """A CPU time that one process could not tell is no zero; a function that never ended a call has no mean."""
    _write(
        tmp_path,
        1,
        _process(1),
        _function("f", 1, 1.0),
        _function("g", 0, 0.0, wall_min_seconds=None, running=1, running_wall_seconds=4.0),
    )
    _write(tmp_path, 2, _process(2), _function("f", 1, 1.0, cpu_seconds=None))
    found = read(str(tmp_path))
    assert found.stats["f"].cpu_time is None
    assert found.stats["f"].self_cpu_time == 2.0
    assert found.stats["g"].avg_time is found.stats["g"].min_time is found.stats["g"].max_time is None
    assert [tuple(one) for one in found.running] == [("g", "", 1, 1, 4.0)]


def test_exec_makes_a_second_life_of_one_process(tmp_path: Path) -> None:
    """A second "process" record begins from zero."""
    _write(tmp_path, 1, _process(1), _function("f", 2, 2.0), _process(1), _function("f", 3, 1.0), ["end", {}])
    found = read(str(tmp_path))
    assert (found.stats["f"].count, found.stats["f"].processes, found.processes) == (5, 1, 1)


def test_missing_is_what_no_process_had(tmp_path: Path) -> None:
    """What one process did not have another one may."""
    _write(tmp_path, 1, _process(1), ["missing", "m:f"], ["missing", "m:g"], ["found", "m:h"])
    _write(tmp_path, 2, _process(2), ["found", "m:f"])
    assert read(str(tmp_path)).missing == ["m:g"]


def test_a_newer_schema_is_told_and_left_out(tmp_path: Path) -> None:
    """What a newer Bongsu wrote is not guessed at; records of an unknown kind are passed over."""
    _write(tmp_path, 1, _process(1, schema=2), _function("f", 1, 1.0))
    _write(tmp_path, 2, _process(2), ["novelty", 1], _function("g", 1, 1.0), 7, [], {"a": 1})
    found = read(str(tmp_path))
    assert list(found.stats) == ["g"]
    assert found.newer == 1


@given(st.integers(min_value=0), st.binary(max_size=20))
def test_whatever_the_end_is_what_stands_before_it_is_read(
    tmp_path_factory: pytest.TempPathFactory, cut: int, tail: bytes
) -> None:
    """Cut at any byte, followed by anything: the whole lines count, nothing is invented, nothing raises."""
    folder = tmp_path_factory.mktemp("cut")
    path = _write(folder, 1, _process(1), *(_function("f", count, float(count)) for count in range(1, 6)))
    data = path.read_bytes()
    cut %= len(data) + 1
    whole = data[: cut + 1].count(b"\n")  # a line without its newline is torn until one follows, as it does here
    path.write_bytes(data[:cut] + (b"" if data[:cut].endswith(b"\n") else b"\n") + tail)
    stats = read(str(folder)).stats
    assert (stats["f"].count if stats else 0) == max(0, whole - 1)


def test_an_empty_folder_and_an_empty_file_hold_nothing(tmp_path: Path) -> None:
    """Nothing is nothing; garbage is counted."""
    assert read(str(tmp_path)).stats == {}
    (tmp_path / "functions-1-1.seg").write_bytes(b"")
    (tmp_path / "functions-2-1.seg").write_bytes(b"\x00\xff garbage\n")
    (tmp_path / "functions-3-1.seg").mkdir()
    assert read(str(tmp_path))[:4] == ({}, [], [], 0)
    assert read(str(tmp_path)).damaged == 2


@pytest.mark.parametrize(
    "text", [b"{", b'"\xff"', b"", b"[" * 100_000, b'["function","f",{"count":1,"wall_seconds":1e999}]', b"NaN"]
)
def test_a_whole_line_that_nobody_of_ours_wrote_is_damaged(tmp_path: Path, text: bytes) -> None:
    """The folder is the recorded program's to write to: a checksum makes no record of what is none."""
    path = _write(tmp_path, 1, _process(1), _function("f", 1, 1.0))
    with path.open("ab") as file:
        file.write(b"%08x %s\n" % (zlib.crc32(text), text))
    found = read(str(tmp_path))
    assert (found.damaged, found.stats["f"].count, found.stats["f"].total_time) == (1, 1, 1.0)


def test_a_time_that_is_none_is_not_known(tmp_path: Path) -> None:
    """A number too large for a float is passed over, and does not end the reading."""
    _write(tmp_path, 1, _process(1), _function("f", 1, 1.0, cpu_seconds=10**400))
    assert read(str(tmp_path)).stats["f"].cpu_time is None
