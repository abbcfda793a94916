"""Asks the engine about series in memory and shows the answer as plain numbers, short enough to write down."""

from __future__ import annotations

from bongsu.store.promql import engine
from bongsu.store.promql.values import Matrix, Scalar, Text, Vector
from bongsu.store.series import NAME, Labels
from store.promql.memory_source import MemorySource

Shown = dict[str, list[float | None]]


def shown(labels: Labels) -> str:
    """Labels as ``name{a=1,b=2}``."""
    name = dict(labels).get(NAME, "")
    rest = ",".join(f"{key}={value}" for key, value in labels if key != NAME)
    return f"{name}{{{rest}}}" if rest else name


def at(source: MemorySource, query: str, seconds: float, **options: int) -> dict[str, float]:
    """The instant vector or the number (under "") that ``query`` gives at a time; the order is the answer's."""
    value = engine.instant(source, query, round(seconds * 1000), **options).value
    if isinstance(value, Scalar):
        return {"": float(value.values[0])}
    assert isinstance(value, Vector)
    assert value.present.all()
    assert len(set(value.labels)) == len(value.labels)
    return {shown(labels): float(row[0]) for labels, row in zip(value.labels, value.values, strict=True)}


def steps(source: MemorySource, query: str, start: float, end: float, step: float) -> Shown:
    """The value of each series at each step, None where it is absent; times in seconds."""
    value = engine.over_range(source, query, round(start * 1000), round(end * 1000), round(step * 1000)).value
    if isinstance(value, Scalar):
        return {"": value.values.tolist()}
    assert isinstance(value, Vector)
    assert len(set(value.labels)) == len(value.labels)
    return {
        shown(labels): [number if there else None for number, there in zip(row.tolist(), present, strict=True)]
        for labels, row, present in zip(value.labels, value.values, value.present, strict=True)
    }


def samples(source: MemorySource, query: str, seconds: float) -> dict[str, list[tuple[float, float]]]:
    """The samples, as (seconds, value), of the range vector that ``query`` gives at a time."""
    value = engine.instant(source, query, round(seconds * 1000)).value
    assert isinstance(value, Matrix)
    found: dict[str, list[tuple[float, float]]] = {}
    for block in value.blocks:
        part = slice(block.first[0], block.last[0])
        for labels, row in zip(block.labels, block.values, strict=True):
            times = (block.times[part] / 1000).tolist()
            found[shown(labels)] = list(zip(times, row[part].tolist(), strict=True))
    return found


def text(source: MemorySource, query: str) -> str:
    """The string that ``query`` gives."""
    value = engine.instant(source, query, 0).value
    assert isinstance(value, Text)
    return value.value
