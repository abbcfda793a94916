"""The file that a program writes its functions to."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bongsu.emit import segment as emitted
from bongsu.records import segment

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
)


@settings(suppress_health_check=[HealthCheck.too_slow])  # of a busy machine
@given(VALUES)
def test_both_writers_write_the_same_bytes(record: Any) -> None:
    """What a program writes is, byte for byte, what the records of a run are written in."""
    assert emitted.line(record) == segment.line(record)


def test_another_file_under_our_number_is_not_written_to(tmp_path: Path) -> None:
    """A program that closes all descriptors and opens its own files finds nothing of ours in them."""
    ours = emitted.Segment(str(tmp_path / "ours"))
    ours.append(emitted.line(1))
    number = ours._fd
    theirs = os.open(tmp_path / "theirs", os.O_WRONLY | os.O_CREAT)
    os.dup2(theirs, number)
    ours.append(emitted.line(2))
    ours.close()
    assert (tmp_path / "theirs").read_bytes() == b""
    assert segment.read(str(tmp_path / "ours")).records == [1, 2]
    os.close(theirs)
    os.close(number)


def test_what_grew_is_replaced_in_one_step(tmp_path: Path) -> None:
    """A large segment keeps the last records alone, and what an earlier program of this process wrote."""
    path = tmp_path / "one"
    path.write_bytes(segment.line("earlier") + b"torn")
    ours = emitted.Segment(str(path))
    ours.append(emitted.line("x" * emitted.LARGEST))
    assert not ours.is_large() or ours.size > emitted.LARGEST
    ours.append(emitted.line("more"))
    assert ours.is_large()
    ours.replace(emitted.line("all"))
    ours.append(emitted.line("next"))
    assert segment.read(str(path)).records == ["earlier", "all", "next"]
    assert not ours.is_large()
    ours.close()
    assert os.listdir(tmp_path) == ["one"]
