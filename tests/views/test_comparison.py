"""A comparison of runs as a person and as a program sees it."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence

import pytest

from bongsu.model.comparison import Comparison
from bongsu.runs.compare import compare
from bongsu.views.comparison import draw
from bongsu.views.comparison_json import document
from bongsu.views.json_text import json_text
from bongsu.views.terminal import Terminal
from compared_runs import around, runs
from run_reports import HOSTILE


def _pair(n: int = 8, second: float = 0.9) -> Comparison:
    return compare(
        {
            "A": runs("old", around(2, n, 1), cpu=around(3, n, 3), rss=90.0 * 2**20, processes=4.0),
            "B": runs("new", around(2 * second, n, 2), first=1, cpu=around(3, n, 5), rss=90.0 * 2**20, processes=4.0),
        }
    )


def _drawn(comparison: Comparison, monkeypatch: pytest.MonkeyPatch, *, width: int = 80, encoding: str = "utf-8") -> str:
    monkeypatch.setenv("COLUMNS", str(width))
    raw = io.BytesIO()
    file = io.TextIOWrapper(raw, encoding=encoding)
    draw(comparison, Terminal(file=file))
    file.flush()
    return raw.getvalue().decode(encoding)


def _dots(lines: Sequence[str]) -> int:
    return sum((ord(sign) - 0x2800).bit_count() for line in lines for sign in line if 0x2800 < ord(sign) <= 0x28FF)


def test_it_says_what_may_be_said_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who was compared, then the verdict with ratio, interval and p, then how much is noise."""
    lines = _drawn(_pair(), monkeypatch, width=200).splitlines()
    assert lines[:2] == ["A (8 runs) python old.py", "B (8 runs) python new.py"]
    assert lines[3].startswith("B against A: faster, wall time times 0.9")
    assert "(95 %: 0." in lines[3]
    assert lines[4].startswith("noise of wall time: ±")
    assert "the same in all runs: peak RSS 90 MiB, processes 4" in lines


@pytest.mark.parametrize("n", [1, 2, 8, 30])
def test_each_run_is_a_dot(n: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """As many dots as runs, however many fall on one place; the median is marked, its interval from six runs on."""
    lines = _drawn(_pair(n), monkeypatch).splitlines()
    assert _dots(lines) == 2 * n
    assert sum(line.count("┃") for line in lines) == 2
    assert sum(line.count("├") for line in lines) == (2 if n >= 6 else 0)
    stacked = compare({"A": runs("a", [1.0] * 11), "B": runs("b", [2.0] * 11, first=1)})
    assert _dots(_drawn(stacked, monkeypatch).splitlines()) == 22


def test_it_fits_eighty_columns_and_ascii(monkeypatch: pytest.MonkeyPatch) -> None:
    """No line is wider than the terminal, and where only ASCII shows nothing else is printed."""
    for comparison in (_pair(), _pair(3), _pair(1)):
        assert max(map(len, _drawn(comparison, monkeypatch).splitlines())) <= 80
        plain = _drawn(comparison, monkeypatch, encoding="ascii")
        assert plain.isascii()
        assert "o" in plain


def test_verdicts_are_told_apart_without_colour(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each verdict has words of its own."""
    for comparison, words in (
        (_pair(), "faster"),
        (_pair(second=1.2), "slower"),
        (_pair(second=1.0), "no difference shown"),
        (_pair(3), "make 4 a side"),
        (_pair(1), "only described"),
        (compare({"A": runs("a", [1.0, 1.1]), "B": runs("b", [None], first=1)}), "is not known"),
        (compare({"A": runs("a", [1.0]), "B": runs("b", [1.0], first=1)}), "wall time is the same in all runs"),
    ):
        drawn = _drawn(comparison, monkeypatch, width=200)
        assert words in drawn
        assert "\x1b" not in drawn


def test_more_groups_stand_below_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """A line for each group of each metric, and a sentence for each but the baseline."""
    groups = {label: runs(f"w{label}", around(30 / at, 8, at), first=at, step=5) for at, label in enumerate("abc", 1)}
    drawn = _drawn(compare(groups), monkeypatch)
    assert "b against a: faster" in drawn
    assert "c against a: faster" in drawn
    assert max(map(len, drawn.splitlines())) <= 80
    table = drawn[drawn.index("median") :].splitlines()
    assert [line.split()[0] for line in table[1:4]] == ["wall", "b", "c"]


def test_the_warnings_come_last_and_nothing_steers_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """A note for each warning; labels and commands are made safe."""
    hostile = compare(
        {
            HOSTILE: runs("a", [1.0, 2.0, 2.5, 2.0], command=("sh", HOSTILE), exit_code=1),
            "B": runs("b", [1.0, 2.0, 2.5, 3.0], first=1),
        }
    )
    drawn = _drawn(hostile, monkeypatch)
    assert "note: 4 of 4 runs of" in drawn
    assert "failed: exit code 1" in drawn
    for sign in ("\x1b", "\x07", "\u202e", "\udcff"):
        assert sign not in drawn


def test_a_median_of_some_runs_says_of_how_many(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where not all runs of a side have a value, its median stands with their number."""
    some = [None, 3.0, None, 5.0]
    told = compare({"A": runs("a", [1.0] * 4, cpu=some), "B": runs("b", [1.0] * 4, first=1, cpu=2.0)})
    assert "2 of 4: 4 s" in _drawn(told, monkeypatch)


def test_long_labels_leave_the_numbers_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    """A label gives way, a metric's name and its numbers do not."""
    told = compare({"L" * 40: runs("a", around(2, 8, 1)), "M" * 40: runs("b", around(1, 8, 2), first=1)})
    drawn = _drawn(told, monkeypatch)
    table = drawn[drawn.index("ratio  ") :]
    assert "wall time" in table
    assert max(map(len, table.splitlines())) <= 80


def test_json_has_everything_and_no_infinity() -> None:
    """Every value, interval and warning, under keys that stay; a ratio without end is null."""
    told = json.loads(json_text(document(_pair())))
    assert list(told) == ["schema", "baseline", "primary", "groups", "rows", "warnings"]
    assert (told["schema"], told["baseline"], told["primary"]) == ("bongsu-comparison/1", "A", "wall")
    (difference,) = told["rows"][0]["differences"]
    assert set(difference) == {
        "group", "verdict", "ratio", "ratio_low", "ratio_high", "p", "adjusted_p", "runs_needed"
    }  # fmt: skip
    assert difference["verdict"] == "lower"
    assert len(told["rows"][0]["sides"][1]["values"]) == 8
    zero = compare({"A": runs("a", [1.0] * 4, read=0.0), "B": runs("b", [1.0] * 4, first=1, read=5.0)})
    told = json.loads(json_text(document(zero)))
    assert told["rows"][1]["differences"][0]["ratio"] is None
