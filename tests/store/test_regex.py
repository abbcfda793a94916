"""Regular expressions as Prometheus has them: what fits, what is refused, and that none can hang."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bongsu.model.errors import BadInput
from bongsu.store import regex
from prometheus import INSTALLED, Prometheus

VALUES = [
    "", "a", "b", "ab", "aab", "abab", "ba", "a.b", "a+b", "a\nb", "\n", "A", "AB", "\u212a", "k", "\u017f", "s", "é", "É", "ß",
    "ẞ", "\u03c3", "\u03c2", "_", "-", "]", "^", "\\", "0", "٣", "7f", "foo", "Foo", "foobar", "bar", "a b", "\t", "\x0b", "\x7f",
    "가", "Z", "x{2}", "xx", "xxx", "(", "|", "$", "node_cpu_seconds_total",
]  # fmt: skip

# Each on its own: what the syntax page of RE2 lists, and what people get wrong.
PATTERNS = [
    "", "a", ".", ".*", ".+", "a|b", "a|", "|", "(a|b)*", "(?:a|b)+", "a*?b", "[ab]+", "[^a]", "[^a]*", "a.b", r"a\.b", r"a\+b",
    "(?-s)a.b", "(?-s).*", "(?i)k", "(?i)s", "(?i)é", "(?i)ß", "(?i)\u03c3", "(?i)foo", "(?i:f)oo", "f(?i)OO", "(?i)[a-c]+", "(?i)[^a]",
    r"\d", r"\D", r"\w", r"\W", r"\s", r"\S", "[[:alpha:]]", "[[:^alpha:]]", "[[:word:]]+", "[[:space:]]", r"[\d-]", r"[\w.]+",
    r"\pL", r"\p{Lu}", r"\PL", r"\p{^Lu}", r"\p{Nd}", r"[\pL]+", r"\x41", r"\x{1F600}", r"\x{212A}", r"\101", r"\07", r"\Qa.b\E",
    r"\Qa\E*b", r"\Q\E", "x{2}", "x{2,}", "x{2,3}", "x{,2}", "x{2", "x{a}", "{", "a{", "}", "]", "[]]", "[^]]", "[]a]", "[a-]",
    "[-a]", r"[\]]", r"[\\]", r"[\-\]]", r"\-", r"\_", r"\^", "^a$", "^", "$", "^*", "a$b", "a^b", "(?m)a$\n^b", r"(?m)a\z", r"\Aa\z",
    r"\bfoo\b", r"foo\Bbar", r"\b", r"\B", "(?P<n>a)b", "(?P<n>a)(?P<n>b)", "(?<n>a)b", "()", "(?:)", "()*", "(a*)*", "(a+)+", "(a|b|ab)*", "(?U)a*", "(?U)a*?",
    "(?i-s)A.B", "(?s-s:a.b)", "(?i)", "(?i)a|B", "(a(?i)b)|c", "a{0}", "a{0,0}b", "foo(bar)?", ".*a.*", "(foo|bar)+", "[^\\x00-\\x{10FFFF}]",
    "[a-zA-Z_:][a-zA-Z0-9_:]*", "node_(cpu|memory)_.+", "가", r"\a\f\t\n\r\v", "[[:alpha:]-z]", "[a-a]", "(((a)))b?", "a{2}?", "a??b",
]  # fmt: skip
REFUSED = [
    "*", "+a", "?", "a**", "a*+", "a++", "a*?*", "a{2}{3}", "{2}", "(*)", "|*", "(", ")", "a)", "(a", "[", "[a", "[]", "[^]", "[b-a]", r"\1",
    r"\8", r"\Z", r"\C", r"\G", r"\K", r"\X", r"\R", r"\h", r"\e", r"\u0041", r"\N", "a\\", r"[\b]", r"[\Q]", r"\x", r"\xg1", r"\x{110000}", r"\x{}",
    "(?=a)", "(?!a)", "(?<=a)", "(?<!a)", "(?>a)", "(?#a)", "(?P=n)", "(?P>n)", "(?P<n", "(?P<>a)", "(?P<a-b>a)", "(?z)", "(?i",
    "(?-)", "(?i-)", "(?--i)", "(?i-s-m)", "a{1001}", "a{3,2}", "(a{100}){100}", "((a{10}){10}){11}", r"\pX", r"\p{Foo}", r"\p", r"\p{", "[[:foo:]]",
    "[a-\\d]", "(?(1)a)", "(?R)", "(?1)", "(?|a)", "(?:", "[[:foo:]",
]  # fmt: skip


def expected(pattern: str, value: str) -> bool:
    """What Python says, for patterns that mean the same to it."""
    nowhere = pattern.replace(r"\B", r"(?!\b)")  # Python before 3.14 lets \B fail in the empty text
    return re.fullmatch(nowhere, value, re.DOTALL | re.ASCII) is not None


@pytest.mark.parametrize(
    ("pattern", "fits", "fits_not"),
    [
        ("a|b", ["a", "b"], ["", "ab", "a|b"]),
        ("foo", ["foo"], ["foobar", "xfoo", "foo\n"]),
        ("a.b", ["a\nb", "axb"], ["ab"]),
        ("(?-s)a.b", ["axb"], ["a\nb"]),
        (r"\d+", ["12"], ["٣", ""]),
        (r"\s", ["\t", " "], ["\x0b", "\u00a0"]),
        (r"(?i)k+", ["k", "K", "\u212a"], ["x"]),
        (r"[^a]", ["\n", "b"], ["a", ""]),
        (r"\bfoo\b.*", ["foo bar", "foo"], ["foob", "foobar"]),
        (r"\x{AC00}\101", ["가A"], ["가a"]),
        (r"x{,2}", ["x{,2}"], ["x", "xx"]),
        (r"^(eth|en).*$", ["eth0", "enp1"], ["lo", "xeth0"]),
    ],
)
def test_a_pattern_fits_whole_values_as_re2_has_it(pattern: str, fits: list[str], fits_not: list[str]) -> None:
    """The whole value must fit; classes mean ASCII; the dot takes line feeds unless told otherwise."""
    found = regex.pattern(pattern)
    assert [v for v in (*fits, *fits_not) if found.matches(v)] == fits


@pytest.mark.parametrize("pattern", REFUSED)
def test_what_re2_refuses_is_refused(pattern: str) -> None:
    """A pattern that Prometheus would not take gives one line that says what is wrong."""
    with pytest.raises(BadInput, match="is not understood: ") as error:
        regex.pattern(pattern)
    assert "\n" not in str(error.value)


def test_no_pattern_can_hang() -> None:
    """Patterns that take a backtracking matcher longer than the sun will shine take milliseconds."""
    began = time.process_time()
    for pattern in (
        "(a+)+$",
        "(a|aa)+",
        "(a*)*b",
        "(.*)*x",
        "(a|a|a|a)*b",
        ".*.*.*.*.*.*.*.*z",
        "(x+x+)+y",
        "(a?){30}a{30}",
    ):
        assert not regex.pattern(pattern).matches("a" * 2000 + "!")
        assert regex.pattern(pattern).groups("a" * 2000 + "!") is None
    assert regex.pattern("(?:(a+)+|b)c").groups("a" * 300 + "c") is not None
    assert time.process_time() - began < 20


def test_a_pattern_that_grows_without_end_is_refused() -> None:
    """Repeats of repeats are bounded: one line, not a full memory."""
    with pytest.raises(BadInput, match="invalid repetition size"):
        regex.pattern("((((a{10}){10}){10}){10}){10}")


def test_few_words_are_known_as_such() -> None:
    """What a dashboard's menu sends, (a|b) and the like, is looked up rather than searched."""
    assert regex.pattern("sda|sdb").literals == frozenset({"sda", "sdb"})
    assert regex.pattern("^(sda|nvme0n1)$").literals == frozenset({"sda", "nvme0n1"})
    assert regex.pattern("^(?:sda|nvme0n1)$").literals == frozenset({"sda", "nvme0n1"})
    assert regex.pattern("(?:a|)").literals == frozenset({"a", ""})
    assert regex.pattern("").literals == frozenset({""})
    for text in ("a.", "a^", "^a|b$", "(a)|(b)", "(?i)ab", "(?i:a)", "a\\|b", "()|a"):
        assert regex.pattern(text).literals is None, text


def test_groups_hold_what_took_part() -> None:
    """The first alternative that fits is preferred and greedy repeats take most, as in Perl; others hold nothing."""
    assert regex.pattern("(a+)(a*)").groups("aaa") == ("aaa", "aaa", "")
    assert regex.pattern("(a+?)(a*)").groups("aaa") == ("aaa", "a", "aa")
    assert regex.pattern("(?:(x)|y)(z)?").groups("y") == ("y", None, None)
    assert regex.pattern("(?P<dev>sd.)(\\d+)").groups("sda12") == ("sda12", "sda", "12")
    assert regex.pattern("(?P<dev>sd.)(\\d+)").names == ("dev", "")
    assert regex.pattern("a|b").groups("a") == ("a",)
    assert regex.pattern("(a)|b").groups("c") is None


_PIECES = st.sampled_from(["a", "b", "ab", ".", "[ab]", "[^a]", "\\.", "\n", "\\b", "\\B", "\\w", "\\d", "1", "(?:)"])
_TREES = st.recursive(
    _PIECES,
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=3).map("".join),
        st.lists(inner, min_size=1, max_size=3).map(lambda items: "(?:" + "|".join(items) + ")"),
        st.builds("({})".format, inner),
        st.builds("(?:{}){}".format, inner, st.sampled_from(["*", "+", "?", "*?", "{2}", "{0,2}", "{1,}"])),
    ),
    max_leaves=6,
)


@given(_TREES, st.lists(st.text("ab.1\n-", max_size=6), min_size=1, max_size=8))
def test_patterns_that_python_reads_alike_give_the_same_answer(pattern: str, values: list[str]) -> None:
    """Whether a value fits is the same question to both where the syntax means the same."""
    found = regex.pattern(pattern)
    for value in values:
        assert found.matches(value) == expected(pattern, value)
        assert (found.groups(value) is not None) == expected(pattern, value)
    if found.literals is not None:
        assert all(expected(pattern, word) for word in found.literals)


def _quoted(text: str) -> str:
    return '"' + "".join(f"\\U{ord(c):08x}" if not c.isalnum() or not c.isascii() else c for c in text) + '"'


def test_prometheus_gives_the_same_answers() -> None:
    """Each pattern and value, asked of a real Prometheus: what fits, what the groups hold, what is refused."""
    try:
        with Prometheus() as server:
            for pattern in PATTERNS:
                if server.version < (3, 0) and "(?<" in pattern:
                    continue  # Go had no such groups yet
                found = regex.pattern(pattern)
                count = len(found.names)
                whole = f"({pattern})" if count == 0 else pattern
                # Before 3.0 the dot did not fit a line feed.
                asked = whole if server.version >= (3, 0) else f"(?s:{whole})"
                answered = "|".join(f"<${{{i}}}>" for i in range(1, max(count, 1) + 1))
                expression = " or ".join(
                    f'label_replace(label_replace(vector({i}), "v", {_quoted(value)}, "", ""), '
                    f'"g", {_quoted(answered)}, "v", {_quoted(asked)})'
                    for i, value in enumerate(VALUES)
                )
                answer = server.get("/api/v1/query", query=expression, time="1700000000")
                assert answer.status == 200, (pattern, answer.body)
                theirs = {int(r["value"][1]): r["metric"].get("g") for r in answer.body["data"]["result"]}
                for i, value in enumerate(VALUES):
                    groups = regex.pattern(whole).groups(value)
                    ours = None if groups is None else "|".join(f"<{g or ''}>" for g in groups[1:])
                    assert ours == theirs.get(i), (pattern, value)
            for pattern in REFUSED:
                answer = server.get("/api/v1/query", query=f"x{{a=~{_quoted(pattern)}}}", time="1700000000")
                assert answer.status == 400, (pattern, answer.body)
    except FileNotFoundError:
        pytest.skip(f"{INSTALLED} is not installed")
