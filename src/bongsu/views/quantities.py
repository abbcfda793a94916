"""In which unit the result of a PromQL expression is, as far as the metrics' own units tell, and how it is written."""

from __future__ import annotations

from collections.abc import Callable

import promql_parser as ast

from bongsu.views.plot import Scale
from bongsu.views.units import UNKNOWN, bytes_text, count_text, rate_text, ratio_text, seconds_text

UnitOf = Callable[[str], str]  # a metric's name to its base unit, "" where it has none
PER_SECOND = "/s"
_SUFFIXES = (
    "amperes", "bytes", "celsius", "hertz", "joules", "ratio", "rpm", "seconds", "volts", "watts",
)  # fmt: skip
_SYMBOLS = {
    "amperes": "A", "celsius": "°C", "hertz": "Hz", "joules": "J", "rpm": "rpm", "volts": "V", "watts": "W",
}  # fmt: skip
_SAME = frozenset({
    "abs", "ceil", "floor", "round", "clamp", "clamp_min", "clamp_max", "sort", "sort_desc", "sort_by_label",
    "sort_by_label_desc", "scalar", "vector", "label_replace", "label_join", "increase", "delta", "idelta",
    "avg_over_time", "min_over_time", "max_over_time", "sum_over_time", "last_over_time", "first_over_time",
    "quantile_over_time", "stddev_over_time", "mad_over_time", "histogram_quantile", "predict_linear",
    "double_exponential_smoothing", "holt_winters",
})  # fmt: skip
_FOLDS = frozenset({"sum", "avg", "min", "max", "topk", "bottomk", "quantile", "stddev"})
_RATES = frozenset({"rate", "irate", "deriv"})


def by_suffix(name: str) -> str:
    """The unit that a metric's name ends in, `_total` and its like aside."""
    for ending in ("_total", "_sum", "_bucket"):
        name = name.removesuffix(ending)
    last = name.rpartition("_")[2]
    return last if last in _SUFFIXES else ""


def unit_of(node: ast.Expr, unit: UnitOf = by_suffix) -> str:
    """The unit of an expression's values: a base unit, a base unit with `/s`, or "" for a plain or unknown number."""
    match node:
        case ast.VectorSelector():
            name = node.name or next((m.value for m in node.matchers.matchers if m.name == "__name__"), "")
            return unit(name)
        case ast.MatrixSelector():
            return unit_of(node.vector_selector, unit)
        case ast.SubqueryExpr() | ast.ParenExpr() | ast.UnaryExpr():
            return unit_of(node.expr, unit)
        case ast.AggregateExpr():
            return unit_of(node.expr, unit) if str(node.op) in _FOLDS else ""
        case ast.Call():
            return _of_call(node, unit)
        case ast.BinaryExpr():
            return _of_binary(node, unit)
        case _:
            return ""


def names_in(node: ast.Expr) -> list[str]:
    """The metrics that an expression names, in their order."""
    match node:
        case ast.VectorSelector():
            return [node.name] if node.name else []
        case ast.MatrixSelector():
            return names_in(node.vector_selector)
        case ast.SubqueryExpr() | ast.ParenExpr() | ast.UnaryExpr():
            return names_in(node.expr)
        case ast.AggregateExpr():
            return [*(names_in(node.param) if node.param is not None else ()), *names_in(node.expr)]
        case ast.Call():
            return [name for argument in node.args for name in names_in(argument)]
        case ast.BinaryExpr():
            return [*names_in(node.lhs), *names_in(node.rhs)]
        case _:
            return []


def _of_call(node: ast.Call, unit: UnitOf) -> str:
    name = node.func.name
    if name in {"time", "timestamp"}:
        return ""  # a date, not a length of time
    found = next((one for one in (unit_of(argument, unit) for argument in node.args) if one), "")
    if name in _SAME:
        return found
    if name in _RATES:
        return {"seconds": "", "joules": "watts", "bytes": "bytes/s"}.get(found, "" if found else PER_SECOND)
    return ""


def _of_binary(node: ast.BinaryExpr, unit: UnitOf) -> str:
    operator = str(node.op)
    left, right = unit_of(node.lhs, unit), unit_of(node.rhs, unit)
    if operator in {"+", "-"}:
        plain = isinstance(node.lhs, ast.NumberLiteral) or isinstance(node.rhs, ast.NumberLiteral)
        return left or right if left == right or plain else ""
    return left if operator in {"and", "or", "unless", "==", "!=", "<", "<=", ">", ">="} else ""


def scale_for(unit: str) -> Scale:
    """How values in a unit are written for people."""
    if unit == "bytes":
        return Scale(bytes_text, 1024)
    if unit == "bytes/s":
        return Scale(rate_text, 1024)
    if unit == "seconds":
        return Scale(seconds_text, 60)
    if unit == "ratio":
        return Scale(ratio_text)
    symbol = "/s" if unit == PER_SECOND else f" {_SYMBOLS[unit]}" if unit in _SYMBOLS else ""
    return Scale(lambda value: UNKNOWN if count_text(value) == UNKNOWN else f"{count_text(value)}{symbol}")
