"""Whether `bongsu report compare` errs as seldom and finds as much as it says; beside it the usual tests and bootstraps.

Simulated runs, so nothing here depends on the machine; the seed is fixed.
"""

from __future__ import annotations

import math
import random
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

import numpy as np
from scipy import stats  # type: ignore[import-untyped]  # scipy carries no types

from bongsu.model.comparison import Verdict
from bongsu.runs.compare import compare
from bongsu.runs.statistics import ALPHA, mann_whitney, noise_floor, ratio_interval
from compared_runs import runs

PAIRS = 1000
SIDES = (4, 6, 8, 10, 20, 40)
Shape = Callable[[random.Random], float]
SHAPES: dict[str, Shape] = {
    "normal, 5 %": lambda draw: draw.gauss(1, 0.05),
    "skewed": lambda draw: 1 + draw.expovariate(10),
    "1 in 10 half as long again": lambda draw: draw.gauss(1, 0.05) * (1.5 if draw.random() < 0.1 else 1),
    "clock of 10 ms": lambda draw: round(draw.gauss(1, 0.01), 2),
}


def _side(shape: Shape, n: int, draw: random.Random) -> list[float]:
    return [shape(draw) for _ in range(n)]


def _shown(one: Sequence[float], other: Sequence[float]) -> bool:
    """Whether the product says that they differ."""
    (difference,) = compare({"A": runs("a", one), "B": runs("b", other, first=1)}).rows[0].differences
    return difference.verdict in {Verdict.HIGHER, Verdict.LOWER}


def _autocorrelated(n: int, draw: random.Random) -> list[float]:
    value, values = draw.gauss(0, 1), []
    for _ in range(n):
        value = 0.95 * value + math.sqrt(1 - 0.95**2) * draw.gauss(0, 1)
        values.append(10 + value)
    return values


def _bootstrap(one: Sequence[float], other: Sequence[float], draw: np.random.Generator) -> tuple[float, float]:
    picked = [np.asarray(side)[draw.integers(0, len(side), (1000, len(side)))] for side in (one, other)]
    low, high = np.quantile(np.median(picked[1], axis=1) / np.median(picked[0], axis=1), [0.025, 0.975])
    return float(low), float(high)


def _holds(low: float, high: float, true: float = 1.1) -> bool:
    return low <= true * (1 + 1e-12) and high >= true * (1 - 1e-12)  # a ratio of equal values is rounded


def _table(title: str, rows: dict[str, list[str]]) -> None:
    print(f"\n{title}")
    print(f"  {'':30}" + "".join(f"{f'n={n}':>9}" for n in SIDES))
    for name, cells in rows.items():
        print(f"  {name:30}" + "".join(f"{cell:>9}" for cell in cells))


def main() -> int:
    """Simulate, print, and say whether the goals are met; 1 if not."""
    draw, met = random.Random(6), True

    rows = {}
    worst = 0.0
    for name, shape in SHAPES.items():
        shares = [
            sum(_shown(_side(shape, n, draw), _side(shape, n, draw)) for _ in range(PAIRS)) / PAIRS for n in SIDES
        ]
        rows[name] = [f"{share:.1%}" for share in shares]
        worst = max(worst, *shares)
    _table(f"A/A: a difference is shown where there is none ({PAIRS} pairs each)", rows)
    chance = 3 * math.sqrt(0.05 * 0.95 / PAIRS)  # of so many pairs at exactly 5 %
    met &= worst <= 0.05 + chance
    print(
        f"  most {worst:.1%}, goal 5 % and what chance adds in {PAIRS} pairs ({chance:.1%}): {'met' if worst <= 0.05 + chance else 'NOT MET'}"
    )

    wrong = sum(
        stats.mannwhitneyu(_autocorrelated(300, draw), _autocorrelated(300, draw)).pvalue <= ALPHA for _ in range(PAIRS)
    )
    print(f"  beside it, the same test over 300 samples within two runs of one kind (AR 0.95): {wrong / PAIRS:.0%}")

    rows = {}
    found_at_8 = welch = 0.0
    for shift in (1.05, 1.1, 1.2):
        shares = []
        for n in SIDES:
            pairs = [
                (
                    _side(SHAPES["normal, 5 %"], n, draw),
                    [shift * value for value in _side(SHAPES["normal, 5 %"], n, draw)],
                )
                for _ in range(PAIRS)
            ]
            shares.append(sum(_shown(*pair) for pair in pairs) / PAIRS)
            if shift == 1.1 and n == 8:
                found_at_8 = shares[-1]
                welch = sum(stats.ttest_ind(*pair, equal_var=False).pvalue <= ALPHA for pair in pairs) / PAIRS
        rows[f"{shift - 1:.0%} slower at 5 % spread"] = [f"{share:.1%}" for share in shares]
    _table("power: a difference that is there is shown", rows)
    met &= found_at_8 >= 0.9
    print(
        f"  10 % at n=8: {found_at_8:.1%} (Welch's t, which supposes a normal distribution: {welch:.1%}), goal 90 %: {'met' if found_at_8 >= 0.9 else 'NOT MET'}"
    )

    generator = np.random.default_rng(6)
    least = 1.0
    for name, shape in SHAPES.items():
        held, theirs, ours_wide, theirs_wide = [], [], [], []
        for n in SIDES:
            pairs = [(_side(shape, n, draw), [1.1 * v for v in _side(shape, n, draw)]) for _ in range(PAIRS)]
            ours = [interval for pair in pairs if (interval := ratio_interval(*pair)) is not None]
            boot = [_bootstrap(*pair, generator) for pair in pairs]
            held.append(sum(_holds(*ends) for ends in ours) / PAIRS)
            theirs.append(sum(_holds(*ends) for ends in boot) / PAIRS)
            ours_wide.append(statistics.median(high - low for low, high in ours))
            theirs_wide.append(statistics.median(high - low for low, high in boot))
        least = min(least, *held)
        widths = [f"{a / b:.2f}" if b else "-" for a, b in zip(ours_wide, theirs_wide, strict=True)]
        _table(f"{name}: the 95 % interval holds the true ratio of medians, ours and the bootstrap's", {
            "ours": [f"{share:.1%}" for share in held],
            "percentile bootstrap": [f"{share:.1%}" for share in theirs],
            "width, ours over bootstrap's": widths,
        })  # fmt: skip
    met &= least >= 0.93
    print(f"  least of ours {least:.1%}, goal 93 %: {'met' if least >= 0.93 else 'NOT MET'}")

    beyond = []
    for n in SIDES:
        out = 0
        for _ in range(PAIRS):
            one, other = (_side(SHAPES["normal, 5 %"], n, draw) for _ in range(2))
            floor = max(noise_floor(one) or 0, noise_floor(other) or 0)
            ratio = statistics.median(other) / statistics.median(one)
            out += not 1 / (1 + floor) <= ratio <= 1 + floor
        beyond.append(f"{out / PAIRS:.1%}")
    _table("noise floor: two sides of one kind have medians further apart than the floor says", {"normal, 5 %": beyond})

    started = time.process_time()
    for _ in range(20):
        one, other = (_side(SHAPES["normal, 5 %"], 20, draw) for _ in range(2))
        mann_whitney(one, other)
        ratio_interval(one, other)
    print(f"\ntest and interval for 20 runs a side: {(time.process_time() - started) / 20 * 1000:.1f} ms of CPU time")
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
