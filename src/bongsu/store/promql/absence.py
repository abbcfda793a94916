"""absent() and absent_over_time(): 1 where nothing was found, under the labels that were looked for."""

from __future__ import annotations

import numpy as np
import promql_parser

from bongsu.store.promql.call import Call, Node, without_parens
from bongsu.store.promql.values import Context, Mask, Vector
from bongsu.store.series import NAME, Labels


def absent(context: Context, call: Call) -> Vector:
    """1 at the steps where the instant vector is empty."""
    vector = call.vector(0)
    found = np.zeros(context.steps.count, np.bool_)
    if len(vector.labels):
        found |= vector.present.any(axis=0)
    return _where_missing(call.nodes[0], found)


def absent_over_time(context: Context, call: Call) -> Vector:
    """1 at the steps whose windows are all empty."""
    found = np.zeros(context.steps.count, np.bool_)
    for block in call.matrix(0).blocks:
        if len(block.labels):
            found |= block.last > block.first
    return _where_missing(call.nodes[0], found)


def _where_missing(node: Node, found: Mask) -> Vector:
    return Vector((_labels_looked_for(node),), np.ones((1, len(found))), ~found[None, :])


def _labels_looked_for(node: Node) -> Labels:
    """What a selector asks to be equal, each label only if it is asked for once; nothing of other expressions."""
    node = without_parens(node)
    if isinstance(node, promql_parser.MatrixSelector):
        node = node.vector_selector
    if not isinstance(node, promql_parser.VectorSelector):
        return ()
    labels: dict[str, str] = {}
    seen = set()
    for matcher in node.matchers.matchers:
        if matcher.name == NAME:
            continue
        if matcher.op == promql_parser.MatchOp.Equal and matcher.name not in seen:
            labels[matcher.name] = matcher.value
            seen.add(matcher.name)
        else:
            labels.pop(matcher.name, None)
    return tuple(sorted((name, value) for name, value in labels.items() if value))
