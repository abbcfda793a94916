"""Limits that a comparison must keep, such as `slower>5%`, and whether it does."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from bongsu.model.comparison import Comparison, Difference, Metric, Verdict
from bongsu.model.errors import BadInput
from bongsu.model.message import Message
from bongsu.runs.compare import WALL, metric_of

_LIMIT = re.compile(r"\s*(?P<name>[^>]+?)\s*>\s*(?P<percent>\d{1,6}(\.\d{1,6})?)\s*%\s*")
_UNTOLD = {Verdict.MORE_RUNS, Verdict.DESCRIBED, Verdict.NOT_KNOWN}


class Limit(NamedTuple):
    """No more than this share above the baseline: 0.05 is 5 %. ``text`` is as the user wrote it."""

    text: str
    metric: Metric
    share: float


class Judged(NamedTuple):
    """What passed a limit, and what could not be told."""

    failed: tuple[Message, ...]
    untold: tuple[Message, ...]


def limit(text: str) -> Limit:
    """Understand ``slower>5%`` (wall time) or ``METRIC>5%``.

    Raises:
        BadInput: it is not one, or there is no such metric.
    """
    found = _LIMIT.fullmatch(text)
    if found is None:
        raise BadInput(
            Message("--fail-if {text!r}: give a limit such as 'slower>5%', or a metric's name as 'cpu>10%'", text=text)
        )
    metric = WALL if found["name"] == WALL.higher else metric_of(found["name"])
    return Limit(text.strip(), metric, float(found["percent"]) / 100)


def judge(comparison: Comparison, limits: Sequence[Limit]) -> Judged:
    """A limit is passed where a difference is shown and the ratio of medians is beyond it.

    What too few runs leave open, or a metric without a value, is not taken for kept.
    """
    failed: list[Message] = []
    untold: list[Message] = []
    rows = {row.metric.name: row for row in comparison.rows}
    for one in limits:
        row = rows.get(one.metric.name)
        if row is None:
            untold.append(
                Message("--fail-if {limit!r}: no run has a value for {title}", limit=one.text, title=one.metric.title)
            )
            continue
        for difference in row.differences:
            if _beyond(difference, one.share):
                failed.append(
                    Message(
                        "{group} has {ratio} of the {title} of {base}: --fail-if {limit!r}",
                        group=difference.group, base=row.sides[0].group, title=one.metric.title, limit=one.text,
                        ratio="more than none" if difference.ratio is None else f"{difference.ratio:.1%}",
                    )
                )  # fmt: skip
            elif difference.verdict in _UNTOLD:
                untold.append(_why(one, difference))
    return Judged(tuple(failed), tuple(untold))


def _beyond(difference: Difference, share: float) -> bool:
    return difference.verdict is Verdict.HIGHER and (difference.ratio is None or difference.ratio > 1 + share)


def _why(one: Limit, difference: Difference) -> Message:
    if difference.runs_needed is None:
        return Message(
            "--fail-if {limit!r}: {title} of {group} or of the baseline is not known",
            limit=one.text, title=one.metric.title, group=difference.group,
        )  # fmt: skip
    return Message(
        "--fail-if {limit!r}: so few runs of {group} or of the baseline cannot show a difference in {title}; "
        "make {n} a side",
        limit=one.text, group=difference.group, title=one.metric.title, n=difference.runs_needed,
    )  # fmt: skip
