"""Every function answers on awkward samples as a real Prometheus does."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import pytest

from bongsu.store.promql.functions import FUNCTIONS
from prometheus import Prometheus
from promql_compare import Asked, Ours, Tally, judge, theirs
from store.promql import awkward_samples
from store.promql.awkward_samples import START
from store.promql.memory_source import MemorySource

AT = START // 1000 + 1_000

FOLDS = [
    "absent_over_time", "avg_over_time", "changes", "count_over_time", "delta", "deriv", "idelta", "increase",
    "irate", "last_over_time", "max_over_time", "min_over_time", "present_over_time", "rate", "resets",
    "stddev_over_time", "stdvar_over_time", "sum_over_time",
]  # fmt: skip
OF_VALUES = [
    "abs", "absent", "acos", "acosh", "asin", "asinh", "atan", "atanh", "ceil", "cos", "cosh", "day_of_month",
    "day_of_week", "day_of_year", "days_in_month", "deg", "exp", "floor", "hour", "ln", "log10", "log2",
    "minute", "month", "rad", "scalar", "sgn", "sin", "sinh", "sqrt", "tan", "tanh", "timestamp", "year",
]  # fmt: skip
TIMES = [
    "day_of_month", "day_of_week", "day_of_year", "days_in_month", "hour", "minute", "month", "pi", "time",
    "year",
]  # fmt: skip
QUANTILES = ("0", "0.37", "0.5", "0.99", "1", "-1", "2", "NaN", 'scalar(g{k="line"}) / 20')


def _replaced(of: str, *texts: str) -> str:
    return f"label_replace({of}, " + ", ".join(f"'{text}'" for text in texts) + ")"


QUERIES: dict[str, list[str]] = {
    "windows": [
        f"{fold}({of})"
        for fold in FOLDS
        for of in (
            *(f"{metric}[{window}]" for metric in ("c_total", "g") for window in ("16s", "1m", "5m", "30m")),
            "c_total[5m] offset 7m", "g[5m] offset -3m", f"c_total[10m] @ {AT}", "g[10m:50s]", "(c_total[97s])",
            "{__name__=~'one|two'}[1m]", "{__name__=~'two|three'}[1m]", "nothing{a='b'}[5m]",
        )
    ],
    "quantiles over time": [
        f"quantile_over_time({q}, {of})" for q in QUANTILES for of in ("g[5m]", "c_total[1m]", "g[30m]", "nothing[5m]")
    ],
    "lines ahead": [
        f"predict_linear({of}, {ahead})"
        for ahead in ("0", "3600", "-100", "NaN", "time()", 'scalar(g{k="line"})')
        for of in ("c_total[5m]", "g[5m]", "g[5m] offset 5m", f"g[5m] @ {AT}", "g[10m:1m]")
    ],
    "single values": [
        f"{function}({of})"
        for function in OF_VALUES
        for of in (
            "g", "c_total", "nothing", "g offset 5m", f"g @ {AT}", "-g", "{__name__=~'one|two'}", "{__name__=~'three|two'}",
        )
    ],
    "without arguments": [f"{function}()" for function in TIMES],
    "limits and rounding": [
        *(f"round(g, {to})" for to in ("1", "0.3", "0", "-2", "NaN", "1e9", "scalar(one)")), "round(g)",
        *(f"clamp(g, {a})" for a in ("1, 2", "2, 1", "NaN, 1", "0, NaN", "-Inf, +Inf", "scalar(one) - 60, 5")),
        *(f"clamp_{end}(g, {a})" for end in ("min", "max") for a in ("0", "NaN", "+Inf", "-Inf", "scalar(one)")),
        "vector(1)", "vector(time())", "vector(scalar(one))", "scalar({__name__=~'two|three'})",
    ],
    # -0 and 0 are equal, so they may come in either order: without the series that have both
    "order": [
        f"{function}({of})"
        for function in ("sort", "sort_desc")
        for of in ("g{k!='zeros'}", "c_total", "nothing", "g{k!='zeros'} offset 5m", "{__name__=~'one|two'}")
    ],
    "absence": [
        f"absent({of})"
        for of in (
            "nothing{a='b'}", "nothing{a='b', c!='d', e=~'f.*'}", "nothing{a='b', a='b'}", "nothing{a='b', a!='c'}",
            "(nothing{a='b'})", f"nothing{{a='b'}} @ {AT}", "nothing{a='b'} offset 1m", "sum(nothing{a='b'})",
            "-nothing{a='b'}", "two{a='b'}", "nothing{a=''}", "{__name__='nothing', x='y'}", "absent(nothing{a='b'})",
        )
    ] + ["absent_over_time(two{a='b'}[1m:15s])", "absent_over_time(rate(nothing{a='b'}[5m])[5m:])"],
    "timestamps": ["timestamp((one))", "timestamp(one + 0)", "timestamp((one offset 1m))", "timestamp(timestamp(one))"],
    "histogram quantiles": [
        *(
            f"histogram_quantile({q}, {of})"
            for q in QUANTILES
            for of in ("h_bucket", "rate(h_bucket[5m])", "sum by (le) (h_bucket)", "sum without (job) (rate(h_bucket[1m]))", "g")
        ),
        "histogram_quantile(0.9, {__name__=~'h_bucket|g'})", "histogram_quantile(2, nothing)",
    ],
    "histogram fractions": [
        f"histogram_fraction({limits}, h_bucket)"
        for limits in ("0, 1", "-Inf, 1", "0.3, +Inf", "2, 1", "NaN, 1", "-10, -1.5", "0.2, 0.3", "-Inf, +Inf", "1, 2", "3, 9")
    ],
    "labels": [
        *(_replaced("one", "x", template, "a", expression) for template, expression in (
            ("$1", "(.*)"), ("$1", "z"), ("new-$0", ".*"), ("${1}y", "(b)"), ("$1y", "(b)"), ("$$1", "(b)"), ("$", "b"),
            ("${", "b"), ("${1", "(b)"), ("$2", "(b)"), ("${n}-$n", "(?P<n>b)"), ("$01", "(b)"), ("$1", "b|(c)"), ("$1", "(b"),
            ("${}", "b"), ("$ 1", "(b)"),
        )),
        _replaced("one", "a", "", "a", "b"), _replaced("one", "__name__", "new", "a", "b"),
        _replaced("one", "__name__", "", "a", "b"), _replaced("one", "", "$1", "a", "(b)"),
        _replaced("one", "x y", "$1", "a", "(b)"), _replaced("one", "x", "y", "nope", ""),
        _replaced('{__name__=~"two|three"}', "__name__", "same", "a", "b"), _replaced("c_total", "i", "z", "i", "[e-s].*"),
        _replaced("rate(c_total[5m])", "__name__", "r", "i", ".*"), _replaced("nothing", "x", "$1", "a", "(b"),
        *(f"label_join({arguments})" for arguments in (
            "one, 'x', '-', 'a', 'a', '__name__', 'nope'", "one, 'a', '-'", "one, '', '-', 'a'", "one, 'x', '-', ''",
            "one, 'x', '', '~'", "{__name__=~'two|three'}, '__name__', '', 'a'", "c_total, 'i', ''",
        )),
    ],
}  # fmt: skip


class Sides(NamedTuple):
    """The two that are asked."""

    server: Prometheus
    ours: Ours


@pytest.fixture(scope="module")
def sides() -> Iterator[Sides]:
    """A real Prometheus and our API over the same samples."""
    source = MemorySource()
    source.series = awkward_samples.everything()
    with Prometheus() as server:
        if not server.left_open:
            pytest.skip("Prometheus 2 takes the sample at the very start of a window; `make prometheus` unpacks a 3")
        server.write(source.series)
        yield Sides(server, Ours(source))


def _moments(query: str) -> Sequence[Asked]:
    """Over the whole hour and before and after it; on the samples' grid, and between."""
    return (
        Asked(query, START - 120_000, START + 3_900_000, 37_000),
        Asked(query, START + 1_800_000),
        Asked(query, START + 1_234_567),
    )


@pytest.mark.parametrize("category", QUERIES)
def test_functions_agree_with_prometheus(category: str, sides: Sides) -> None:
    """Values equal to 1e-9, labels equal, errors where it gives errors, warned of where it warns."""
    tally = Tally(queries=len(QUERIES[category]))
    for query in QUERIES[category]:
        for asked in _moments(query):
            his, mine = theirs(sides.server, asked), sides.ours.ask(asked)
            judge(tally, asked, his, mine)
            for kind in ("warnings", "infos"):
                assert bool(his.body.get(kind)) == bool(mine.body.get(kind)), (asked, kind, his.body.get(kind))
    assert not tally.wrong, "\n".join(tally.wrong[:20])
    assert not tally.unsupported


def test_no_function_is_left_out() -> None:
    """Each that is answered is compared."""
    everything = " ".join(query for queries in QUERIES.values() for query in queries)
    assert not [name for name in FUNCTIONS if f"{name}(" not in everything]
