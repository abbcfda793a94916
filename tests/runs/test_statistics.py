"""The statistics of a few runs, against enumeration, simulation and scipy."""

from __future__ import annotations

import itertools
import math
import random
import statistics
from collections.abc import Callable, Sequence

import numpy as np
import pytest
from scipy import stats  # type: ignore[import-untyped]  # scipy carries no types

from bongsu.runs.statistics import (
    ALPHA,
    drift,
    holm,
    least_p,
    mann_whitney,
    median_interval,
    noise_floor,
    outliers,
    ratio_interval,
    runs_needed,
)

TIES: dict[str, Callable[[int], float]] = {
    "no ties": float,
    "pairs": lambda at: float(at // 2),
    "threes": lambda at: float(at // 3),
    "many at the bottom": lambda at: float(max(0, at - 5)),
    "two values": lambda at: float(at > 3),
}


def _ranks(values: Sequence[float]) -> list[float]:
    return [statistics.mean(i + 1 for i, v in enumerate(sorted(values)) if v == value) for value in values]


@pytest.mark.parametrize("ties", TIES)
@pytest.mark.parametrize("most", range(1, 11))
def test_the_exact_null_rejects_at_most_one_in_twenty(most: int, ties: str) -> None:
    """Of all arrangements of n and m values, every n, m to 10, at most 5 % get a p ≤ 0.05, ties or not; each p is its tail."""
    for n, m in [(most, other) for other in range(1, most + 1)] + [(other, most) for other in range(1, most)]:
        values = [TIES[ties](at) for at in range(n + m)]
        ranks = _ranks(values)
        ways: dict[float, int] = {}
        example: dict[float, tuple[int, ...]] = {}
        if n <= m:
            for chosen in itertools.combinations(range(n + m), n):
                total = sum([ranks[at] for at in chosen])
                ways[total] = ways.get(total, 0) + 1
                example[total] = chosen
        else:  # the same arrangements, told by the values that are left
            for left in itertools.combinations(range(n + m), m):
                total = sum(ranks) - sum([ranks[at] for at in left])
                ways[total] = ways.get(total, 0) + 1
                example[total] = tuple(at for at in range(n + m) if at not in left)
        middle, every = n * (n + m + 1) / 2, math.comb(n + m, n)
        rejected = 0
        for total, chosen in example.items():
            p = mann_whitney([values[at] for at in chosen], [values[at] for at in range(n + m) if at not in chosen])
            tail = sum(count for other, count in ways.items() if abs(other - middle) >= abs(total - middle) - 1e-9)
            assert p == pytest.approx(tail / every)
            rejected += ways[total] * (p <= ALPHA)
        assert rejected / every <= ALPHA, (n, m)


def test_without_ties_it_is_scipys_exact_test() -> None:
    """The same p as `scipy.stats.mannwhitneyu(method="exact")`, for sides of 1 to 20 runs, alike and not."""
    draw = random.Random(1)
    for _ in range(200):
        one = [draw.gauss(0, 1) for _ in range(draw.randint(1, 20))]
        other = [draw.gauss(draw.choice((0, 0.5, 2)), 1) for _ in range(draw.randint(1, 20))]
        assert mann_whitney(one, other) == pytest.approx(stats.mannwhitneyu(one, other, method="exact").pvalue)


def test_with_ties_it_is_scipys_permutation_test() -> None:
    """The same p as a permutation test of the distance of the rank sum from its mean, over every arrangement."""
    draw = random.Random(2)
    for _ in range(25):
        one = [float(draw.randint(0, 4)) for _ in range(draw.randint(2, 7))]
        other = [float(draw.randint(1, 5)) for _ in range(draw.randint(2, 6))]

        def far(x: np.ndarray, y: np.ndarray, axis: int) -> np.ndarray:
            n, both = x.shape[axis], np.concatenate((x, y), axis=axis)
            ranks = stats.rankdata(both, axis=axis)
            seen = np.take(ranks, range(n), axis=axis).sum(axis=axis)
            return np.asarray(np.abs(seen - n * (both.shape[axis] + 1) / 2))

        theirs = stats.permutation_test(
            (one, other),
            far,
            vectorized=True,
            alternative="greater",
            n_resamples=np.inf,
            permutation_type="independent",
        )
        assert mann_whitney(one, other) == pytest.approx(theirs.pvalue)


def test_many_runs_take_the_normal_approximation() -> None:
    """Above 20 runs a side the p is scipy's asymptotic one, with its corrections for ties and continuity."""
    draw = random.Random(3)
    for step in (1e-9, 0.5):
        one = [round(draw.gauss(0, 1) / step) * step for _ in range(60)]
        other = [round(draw.gauss(0.3, 1) / step) * step for _ in range(70)]
        theirs = stats.mannwhitneyu(one, other, method="asymptotic", use_continuity=True).pvalue
        assert mann_whitney(one, other) == pytest.approx(theirs)
    assert mann_whitney([1.0] * 60, [1.0] * 60) == 1.0


def test_a_small_side_stays_exact_beside_a_large_one() -> None:
    """Three runs against a hundred are counted, since three are too few for an approximation."""
    draw = random.Random(4)
    one, other = [draw.gauss(2, 1) for _ in range(3)], [draw.gauss(0, 1) for _ in range(100)]
    assert mann_whitney(one, other) == pytest.approx(stats.mannwhitneyu(one, other, method="exact").pvalue)


def test_how_many_runs_it_takes() -> None:
    """Three runs a side can give 0.1 at best, four 0.029; of eight p-values at once one can pass from six runs on."""
    assert [round(least_p(n, n), 3) for n in (1, 2, 3, 4)] == [1.0, 0.333, 0.1, 0.029]
    assert least_p(3, 3) == mann_whitney([1, 2, 3], [4, 5, 6])
    assert (runs_needed(), runs_needed(8)) == (4, 6)
    assert ratio_interval([1, 2, 3], [4, 5, 6]) is None


def test_the_interval_is_the_test_turned_round() -> None:
    """A factor lies within the interval exactly when the test does not tell the one side times it from the other."""
    draw = random.Random(5)
    for _ in range(100):
        one = [draw.lognormvariate(0, 0.1) for _ in range(draw.randint(4, 9))]
        other = [draw.lognormvariate(0.05, 0.1) for _ in range(draw.randint(4, 9))]
        interval = ratio_interval(one, other)
        assert interval is not None
        for factor in (1.0, interval[0] * 1.0001, interval[1] * 0.9999, interval[0] * 0.9999, interval[1] * 1.0001):
            told = mann_whitney([value * factor for value in one], other) <= ALPHA
            assert told == (not interval[0] <= factor <= interval[1])


@pytest.mark.parametrize("shape", ["normal", "skewed", "outliers", "one side wider"])
@pytest.mark.parametrize("n", [4, 5, 8, 20, 30])
def test_the_interval_covers_the_ratio_of_medians(shape: str, n: int) -> None:
    """In 1 500 seeded simulations the 95 % interval holds the true ratio of medians in 93 % or more."""
    draw = random.Random(n)
    shapes: dict[str, Callable[[float], float]] = {
        "normal": lambda _: draw.gauss(1, 0.05),
        "skewed": lambda _: 1 + draw.expovariate(10) - math.log(2) / 10,
        "outliers": lambda _: draw.gauss(1, 0.05) * (1.5 if draw.random() < 0.1 else 1.0),
        "one side wider": lambda side: draw.gauss(1, 0.03 + 0.03 * side),
    }
    covered = 0
    for _ in range(1500):
        interval = ratio_interval(
            [shapes[shape](0) for _ in range(n)], [1.1 * shapes[shape](1) for _ in range(n)]
        )  # fmt: skip
        assert interval is not None
        covered += interval[0] <= 1.1 <= interval[1]
    assert covered / 1500 >= 0.93


def test_zeros_leave_an_interval_open() -> None:
    """Nothing divided by nothing could be any number: the interval is wider for it, never a wrong one."""
    assert ratio_interval([0.0] * 4, [0.0] * 4) == (0.0, math.inf)
    assert ratio_interval([1.0] * 4, [0.0] * 4) == (0.0, 0.0)
    assert ratio_interval([0.0] * 4, [2.0] * 4) == (math.inf, math.inf)
    assert noise_floor([0.0] * 4) is None


def test_the_interval_of_a_median_is_of_order_statistics() -> None:
    """It takes six values; the share of samples that hold the median is the binomial's, at least 95 %."""
    assert median_interval([5, 4, 3, 2, 1]) is None
    assert median_interval([6, 5, 4, 3, 2, 1]) == (1, 6)
    assert median_interval(list(range(10))) == (1, 8)
    assert median_interval([7.0]) is None
    for n in range(6, 40):
        interval = median_interval(list(range(n)))
        assert interval is not None
        inside = sum(math.comb(n, k) for k in range(int(interval[0]) + 1, int(interval[1]) + 1)) / 2**n
        assert inside >= 0.95
        tighter = sum(math.comb(n, k) for k in range(int(interval[0]) + 2, int(interval[1]))) / 2**n
        assert tighter < 0.95


def test_the_noise_floor_is_the_least_factor_that_the_test_tells() -> None:
    """A side multiplied by a bit more than its floor is told from itself, by a bit less it is not."""
    draw = random.Random(6)
    for n in (4, 8, 12):
        side = [draw.gauss(10, 0.5) for _ in range(n)]
        floor = noise_floor(side)
        assert floor is not None
        assert mann_whitney(side, [value * (1 + floor) * 1.0001 for value in side]) <= ALPHA
        assert mann_whitney(side, [value * (1 + floor) * 0.9999 for value in side]) > ALPHA
    assert noise_floor([1, 2, 3]) is None
    assert noise_floor([3.0] * 5) == 0.0


def test_holm_is_step_down() -> None:
    """The smallest p counts for all, the next for one less, and none is smaller than one before it."""
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.9, 0.6]) == [1.0, 1.0]
    assert holm([]) == []


def test_outliers_stand_far_from_the_middle() -> None:
    """One value of ten far off is named, also where the others are equal; a spread without one has none."""
    assert outliers([1.0, 1.01, 0.99, 1.02, 0.98, 1.5]) == [5]
    assert outliers([1.0] * 9 + [1.2]) == [9]
    assert outliers([1.0] * 9) == []
    assert outliers([1.0, 1.0, 9.0]) == []
    assert outliers([0.9, 0.95, 1.0, 1.05, 1.1]) == []


def test_drift_is_kendalls_test_against_the_order() -> None:
    """The same tau and p as scipy's, exact without ties; a constant has none."""
    draw = random.Random(7)
    for n in (2, 3, 5, 8, 20):
        values = [draw.gauss(at / 5, 1) for at in range(n)]
        theirs = stats.kendalltau(range(n), values, method="exact")
        assert drift(values) == pytest.approx((theirs.statistic, theirs.pvalue))
    assert drift([1.0] * 6) == (0.0, 1.0)
    assert drift([]) == (0.0, 1.0)
    assert drift([1.0, 1.0, *range(2, 12)])[1] < 0.001
