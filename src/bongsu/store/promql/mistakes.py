"""What is said of a query that is made of words of PromQL and still is none."""

from __future__ import annotations

from collections.abc import Mapping

from bongsu.model.message import Message
from bongsu.store.promql.cursor import Part
from bongsu.store.promql.lexer import Mistake, Word

SHOWN: Mapping[str, str] = {
    "vector": "an instant vector",
    "matrix": "a range vector",
    "scalar": "a number",
    "string": "a string",
}


def named_twice(start: Word, end: Word) -> Mistake:
    """A second metric's name."""
    return Mistake(start.start, end.end, Message("the metric's name is given twice"))


def experimental(name: Word) -> Mistake:
    """A function that Prometheus, too, refuses as long as it is not enabled by a flag."""
    return Mistake(
        name.start,
        name.end,
        Message('"{name}" is experimental in Prometheus 3.5 and not answered', name=name.text),
    )


def count(name: Word, start: int, end: int, wanted: int, given: int) -> Mistake:
    """Too many or too few arguments."""
    return Mistake(
        start,
        end,
        Message("{name}() takes {wanted} argument(s), {given} are given", name=name.text, wanted=wanted, given=given),
    )


def wrong(part: Part, template: str, **values: object) -> Mistake:
    """Something of the wrong kind."""
    return Mistake(part.start, part.end, Message(template, **{**values, "kind": SHOWN[part.kind]}))
