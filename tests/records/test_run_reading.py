"""The record of a run: what is read of it, by whatever version it was written, however it ended."""

from __future__ import annotations

import zlib
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from bongsu.model.run import Event, Point, Use
from bongsu.records.run_reading import KINDS, Became, Born, Brief, End, Exited, Many, Own, UseOf, read_1
from bongsu.runs.columns import COLUMNS
from run_records import columns, record, records, segment_bytes

WHOLE = segment_bytes(records())


def test_the_reader_knows_what_the_monitor_writes() -> None:
    """The fields of each kind are the columns that are written, in their order: also a lost first line is made up for."""
    assert {kind: tuple(kept.__struct_fields__) for kind, kept in KINDS.items()} == COLUMNS
    assert (KINDS["sample"], KINDS["event"]) == (Point, Event)
    assert set(KINDS.values()) == {Point, Born, Became, UseOf, Exited, Brief, Many, Event, Own, End}
    assert set(Use.__struct_fields__) == set(COLUMNS["use"]) - {"process"}


def test_what_was_written_is_read() -> None:
    """Samples, processes with what they were and became, uses, ends, the monitor's own use, survivors."""
    read = read_1(WHOLE, lambda uid: f"user{uid}")
    assert [point.at_seconds for point in read.points] == [1, 2, 3, 4, 5]
    assert read.points[1].children_cpu_seconds == 0.5
    assert read.points[0].uss_bytes is None
    first, child = read.processes
    assert (first.command, first.executable, first.user, first.exit_code) == ("work --fast", "work", "user0", 3)
    assert (child.pid, child.parent, child.start_seconds, child.end_seconds) == (101, 0, 1.5, 3.5)
    assert (child.cpu_seconds, child.exit_code, child.known_by) == (1.0, 1, "event")
    assert child.uses == (Use(at_seconds=2.0, cpu_seconds=0.5, rss_bytes=5 * 1024**2),)
    assert first.peak_rss_bytes == 50 * 1024**2
    assert read.own is not None
    assert read.own.samples == 5
    assert read.end is not None
    assert read.end.sources == {"perf": 6.5, "wait4": 6.4}
    assert [(one.pid, one.command, one.cpu_seconds) for one in read.survivors] == [(105, "daemon", 0.25)]
    assert (read.damaged, read.until_seconds, read.events) == (0, 5.5, ())


def test_columns_are_found_by_name() -> None:
    """A writer may have other columns in another order, and kinds that are not known."""
    rows: list[list[Any]] = [
        ["columns", {"sample": ["mood", "rss_bytes", "at_seconds", "1 odd name"], "weather": ["at_seconds"]}],
        ["sample", {"deep": [1]}, 7, 1.5, None], ["weather", 3], ["sample", None, None, 2.5, "x"],
    ]  # fmt: skip
    read = read_1(segment_bytes(rows))
    assert [(point.at_seconds, point.rss_bytes) for point in read.points] == [(1.5, 7), (2.5, None)]
    assert read.damaged == 0


def test_a_row_may_be_longer_or_shorter_than_its_columns() -> None:
    """What stands beyond the columns is passed over; what is missing at the end is not known."""
    rows = [columns(), ["event", 1.0, "signal", "SIGTERM", "more"], ["sample", 2.0, 0.5]]
    read = read_1(segment_bytes(rows))
    assert read.events == (Event(at_seconds=1.0, what="signal", text="SIGTERM"),)
    assert read.points == (Point(at_seconds=2.0, cpu_seconds=0.5),)


def test_without_its_columns_a_record_is_read_as_its_schema_has_them() -> None:
    """The first line may be the one that was torn."""
    torn = b"x" + WHOLE
    read = read_1(torn)
    assert read.points == read_1(WHOLE).points
    assert read.damaged == 1
    assert [event.what for event in read.events] == ["torn"]


def test_texts_that_are_not_unicode_are_kept() -> None:
    """Bytes of a command that are not UTF-8 are lone surrogates, before and after."""
    rows = [columns(), record("born", 0.0, process=0, pid=1, start_seconds=0.0, command="a\udcff", executable="\ud800")]
    (row,) = read_1(segment_bytes(rows)).processes
    assert (row.command, row.executable) == ("a\udcff", "\ud800")


def test_a_row_of_the_wrong_types_is_damaged_and_alone_in_that() -> None:
    """Whole lines that hold nonsense are counted, the others are read."""
    rows: list[Any] = [
        columns(),
        ["sample", "soon"],
        ["sample", 1.0],
        ["event", 1.0, 2, 3],
        ["columns", 3],
        [1, 2],
        {"a": 1},
        ["use", 1.0],
    ]
    read = read_1(segment_bytes(rows))
    assert [point.at_seconds for point in read.points] == [1.0]
    assert read.damaged == 5


def test_a_process_of_which_only_a_part_is_left_is_shown_with_that() -> None:
    """Its birth may have been on the torn line: its number, its use and its end are still known."""
    rows = [columns(), record("use", 3.0, process=7, cpu_seconds=1.0), record("exited", 4.0, process=7, exit_code=0)]
    rows.append(record("became", 5.0, process=8, command="late"))
    seven, eight = read_1(segment_bytes(rows)).processes
    assert (seven.index, seven.pid, seven.start_seconds, seven.end_seconds, seven.command) == (7, 0, 3.0, 4.0, "")
    assert (eight.index, eight.command, eight.start_seconds) == (8, "late", 5.0)


def test_cut_at_any_byte_all_whole_lines_are_read() -> None:
    """A power cut may end a file anywhere: every line before it is there, at most one is counted as torn."""
    for size in range(len(WHOLE) + 1):
        data = WHOLE[:size]
        read = read_1(data)
        assert len(read.points) == data.rpartition(b"\n")[0].count(b' ["sample"')
        torn = size > 0 and data[-1:] != b"\n"
        assert read.damaged == int(torn)
        assert len(read.events) == int(torn)


@given(st.lists(st.tuples(st.integers(0, len(WHOLE) - 1), st.integers(0, 255)), max_size=8))
def test_flipped_bytes_cost_their_line_and_no_more(changes: list[tuple[int, int]]) -> None:
    """Whatever happens to some bytes: what is read was written, and all lines that were not touched are read."""
    data = bytearray(WHOLE)
    for place, value in changes:
        data[place] = value
    read = read_1(bytes(data))
    whole = read_1(WHOLE)
    assert set(read.points) <= set(whole.points)
    lines = [(a, b) for a, b in zip(WHOLE.split(b"\n"), bytes(data).split(b"\n"), strict=False)]
    if len(bytes(data).split(b"\n")) == len(WHOLE.split(b"\n")):
        kept = sum(a == b and b' ["sample"' in a for a, b in lines)
        assert len(read.points) == kept


@given(st.binary(max_size=200))
def test_any_bytes_are_read(data: bytes) -> None:
    """Garbage is counted, never an error."""
    assert read_1(data).points == ()


def test_whatever_a_whole_line_says_is_read() -> None:
    """Numbers that JSON may hold but no clock shows, and deep nesting, are no reason to stop."""
    rows = [columns(), ["sample", 1.0, 10**400], ["sample", 2.0]]
    data = segment_bytes(rows)
    nested = b'["sample",' + b"[" * 50_000 + b"]" * 50_000 + b"]"
    data += b"%08x %s\n" % (zlib.crc32(nested), nested)
    read = read_1(data)
    assert [point.at_seconds for point in read.points][-1] == 2.0
    assert msgspec.json.encode(read.points)
