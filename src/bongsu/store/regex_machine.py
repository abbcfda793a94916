"""Runs a pattern's tree over a text in time that goes with the text's length, whatever the pattern.

The tree becomes a program of single steps (Thompson's construction). Whether a whole text fits is told by a
deterministic automaton that is made while it runs; what the groups hold, by running all threads side by side (Pike).
See https://swtch.com/~rsc/regexp/regexp2.html.
"""

from __future__ import annotations

import bisect
from dataclasses import dataclass, field

from bongsu.store.regex_syntax import WORD as _WORD
from bongsu.store.regex_syntax import Chars, Choice, Group, Node, Parsed, PatternError, Place, Ranges, Repeat, Sequence

_MOST_STEPS = 20_000  # of a program, with repeats written out
_MOST_STATES = 3_000  # of the automaton; when there are more it is begun anew
_CHARS, _SPLIT, _PLACE, _SAVE, _MATCH = range(5)
_NEWLINE: Ranges = ((10, 10),)


@dataclass(slots=True)
class _Program:
    """Steps: what to do, an argument, and where to go on (the second only for a split, less preferred)."""

    kinds: list[int] = field(default_factory=list)
    arguments: list[object] = field(default_factory=list)
    first: list[int] = field(default_factory=list)
    second: list[int] = field(default_factory=list)

    def add(self, kind: int, argument: object = None, first: int = -1, second: int = -1) -> int:
        if len(self.kinds) >= _MOST_STEPS:
            raise PatternError("the pattern is too large", 0)
        self.kinds.append(kind)
        self.arguments.append(argument)
        self.first.append(first)
        self.second.append(second)
        return len(self.kinds) - 1


def _compile(program: _Program, node: Node, then: int) -> int:
    """Adds the steps of ``node`` before step ``then``; returns where they begin."""
    if isinstance(node, Chars):
        return program.add(_CHARS, node.ranges, then)
    if isinstance(node, Sequence):
        for item in reversed(node.items):
            then = _compile(program, item, then)
        return then
    if isinstance(node, Choice):
        begin = _compile(program, node.items[-1], then)
        for item in reversed(node.items[:-1]):
            begin = program.add(_SPLIT, None, _compile(program, item, then), begin)
        return begin
    if isinstance(node, Group):
        inner = _compile(program, node.item, program.add(_SAVE, 2 * node.number + 1, then))
        return program.add(_SAVE, 2 * node.number, inner)
    if isinstance(node, Place):
        return program.add(_PLACE, node.kind, then)
    return _compile_repeat(program, node, then)


def _compile_repeat(program: _Program, node: Repeat, then: int) -> int:
    def split(inner: int, after: int) -> int:
        return program.add(_SPLIT, None, *((inner, after) if node.greedy else (after, inner)))

    begin = then
    if node.most is None:
        loop = program.add(_SPLIT)
        inner = _compile(program, node.item, loop)
        program.first[loop], program.second[loop] = (inner, then) if node.greedy else (then, inner)
        begin = loop
        if node.least > 0:  # x+ is x and then the loop; the loop's own x is the last one written out
            begin = inner
    else:
        for _ in range(node.most - node.least):
            begin = split(_compile(program, node.item, begin), then)
    for _ in range(node.least - (1 if node.most is None and node.least > 0 else 0)):
        begin = _compile(program, node.item, begin)
    return begin


class _State:
    """Where the threads stand after some text; ``after`` is the kind of its last character (see `_kind`)."""

    __slots__ = ("accepts", "after", "next", "steps")

    def __init__(self, steps: frozenset[int], after: int) -> None:
        self.steps = steps
        self.after = after
        self.next: dict[str, _State] = {}
        self.accepts: bool | None = None


_BEGIN, _OTHER, _IS_WORD, _IS_NEWLINE, _END = range(5)


def _kind(char: str) -> int:
    if char == "\n":
        return _IS_NEWLINE
    return _IS_WORD if char.isascii() and (char.isalnum() or char == "_") else _OTHER


def _holds(place: str, before: int, behind: int) -> bool:
    if place == "begin":
        return before == _BEGIN
    if place == "end":
        return behind == _END
    if place == "line_begin":
        return before in {_BEGIN, _IS_NEWLINE}
    if place == "line_end":
        return behind in {_END, _IS_NEWLINE}
    return ((before == _IS_WORD) != (behind == _IS_WORD)) == (place == "word")


class Machine:
    """A pattern, ready to be run. Several threads may use it.

    Raises:
        PatternError: written out, the pattern is too large.
    """

    def __init__(self, parsed: Parsed) -> None:
        self._program = program = _Program()
        self.groups = len(parsed.names)
        self._entry = _compile(program, parsed.tree, program.add(_MATCH))
        self._has_places = _PLACE in program.kinds
        edges = {0}
        ranges = {r for r in program.arguments if isinstance(r, tuple)}
        for some in (*ranges, *((_WORD, _NEWLINE) if self._has_places else ())):
            for low, high in some:
                edges.update((low, high + 1))
        self._edges = sorted(edges)
        # Characters between two edges are alike to all steps, so one look-up in a set tells whether a step takes one.
        self._takes = [
            frozenset(self._alike(r)) if isinstance(r, tuple) else frozenset[int]() for r in program.arguments
        ]
        self._begin_anew()

    def _alike(self, ranges: Ranges) -> list[int]:
        return [
            i
            for low, high in ranges
            for i in range(bisect.bisect_left(self._edges, low), bisect.bisect_right(self._edges, high))
        ]

    def _begin_anew(self) -> None:
        self._states: dict[tuple[frozenset[int], int], _State] = {}
        self._moves: dict[tuple[frozenset[int], int, int], _State] = {}
        self._start = self._state(frozenset((self._entry,)), _BEGIN if self._has_places else _OTHER)

    def _state(self, steps: frozenset[int], after: int) -> _State:
        key = (steps, after)
        state = self._states.get(key)
        if state is None:
            state = self._states[key] = _State(steps, after)
        return state

    def fits(self, text: str) -> bool:
        """Whether the whole text fits the pattern."""
        state = self._start
        for char in text:
            state = state.next.get(char) or self._move(state, char)
            if not state.steps:
                return False
        if state.accepts is None:
            match = self._program.kinds.index(_MATCH)
            state.accepts = match in self._closure(state.steps, state.after, _END)
        return state.accepts

    def _move(self, state: _State, char: str) -> _State:
        if len(self._states) > _MOST_STATES or len(self._moves) > 8 * _MOST_STATES:
            self._begin_anew()  # a state of before still knows its way; it is let go with the text
        alike = bisect.bisect_right(self._edges, ord(char)) - 1
        key = (state.steps, state.after, alike)
        found = self._moves.get(key)
        if found is None:
            kind = _kind(char) if self._has_places else _OTHER
            takes, goes = self._takes, self._program.first
            steps = frozenset(
                goes[step] for step in self._closure(state.steps, state.after, kind) if alike in takes[step]
            )
            found = self._moves[key] = self._state(steps, kind)
        if len(state.next) < 512:
            state.next[char] = found
        return found

    def _closure(self, steps: frozenset[int], before: int, behind: int) -> set[int]:
        """All steps that are reached without taking a character, given what stands before and behind."""
        program = self._program
        seen: set[int] = set()
        open_steps = list(steps)
        while open_steps:
            step = open_steps.pop()
            if step in seen:
                continue
            seen.add(step)
            kind = program.kinds[step]
            if kind == _SPLIT:
                open_steps += (program.first[step], program.second[step])
            elif kind == _SAVE or (kind == _PLACE and _holds(str(program.arguments[step]), before, behind)):
                open_steps.append(program.first[step])
        return seen

    def groups_of(self, text: str) -> list[str | None] | None:
        """What the groups hold, the whole text first, where it fits as a whole; None for a group not taken part in."""
        if not self.fits(text):
            return None
        if not self.groups:
            return [text]
        program = self._program
        threads: list[tuple[int, tuple[int, ...]]] = [(self._entry, (-1,) * (2 * self.groups + 2))]
        kinds = [_BEGIN, *map(_kind, text), _END]
        for at, char in enumerate(text):
            alike = bisect.bisect_right(self._edges, ord(char)) - 1
            reached = self._threads(threads, at, kinds[at], kinds[at + 1])
            threads = [(program.first[step], saved) for step, saved in reached if alike in self._takes[step]]
        for step, saved in self._threads(threads, len(text), kinds[-2], _END):
            if program.kinds[step] == _MATCH:
                spans = zip(saved[2::2], saved[3::2], strict=True)
                return [text, *(text[low:high] if low >= 0 and high >= 0 else None for low, high in spans)]
        return None

    def _threads(
        self, threads: list[tuple[int, tuple[int, ...]]], at: int, before: int, behind: int
    ) -> list[tuple[int, tuple[int, ...]]]:
        """Threads, the preferred first, moved on to where they take a character or have matched."""
        program = self._program
        seen: set[int] = set()
        reached = []
        for thread in threads:
            open_threads = [thread]
            while open_threads:
                step, saved = open_threads.pop()
                if step in seen:
                    continue
                seen.add(step)
                kind = program.kinds[step]
                if kind == _SPLIT:
                    open_threads += ((program.second[step], saved), (program.first[step], saved))
                elif kind == _SAVE:
                    slot = program.arguments[step]
                    assert isinstance(slot, int)
                    open_threads.append((program.first[step], (*saved[:slot], at, *saved[slot + 1 :])))
                elif kind == _PLACE:
                    if _holds(str(program.arguments[step]), before, behind):
                        open_threads.append((program.first[step], saved))
                else:
                    reached.append((step, saved))
        return reached
