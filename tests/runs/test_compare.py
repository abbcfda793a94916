"""What a comparison of runs says, and what it warns of."""

from __future__ import annotations

import itertools
import random
from typing import Any

import pytest

from bongsu.model.comparison import Comparison, Difference, Verdict
from bongsu.model.errors import BadInput
from bongsu.runs.compare import METRICS, Measured, compare, measured, metric_of, metrics_of
from compared_runs import around, runs
from run_reports import ALL, build, lost, training, unknown


def _only(comparison: Comparison, metric: str = "wall") -> Difference:
    (row,) = [row for row in comparison.rows if row.metric.name == metric]
    (difference,) = row.differences
    return difference


def _warned(comparison: Comparison, words: str) -> bool:
    return any(words in str(warning) for warning in comparison.warnings)


def _pair(a: list[Measured], b: list[Measured]) -> Comparison:
    return compare({"A": a, "B": b})


def test_a_clear_difference_is_told_with_its_interval() -> None:
    """Eight runs a side, 10 % apart at 2 %: shown, the ratio of medians lies in its interval, which leaves 1 out."""
    told = _only(_pair(runs("a", around(10, 8, 1)), runs("b", around(9, 8, 2), first=1)))
    assert told.verdict is Verdict.LOWER
    assert told.ratio is not None
    assert told.ratio_low is not None
    assert told.ratio_high is not None
    assert told.ratio_low <= told.ratio <= told.ratio_high < 1
    assert told.p is not None
    assert told.p == told.adjusted_p
    assert told.p <= 0.05
    other = _only(_pair(runs("b", around(9, 8, 2)), runs("a", around(10, 8, 1), first=1)))
    assert other.verdict is Verdict.HIGHER


def test_a_shift_of_a_tenth_is_found_nine_times_in_ten() -> None:
    """10 % slower at a spread of 5 % with 8 runs a side, and nine other metrics beside: the primary one shows it in ≥ 90 %."""
    draw = random.Random(8)
    found = 0
    for _ in range(400):
        sides = []
        for shift in (1.0, 1.1):
            rest: dict[str, Any] = {name: [draw.gauss(100, 5) for _ in range(8)] for name in METRICS if name != "wall"}
            sides.append(runs("x" if shift == 1 else "y", [shift * draw.gauss(1, 0.05) for _ in range(8)], **rest))
        found += _only(_pair(*sides)).verdict is Verdict.HIGHER
    assert found / 400 >= 0.9


def test_the_verdict_too_errs_at_most_once_in_twenty() -> None:
    """Over all ways to deal five and five, four and six values to two sides, also with ties, ≤ 5 % get a verdict."""
    for values in (
        [1.0, 1.1, 1.3, 1.6, 2.0, 2.5, 3.1, 3.8, 4.6, 5.5],
        [1.0, 1.0, 1.0, 2.0, 2.0, 3.0, 3.0, 3.0, 4.0, 5.0],
    ):
        for n in (4, 5):
            deals = list(itertools.combinations(range(10), n))
            shown = 0
            for chosen in deals:
                a, b = [values[at] for at in chosen], [values[at] for at in range(10) if at not in chosen]
                shown += _only(_pair(runs("a", a), runs("b", b))).verdict in {Verdict.HIGHER, Verdict.LOWER}
            assert 0 < shown / len(deals) <= 0.05


def test_too_few_runs_are_said_to_be_too_few() -> None:
    """Three a side cannot show anything, one describes only; both say how many it takes."""
    three = _only(_pair(runs("a", [1.0, 1.1, 1.2]), runs("b", [9.0, 9.1, 9.2])))
    assert (three.verdict, three.runs_needed, three.ratio_low) == (Verdict.MORE_RUNS, 4, None)
    one = _only(_pair(runs("a", [1.0]), runs("b", around(9, 8, 1))))
    assert (one.verdict, one.runs_needed, one.p) == (Verdict.DESCRIBED, 4, None)
    assert one.ratio == pytest.approx(9, rel=0.05)


def test_the_primary_metric_is_not_charged_for_the_others() -> None:
    """Holm adjusts the others together; with four runs a side the primary can be shown, eight others cannot."""
    rest: dict[str, Any] = {name: [5.0, 6.0, 7.0, 8.0] for name in METRICS if name != "wall"}
    more: dict[str, Any] = {name: [50.0, 60.0, 70.0, 80.0] for name in METRICS if name != "wall"}
    told = _pair(runs("a", [1.0, 1.1, 1.2, 1.3], **rest), runs("b", [2.0, 2.1, 2.2, 2.3], **more))
    assert _only(told).verdict is Verdict.HIGHER
    assert told.rows[0].metric.name == "wall"
    assert (_only(told, "cpu").verdict, _only(told, "cpu").runs_needed) == (Verdict.MORE_RUNS, 6)
    cpu = _only(compare({"A": runs("a", [1.0] * 4, **rest), "B": runs("b", [1.0] * 4, **more)}, METRICS["cpu"]), "cpu")
    assert cpu.verdict is Verdict.HIGHER


def test_what_never_differs_is_no_test() -> None:
    """A metric that is the same in all runs is said to be, and the others are not charged for it."""
    told = _pair(
        runs("a", around(10, 8, 1), cpu=around(10, 8, 3), rss=100.0, processes=0.0),
        runs("b", around(10, 8, 2), first=1, cpu=around(12, 8, 4), rss=100.0, processes=0.0),
    )
    assert _only(told, "rss").verdict is Verdict.SAME
    assert _only(told, "cpu").adjusted_p == _only(told, "cpu").p
    assert [row.metric.name for row in told.rows] == ["wall", "cpu", "rss", "processes"]


def test_no_difference_shown_comes_with_the_noise_floor() -> None:
    """Sides of one kind are not told apart, and each says how small a difference it could not see."""
    told = _pair(runs("a", around(10, 8, 3)), runs("b", around(10, 8, 5), first=1))
    assert _only(told).verdict is Verdict.NOT_SHOWN
    floors = [side.noise_ratio for side in told.rows[0].sides]
    assert all(floor is not None and 0.005 < floor < 0.06 for floor in floors)


def test_counts_with_many_ties_are_told_apart() -> None:
    """29 processes against 30 in nearly all runs is shown, though the interval touches 1; equal medians show nothing."""
    told = _only(_pair(
        runs("a", [1.0] * 8, processes=[29.0] * 7 + [30.0]), runs("b", [1.0] * 8, first=1, processes=[29.0] + [30.0] * 7),
    ), "processes")  # fmt: skip
    assert (told.verdict, told.ratio_low) == (Verdict.HIGHER, 1.0)
    alike = _only(_pair(
        runs("a", [1.0] * 12, processes=[29.0] * 12), runs("b", [1.0] * 12, first=1, processes=[29.0] * 7 + [30.0] * 5),
    ), "processes")  # fmt: skip
    assert (alike.verdict, alike.ratio) == (Verdict.NOT_SHOWN, 1.0)
    assert alike.p is not None
    assert alike.p <= 0.05


def test_more_than_two_groups_share_the_error() -> None:
    """`for workers in 5 10 20`: each against the first, Holm over all of them."""
    told = compare({
        "5": runs("five", around(30, 8, 1), step=3),
        "10": runs("ten", around(20, 8, 2), first=1, step=3),
        "20": runs("twenty", around(20, 8, 3), first=2, step=3),
    })  # fmt: skip
    ten, twenty = told.rows[0].differences
    assert (ten.group, ten.verdict, twenty.verdict) == ("10", Verdict.LOWER, Verdict.LOWER)
    assert ten.p is not None
    assert ten.adjusted_p == pytest.approx(2 * ten.p)


def test_a_value_that_is_not_known_is_left_out() -> None:
    """The others of its side are compared; where a side has none, nothing is said."""
    told = _pair(runs("a", [1.0, None, 1.1, 1.2, 1.3]), runs("b", [2.0, 2.1, 2.2, 2.3], first=1, cpu=1.0))
    assert _only(told).verdict is Verdict.HIGHER
    assert told.rows[0].sides[0].values == (1.0, None, 1.1, 1.2, 1.3)
    assert _only(told, "cpu").verdict is Verdict.NOT_KNOWN
    with pytest.raises(BadInput, match="none of these runs has a value for wall time"):
        _pair(runs("a", [None]), runs("b", [None]))


def test_zeros_give_no_ratio_but_a_verdict() -> None:
    """What was nothing before has no factor; more of it is more all the same."""
    told = _only(_pair(runs("a", [1.0] * 4, read=0.0), runs("b", [1.0] * 4, read=[5.0, 6.0, 7.0, 8.0])), "read")
    assert (told.verdict, told.ratio, told.ratio_low, told.ratio_high) == (Verdict.HIGHER, None, None, None)
    less = _only(_pair(runs("a", [1.0] * 4, read=[5.0, 6.0, 7.0, 8.0]), runs("b", [1.0] * 4, read=0.0)), "read")
    assert (less.verdict, less.ratio, less.ratio_high) == (Verdict.LOWER, 0.0, 0.0)


def test_the_metrics_come_from_the_report() -> None:
    """Each has its place in a report; a function that was timed is a metric too; what is not known stays so."""
    numbers = metrics_of(training())
    assert (numbers["wall"], numbers["cpu"], numbers["function:load"]) == (3600.0, 9000.0, 900.0)
    assert set(METRICS) <= set(numbers)
    assert all(value is not None for value in metrics_of(build()).values())
    assert set(metrics_of(unknown()).values()) == {None}
    assert metric_of("function:load").title == "load"
    for name in ("wal", "function:", ""):
        with pytest.raises(BadInput, match="there is no metric"):
            metric_of(name)


def test_every_kind_of_report_can_be_asked() -> None:
    """Whatever a report holds, its numbers are numbers or not known."""
    for make in ALL:
        assert all(value is None or value >= 0 for value in measured(make()).values.values())


def test_a_run_whose_end_nobody_saw_has_no_figures() -> None:
    """What is known of it are the figures of a part."""
    assert set(measured(lost()).values.values()) == {None}
    assert metrics_of(lost())["wall"] == 9.0


def test_a_function_can_be_the_primary_metric() -> None:
    """Its total time is compared as wall time is."""
    before: dict[str, Any] = {"function:load": [1.0, 1.1, 1.2, 1.3]}
    after: dict[str, Any] = {"function:load": [0.5, 0.6, 0.7, 0.8]}
    groups = {"A": runs("a", [1.0] * 4, **before), "B": runs("b", [1.0] * 4, first=1, **after)}
    told = compare(groups, metric_of("function:load"))
    assert _only(told, "function:load").verdict is Verdict.LOWER


def test_what_cannot_be_compared_is_refused() -> None:
    """One run alone, an empty group, a run twice, one that runs, one that was joined late."""
    a, b = runs("a", [1.0, 2.0]), runs("b", [1.0, 2.0])
    for groups, words in (
        ({"A": a[:1]}, "one run alone"),
        ({"A": a, "B": []}, "B: there are no such runs"),
        ({"A": a, "B": [*b, a[0]]}, "0000 is in A and B"),
        ({"A": [*a, a[0]], "B": b}, "0000 is in A twice"),
        ({"A": a, "B": runs("c", [1.0], state="running")}, "has not ended"),
        ({"A": a, "B": runs("c", [1.0], attached=True)}, "was attached"),
    ):
        with pytest.raises(BadInput, match=words):
            compare(groups)


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("host", "node2", "differ in the machine: node1, node2"),
        ("machine", "Old CPU", "differ in the processor: New CPU, Old CPU"),
        ("cpus", 4, "the number of CPUs they might use: 8, 4"),
        ("kernel", "5.10", "differ in the kernel"),
        ("interval_seconds", 0.1, "the interval of samples, in seconds: 1.0, 0.1"),
        ("version", "0.0.1", "the version of bongsu"),
        ("limits", {"cpus": 2.0}, "the limits of their owner: cpus 4, cpus 2"),
        ("exit_code", 3, "4 of 4 runs of B failed: exit code 3"),
        ("signal", "SIGKILL", "failed: SIGKILL"),
        ("state", "lost", "the end of 4 of 4 runs of B is not known"),
        ("cpu_source", "wait4", "counted in different ways (perf, wait4)"),
    ],
)
def test_what_else_differs_is_said(field: str, value: object, words: str) -> None:
    """Another machine, limit, interval or source of CPU time, or a failure, may be the difference that is seen."""
    same: dict[str, Any] = {"machine": "New CPU", "limits": {"cpus": 4.0}, "kernel": "6.1"}
    more: dict[str, Any] = {"exit_code": 137} if field == "signal" else {}
    told = _pair(
        runs("a", around(1, 4, 1), **same), runs("b", around(1, 4, 2), first=1, **{**same, **more, field: value})
    )
    assert _warned(told, words), told.warnings
    assert not _pair(runs("a", around(1, 4, 1), **same), runs("b", around(1, 4, 2), first=1, **same)).warnings


def test_a_group_of_several_commands_is_told() -> None:
    """A group is meant to be one program; what else is in it makes its runs scatter."""
    mixed = [*runs("b", [1.0, 1.1]), *runs("c", [1.2, 1.3])]
    assert _warned(_pair(runs("a", around(1, 4, 1)), mixed), "the runs of B are of 2 different commands")


def test_runs_one_after_the_other_are_told_from_interleaved_ones() -> None:
    """All of A before all of B: a machine that got warm looks like a difference."""
    a = runs("a", around(1, 4, 1))
    assert _warned(_pair(a, runs("b", around(1, 4, 2), first=100)), "one after the other")
    assert not _warned(_pair(a, runs("b", around(1, 4, 2), first=1)), "one after the other")
    assert not compare({"A": a}).warnings


def test_drift_and_outliers_are_told() -> None:
    """A rise from run to run, whichever group they are of; and one run far from the others, which stays in."""
    walls = [1 + 0.05 * at for at in range(12)]
    drifting = _pair(runs("a", walls[::2]), runs("b", [2 * wall for wall in walls[1::2]], first=1))
    assert _warned(drifting, "wall time rose from the first run to the last")
    far = _pair(runs("a", [1.0, 1.01, 0.99, 1.02, 0.98, 3.0]), runs("b", around(1, 6, 2), first=1))
    assert _warned(far, "20260101-000000-a-0005 of A lies far from its others: 2.99 times")
    assert far.rows[0].sides[0].values[5] == 3.0
    near = _pair(runs("a", [0.303, 0.303, 0.303, 0.303, 0.303, 0.306]), runs("b", around(1, 6, 2), first=1))
    assert not _warned(near, "lies far"), "a hundredth among equals is nothing to look at"
