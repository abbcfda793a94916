r"""Regular expressions for label values, as Prometheus 3 has them: RE2's syntax, over the whole value.

RE2 itself matches (google-re2), so any pattern takes time that goes with the value's length and none can hang. ``.``
also fits a line feed. Refused, as Go refuses them: ``\C``, references back, looking ahead or behind.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence

import re2  # type: ignore[import-untyped]  # google-re2 has no type hints

from bongsu.model.errors import BadInput
from bongsu.model.message import Message
from bongsu.store.series import Matcher, Op

_MOST_SHOWN = 120  # characters of a pattern in a message
_SPECIAL = frozenset("\\.+*?()[]{}^$")
_OPTIONS = re2.Options()
_OPTIONS.dot_nl = True
_OPTIONS.log_errors = False


class Pattern:
    """A pattern that is matched against whole values. Several threads may use it.

    ``literals`` are all values that it fits where it is a list of words, else None; ``names`` its groups' names, ""
    for those without.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self.names: tuple[str, ...] = ()
        self.literals = _words(text)
        self._compiled = re2.compile(text, _OPTIONS)
        named = {place: name for name, place in self._compiled.groupindex.items()}
        self.names = tuple(named.get(place, "") for place in range(1, self._compiled.groups + 1))
        if self.literals is not None:
            self.matches: Callable[[str], bool] = self.literals.__contains__
        else:
            self.matches = self._match

    def _match(self, value: str) -> bool:
        return self._compiled.fullmatch(value) is not None

    def groups(self, value: str) -> Sequence[str | None] | None:
        """What each group holds, the whole value first; None where the value does not fit."""
        found = self._compiled.fullmatch(value)
        return None if found is None else (value, *found.groups())


@functools.lru_cache(maxsize=256)
def pattern(text: str) -> Pattern:
    """The pattern, remembered.

    Raises:
        BadInput: it is not understood; the message names the place.
    """
    try:
        text.encode()
        if not _any_byte(text):
            return Pattern(text)
        problem: object = r"invalid escape sequence: \C"
    except (re2.error, UnicodeEncodeError) as error:
        problem = error.args[0] if isinstance(error, re2.error) else "it is not UTF-8"
    said = problem.decode("utf-8", "replace") if isinstance(problem, bytes) else str(problem)
    raise BadInput(
        Message(
            "the regular expression {pattern!r} is not understood: {problem}",
            pattern=text if len(text) <= _MOST_SHOWN else text[:_MOST_SHOWN] + "…", problem=said[:_MOST_SHOWN],
        )
    )  # fmt: skip


def tester(matcher: Matcher) -> Callable[[str], bool]:
    """What tells whether a label's value ("" for an absent label) meets the condition. Raises BadInput."""
    value = matcher.value
    if matcher.op is Op.EQUAL:
        return value.__eq__
    if matcher.op is Op.NOT_EQUAL:
        return value.__ne__
    fits = pattern(value).matches
    return fits if matcher.op is Op.MATCH else lambda text: not fits(text)


def _words(text: str) -> frozenset[str] | None:
    """All texts that fit, where the pattern is words with bars between them, as a dashboard's menu sends them."""
    inner = text.removeprefix("^").removesuffix("$")
    if inner.startswith("(") and inner.endswith(")"):
        inner = inner[1:-1].removeprefix("?:")
    elif inner != text and "|" in inner:
        return None  # ^a|b$ is not ^(a|b)$
    return frozenset(inner.split("|")) if _SPECIAL.isdisjoint(inner) else None


def _any_byte(text: str) -> bool:
    r"""Whether ``\C`` stands in it (outside ``\Q…\E``), which RE2 has and Go, and so Prometheus, has not."""
    place, quoted = 0, False
    while (place := text.find("\\", place)) >= 0:
        following = text[place + 1 : place + 2]
        if quoted:
            quoted = following != "E"
        elif following == "C":
            return True
        else:
            quoted = following == "Q"
        place += 1 if quoted and following != "Q" else 2
    return False
