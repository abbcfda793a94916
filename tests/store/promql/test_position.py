"""Queries that are no PromQL: the message marks the place and says what is allowed."""

from __future__ import annotations

import pytest

from bongsu.store.promql.lexer import Mistake
from bongsu.store.promql.parse import parse
from bongsu.store.promql.position import MOST_NESTED, MOST_OPERATORS, check
from bongsu.store.promql.values import PromqlError


def _refusal(query: str) -> PromqlError:
    with pytest.raises(PromqlError) as caught:
        parse(query)
    return caught.value


@pytest.mark.parametrize(
    ("query", "message"),
    [
        (
            "sum(rate(x[5m])",
            '1:16: the query ends too early; an operator, "," or ")" is expected: sum(rate(x[5m])>>><<<',
        ),
        ("foo +", "1:6: the query ends too early; an expression is expected: foo +>>><<<"),
        ("(a))", '1:4: unexpected ")"; an operator or the end of the query is expected: (a)>>>)<<<'),
        ("a b", '1:3: unexpected "b"; an operator or the end of the query is expected: a >>>b<<<'),
        ("a +\n* b", '2:1: unexpected "*"; an expression is expected: a + >>>*<<< b'),
        ("x[5]m]", '1:5: unexpected "m"; an operator or the end of the query is expected: x[5]>>>m<<<]'),
        ("x[5q]", '1:3: "5q" is neither a number nor a duration such as 5m or 1h30m: x[>>>5q<<<]'),
        ("x[]", '1:3: unexpected "]"; a duration such as 5m is expected: x[>>>]<<<'),
        ("x[5m:1m", '1:8: the query ends too early; "]" is expected: x[5m:1m>>><<<'),
        ("x[3m5h]", "wrong order"),
        ("x[0s]", "1:3: a duration here must be above zero: x[>>>0s<<<]"),
        ("x offset 300y", "292 years"),
        ("a{b=c}", '1:5: unexpected "c"; a value in quotes is expected: a{b=>>>c<<<}'),
        ('{a:b="c"}', '1:3: unexpected ":b"'),
        ("a{b}", '1:4: unexpected "}"; one of = != =~ !~ is expected: a{b>>>}<<<'),
        ('a{b="c" d="e"}', '"," or "}" is expected'),
        ('{a="b" or c="d"}', '1:8: unexpected "or"; "," or "}" is expected'),
        ('a{b="c}', '1:5: a string begins here and never ends: a{b=>>>"c}<<<'),
        (r'"a\d"', r'1:3: unexpected "\d" in a string'),
        ("a $ b", '1:3: unexpected "$"; PromQL has no such sign: a >>>$<<< b'),
        ("{}", "1:1: every series would fit"),
        ('{a=~".*"}', "1:1: every series would fit"),
        ('a{__name__="b"}', "1:3: the metric's name is given twice"),
        ("rate(x)", "1:6: rate() needs a range vector here; this is an instant vector: rate(>>>x<<<)"),
        ("rate(x[5m], 1)", "1:13: rate() takes 1 argument(s), 2 are given"),
        ("clamp(x, 1)", "1:1: clamp() takes 3 argument(s), 2 are given"),
        ("sum(x[5m])", "1:5: sum needs an instant vector here; this is a range vector"),
        ("topk(x, 1)", "1:6: topk needs a number here; this is an instant vector"),
        ("topk(x)", "1:1: topk() takes 2 argument(s), 1 are given"),
        ("count_values(1, x)", "1:14: count_values needs a string here"),
        ("nosuch(x)", '1:1: there is no function "nosuch": >>>nosuch<<<(x)'),
        ("holt_winters(x[5m], 1, 1)", 'there is no function "holt_winters"'),
        ("mad_over_time(x[5m])", "experimental in Prometheus 3.5"),
        ("limitk(1, x)", "experimental in Prometheus 3.5"),
        ("1 == 1", '1:3: two numbers are compared with "== bool": 1 >>>==<<< 1'),
        ("a and 1", '1:7: "and" goes between two instant vectors; this is a number'),
        ('a + "b"', '1:5: "+" goes between instant vectors and numbers; this is a string'),
        ("-x[5m]", "1:2: a sign goes before an instant vector or a number; this is a range vector"),
        ("a + bool b", '1:5: "bool" goes only with a comparison'),
        ("a and on(x) group_left b", '1:13: "group_left" does not go with "and"'),
        ("a + on(x) group_left(x) b", 'the label "x" is in on() and in the group too'),
        ("1 + on(x) 2", "1:1: labels are matched between two instant vectors; this is a number"),
        ("a + on(x) fill(0) b", '1:11: there is no function "fill"'),
        ("sum(a) offset 5m", '1:8: "offset" goes after a selector, a range or a subquery'),
        ("a offset 5m offset 5m", '1:13: "offset" is given twice'),
        ("a offset 5m [5m]", '1:13: "offset" goes after the range'),
        ("sum(a)[5m]", "1:7: a range goes only after a selector; write [5m:] for a subquery"),
        ("x[5m][5m:]", "a subquery goes after an instant vector; this is a range vector"),
        ("sum by (a", '1:10: the query ends too early; "," or ")" is expected'),
        ("", "1:1: the query ends too early; an expression is expected: >>><<<"),
        ("1e999", "1:1: the number is too large for 64 bits"),
        ("1__0", '1:1: "1__0" is neither a number nor a duration'),
        ("a @ b", '1:5: unexpected "b"; a Unix time, start() or end() is expected'),
    ],
)
def test_the_place_of_a_mistake_is_marked(query: str, message: str) -> None:
    """Line and column, what is wrong, what is allowed, and the query with the place marked, in one line."""
    refusal = _refusal(query)
    assert message in str(refusal)
    assert "\n" not in str(refusal)
    assert refusal.kind == "bad_data"


@pytest.mark.parametrize(
    ("query", "kind"),
    [
        ("a{b='c',} offset -5m @ 100.5", "vector"),
        ("{'a.b', \"c d\"='e'}", "vector"),
        ("sum by ('a.b', c,) (x)", "vector"),
        ("SUM(x) BY (a) / On(a) Group_Left X", "vector"),
        ("by + sum + start + offset", "vector"),
        ("rate", "vector"),
        ("a:b{c=~'d'}[5m:1m] @ end() offset 1m", "matrix"),
        ("x[300] # a comment", "matrix"),
        ("((x[5m]))", "matrix"),
        ("-1 ^ 2 == bool 3", "scalar"),
        ("5m + .5e1", "scalar"),
        ("`a` # b", "string"),
        ("a == b == bool c", "vector"),
        ("1 == 1 + a", "vector"),
        ("max_over_time(rate(a[5m])[5m:])[5m:]", "matrix"),
        ("label_join(a, 'b', ',', 'c', 'd', 'e') or hour() or round(a, 5)", "vector"),
        ("quantile without (a) (0.5, b)", "vector"),
    ],
)
def test_what_prometheus_takes_is_taken(query: str, kind: str) -> None:
    """Keywords in any case, and as names where they cannot be meant; commas at the end; quoted names."""
    assert parse(query).kind == kind


def test_what_cannot_be_represented_is_called_unsupported() -> None:
    """Times before 1970 are PromQL, and not answered: better than the wrong time."""
    assert _refusal("a @ -5").kind == "unsupported"
    assert _refusal("a @ 1e12").kind == "unsupported"


def test_long_queries_are_shown_in_part() -> None:
    """The mark stays in sight."""
    message = str(_refusal("sum(" + "a" * 500 + " + ) + " + "b" * 500))
    assert ">>>)<<<" in message
    assert len(message) < 200


def test_depth_and_length_are_limited() -> None:
    """Neither nesting nor chains can use up the stack; both limits are told."""
    parse("(" * (MOST_NESTED - 1) + "1" + ")" * (MOST_NESTED - 1))
    assert f"{MOST_NESTED} levels" in str(_refusal("(" * 5000 + "1" + ")" * 5000))
    assert "nested too deeply" in str(_refusal("-" * 5000 + "1"))
    assert "nested too deeply" in str(_refusal("1" + "^1" * 5000))
    assert f"more than {MOST_OPERATORS} operators" in str(_refusal("1" + "+1" * 5000))
    assert "characters" in str(_refusal("a" * 300_000))


def test_a_mistake_tells_its_place() -> None:
    """Others, such as a page with an editor, can mark it themselves."""
    with pytest.raises(Mistake) as caught:
        check("sum(rate(x[5m]) ) )")
    assert (caught.value.start, caught.value.end) == (18, 19)
