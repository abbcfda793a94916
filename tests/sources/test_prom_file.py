"""The text format, as others write it."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bongsu.model.metric import Kind
from bongsu.sources import prom_file
from bongsu.sources.prom_file import NotMetrics, Reading, parse

_names = st.from_regex(r"[a-zA-Z_:][a-zA-Z0-9_:]{0,10}", fullmatch=True)
_labels = st.dictionaries(
    st.from_regex(r"[a-zA-Z][a-zA-Z0-9_]{0,8}", fullmatch=True),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=10), max_size=3,
)  # fmt: skip


def escaped(value: str) -> str:
    """A label value as the format wants it."""
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


@given(st.lists(st.tuples(_names, _labels, st.floats()), max_size=5))
def test_what_is_written_is_read(readings: list[tuple[str, dict[str, str], float]]) -> None:
    """Any names, labels and values, written by the format's rules, come back as they were."""
    text = ""
    for name, labels, value in readings:
        inside = ",".join(f'{label}="{escaped(of)}"' for label, of in labels.items())
        text += f"{name}{{{inside}}} {value!r}\n"
    found = [reading for family in parse(text.encode()).values() for reading in family.readings]
    expected = [Reading(name, tuple(sorted(labels.items())), value) for name, labels, value in readings]
    assert sorted(map(repr, found)) == sorted(map(repr, expected))


@given(st.one_of(st.binary(max_size=80), st.text('ab{}="\\,# \t\n1.eN+HELPTYPE_', max_size=60).map(str.encode)))
def test_any_bytes_are_metrics_or_refused(text: bytes) -> None:
    """Whatever a file holds, it is understood or refused with the line, and nothing else is raised."""
    said = ""
    families = {}
    try:
        families = parse(text)
    except NotMetrics as error:
        said = str(error)
    assert not said or said.startswith("line ")
    for family in families.values():
        assert family.kind is not None
        assert all(isinstance(reading.value, float) for reading in family.readings)


def test_types_and_help() -> None:
    """Types and help come before or after each other; the parts of summaries and histograms are untyped values."""
    families = parse(
        b"# TYPE a counter\n# HELP a Some \\\\ help\\nhere.\na 1\n# HELP b x\nb 2\n#TYPE c GAUGE\nc nan\n"
        b'# TYPE h histogram\nh_bucket{le="1"} 1\nh_sum 2\nh_count 1\n# TYPE d gauge\n# any thing\n#\n'
    )  # fmt: skip
    assert {name: (family.kind, family.help) for name, family in families.items()} == {
        "a": (Kind.COUNTER, "Some \\ help\nhere."), "b": (Kind.UNTYPED, "x"), "c": (Kind.GAUGE, None),
        "h": (Kind.UNTYPED, None),
    }  # fmt: skip
    assert [reading.name for reading in families["h"].readings] == ["h_bucket", "h_sum", "h_count"]
    assert math.isnan(families["c"].readings[0].value)


def test_a_file_too_long_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that cannot be metrics by its size is not read into memory."""
    monkeypatch.setattr(prom_file, "LARGEST", 1 << 20)
    (tmp_path / "x.prom").write_bytes(b"a 1\n" * (1 << 18) + b"b 1\n")
    with pytest.raises(NotMetrics, match="longer than 1 MiB"):
        prom_file.read(str(tmp_path / "x.prom"))
