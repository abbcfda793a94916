"""Asks the evaluator and gives the answer as plain Python, for tests with worked-out expectations."""

from __future__ import annotations

from bongsu.store.promql import engine
from bongsu.store.promql.values import Scalar, Vector
from bongsu.store.series import Source


def ask(source: Source, text: str, at: float) -> dict[str, float | None]:
    """The values of an instant query at Unix seconds, by labels written like ``name{a=b}``."""
    return {labels: values[0] for labels, values in ask_range(source, text, at, at, 1.0).items()}


def ask_range(source: Source, text: str, start: float, end: float, step: float) -> dict[str, list[float | None]]:
    """The values at each step of a range query, None where there is none."""
    result = engine.over_range(source, text, round(start * 1000), round(end * 1000), round(step * 1000))
    if isinstance(result.value, Scalar):
        return {"": result.value.values.tolist()}
    assert isinstance(result.value, Vector)
    vector = result.value
    return {
        _written(labels): [
            value if there else None
            for value, there in zip(vector.values[row].tolist(), vector.present[row].tolist(), strict=True)
        ]
        for row, labels in enumerate(vector.labels)
    }


def _written(labels: tuple[tuple[str, str], ...]) -> str:
    name = dict(labels).get("__name__", "")
    return name + "{" + ",".join(f"{key}={value}" for key, value in labels if key != "__name__") + "}"
