"""Which samples a selector sees."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pytest

from bongsu.model.message import Message
from bongsu.store.promql import engine
from bongsu.store.promql.values import PromqlError
from bongsu.store.series import STALE, Matcher, Op, Selected
from store.promql.answers import at, samples, steps
from store.promql.memory_source import MemorySource, labels_of


@pytest.fixture
def source() -> MemorySource:
    """``up`` of two hosts each 60 s, one of which ends with a stale mark and comes back."""
    made = MemorySource()
    made.add("up{host='a'}", 60, "1 2 3 4 5 6 7 8 9 10")
    made.add("up{host='b'}", 60, "1 2 stale _ _ 6 7 8 9 10")
    return made


def test_the_newest_sample_within_the_lookback_is_taken(source: MemorySource) -> None:
    """A sample counts until, but not at, five minutes after its time: the lookback is left-open."""
    source.put(labels_of("lone"), [0], [5.0])
    assert at(source, "lone", 299.999) == {"lone": 5.0}
    assert at(source, "lone", 300) == {}
    assert at(source, "lone", 0) == {"lone": 5.0}
    assert steps(source, "lone", 0, 300, 150) == {"lone": [5.0, 5.0, None]}
    assert at(source, "lone", -0.001) == {}
    assert at(source, "lone", 300, lookback_ms=300_001) == {"lone": 5.0}


def test_a_stale_mark_ends_a_series_at_once(source: MemorySource) -> None:
    """From the mark on, until a newer sample, the series is absent; other NaNs are values."""
    assert steps(source, "up{host='b'}", 0, 360, 60) == {"up{host=b}": [1, 2, None, None, None, 6, 7]}
    source.put(labels_of("odd"), [0], [math.nan])
    assert math.isnan(at(source, "odd", 0)["odd"])


def test_offset_moves_the_look_back_in_time(source: MemorySource) -> None:
    """A positive offset looks at the past, a negative one at the future."""
    assert at(source, "up{host='a'} offset 2m", 300) == {"up{host=a}": 4}
    assert at(source, "up{host='a'} offset -2m", 300) == {"up{host=a}": 8}
    assert at(source, "up{host='a'} offset 1m30s", 300) == {"up{host=a}": 4}


def test_at_fixes_the_time(source: MemorySource) -> None:
    """``@`` names the time, start() and end() are those of the query; an offset counts from there."""
    assert steps(source, "up{host='a'} @ 120", 0, 120, 60) == {"up{host=a}": [3, 3, 3]}
    assert steps(source, "up{host='a'} @ start()", 60, 180, 60) == {"up{host=a}": [2, 2, 2]}
    assert steps(source, "up{host='a'} @ end() offset 1m", 60, 180, 60) == {"up{host=a}": [3, 3, 3]}
    assert steps(source, "up{host='a'} offset 1m @ end()", 60, 180, 60) == {"up{host=a}": [3, 3, 3]}


def test_ranges_are_open_on_the_left(source: MemorySource) -> None:
    """A sample at the very start of the window is not in it, one at its end is."""
    assert samples(source, "up{host='a'}[2m]", 240) == {"up{host=a}": [(180, 4), (240, 5)]}
    assert samples(source, "up{host='a'}[2m]", 239.999) == {"up{host=a}": [(120, 3), (180, 4)]}
    assert samples(source, "up{host='a'}[2m] offset 1m", 300) == {"up{host=a}": [(180, 4), (240, 5)]}


def test_stale_marks_are_no_samples_of_a_range(source: MemorySource) -> None:
    """They are left out, and what lies around them stays."""
    assert samples(source, "up{host='b'}[10m]", 360)["up{host=b}"] == [(0, 1), (60, 2), (300, 6), (360, 7)]


def test_a_series_of_stale_marks_only_is_not_there() -> None:
    """Neither its labels nor an empty row are answered."""
    source = MemorySource()
    source.put(labels_of("gone"), [0, 1000], [STALE, STALE])
    assert samples(source, "gone[1m]", 1) == {}
    assert at(source, "gone", 1) == {}


def test_the_source_is_told_what_is_needed(source: MemorySource) -> None:
    """Times, step and window are those that a source needs to choose its tier and to read no more than is used."""
    engine.over_range(source, 'rate(up{host=~"a|b"}[5m] offset 1m)', 600_000, 1_200_000, 30_000)
    matchers, start, end, step, window = source.asked[-1]
    assert list(matchers) == [Matcher("__name__", Op.EQUAL, "up"), Matcher("host", Op.MATCH, "a|b")]
    assert (start, end, step, window) == (240_001, 1_140_000, 30_000, 300_000)
    engine.instant(source, '{__name__="up", host!="b", host!~"c.*"}', 600_000)
    matchers, start, end, step, window = source.asked[-1]
    assert [matcher.op for matcher in matchers] == [Op.EQUAL, Op.NOT_EQUAL, Op.NOT_MATCH]
    assert (start, end, step, window) == (300_001, 600_000, 0, 0)


def test_notes_of_the_source_become_warnings_once() -> None:
    """What a source says of its answer, such as which tier it is from, reaches the asker, each sentence once."""

    class Noting(MemorySource):
        def select(
            self, matchers: Sequence[Matcher], start: int, end: int, *, step: int = 0, window: int = 0
        ) -> Selected:
            found = super().select(matchers, start, end, step=step, window=window)
            return Selected(found.series, (Message("from the {tier} tier", tier="1m"),))

    result = engine.instant(Noting(), "a + b", 0)
    assert [str(message) for message in result.warnings] == ["from the 1m tier"]


def test_too_many_samples_are_refused(source: MemorySource) -> None:
    """More than the limit is an error of execution that names a cure, before the memory is taken."""
    with pytest.raises(PromqlError, match="more than 5 samples") as caught:
        engine.instant(source, "up[10m]", 600_000, most_samples=5)
    assert caught.value.kind == "execution"
    with pytest.raises(PromqlError, match="larger step"):
        engine.instant(source, "max_over_time(up[290y:1ms])", 600_000)


def test_the_time_of_a_query_is_limited(source: MemorySource) -> None:
    """When it is up, the query ends with an error of its own kind."""
    with pytest.raises(PromqlError, match="took too long") as caught:
        engine.instant(source, "up", 0, timeout_seconds=-1.0)
    assert caught.value.kind == "timeout"
