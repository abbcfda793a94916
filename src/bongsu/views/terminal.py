"""Rich's console as our commands need it: a broken pipe is raised, and a COLUMNS that cannot be is as if unset."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from typing import IO

from rich.console import Console, ConsoleOptions, ConsoleRenderable, RenderHook, RenderResult
from rich.segment import Segment

_NARROWEST, _WIDEST = 10, 10_000  # columns; what COLUMNS says beyond is no terminal


class Terminal(Console):
    """Prints what we hand it and guesses nothing into it: no markup, emoji or highlighting.

    Lines have no blanks at their end, which tables of Rich have: lines are copied, compared and searched.
    """

    def __init__(self, *, file: IO[str] | None = None, soft_wrap: bool = False) -> None:
        environment = {name: value for name, value in os.environ.items() if name != "LINES"}
        columns = environment.get("COLUMNS", "")
        if not (columns.isascii() and columns.isdigit() and _NARROWEST <= int(columns[:9]) <= _WIDEST):
            environment.pop("COLUMNS", None)
        super().__init__(
            file=file, soft_wrap=soft_wrap, highlight=False, markup=False, emoji=False, _environ=environment
        )
        self.push_render_hook(_Trim())

    def on_broken_pipe(self) -> None:
        """Leave it to the command line, which ends as all commands do when their reader has gone.

        Raises:
            BrokenPipeError: always.
        """
        self.quiet = True
        raise BrokenPipeError


class _Trim(RenderHook):
    """Has all that is printed trimmed."""

    def process_renderables(self, renderables: list[ConsoleRenderable]) -> list[ConsoleRenderable]:
        return [_Trimmed(each) for each in renderables]


class _Trimmed:
    """What it wraps, without blanks before the end of a line; those that are seen, as on a coloured ground, stay."""

    def __init__(self, content: ConsoleRenderable) -> None:
        self._content = content

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        return _trimmed(console.render(self._content, options))


def _trimmed(segments: Iterable[Segment]) -> Iterator[Segment]:
    blank: list[Segment] = []  # what may turn out to be the end of a line
    for segment in segments:
        text, style, control = segment
        if control or (style is not None and (style.bgcolor or style.reverse or style.underline)):
            yield from blank
            blank.clear()
            yield segment
            continue
        for piece in text.splitlines(keepends=True):
            words = piece.rstrip(" \n")
            if words:
                yield from blank
                blank.clear()
                yield Segment(words, style)
            ends = piece.endswith("\n")
            if ends:
                blank.clear()
                yield Segment.line()
            elif len(words) < len(piece):
                blank.append(Segment(piece[len(words) :], style))
    yield from blank
