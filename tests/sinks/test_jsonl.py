"""Batches as lines of JSON."""

from __future__ import annotations

import contextlib
import errno
import gzip
import json
import math
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bongsu.model.batch import Absence, Batch, Outcome, Part, Sample, Table, Why
from bongsu.model.errors import BadInput
from bongsu.model.message import Message
from bongsu.model.metric import Kind, MetricSpec
from bongsu.sinks.jsonl import JsonlSink

LEVEL = MetricSpec("bongsu_level", Kind.GAUGE, "A level.", ("tank", "place"))
START = 1_763_775_285.0  # 2025-11-22 01:34:45 UTC


def batch(*values: float, at: float = START, label: str = "a", absences: tuple[Absence, ...] = ()) -> Batch:
    """A batch with these values."""
    samples = tuple(Sample(LEVEL, (str(i), label), value) for i, value in enumerate(values))
    outcome = Outcome("tank", 0.25, 0.125, error=Message("bad {what}", what="luck"))
    return Batch(at, 0.0, (Part("tank", at, 0.0, samples, absences, (), outcome),))


def lines(path: Path) -> list[dict[str, Any]]:
    """The file's lines, each strictly JSON."""

    def refuse(word: str) -> float:
        raise AssertionError(f"{word} is not JSON")

    return [json.loads(line, parse_constant=refuse) for line in path.read_text().splitlines()]


def rotated(path: Path) -> list[str]:
    """Names of the rotated files, oldest first."""
    return sorted(name for name in os.listdir(path.parent) if name != path.name)


@contextlib.contextmanager
def largest_file(size: int) -> Iterator[None]:
    """A file cannot grow beyond this: the write is cut short and the next one fails, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_line_has_the_documented_keys(tmp_path: Path) -> None:
    """A line is one object with format, time, collectors, samples, absences; live tables stay out."""
    path = tmp_path / "b.jsonl"
    absence = Absence(LEVEL, ("9", "x"), Why.LOST, Message("gone"), Message("look"), last=math.inf, last_time=5.0)
    sink = JsonlSink(str(path))
    sink.write(batch(1, 2.5, absences=(absence,)))
    sink.close()
    assert lines(path) == [
        {
            "format": 1, "time": START,
            "collectors": [{"collector": "tank", "success": False, "seconds": 0.25, "cpu_seconds": 0.125,
                            "error": "bad luck", "no_data": None, "cure": None}],
            "samples": [{"name": "bongsu_level", "labels": {"tank": "0", "place": "a"}, "value": 1},
                        {"name": "bongsu_level", "labels": {"tank": "1", "place": "a"}, "value": 2.5}],
            "absences": [{"name": "bongsu_level", "labels": {"tank": "9", "place": "x"}, "why": "lost",
                          "reason": "gone", "cure": "look", "last": "+Inf", "last_time": 5.0}],
        }
    ]  # fmt: skip


def test_command_lines_never_reach_the_file(tmp_path: Path) -> None:
    """Rows of live tables, which hold processes' arguments, are not written."""
    path = tmp_path / "b.jsonl"
    sink = JsonlSink(str(path))
    outcome = Outcome("process", 0.0, 0.0)
    table = Table("processes", (Outcome("--password=secret", 0.0, 0.0),))
    sink.write(Batch(START, 0.0, (Part("process", START, 0.0, (), (), (table,), outcome),)))
    sink.close()
    assert "secret" not in path.read_text()


@given(
    st.lists(st.integers(-(2**70), 2**70) | st.floats() | st.booleans()),
    st.text(st.characters() | st.sampled_from([chr(c) for c in (0, 10, 13, 34, 92, 0xDC80, 0xDCFF, 0x2028)])),
)
def test_numbers_are_exact_and_every_line_is_json(values: list[float], label: str) -> None:
    """Any number and any label, also of bytes that are no UTF-8, comes back equal from one line of valid JSON."""
    line = JsonlSink._line(_bare(), batch(*values, label=label))
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    (got,) = [json.loads(line.decode("utf-8"), parse_constant=pytest.fail)]
    words = {"NaN": math.nan, "+Inf": math.inf, "-Inf": -math.inf}
    for sample, value in zip(got["samples"], values, strict=True):
        back = words[sample["value"]] if isinstance(sample["value"], str) else sample["value"]
        assert back == value or (math.isnan(back) and math.isnan(value))
        assert math.copysign(1, back) == math.copysign(1, value) or value != value  # noqa: PLR0124  NaN has any sign
        assert not any(0xD800 <= ord(c) <= 0xDFFF for c in sample["labels"]["place"])


def _bare() -> JsonlSink:
    sink = object.__new__(JsonlSink)
    sink._beginnings = {}
    return sink


def test_it_rotates_by_size_and_keeps_the_newest(tmp_path: Path) -> None:
    """A file never exceeds its limit (unless one line does); of the rotated ones the newest N stay; none is lost."""
    path = tmp_path / "b.jsonl"
    sink = JsonlSink(str(path), max_bytes=2000, keep=3)
    for i in range(60):
        sink.write(batch(i, at=START + i))
        assert path.stat().st_size <= 2000
    sink.close()
    names = rotated(path)
    assert len(names) == 3
    assert all(name.startswith("b.jsonl.20251122T01") for name in names)
    seen = [line["time"] for name in names for line in lines(tmp_path / name)] + [line["time"] for line in lines(path)]
    assert seen == [START + i for i in range(60 - len(seen), 60)]


def test_one_line_larger_than_the_limit_is_written(tmp_path: Path) -> None:
    """A line that exceeds the limit alone gets a file of its own."""
    path = tmp_path / "b.jsonl"
    sink = JsonlSink(str(path), max_bytes=4096)
    for i in range(3):
        sink.write(batch(*range(500), at=START + i))
    sink.close()
    assert [len(lines(tmp_path / name)) for name in (*rotated(path), path.name)] == [1, 1, 1]


def test_rotations_within_one_second_have_names_in_order(tmp_path: Path) -> None:
    """Files that are rotated in the same second do not overwrite each other and sort by age."""
    path = tmp_path / "b.jsonl"
    sink = JsonlSink(str(path), max_bytes=1, keep=50)
    for i in range(12):
        sink.write(batch(i))
    sink.close()
    values = [lines(tmp_path / name)[0]["samples"][0]["value"] for name in rotated(path)]
    assert values == list(range(11))


def test_it_rotates_by_age_also_over_restarts(tmp_path: Path) -> None:
    """The age is that of the first line, which the file itself tells after a restart; a clock set back is borne."""
    path = tmp_path / "b.jsonl"
    for at in (0, 40, 80):
        sink = JsonlSink(str(path), max_age=100)
        sink.write(batch(1, at=START + at))
        sink.close()
    assert rotated(path) == []
    sink = JsonlSink(str(path), max_age=100)
    sink.write(batch(1, at=START + 100))
    assert len(rotated(path)) == 1
    sink.write(batch(1, at=START - 1000))
    sink.write(batch(1, at=START - 950))
    assert len(rotated(path)) == 1
    sink.write(batch(1, at=START - 850))
    assert len(rotated(path)) == 2
    sink.close()


def test_rotated_files_are_compressed_also_those_of_the_process_before(tmp_path: Path) -> None:
    """With compression, rotated files become .gz with the same lines, half-done ones are made anew."""
    path = tmp_path / "b.jsonl"
    sink = JsonlSink(str(path), max_bytes=600, keep=10)
    for i in range(10):
        sink.write(batch(i, at=START + i))
    sink.close()
    plain = {name: (tmp_path / name).read_bytes() for name in rotated(path)}
    assert len(plain) >= 2
    (tmp_path / f"{next(iter(plain))}.gz.tmp").write_bytes(b"half")
    sink = JsonlSink(str(path), max_bytes=600, keep=10, compress=True)
    deadline = time.monotonic() + 120
    while not all(name.endswith(".gz") for name in rotated(path)) and time.monotonic() < deadline:
        time.sleep(0.01)
    sink.close()
    assert {name: gzip.decompress((tmp_path / f"{name}.gz").read_bytes()) for name in plain} == plain
    assert rotated(path) == [f"{name}.gz" for name in plain]


def test_after_a_kill_the_next_line_is_whole(tmp_path: Path) -> None:
    """A piece of a line at the end of the file costs that line only."""
    path = tmp_path / "b.jsonl"
    sink = JsonlSink(str(path))
    sink.write(batch(1))
    sink.close()
    with path.open("ab") as file:
        file.write(b'{"format":1,"time":17')
    sink = JsonlSink(str(path))
    sink.write(batch(2))
    sink.write(batch(3))
    sink.close()
    texts = path.read_text().split("\n")
    assert texts[1] == '{"format":1,"time":17'
    assert [json.loads(text)["samples"][0]["value"] for text in (texts[0], texts[2], texts[3])] == [1, 2, 3]
    assert texts[4:] == [""]


def test_sigkill_loses_no_whole_line(tmp_path: Path) -> None:
    """A process that is killed while it writes leaves every line that write() returned for."""
    path = tmp_path / "b.jsonl"
    code = (
        "import sys; sys.path.insert(0, sys.argv[2])\n"
        "from test_jsonl import batch, JsonlSink\n"
        "sink = JsonlSink(sys.argv[1])\n"
        "for i in range(10**9):\n"
        "    sink.write(batch(*[i] * 50)); print(i, flush=True)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(path), str(Path(__file__).parent)], stdout=subprocess.PIPE
    ) as process:
        assert process.stdout
        for _ in range(200):
            last = int(process.stdout.readline())
        process.send_signal(signal.SIGKILL)
        last = int([str(last).encode(), *process.stdout.read().split(b"\n")[:-1]][-1])
    whole = [json.loads(text) for text in path.read_bytes().split(b"\n")[:-1]]
    assert [line["samples"][0]["value"] for line in whole][: last + 1] == list(range(last + 1))
    assert len(whole) in {last + 1, last + 2}


def test_a_full_disk_takes_nothing_back_but_the_line_under_way(tmp_path: Path) -> None:
    """A write without room raises, leaves whole lines only, and the next batch is written when there is room."""
    path = tmp_path / "b.jsonl"
    sink = JsonlSink(str(path))
    sink.write(batch(1))
    size = path.stat().st_size
    for _ in range(2):
        with largest_file(size + 100), pytest.raises(OSError, match="File too large"):
            sink.write(batch(2))
        assert path.stat().st_size == size
    sink.write(batch(3))
    sink.close()
    assert [line["samples"][0]["value"] for line in lines(path)] == [1, 3]


@pytest.mark.needs_root
def test_a_full_file_system_is_survived(tmp_path: Path) -> None:
    """The same on a file system that is full indeed, over a rotation."""
    if os.geteuid() != 0:
        pytest.skip("only root can mount a small file system")
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(tmp_path)], check=True)
    path = tmp_path / "b.jsonl"
    try:
        sink = JsonlSink(str(path), max_bytes=40_000)
        written: list[int] = []
        failed: list[int | None] = []
        for i in range(60):
            try:
                sink.write(batch(*[i] * 30))
                written.append(i)
            except OSError as error:
                failed.append(error.errno)
        assert set(failed) == {errno.ENOSPC}
        (tmp_path / rotated(path)[0]).unlink()
        sink.write(batch(*[99] * 30))
        sink.close()
        values = [line["samples"][0]["value"] for line in lines(path)]
        assert values == [*written[-len(values) + 1 :], 99]
    finally:
        subprocess.run(["umount", str(tmp_path)], check=True)


def test_a_file_moved_or_removed_by_another_is_begun_anew(tmp_path: Path) -> None:
    """Where logrotate or a person moves, removes or empties the file, the next line goes to the path."""
    path = tmp_path / "b.jsonl"
    sink = JsonlSink(str(path))
    sink.write(batch(1))
    path.rename(tmp_path / "moved")
    sink.write(batch(2))
    assert len(lines(tmp_path / "moved")) == len(lines(path)) == 1
    path.unlink()
    sink.write(batch(3))
    path.write_bytes(b"")
    sink.write(batch(4))
    sink.close()
    assert [line["samples"][0]["value"] for line in lines(path)] == [4]


def test_a_file_that_cannot_be_written_is_refused_at_the_start(tmp_path: Path) -> None:
    """A directory, a missing one, one without permission: one line with option, path and cure."""
    for path, said in (
        (str(tmp_path), "this is a directory"), (f"{tmp_path}/no/b.jsonl", "there is no directory"),
        ("/dev/null", "this is not a file"), ("/proc/version", "permission denied|operation not permitted"),
    ):  # fmt: skip
        if os.geteuid() == 0 and path.startswith("/proc"):
            continue  # root may open it
        with pytest.raises(BadInput, match=said) as caught:
            JsonlSink(path)
        assert str(caught.value).startswith(f"sinks.jsonl.path {path}: ")


def test_nothing_is_kept_of_series_that_have_gone(tmp_path: Path) -> None:
    """What is remembered of series is that of the newest batch only."""
    sink = JsonlSink(str(tmp_path / "b.jsonl"))
    for i in range(50):
        sink.write(batch(1, 2, 3, label=str(i)))
    assert len(sink._beginnings) == 3
    sink.close()
