"""Subqueries: an expression evaluated on a grid of its own, as the samples of a range vector."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import promql_parser as ast

from bongsu.store.promql.selectors import blocks_of, milliseconds, moments
from bongsu.store.promql.values import Context, Matrix, Scalar, Steps, Value, Vector

DEFAULT_STEP_MS = 60_000  # Prometheus' global evaluation interval, used where no step is written


def evaluate(context: Context, node: ast.SubqueryExpr, inner: Callable[[Context, ast.Expr], Value]) -> Matrix:
    """The windows of a subquery; its steps are whole multiples of the step since 1970, whatever is asked for.

    Raises:
        PromqlError: more steps than samples are allowed.
    """
    assert node.range is not None
    width = milliseconds(node.range)
    step = milliseconds(node.step) if node.step else DEFAULT_STEP_MS
    ends = moments(context, node.at, node.offset)
    first = ((int(ends[0]) - width) // step + 1) * step
    last = int(ends[-1]) // step * step
    if last < first:
        return Matrix([], width)
    context.spend((last - first) // step + 1)
    steps = Steps(first, last, step)
    found = inner(replace(context, steps=steps), node.expr)
    if isinstance(found, Scalar):
        found = Vector([()], found.values[np.newaxis], np.ones((1, steps.count), dtype=np.bool_))
    assert isinstance(found, Vector)
    return Matrix(blocks_of(found.labels, steps.times, found.values, found.present, ends, width), width)
