"""Where a query departs from PromQL: a reader of the grammar that finds the place and says what is allowed there.

The tree comes from promql_parser, whose errors name no place, and which takes some things that Prometheus 3.5 refuses.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from bongsu.model.errors import BadInput
from bongsu.model.message import Message
from bongsu.store import regex
from bongsu.store.promql.cursor import Cursor, Part
from bongsu.store.promql.lexer import Mistake, Word, duration_ms, number, unquoted
from bongsu.store.promql.mistakes import SHOWN, count, experimental, named_twice, wrong
from bongsu.store.promql.signatures import AGGREGATIONS, EXPERIMENTAL, FUNCTIONS
from bongsu.store.series import Matcher, Op

LAST_SECOND = 253_402_300_800  # the year 10000
# The parser and the evaluator use the stack: both limits are far from where it ends, and from any real query.
MOST_NESTED = 64
MOST_OPERATORS = 1000
_STRENGTH: Mapping[str, int] = {  # how tightly an operator binds
    "or": 1,
    **dict.fromkeys(("and", "unless"), 2),
    **dict.fromkeys(("==", "!=", "<", "<=", ">", ">="), 3),
    **dict.fromkeys(("+", "-"), 4),
    **dict.fromkeys(("*", "/", "%", "atan2"), 5),
    "^": 6,
}
_SETS = frozenset({"and", "or", "unless"})
_COMPARISONS = frozenset({"==", "!=", "<", "<=", ">", ">="})
_NOT_NAMES = frozenset({"on", "ignoring", "group_left", "group_right", "bool", "atan2", "inf", "nan"})
_NOT_FUNCTIONS = frozenset({"and", "or", "unless", "offset", "by", "without", "start", "end"})
_EXPRESSION = "an expression is expected"


def check(text: str) -> str:
    """Read a whole query and say what kind of value it gives: vector, scalar, matrix or string.

    Raises:
        Mistake: with the place of the first one.
    """
    return Recogniser(text).query().kind


class Recogniser(Cursor):
    """Reads the grammar; each method reads one kind of thing and says what it is."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.depth = 0
        self.operators = 0

    def query(self) -> Part:
        """The whole text."""
        part = self.expression(1)
        if self.word.kind != "end":
            raise self.unexpected("an operator or the end of the query is expected")
        return part

    def operator(self) -> str:
        """The binary operator that comes next, or ""."""
        text = self.word.text if self.word.kind == "sign" else self.keyword()
        return text if text in _STRENGTH else ""

    def nested(self, read: Callable[[], Part]) -> Part:
        """Read something inside of something; too deep nesting is refused."""
        self.depth += 1
        if self.depth > MOST_NESTED:
            raise Mistake(
                self.word.start,
                self.word.end,
                Message("nested too deeply; {most} levels are allowed", most=MOST_NESTED),
            )
        part = read()
        self.depth -= 1
        return part

    def expression(self, weakest: int) -> Part:
        """Operands and the operators between them that bind at least as tightly as ``weakest``."""
        left = self.unary()
        while (op := self.operator()) and _STRENGTH[op] >= weakest:
            word = self.take()
            self.operators += 1
            if self.operators > MOST_OPERATORS:
                raise Mistake(word.start, word.end, Message("more than {most} operators", most=MOST_OPERATORS))
            modifiers = self.matching(op)
            strength = _STRENGTH[op]
            right = self.nested(lambda: self.expression(strength if op == "^" else strength + 1))  # noqa: B023  # called at once
            left = _joined(op, word, left, right, modifiers)
        return left

    def unary(self) -> Part:
        """An operand with its signs; ``-2 ^ 2`` is ``-(2 ^ 2)``."""
        if self.word.kind == "sign" and self.word.text in {"+", "-"}:
            start = self.take().start
            part = self.nested(lambda: self.expression(_STRENGTH["^"]))
            if part.kind not in {"vector", "scalar"}:
                raise wrong(part, "a sign goes before an instant vector or a number; this is {kind}")
            return Part(part.kind, "expression", start, part.end)
        return self.postfix(self.operand())

    def matching(self, op: str) -> dict[str, list[str] | None]:
        """``bool``, ``on`` or ``ignoring``, ``group_left`` or ``group_right`` after an operator."""
        found: dict[str, list[str] | None] = {}
        if self.keyword() == "bool":
            word = self.take()
            if op not in _COMPARISONS:
                raise Mistake(word.start, word.end, Message('"bool" goes only with a comparison such as > or =='))
            found["bool"] = None
        if self.keyword() in {"on", "ignoring"}:
            clause = self.take().text.lower()
            found[clause] = self.label_list()
            if self.keyword() in {"group_left", "group_right"}:
                word = self.take()
                names = self.label_list() if self.word.kind == "sign" and self.word.text == "(" else []
                if op in _SETS:
                    raise Mistake(
                        word.start, word.end, Message('"{found}" does not go with "{op}"', found=word.text, op=op)
                    )
                twice = set(names) & set(found[clause] or ()) if clause == "on" else set()
                if twice:
                    raise Mistake(
                        word.start,
                        self.words[self.place - 1].end,
                        Message('the label "{label}" is in on() and in the group too', label=min(twice)),
                    )
        return found

    def operand(self) -> Part:
        """A number, a string, a selector, a call, an aggregation, or an expression in parentheses."""
        word = self.word
        if word.kind in {"number", "duration"}:
            self.take()
            if word.kind == "duration":
                duration_ms(word)
            elif math.isinf(number(word.text)):
                raise Mistake(word.start, word.end, Message("the number is too large for 64 bits; write Inf"))
            return Part("scalar", "literal", word.start, word.end)
        if word.kind == "string":
            self.take()
            unquoted(word)
            return Part("string", "literal", word.start, word.end)
        if self.sign("("):
            part = self.nested(lambda: self.expression(1))
            return Part(part.kind, "parentheses", word.start, self.need(")", 'an operator or ")" is expected').end)
        if word.kind == "sign" and word.text == "{":
            return self.selector(None)
        if word.kind != "word":
            raise self.unexpected(_EXPRESSION)
        return self.named()

    def named(self) -> Part:
        """What begins with a word."""
        word = self.take()
        lower = word.text.lower()
        after = self.word.text.lower() if self.word.kind in {"sign", "word"} else ""
        if lower in {"inf", "nan"}:
            return Part("scalar", "literal", word.start, word.end)
        if lower in AGGREGATIONS and after in {"(", "by", "without"}:
            return self.aggregation(word)
        if lower in _NOT_NAMES or (after == "(" and lower in _NOT_FUNCTIONS):
            self.place -= 1
            raise self.unexpected(_EXPRESSION)
        if after == "(" and ":" not in word.text:
            return self.call(word)
        return self.selector(word)

    def selector(self, name: Word | None) -> Part:
        """A metric's name, conditions on labels in braces, or both."""
        start = name.start if name is not None else self.word.start
        end = name.end if name is not None else start
        if not self.sign("{"):
            return Part("vector", "selector", start, end)
        strict = name is not None
        while not self.sign("}"):
            word = self.word
            if word.kind not in {"word", "string"}:
                raise self.unexpected('a condition such as job="node" or "}" is expected')
            self.take()
            label = word.text if word.kind == "word" else unquoted(word)
            compared = self.word.text if self.word.kind == "sign" else ""
            if compared in {"=", "!=", "=~", "!~"}:
                self.take()
                if self.word.kind != "string":
                    raise self.unexpected("a value in quotes is expected")
                value = self.take()
                if label == "__name__" and name is not None:
                    raise named_twice(word, value)
                strict = _asks_for_something(compared, unquoted(value), value) or strict
            elif word.kind == "string":
                if name is not None:
                    raise named_twice(word, word)
                strict = True
            else:
                raise self.unexpected("one of = != =~ !~ is expected")
            if not self.sign(",") and not (self.word.kind == "sign" and self.word.text == "}"):
                raise self.unexpected('"," or "}" is expected')
        end = self.words[self.place - 1].end
        if not strict:
            raise Mistake(
                start,
                end,
                Message("every series would fit; give a metric's name, or a condition that an absent label fails"),
            )
        return Part("vector", "selector", start, end)

    def arguments(self) -> list[Part]:
        """What stands in the parentheses of a call."""
        self.need("(", '"(" is expected')
        found: list[Part] = []
        if self.sign(")"):
            return found
        while True:
            found.append(self.nested(lambda: self.expression(1)))
            if self.sign(")"):
                return found
            if not self.sign(","):
                raise self.unexpected('an operator, "," or ")" is expected')

    def call(self, name: Word) -> Part:
        """A function with its arguments."""
        signature = FUNCTIONS.get(name.text)
        if signature is None:
            raise Mistake(name.start, name.end, Message('there is no function "{name}"', name=name.text))
        if name.text in EXPERIMENTAL:
            raise experimental(name)
        arguments = self.arguments()
        end = self.words[self.place - 1].end
        for index, part in enumerate(arguments):
            kind = signature.argument(index)
            if kind is None:
                raise count(name, part.start, part.end, len(signature.needed + signature.optional), len(arguments))
            if part.kind != kind:
                raise wrong(part, "{name}() needs {needed} here; this is {kind}", name=name.text, needed=SHOWN[kind])
        if len(arguments) < len(signature.needed):
            raise count(name, name.start, end, len(signature.needed), len(arguments))
        return Part(signature.gives, "call", name.start, end)

    def aggregation(self, name: Word) -> Part:
        """An aggregation; its labels come before or after its arguments."""
        op = name.text.lower()
        if op in EXPERIMENTAL:
            raise experimental(name)
        before = self.keyword() in {"by", "without"}
        if before:
            self.take()
            self.label_list()
        arguments = self.arguments()
        end = self.words[self.place - 1].end
        if not before and self.keyword() in {"by", "without"}:
            self.take()
            self.label_list()
            end = self.words[self.place - 1].end
        kinds = ["scalar"] if AGGREGATIONS[op] == "s" else ["string"] if AGGREGATIONS[op] else []
        kinds.append("vector")
        if len(arguments) != len(kinds):
            raise count(name, name.start, end, len(kinds), len(arguments))
        for kind, part in zip(kinds, arguments, strict=True):
            if part.kind != kind:
                raise wrong(part, "{name} needs {needed} here; this is {kind}", name=op, needed=SHOWN[kind])
        return Part("vector", "aggregation", name.start, end)

    def postfix(self, part: Part) -> Part:
        """Ranges, subqueries, ``offset`` and ``@`` after an operand."""
        while True:
            if self.word.kind == "sign" and self.word.text == "[":
                part = self.brackets(part)
            elif self.keyword() == "offset":
                word = self.take()
                begin = self.place
                self.signs()
                several = self.place > begin + 1
                if self.word.kind not in {"duration", "number"}:
                    raise self.unexpected("a duration such as 5m is expected")
                last = self.take()
                duration_ms(last)
                if several and self.word.kind == "sign" and self.word.text in "+-*/%^":
                    raise self.unexpected("an offset with several signs is reckoned with what follows")
                there = part.modifiers
                part = self.modified(part, word, "offset")
                if duration_ms(last) == 0:  # as if it were not there
                    part.modifiers = there
                    self.idle.append((word.start, last.end))
            elif self.word.kind == "sign" and self.word.text == "@":
                word = self.take()
                if self.keyword() in {"start", "end"}:
                    self.take()
                    self.need("(")
                    self.need(")")
                else:
                    self.signed(("number", "duration"), "a Unix time, start() or end() is expected", _timestamp)
                part = self.modified(part, word, "@")
            else:
                return part

    def signed(self, kinds: tuple[str, ...], allowed: str, read: Callable[[Word, bool], object]) -> None:
        """A number or a duration that may have a sign."""
        negative = self.word.text == "-"
        if self.word.kind == "sign" and self.word.text in {"+", "-"}:
            self.take()
        if self.word.kind not in kinds:
            raise self.unexpected(allowed)
        read(self.take(), negative)

    def signs(self) -> bool:
        """Signs before a duration, of which there may be several; whether they make it negative. One stands for all."""
        minus: list[Word] = []
        idle: list[Word] = []
        while self.word.kind == "sign" and self.word.text in {"+", "-"}:
            (minus if self.word.text == "-" else idle).append(self.take())
        negative = len(minus) % 2 == 1
        idle += minus[1:] if negative else minus
        self.idle += [(word.start, word.end) for word in idle]
        return negative

    def modified(self, part: Part, word: Word, modifier: str) -> Part:
        """``offset`` or ``@``, once each, after what selects samples."""
        end = self.words[self.place - 1].end
        if part.form not in {"selector", "range", "subquery"}:
            raise Mistake(
                word.start, end, Message('"{found}" goes after a selector, a range or a subquery', found=modifier)
            )
        if modifier in part.modifiers:
            raise Mistake(word.start, end, Message('"{found}" is given twice', found=modifier))
        return Part(part.kind, part.form, part.start, end, part.modifiers | {modifier})

    def brackets(self, part: Part) -> Part:
        """A range or a subquery."""
        opening = self.take()
        self.length("a duration such as 5m is expected")
        subquery = self.sign(":")
        if subquery and not (self.word.kind == "sign" and self.word.text == "]"):
            self.length('a duration or "]" is expected')
        end = self.need("]", '"]" is expected' if subquery else '":" or "]" is expected').end
        if subquery:
            if part.kind != "vector":
                raise wrong(part, "a subquery goes after an instant vector; this is {kind}")
            return Part("matrix", "subquery", part.start, end)
        if part.form != "selector":
            raise Mistake(
                opening.start,
                end,
                Message("a range goes only after a selector; write [5m:] for a subquery of an expression"),
            )
        if part.modifiers:
            raise Mistake(
                opening.start, end, Message('"{found}" goes after the range', found=min(part.modifiers, key=len))
            )
        return Part("matrix", "range", part.start, end)

    def length(self, allowed: str) -> None:
        """A duration above zero."""
        negative = self.signs()
        if self.word.kind not in {"duration", "number"}:
            raise self.unexpected(allowed)
        word = self.take()
        if negative or duration_ms(word) <= 0:
            raise Mistake(word.start, word.end, Message("a duration here must be above zero"))


def _joined(op: str, word: Word, left: Part, right: Part, modifiers: Mapping[str, list[str] | None]) -> Part:
    """Two operands with an operator between them."""
    for part in (left, right):
        if part.kind not in {"vector", "scalar"}:
            raise wrong(part, '"{op}" goes between instant vectors and numbers; this is {kind}', op=op)
    kinds = {left.kind, right.kind}
    if op in _SETS and kinds != {"vector"}:
        part = left if left.kind == "scalar" else right
        raise wrong(part, '"{op}" goes between two instant vectors; this is {kind}', op=op)
    if op in _COMPARISONS and kinds == {"scalar"} and "bool" not in modifiers:
        raise Mistake(word.start, word.end, Message('two numbers are compared with "{op} bool"', op=op))
    if kinds != {"vector"} and any(modifiers.get(clause) for clause in ("on", "ignoring")):
        part = left if left.kind == "scalar" else right
        raise wrong(part, "labels are matched between two instant vectors; this is {kind}")
    return Part("vector" if "vector" in kinds else "scalar", "expression", left.start, right.end)


def _asks_for_something(compared: str, value: str, place: Word) -> bool:
    """Whether a condition does not hold where the label is absent."""
    try:
        return not regex.tester(Matcher("", Op(compared), value))("")
    except BadInput as error:
        raise Mistake(place.start, place.end, Message("{problem}", problem=str(error))) from error


def _timestamp(word: Word, negative: bool) -> None:
    """A time that ``@`` can name; the parser knows those from 1970 to the year 9999 only."""
    value = duration_ms(word) / 1000 if word.kind == "duration" else number(word.text)
    if (negative and value != 0) or value >= LAST_SECOND:
        raise Mistake(
            word.start, word.end, Message("times before 1970 and after 9999 are not supported"), "unsupported"
        )
