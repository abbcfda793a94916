"""label_replace() and label_join(): labels made of other labels."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from bongsu.model.errors import BadInput
from bongsu.model.message import Message
from bongsu.store.promql.call import Call
from bongsu.store.promql.labels import distinct
from bongsu.store.promql.values import Context, PromqlError, Vector
from bongsu.store.regex import pattern
from bongsu.store.series import Labels

_LONGEST_NUMBER = 100_000_000  # Go takes no more digits for the number of a group


def label_replace(_: Context, call: Call) -> Vector:
    """Sets a label to what a pattern found in another; series whose value does not fit stay as they are.

    Raises:
        PromqlError: the pattern or the label's name is not understood, or two series become alike.
    """
    vector, target, template, source, expression = call.vector(0), *(call.text(i) for i in range(1, 5))
    try:
        found = pattern(expression)
    except BadInput as error:
        raise PromqlError("execution", error.message) from None
    _check_name(call.name, target)
    parts = list(_parts(template))
    for name, is_name in parts:
        if is_name and expression.count(f"<{name}>") > 1:  # RE2 here forgets all but one of them
            raise PromqlError(
                "unsupported",
                Message(
                    "two groups of the same name, {name}, are not supported in {function}()",
                    name=name,
                    function=call.name,
                ),
            )

    def replaced(labels: Labels) -> Labels:
        groups = found.groups(_value(labels, source))
        if groups is None:
            return labels
        return _changed(labels, target, "".join(_expanded(parts, groups, found.names)))

    return _relabelled(vector, replaced)


def label_join(_: Context, call: Call) -> Vector:
    """Sets a label to the values of others with a text between them.

    Raises:
        PromqlError: a label has no name, or two series become alike.
    """
    target, between = call.text(1), call.text(2)
    sources = [call.text(i) for i in range(3, len(call.arguments))]
    for name in (target, *sources):
        _check_name(call.name, name)
    return _relabelled(
        call.vector(0), lambda labels: _changed(labels, target, between.join(_value(labels, name) for name in sources))
    )


def _relabelled(vector: Vector, new: Callable[[Labels], Labels]) -> Vector:
    return distinct(Vector([new(labels) for labels in vector.labels], vector.values, vector.present), ever=True)


def _check_name(function: str, name: str) -> None:
    if not name:
        raise PromqlError(
            "execution", Message("{function}() needs the name of a label, not an empty text", function=function)
        )


def _value(labels: Labels, name: str) -> str:
    for label, value in labels:
        if label == name:
            return value
    return ""


def _changed(labels: Labels, name: str, value: str) -> Labels:
    """The labels with one set, or taken away where ``value`` is empty."""
    others = [label for label in labels if label[0] != name]
    if value:
        others.append((name, value))
    return tuple(sorted(others))


def _parts(template: str) -> Iterator[tuple[str, bool]]:
    """A replacement text as Go reads it (regexp.Expand): pieces of text (False) and names of groups (True)."""
    while True:
        before, dollar, template = template.partition("$")
        yield before, False
        if not dollar:
            return
        if template.startswith("$"):
            yield "$", False
            template = template[1:]
            continue
        braced = template.startswith("{")
        begin = end = int(braced)
        while end < len(template) and (template[end].isalpha() or template[end].isdecimal() or template[end] == "_"):
            end += 1
        if end == begin or (braced and template[end : end + 1] != "}"):
            yield "$", False
            continue
        yield template[begin:end], True
        template = template[end + braced :]


def _expanded(parts: Sequence[tuple[str, bool]], groups: Sequence[str | None], names: Sequence[str]) -> Iterator[str]:
    for text, is_name in parts:
        if not is_name:
            yield text
            continue
        number = _number(text)
        if number is not None:
            yield (groups[number] or "") if number < len(groups) else ""
            continue
        named = (group for name, group in zip(names, groups[1:], strict=False) if name == text and group is not None)
        yield next(named, "")


def _number(name: str) -> int | None:
    """The number of a group, or nothing where Go takes these characters for a name."""
    if not (name.isascii() and name.isdecimal()) or (name[0] == "0" and name != "0"):
        return None
    number = int(name)
    return number if number < _LONGEST_NUMBER * 10 else None
