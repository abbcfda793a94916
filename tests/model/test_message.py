"""Sentences keep their values apart until they are drawn."""

from __future__ import annotations

from bongsu.model.errors import BadInput
from bongsu.model.message import Message


def test_a_value_with_braces_is_only_a_value() -> None:
    """What the machine says never becomes a template."""
    assert str(Message("no {path}", path="{0.__class__}")) == "no {0.__class__}"


def test_an_error_reads_as_its_message() -> None:
    """The user sees the sentence; the program sees the exit code."""
    error = BadInput(Message("{key}: must be above 0", key="interval"))
    assert (str(error), error.exit_code) == ("interval: must be above 0", 2)
