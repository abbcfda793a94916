r"""Reads a regular expression in RE2's syntax (https://github.com/google/re2/wiki/Syntax) into a tree.

Python's ``re`` differs in too many places (``\d`` and ``\w`` of all scripts, ``$`` before a last line feed, named
groups, octal escapes) and takes exponential time for some patterns; so patterns are read and matched here.
"""

from __future__ import annotations

import functools
import sys
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass

MOST_REPEATS = 1000  # as RE2 and Go have it, also for repeats of repeats
_DEEPEST = 150  # nested groups; Go allows 1000, which needs a deeper stack than Python's

Ranges = tuple[tuple[int, int], ...]  # of code points, ascending, both ends included, none touching the next

_LAST = sys.maxunicode
ANY: Ranges = ((0, _LAST),)
NOT_NEWLINE: Ranges = ((0, 9), (11, _LAST))
_DIGIT: Ranges = ((48, 57),)
_SPACE: Ranges = ((9, 10), (12, 13), (32, 32))
WORD: Ranges = ((48, 57), (65, 90), (95, 95), (97, 122))
_PERL = {"d": _DIGIT, "s": _SPACE, "w": WORD}
_POSIX: dict[str, Ranges] = {
    "alnum": ((48, 57), (65, 90), (97, 122)),
    "alpha": ((65, 90), (97, 122)),
    "ascii": ((0, 127),),
    "blank": ((9, 9), (32, 32)),
    "cntrl": ((0, 31), (127, 127)),
    "digit": _DIGIT,
    "graph": ((33, 126),),
    "lower": ((97, 122),),
    "print": ((32, 126),),
    "punct": ((33, 47), (58, 64), (91, 96), (123, 126)),
    "space": ((9, 13), (32, 32)),
    "upper": ((65, 90),),
    "word": WORD,
    "xdigit": ((48, 57), (65, 70), (97, 102)),
}
_CONTROL = {"a": 7, "f": 12, "t": 9, "n": 10, "r": 13, "v": 11}


@dataclass(frozen=True, slots=True)
class Chars:
    """One character out of a set."""

    ranges: Ranges


@dataclass(frozen=True, slots=True)
class Sequence:
    """One after the other; none of them is the empty text."""

    items: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Choice:
    """One of them, the first that fits preferred."""

    items: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Repeat:
    """As often as ``least`` to ``most`` (None: without bound)."""

    item: Node
    least: int
    most: int | None
    greedy: bool


@dataclass(frozen=True, slots=True)
class Group:
    """A part whose text is asked for; numbered from 1."""

    item: Node
    number: int


@dataclass(frozen=True, slots=True)
class Place:
    """A condition on a place: one of ``begin end line_begin line_end word no_word``."""

    kind: str


Node = Chars | Sequence | Choice | Repeat | Group | Place
EMPTY = Sequence(())


class PatternError(ValueError):
    """A pattern that RE2 refuses, or that is not supported here; ``place`` counts characters from 0."""

    def __init__(self, problem: str, place: int) -> None:
        super().__init__(f"{problem} at character {place + 1}")
        self.place = place


def join(ranges: Iterable[tuple[int, int]]) -> Ranges:
    """The same set, in order and without overlaps."""
    joined: list[tuple[int, int]] = []
    for low, high in sorted(ranges):
        if joined and low <= joined[-1][1] + 1:
            joined[-1] = (joined[-1][0], max(joined[-1][1], high))
        else:
            joined.append((low, high))
    return tuple(joined)


def complement(ranges: Ranges) -> Ranges:
    """All other characters."""
    found, begin = [], 0
    for low, high in ranges:
        if low > begin:
            found.append((begin, low - 1))
        begin = high + 1
    if begin <= _LAST:
        found.append((begin, _LAST))
    return tuple(found)


@functools.lru_cache(maxsize=1)
def _orbits() -> dict[int, tuple[int, ...]]:
    """Letters beyond ASCII (and those of ASCII that have such relatives) with all that differ in case only."""
    by_fold: dict[str, list[int]] = {}
    for code in range(_LAST + 1):
        char = chr(code)
        folded = char.casefold()
        if len(folded) != 1:
            folded = char.lower() if len(char.lower()) == 1 else char
        if folded != char or char.upper() != char:
            by_fold.setdefault(folded, []).append(code)
    return {code: tuple(codes) for codes in by_fold.values() if len(codes) > 1 for code in codes}


def fold(ranges: Ranges) -> Ranges:
    """The set with all that differs from a member in case only."""
    found = list(ranges)
    if ranges and ranges[-1][1] < 128:
        for low, high in ranges:
            for code in range(max(low, 65), min(high, 122) + 1):
                other = code ^ 32
                if 65 <= other <= 90 or 97 <= other <= 122:
                    found.append((other, other))
                    if other in {75, 107}:
                        found.append((0x212A, 0x212A))  # the sign of the kelvin
                    elif other in {83, 115}:
                        found.append((0x17F, 0x17F))  # the long s
        return join(found)
    if ranges in {ANY, NOT_NEWLINE}:
        return ranges
    members = _orbits()
    for code, others in members.items():
        if any(low <= code <= high for low, high in ranges):
            found.extend((other, other) for other in others)
    return join(found)


@functools.lru_cache(maxsize=64)
def _category(name: str) -> Ranges | None:
    """Characters of a general category of Unicode such as L or Lu; None where there is none of that name."""
    if name == "Any":
        return ANY
    categories = map(unicodedata.category, map(chr, range(_LAST + 1)))
    codes = [code for code, category in enumerate(categories) if category.startswith(name) and category != "Cn"]
    return join((code, code) for code in codes) if codes and name else None


@dataclass(slots=True)
class Parsed:
    """A pattern's tree, and its groups' names ("" for those without), in order."""

    tree: Node
    names: tuple[str, ...]


def parse(pattern: str, *, dot_all: bool = True) -> Parsed:
    r"""The tree of a pattern; ``dot_all`` as under RE2's flag ``s``, as Prometheus 3 has it.

    Raises:
        PatternError: RE2 would refuse the pattern, or it asks for what is not supported (scripts such as
            ``\p{Greek}``, groups nested more than 150 deep).
    """
    reader = _Reader(pattern, dot_all)
    tree = reader.choice(0)
    if reader.at < len(pattern):
        raise PatternError("unexpected )", reader.at)
    return Parsed(tree, tuple(reader.names))


class _Reader:
    def __init__(self, text: str, dot_all: bool) -> None:
        self.text = text
        self.at = 0
        self.flags = frozenset("s") if dot_all else frozenset[str]()
        self.names: list[str] = []

    def choice(self, depth: int) -> Node:
        """Alternatives up to the closing parenthesis or the end; flags that are set inside end with it."""
        if depth > _DEEPEST:
            raise PatternError("groups are nested too deeply", self.at)
        flags = self.flags
        items = [self.sequence(depth)]
        while self.text.startswith("|", self.at):
            self.at += 1
            items.append(self.sequence(depth))
        self.flags = flags
        return items[0] if len(items) == 1 else Choice(tuple(items))

    def sequence(self, depth: int) -> Node:
        items: list[Node] = []
        repeatable = repeated = False  # is there something to repeat, and has it just been repeated
        while self.at < len(self.text):
            char, start = self.text[self.at], self.at
            if char in "|)":
                break
            counts = self.repeat() if char in "*+?{" else None
            if counts is not None:
                if not repeatable:
                    raise PatternError(f"missing argument to repetition operator {self.text[start : self.at]}", start)
                if repeated:
                    raise PatternError(f"invalid nested repetition operator {self.text[start : self.at]}", start)
                item = Repeat(items[-1], *counts)
                if _repeats(item) > MOST_REPEATS:
                    raise PatternError("invalid repeat count", start)
                items[-1] = item
                repeated = True
                continue
            repeated = False
            if self.text.startswith("\\Q", self.at):
                quoted = self.quoted()
                items.extend(quoted)
                repeatable = repeatable or bool(quoted)
                continue
            item_or_none = self.item(depth)
            if item_or_none is not None:
                items.append(item_or_none)
                repeatable = True
        kept = tuple(item for item in items if item != EMPTY)
        return kept[0] if len(kept) == 1 else Sequence(kept)

    def repeat(self) -> tuple[int, int | None, bool] | None:
        """The repetition that stands here; None where a brace is only a brace."""
        start, char = self.at, self.text[self.at]
        if char == "{":
            end = self.text.find("}", start)
            low, comma, high = self.text[start + 1 : end].partition(",") if end > 0 else ("", "", "")
            if not _is_number(low) or (high and not _is_number(high)):
                return None
            least, most = int(low), (int(high) if high else None if comma else int(low))
            if least > MOST_REPEATS or (most is not None and (most > MOST_REPEATS or most < least)):
                raise PatternError(f"invalid repeat count {self.text[start : end + 1]}", start)
            self.at = end + 1
        else:
            least, most = {"*": (0, None), "+": (1, None), "?": (0, 1)}[char]
            self.at += 1
        lazy = self.text.startswith("?", self.at)
        self.at += lazy
        return least, most, lazy == ("U" in self.flags)

    def item(self, depth: int) -> Node | None:
        """What stands here; None for flags, which are nothing by themselves."""
        char = self.text[self.at]
        if char == "(":
            return self.group(depth)
        if char == "[":
            return Chars(self.char_class())
        if char == "\\":
            return self.escape()
        self.at += 1
        if char == ".":
            return Chars(ANY if "s" in self.flags else NOT_NEWLINE)
        if char == "^":
            return Place("line_begin" if "m" in self.flags else "begin")
        if char == "$":
            return Place("line_end" if "m" in self.flags else "end")
        return self.one(ord(char))

    def one(self, code: int) -> Chars:
        ranges: Ranges = ((code, code),)
        return Chars(fold(ranges) if "i" in self.flags else ranges)

    def group(self, depth: int) -> Node | None:
        start = self.at
        self.at += 1
        number = 0
        outer = self.flags
        if self.text.startswith("?", self.at):
            named = next((mark for mark in ("?P<", "?<") if self.text.startswith(mark, self.at)), None)
            if self.text.startswith(("?=", "?!", "?<=", "?<!", "?>"), self.at) or (
                self.text.startswith("?P", self.at) and named != "?P<"
            ):
                raise PatternError(f"invalid or unsupported Perl syntax {self.text[start : start + 4]}", start)
            if named is not None:
                number = self.name(start, self.at + len(named))
            elif self.flag_group(start):
                return None
        else:
            self.names.append("")
            number = len(self.names)
        inner = self.choice(depth + 1)
        if not self.text.startswith(")", self.at):
            raise PatternError("missing closing )", start)
        self.at += 1
        self.flags = outer
        return Group(inner, number) if number else inner

    def name(self, start: int, begin: int) -> int:
        end = self.text.find(">", begin)
        name = self.text[begin:end] if end > 0 else ""
        if not name or not all(char == "_" or (char.isascii() and char.isalnum()) for char in name):
            raise PatternError("invalid named capture", start)
        if name in self.names:
            raise PatternError(f"duplicate capture group name {name}", start)
        self.names.append(name)
        self.at = end + 1
        return len(self.names)

    def flag_group(self, start: int) -> bool:
        """Reads ``?flags)`` (True: it holds for what follows) or ``?flags:``."""
        flags, on, some = set(self.flags), True, False
        self.at += 1
        while self.at < len(self.text):
            char = self.text[self.at]
            self.at += 1
            if char in "imsU":
                (flags.add if on else flags.discard)(char)
                some = True
            elif char == "-" and on:
                on, some = False, False
            elif char in ":)" and (on or some):
                self.flags = frozenset(flags)
                return char == ")"
            else:
                break
        raise PatternError(f"invalid or unsupported Perl syntax {self.text[start : self.at]}", start)

    def escape(self) -> Node:
        start = self.at
        char = self.text[start + 1 : start + 2]
        if char in {"A", "z", "b", "B"} and char:
            self.at += 2
            return Place({"A": "begin", "z": "end", "b": "word", "B": "no_word"}[char])
        ranges = self.class_escape()
        return Chars(ranges) if ranges is not None else self.one(self.code())

    def quoted(self) -> list[Chars]:
        r"""What stands between ``\Q`` and ``\E``, or the end."""
        begin = self.at + 2
        end = self.text.find("\\E", begin)
        text = self.text[begin : end if end >= 0 else len(self.text)]
        self.at = end + 2 if end >= 0 else len(self.text)
        return [self.one(ord(char)) for char in text]

    def class_escape(self) -> Ranges | None:
        r"""The set behind ``\d`` or ``\pL``; None where it is no such escape."""
        start = self.at
        char = self.text[start + 1 : start + 2]
        if char and char.lower() in _PERL:
            self.at += 2
            ranges = _PERL[char.lower()]
            if "i" in self.flags:
                ranges = fold(ranges)
            return complement(ranges) if char.isupper() else ranges
        if not char or char not in "pP":
            return None
        name = self.text[start + 2 : start + 3]
        self.at += 3
        if name == "{":
            end = self.text.find("}", start)
            name = self.text[start + 3 : end] if end > 0 else ""
            self.at = end + 1
        negated = (char == "P") != name.startswith("^")
        found = _category(name.removeprefix("^"))
        if found is None:
            raise PatternError(f"unknown or unsupported character class {self.text[start : self.at]}", start)
        if "i" in self.flags:
            found = fold(found)
        return complement(found) if negated else found

    def code(self) -> int:
        """The code point of an escape for one character."""
        start = self.at
        char = self.text[start + 1 : start + 2]
        self.at += 2
        if not char:
            raise PatternError("trailing backslash", start)
        if char in _CONTROL:
            return _CONTROL[char]
        if char in "01234567" and (char == "0" or self.text[self.at : self.at + 1] in set("01234567")):
            digits = char
            while len(digits) < 3 and self.text[self.at : self.at + 1] in set("01234567"):
                digits += self.text[self.at]
                self.at += 1
            return int(digits, 8)
        if char == "x":
            if self.text.startswith("{", self.at):
                end = self.text.find("}", self.at)
                digits = self.text[self.at + 1 : end] if end > 0 else ""
                self.at = end + 1
            else:
                digits = self.text[self.at : self.at + 2]
                digits = digits if len(digits) == 2 else ""
                self.at += 2
            if digits and all(c in "0123456789abcdefABCDEF" for c in digits) and int(digits, 16) <= _LAST:
                return int(digits, 16)
        elif char.isascii() and not char.isalnum():
            return ord(char)
        raise PatternError(f"invalid escape sequence {self.text[start : max(self.at, start + 2)]}", start)

    def char_class(self) -> Ranges:
        start = self.at
        self.at += 1
        negated = self.text.startswith("^", self.at)
        self.at += negated
        found: list[tuple[int, int]] = []
        first = True
        while first or not self.text.startswith("]", self.at):
            if self.at >= len(self.text):
                raise PatternError("missing closing ]", start)
            first = False
            posix = self.posix_class()
            if posix is None and self.text[self.at] == "\\":
                posix = self.class_escape()
            if posix is not None:
                found.extend(posix)
                continue
            begin = self.at
            low = high = self.class_char(start)
            if self.text.startswith("-", self.at) and self.text[self.at + 1 : self.at + 2] not in {"", "]"}:
                self.at += 1
                high = self.class_char(start)
                if high < low:
                    raise PatternError(f"invalid character class range {self.text[begin : self.at]}", begin)
            found.extend(fold(((low, high),)) if "i" in self.flags else ((low, high),))
        self.at += 1
        return complement(join(found)) if negated else join(found)

    def class_char(self, start: int) -> int:
        if self.at >= len(self.text):
            raise PatternError("missing closing ]", start)
        if self.text[self.at] == "\\":
            return self.code()
        self.at += 1
        return ord(self.text[self.at - 1])

    def posix_class(self) -> Ranges | None:
        if not self.text.startswith("[:", self.at):
            return None
        end = self.text.find(":]", self.at + 2)
        if end < 0:
            return None
        name = self.text[self.at + 2 : end]
        ranges = _POSIX.get(name.removeprefix("^"))
        if ranges is None:
            raise PatternError(f"invalid character class range [:{name}:]", self.at)
        self.at = end + 2
        if "i" in self.flags:
            ranges = fold(ranges)
        return complement(ranges) if name.startswith("^") else ranges


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and (text == "0" or text[0] != "0")


def _repeats(node: Node) -> int:
    """How often the most repeated character stands there once repeats are written out."""
    if isinstance(node, Repeat):
        times = node.least if node.most is None else node.most
        return max(times, 1) * _repeats(node.item)
    if isinstance(node, Sequence | Choice):
        return max(map(_repeats, node.items), default=1)
    return _repeats(node.item) if isinstance(node, Group) else 1
