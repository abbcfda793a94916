"""PromQL text to its tree: checked for what Prometheus 3.5 takes, then read by promql_parser."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import promql_parser as ast

from bongsu.model.message import Message
from bongsu.store.promql.lexer import Mistake
from bongsu.store.promql.position import Recogniser
from bongsu.store.promql.values import PromqlError

MOST_CHARACTERS = 200_000
_REMEMBERED_CHARACTERS = 4000
_SHOWN_BEFORE = 40  # characters of the query in a message, before and after the mark
_SHOWN_AFTER = 20
_SHOWN_MARKED = 40


@dataclass(frozen=True, slots=True)
class Parsed:
    """A query that was understood; ``kind`` is vector, scalar, matrix or string."""

    text: str
    root: ast.Expr
    kind: str


def parse(text: str) -> Parsed:
    """The tree of a query; those of short ones are remembered, as dashboards ask the same again and again.

    Raises:
        PromqlError: it is not understood (bad_data) or not supported; the message marks the place.
    """
    return _remembered(text) if len(text) <= _REMEMBERED_CHARACTERS else _parse(text)


def _parse(text: str) -> Parsed:
    """See ``parse``."""
    if len(text) > MOST_CHARACTERS:
        raise PromqlError("bad_data", Message("the query is longer than {most} characters", most=MOST_CHARACTERS))
    try:
        reader = Recogniser(text)
        kind = reader.query().kind
    except Mistake as mistake:
        raise PromqlError(mistake.kind, marked(text, mistake)) from mistake
    except RecursionError as error:
        raise PromqlError("bad_data", Message("the query is nested too deeply")) from error
    try:
        root = ast.parse(reader.plain())
    except ValueError as error:
        raise PromqlError("bad_data", Message("{problem}: {text}", problem=str(error), text=_line(text))) from error
    except BaseException as error:
        if type(error).__name__ != "PanicException":  # pyo3's, for a bug in the parser; no name to import it by
            raise
        raise PromqlError(
            "unsupported", Message("the parser gives up on this query: {text}", text=_line(text))
        ) from error
    return Parsed(text, root, kind)


_remembered = lru_cache(maxsize=1024)(_parse)


def marked(text: str, mistake: Mistake) -> Message:
    """A mistake in one line: line and column, what is wrong, and the query with a mark around the place."""
    line = text.count("\n", 0, mistake.start) + 1
    column = mistake.start - (text.rfind("\n", 0, mistake.start) + 1) + 1
    before, found, after = text[: mistake.start], text[mistake.start : mistake.end], text[mistake.end :]
    if len(before) > _SHOWN_BEFORE:
        before = "…" + before[-_SHOWN_BEFORE:]
    if len(found) > _SHOWN_MARKED:
        found = found[:_SHOWN_MARKED] + "…"
    if len(after) > _SHOWN_AFTER:
        after = after[:_SHOWN_AFTER] + "…"
    return Message(
        "{line}:{column}: {problem}: {query}",
        line=line,
        column=column,
        problem=str(mistake.message),
        query=_line(f"{before}>>>{found}<<<{after}"),
    )


def _line(text: str) -> str:
    """A text in one line."""
    return " ".join(text.split())
