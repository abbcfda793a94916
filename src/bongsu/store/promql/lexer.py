"""PromQL text to words, each with its place, as Prometheus 3 tells them apart."""

from __future__ import annotations

import re
from typing import NamedTuple

from bongsu.model.message import Message

_WORDS = re.compile(
    r"""
      (?P<space>(?:\s|\#[^\n]*)+)
    | (?P<string>"(?:[^"\\\n]|\\.)*" | '(?:[^'\\\n]|\\.)*' | `[^`]*`)
    | (?P<duration>(?:[0-9]+(?:ms|[smhdwy]))+(?![0-9A-Za-z_.]))
    | (?P<number>(?:0[xX](?:_?[0-9a-fA-F])+
        | (?:[0-9](?:_?[0-9])*(?:\.(?:[0-9](?:_?[0-9])*)?)?|\.[0-9](?:_?[0-9])*)(?:[eE][-+]?[0-9](?:_?[0-9])*)?
      )(?![0-9A-Za-z_.]))
    | (?P<word>[A-Za-z_][A-Za-z0-9_:]*)
    | (?P<sign>==|=~|!=|!~|<=|>=|[-+*/%^<>=(){}\[\],@])
    """,
    re.VERBOSE,
)
_COLON_WORD = re.compile(r":[A-Za-z0-9_:]*")
_PLAIN_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_RUN = re.compile(r"[0-9A-Za-z_.]+")
_NUMBER_START = re.compile(r"\.?[0-9]")
_PART = re.compile(r"([0-9]+)(ms|[smhdwy])")
_ESCAPE = re.compile(r"\\(?:(x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|[0-7]{3})|(.))", re.DOTALL)
_ESCAPED = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}
_MILLISECONDS = {
    "y": 365 * 86_400_000,
    "w": 7 * 86_400_000,
    "d": 86_400_000,
    "h": 3_600_000,
    "m": 60_000,
    "s": 1000,
    "ms": 1,
}
MOST_MILLISECONDS = (2**63 - 1) // 1_000_000  # Go counts durations in nanoseconds of 63 bits: 292 years


class Mistake(Exception):  # noqa: N818  # the user's, not an error of the program
    """Something in a query that is not PromQL; ``start`` and ``end`` are its place in the text.

    ``kind`` is unsupported for what is PromQL and not answered here.
    """

    def __init__(self, start: int, end: int, message: Message, kind: str = "bad_data") -> None:
        super().__init__(message)
        self.kind = kind
        self.start = start
        self.end = end
        self.message = message


class Word(NamedTuple):
    """One word; ``kind`` is string, duration, number, word, sign or end. A sign's text tells which it is."""

    kind: str
    text: str
    start: int
    end: int


def words(text: str) -> list[Word]:
    """All words of a query and an ``end``.

    Raises:
        Mistake: characters that begin no word of PromQL.
    """
    found: list[Word] = []
    place = 0
    in_braces = in_brackets = False
    while place < len(text):
        match = _WORDS.match(text, place)
        if match is None or match.lastgroup is None:
            if text[place] == ":":
                end = place + 1 if in_brackets else _end_of_colon_word(text, place)
                found.append(Word("sign" if in_brackets else "word", text[place:end], place, end))
                place = end
                continue
            raise _unreadable(text, place)
        kind, end = match.lastgroup, match.end()
        if kind == "word" and in_braces:
            plain = _PLAIN_WORD.match(text, place)
            assert plain is not None
            end = plain.end()
        if kind != "space":
            found.append(Word(kind, text[place:end], place, end))
        if kind == "sign":
            sign = text[place:end]
            in_braces = sign == "{" or (in_braces and sign != "}")
            in_brackets = sign == "[" or (in_brackets and sign != "]")
        place = end
    found.append(Word("end", "", len(text), len(text)))
    return found


def duration_ms(word: Word) -> int:
    """A duration or a number of seconds, in milliseconds.

    Raises:
        Mistake: its units are out of order, or it is longer than 292 years.
    """
    if word.kind == "number":
        total = number(word.text) * 1000
    else:
        parts = _PART.findall(word.text)
        order = [list(_MILLISECONDS).index(unit) for _, unit in parts]
        if order != sorted(set(order)):
            raise Mistake(
                word.start,
                word.end,
                Message(
                    'the units of the duration "{found}" are in the wrong order; write them as 1w2d3h4m5s6ms, each once',
                    found=word.text,
                ),
            )
        total = sum(int(count) * _MILLISECONDS[unit] for count, unit in parts)
    if not total <= MOST_MILLISECONDS:
        raise Mistake(
            word.start, word.end, Message('the duration "{found}" is too long; 292 years are allowed', found=word.text)
        )
    return int(total)


def unquoted(word: Word) -> str:
    """What a string says.

    Raises:
        Mistake: a backslash before something that Go does not escape.
    """
    inside = word.text[1:-1]
    if word.text[0] == "`" or "\\" not in inside:
        return inside
    said: list[bytes] = []
    place = 0
    for match in _ESCAPE.finditer(inside):
        said.append(inside[place : match.start()].encode())
        place = match.end()
        code, simple = match.groups()
        if simple and (simple == "\\" or simple == word.text[0] or simple in _ESCAPED):
            said.append(_ESCAPED.get(simple, simple).encode())
        elif code and code[0] in "uU" and _is_character(int(code[1:], 16)):
            said.append(chr(int(code[1:], 16)).encode())
        elif code and code[0] == "x":
            said.append(bytes([int(code[1:], 16)]))
        elif code and code[0] not in "uU" and int(code, 8) < 256:
            said.append(bytes([int(code, 8)]))
        else:
            start = word.start + 1 + match.start()
            raise Mistake(
                start,
                start + max(len(match.group()), 2),
                Message('unexpected "{found}" in a string; write two backslashes for one', found=match.group()),
            )
    said.append(inside[place:].encode())
    return b"".join(said).decode(errors="replace")


def quoted(text: str) -> str:
    """A text as a string of PromQL."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'


def _is_character(code: int) -> bool:
    return code <= 0x10FFFF and not 0xD800 <= code <= 0xDFFF


def number(text: str) -> float:
    """The value of a number: decimal or hexadecimal, with ``_`` between digits."""
    plain = text.replace("_", "")
    return float(int(plain, 16)) if plain[:2] in {"0x", "0X"} else float(plain)


def _end_of_colon_word(text: str, place: int) -> int:
    """Where a metric's name ends that begins with a colon."""
    match = _COLON_WORD.match(text, place)
    assert match is not None
    return match.end()


def _unreadable(text: str, place: int) -> Mistake:
    """What is wrong with the characters at ``place``."""
    character = text[place]
    if character in "\"'`":
        line = text.find("\n", place) if character != "`" else -1
        return Mistake(place, len(text) if line < 0 else line, Message("a string begins here and never ends"))
    if _NUMBER_START.match(text, place):
        match = _RUN.match(text, place)
        assert match is not None
        return Mistake(
            place,
            match.end(),
            Message('"{found}" is neither a number nor a duration such as 5m or 1h30m', found=match.group()),
        )
    return Mistake(place, place + 1, Message('unexpected "{found}"; PromQL has no such sign', found=character))
