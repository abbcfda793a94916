"""Results of queries as Prometheus writes them in JSON: values are texts, times are seconds with up to three decimals."""

from __future__ import annotations

import functools
import json
import math
import operator
from collections.abc import Iterable, Sequence
from decimal import Decimal

import msgspec
import numpy as np

from bongsu.store.promql.values import Matrix, Scalar, Steps, Text, Value, Vector
from bongsu.store.series import Labels, Times, Values

_quoted = json.encoder.encode_basestring  # the C one: a JSON string that keeps what is not ASCII


def number(value: float) -> str:
    """A sample's value: the shortest digits that give it back, with an exponent only below 1e-6 and from 1e21 on."""
    if math.isnan(value):
        return "NaN"
    size = abs(value)
    if math.isinf(size):
        return "+Inf" if value > 0 else "-Inf"
    text = repr(float(value))
    if size and (size < 1e-6 or size >= 1e21):
        return text.removesuffix(".0")
    if "e" in text:
        return format(Decimal(text), "f")
    return text.removesuffix(".0")


def numbers(values: Values) -> list[str]:
    """All values of a flat array as `number` writes them; one pass in C for those that msgspec writes alike."""
    if not values.size:
        return []
    texts = f"{msgspec.json.encode(values.tolist())[1:-1].decode()},".replace(".0,", ",").split(",")[:-1]
    size = np.abs(values)
    alike = ((size >= 1e-4) & (size < 1e16)) | (size == 0)
    if not alike.all():
        for place in np.flatnonzero(~alike).tolist():
            texts[place] = number(values[place])
    return texts


def seconds(milliseconds: int) -> str:
    """A time in seconds: decimals, three of them, only where there are milliseconds."""
    whole, rest = divmod(abs(milliseconds), 1000)
    sign = "-" if milliseconds < 0 else ""
    return f"{sign}{whole}.{rest:03d}" if rest else f"{sign}{whole}"


def labels_json(labels: Labels) -> str:
    """One series' labels as an object."""
    return "{" + ",".join([f"{_quoted(name)}:{_quoted(value)}" for name, value in labels]) + "}"


def texts_json(texts: Iterable[str]) -> str:
    """An array of strings."""
    return "[" + ",".join(map(_quoted, texts)) + "]"


def text_json(text: str) -> str:
    """One string."""
    return _quoted(text)


def result_json(value: Value, steps: Steps, most: int = 0) -> tuple[str, bool]:
    """The data of an answer, and whether series were left out because there are more than ``most`` (0: no limit).

    An instant query gives what its expression gives; one over a range gives a matrix, sorted by labels.
    """
    if isinstance(value, Matrix):
        return _windows(value, most)
    if steps.step == 0:
        if isinstance(value, Vector):
            return _vector(value, steps.start, most)
        kind, text = ("string", value.value) if isinstance(value, Text) else ("scalar", number(value.values[0]))
        at = number(steps.start / 1000)  # Prometheus writes this time as it writes any float
        return f'{{"resultType":"{kind}","result":[{at},{_quoted(text)}]}}', False
    if isinstance(value, Scalar):
        value = Vector([()], value.values[np.newaxis], np.ones((1, len(value.values)), dtype=bool))
    assert isinstance(value, Vector)
    return _matrix(value, _steps(steps.start, steps.end, steps.step), most)


def _vector(value: Vector, at: int, most: int) -> tuple[str, bool]:
    rows = np.flatnonzero(value.present[:, 0])
    more = 0 < most < len(rows)
    rows = rows[:most] if more else rows
    before = f',"value":[{seconds(at)},"'
    series = [
        f'{{"metric":{labels_json(value.labels[row])}{before}{text}"]}}'
        for row, text in zip(rows.tolist(), numbers(value.values[rows, 0]), strict=True)
    ]
    return f'{{"resultType":"vector","result":[{",".join(series)}]}}', more


@functools.lru_cache(maxsize=4)
def _steps(start: int, end: int, step: int) -> list[str]:
    """What stands before the value at each step. The panels of a dashboard all ask for the same steps."""
    return _befores(Steps(start, end, step).times)


def _matrix(value: Vector, before: list[str], most: int) -> tuple[str, bool]:
    counts = value.present.sum(axis=1)
    labels = value.labels
    rows = sorted(counts.nonzero()[0].tolist(), key=labels.__getitem__)
    more = 0 < most < len(rows)
    rows = rows[:most] if more else rows
    picked, present = value.values[rows], value.present[rows]
    if present.all():
        samples = map(operator.add, before * len(rows), numbers(picked.ravel()))
    else:
        at = np.nonzero(present)[1].tolist()
        samples = map(operator.add, [before[place] for place in at], numbers(picked[present]))
    return _rows([labels[row] for row in rows], list(samples), counts[rows].tolist()), more


def _windows(value: Matrix, most: int) -> tuple[str, bool]:
    """A range vector at one moment: the samples in its window."""
    found: list[tuple[Labels, Times, Values]] = []
    for block in value.blocks:
        window = slice(int(block.first[0]), int(block.last[0]))
        times = block.times[window]
        if times.size:
            found += [(labels, times, row) for labels, row in zip(block.labels, block.values[:, window], strict=True)]
    found.sort(key=lambda one: one[0])
    more = 0 < most < len(found)
    found = found[:most] if more else found
    samples: list[str] = []
    for _, times, values in found:
        samples += map(operator.add, _befores(times), numbers(values))
    return _rows([labels for labels, _, _ in found], samples, [len(times) for _, times, _ in found]), more


def _befores(times: Times) -> list[str]:
    return [f'[{seconds(at)},"' for at in times.tolist()]


def _rows(labels: Sequence[Labels], samples: Sequence[str], counts: Sequence[int]) -> str:
    series = []
    start = 0
    for one, count in zip(labels, counts, strict=True):
        values = '"],'.join(samples[start : start + count])
        series.append(f'{{"metric":{labels_json(one)},"values":[{values}"]]}}')
        start += count
    return f'{{"resultType":"matrix","result":[{",".join(series)}]}}'
