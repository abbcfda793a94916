"""PromQL text to its tree."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import promql_parser as ast

from bongsu.model.message import Message
from bongsu.store.promql.values import PromqlError


@dataclass(frozen=True, slots=True)
class Parsed:
    """A query that was understood; ``kind`` is vector, scalar, matrix or string."""

    text: str
    root: ast.Expr
    kind: str


@lru_cache(maxsize=512)
def parse(text: str) -> Parsed:
    """The tree of a query.

    Raises:
        PromqlError: it is not understood (bad_data) or not supported; the message marks the place.
    """
    try:
        root = ast.parse(text)
    except ValueError as error:
        raise PromqlError("bad_data", Message("{problem}: {text}", problem=str(error), text=text)) from error
    return Parsed(text, root, _kind(root))


def _kind(node: ast.Expr) -> str:
    """What the value of a node is."""
    match node:
        case ast.ParenExpr() | ast.UnaryExpr():
            return _kind(node.expr)
        case ast.MatrixSelector() | ast.SubqueryExpr():
            return "matrix"
        case ast.NumberLiteral():
            return "scalar"
        case ast.StringLiteral():
            return "string"
        case ast.Call():
            return str(node.func.return_type).rpartition(".")[2].lower()
        case ast.BinaryExpr():
            while isinstance(node, ast.BinaryExpr):
                if _kind(node.rhs) == "vector":
                    return "vector"
                node = node.lhs
            return _kind(node)
        case _:
            return "vector"
