"""The functions and aggregations of Prometheus 3.5, and what they take."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

# One letter an argument: v instant vector, m range vector, s scalar, t text. After "?" arguments may be left out,
# after "*" there may be any number of them.
_TAKES: Mapping[str, str] = {
    "": "pi time",
    "v": "abs absent acos acosh asin asinh atan atanh ceil cos cosh deg exp floor histogram_avg histogram_count "
    "histogram_stddev histogram_stdvar histogram_sum ln log10 log2 rad scalar sgn sin sinh sort sort_desc sqrt tan "
    "tanh timestamp",
    "?v": "day_of_month day_of_week day_of_year days_in_month hour minute month year",
    "m": "absent_over_time avg_over_time changes count_over_time delta deriv idelta increase irate last_over_time "
    "mad_over_time max_over_time min_over_time present_over_time rate resets stddev_over_time stdvar_over_time "
    "sum_over_time ts_of_last_over_time ts_of_max_over_time ts_of_min_over_time",
    "s": "vector",
    "vss": "clamp",
    "vs": "clamp_max clamp_min",
    "v?s": "round",
    "v?v": "info",
    "mss": "double_exponential_smoothing",
    "ms": "predict_linear",
    "sm": "quantile_over_time",
    "sv": "histogram_quantile",
    "ssv": "histogram_fraction",
    "vtt*t": "label_join",
    "vtttt": "label_replace",
    "v*t": "sort_by_label sort_by_label_desc",
}
_GIVE_SCALARS = frozenset({"pi", "time", "scalar"})
# Refused by Prometheus unless it is started with --enable-feature=promql-experimental-functions.
EXPERIMENTAL = frozenset(
    [
        "double_exponential_smoothing",
        "info",
        "mad_over_time",
        "sort_by_label",
        "sort_by_label_desc",
        "ts_of_last_over_time",
        "ts_of_max_over_time",
        "ts_of_min_over_time",
        "limitk",
        "limit_ratio",
    ]
)
KINDS: Mapping[str, str] = {"v": "vector", "m": "matrix", "s": "scalar", "t": "string"}
# What an aggregation takes before its vector.
AGGREGATIONS: Mapping[str, str] = {
    **dict.fromkeys(("avg", "count", "group", "max", "min", "stddev", "stdvar", "sum"), ""),
    **dict.fromkeys(("bottomk", "limit_ratio", "limitk", "quantile", "topk"), "s"),
    "count_values": "t",
}


class Signature(NamedTuple):
    """What a function takes and gives, in the letters' words."""

    needed: tuple[str, ...]
    optional: tuple[str, ...]
    repeated: str | None
    gives: str

    def argument(self, index: int) -> str | None:
        """What the argument there must be; None where there may be none."""
        taken = self.needed + self.optional
        return taken[index] if index < len(taken) else self.repeated


def _signature(letters: str, name: str) -> Signature:
    head, _, repeated = letters.partition("*")
    needed, _, optional = head.partition("?")
    return Signature(
        tuple(KINDS[letter] for letter in needed),
        tuple(KINDS[letter] for letter in optional),
        KINDS[repeated] if repeated else None,
        "scalar" if name in _GIVE_SCALARS else "vector",
    )


FUNCTIONS: Mapping[str, Signature] = {
    name: _signature(letters, name) for letters, names in _TAKES.items() for name in names.split()
}
