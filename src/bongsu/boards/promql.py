"""Writes what a board asks as PromQL, as Grafana would ask it of a server that scrapes the same machine.

A rate is over ``[$window]``, for which whoever asks puts a time that always holds some readings: `window` says one.
What has no value in a native answer (a divisor of 0, a part that is not known) has no sample in that of PromQL.
"""

from __future__ import annotations

from collections.abc import Iterable

from bongsu.boards.board import Left, Line
from bongsu.model.query import Fold, Query

WINDOW = "$window"
_OF_WINDOW = {Fold.RATE: "rate", Fold.AVG: "avg_over_time", Fold.MAX: "max_over_time"}


def expression(line: Line) -> str:
    """A line as one expression, whose series have the labels that the line's first query keeps."""
    by = line.query.by
    text = _total(of_query(line.query), by, line.plus, line.less)
    if line.over:
        first, *others = line.over
        text = _joined(
            f"({text})" if line.plus or line.less else text, "/", _divisor(line, first, others), by, line.over
        )
    return text


def of_query(query: Query) -> str:
    """One query, summed by the labels that it keeps."""
    text = _selector(query)
    function = _OF_WINDOW.get(query.fold)
    if function is not None:
        text = f"{function}({text}[{WINDOW}])"
    kept = f" by ({', '.join(query.by)}) " if query.by else ""
    return f"sum{kept}({text})"


def seconds_left(left: Left) -> str:
    """The seconds until something runs out, of that which gets less."""
    slope = f"deriv({_selector(left.query)}[{left.hours * 3600:.0f}s])"
    kept = f" by ({', '.join(left.query.by)}) " if left.query.by else ""
    return f"{of_query(left.query)} / -(sum{kept}({slope}) < 0)"


def legend(line: Line) -> str:
    """The legend of a line in Grafana's way of writing: ``{{device}} reads``."""
    return (
        str(line.legend.replaced(**{name: f"{{{{{name}}}}}" for name in line.query.by}))
        if line.query.by
        else str(line.legend)
    )


def window(text: str, *, interval: float, step: float) -> str:
    """An expression with a window that holds four readings and is no shorter than a step, both in seconds."""
    return text.replace(WINDOW, f"{max(1, round(max(4 * interval, step) * 1000))}ms")


def _selector(query: Query) -> str:
    conditions = [f"{name}={_quoted(value)}" for name, value in query.where]
    conditions += [f"{name}!={_quoted(value)}" for name, value in query.where_not]
    return query.spec.name + ("{" + ",".join(conditions) + "}" if conditions else "")


def _divisor(line: Line, first: Query, others: Iterable[Query]) -> str:
    text = _total(of_query(first), first.by, tuple(others), line.over_less)
    return f"(({text}) != 0)"


def _total(text: str, by: tuple[str, ...], plus: Iterable[Query], less: Iterable[Query]) -> str:
    for sign, queries in (("+", plus), ("-", less)):
        for query in queries:
            text = _joined(text, sign, of_query(query), by, (query,))
    return text


def _joined(left: str, sign: str, right: str, by: tuple[str, ...], queries: tuple[Query, ...]) -> str:
    # What has no groups of its own counts for every group of the line.
    matching = " on () group_left ()" if by and not any(query.by for query in queries) else ""
    return f"{left} {sign}{matching} {right}"


def _quoted(value: str) -> str:
    value = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{value}"'
