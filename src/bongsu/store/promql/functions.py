"""All PromQL functions that are answered, by name, and why the others are not."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from bongsu.model.message import Message
from bongsu.store.promql import (
    absence,
    clock,
    histogram,
    label_functions,
    math_functions,
    ordering,
    over_time,
    rate,
    regression,
)
from bongsu.store.promql.call import Call, Function, bare_selector
from bongsu.store.promql.math_functions import of_each_value
from bongsu.store.promql.values import Context, PromqlError, Value

_EVALUATE: Mapping[str, Callable[[Context, Call], Value]] = {
    "abs": of_each_value(np.abs),
    "absent": absence.absent,
    "absent_over_time": absence.absent_over_time,
    "acos": of_each_value(np.arccos),
    "acosh": of_each_value(np.arccosh),
    "asin": of_each_value(np.arcsin),
    "asinh": of_each_value(np.arcsinh),
    "atan": of_each_value(np.arctan),
    "atanh": of_each_value(np.arctanh),
    "avg_over_time": over_time.avg_over_time,
    "ceil": of_each_value(np.ceil),
    "changes": over_time.changes,
    "clamp": math_functions.clamp,
    "clamp_max": math_functions.clamp_max,
    "clamp_min": math_functions.clamp_min,
    "cos": of_each_value(np.cos),
    "cosh": of_each_value(np.cosh),
    "count_over_time": over_time.count_over_time,
    "day_of_month": clock.part(clock.day_of_month),
    "day_of_week": clock.part(clock.day_of_week),
    "day_of_year": clock.part(clock.day_of_year),
    "days_in_month": clock.part(clock.days_in_month),
    "deg": of_each_value(math_functions.degrees),
    "delta": rate.delta,
    "deriv": regression.deriv,
    "exp": of_each_value(np.exp),
    "floor": of_each_value(np.floor),
    "histogram_fraction": histogram.histogram_fraction,
    "histogram_quantile": histogram.histogram_quantile,
    "hour": clock.part(clock.hour),
    "idelta": rate.idelta,
    "increase": rate.increase,
    "irate": rate.irate,
    "label_join": label_functions.label_join,
    "label_replace": label_functions.label_replace,
    "last_over_time": over_time.last_over_time,
    "ln": of_each_value(np.log),
    "log10": of_each_value(np.log10),
    "log2": of_each_value(np.log2),
    "max_over_time": over_time.max_over_time,
    "min_over_time": over_time.min_over_time,
    "minute": clock.part(clock.minute),
    "month": clock.part(clock.month),
    "pi": math_functions.pi,
    "predict_linear": regression.predict_linear,
    "present_over_time": over_time.present_over_time,
    "quantile_over_time": over_time.quantile_over_time,
    "rad": of_each_value(math_functions.radians),
    "rate": rate.rate,
    "resets": over_time.resets,
    "round": math_functions.round_to,
    "scalar": math_functions.scalar,
    "sgn": of_each_value(math_functions.sign),
    "sin": of_each_value(np.sin),
    "sinh": of_each_value(np.sinh),
    "sort": ordering.sort,
    "sort_desc": ordering.sort_desc,
    "sqrt": of_each_value(np.sqrt),
    "stddev_over_time": over_time.stddev_over_time,
    "stdvar_over_time": over_time.stdvar_over_time,
    "sum_over_time": over_time.sum_over_time,
    "tan": of_each_value(np.tan),
    "tanh": of_each_value(np.tanh),
    "time": clock.time,
    "timestamp": clock.timestamp,
    "vector": math_functions.vector_of,
    "year": clock.part(clock.year),
}

FUNCTIONS: Mapping[str, Function] = {name: Function(name, evaluate) for name, evaluate in _EVALUATE.items()}

# Prometheus 3.5 answers these only with --enable-feature=promql-experimental-functions.
EXPERIMENTAL = frozenset(
    {
        "double_exponential_smoothing", "info", "mad_over_time", "sort_by_label", "sort_by_label_desc",
        "ts_of_last_over_time", "ts_of_max_over_time", "ts_of_min_over_time",
    }
)  # fmt: skip
OF_NATIVE_HISTOGRAMS = frozenset(
    {"histogram_avg", "histogram_count", "histogram_stddev", "histogram_stdvar", "histogram_sum"}
)


def find(name: str) -> Function:
    """The function of this name.

    Raises:
        PromqlError: ``unsupported``, with the reason, for one that is valid PromQL but not answered here.
    """
    found = FUNCTIONS.get(name)
    if found is not None:
        return found
    if name in OF_NATIVE_HISTOGRAMS:
        reason = Message("{name}() is not supported: it is for native histograms, which are not stored here", name=name)
    elif name in EXPERIMENTAL:
        reason = Message("{name}() is not supported: it is experimental in Prometheus 3.5", name=name)
    else:
        reason = Message("{name}() is not supported: Prometheus 3.5 does not know it", name=name)
    raise PromqlError("unsupported", reason)


__all__ = ["EXPERIMENTAL", "FUNCTIONS", "OF_NATIVE_HISTOGRAMS", "Call", "Function", "bare_selector", "find"]
