"""The value of each kind of expression, at all steps at once."""

from __future__ import annotations

import numpy as np
import promql_parser as ast

from bongsu.store.promql import aggregate, binary, functions, selectors, subquery
from bongsu.store.promql.call import Call, bare_selector, without_parens
from bongsu.store.promql.labels import distinct, without_name
from bongsu.store.promql.values import Context, Matrix, Scalar, Text, Value, Vector


def evaluate(context: Context, node: ast.Expr) -> Value:
    """What ``node`` is at every step of the context.

    Raises:
        PromqlError: the samples do not allow it, it is not supported, or it is too much.
        BadInput: the source does not understand a pattern.
    """
    context.spend(0)
    match node:
        case ast.VectorSelector():
            return selectors.latest(context, node)
        case ast.MatrixSelector():
            return selectors.windows(context, node)
        case ast.SubqueryExpr():
            return subquery.evaluate(context, node, evaluate)
        case ast.ParenExpr():
            return evaluate(context, node.expr)
        case ast.Call():
            return _call(context, node)
        case ast.BinaryExpr():
            return _binary(context, node)
        case ast.UnaryExpr():
            return _minus(evaluate(context, node.expr))
        case ast.AggregateExpr():
            parameter = None if node.param is None else evaluate(context, node.param)
            return aggregate.evaluate(context, node, parameter, _vector(evaluate(context, node.expr)))
        case ast.NumberLiteral():
            return Scalar(np.full(context.steps.count, node.val))
        case ast.StringLiteral():
            return Text(node.val)
        case _:
            raise AssertionError(type(node))


def _binary(context: Context, node: ast.BinaryExpr) -> Value:
    """A chain of operators, from its left end on: a long one must not use up the stack."""
    chain = [node]
    while isinstance(chain[-1].lhs, ast.BinaryExpr):
        chain.append(chain[-1].lhs)
    value = evaluate(context, chain[-1].lhs)
    for link in reversed(chain):
        value = binary.evaluate(link, value, evaluate(context, link.rhs))
    return value


def _minus(value: Value) -> Value:
    """The unary minus; a vector loses its name."""
    if isinstance(value, Scalar):
        return Scalar(-value.values)
    vector = _vector(value)
    return distinct(
        Vector([without_name(labels) for labels in vector.labels], -vector.values, vector.present), ever=True
    )


def _call(context: Context, node: ast.Call) -> Value:
    """A function of its arguments; the same labels twice in what it gives are an error."""
    name = node.func.name
    function = functions.find(name)
    nodes = list(node.args)
    if name == "timestamp" and bare_selector(nodes[0]):
        inner = without_parens(nodes[0])
        assert isinstance(inner, ast.VectorSelector)
        arguments: list[Value] = [selectors.latest(context, inner, stamps=True)]
    else:
        arguments = [evaluate(context, argument) for argument in nodes]
    value = function.evaluate(context, Call(name, nodes, arguments))
    if isinstance(value, Vector):
        return distinct(value, ever=any(isinstance(argument, Matrix) for argument in arguments))
    return value


def _vector(value: Value) -> Vector:
    """A value that the parser has found to be an instant vector."""
    assert isinstance(value, Vector)
    return value
