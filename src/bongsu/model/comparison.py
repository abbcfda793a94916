"""What comparing groups of runs gave: values, medians, ratios with their intervals, and what may be said of them."""

from __future__ import annotations

import enum

import msgspec

from bongsu.model.message import Message


class Verdict(enum.StrEnum):
    """What may be said of a difference."""

    HIGHER = "higher"  # than the baseline; for times and costs that is worse
    LOWER = "lower"
    NOT_SHOWN = "no difference shown"  # which is not "no difference"
    SAME = "the same"  # every run of every group has this very value
    MORE_RUNS = "more runs needed"  # no values of so few runs could show a difference
    DESCRIBED = "only described"  # a side is one run: it shows nothing of how runs scatter
    NOT_KNOWN = "not known"  # a side has no value


class Metric(msgspec.Struct, frozen=True):
    """One number of a run; ``unit`` is seconds, bytes or count, ``higher`` and ``lower`` what people call that."""

    name: str
    title: str
    unit: str
    higher: str = "more"
    lower: str = "less"


class Group(msgspec.Struct, frozen=True, kw_only=True):
    """The runs of one side, in the order in which they were started."""

    label: str
    runs: tuple[str, ...]
    command: str  # of all of them; of the first where they differ


class Side(msgspec.Struct, frozen=True, kw_only=True):
    """One group's values of one metric. Intervals are of 95 % confidence; None is not known or cannot be told."""

    group: str
    values: tuple[float | None, ...]  # one for each run
    median: float | None
    median_low: float | None = None
    median_high: float | None = None
    noise_ratio: float | None = None  # 0.05: what is less than ±5 % apart cannot be told by as many such runs


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """One group against the baseline. ``ratio`` is its median over the baseline's, with its interval of 95 %."""

    group: str
    verdict: Verdict
    ratio: float | None = None
    ratio_low: float | None = None  # None: there is no interval
    ratio_high: float | None = None  # None beside a ``ratio_low``: no upper end
    p: float | None = None
    adjusted_p: float | None = None  # for being one of several (Holm)
    runs_needed: int | None = None  # a side, where there are too few


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One metric over all groups, the baseline's side first; a difference for each other side."""

    metric: Metric
    sides: tuple[Side, ...]
    differences: tuple[Difference, ...]


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """All of it; the baseline is the first group, the primary metric the first row."""

    groups: tuple[Group, ...]
    rows: tuple[Row, ...]
    warnings: tuple[Message, ...] = ()
