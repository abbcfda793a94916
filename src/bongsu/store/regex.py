r"""Regular expressions for label values, as Prometheus 3 has them: RE2's syntax, over the whole value.

Any pattern takes time that goes with the value's length (no backtracking), so none can hang. ``.`` also fits a line
feed, ``^`` and ``$`` are the value's ends, ``\d \s \w \b`` mean ASCII. Refused, as RE2 refuses them: references
back, looking ahead or behind, atomic groups, possessive repeats, ``\Z``, ``\C``. Refused here only: scripts such
as ``\p{Greek}``, and groups nested more than 150 deep.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Sequence

from bongsu.model.errors import BadInput
from bongsu.model.message import Message
from bongsu.store import regex_syntax as syntax
from bongsu.store.regex_machine import Machine
from bongsu.store.series import Matcher, Op

_MOST_LITERALS = 4096
_MOST_REMEMBERED = 20_000  # values of one pattern
_MOST_SHOWN = 120  # characters of a pattern in a message
_SPECIAL = frozenset("\\.+*?()[]{}^$")


class Pattern:
    """A pattern that is matched against whole values. Several threads may use it.

    ``literals`` are all values that it fits where these are few, else None; ``names`` its groups' names, "" for
    those without.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self.names: tuple[str, ...] = ()
        self.literals: frozenset[str] | None = None
        self._machine: Machine | None = None
        self._known: dict[str, bool] = {}
        if _SPECIAL.isdisjoint(text):  # words with bars between them, as dashboards write them by the hundred
            self.literals = frozenset(text.split("|"))
            self.matches: Callable[[str], bool] = self.literals.__contains__
            return
        parsed = syntax.parse(text)
        self.names = parsed.names
        words = _words(_inside(parsed.tree))
        self.literals = frozenset(words) if words is not None else None
        self._machine = Machine(parsed)
        if self.literals is not None:
            self.matches = self.literals.__contains__
        elif text in {".*", "(.*)"}:
            self.matches = _anything
        elif text in {".+", "(.+)"}:
            self.matches = bool
        else:
            self.matches = self._match

    def _match(self, value: str) -> bool:
        found = self._known.get(value)
        if found is None:
            assert self._machine is not None
            found = self._machine.fits(value)
            if len(self._known) >= _MOST_REMEMBERED:
                self._known = {}
            self._known[value] = found
        return found

    def groups(self, value: str) -> Sequence[str | None] | None:
        """What each group holds, the whole value first; None where the value does not fit."""
        if self._machine is None:
            return [value] if self.matches(value) else None
        return self._machine.groups_of(value)


def _anything(_: str) -> bool:
    return True


@functools.lru_cache(maxsize=256)
def pattern(text: str) -> Pattern:
    """The pattern, remembered.

    Raises:
        BadInput: it is not understood; the message names the place.
    """
    try:
        return Pattern(text)
    except syntax.PatternError as error:
        shown = text if len(text) <= _MOST_SHOWN else text[:_MOST_SHOWN] + "…"
        raise BadInput(
            Message("the regular expression {pattern!r} is not understood: {problem}", pattern=shown, problem=error)
        ) from None


def tester(matcher: Matcher) -> Callable[[str], bool]:
    """What tells whether a label's value ("" for an absent label) meets the condition. Raises BadInput."""
    value = matcher.value
    if matcher.op is Op.EQUAL:
        return value.__eq__
    if matcher.op is Op.NOT_EQUAL:
        return value.__ne__
    fits = pattern(value).matches
    return fits if matcher.op is Op.MATCH else lambda text: not fits(text)


def matches_empty(matchers: Iterable[Matcher]) -> bool:
    """Whether a series without labels would fit: such a selector would pick everything, and Prometheus refuses it.

    Raises:
        BadInput: a pattern is not understood.
    """
    return all(tester(matcher)("") for matcher in matchers)


def _inside(tree: syntax.Node) -> syntax.Node:
    """Without the ends that a whole match implies anyway, which many people write."""
    items = tree.items if isinstance(tree, syntax.Sequence) else (tree,)
    while items and items[0] == syntax.Place("begin"):
        items = items[1:]
    while items and items[-1] == syntax.Place("end"):
        items = items[:-1]
    return items[0] if len(items) == 1 else syntax.Sequence(items)


def _words(node: syntax.Node) -> list[str] | None:
    """All texts that fit, in order; None where they are many."""
    if isinstance(node, syntax.Chars):
        count = sum(high - low + 1 for low, high in node.ranges)
        return [chr(code) for low, high in node.ranges for code in range(low, high + 1)] if count <= 16 else None
    if isinstance(node, syntax.Group):
        return _words(node.item)
    if isinstance(node, syntax.Choice):
        found: list[str] = []
        for item in node.items:
            words = _words(item)
            if words is None or len(found) + len(words) > _MOST_LITERALS:
                return None
            found += words
        return found
    if isinstance(node, syntax.Sequence):
        return _product(node.items)
    if isinstance(node, syntax.Repeat) and node.most is not None and node.most <= 16:
        once = _words(node.item)
        if once is None:
            return None
        found = []
        for times in range(node.least, node.most + 1):
            words = _product([node.item] * times)
            if words is None or len(found) + len(words) > _MOST_LITERALS:
                return None
            found += words
        return found
    return None


def _product(items: Sequence[syntax.Node]) -> list[str] | None:
    found = [""]
    for item in items:
        words = _words(item)
        if words is None or len(found) * len(words) > _MOST_LITERALS:
            return None
        found = [a + b for a in found for b in words]
    return found
