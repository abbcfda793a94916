"""What the page draws and what PromQL answers to the text of the same panel."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from bongsu.boards import promql
from bongsu.boards.board import Line
from bongsu.boards.host import HOST
from bongsu.model.metric import Kind, MetricSpec
from bongsu.model.query import Fold
from bongsu.store.promql import engine
from bongsu.store.promql.values import Vector
from bongsu.store.reading.history import History
from bongsu.store.reading.reader import Reader
from bongsu.store.recent import Recent
from bongsu.views.web.drawing import Drawing
from stored import Store, labels

T = 1_700_000_400_000  # where a sealing window begins
STEP = 20  # seconds of a point, and of PromQL's window
MODES = ("user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal")
ASKED = frozenset((query.spec.name, *pair) for query in HOST.queries for pair in query.where)
LINES = [(panel.name, line) for panel in HOST.panels for line in panel.lines]


def series_of(spec: MetricSpec) -> list[tuple[str, ...]]:
    """Label values of some series: those that a panel asks for, the modes of a CPU, and two of everything else."""
    asked = {label: sorted(v for name, of, v in ASKED if (name, of) == (spec.name, label)) for label in spec.labels}
    return list(itertools.product(
        *(MODES if label == "mode" else asked[label] or (f"{label}1", "lo") for label in spec.labels)
    ))  # fmt: skip


def evenly(number: int, second: int, *, counts: bool) -> float:
    """A counter that grows at its own pace, or a reading that stands still: any window tells the same of it."""
    pace = 1.0 + number % 7 + number / 64
    return 1000.0 + pace * second if counts else 1000.0 / pace


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Reader:
    """A store that holds five minutes of all that the board of a machine asks for, read each second."""
    folder: Path = tmp_path_factory.mktemp("equal")
    rates = {query.spec.name: query.fold is Fold.RATE for query in HOST.queries}
    specs = {query.spec.name: query.spec for query in HOST.queries}
    every = [
        labels(name, **dict(zip(spec.labels, values, strict=True)))
        for name, spec in specs.items()
        for values in series_of(spec)
    ]
    store = Store(folder, every, {n: "counter" for n, s in specs.items() if s.kind is Kind.COUNTER})
    store.insert({
        store.ids[one]: [
            (T + 1000 * second, evenly(store.ids[one], second, counts=rates[dict(one)["__name__"]]))
            for second in range(301)
        ]
        for one in every
    })  # fmt: skip
    store.close()
    return Reader(store.path)


@pytest.mark.parametrize(("panel", "line"), LINES, ids=[f"{panel}: {line.legend.template}" for panel, line in LINES])
def test_the_page_and_promql_say_the_same(reader: Reader, panel: str, line: Line) -> None:
    """Every line of every panel: the same lines, and at each time the same value."""
    drawn = Drawing(HOST, Recent(HOST.queries), History(reader)).between(T / 1000 + 40, T / 1000 + 300, 260 // STEP)
    assert drawn["step"] == STEP
    (found,) = [one for one in drawn["panels"] if one["name"] == panel]
    place = next(one for one in HOST.panels if one.name == panel).lines.index(line)
    native = {
        tuple(one["key"].split("\x1f")[1:]): one["values"]
        for one in found["series"]
        if one["key"].split("\x1f")[0] == str(place)
    }
    assert len(native) == len(list(itertools.product(*((1, 2) for _ in line.query.by)))) - (
        1 if "device" in line.query.by and line.query.where_not else 0
    )
    text = promql.window(found["promql"][place]["text"], interval=1, step=STEP)
    result = engine.over_range(reader, text, T + 60_000, T + 300_000, 1000 * STEP).value
    assert isinstance(result, Vector)
    asked = {
        tuple(dict(own)[name] for name in line.query.by): row.tolist()
        for own, row in zip(result.labels, result.values, strict=True)
    }
    assert asked == {group: pytest.approx(values, rel=1e-5) for group, values in native.items()}
