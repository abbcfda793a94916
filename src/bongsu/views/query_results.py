"""What a query's result holds, as rows of a table or as lines of a chart."""

from __future__ import annotations

import numpy as np

from bongsu.sinks.query_json import number
from bongsu.store.promql.engine import Result
from bongsu.store.promql.values import Matrix, Scalar, Vector
from bongsu.views.plot import Line
from bongsu.views.query_tables import Labels, Row, named, shared


def rows_of(result: Result) -> list[Row]:
    """Every sample, series by series; a text has none."""
    value, times = result.value, (result.steps.times / 1000).tolist()
    rows: list[Row] = []
    if isinstance(value, Scalar):
        rows = [Row((), at, one, number(one)) for at, one in zip(times, value.values.tolist(), strict=True)]
    elif isinstance(value, Vector):
        for labels, values, present in zip(value.labels, value.values.tolist(), value.present.tolist(), strict=True):
            rows += [
                Row(labels, at, one, number(one))
                for at, one, there in zip(times, values, present, strict=True) if there
            ]  # fmt: skip
    elif isinstance(value, Matrix):
        for block in value.blocks:
            window = slice(int(block.first[0]), int(block.last[0]))
            stamps = (block.times[window] / 1000).tolist()
            for labels, values in zip(block.labels, block.values[:, window].tolist(), strict=True):
                rows += [Row(labels, at, one, number(one)) for at, one in zip(stamps, values, strict=True)]
    return rows


def lines_of(result: Result) -> tuple[list[Line], Labels]:
    """What can be drawn over time, with NaN in the gaps, and the labels that all series share."""
    value = result.value
    if isinstance(value, Scalar):
        return [Line("value", value.values.tolist())], ()
    if not isinstance(value, Vector):
        return [], ()
    common = shared(value.labels)
    rows = np.where(value.present, value.values, np.nan).tolist()
    lines = []
    for labels, row in zip(value.labels, rows, strict=True):
        name = named(labels, common)
        lines.append(Line("value" if name == "{}" else name, row))
    return lines, list(common.items())


def is_empty(result: Result) -> bool:
    """Whether there is no sample in it."""
    value = result.value
    if isinstance(value, Vector):
        return not value.present.any()
    return isinstance(value, Matrix) and not any(
        len(block.labels) and block.last[0] > block.first[0] for block in value.blocks
    )
