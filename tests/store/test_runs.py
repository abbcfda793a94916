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


def _samples(pieces: list[Piece]) -> dict[int, list[tuple[int, float]]]:
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
    assert runs.known((4, 5), [1, 2, 9]) == made
    assert runs.known((4, 5), [1, 2]) is None
    assert runs.known((4,), [1, 2, 9]) is None


def test_series_of_the_same_times_stand_side_by_side() -> None:
    """One piece for all that were read together, another for what was read at other times."""
    made = Runs(1 << 20).joined((4, 5), [1, 3, 6], _pieces({1: FIRST[1], 6: FIRST[1]}, {1: SECOND[1], 3: SECOND[3]}))
    assert sorted(list(piece.ids) for piece in made) == [[1], [3], [6]]
    whole = [Piece([1, 6], np.array([10 * at, 10 * at + 5]), np.array([[1.0, 2.0], [3.0, 4.0]])) for at in (1, 2)]
    (both,) = Runs(1 << 20).joined((4, 5), [1, 6], whole)
    assert list(both.ids) == [1, 6]
    assert both.times.tolist() == [10, 15, 20, 25]
    assert np.asarray(both.values).tolist() == [[1.0, 2.0, 1.0, 2.0], [3.0, 4.0, 3.0, 4.0]]


def test_of_a_time_that_two_segments_have_the_later_counts() -> None:
    """As where a clock was set back."""
    made = Runs(1 << 20).joined((4, 5), [1], _pieces({1: [(10, 1.0), (30, 2.0)]}, {1: [(20, 3.0), (30, 4.0)]}))
    assert _samples(made) == {1: [(10, 1.0), (20, 3.0), (30, 4.0)]}


def test_no_more_is_kept_than_may_be() -> None:
    """The runs that were used last are; the others are joined anew."""
    runs = Runs(4000)
    for number in range(10):
        runs.joined((number, number + 1), [1], _pieces({1: FIRST[1]}, {1: SECOND[1]}))
        assert runs.known((0, 1), [1]) is not None
    kept = [number for number in range(10) if runs.known((number, number + 1), [1]) is not None]
    assert kept[0] == 0
    assert 2 <= len(kept) < 10
    assert kept[-1] == 9
    runs.clear()
    assert runs.known((0, 1), [1]) is None
