"""Sentences that a person reads, kept apart from their values until a view draws them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, init=False)
class Message:
    """A sentence with named places, such as ``Message("{path} is not a directory", path=p)``.

    The template is the key of the translation catalogue, so it is always a literal.
    """

    template: str
    values: tuple[tuple[str, object], ...]

    def __init__(self, template: str, /, **values: object) -> None:
        object.__setattr__(self, "template", template)
        object.__setattr__(self, "values", tuple(values.items()))

    def replaced(self, **values: object) -> Message:
        """The same sentence with other values in some of its places."""
        changed = object.__new__(Message)
        object.__setattr__(changed, "template", self.template)
        object.__setattr__(changed, "values", tuple({**dict(self.values), **values}.items()))
        return changed

    def __str__(self) -> str:
        """The sentence in English."""
        return self.template.format(**dict(self.values))
