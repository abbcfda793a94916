"""What a PromQL function is to the evaluator: its arguments as values and as written, and what it gives back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import promql_parser

from bongsu.store.promql.values import Context, Matrix, PromqlError, Scalar, Text, Value, Vector

Node = object  # any node of promql_parser's tree


@dataclass(frozen=True, slots=True)
class Call:
    """One call: ``arguments`` are evaluated (none for a left-out optional one), ``nodes`` are how they were written.

    ``timestamp`` of a bare selector is asked for the times of samples: for that call the evaluator hands
    over a vector whose values are those times in seconds (see ``bare_selector``).
    """

    name: str
    nodes: Sequence[Node]
    arguments: Sequence[Value]

    def vector(self, index: int) -> Vector:
        """The argument there, which the parser has found to be an instant vector."""
        value = self.arguments[index]
        assert isinstance(value, Vector)
        return value

    def matrix(self, index: int) -> Matrix:
        """The argument there, which the parser has found to be a range vector."""
        value = self.arguments[index]
        assert isinstance(value, Matrix)
        return value

    def scalar(self, index: int) -> Scalar:
        """The argument there, which the parser has found to be a scalar."""
        value = self.arguments[index]
        assert isinstance(value, Scalar)
        return value

    def text(self, index: int) -> str:
        """The argument there, which the parser has found to be a string."""
        value = self.arguments[index]
        assert isinstance(value, Text)
        return value.value


@dataclass(frozen=True, slots=True)
class Function:
    """``evaluate`` answers for every step of the context at once.

    Raises:
        PromqlError: the samples or the texts given do not allow it.
    """

    name: str
    evaluate: Callable[[Context, Call], Value]


def without_parens(node: Node) -> Node:
    """What stands inside the parentheses."""
    while isinstance(node, promql_parser.ParenExpr):
        node = node.expr
    return node


def bare_selector(node: Node) -> bool:
    """Whether this is an instant selector and nothing else, parentheses aside: then timestamp() sees its samples."""
    return isinstance(without_parens(node), promql_parser.VectorSelector)


__all__ = ["Call", "Context", "Function", "Node", "PromqlError", "bare_selector", "without_parens"]
