"""All PromQL functions that are answered, by name, and why the others are not."""

from __future__ import annotations

from collections.abc import Mapping

from bongsu.model.message import Message
from bongsu.store.promql.call import Call, Function, bare_selector
from bongsu.store.promql.values import PromqlError

FUNCTIONS: Mapping[str, Function] = {}


def find(name: str) -> Function:
    """The function of this name.

    Raises:
        PromqlError: ``unsupported``, with the reason, for one that is valid PromQL but not answered here.
    """
    found = FUNCTIONS.get(name)
    if found is None:
        raise PromqlError("unsupported", Message("{name}() is not supported here", name=name))
    return found


__all__ = ["FUNCTIONS", "Call", "Function", "bare_selector", "find"]
