"""The words of a query read one after another, and what is said of one that cannot be there."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from bongsu.model.message import Message
from bongsu.store.promql.lexer import Mistake, Word, number, quoted, unquoted, words

MOST_WORDS = 20_000
_LEADING_ZERO = re.compile(r"0[\d_]*[eE]")  # promql_parser takes it for octal


@dataclass(slots=True)
class Part:
    """A piece of the query that was read; ``form`` is how it was made, as far as that settles what may follow."""

    kind: str
    form: str
    start: int
    end: int
    modifiers: set[str] = field(default_factory=set)


class Cursor:
    """Reads a query from left to right."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.words = words(text)
        self.place = 0
        self.idle: list[tuple[int, int]] = []  # stretches of the text that change nothing: an offset of 0s
        if len(self.words) > MOST_WORDS:
            over = self.words[MOST_WORDS]
            raise Mistake(over.start, over.end, Message("the query is longer than {most} words", most=MOST_WORDS))

    def plain(self) -> str:
        """The text as promql_parser reads it right: no ``_`` in numbers, no escapes of bytes, no ``offset 0s``."""
        parts: list[str] = []
        place = 0
        idle = iter([*sorted(self.idle), (len(self.text), len(self.text))])
        start, end = next(idle)
        for word in self.words:
            while word.start >= end and start < len(self.text):
                start, end = next(idle)
            if word.start == start < end:
                parts += (self.text[place:start], " ")
                place = end
            if start <= word.start < end:
                continue
            if word.kind == "number" and _LEADING_ZERO.match(word.text):
                new = repr(number(word.text))
            elif word.kind == "number" and "_" in word.text:
                new = word.text.replace("_", "")
            elif word.kind == "string" and "\\" in word.text:
                new = quoted(unquoted(word))
            else:
                continue
            parts += (self.text[place : word.start], new)
            place = word.end
        return "".join((*parts, self.text[place:]))

    @property
    def word(self) -> Word:
        """The word that is read next."""
        return self.words[self.place]

    def unexpected(self, allowed: str) -> Mistake:
        """The next word cannot be there."""
        word = self.word
        if word.kind == "end":
            return Mistake(word.start, word.end, Message("the query ends too early; {allowed}", allowed=allowed))
        return Mistake(
            word.start, word.end, Message('unexpected "{found}"; {allowed}', found=word.text, allowed=allowed)
        )

    def take(self) -> Word:
        """The next word, which is read by this."""
        word = self.words[self.place]
        self.place += 1
        return word

    def sign(self, text: str) -> bool:
        """Whether the next word is this sign, which is then read."""
        if self.word.kind == "sign" and self.word.text == text:
            self.place += 1
            return True
        return False

    def need(self, text: str, allowed: str | None = None) -> Word:
        """A sign that must come next."""
        if not self.sign(text):
            raise self.unexpected(allowed or f'"{text}" is expected')
        return self.words[self.place - 1]

    def keyword(self) -> str:
        """The next word in lower case, "" for what is no word."""
        return self.word.text.lower() if self.word.kind == "word" else ""

    def label_list(self) -> list[str]:
        """Names of labels in parentheses; a comma may end them."""
        self.need("(", "a list of labels such as (instance, job) is expected")
        names: list[str] = []
        while not self.sign(")"):
            word = self.word
            if word.kind == "word" and ":" not in word.text:
                names.append(word.text)
            elif word.kind == "string" and unquoted(word):
                names.append(unquoted(word))
            else:
                raise self.unexpected('the name of a label or ")" is expected')
            self.take()
            if not self.sign(",") and not (self.word.kind == "sign" and self.word.text == ")"):
                raise self.unexpected('"," or ")" is expected')
        return names
