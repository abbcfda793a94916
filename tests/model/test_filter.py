"""Include and exclude expressions, as node_exporter's flags have them."""

from __future__ import annotations

import pytest

from bongsu.model.errors import BadInput
from bongsu.model.filter import NameFilter


def test_include_and_exclude_are_searched() -> None:
    """Both apply; neither is anchored; none lets all through."""
    both = NameFilter("device", include="^sd", exclude="[0-9]+$")
    assert [both.passes(n) for n in ("sda", "sda1", "nvme0n1")] == [True, False, False]
    assert NameFilter("device").passes("anything")
    assert not NameFilter("device", exclude="oo").passes("loop0")


def test_a_broken_expression_names_its_option() -> None:
    """One line: which option, what was given, what is wrong."""
    with pytest.raises(BadInput, match=r"collector.diskstats.device-exclude: '\(' is not a regular expression"):
        NameFilter("collector.diskstats.device", exclude="(")
