"""What of a batch is stored, under which series, and where series end."""

from __future__ import annotations

import math
import struct
from array import array
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bongsu.model.batch import Batch, Part
from bongsu.model.message import Message
from bongsu.model.metric import Kind, MetricSpec, Vocabulary
from bongsu.store.layout.catalogue import Catalogue
from bongsu.store.layout.hot import unpack_ids
from bongsu.store.writing.intake import Intake
from readings import HEAT, TASKS, WORK, Values, batch, one, part
from store_contents import STALE_BITS

Row = dict[tuple[str, str], float | str]


class Taker:
    """An intake, and the rows that it gives as {(metric, labels): value}, with the word stale for a mark."""

    def __init__(self, target: Mapping[str, str] | None = None) -> None:
        self.catalogue = Catalogue(target or {})
        self.intake = Intake(self.catalogue)
        self.count = 0

    def __call__(self, given: Batch) -> Row:
        self.count += 1
        row = self.intake.take(given, self.count).row
        assert row.seq == self.count
        assert row.ts == round(given.time * 1000)
        return self.named(row.layouts, row.values)

    def named(self, layouts: bytes, values: bytes) -> Row:
        unsaved = self.catalogue.unsaved
        ids = [one for number in unpack_ids(layouts) for one in unpack_ids(unsaved.layouts[number])]
        found: Row = {}
        for number, bits in zip(ids, array("Q", values), strict=True):
            series = unsaved.series[number]
            key = (unsaved.metrics[series.metric].name, series.labels)
            assert key not in found, f"{key} stands twice in one row"
            (value,) = struct.unpack("<d", struct.pack("<Q", bits))
            found[key] = "stale" if bits == STALE_BITS else value
        return {key: value for key, value in found.items() if key[0] != "up"}


def heat(room: str) -> tuple[str, str]:
    return HEAT.name, f'[["room","{room}"]]'


def test_a_row_holds_what_was_read_and_that_it_was_read() -> None:
    """Every value under its series, and `up` 1 for the batch."""
    taker = Taker()
    row = taker.intake.take(one(1, {(HEAT, ("a",)): 20.5, (HEAT, ("b",)): 7}), 1).row
    assert array("d", row.values).tolist() == [1.0, 20.5, 7.0]
    assert taker.named(row.layouts, row.values) == {heat("a"): 20.5, heat("b"): 7.0}
    assert taker.intake.samples == 3


def test_the_same_series_again_need_no_new_names() -> None:
    """A layout is named once, however many rows have it; new values do not change it."""
    taker = Taker()
    taker(one(1, {(HEAT, ("a",)): 1.0}))
    named = taker.catalogue.unsaved.copy()
    for at in range(2, 6):
        taken = taker.intake.take(one(at, {(HEAT, (chr(97),)): float(at)}), at)
        assert taken.standing is None
    assert taker.catalogue.unsaved == named


def test_a_series_that_is_read_no_more_ends() -> None:
    """It gets one stale mark in the row that lacks it, and its own value again when it comes back."""
    taker = Taker()
    taker(one(1, {(HEAT, ("a",)): 1.0, (HEAT, ("b",)): 2.0}))
    assert taker(one(2, {(HEAT, ("a",)): 1.0})) == {heat("a"): 1.0, heat("b"): "stale"}
    assert taker(one(3, {(HEAT, ("a",)): 1.0})) == {heat("a"): 1.0}
    assert taker(one(4, {(HEAT, ("b",)): 5.0})) == {heat("a"): "stale", heat("b"): 5.0}


def test_all_series_of_a_collector_that_failed_end() -> None:
    """No value is carried on over a failure."""
    taker = Taker()
    taker(one(1, {(HEAT, ("a",)): 1.0}))
    failed = batch(2, part({}, 2, error=Message("broken")))
    assert taker(failed) == {heat("a"): "stale"}
    assert taker(batch(3, part({}, 3))) == {}


def test_the_series_of_a_collector_that_is_asked_no_more_end() -> None:
    """A reload may leave a collector out: its series do not go on for ever."""
    taker = Taker()
    heats, works = part({(HEAT, ("a",)): 1.0}, 1, collector="x"), part({(WORK, ("0", "u")): 2.0}, 1, collector="y")
    taker(batch(1, heats, works))
    assert taker(batch(2, part({(WORK, ("0", "u")): 3.0}, 2, collector="y"))) == {
        heat("a"): "stale", (WORK.name, '[["core","0"],["kind","u"]]'): 3.0,
    }  # fmt: skip


def test_a_part_that_was_delivered_before_is_not_stored_again() -> None:
    """A collector that is asked every 10 s gives one sample in 10 s, and no stale mark between."""
    taker = Taker()
    slow = part({(HEAT, ("a",)): 1.0}, 1, collector="slow")
    assert taker(batch(1, slow)) == {heat("a"): 1.0}
    assert taker(batch(2, slow)) == {}
    assert taker(batch(11, part({(HEAT, ("a",)): 1.0}, 11, collector="slow"))) == {heat("a"): 1.0}


@pytest.mark.parametrize("collector", ["self", "agent", "exporter", "store"])
def test_what_bongsu_says_about_itself_is_stored_every_15_seconds(collector: str) -> None:
    """It comes anew with every tick and changes slowly; nothing is said to end in between."""
    taker = Taker()
    stored = [at for at in range(60) if taker(batch(at, part({(HEAT, ("a",)): 1.0}, at, collector=collector)))]
    assert stored == [0, 15, 30, 45]


def test_of_a_series_twice_in_a_part_the_first_is_kept() -> None:
    """The other is counted and its metric named, until it is no longer there twice."""
    taker = Taker()
    spec = MetricSpec("twice", Kind.GAUGE, "Read twice.", ("name",), vocabulary=Vocabulary.FILE)

    def doubled(at: float, *values: float) -> Batch:
        parts = [part({(spec, ("a",)): value}, at) for value in values]
        whole = Part("test", 1000 + at, at, tuple(s for p in parts for s in p.samples), (), (), parts[0].outcome)
        return batch(at, whole)

    assert taker(doubled(1, 1.0, 2.0)) == {("twice", '[["name","a"]]'): 1.0}
    assert (taker.intake.doubled, taker.intake.double) == (1, "twice")
    assert taker(doubled(2, 3.0, 4.0)) == {("twice", '[["name","a"]]'): 3.0}
    assert taker.intake.doubled == 2
    taker(doubled(3, 5.0))
    assert (taker.intake.doubled, taker.intake.double) == (2, None)


def test_of_a_series_in_two_collectors_the_first_is_kept_until_it_ends() -> None:
    """The second one's samples are taken once the first gives it up."""
    taker = Taker()

    def both(at: float, first: Values, second: Values) -> Row:
        return taker(batch(at, part(first, at, collector="x"), part(second, at, collector="y")))

    a: Values = {(HEAT, ("a",)): 1.0}
    assert both(1, a, {(HEAT, ("a",)): 2.0}) == {heat("a"): 1.0}
    assert both(2, {}, {(HEAT, ("a",)): 3.0}) == {heat("a"): "stale"}
    assert both(3, {}, {(HEAT, ("a",)): 4.0}) == {heat("a"): 4.0}
    assert taker.intake.double is None


def test_a_series_that_moves_to_another_collector_goes_on() -> None:
    """No stale mark beside the value that another part holds in the same batch."""
    taker = Taker()
    taker(batch(1, part({(HEAT, ("a",)): 1.0}, 1, collector="x"), part({}, 1, collector="y")))
    moved = batch(2, part({}, 2, collector="x"), part({(HEAT, ("a",)): 2.0}, 2, collector="y"))
    assert taker(moved) == {heat("a"): 2.0}


def test_a_metric_that_changes_its_kind_goes_on() -> None:
    """It is another metric in the catalogue and the same series to whoever asks, so nothing ends."""
    taker = Taker()
    gauge = MetricSpec("thing", Kind.GAUGE, "As it was.", ("n",), vocabulary=Vocabulary.FILE)
    counter = MetricSpec("thing", Kind.COUNTER, "As it is.", ("n",), vocabulary=Vocabulary.FILE)
    key = ("thing", '[["n","1"]]')
    assert taker(one(1, {(gauge, ("1",)): 1.0})) == {key: 1.0}
    assert taker(one(2, {(counter, ("1",)): 2.0})) == {key: 2.0}
    assert taker(one(3, {(gauge, ("1",)): 3.0})) == {key: 3.0}
    kinds = [(row.name, row.kind) for row in taker.catalogue.unsaved.metrics.values()]
    assert kinds == [("up", "gauge"), ("thing", "gauge"), ("thing", "counter")]


def test_both_kinds_of_a_metric_in_one_part_are_one_series() -> None:
    """Prometheus knows no kinds when it stores: the first is kept."""
    taker = Taker()
    gauge = MetricSpec("thing", Kind.GAUGE, "One.", vocabulary=Vocabulary.FILE)
    counter = MetricSpec("thing", Kind.COUNTER, "Other.", vocabulary=Vocabulary.FILE)
    assert taker(one(1, {(gauge, ()): 1.0, (counter, ()): 2.0})) == {("thing", "[]"): 1.0}
    assert taker.intake.double == "thing"


def test_a_changed_help_is_remembered() -> None:
    """The catalogue tells what was said last."""
    taker = Taker()
    for number, text in enumerate(["Old words.", "New words."]):
        spec = MetricSpec("thing", Kind.GAUGE, text, vocabulary=Vocabulary.FILE)
        taker(one(number, {(spec, ()): 1.0}))
    assert [row.help for row in taker.catalogue.unsaved.metrics.values()][1:] == ["New words."]


def test_labels_are_stored_as_a_prometheus_would() -> None:
    """Sorted, with those of the target; a label of the same name is exported_…, an empty value is no label."""
    taker = Taker({"job": "bongsu", "instance": "here", "rack": ""})
    spec = MetricSpec(
        "thing", Kind.GAUGE, "Labels.", ("z", "job", "exported_job", "empty", "rack"), vocabulary=Vocabulary.FILE
    )
    ((_, labels),) = taker(one(1, {(spec, ("1", "mine", "theirs", "", "r")): 1.0}))
    assert labels == (
        '[["exported_exported_job","mine"],["exported_job","theirs"],["instance","here"],["job","bongsu"],'
        '["rack","r"],["z","1"]]'
    )


def test_a_label_of_bytes_that_are_no_text_stands_as_in_metrics() -> None:
    """Bytes that were not UTF-8 are U+FFFD; Korean stays Korean, and control characters survive."""
    taker = Taker()
    row = taker(one(1, {(HEAT, ("\udcff방\x00\n",)): 1.0}))
    assert list(row) == [(HEAT.name, '[["room","\ufffd방\\u0000\\n"]]')]


def test_a_value_keeps_its_bits() -> None:
    """NaN with its payload, infinities, the sign of zero, and the largest whole numbers."""
    taker = Taker()
    (payload,) = struct.unpack("<d", struct.pack("<Q", 0x7FF8DEADBEEF0001))
    given_values = [payload, math.inf, -math.inf, -0.0, 5e-324, 2**53, 1.7976931348623157e308]
    values: Values = {(HEAT, (str(n),)): value for n, value in enumerate(given_values)}
    row = taker.intake.take(one(1, values), 1).row
    assert row.values == struct.pack("<8d", 1.0, *given_values)


names = st.sampled_from(["a", "b", "c", "d"])
parts = st.lists(st.tuples(st.sampled_from([HEAT, TASKS]), names), max_size=6)


@given(st.lists(st.tuples(parts, parts), max_size=8))
def test_whatever_comes_and_goes_each_series_is_told_of_once(
    rounds: list[tuple[list[tuple[MetricSpec, str]], ...]],
) -> None:
    """In each row a series has its value if a part holds it, a stale mark if one did before, and else nothing.

    The one exception: a series that two collectors give ends for a moment where the first gives it up.
    """
    taker = Taker()
    before: set[tuple[str, str]] = set()
    for at, round_ in enumerate(rounds):
        given_parts = []
        for number, members in enumerate(round_):
            values: Values = {(s, (n,) if s is HEAT else (n, "")): float(number) for s, n in members}
            given_parts.append(part(values, at, collector=str(number)))
        row = taker(batch(at, *given_parts))
        held = {(s.name, f'[["{"room" if s is HEAT else "core"}","{n}"]]') for members in round_ for s, n in members}
        values_now = {key for key, value in row.items() if value != "stale"}
        stale = set(row) - values_now
        assert values_now <= held
        assert held - values_now <= stale & before
        assert stale - held == before - held
        before = values_now


def test_the_end_of_all_is_a_mark_for_each_series() -> None:
    """At the end of the process all that stands gets a stale mark, and `up` too."""
    taker = Taker()
    taker(one(1, {(HEAT, ("a",)): 1.0, (HEAT, ("b",)): 1.0}))
    taker(one(2, {(HEAT, ("b",)): 1.0}))
    row = taker.intake.end(taker.intake.layouts, 5000, 9)
    assert row is not None
    assert (row.ts, row.seq) == (5000, 9)
    assert array("Q", row.values).tolist() == [STALE_BITS] * 2
    assert taker.named(row.layouts, row.values) == {heat("b"): "stale"}
