"""Which devices, mounts or interfaces are read: two regular expressions, as node_exporter's flags have them."""

from __future__ import annotations

import re

from bongsu.model.errors import BadInput
from bongsu.model.message import Message


class NameFilter:
    """Lets a name through if ``include`` (where given) finds it and ``exclude`` (where given) does not.

    Expressions are searched, not anchored, as Go's ``MatchString`` does.

    Raises:
        BadInput: an expression does not compile; the message names the option it came from.
    """

    __slots__ = ("_exclude", "_include", "_known")

    def __init__(self, option: str, *, include: str = "", exclude: str = "") -> None:
        self._include = compiled(f"{option}-include", include)
        self._exclude = compiled(f"{option}-exclude", exclude)
        self._known: dict[str, bool] = {}

    def passes(self, name: str) -> bool:
        """Whether the name is to be read."""
        known = self._known.get(name)
        if known is None:
            known = (self._include is None or self._include.search(name) is not None) and (
                self._exclude is None or self._exclude.search(name) is None
            )
            if len(self._known) > 20_000:  # container hosts make up new names for ever
                self._known.clear()
            self._known[name] = known
        return known


def compiled(option: str, expression: str) -> re.Pattern[str] | None:
    """The regular expression of an option, None for an empty one; raises BadInput that names the option."""
    if not expression:
        return None
    try:
        return re.compile(expression)
    except re.error as error:
        raise BadInput(
            Message(
                "{option}: {expression!r} is not a regular expression: {error}; escape special characters "
                "with a backslash",
                option=option, expression=expression, error=error,
            )
        ) from None  # fmt: skip
