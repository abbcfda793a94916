"""Segments that are joined once: exactly the samples of the segments, within bounds."""

from __future__ import annotations

import numpy as np

from bongsu.store.reading.pieces import Piece
from bongsu.store.reading.runs import Runs


def _pieces(*segments: dict[int, list[tuple[int, float]]]) -> list[Piece]:
    """A piece for each series of each segment, which hold (time, value)."""
    return [
        Piece([one], np.array([at for at, _ in samples], np.int64), np.array([[value for _, value in samples]]))
        for segment in segments
        for one, samples in segment.items()
    ]


def _samples(pieces: list[Piece] | None) -> dict[int, list[tuple[int, float]]]:
    assert pieces is not None
    return {
        one: list(zip(piece.times.tolist(), np.asarray(piece.values[row]).tolist(), strict=True))
        for piece in pieces
        for row, one in enumerate(piece.ids)
    }


FIRST, SECOND = {1: [(10, 1.0), (20, 2.0)], 2: [(10, 5.0)]}, {1: [(30, 3.0)], 3: [(30, 7.0)]}


def test_series_go_on_from_segment_to_segment() -> None:
    """All samples of each, in order; one that has none is known to have none."""
    runs = Runs(1 << 20)
    assert runs.known((4, 5), [1, 2]) is None
    made = runs.joined((4, 5), [1, 2, 9], _pieces({1: FIRST[1], 2: FIRST[2]}, {1: SECOND[1]}))
    expected = {1: [(10, 1.0), (20, 2.0), (30, 3.0)], 2: [(10, 5.0)]}
    assert _samples(made) == expected
    assert _samples(runs.known((4, 5), [2, 1])) == expected
    assert runs.known((4, 5), [9]) == []
    assert runs.known((4, 5), [3]) is None
    assert runs.known((4,), [1]) is None


def test_what_another_question_asks_is_added() -> None:
    """Series of several questions stand side by side, and share their times where these are equal."""
    runs = Runs(1 << 20)
    runs.joined((4, 5), [1], _pieces({1: FIRST[1]}, {1: SECOND[1]}))
    runs.joined((4, 5), [3], _pieces({}, {3: SECOND[3]}))
    runs.joined((4, 5), [6], _pieces({6: FIRST[1]}, {6: SECOND[1]}))
    together = runs.known((4, 5), [1, 3, 6])
    assert _samples(together) == {1: [*FIRST[1], *SECOND[1]], 3: SECOND[3], 6: [*FIRST[1], *SECOND[1]]}
    assert together is not None
    assert sorted(list(piece.ids) for piece in together) == [[1, 6], [3]]


def test_of_a_time_that_two_segments_have_the_later_counts() -> None:
    """As where a clock was set back."""
    made = Runs(1 << 20).joined((4, 5), [1], _pieces({1: [(10, 1.0), (30, 2.0)]}, {1: [(20, 3.0), (30, 4.0)]}))
    assert _samples(made) == {1: [(10, 1.0), (20, 3.0), (30, 4.0)]}


def test_no_more_is_kept_than_may_be() -> None:
    """The runs that were used last are; the others are joined anew."""
    runs = Runs(1500)
    for number in range(10):
        runs.joined((number, number + 1), [1], _pieces({1: FIRST[1]}, {1: SECOND[1]}))
        assert runs.known((0, 1), [1]) is not None
    kept = [number for number in range(10) if runs.known((number, number + 1), [1]) is not None]
    assert kept[0] == 0
    assert 2 <= len(kept) < 10
    assert kept[-1] == 9
    runs.clear()
    assert runs.known((0, 1), [1]) is None
