"""Queries made at random: of PromQL's grammar over the names of the test hour, and texts that just miss it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from hypothesis import strategies as st

Draw = Callable[[st.SearchStrategy[str]], str]

_SELECTORS = (
    "up", "node_load1", 'node_cpu_seconds_total{mode="user"}', 'node_cpu_seconds_total{cpu="0",mode=~"i.+"}',
    'node_memory_MemFree_bytes{instance!="n3:9100"}', "process_start_time_seconds", "process_cpu_seconds_total",
    'process_group_cpu_seconds_total{executable=~"(bash|python.*|sleep)"}', "go_goroutines", "prometheus_http_requests_total",
    'prometheus_http_response_size_bytes_bucket{handler="/metrics"}', "edge_total", "edge_value", "edge_mixed", "edge_time",
    'edge_gauge{shape!="wave"}', "edge_left", "edge_right", "edge_info", "edge_half", "edge_twice", "edge_histogram_bucket",
    'edge_text{path=""}', '{__name__=~"edge_(left|half)"}', "nothing_here", '{zone="a",__name__!="edge_twice"}', "edge:name_with:colons",
)  # fmt: skip
_LENGTHS = ("15s", "16s", "30s", "1m", "61s", "2m", "5m", "7m13s", "10m", "20m")
_STEPS = ("", "15s", "20s", "1m", "97s", "3m")
_NUMBERS = ("0", "1", "2", "-1", "0.5", "3.7", "10", "100", "1e3", "NaN", "Inf", "-Inf", "1e-3", "0x10", "60")
_LABELS = (
    "job",
    "instance",
    "zone",
    "place",
    "mode",
    "cpu",
    "n",
    "shape",
    "reset",
    "is_",
    "le",
    "executable",
    "nothing",
)
_OF_VECTOR = (
    "abs", "ceil", "floor", "sgn", "round", "deg", "rad", "timestamp", "minute", "hour", "day_of_week", "absent", "sort", "-", "+", "sqrt",
)  # fmt: skip
_OF_MATRIX = (
    "rate", "increase", "irate", "delta", "idelta", "deriv", "resets", "changes", "avg_over_time", "min_over_time",
    "max_over_time", "sum_over_time", "count_over_time", "last_over_time", "present_over_time", "absent_over_time",
    "stddev_over_time", "stdvar_over_time",
)  # fmt: skip
_AGGREGATIONS = ("sum", "avg", "min", "max", "count", "group", "stddev", "stdvar")
# Not atan2, and ^ only with these: elsewhere the last bit differs between mathematical libraries, and % or topk show it.
_ARITHMETIC = ("+", "-", "*", "/", "%")
_POWERS = ("2", "1", "0", "0.5", "-1")
_COMPARISONS = ("==", "!=", "<", "<=", ">", ">=")
_SETS = ("and", "or", "unless")


def _one(draw: Draw, options: Sequence[str]) -> str:
    return draw(st.sampled_from(options))


def _chance(draw: Draw, one_in: int) -> bool:
    return draw(st.sampled_from(["no"] * (one_in - 1) + ["yes"])) == "yes"


def _modifiers(draw: Draw) -> str:
    offset = f" offset {_one(draw, ('', '-'))}{_one(draw, _LENGTHS)}" if _chance(draw, 5) else ""
    at = f" @ {_one(draw, ('start()', 'end()', 'AT'))}" if _chance(draw, 8) else ""
    return offset + at


def _scalar(draw: Draw, depth: int) -> str:
    form = _one(draw, ("number", "number", "number", "time", "scalar", "both", "power"))
    if depth <= 0 or form == "number":
        return _one(draw, _NUMBERS)
    if form == "time":
        return _one(draw, ("time()", "pi()"))
    if form == "scalar":
        return f"scalar({_vector(draw, depth - 1)})"
    if form == "power":
        return f"({_scalar(draw, depth - 1)} ^ {_one(draw, _POWERS)})"
    return f"({_scalar(draw, depth - 1)} {_one(draw, _ARITHMETIC)} {_scalar(draw, depth - 1)})"


def _grouping(draw: Draw) -> str:
    if _chance(draw, 3):
        return ""
    names = draw(st.lists(st.sampled_from(_LABELS), max_size=3, unique=True).map(", ".join))
    return f" {_one(draw, ('by', 'without'))} ({names})"


def _matching(draw: Draw, op: str) -> str:
    true_false = " bool" if op in _COMPARISONS and _chance(draw, 3) else ""
    if _chance(draw, 2):
        return true_false
    names = draw(st.lists(st.sampled_from(_LABELS), max_size=3, unique=True).map(", ".join))
    found = f"{true_false} {_one(draw, ('on', 'ignoring'))} ({names})"
    if op in _SETS or _chance(draw, 2):
        return found
    more = draw(st.lists(st.sampled_from(("version", "more", "n")), max_size=1).map(", ".join))
    return f"{found} {_one(draw, ('group_left', 'group_right'))} ({more})"


def _matrix(draw: Draw, depth: int) -> str:
    if depth <= 0 or not _chance(draw, 3):
        return f"{_one(draw, _SELECTORS)}[{_one(draw, _LENGTHS)}]{_modifiers(draw)}"
    return f"({_vector(draw, depth - 1)})[{_one(draw, _LENGTHS)}:{_one(draw, _STEPS)}]{_modifiers(draw)}"


def _binary(draw: Draw, depth: int) -> str:
    op = _one(draw, (*_ARITHMETIC, *_COMPARISONS, *_SETS))
    side = _one(draw, ("vector", "vector", "left", "right"))
    if op in _SETS or side == "vector":
        return f"({_vector(draw, depth - 1)} {op}{_matching(draw, op)} {_vector(draw, depth - 1)})"
    true_false = " bool" if op in _COMPARISONS and _chance(draw, 3) else ""
    left, right = _vector(draw, depth - 1), _scalar(draw, depth - 1)
    return f"({left} {op}{true_false} {right})" if side == "left" else f"({right} {op}{true_false} {left})"


def _with_number(draw: Draw, depth: int) -> str:
    number, vector = partial(_scalar, draw, depth - 1), partial(_vector, draw, depth - 1)
    form = _one(
        draw,
        ("clamp", "clamp_min", "clamp_max", "quantile", "over", "linear", "histogram", "vector", "values", "round"),
    )
    match form:
        case "power":
            return f"({vector()} ^ {_one(draw, _POWERS)})"
        case "clamp":
            return f"clamp({vector()}, {number()}, {number()})"
        case "clamp_min" | "clamp_max":
            return f"{form}({vector()}, {number()})"
        case "quantile":
            return f"quantile{_grouping(draw)} ({number()}, {vector()})"
        case "over":
            return f"quantile_over_time({number()}, {_matrix(draw, depth - 1)})"
        case "linear":
            return f"predict_linear({_matrix(draw, depth - 1)}, {number()})"
        case "histogram":
            return f"histogram_quantile({number()}, {vector()})"
        case "values":
            # Of samples as they are: the last bit of a mean would make another label.
            return f'count_values{_grouping(draw)} ("v", {_one(draw, _SELECTORS)})'
        case "round":
            return f"round({vector()}, {_one(draw, ('0.5', '3', '10'))})"
    return f"vector({number()})"


def _label_function(draw: Draw, depth: int) -> str:
    vector, source = _vector(draw, depth - 1), _one(draw, _LABELS)
    if _chance(draw, 2):
        return f'label_join({vector}, "{_one(draw, (*_LABELS, "new"))}", "-", "{source}", "{_one(draw, _LABELS)}")'
    pattern = _one(draw, ("(.*)", "(.).*", "n(.):.*", "x?", "[", "(a)|(b)"))
    return f'label_replace({vector}, "{_one(draw, (*_LABELS, "new"))}", "{_one(draw, ("$1", "a$1b", "", "$2", "x"))}", "{source}", "{pattern}")'


def _vector(draw: Draw, depth: int) -> str:
    forms = ("selector", "call", "range", "range", "binary", "binary", "aggregation", "aggregation", "number", "labels")
    form = "selector" if depth <= 0 else _one(draw, forms)
    match form:
        case "call":
            name = _one(draw, _OF_VECTOR)
            return f"{name}({_vector(draw, depth - 1)})"
        case "range":
            return f"{_one(draw, _OF_MATRIX)}({_matrix(draw, depth - 1)})"
        case "binary":
            return _binary(draw, depth)
        case "aggregation":
            return f"{_one(draw, _AGGREGATIONS)}{_grouping(draw)} ({_vector(draw, depth - 1)})"
        case "number":
            return _with_number(draw, depth)
        case "labels":
            return _label_function(draw, depth)
    return _one(draw, _SELECTORS) + _modifiers(draw)


@st.composite
def queries(draw: Draw, depth: int = 4) -> str:
    """A query that the grammar allows; AT stands for a Unix time."""
    form = draw(st.sampled_from(("vector",) * 8 + ("scalar", "topk")))
    if form == "scalar":
        return _scalar(draw, depth)
    if form == "topk":  # not inside another: which of equal values it takes is chance
        return f"{_one(draw, ('topk', 'bottomk'))}({_one(draw, ('1', '2', '3'))}, {_vector(draw, depth - 1)})"
    return _vector(draw, depth)


_SCRAPS = (
    "(", ")", "[", "]", "{", "}", ",", ":", "5m", "by", "on (", "group_left", "bool", "offset", "@", '"', "'", "`", "\\", "=~", "!=", "=",
    "#", "\n", "\x00", "é", "漢", "$", "$__interval", "..", "1e", "0x", "--", "^^", "sum", "rate", "[5m:]", "offset -1m", "@ end()", "NaN", ";",
)  # fmt: skip


@st.composite
def near_misses(draw: Callable[[st.SearchStrategy[int]], int]) -> str:
    """A query with pieces cut out, doubled, or put in."""
    text: str = draw(queries(depth=2))  # type: ignore[arg-type,assignment]  # draw is generic; Callable cannot say so
    for _ in range(draw(st.integers(1, 3))):
        start = draw(st.integers(0, len(text)))
        end = min(len(text), start + draw(st.integers(0, 6)))
        scrap: str = draw(st.sampled_from(("", text[start:end] * 2, *_SCRAPS)))  # type: ignore[assignment]  # as above
        text = text[:start] + scrap + text[end:]
    return text
