"""How fast series change: worked out by hand where Prometheus' own rules are surprising."""

from __future__ import annotations

import pytest

from bongsu.store.promql import engine, rate
from bongsu.store.promql.values import PromqlError
from store.promql.asking import ask, ask_range
from store.promql.memory_source import MemorySource


def _source(samples: str, *, every: float = 10, start: float = 0) -> MemorySource:
    source = MemorySource()
    source.add("c_total{a='b'}", every, samples, start=start)
    return source


def test_a_rate_is_stretched_to_both_ends_of_its_window() -> None:
    """Samples at 10…50 in the window (0, 60]: each end is 10 s off, below 1.1 times the distance, so all 60 s count."""
    source = _source("0 1000 1020 1040 1060 1080")
    assert ask(source, "increase(c_total[1m])", 60) == {"{a=b}": pytest.approx(80 * 60 / 40)}
    assert ask(source, "rate(c_total[1m])", 60) == {"{a=b}": pytest.approx(2.0)}


def test_far_from_its_window_s_ends_a_rate_is_stretched_by_half_a_distance() -> None:
    """Samples at 100…120 in (60, 180]: the ends are 40 and 60 s off, each counts for 5 s only."""
    source = _source("1000 1010 1020", start=100)
    assert ask(source, "increase(c_total[2m])", 180) == {"{a=b}": pytest.approx(20 * 30 / 20)}


@pytest.mark.parametrize(("at", "counted"), [(130.9, 20 + 9 + 10.9), (131.0, 20 + 9 + 5)])
def test_an_end_is_near_below_1_1_distances(at: float, counted: float) -> None:
    """The last sample is at 120, samples are 10 s apart: 10.9 s later all counts, 11 s later half a distance."""
    window = round((at - 91) * 1000)  # so that the start is 9 s before the first sample at 100
    found = ask(_source("1000 1010 1020", start=100), f"delta(c_total[{window}ms])", at)
    assert found == {"{a=b}": pytest.approx(20 * counted / 20)}


@pytest.mark.parametrize(("before", "counted"), [(10.9, 20 + 10.9 + 5), (11.0, 20 + 5 + 5)])
def test_so_is_a_beginning(before: float, counted: float) -> None:
    """The first sample is at 100; the window ends 20 s after the last, for which 5 s are counted."""
    found = ask(_source("1000 1010 1020", start=100), f"delta(c_total[{round((before + 40) * 1000)}ms])", 140)
    assert found == {"{a=b}": pytest.approx(counted)}


def test_a_counter_is_not_stretched_below_zero() -> None:
    """It was 2 at the first sample and rises by 1 each second, so it began 2 s before; a gauge may go lower."""
    source = _source("2 12 22", start=10)
    assert ask(source, "increase(c_total[30s])", 30) == {"{a=b}": pytest.approx(20 * (20 + 2) / 20)}
    assert ask(source, "delta(c_total[30s])", 30) == {"{a=b}": pytest.approx(20 * (20 + 10) / 20)}


def test_what_a_counter_had_reached_before_it_fell_is_added() -> None:
    """100, 110, 5, 15, 3: rises of 10, 5, 10, 3 after the first sample."""
    source = _source("100 110 5 15 3")
    assert ask(source, "increase(c_total[50s])", 40) == {"{a=b}": pytest.approx(28 * 50 / 40)}
    assert ask(source, "delta(c_total[50s])", 40) == {"{a=b}": pytest.approx(-97 * 50 / 40)}


def test_a_fall_counts_only_where_both_of_its_samples_are_in_the_window() -> None:
    """The fall lies between 20 and 30 s; windows that hold one of the two samples know nothing of it."""
    found = ask_range(_source("50 60 70 5 15 25"), "increase(c_total[15s])", 10, 50, 10)
    # (-5, 10]: 10 over 10 s and (5, 20]: the same; (15, 30]: 5; (25, 40]: 10; each stretched to 15 s
    assert found == {"{a=b}": pytest.approx([15, 15, 5 * 1.5, 15, 15])}


def test_both_ways_of_adding_falls_give_the_same_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    """One addition for each fall, or one for each sample: no last digit differs."""
    source = MemorySource()
    source.add("c_total{a='1'}", 10, " ".join(str((i * 7919 % 13) + 0.1) for i in range(60)))
    source.add("c_total{a='2'}", 10, " ".join(str(i * 0.3) for i in range(60)))
    source.add("c_total{a='3'}", 10, " ".join(str(0.7 * (i % 30)) for i in range(60)))
    results = []
    for cost in (0, 1_000_000):
        monkeypatch.setattr(rate, "_FALL_ALONE", cost)
        results.append(ask_range(source, "increase(c_total[2m])", 0, 600, 7))
    assert results[0] == results[1]
    assert len(results[0]) == 3


@pytest.mark.parametrize("function", ["rate", "increase", "delta", "irate", "idelta", "deriv"])
def test_one_sample_is_no_change(function: str) -> None:
    """A window with fewer than two samples gives nothing, rather than 0."""
    assert ask(_source("1 2"), f"{function}(c_total[5s])", 10) == {}


def test_the_last_two_samples_alone_count_for_irate_and_idelta() -> None:
    """A counter that fell has risen by what it is now; a gauge has fallen."""
    source = _source("1 2 100 40")
    assert ask(source, "irate(c_total[1m])", 35) == {"{a=b}": 4.0}
    assert ask(source, "idelta(c_total[1m])", 35) == {"{a=b}": -60.0}
    assert ask(source, "irate(c_total[1m])", 25) == {"{a=b}": 9.8}


def test_a_window_does_not_hold_the_sample_at_its_very_start() -> None:
    """(0, 10] holds one sample of those at 0 and 10: Prometheus 3 has it so, 2 had not."""
    assert ask(_source("1 2 3"), "increase(c_total[10s])", 10) == {}
    assert ask(_source("1 2 3"), "increase(c_total[10001ms])", 10) != {}


def test_a_rate_of_what_is_no_counter_by_its_name_is_remarked_on() -> None:
    """Where there is a result; not for delta, and not for names that counters have."""
    source = MemorySource()
    source.add("temperature", 10, "1 2 3")
    source.add("c_total", 10, "1 2 3")
    remarks = {
        query: [str(info) for info in engine.instant(source, query, 20_000).infos]
        for query in (
            "rate(temperature[1m])", "delta(temperature[1m])", "irate(temperature[1m])", "rate(c_total[1m])",
            "rate(temperature[1s])",
        )
    }  # fmt: skip
    assert [query for query, said in remarks.items() if said] == ["rate(temperature[1m])"]
    assert "temperature might not be a counter" in remarks["rate(temperature[1m])"][0]


def test_series_that_differ_by_name_only_cannot_both_have_a_rate() -> None:
    """Their results would have the same labels."""
    source = MemorySource()
    source.add("a_total{x='1'}", 10, "1 2 3")
    source.add("b_total{x='1'}", 10, "1 2 3")
    with pytest.raises(PromqlError) as caught:
        ask(source, "rate({__name__=~'a_total|b_total'}[1m])", 20)
    assert caught.value.kind == "execution"
