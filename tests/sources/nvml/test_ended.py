"""Ended processes, of which the driver tells once."""

from __future__ import annotations

from bongsu.sources.nvml.ended import KEPT_SECONDS, RecentlyEnded
from bongsu.sources.nvml.reading import Ended
from gpu_looks import look, uuid


def _ended(pid: int) -> Ended:
    return Ended(pid=pid, uuid=uuid(0), start_time=1.0, seconds=1.0, max_memory_bytes=1.0, sm_ratio=0.0)


def test_a_reader_that_looks_seldom_hears_of_all() -> None:
    """What was told to one look is in the next ones too, and not for ever."""
    recent = RecentlyEnded()
    first, second = _ended(1), _ended(2)
    assert recent.added(look((), at=100.0, ended=(first,))).ended == (first,)
    assert recent.added(look((), at=101.0)).ended == (first,)
    assert recent.added(look((), at=102.0, ended=(second,))).ended == (first, second)
    assert recent.added(look((), at=100.5 + KEPT_SECONDS)).ended == (second,)
    assert recent.added(look((), at=103.0 + KEPT_SECONDS)).ended == ()
