"""The record of a run that goes on: read bit by bit it says what it says read whole."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec
import pytest

from bongsu.records.run_following import Following
from bongsu.records.run_reading import Record, read_1
from run_records import records, segment_bytes

WHOLE = segment_bytes(records())


def without_uses(record: Record) -> Record:
    """What is followed leaves out what each process used at each time."""
    rows = tuple(msgspec.structs.replace(row, uses=()) for row in record.processes)
    return msgspec.structs.replace(record, processes=rows)


@pytest.mark.parametrize("step", [1, 7, 60, 333, len(WHOLE)])
def test_bit_by_bit_it_says_what_it_says_whole(tmp_path: Path, step: int) -> None:
    """Whatever was written between two looks, also half a line."""
    following = Following(str(tmp_path))
    assert following.look() == Record()
    with (tmp_path / "record.seg").open("wb", buffering=0) as file:
        for at in range(0, len(WHOLE), step):
            file.write(WHOLE[at : at + step])
            following.look()
    assert following.look() == without_uses(read_1(WHOLE))


def test_only_what_is_new_is_read(tmp_path: Path) -> None:
    """What was read may be gone from the disk: it is not asked for again."""
    path = tmp_path / "record.seg"
    half = WHOLE.index(b"\n", len(WHOLE) // 2) + 1
    path.write_bytes(WHOLE[:half])
    following = Following(str(tmp_path))
    following.look()
    assert following.offset == half
    with path.open("r+b") as file:
        file.write(b"x" * half)
        file.seek(half)
        file.write(WHOLE[half:])
    assert following.look() == without_uses(read_1(WHOLE))


def test_torn_lines_are_counted_once(tmp_path: Path) -> None:
    """One event says how many there are, however often it was looked at."""
    path = tmp_path / "record.seg"
    first = WHOLE.index(b"\n") + 1
    path.write_bytes(WHOLE[:first] + b"torn\n")
    following = Following(str(tmp_path))
    following.look()
    with path.open("ab") as file:
        file.write(b"again\n" + WHOLE[first:])
    found = following.look()
    assert found.damaged == 2
    assert [event.text for event in found.events if event.what == "torn"] == [
        "2 lines of the record are torn or damaged and left out"
    ]


def test_another_record_is_read_from_its_beginning(tmp_path: Path) -> None:
    """A file that was replaced, or cut, is not the one that was read."""
    path = tmp_path / "record.seg"
    path.write_bytes(WHOLE)
    following = Following(str(tmp_path))
    following.look()
    first = WHOLE.index(b"\n") + 1
    second = WHOLE.index(b"\n", first) + 1
    os.truncate(path, second)
    assert following.look() == without_uses(read_1(WHOLE[:second]))
    other = tmp_path / "other"
    other.write_bytes(WHOLE)
    other.replace(path)
    assert following.look() == without_uses(read_1(WHOLE))
