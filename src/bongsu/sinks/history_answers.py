"""What is asked of `history_api`, understood, and the JSON that it says."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Sequence

from bongsu.model.errors import BadInput
from bongsu.model.message import Message
from bongsu.model.metric import Kind, MetricSpec
from bongsu.model.query import Fold, Query
from bongsu.sinks.query_parameters import Parameters, first, form, moment, whole
from bongsu.store.promql.values import PromqlError
from bongsu.store.reading.history import History

MOST_POINTS = 11_000  # as many as Prometheus gives of a series
_POINTS = 900
_HOUR_MS = 3_600_000
_PLAIN = frozenset({"metric", "by", "fold", "start", "end", "points"})


class NoSuchMetric(BadInput):
    """Nothing of that name is known."""


def answered(history: History, specs: Iterable[MetricSpec], query: str, clock: Callable[[], float]) -> str:
    """The JSON for a URL's query.

    Raises:
        BadInput: a parameter is missing, or cannot be what it is.
        NotKnown: the store cannot be read.
    """
    try:
        return _answered(history, specs, form(query), clock)
    except PromqlError as error:
        raise BadInput(error.message) from None


def _answered(history: History, specs: Iterable[MetricSpec], parameters: Parameters, clock: Callable[[], float]) -> str:
    spec = _spec(history, specs, first(parameters, "metric"))
    query = _query(spec, parameters)
    end = moment(parameters, "end", round(clock() * 1000))
    start = moment(parameters, "start", end - _HOUR_MS)
    if start >= end:
        raise BadInput(Message("start {start} is not before end {end}", start=start / 1000, end=end / 1000))
    points = whole(parameters, "points", _POINTS)
    if not 1 <= points <= MOST_POINTS:
        raise BadInput(Message("points={points} is not from 1 to {most}", points=points, most=MOST_POINTS))
    past = history.read([query], start / 1000, end / 1000, points=points)
    (window,) = past.windows
    assert window.low is not None
    assert window.high is not None
    lines = [
        {
            "labels": dict(zip(query.by, group, strict=True)),
            "values": _numbers(row), "low": _numbers(window.low[group]), "high": _numbers(window.high[group]),
        }
        for group, row in sorted(window.rows.items())
    ]  # fmt: skip
    return json.dumps(
        {
            "metric": spec.name, "kind": spec.kind.value, "unit": spec.unit, "fold": query.fold.value,
            "interval": past.interval, "tier": past.tier.value, "band": "outer" if window.outer else "exact",
            "times": list(window.times), "series": lines,
        },
        ensure_ascii=False, allow_nan=False, separators=(",", ":"),
    )  # fmt: skip


def _spec(history: History, specs: Iterable[MetricSpec], name: str) -> MetricSpec:
    if not name:
        raise BadInput(Message("metric is missing: give the name of one, such as metric=node_load1"))
    found = history.spec(name) or next((spec for spec in specs if spec.name == name), None)
    if found is None:
        raise NoSuchMetric(
            Message("nothing is known of a metric {name!r}; /api/v1/metadata lists them", name=name[:200])
        )
    return found


def _query(spec: MetricSpec, parameters: Parameters) -> Query:
    for name in parameters:
        if name not in _PLAIN and not name.startswith(("where.", "not.")):
            raise BadInput(
                Message("there is no parameter {name!r}; there are {known}, where.LABEL and not.LABEL",
                        name=name[:200], known=", ".join(sorted(_PLAIN)))
            )  # fmt: skip
    by = tuple(dict.fromkeys(name for text in parameters.get("by", ()) for name in text.split(",") if name))
    where, where_not = _conditions(parameters, "where."), _conditions(parameters, "not.")
    for label in (*by, *(name for name, _ in (*where, *where_not))):
        if label not in spec.labels:
            raise BadInput(
                Message("{metric} has no label {label!r}; it has {known}",
                        metric=spec.name, label=label[:200], known=", ".join(spec.labels) or "none")
            )  # fmt: skip
    counts = spec.kind is Kind.COUNTER
    text = first(parameters, "fold") or (Fold.RATE.value if counts else Fold.AVG.value)
    if text not in {fold.value for fold in Fold}:
        raise BadInput(
            Message("fold={fold!r} is none of {known}", fold=text[:200], known=", ".join(fold.value for fold in Fold))
        )
    fold = Fold(text)
    if fold is Fold.RATE and not counts:
        raise BadInput(
            Message("{metric} is no counter, so it has no rate; use fold=avg, last or max", metric=spec.name)
        )
    return Query(spec, fold, by, where, where_not)


def _conditions(parameters: Parameters, prefix: str) -> tuple[tuple[str, str], ...]:
    return tuple(
        (name.removeprefix(prefix), value)
        for name, values in parameters.items()
        if name.startswith(prefix)
        for value in values
    )


def _numbers(values: Sequence[float]) -> list[float | str | None]:
    """As JSON can have them: a gap is null, and what is beyond all numbers is spelt as Prometheus spells it."""
    return [v if math.isfinite(v) else None if math.isnan(v) else "+Inf" if v > 0 else "-Inf" for v in values]
